package harness

import (
	"os/exec"
	"syscall"
)

// DieWithParent ends the process when the test's ends, however that happens.
func DieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
