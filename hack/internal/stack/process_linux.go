package stack

import "syscall"

// childAttributes give the child a process group of its own, and have the kernel kill it when its parent dies, even by
// SIGKILL.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
