package scanners_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// The IDs are of every kind: plain, with capitals, with letters that are no ASCII, with what shells and JSON give a meaning.
var ids = []string{"39211345", "a-b", "A-b", "-a", "Ж/1 ?&#", `q"u\o'te$(x)`}

// example is a scanner that reads postings from standard input.
type example struct {
	program
	line func(id string) string
}

func examples(ns, kubeconfig string) map[string]example {
	env := []string{
		"KUBECONFIG=" + kubeconfig, "PATH=" + filepath.Dir(world.Env.KubectlPath()) + ":" + os.Getenv("PATH"),
	}
	args := []string{ns, "rest"}
	return map[string]example{
		"client-go": {
			program{path: clientGoBinary, args: args, env: env},
			func(id string) string { return fmt.Sprintf(`{"id":%q,"title":"Work","price":"250"}`, id) },
		},
		"kubectl": {
			program{path: filepath.Join(world.Env.Root, "examples", "kubectl", "scanner.sh"), args: args, env: env},
			func(id string) string { return id + "\t250\tUSD\tWe can do \"it\"." },
		},
	}
}

// Scanners of different kinds race for the same postings, with the rights of a scanner.
func TestExamplesBidOncePerPosting(t *testing.T) {
	g := NewWithT(t)
	ns := world.Env.Namespace(t)
	user := world.Env.AsUser(t, ns, "scanner", "onebid-scanner")
	var mu sync.Mutex
	var printed strings.Builder
	var racing sync.WaitGroup
	for name, e := range examples(ns, user.Kubeconfig) {
		for _, id := range ids {
			e.stdin += e.line(id) + "\n"
		}
		for range 2 {
			racing.Go(func() {
				stdout, stderr, err := e.run(t)
				mu.Lock()
				defer mu.Unlock()
				printed.WriteString(stdout)
				if err != nil {
					t.Errorf("%s: %v\n%s", name, err, stderr)
				}
			})
		}
	}
	racing.Wait()

	bids := &onebidv1.BidList{}
	g.Expect(world.Env.Client.List(t.Context(), bids, client.InNamespace(ns))).To(Succeed())
	var found []string
	for _, bid := range bids.Items {
		found = append(found, bid.Spec.PostingID)
		name, err := onebidv1.Key{Marketplace: "rest", PostingID: bid.Spec.PostingID}.Name()
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(strings.Count(printed.String(), name+" created\n")).To(Equal(1), name)
		g.Expect(strings.Count(printed.String(), name+" has a Bid already\n")).To(Equal(3), name)
	}
	g.Expect(found).To(ConsistOf(ids), "spelled as the feed spells them")
}

// One bad posting does not keep the script from the others, and does not go unnoticed.
func TestTheScriptGoesOnAfterABadPosting(t *testing.T) {
	g := NewWithT(t)
	ns := world.Env.Namespace(t)
	user := world.Env.AsUser(t, ns, "scanner", "onebid-scanner")
	e := examples(ns, user.Kubeconfig)["kubectl"]
	e.stdin = "cheap\t0\tUSD\tx\n" + strings.Repeat("x", 101) + "\t250\tUSD\tx\ngood\t250\tUSD\tx\n"
	stdout, stderr, err := e.run(t)
	g.Expect(err).To(HaveOccurred())
	g.Expect(stdout).To(Equal("rest.good created\n"))
	g.Expect(stderr).To(And(ContainSubstring("rest.cheap failed"), ContainSubstring("must be greater than 0"),
		ContainSubstring("failed: ")))
}

// What the documentation shows is what runs here.
func TestTheDocumentationQuotesTheExamples(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(world.Env.Root, "docs", "scanners-without-sdk.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"examples/clientgo/main.go", "examples/kubectl/scanner.sh"} {
		code, err := os.ReadFile(filepath.Join(world.Env.Root, filepath.FromSlash(file)))
		if err != nil {
			t.Fatal(err)
		}
		language := map[string]string{".go": "go", ".sh": "sh"}[filepath.Ext(file)]
		if !strings.Contains(string(text), "```"+language+"\n"+string(code)+"```\n") {
			t.Errorf("docs/scanners-without-sdk.md does not show %s as it is", file)
		}
	}
}
