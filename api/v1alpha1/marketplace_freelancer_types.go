package v1alpha1

// FreelancerEnvironment is one of Freelancer.com's two sites.
// +kubebuilder:validation:Enum=Sandbox;Production
type FreelancerEnvironment string

const (
	// FreelancerSandbox is www.freelancer-sandbox.com, where nothing is real.
	FreelancerSandbox FreelancerEnvironment = "Sandbox"
	// FreelancerProduction is www.freelancer.com. A person must approve each Bid.
	FreelancerProduction FreelancerEnvironment = "Production"
)

// FreelancerDriver uses the API of Freelancer.com. A Bid's postingID is the project's ID, a number; its price is in the
// project's currency, which the driver checks before it places; deliveryDays, at least 1, is the period in days. The
// Secret of credentialsSecretRef must have the key token, an OAuth token with the scope fln:project_manage.
// +kubebuilder:validation:XValidation:rule="!has(self.baseURL) || !has(self.environment) || self.environment == 'Sandbox'",fieldPath=".baseURL",message="must be left out with environment Production, whose address is fixed"
type FreelancerDriver struct {
	// environment is Sandbox or Production. It is immutable, because one site does
	// not know the bids of the other. The site's terms prohibit unattended bidding,
	// so Production needs approval Manual. Defaults to Sandbox.
	// +optional
	// +default="Sandbox"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="must not change: bids of one site would be looked for at the other; create another Marketplace"
	Environment FreelancerEnvironment `json:"environment,omitempty"`

	// baseURL replaces the sandbox's address, for a simulator: https, or
	// http where the manager's flags allow private addresses. The API is at
	// baseURL + /api. It must not be a host of Freelancer.com.
	// +optional
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches(r'^https?://[^/?#@\\s]+(/[^?#\\s]*)?$')",message="must be http:// or https://, a host and an optional path: no user, query or fragment"
	// +kubebuilder:validation:XValidation:rule="!self.lowerAscii().matches(r'^https?://([^/]*[.])?freelancer[.]')",message="must not be Freelancer.com: for the real site leave it out and set environment to Production"
	BaseURL string `json:"baseURL,omitempty"`

	// milestonePercentage is the share of the price that is due at the first
	// milestone, in percent. Defaults to 50.
	// +optional
	// +default=50
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	MilestonePercentage *int32 `json:"milestonePercentage,omitempty"`

	// profileID is the ID of the profile to bid with, for accounts with several.
	// Defaults to the account's general profile.
	// +optional
	// +kubebuilder:validation:Minimum=1
	ProfileID int64 `json:"profileID,omitempty"`
}
