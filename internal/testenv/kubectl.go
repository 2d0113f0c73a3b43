package testenv

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// Kubectl runs the control plane's kubectl as the administrator and returns what it printed. The error holds what it
// complained about.
func (e *Environment) Kubectl(ctx context.Context, args ...string) (string, error) {
	return e.admin.Kubectl(ctx, args...)
}

// Kubectl runs kubectl as this user and returns what it printed. The error holds what it complained about.
func (u *User) Kubectl(ctx context.Context, args ...string) (string, error) {
	return u.KubectlInput(ctx, "", args...)
}

// KubectlInput is Kubectl with something on standard input, for `apply -f -`.
func (u *User) KubectlInput(ctx context.Context, input string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, u.env.KubectlPath(),
		append([]string{"--kubeconfig", u.Kubeconfig, "--cache-dir", u.env.dir + "/cache"}, args...)...)
	cmd.Dir = u.env.Root
	cmd.Stdin = strings.NewReader(input)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

// KubectlPath is the control plane's kubectl.
func (e *Environment) KubectlPath() string { return filepath.Join(e.assets, "kubectl") }
