package v1alpha1

// HTTPAuth describes credentials that expire or that differ per request. Exactly one field is set. Credentials that do not
// change need no auth: they go into headers and query values.
//
// +kubebuilder:validation:ExactlyOneOf=oauth2;hmac
type HTTPAuth struct {
	// oauth2 fetches an access token and renews it.
	// +optional
	OAuth2 *HTTPOAuth2 `json:"oauth2,omitempty"`

	// hmac signs each request.
	// +optional
	HMAC *HTTPHMAC `json:"hmac,omitempty"`
}

// OAuth2Grant is the grant type of a token request.
// +kubebuilder:validation:Enum=ClientCredentials;RefreshToken
type OAuth2Grant string

const (
	// GrantClient uses the client's ID and secret.
	GrantClient OAuth2Grant = "ClientCredentials"
	// GrantRefreshToken uses a refresh token that a person's consent created.
	GrantRefreshToken OAuth2Grant = "RefreshToken"
)

// ClientAuthentication is where the token request carries the client's ID and secret.
// +kubebuilder:validation:Enum=Basic;Body
type ClientAuthentication string

const (
	// ClientAuthenticationBasic sends them as basic credentials in the header Authorization.
	ClientAuthenticationBasic ClientAuthentication = "Basic"
	// ClientAuthenticationBody sends them in the form, as client_id and client_secret.
	ClientAuthenticationBody ClientAuthentication = "Body"
)

// OAuth2Scope is one scope of a token request.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=256
type OAuth2Scope string

// OAuth2Parameter is one additional parameter of a token request.
type OAuth2Parameter struct {
	// name of the parameter, such as audience.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="!(self in ['grant_type', 'client_id', 'client_secret', 'scope', 'refresh_token'])",message="must not be grant_type, client_id, client_secret, scope or refresh_token, which have fields of their own"
	Name string `json:"name,omitempty"`

	// value of the parameter.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Value string `json:"value,omitempty"`
}

// SecretKey names one entry of the credentials Secret.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
type SecretKey string

// HTTPOAuth2 fetches access tokens (RFC 6749). Headers see the token as accessToken; at least one must use it, such as
// {name: Authorization, value: "'Bearer ' + accessToken"}. Each replica keeps its own token, in memory only, and renews it
// before it expires. A read that is refused with the class Auth is sent once more with a new token; a place or withdraw
// never is.
//
// +kubebuilder:validation:XValidation:rule="self.grant != 'RefreshToken' || !has(self.scopes)",fieldPath=".scopes",message="must be left out with the grant RefreshToken: the scopes are those that were consented to"
// +kubebuilder:validation:XValidation:rule="self.grant != 'RefreshToken' || !has(self.parameters)",fieldPath=".parameters",message="must be left out with the grant RefreshToken, which sends none"
type HTTPOAuth2 struct {
	// tokenURL is the token endpoint: https, or http where the manager's flags allow private addresses.
	// +required
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches(r'^https?://[^/?#@\\s]+(/[^?#\\s]*)?$')",message="must be http:// or https://, a host and an optional path: no user, query or fragment"
	TokenURL string `json:"tokenURL,omitempty"`

	// grant is ClientCredentials or RefreshToken. A rotated refresh token is not written back to the Secret, so a marketplace
	// that rotates them works with one replica, and until its next start only. Defaults to ClientCredentials.
	// +optional
	// +default="ClientCredentials"
	Grant OAuth2Grant `json:"grant,omitempty"`

	// clientAuthentication is where the client's ID and secret are sent: Basic or Body. Defaults to Basic.
	// +optional
	// +default="Basic"
	ClientAuthentication ClientAuthentication `json:"clientAuthentication,omitempty"`

	// scopes to request with the grant ClientCredentials. Defaults to the marketplace's default scopes.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	Scopes []OAuth2Scope `json:"scopes,omitempty"`

	// parameters to add to the token request with the grant ClientCredentials, such as an audience. They must not be
	// secrets.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	Parameters []OAuth2Parameter `json:"parameters,omitempty"`

	// clientIDKey is the key of the Secret that holds the client's ID. Defaults to clientID.
	// +optional
	// +default="clientID"
	ClientIDKey SecretKey `json:"clientIDKey,omitempty"`

	// clientSecretKey is the key of the Secret that holds the client's secret. Defaults to clientSecret.
	// +optional
	// +default="clientSecret"
	ClientSecretKey SecretKey `json:"clientSecretKey,omitempty"`

	// refreshTokenKey is the key of the Secret that holds the refresh token, for the grant RefreshToken. Defaults to
	// refreshToken.
	// +optional
	// +default="refreshToken"
	RefreshTokenKey SecretKey `json:"refreshTokenKey,omitempty"`
}

// HMACAlgorithm is the hash function of a signature.
// +kubebuilder:validation:Enum=SHA256;SHA512
type HMACAlgorithm string

const (
	// HMACSHA256 is HMAC with SHA-256.
	HMACSHA256 HMACAlgorithm = "SHA256"
	// HMACSHA512 is HMAC with SHA-512.
	HMACSHA512 HMACAlgorithm = "SHA512"
)

// SignatureEncoding is the text encoding of a signature.
// +kubebuilder:validation:Enum=Hex;Base64
type SignatureEncoding string

const (
	// SignatureHex writes lower-case hexadecimal digits.
	SignatureHex SignatureEncoding = "Hex"
	// SignatureBase64 writes standard base64 with padding.
	SignatureBase64 SignatureEncoding = "Base64"
)

// HTTPHMAC signs each request with a shared key, just before it is sent. Headers see the signature as signature and the
// signed time as now; at least one must use signature.
type HTTPHMAC struct {
	// secretKey is the key of the Secret that holds the signing key. Defaults to signingKey.
	// +optional
	// +default="signingKey"
	SecretKey SecretKey `json:"secretKey,omitempty"`

	// algorithm is SHA256 or SHA512. Defaults to SHA256.
	// +optional
	// +default="SHA256"
	Algorithm HMACAlgorithm `json:"algorithm,omitempty"`

	// payload is an expression of type string that gives the signed text. It sees request {method, path, query, body}, each
	// a string exactly as sent: with the path of baseURL, path and query escaped, no question mark, body "" when there is
	// none; and now, the time of this request: string(int(now)) is in Unix seconds, string(now) is RFC 3339.
	// +required
	Payload CELExpression `json:"payload,omitempty"`

	// encoding of the signature: Hex or Base64. Defaults to Hex.
	// +optional
	// +default="Hex"
	Encoding SignatureEncoding `json:"encoding,omitempty"`
}
