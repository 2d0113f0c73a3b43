package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/onebid-dev/onebid/internal/marketsim"
)

// build compiles the command; the tests of a kill need a process of its own.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "marketsim")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

type process struct {
	cmd *exec.Cmd
	url string
}

func launch(t *testing.T, binary, ledger string) process {
	t.Helper()
	cmd := exec.Command(binary, "--listen", "127.0.0.1:0", "--ledger", ledger)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "marketsim listening on ")
	if err != nil || !ok {
		t.Fatalf("first line %q, %v", line, err)
	}
	return process{cmd, url}
}

// place returns the status of a place call, 0 when there was none.
func place(ctx context.Context, base, posting string) int {
	body := fmt.Sprintf(`{"posting_id":%q,"amount":"1"}`, posting)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/unique/bids", strings.NewReader(body))
	if err != nil {
		return 0
	}
	req.Header.Set("Authorization", "Bearer alice")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

func TestLedgerSurvivesKill(t *testing.T) {
	binary, ledger := build(t), filepath.Join(t.TempDir(), "ledger.jsonl")
	p := launch(t, binary, ledger)
	var mu sync.Mutex
	created := map[string]bool{}
	enough := make(chan struct{})
	var callers sync.WaitGroup
	for c := range 4 {
		callers.Go(func() {
			for i := 0; ; i++ {
				posting := fmt.Sprintf("%d-%d", c, i)
				if place(t.Context(), p.url, posting) != http.StatusCreated {
					return // the process is gone
				}
				mu.Lock()
				created[posting] = true
				if len(created) == 200 {
					close(enough)
				}
				mu.Unlock()
			}
		})
	}
	<-enough
	if err := p.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	callers.Wait()
	_ = p.cmd.Wait()

	records, err := marketsim.ReadLedger(ledger)
	if err != nil {
		t.Fatal(err)
	}
	summary := marketsim.Summarize(records)
	for posting := range created {
		if summary.Row("unique", "alice", posting).Live != 1 {
			t.Errorf("posting %s was answered 201 and is not in the ledger", posting)
		}
	}
	q := launch(t, binary, ledger)
	for posting := range created {
		if got := place(t.Context(), q.url, posting); got != http.StatusConflict {
			t.Errorf("posting %s: status %d after the kill, want 409", posting, got)
		}
	}
	if err := q.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := q.cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
}

func TestRunStopsGracefully(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	in, out := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"--listen", ":0", "--ledger", filepath.Join(t.TempDir(), "l")}, out, io.Discard)
	}()
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "marketsim listening on http://127.0.0.1:") {
		t.Fatalf("first line %q, %v", line, err)
	}
	url := strings.Fields(line)[3]
	if err := marketsim.NewClient(url).Healthy(t.Context()); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestMistakesAreNamed(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	dir := t.TempDir()
	ledger := filepath.Join(dir, "l")
	for _, c := range []struct {
		why   string
		args  []string
		want  string
		usage bool
	}{
		{"unknown flag", []string{"--port", "1"}, "-port", true},
		{"argument", []string{"ledger.jsonl"}, `"ledger.jsonl"`, true},
		{"no ledger", []string{"--ledger", ""}, "--ledger", true},
		{"ledger is a folder", []string{"--ledger", dir}, dir, false},
		{"bad address", []string{"--ledger", ledger, "--listen", "nonsense"}, "nonsense", false},
		{"port in use", []string{"--ledger", ledger, "--listen", taken.Addr().String()}, "in use", false},
	} {
		t.Run(c.why, func(t *testing.T) {
			err := run(t.Context(), c.args, io.Discard, io.Discard)
			var usage usageError
			if err == nil || !strings.Contains(err.Error(), c.want) || errors.As(err, &usage) != c.usage {
				t.Errorf("error %v, want %q; usage error: %t", err, c.want, c.usage)
			}
		})
	}
}

func TestHelpIsNoMistake(t *testing.T) {
	var stderr bytes.Buffer
	err := run(t.Context(), []string{"--help"}, io.Discard, &stderr)
	var usage usageError
	if errors.As(err, &usage) || !strings.Contains(stderr.String(), "-ledger") {
		t.Errorf("error %v, text %q", err, stderr.String())
	}
}
