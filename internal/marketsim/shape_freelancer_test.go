package marketsim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const (
	freelancerAPI = "/freelancer/api/projects/0.1"
	longText      = "A description of a hundred characters or more, since the site answers shorter ones with an internal error."
)

// placeFreelancer places a bid of alice on a project.
func placeFreelancer(b *bench, project string) reply {
	return b.call("POST", freelancerAPI+"/bids/", "", fmt.Sprintf(
		`{"project_id":%s,"bidder_id":%s,"amount":120.50,"period":3,"milestone_percentage":50,"description":%q}`,
		project, FreelancerID("alice"), longText))
}

// retract sends the action in an encoding.
func retract(t *testing.T, b *bench, id, contentType, body string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, b.url+freelancerAPI+"/bids/"+id+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Freelancer-OAuth-V1", "alice")
	req.Header.Set("Content-Type", contentType)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return reply{status: resp.StatusCode, body: text, err: err}
}

const (
	formType, formBody = "application/x-www-form-urlencoded", "action=retract"
	jsonType, jsonBody = "application/json; charset=utf-8", `{"action":"retract"}`
)

func TestLifeOfABidAtFreelancer(t *testing.T) {
	b := start(t, nil)
	me := b.call("GET", "/freelancer/api/users/0.1/self/", "", "").want(t, 200).at(t, "result", "id")
	if fmt.Sprint(me) != FreelancerID("alice") {
		t.Errorf("self = %v", me)
	}
	placed := placeFreelancer(b, "9001").want(t, 200)
	id := fmt.Sprint(placed.at(t, "result", "id"))
	for field, want := range map[string]any{
		"project_id": json.Number("9001"), "bidder_id": me, "amount": json.Number("120.50"), "retracted": false, "award_status": nil,
	} {
		if got := placed.at(t, "result", field); got != want {
			t.Errorf("%s = %v, want %v", field, got, want)
		}
	}
	if code := placeFreelancer(b, "9001").want(t, 409).at(t, "error_code"); code != "ProjectExceptionCodes.DUPLICATE_BID" {
		t.Errorf("code = %v", code)
	}
	for state, want := range map[State]any{
		StateAwardPending: "pending", StateWon: "awarded", StateLost: "revoked", StateRejected: "rejected", StateExpired: nil, StateLive: nil,
	} {
		if err := b.SetState(t.Context(), "freelancer", id, state); err != nil {
			t.Fatal(err)
		}
		if got := b.call("GET", freelancerAPI+"/bids/"+id+"/", "", "").want(t, 200).at(t, "result", "award_status"); got != want {
			t.Errorf("%s: award_status = %v, want %v", state, got, want)
		}
		project := b.call("GET", freelancerAPI+"/projects/9001/", "", "").want(t, 200)
		if closed := project.at(t, "result", "status") == "closed"; closed != (state == StateExpired) {
			t.Errorf("%s: the project is closed: %t", state, closed)
		}
	}
	if err := b.SetState(t.Context(), "freelancer", id, StateLive); err != nil {
		t.Fatal(err)
	}
	if got := retract(t, b, id, formType, formBody).want(t, 200).at(t, "result", "retracted"); fmt.Sprint(got) != "true" {
		t.Errorf("retracted = %v", got)
	}
	retract(t, b, id, formType, formBody).want(t, 409)
	retract(t, b, "7", formType, formBody).want(t, 404)
	if err := b.ClosePosting(t.Context(), "freelancer", "9001"); err != nil {
		t.Fatal(err)
	}
	if code := placeFreelancer(b, "9001").want(t, 409).at(t, "error_code"); code != "ProjectExceptionCodes.PROJECT_NOT_ACTIVE" {
		t.Errorf("code = %v", code)
	}
	projects := b.call("GET", freelancerAPI+"/projects/?projects[]=9001&projects[]=9002", "", "").want(t, 200)
	for i, want := range []string{"frozen", "active"} {
		if got := projects.at(t, "result", "projects", i, "status"); got != want {
			t.Errorf("project %d is %v, want %s", i, got, want)
		}
	}
	b.wantRow("freelancer", "9001", 3, 1, 0, 1)
}

