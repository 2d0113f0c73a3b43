package v1alpha1

// CELExpression is a CEL expression of bounded size and cost. Each field documents its variables.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=4096
type CELExpression string

// HTTPParameter is one query parameter or header with a computed value.
type HTTPParameter struct {
	// name of the parameter, sent exactly as written here.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Name string `json:"name,omitempty"`

	// value is an expression of type string; "" omits the parameter.
	// +required
	Value CELExpression `json:"value,omitempty"`
}

// HTTPEncoding is the encoding of a request's body.
// +kubebuilder:validation:Enum=JSON;Form
type HTTPEncoding string

const (
	// EncodingJSON sends the body as application/json.
	EncodingJSON HTTPEncoding = "JSON"
	// EncodingForm sends the body, a map of strings, as application/x-www-form-urlencoded.
	EncodingForm HTTPEncoding = "Form"
)

// HTTPMethod of a request.
// +kubebuilder:validation:Enum=GET;POST;PUT;PATCH;DELETE
type HTTPMethod string

// HTTPRequest describes one request. Its expressions see
//
//   - bid: {postingID, amount, currency, deliveryDays, proposal, attributes} when placing, {postingID} in a lookup;
//     amount is the exact decimal as a string, deliveryDays is 0 when not set;
//   - idempotencyKey: string, when placing;
//   - remote: {id, postingID}, when getting or withdrawing;
//   - reason: string, when withdrawing;
//   - next: a map of strings, the result of the list's next for this page, empty for the first page; when listing;
//   - account: string, the account's ID, when the driver's account is set; the driver requests it once;
//   - secret: a map of the credentials Secret's keys, only in headers and query values; a trailing line break of a value
//     is removed;
//   - accessToken, with auth.oauth2, and signature and now, with auth.hmac: computed when the request is sent; only in
//     headers;
//
// and, besides CEL's own functions with optional values, these functions:
//
//   - pathEscape(string), queryEscape(string): the string as one segment of a path, as one part of a query;
//   - number(string): a JSON number with exactly this spelling, for a body: number(bid.amount) sends 12.50 as 12.50;
//   - scale(string, int): the decimal with its point moved that many digits to the right, exactly: scale(bid.amount, 2)
//     gives cents;
//   - queryOf(string): the query parameters of a URL as a map of strings; empty for "", an error for a URL without any;
//   - linkNext(response.headers): the address of the next page in the header Link (RFC 8288), "" when there is none;
//   - sha256(string): its SHA-256 as lower-case hexadecimal digits, for a signature's payload;
//   - base64.encode(bytes), base64.decode(string), string.lowerAscii(), string.trim(), string.split(separator).
//
// In replies a whole JSON number of up to 64 bits is an int, or a uint above the largest int. Any other number is a string
// in the marketplace's spelling, so that no digit is lost: string(x) reads both, double(x) is for arithmetic.
//
// +kubebuilder:validation:XValidation:rule="self.method != 'GET' || !has(self.body)",fieldPath=".body",message="must be left out: a GET has no body"
type HTTPRequest struct {
	// method is GET, POST, PUT, PATCH or DELETE.
	// +required
	Method HTTPMethod `json:"method,omitempty"`

	// path is an expression of type string that begins with a slash. It is appended to baseURL. Escape variable parts:
	// '/bids/' + pathEscape(remote.id). Query parameters go into query.
	// +required
	Path CELExpression `json:"path,omitempty"`

	// query parameters.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Query []HTTPParameter `json:"query,omitempty"`

	// headers of this request. They replace headers of the driver with the same name.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Headers []HTTPParameter `json:"headers,omitempty"`

	// body is an expression that gives the body as a map. A GET has none.
	// +optional
	Body CELExpression `json:"body,omitempty"`

	// encoding of the body: JSON or Form. Defaults to JSON.
	// +optional
	// +default="JSON"
	Encoding HTTPEncoding `json:"encoding,omitempty"`
}

