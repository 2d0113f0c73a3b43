package v1alpha1

// CELExpression is a CEL expression of bounded size and cost. Which variables it sees is said at each field.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=4096
type CELExpression string

// HTTPParameter is one query parameter or header whose value is computed.
type HTTPParameter struct {
	// name of the parameter, sent as it is written here.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Name string `json:"name,omitempty"`

	// value is an expression of type string; "" leaves the parameter out.
	// +required
	Value CELExpression `json:"value,omitempty"`
}

// HTTPEncoding is how a request's body is written.
// +kubebuilder:validation:Enum=JSON;Form
type HTTPEncoding string

const (
	// EncodingJSON writes the body as application/json.
	EncodingJSON HTTPEncoding = "JSON"
	// EncodingForm writes the body, a map of strings, as application/x-www-form-urlencoded.
	EncodingForm HTTPEncoding = "Form"
)

// HTTPMethod of a request.
// +kubebuilder:validation:Enum=GET;POST;PUT;PATCH;DELETE
type HTTPMethod string

// HTTPRequest says how to build one request. Its expressions see
//
//   - bid: {postingID, amount, currency, deliveryDays, proposal, attributes} when placing, {postingID} in a look-up;
//     amount is the exact decimal as a string, deliveryDays is 0 when not given;
//   - idempotencyKey: string, when placing;
//   - remote: {id, postingID}, when getting or withdrawing;
//   - reason: string, when withdrawing;
//   - next: a map of strings, what the list's next gave for this page, empty on the first one; when listing;
//   - account: string, the account's ID, where the driver has account; the driver asks for it once;
//   - secret: a map of the credentials Secret's keys, only in headers and query values; a line break at the end of a
//     value is cut off;
//   - accessToken, with auth.oauth2, and signature and now, with auth.hmac: what the moment of sending gives; only in
//     headers;
//
// and, beside those of CEL with optional values, the functions
//
//   - pathEscape(string), queryEscape(string): the string as one segment of a path, as one part of a query;
//   - number(string): a JSON number spelled exactly so, for a body: number(bid.amount) sends 12.50 as 12.50;
//   - scale(string, int): the decimal with its point moved so many digits to the right, exactly: scale(bid.amount, 2) for
//     cents;
//   - queryOf(string): the query parameters of a URL as a map of strings; of "" none, and a URL without any is an error;
//   - linkNext(response.headers): the address of the next page in the header Link (RFC 8288), "" when there is none;
//   - sha256(string): its SHA-256 as lower-case hexadecimal digits, for a signature's payload;
//   - base64.encode(bytes), base64.decode(string), string.lowerAscii(), string.trim(), string.split(separator).
//
// In replies a whole JSON number up to 64 bits is an int, or a uint above the largest int; any other number is a string
// spelled as the marketplace spelled it, so that nothing is lost: string(x) reads both, double(x) calculates.
//
// +kubebuilder:validation:XValidation:rule="self.method != 'GET' || !has(self.body)",fieldPath=".body",message="must be left out: a GET has no body"
type HTTPRequest struct {
	// method is GET, POST, PUT, PATCH or DELETE.
	// +required
	Method HTTPMethod `json:"method,omitempty"`

	// path is an expression of type string that begins with a slash, appended to baseURL. Escape what comes from
	// outside: '/bids/' + pathEscape(remote.id). A query belongs into query.
	// +required
	Path CELExpression `json:"path,omitempty"`

	// query parameters.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Query []HTTPParameter `json:"query,omitempty"`

	// headers of this request; they replace the driver's of the same name.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Headers []HTTPParameter `json:"headers,omitempty"`

	// body is an expression that gives the body as a map; none for a GET.
	// +optional
	Body CELExpression `json:"body,omitempty"`

	// encoding of the body: JSON or Form. Defaults to JSON.
	// +optional
	// +default="JSON"
	Encoding HTTPEncoding `json:"encoding,omitempty"`
}

// HTTPBidMapping reads one bid out of a reply. Its expressions see item, the JSON value that describes the bid, and
// response {status, headers, body}: the names of headers are in lower case, body is the JSON value and {} when there is
// none. Where a string is asked for, a whole number is as good. A reply out of which id, postingID or state cannot be
// read is unreadable.
type HTTPBidMapping struct {
	// id is the marketplace's ID of the bid, as a string.
	// +required
	ID CELExpression `json:"id,omitempty"`

	// postingID that the bid is on, as a string. In a reply to place and in a look-up it must equal ours, or the reply
	// counts as unreadable. Without it the reply is trusted.
	// +optional
	PostingID CELExpression `json:"postingID,omitempty"`

	// state is the marketplace's word for the bid's state, as a string; it is translated by the driver's states.
	// +required
	State CELExpression `json:"state,omitempty"`

	// idempotencyKey that the marketplace stored with the bid, as a string; "" or missing when it stored none. In a
	// reply to place it must be ours, or the reply counts as unreadable. Leave it out where the marketplace does not
	// give the key back: with it, a bid without our key is somebody else's.
	// +optional
	IdempotencyKey CELExpression `json:"idempotencyKey,omitempty"`

	// url shows the bid in a browser, as a string.
	// +optional
	URL CELExpression `json:"url,omitempty"`

	// placedAt is when the bid was placed, as an RFC 3339 string.
	// +optional
	PlacedAt CELExpression `json:"placedAt,omitempty"`

	// amount of the bid's price, as a decimal string.
	// +optional
	Amount CELExpression `json:"amount,omitempty"`

	// currency of the bid's price, as a string.
	// +optional
	Currency CELExpression `json:"currency,omitempty"`
}

