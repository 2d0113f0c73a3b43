package harness

import (
	"os/exec"
	"syscall"
)

// dieWithParent ends the process when the test's ends, however that happens.
func dieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