// HTTPBidMapping reads one bid from a reply. Its expressions see item, the JSON value that describes the bid, and
// response {status, headers, body}: names of headers are in lower case, body is the JSON value, or {} when there is none.
// A whole number is accepted wherever a string is expected. A reply whose id, postingID or state cannot be read counts as
// unreadable.
type HTTPBidMapping struct {
	// id is the marketplace's ID of the bid, as a string.
	// +required
	ID CELExpression `json:"id,omitempty"`

	// postingID is the ID of the bid's posting, as a string. In replies to place and lookup it must equal that of the Bid,
	// or the reply counts as unreadable. Without postingID the reply is trusted.
	// +optional
	PostingID CELExpression `json:"postingID,omitempty"`

	// state is the marketplace's word for the bid's state, as a string. The driver's states translate it.
	// +required
	State CELExpression `json:"state,omitempty"`

	// idempotencyKey is the key that the marketplace stored with the bid, as a string; "" or missing when it stored none.
	// In a reply to place it must be the key that was sent, or the reply counts as unreadable. Omit it when the marketplace
	// does not return keys: with it, a bid without our key is never taken for ours.
	// +optional
	IdempotencyKey CELExpression `json:"idempotencyKey,omitempty"`

	// url of the bid's web page, as a string.
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
// +kubebuilder:validation:XValidation:rule="self.request.method != 'GET'",fieldPath=".request.method",message="must be POST, PUT, PATCH or DELETE: clients and proxies may repeat a GET"
type HTTPPlace struct {
	// request to send. It is sent once per attempt.
	// +required
	Request HTTPRequest `json:"request,omitempty,omitzero"`

	// item is an expression over response that gives the JSON value that describes the bid. Defaults to response.body.
	// +optional
	Item CELExpression `json:"item,omitempty"`
}

// HTTPBidList reads all pages of a list of bids.
type HTTPBidList struct {
	// request for the first page; together with next, for every page.
	// +required
	Request HTTPRequest `json:"request,omitempty,omitzero"`

	// items is an expression that gives the list of bids on this page. It sees response, and in a lookup bid {postingID},
	// to filter when the marketplace cannot.
	// +required
	Items CELExpression `json:"items,omitempty"`

	// next is an expression over response and page (int, the number of this page, from 1). It gives the query parameters of
	// the next page as a map of strings, or an empty map after the last page. They replace parameters of the same name.
	// Requests other than GET see them as next instead. Defaults to a single page.
	// +optional
	Next CELExpression `json:"next,omitempty"`

	// variants reads the list once for each entry, in this order, and joins the results: for marketplaces that filter by one
	// state at a time. Order the states as a bid goes through them.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Variants []HTTPListVariant `json:"variants,omitempty"`
}

// HTTPListVariant is one reading of a list.
type HTTPListVariant struct {
	// query parameters of this reading, in addition to the request's.
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

	// item is an expression over response that gives the JSON value that describes the bid. Defaults to response.body.
	// +optional
	Item CELExpression `json:"item,omitempty"`
}

// HTTPWithdraw withdraws a bid by its ID.
//
// +kubebuilder:validation:XValidation:rule="self.request.method != 'GET'",fieldPath=".request.method",message="must be POST, PUT, PATCH or DELETE: clients and proxies may repeat a GET"
type HTTPWithdraw struct {
	// request to send.
	// +required
	Request HTTPRequest `json:"request,omitempty,omitzero"`
}

// HTTPAccount reads the ID of the account.
type HTTPAccount struct {
	// request to send.
	// +required
	Request HTTPRequest `json:"request,omitempty,omitzero"`

	// accountID is an expression over response that gives the account's ID as a string.
	// +required
	AccountID CELExpression `json:"accountID,omitempty"`
}

// RemoteState is the meaning of a marketplace's word for a bid's state.
// +kubebuilder:validation:Enum=Live;AwardPending;Won;Lost;Withdrawn;Rejected;Expired;Unknown
type RemoteState string

const (
	// RemoteLive means open: the posting's owner can accept the bid at any time.
	RemoteLive RemoteState = "Live"
	// RemoteAwardPending means chosen, and the marketplace waits for our confirmation; the bid cannot be withdrawn.
	RemoteAwardPending RemoteState = "AwardPending"
	// RemoteWon means that this bid was chosen.
	RemoteWon RemoteState = "Won"
	// RemoteLost means that another bid was chosen.
	RemoteLost RemoteState = "Lost"
	// RemoteWithdrawn means withdrawn.
	RemoteWithdrawn RemoteState = "Withdrawn"
	// RemoteRejected means refused by the posting's owner.
	RemoteRejected RemoteState = "Rejected"
	// RemoteExpired means lapsed.
	RemoteExpired RemoteState = "Expired"
	// RemoteUnknown means that the word is not known; it counts neither as open nor as ended.
	RemoteUnknown RemoteState = "Unknown"
)

// HTTPStateRule translates one word of the marketplace.
type HTTPStateRule struct {
	// word in the marketplace's spelling.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Word string `json:"word,omitempty"`

	// state that the word means.
	// +required
	State RemoteState `json:"state,omitempty"`
}

// ErrorClass is the meaning of a marketplace's error reply.
// +kubebuilder:validation:Enum=Transient;UnknownOutcome;RateLimited;QuotaExhausted;Auth;Forbidden;Invalid;PostingClosed;AlreadyExists;NotFound;AlreadyWithdrawn;NotWithdrawable
type ErrorClass string

const (
	// ErrorTransient: the call had no effect; it is retried with backoff.
	ErrorTransient ErrorClass = "Transient"
	// ErrorUnknownOutcome: the call may have taken effect; it is looked up before anything is sent again.
	ErrorUnknownOutcome ErrorClass = "UnknownOutcome"
	// ErrorRateLimited: the call had no effect; all calls of the account pause for as long as the marketplace asks.
	ErrorRateLimited ErrorClass = "RateLimited"
	// ErrorQuotaExhausted: the call had no effect, because the account has no bids left. Placing pauses for the account; one
	// Bid tries again after half an hour, or when the marketplace says.
	ErrorQuotaExhausted ErrorClass = "QuotaExhausted"
	// ErrorAuth: the marketplace does not accept the credentials. All calls of the account pause for 30 seconds, or until the
	// Secret changes.
	ErrorAuth ErrorClass = "Auth"
	// ErrorForbidden: a permanent refusal of this bid.
	ErrorForbidden ErrorClass = "Forbidden"
	// ErrorInvalid: a permanent refusal of this bid, because of its contents.
	ErrorInvalid ErrorClass = "Invalid"
	// ErrorPostingClosed: the marketplace takes no bids on the posting.
	ErrorPostingClosed ErrorClass = "PostingClosed"
	// ErrorAlreadyExists: the account has a bid on the posting. It is looked up, and adopted if it is ours; else the Bid is a
	// Duplicate.
	ErrorAlreadyExists ErrorClass = "AlreadyExists"
	// ErrorNotFound: the bid or posting does not exist.
	ErrorNotFound ErrorClass = "NotFound"
	// ErrorAlreadyWithdrawn: the bid is not open any more; success once that was read back.
	ErrorAlreadyWithdrawn ErrorClass = "AlreadyWithdrawn"
	// ErrorNotWithdrawable: the bid cannot be withdrawn, for example because it was awarded; a person must decide.
	ErrorNotWithdrawable ErrorClass = "NotWithdrawable"
)

// HTTPErrorRule recognises one error reply. Rules are tried in order, and the first match counts. After them, the built-in
// rules by status apply: 401 Auth, 403 Forbidden, 404 and 410 NotFound, 429 RateLimited, 400 and 422 Invalid, 409
// AlreadyExists when placing and NotWithdrawable when withdrawing; any other error reply to a place or withdraw is
// UnknownOutcome, to a read Transient. A 3xx or 5xx reply to a place or withdraw is always UnknownOutcome, whatever the rules
// say.
type HTTPErrorRule struct {
	// when is an expression of type bool over response {status, headers, body} and operation ("place", "lookup",
	// "list", "get", "withdraw", "account"). A rule may match a 2xx reply, for marketplaces that report errors
	// with such a status. A rule that reads a field which the reply lacks does not match.
	// +required
	When CELExpression `json:"when,omitempty"`

	// class of the reply.
	// +required
	Class ErrorClass `json:"class,omitempty"`
}

// HTTPDriver describes a marketplace's HTTP API in expressions, instead of code.
type HTTPDriver struct {
	// baseURL is the beginning of every request's URL: https, or http where the manager's flags allow private addresses.
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

	// auth describes credentials that expire or differ per request: an access token, or a signature.
	// +optional
	Auth *HTTPAuth `json:"auth,omitempty"`

	// idempotencyHeader is the name of the header that carries the idempotency key of each place call, such as
	// "Idempotency-Key".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	IdempotencyHeader string `json:"idempotencyHeader,omitempty"`

	// account reads the ID of the account. It proves the credentials before the Marketplace becomes Ready, and before an
	// empty lookup counts as proof of absence.
	// +optional
	Account *HTTPAccount `json:"account,omitempty"`

	// place places a bid.
	// +required
	Place HTTPPlace `json:"place,omitempty,omitzero"`

	// lookup lists our bids on one posting, including ended ones if the marketplace shows them.
	// +required
	Lookup HTTPBidList `json:"lookup,omitempty,omitzero"`

	// list lists all our open bids.
	// +optional
	List *HTTPBidList `json:"list,omitempty"`

	// get reads one bid by its ID. Without it, the bid is looked up by its posting.
	// +optional
	Get *HTTPGet `json:"get,omitempty"`

	// withdraw withdraws one bid by its ID. Without it, bids cannot be withdrawn. A 2xx reply that no rule classifies as an
	// error accepts the withdrawal; the bid is read back afterwards.
	// +optional
	Withdraw *HTTPWithdraw `json:"withdraw,omitempty"`

	// bid reads one bid from a reply.
	// +required
	Bid HTTPBidMapping `json:"bid,omitempty,omitzero"`

	// states translates the marketplace's words for states; a word that is not listed means Unknown.
	// +required
	// +listType=map
	// +listMapKey=word
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	States []HTTPStateRule `json:"states,omitempty"`

	// errors recognises error replies, in order.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Errors []HTTPErrorRule `json:"errors,omitempty"`
}
