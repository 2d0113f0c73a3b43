// Package stack starts everything that onebid needs on one machine, as processes: a control plane, the marketplace
// simulator and managers that log in as the ServiceAccount of config/default. The demo and `make dev` are built on it.
//
// Whatever is started belongs to a [Group], which ends it by its process ID. On Linux the kernel ends it too when the
// starting process dies without a chance to clean up.
package stack
