// Package wire is what drivers share that speak HTTP: requests that nothing can replay, replies of bounded size, errors
// without secrets, and the one place that says what a reply means when a marketplace says nothing better.
package wire
