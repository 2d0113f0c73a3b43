package v1alpha1

// PreviewHeader is one header of a request that was not sent.
type PreviewHeader struct {
	// name of the header.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Name string `json:"name,omitempty"`

	// value of the header; REDACTED when it holds a credential.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Value *string `json:"value,omitempty"`
}

// BidPreview is the request that would place the bid. Placeholders replace credentials and the proposal, and long values are cut.
type BidPreview struct {
	// method of the request.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16
	Method string `json:"method,omitempty"`

	// url of the request, with its query.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	URL string `json:"url,omitempty"`

	// headers of the request: the first 32, sorted by name.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Headers []PreviewHeader `json:"headers,omitempty"`

	// body of the request, cut to 4 KiB.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Body string `json:"body,omitempty"`
}
