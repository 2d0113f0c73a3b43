//go:build unix && !linux

package process

import "syscall"

// Nothing ends the child here when its parent is killed.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