func TestListsAtFreelancer(t *testing.T) {
	b := start(t, nil)
	settings := Settings{Shape: ShapeFreelancer, Class: ClassUniquePerPosting, PageSize: 1000}
	b.put("freelancer", settings)
	for i := range 120 {
		placeFreelancer(b, fmt.Sprint(9000+i)).want(t, 200)
	}
	count := func(query string) int {
		return len(b.call("GET", freelancerAPI+"/bids/?"+query, "", "").want(t, 200).at(t, "result", "bids").([]any))
	}
	mine := "bidders[]=" + FreelancerID("alice")
	for query, want := range map[string]int{
		mine: 10, mine + "&limit=20": 20, mine + "&limit=500": 100, mine + "&limit=100&offset=100": 20, mine + "&offset=120": 0,
		mine + "&projects[]=9007": 1, mine + "&projects[]=7": 0, mine + "&offset=0&limit=1": 1,
	} {
		if got := count(query); got != want {
			t.Errorf("%s: %d bids, want %d", query, got, want)
		}
	}
	b.call("GET", freelancerAPI+"/bids/?bidders[]=1", "", "").want(t, http.StatusForbidden)
	b.call("GET", freelancerAPI+"/bids/?limit=none", "", "").want(t, http.StatusBadRequest)
	id := fmt.Sprint(b.call("GET", freelancerAPI+"/bids/?projects[]=9007", "", "").at(t, "result", "bids", 0, "id"))
	retract(t, b, id, formType, formBody).want(t, 200)
	if got := count("projects[]=9007"); got != 1 {
		t.Errorf("a retracted bid does not show")
	}
	settings.Freelancer = &Freelancer{HideRetracted: true}
	b.put("freelancer", settings)
	if got := count("projects[]=9007"); got != 0 {
		t.Errorf("a retracted bid shows")
	}
}

func TestWhatFreelancerRefuses(t *testing.T) {
	b := start(t, nil)
	good := fmt.Sprintf(`{"project_id":9001,"bidder_id":%s,"amount":1,"period":1,"milestone_percentage":0,"description":%q}`,
		FreelancerID("alice"), longText)
	for why, c := range map[string]struct {
		from, to string
		status   int
	}{
		"a short description": {longText, "short", 500}, "no project": {"9001", "0", 500},
		"another bidder": {FreelancerID("alice"), "1", 403}, "no bidder": {`"bidder_id"`, `"bidder"`, 400},
		"no period": {`"period":1`, `"period":0`, 400}, "no milestone": {`"milestone_percentage"`, `"milestone"`, 400},
		"no amount": {`"amount":1`, `"amount":-1`, 400}, "an exponent": {`"amount":1`, `"amount":1e2`, 400}, "no JSON": {"{", "", 400},
	} {
		b.call("POST", freelancerAPI+"/bids/", "", strings.Replace(good, c.from, c.to, 1)).want(t, c.status)
		if r := b.row("freelancer", "9001"); r.Placed > 0 {
			t.Fatalf("%s was placed", why)
		}
	}
	b.call("GET", freelancerAPI+"/bids", "", "").want(t, http.StatusNotFound)
	b.call("POST", freelancerAPI+"/bids/", "", good).want(t, http.StatusOK)
}

func TestEncodingsOfARetraction(t *testing.T) {
	for taken, want := range map[Retract][2]int{"": {200, 200}, RetractForm: {200, 400}, RetractJSON: {400, 200}} {
		b := start(t, nil)
		b.put("freelancer", Settings{
			Shape: ShapeFreelancer, Class: ClassUniquePerPosting, Freelancer: &Freelancer{Retract: taken, NestedErrors: true},
		})
		for i, c := range [][2]string{{formType, formBody}, {jsonType, jsonBody}} {
			id := fmt.Sprint(placeFreelancer(b, fmt.Sprint(9001+i)).want(t, 200).at(t, "result", "id"))
			got := retract(t, b, id, c[0], c[1]).want(t, want[i])
			if want[i] == 400 && got.at(t, "error", "code") != "RestExceptionCodes.BAD_FORM" {
				t.Errorf("%s: %s", taken, got.body)
			}
		}
		id := fmt.Sprint(placeFreelancer(b, "9009").want(t, 200).at(t, "result", "id"))
		retract(t, b, id, formType, url.Values{"action": {"deny"}}.Encode()).want(t, 400)
	}
}

func TestFreelancerSettings(t *testing.T) {
	for want, s := range map[string]Settings{
		"":                                  {Shape: ShapeFreelancer, Class: ClassNone},
		"freelancer: is only for shape":     {Shape: ShapeRest, Class: ClassNone, Freelancer: &Freelancer{}},
		`freelancer.retract: "xml" is not `: {Shape: ShapeFreelancer, Class: ClassNone, Freelancer: &Freelancer{Retract: "xml"}},
	} {
		got, err := s.withDefaults()
		switch {
		case want == "" && (err != nil || got.Freelancer.Currency != "USD"):
			t.Errorf("%+v, %v", got, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%v, want %s", err, want)
		}
	}
	if FreelancerID("501") != "501" || !plainNumber.MatchString(FreelancerID("alice")) || FreelancerID("alice") == FreelancerID("bob") {
		t.Error("an account is its number, or has one")
	}
}
