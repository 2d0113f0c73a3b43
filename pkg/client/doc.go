// Package client holds the generated clients of onebid's kinds, for programs that use client-go and not pkg/scanner:
//
//   - clientset/versioned: Get, List, Watch, Create, Update, Patch, Apply, Delete of Bids, Postings and Marketplaces;
//   - listers and informers/externalversions: caches that follow the API server by watching;
//   - applyconfiguration: objects with only the fields that one owner means to set, for server-side apply.
//
// There is no fake: what keeps bids unique is the API server. Test against a real one, as envtest starts it.
//
// `make generate` writes everything in the folders below. The name of a Bid or a Posting comes from v1alpha1.Key.
package client
