package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// moduleRoot is the folder of the go.mod that the working directory belongs to.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// environment hands the overlay to every go command, those too that a test starts.
func environment(overlay string) []string {
	if overlay == "" {
		return os.Environ()
	}
	return append(os.Environ(), "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -overlay="+overlay))
}

// binary is a package's tests, compiled.
type binary struct {
	path, folder string
	env          []string
	// flags that keep the package's tests from writing into the working tree.
	flags []string
}

// compile builds the tests of a package. The error has what the compiler said.
func (b *bench) compile(ctx context.Context, folder, overlay, dir string) (*binary, error) {
	out := &binary{
		path: filepath.Join(dir, strings.ReplaceAll(folder, "/", "-")+".test"), folder: filepath.Join(b.root, folder),
		env: environment(overlay), flags: b.flags[folder],
	}
	build := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-o", out.path, "./"+folder)
	build.Dir, build.Env = b.root, out.env
	if output, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("compile the tests of %s: %w\n%s", folder, err, output)
	}
	return out, nil
}

// rapidFlags are for tests with rapid: each run tries the same, and a failure is neither kept as a file beside the tests nor
// made smaller for long.
func rapidFlags(ctx context.Context, root, folder string) ([]string, error) {
	list := exec.CommandContext(ctx, "go", "list", "-f", `{{join .TestImports "\n"}}{{"\n"}}{{join .XTestImports "\n"}}`, "./"+folder)
	list.Dir = root
	imports, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("list the imports of %s: %w", folder, err)
	}
	if !strings.Contains(string(imports), "pgregory.net/rapid") {
		return nil, nil
	}
	return []string{"-rapid.nofailfile", "-rapid.seed=1", "-rapid.shrinktime=100ms"}, nil
}

// outcome of running some tests.
type outcome int

const (
	passed outcome = iota
	failed
	timedOut
	// crashed without a test that failed, or not run at all.
	crashed
)

var failure = regexp.MustCompile(`(?m)^--- FAIL: (\S+)`)

// test runs those tests of a binary that match, until the first one fails, which it names.
func (t *binary) test(ctx context.Context, run string, timeout time.Duration) (how outcome, name string, output []byte) {
	args := append([]string{"-test.run=" + run, "-test.v", "-test.failfast", "-test.timeout=" + timeout.String()}, t.flags...)
	cmd := exec.CommandContext(ctx, t.path, args...)
	cmd.Dir, cmd.Env = t.folder, t.env
	cmd.WaitDelay = time.Minute
	output, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return passed, "", output
	case !errors.As(err, &exit):
		return crashed, "", append(output, err.Error()...)
	case bytes.Contains(output, []byte("panic: test timed out after")):
		return timedOut, "", output
	}
	if first := failure.FindSubmatch(output); first != nil {
		return failed, string(first[1]), output
	}
	return crashed, "", output
}
