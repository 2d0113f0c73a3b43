//go:build unix && !linux

package stack

import "syscall"

// childAttributes give the child a process group of its own. Here nothing ends it when its parent is killed by SIGKILL;
// every other end of the parent is taken care of by Group.Stop.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
