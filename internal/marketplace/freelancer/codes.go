package freelancer

import (
	"errors"
	"net/http"
	"strings"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
)

const codeBadForm = "BAD_FORM"

// codes are the site's words for refusals, without the group that they come in (ProjectExceptionCodes.,
// RestExceptionCodes., UserExceptionCodes.), as its SDKs and programs of others name them.
var codes = map[string]onebidv1.ErrorClass{
	"NOT_AUTHENTICATED":               onebidv1.ErrorAuth,
	"TOO_MANY_REQUESTS":               onebidv1.ErrorRateLimited,
	"BID_LIMIT_EXCEEDED":              onebidv1.ErrorQuotaExhausted, // the plan's bids are used up; more come with time
	"BID_MINIMUM_REQUIREMENT_NOT_MET": onebidv1.ErrorForbidden,      // such as a balance on the account
	"DUPLICATE_BID":                   onebidv1.ErrorAlreadyExists,
	"PROJECT_NOT_ACTIVE":              onebidv1.ErrorPostingClosed,
	"PROJECT_NOT_FOUND":               onebidv1.ErrorNotFound,
	"BID_AMOUNT_INVALID":              onebidv1.ErrorInvalid,
	codeBadForm:                       onebidv1.ErrorInvalid,
	// It has been seen to fail and to write all the same.
	"GAF_EXCEPTION": onebidv1.ErrorUnknownOutcome,
}

// families are codes of which there are several.
var families = []struct {
	prefix string
	class  onebidv1.ErrorClass
}{
	{"ALREADY_BID_", onebidv1.ErrorAlreadyExists},
	{"BID_DESCRIPTION_", onebidv1.ErrorInvalid},
	{"RESTRICTED_", onebidv1.ErrorForbidden},
}

func classOf(code string) onebidv1.ErrorClass {
	if class, ok := codes[code]; ok {
		return class
	}
	for _, family := range families {
		if strings.HasPrefix(code, family.prefix) {
			return family.class
		}
	}
	return ""
}

// meaning classifies a reply. Errors come with any status, 200 too. For an undocumented code, the status decides whether the
// call had an effect; with a status of success that stays unknown.
func meaning(c *wire.Call) wire.Rule {
	return func(r *wire.Reply) (onebidv1.ErrorClass, error) {
		if class := classOf(codeOf(r)); class != "" {
			return class, nil
		}
		if badForm(c, r) {
			return onebidv1.ErrorInvalid, nil
		}
		switch word := statusOf(r); {
		case !r.Succeeded() || word == "success":
			return "", nil
		case word == "error":
			return c.Open(), nil
		case r.Alien != nil:
			return "", r.Alien
		}
		return "", errors.New(`the reply's status is neither "success" nor "error"`)
	}
}

// badForm is true when the site refuses to read a retraction in the encoding that it came in: that had no effect. Older
// notes describe a 405, newer ones the code.
func badForm(c *wire.Call, r *wire.Reply) bool {
	return c.Intent == wire.Writing && c.Operation == marketplace.OpWithdraw &&
		(r.Status == http.StatusMethodNotAllowed || (codeOf(r) == codeBadForm && r.Status < http.StatusInternalServerError))
}

// codeOf finds the code in either of the two shapes of errors, without its group.
func codeOf(r *wire.Reply) string {
	body, ok := r.Body.(map[string]any)
	if !ok {
		return ""
	}
	code, _ := body["error_code"].(string)
	if inner, ok := body["error"].(map[string]any); ok && code == "" {
		code, _ = inner["code"].(string)
	}
	return code[strings.LastIndexByte(code, '.')+1:]
}

func statusOf(r *wire.Reply) string {
	body, ok := r.Body.(map[string]any)
	if !ok {
		return ""
	}
	word, _ := body["status"].(string)
	return word
}
