package scanners_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/internal/testenv/process"
	"github.com/onebid-dev/onebid/test/harness"
)

const jobs = `{"jobs": [
  {"id": 39211345, "title": "A REST service", "budget": {"min": 250, "max": 499.99}, "skills": ["go", "sql"]},
  {"id": "Ж/1 ?&#", "title": "A command", "budget": {"max": 900}, "skills": ["go"]},
  {"id": "logo", "title": "A logo", "budget": {"max": 900}, "skills": ["design"]}
]}`

// site is a job site whose answer the test changes.
type site struct {
	*httptest.Server
	answer atomic.Pointer[http.HandlerFunc]
	asked  atomic.Int32
}

func newSite(t *testing.T, answer http.HandlerFunc) *site {
	t.Helper()
	s := &site{}
	s.answer.Store(&answer)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.asked.Add(1)
		(*s.answer.Load())(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *site) says(answer http.HandlerFunc) { s.answer.Store(&answer) }

// tagged answers 304 to who knows the text already.
func tagged(tag, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", tag)
		w.Header().Set("Content-Type", "application/json")
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write([]byte(text))
	}
}

func fails(status int, contentType, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
	}
}

// installed applies config/scanner to the tenant's namespace and returns a login as its ServiceAccount.
func installed(t *testing.T, x *harness.Tenant) (kubeconfig string) {
	t.Helper()
	env := world.Env
	manifests, err := env.Kubectl(t.Context(), "kustomize", "config/scanner")
	x.G.Expect(err).NotTo(HaveOccurred())
	manifests = strings.ReplaceAll(manifests, "namespace: default", "namespace: "+x.NS)
	_, err = env.Admin().KubectlInput(t.Context(), manifests, "apply", "--server-side", "-f", "-")
	x.G.Expect(err).NotTo(HaveOccurred())

	x.G.Eventually(func() string {
		answer, _ := env.Kubectl(t.Context(), "auth", "can-i", "--namespace", x.NS, // "no" comes with an error
			"--as", "system:serviceaccount:"+x.NS+":onebid-scanner", "create", "bids.onebid.dev")
		return strings.TrimSpace(answer)
	}).Should(Equal("yes"), "the API server takes a moment to heed a binding")

	user, err := env.Login(t.Context(), x.NS, "onebid-scanner")
	x.G.Expect(err).NotTo(HaveOccurred())
	return user.Kubeconfig
}

// scanner is the reference scanner with the configuration of config/scanner, at a feed of the test.
func scanner(t *testing.T, x *harness.Tenant, feed string, flags ...string) program {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(world.Env.Root, "config", "scanner", "scanner.yaml"))
	x.G.Expect(err).NotTo(HaveOccurred())
	file := filepath.Join(t.TempDir(), "scanner.yaml")
	quick := strings.Replace(string(text), "intervalSeconds: 60", "intervalSeconds: 1", 1)
	x.G.Expect(os.WriteFile(file, []byte(quick), 0o600)).To(Succeed())
	return program{path: scannerBinary, args: append([]string{
		"--kubeconfig", installed(t, x), "--config", file, "--namespace", x.NS, "--feed", feed, "--log-level", "debug",
	}, flags...)}
}

// running is a scanner that runs until the end of the test.
type running struct {
	*process.Process

	metrics, health string
}

func (p program) start(t *testing.T) *running {
	t.Helper()
	r := &running{metrics: harness.FreeAddress(t), health: harness.FreeAddress(t)}
	var err error
	r.Process, err = process.Start(process.Command{
		Name: "scanner", Path: p.path, Log: filepath.Join(t.TempDir(), "log"),
		Args: append(p.args, "--metrics-bind-address", r.metrics, "--health-probe-bind-address", r.health),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Kill()
		if t.Failed() {
			t.Logf("log of the scanner:\n%s", r.Tail())
		}
	})
	return r
}

