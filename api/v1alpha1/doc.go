// Package v1alpha1 holds the API of onebid: Marketplace, Posting and Bid.
//
// One posting on one marketplace has one legal name (see Key), so that the API
// server itself refuses a second Posting or Bid for it.
//
// +kubebuilder:object:generate=true
// +groupName=onebid.dev
package v1alpha1