// HTTPPlace places a bid.
//
// +kubebuilder:validation:XValidation:rule="self.request.method != 'GET'",fieldPath=".request.method",message="must be POST, PUT, PATCH or DELETE: a GET may be repeated by anybody on the way"
type HTTPPlace struct {
	// request to send, once.
	// +required
	Request HTTPRequest `json:"request,omitempty,omitzero"`

	// item is an expression over response that gives the JSON value describing the bid. Defaults to response.body.
	// +optional
	Item CELExpression `json:"item,omitempty"`
}

// HTTPBidList reads a list of bids, every page of it.
type HTTPBidList struct {
	// request for the first page, and with next for the others.
	// +required
	Request HTTPRequest `json:"request,omitempty,omitzero"`

	// items is an expression that gives the list of bids on this page. It sees response, and in a look-up bid
	// {postingID}, to filter by where the marketplace cannot.
	// +required
	Items CELExpression `json:"items,omitempty"`

	// next is an expression over response and page (int, the number of this page, from 1) that gives the query
	// parameters of the next page as a map of strings, which replace those of the same name; an empty map after the
	// last page. Requests other than GET get them as next instead. Without it there is one page.
	// +optional
	Next CELExpression `json:"next,omitempty"`

	// variants reads the list once for each entry, in this order, and joins the results: for marketplaces that filter
	// by one state at a time. Put the state that a bid has first before the states that follow it.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Variants []HTTPListVariant `json:"variants,omitempty"`
}

// HTTPListVariant is one of several readings of a list.
type HTTPListVariant struct {
	// query parameters of this reading, beside the request's.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Query []HTTPParameter `json:"query,omitempty"`
}

// HTTPGet reads one bid by its ID.
type HTTPGet struct {
	// request to send.
	// +required
	Request HTTPRequest `json:"request,omitempty,omitzero"`

	// item is an expression over response that gives the JSON value describing the bid. Defaults to response.body.
	// +optional
	Item CELExpression `json:"item,omitempty"`
}

// HTTPWithdraw takes a bid back by its ID.
//
// +kubebuilder:validation:XValidation:rule="self.request.method != 'GET'",fieldPath=".request.method",message="must be POST, PUT, PATCH or DELETE: a GET may be repeated by anybody on the way"
type HTTPWithdraw struct {
	// request to send.
	// +required
	Request HTTPRequest `json:"request,omitempty,omitzero"`
}

// HTTPAccount asks who we are.
type HTTPAccount struct {
	// request to send.
	// +required
	Request HTTPRequest `json:"request,omitempty,omitzero"`

	// accountID is an expression over response that gives the account's ID as a string.
	// +required
	AccountID CELExpression `json:"accountID,omitempty"`
}

// RemoteState is what a marketplace's own word for a bid's state means to us.
// +kubebuilder:validation:Enum=Live;AwardPending;Won;Lost;Withdrawn;Rejected;Expired;Unknown
type RemoteState string

const (
	// RemoteLive can be accepted by the posting's owner at any time.
	RemoteLive RemoteState = "Live"
	// RemoteAwardPending was chosen and waits for our answer; it cannot be withdrawn.
	RemoteAwardPending RemoteState = "AwardPending"
	// RemoteWon was chosen.
	RemoteWon RemoteState = "Won"
	// RemoteLost means that somebody else was chosen.
	RemoteLost RemoteState = "Lost"
	// RemoteWithdrawn was taken back.
	RemoteWithdrawn RemoteState = "Withdrawn"
	// RemoteRejected was refused by the posting's owner.
	RemoteRejected RemoteState = "Rejected"
	// RemoteExpired lapsed.
	RemoteExpired RemoteState = "Expired"
	// RemoteUnknown is a word that we do not know; never taken for live, nor for ended.
	RemoteUnknown RemoteState = "Unknown"
)

// HTTPStateRule translates one of the marketplace's words.
type HTTPStateRule struct {
	// word as the marketplace spells it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Word string `json:"word,omitempty"`

	// state that it means.
	// +required
	State RemoteState `json:"state,omitempty"`
}

// ErrorClass is what a marketplace's refusal means to the controller.
// +kubebuilder:validation:Enum=Transient;UnknownOutcome;RateLimited;QuotaExhausted;Auth;Forbidden;Invalid;PostingClosed;AlreadyExists;NotFound;AlreadyWithdrawn;NotWithdrawable
type ErrorClass string

