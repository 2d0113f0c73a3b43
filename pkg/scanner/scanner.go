package scanner

import (
	"cmp"
	"os"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"k8s.io/utils/lru"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/apiclock"
	"github.com/onebid-dev/onebid/pkg/scanner/lock"
)

// maxSeen bounds the memory of postings that this process has processed.
const maxSeen = 16384

// Options of a Scanner. Config, Namespace and Marketplace are needed.
type Options struct {
	// Config reaches the API server, as sigs.k8s.io/controller-runtime/pkg/client/config.GetConfig returns it. The rights
	// needed are those of the ClusterRole onebid-scanner.
	Config *rest.Config
	// Namespace of the Marketplace, the Postings and the Bids.
	Namespace string
	// Marketplace is the name of the Marketplace object that the postings are from.
	Marketplace string
	// Name of the scanner, for people: it is written on verdicts and Leases. Defaults to the host's name.
	Name string
	// Rebid is whether to bid again on a posting whose last Bid ended and was deleted, once the cooldown is over. By default
	// only those are bid on again whose last bid expired; the others are Ended.
	Rebid bool
	// Locks choose how scanners lock postings. Nil reads the environment, see LocksFromEnvironment.
	Locks *Locks
	// Metrics may be nil.
	Metrics *Metrics
	// Log gets a line when the lock backend changes, and details at higher verbosity. The zero value discards them.
	Log logr.Logger
	// Clock is for tests; nil is the real one.
	Clock clock.Clock
}

// Scanner bids on the postings of one Marketplace. It is safe for concurrent use.
type Scanner struct {
	namespace, marketplace, identity string

	api     client.WithWatch
	kube    kubernetes.Interface
	backend lock.Backend
	locks   Locks
	rebid   bool
	metrics *Metrics
	log     logr.Logger
	// clock measures, wall dates: it is the API server's time, so that this host's clock does not matter.
	clock clock.Clock
	wall  clock.PassiveClock

	markets marketCache
	// seen are the names of postings that were processed here before, with the last Outcome. It only decides what is read
	// first.
	seen *lru.Cache

	events sync.WaitGroup
	close  func() error
}

// New returns a Scanner. It makes no request: neither the API server nor Redis has to be there yet. Errors are
// *ConfigError for Locks and the environment, *onebidv1.KeyError for the Marketplace's name, and those of client-go for
// Config.
func New(o Options) (*Scanner, error) {
	locks, err := o.resolve()
	if err != nil {
		return nil, err
	}
	s := &Scanner{
		namespace: o.Namespace, marketplace: o.Marketplace, identity: o.Name,
		locks: locks, rebid: o.Rebid, metrics: o.Metrics, log: o.Log, clock: o.Clock, seen: lru.New(maxSeen),
	}
	if err := s.connect(o.Config); err != nil {
		return nil, err
	}
	if err := s.openBackend(); err != nil {
		return nil, err
	}
	return s, nil
}

// resolve checks the options and fills in defaults.
func (o *Options) resolve() (Locks, error) {
	if o.Config == nil {
		return Locks{}, &ConfigError{Field: "Config", Reason: "must be set"}
	}
	if o.Namespace == "" {
		return Locks{}, &ConfigError{Field: "Namespace", Reason: "must be set"}
	}
	if err := (onebidv1.Key{Marketplace: o.Marketplace, PostingID: "any"}).Validate(); err != nil {
		return Locks{}, err
	}
	if o.Name == "" {
		host, _ := os.Hostname()
		o.Name = cmp.Or(host, "unknown")
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics()
	}
	if o.Log.GetSink() == nil {
		o.Log = logr.Discard()
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.Locks == nil {
		return LocksFromEnvironment(os.LookupEnv)
	}
	return *o.Locks, nil
}

// connect makes clients that share connections and measure the API server's time.
func (s *Scanner) connect(given *rest.Config) error {
	wall := apiclock.New(s.clock)
	s.wall = wall
	config := rest.CopyConfig(given)
	config.Wrap(wall.Wrap)
	if config.QPS == 0 {
		// client-go's default is 5 requests a second; the API server itself knows better what it can take.
		config.QPS = -1
	}
	transport, err := rest.HTTPClientFor(config)
	if err != nil {
		return err
	}
	if s.kube, err = kubernetes.NewForConfigAndClient(config, transport); err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	utilruntime.Must(onebidv1.AddToScheme(scheme))
	s.api, err = client.NewWithWatch(config, client.Options{Scheme: scheme, Mapper: mapper(), HTTPClient: transport})
	return err
}

// mapper knows the kinds that a scanner uses, so that it need not ask the API server which there are.
func mapper() meta.RESTMapper {
	kinds := meta.NewDefaultRESTMapper(nil)
	for _, kind := range []string{"Bid", "Posting", "Marketplace"} {
		kinds.Add(onebidv1.GroupVersion.WithKind(kind), meta.RESTScopeNamespace)
	}
	return kinds
}

// Close ends the connections of the lock backend. Locks that are held run out by themselves.
func (s *Scanner) Close() error {
	s.events.Wait()
	return s.close()
}

// ttl and timeout of a lock, from the options or the Marketplace.
func (s *Scanner) ttl(market *onebidv1.Marketplace) time.Duration {
	return cmp.Or(s.locks.TTL, time.Duration(market.Spec.Lock.TTLSeconds)*time.Second, DefaultTTL)
}

func (s *Scanner) timeout(market *onebidv1.Marketplace) time.Duration {
	return cmp.Or(s.locks.Timeout, time.Duration(market.Spec.Lock.AcquireTimeoutSeconds)*time.Second, DefaultTimeout)
}
