// Package freelancer speaks the API of Freelancer.com, of which one account may have one bid on a project.
//
// What the site does was read from its SDKs (freelancer-sdk-python, freelancer-sdk-android), from its help pages and from
// programs of others; docs/marketplaces.md says which of it is known weakly. Where sources disagree, or say nothing, the
// driver asks the site again instead of believing one of them.
package freelancer