const (
	// ErrorTransient had no effect and may pass: backoff.
	ErrorTransient ErrorClass = "Transient"
	// ErrorUnknownOutcome may have had the effect: look up, never resend blindly.
	ErrorUnknownOutcome ErrorClass = "UnknownOutcome"
	// ErrorRateLimited had no effect: wait as long as the marketplace says; shared by the account.
	ErrorRateLimited ErrorClass = "RateLimited"
	// ErrorQuotaExhausted had no effect: the account's bids are used up. All its bids wait, and one in half an hour, or when
	// the marketplace says, tries again.
	ErrorQuotaExhausted ErrorClass = "QuotaExhausted"
	// ErrorAuth means that the credentials are not accepted: stop the account until the Secret changes.
	ErrorAuth ErrorClass = "Auth"
	// ErrorForbidden is permanent for this bid.
	ErrorForbidden ErrorClass = "Forbidden"
	// ErrorInvalid is permanent for this bid: the marketplace does not accept its contents.
	ErrorInvalid ErrorClass = "Invalid"
	// ErrorPostingClosed means that the posting takes no bids any more.
	ErrorPostingClosed ErrorClass = "PostingClosed"
	// ErrorAlreadyExists means that the account has a bid there: look up, adopt if ours, else Duplicate.
	ErrorAlreadyExists ErrorClass = "AlreadyExists"
	// ErrorNotFound means that the named bid or posting is not there.
	ErrorNotFound ErrorClass = "NotFound"
	// ErrorAlreadyWithdrawn means that there is nothing left to withdraw: success, once read back.
	ErrorAlreadyWithdrawn ErrorClass = "AlreadyWithdrawn"
	// ErrorNotWithdrawable means that the bid was awarded: a person decides.
	ErrorNotWithdrawable ErrorClass = "NotWithdrawable"
)

// HTTPErrorRule recognises one refusal. Rules are tried in order, the first match counts; after them the built-in ones
// by status: 401 Auth, 403 Forbidden, 404 and 410 NotFound, 429 RateLimited, 400 and 422 Invalid, 409 AlreadyExists when
// placing and NotWithdrawable when withdrawing; any other answer to a place or withdraw is UnknownOutcome, to a read
// Transient. No rule makes a refusal of a 3xx or 5xx answer to a place or withdraw: it is UnknownOutcome whatever it
// says.
type HTTPErrorRule struct {
	// when is an expression of type bool over response {status, headers, body} and operation ("place", "lookup",
	// "list", "get", "withdraw", "account"). A rule may match a 2xx too, where a marketplace reports errors so. A rule
	// that asks for a field which the reply does not have does not match.
	// +required
	When CELExpression `json:"when,omitempty"`

	// class that the answer belongs to.
	// +required
	Class ErrorClass `json:"class,omitempty"`
}

// HTTPDriver describes a marketplace's API, so that no code is needed for it.
type HTTPDriver struct {
	// baseURL begins every request's URL: https, or http where the manager's flags allow private addresses. A Bid never
	// carries a URL.
	// +required
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches(r'^https?://[^/?#@\\s]+(/[^?#\\s]*)?$')",message="must be http:// or https://, a host and an optional path: no user, query or fragment"
	BaseURL string `json:"baseURL,omitempty"`

	// headers of every request. Credentials go here: {name: Authorization, value: "'Bearer ' + secret.token"}.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Headers []HTTPParameter `json:"headers,omitempty"`

	// auth are credentials that change: an access token that is renewed, or a signature of each request.
	// +optional
	Auth *HTTPAuth `json:"auth,omitempty"`

	// idempotencyHeader carries the idempotency key with each place, such as "Idempotency-Key".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	IdempotencyHeader string `json:"idempotencyHeader,omitempty"`

	// account asks who we are; it proves the credentials when the Marketplace becomes Ready and before a look-up's
	// "not there" is believed.
	// +optional
	Account *HTTPAccount `json:"account,omitempty"`

	// place puts a bid on a posting.
	// +required
	Place HTTPPlace `json:"place,omitempty,omitzero"`

	// lookup lists our bids on one posting, ended ones too where the marketplace shows them.
	// +required
	Lookup HTTPBidList `json:"lookup,omitempty,omitzero"`

	// list lists all our live bids.
	// +optional
	List *HTTPBidList `json:"list,omitempty"`

	// get reads one bid by its ID. Without it the bid is looked up by its posting.
	// +optional
	Get *HTTPGet `json:"get,omitempty"`

	// withdraw takes one bid back by its ID. Without it bids there cannot be withdrawn. Any 2xx that no rule takes for
	// an error accepts the withdrawal; the bid is read back afterwards.
	// +optional
	Withdraw *HTTPWithdraw `json:"withdraw,omitempty"`

	// bid reads one bid out of a reply.
	// +required
	Bid HTTPBidMapping `json:"bid,omitempty,omitzero"`

	// states translates the marketplace's words; a word that is not listed is Unknown.
	// +required
	// +listType=map
	// +listMapKey=word
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	States []HTTPStateRule `json:"states,omitempty"`

	// errors recognises refusals, in order.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Errors []HTTPErrorRule `json:"errors,omitempty"`
}
