// Package client holds the generated clients of onebid's kinds, for programs that use client-go and not pkg/scanner:
//
//   - clientset/versioned: Get, List, Watch, Create, Update, Patch, Apply, Delete of Bids, Postings and Marketplaces, and
//     a fake of it that keeps objects in memory (and so knows no admission: a second Bid of a posting under another name
//     passes there and nowhere else);
//   - listers and informers/externalversions: caches that follow the API server by watching;
//   - applyconfiguration: objects with only the fields that one owner means to set, for server-side apply.
//
// `make generate` writes everything in the folders below. The name of a Bid or a Posting comes from v1alpha1.Key.
package client