// get returns what an endpoint says; the status is 0 when nobody answers.
func get(address, path string) (status int, text string) {
	resp, err := http.Get("http://" + address + path)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

func (r *running) ready() int {
	status, _ := get(r.health, "/readyz")
	return status
}

// names of all objects of a kind in the tenant's namespace.
func names(x *harness.Tenant, list client.ObjectList) []string {
	x.T.Helper()
	x.G.Expect(world.Env.Client.List(x.T.Context(), list, client.InNamespace(x.NS))).To(Succeed())
	var out []string
	x.G.Expect(meta.EachListItem(list, func(o runtime.Object) error {
		out = append(out, o.(client.Object).GetName())
		return nil
	})).To(Succeed())
	return out
}

const oddName = "rest.x.d0962f31203f2623"

// Two replicas, from the feed to live bids, with the rights of config/scanner.
func TestFromAFeedToALiveBid(t *testing.T) {
	x := world.Tenant(t, onebidv1.ClassIdempotencyKey)
	x.Manager()
	jobSite := newSite(t, tagged(`"1"`, jobs))
	p := scanner(t, x, jobSite.URL+"/open.json")
	first, second := p.start(t), p.start(t)

	for _, id := range []string{"39211345", "Ж/1 ?&#"} {
		name, err := onebidv1.Key{Marketplace: "rest", PostingID: id}.Name()
		x.G.Expect(err).NotTo(HaveOccurred())
		x.G.Eventually(func() []string { return names(x, &onebidv1.BidList{}) }).Should(ContainElement(name))
		bid := &onebidv1.Bid{ObjectMeta: metav1.ObjectMeta{Namespace: x.NS, Name: name}}
		x.State(bid, onebidv1.StateActive)
		x.G.Expect(x.Calls(marketsim.VerbPlace, id)).To(HaveLen(1))
	}
	bid := x.Get(&onebidv1.Bid{ObjectMeta: metav1.ObjectMeta{Namespace: x.NS, Name: "rest.39211345"}})
	x.G.Expect(bid.Spec.Price).To(Equal(onebidv1.Money{Amount: "449.99", Currency: "USD"}))
	x.G.Expect(bid.Spec.Proposal).To(ContainSubstring(`we can do "A REST service" for 449.99 USD`))

	logo := &onebidv1.Posting{}
	x.G.Eventually(func() *onebidv1.PostingEvaluation {
		_ = world.Env.Client.Get(t.Context(), harness.KeyOf(x.NS, "rest.logo"), logo)
		return logo.Spec.Evaluation
	}).ShouldNot(BeNil())
	x.G.Expect(*logo.Spec.Evaluation.Suitable).To(BeFalse())
	x.G.Expect(logo.Spec.Evaluation.Reason).To(Equal("asks for other skills"))
	x.G.Expect(names(x, &onebidv1.BidList{})).To(ConsistOf("rest.39211345", oddName))

	// Once all is settled, a feed that does not change costs the API server nothing.
	settled := jobSite.asked.Load()
	x.G.Eventually(jobSite.asked.Load).Should(BeNumerically(">", settled+5))
	for _, r := range []*running{first, second} {
		x.G.Eventually(r.ready).Should(Equal(http.StatusOK)) // the other one may have been much faster
		x.G.Eventually(func() string {
			_, text := get(r.metrics, "/metrics")
			return text
		}).Should(And(ContainSubstring(`onebid_scanner_feed_readings_total{result="changed"} 1`+"\n"),
			ContainSubstring("onebid_scanner_feed_items 3\n"), ContainSubstring("onebid_lock_attempts_total")))
		x.G.Expect(r.Stop(harness.Patience)).To(BeTrue(), "it ends by itself")
		x.G.Expect(r.Err()).NotTo(HaveOccurred())
	}
}

// Whatever a failing feed says, nothing is made up and nothing is taken back.
func TestAFailingFeedChangesNothing(t *testing.T) {
	x := world.Tenant(t, onebidv1.ClassIdempotencyKey)
	jobSite := newSite(t, nil)
	once := scanner(t, x, jobSite.URL, "--once")
	for says, answer := range map[string]http.HandlerFunc{
		"502 Bad Gateway":         fails(http.StatusBadGateway, "application/json", jobs),
		"a web page":              fails(http.StatusOK, "text/html", "<html>"+jobs),
		"cut short":               fails(http.StatusOK, "application/json", jobs[:len(jobs)-10]),
		"empty":                   fails(http.StatusOK, "application/json", ""),
		"feed.items: no such key": fails(http.StatusOK, "application/json", `{"error": "maintenance"}`),
	} {
		jobSite.says(answer)
		_, stderr, err := once.run(t)
		x.G.Expect(err).To(HaveOccurred())
		x.G.Expect(stderr).To(ContainSubstring(says))
	}
	r := scanner(t, x, jobSite.URL).start(t)
	x.G.Eventually(func() string {
		_, text := get(r.metrics, "/metrics")
		return text
	}).Should(MatchRegexp(`onebid_scanner_feed_readings_total\{result="failed"\} [1-9]`))
	x.G.Eventually(r.ready).Should(Equal(http.StatusServiceUnavailable))
	x.G.Expect(names(x, &onebidv1.BidList{})).To(BeEmpty())
	x.G.Expect(names(x, &onebidv1.PostingList{})).To(BeEmpty())

	jobSite.says(tagged(`"1"`, jobs))
	x.G.Eventually(func() []string { return names(x, &onebidv1.BidList{}) }).Should(ConsistOf("rest.39211345", oddName))
	x.G.Expect(r.ready()).To(Equal(http.StatusOK))

	jobSite.says(tagged(`"2"`, `{"jobs": []}`))
	x.G.Eventually(func() string {
		_, text := get(r.metrics, "/metrics")
		return text
	}).Should(ContainSubstring("onebid_scanner_feed_items 0\n"))
	list := &onebidv1.PostingList{}
	x.G.Expect(names(x, list)).To(ContainElements("rest.39211345", oddName, "rest.logo"))
	for _, posting := range list.Items {
		x.G.Expect(posting.Spec.Closed).To(BeNil(), "that it is missing does not mean that it is closed")
	}
	x.G.Expect(names(x, &onebidv1.BidList{})).To(ConsistOf("rest.39211345", oddName))
}

func TestADryRunCreatesNothing(t *testing.T) {
	x := world.Tenant(t, onebidv1.ClassIdempotencyKey)
	p := scanner(t, x, "-", "--dry-run")
	p.stdin = jobs
	stdout, stderr, err := p.run(t)
	x.G.Expect(err).NotTo(HaveOccurred(), stderr)
	x.G.Expect(strings.Count(stdout, "\n")).To(Equal(3))
	x.G.Expect(stdout).To(And(ContainSubstring(`{"name":"rest.39211345","suitable":true`), ContainSubstring(`"amount":"449.99"`),
		ContainSubstring(`{"name":"rest.logo","suitable":false`)))
	x.G.Expect(names(x, &onebidv1.BidList{})).To(BeEmpty())
	x.G.Expect(names(x, &onebidv1.PostingList{})).To(BeEmpty())
	x.G.Expect(x.PostingLeases()).To(BeEmpty())
}

// A single reading tells by its exit code that something went wrong, and does the rest.
func TestASingleReadingFailsWhenAPostingDoes(t *testing.T) {
	x := world.Tenant(t, onebidv1.ClassIdempotencyKey)
	p := scanner(t, x, "-")
	p.stdin = strings.Replace(jobs, `"id": "logo", `, "", 1)
	_, stderr, err := p.run(t)
	x.G.Expect(err).To(HaveOccurred())
	x.G.Expect(stderr).To(And(ContainSubstring("posting.id: no such key: id"), ContainSubstring("some postings could not be processed")))
	x.G.Expect(names(x, &onebidv1.BidList{})).To(ConsistOf("rest.39211345", oddName))

	p.stdin = jobs[:len(jobs)-10]
	_, stderr, err = p.run(t)
	x.G.Expect(err).To(HaveOccurred())
	x.G.Expect(stderr).To(ContainSubstring("not JSON, or cut short"))
}

func TestTheRightsAreLeast(t *testing.T) {
	x := world.Tenant(t, onebidv1.ClassIdempotencyKey)
	installed(t, x)
	account := "system:serviceaccount:" + x.NS + ":onebid-scanner"
	for what, want := range map[string]string{
		"create bids.onebid.dev": "yes", "delete bids.onebid.dev": "no", "update bids.onebid.dev": "no", "patch bids.onebid.dev": "no",
		"update bids.onebid.dev/status": "no", "delete postings.onebid.dev": "no", "update marketplaces.onebid.dev": "no",
		"get secrets": "no", "list leases.coordination.k8s.io": "no", "approve bids.onebid.dev": "no",
	} {
		args := append([]string{"auth", "can-i", "--namespace", x.NS, "--as", account}, strings.Fields(what)...)
		answer, _ := world.Env.Kubectl(t.Context(), args...) // "no" comes with an error
		x.G.Expect(strings.TrimSpace(answer)).To(Equal(want), what)
	}
	answer, _ := world.Env.Kubectl(t.Context(), "auth", "can-i", "--namespace", "default", "--as", account, "create", "bids.onebid.dev")
	x.G.Expect(strings.TrimSpace(answer)).To(Equal("no"), "in another namespace")
}
