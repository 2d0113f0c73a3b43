package marketplace

import (
	"fmt"
	"unicode/utf8"
)

// Redacted stands in a Preview where a request has what was computed from a credential.
const Redacted = "REDACTED"

// Preview is the request that a Place would send, for people to read. Credentials and the proposal are not in it: there
// are stand-ins for them, so it cannot be sent.
type Preview struct {
	// Method and URL of the request, the query included.
	Method, URL string
	// Headers by their names. One that proves who we are has Redacted for a value.
	Headers map[string]string
	// Body as it would be sent; "" for none.
	Body string
}

// ForPreview is the request with a stand-in for the proposal, which tells its length. Whatever a driver makes of the
// request, the proposal is not in it then.
func (p PlaceRequest) ForPreview() PlaceRequest {
	if p.Proposal != "" {
		p.Proposal = fmt.Sprintf("[proposal of %d characters]", utf8.RuneCountInString(p.Proposal))
	}
	return p
}
