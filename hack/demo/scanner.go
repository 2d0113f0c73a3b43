package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/onebid-dev/onebid/internal/testenv"
	"github.com/onebid-dev/onebid/internal/testenv/build"
	"github.com/onebid-dev/onebid/internal/testenv/process"
)

// retryEvery and retryFor bound how a scanner treats an API server that is not available right now.
const retryEvery, retryFor = 250 * time.Millisecond, 30 * time.Second

// event is one line that a scanner writes to its standard output. The first one, without a posting, says that it is ready.
type event struct {
	// Posting was tried.
	Posting string `json:"posting,omitempty"`
	// At is when the API server acknowledged its Bid; 0 when there was one already.
	At moment `json:"at,omitempty"`
}

// scanner is a program that knows nothing of other scanners: it creates a Bid for every posting that it finds.
type scanner struct {
	seed        uint64
	number      int
	postings    int
	namespace   string
	marketplace string
	client      client.Client
	out         *json.Encoder
}

// runScanner is the sub-command "scanner", of which the demo starts many. It starts at the first line on stdin and gives
// up when stdin ends, since then the demo is gone.
func runScanner(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	s := &scanner{out: json.NewEncoder(stdout)}
	flags := flag.NewFlagSet("demo scanner", flag.ContinueOnError)
	kubeconfig := flags.String("kubeconfig", "", "file to log in with")
	flags.StringVar(&s.namespace, "namespace", "", "namespace of the Bids")
	flags.StringVar(&s.marketplace, "marketplace", "", "name of the Marketplace")
	flags.IntVar(&s.number, "number", 0, "number of this scanner")
	flags.IntVar(&s.postings, "postings", 0, "number of postings")
	flags.Uint64Var(&s.seed, "seed", 0, "seed of the postings")
	if err := flags.Parse(args); err != nil {
		return usageError{err}
	}
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return err
	}
	config.QPS = -1
	if s.client, err = client.New(config, client.Options{Scheme: testenv.NewScheme()}); err != nil {
		return err
	}
	if err := s.out.Encode(event{}); err != nil {
		return err
	}
	lines := bufio.NewReader(stdin)
	if _, err := lines.ReadString('\n'); err != nil {
		return fmt.Errorf("waiting for the start: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		_, err := io.Copy(io.Discard, lines)
		cancel(errors.Join(errors.New("the demo is gone"), err))
	}()
	return s.race(ctx)
}

// race tries every posting once, at a price that tells the scanners apart.
func (s *scanner) race(ctx context.Context) error {
	ids := postingIDs(s.seed, s.postings)
	for _, i := range scannerOrder(s.seed, s.number, len(ids)) {
		e := event{Posting: ids[i]}
		err := s.create(ctx, ids[i])
		if err == nil {
			e.At, err = now()
		}
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("bidding on %q: %w", ids[i], err)
		}
		if err := s.out.Encode(e); err != nil {
			return err
		}
	}
	return nil
}

// create sends the Bid until the API server has decided. A 503 comes from an admission policy that has not warmed up
// yet, a 429 from a busy server; after a lost connection the Bid may be there, which the next try finds out.
func (s *scanner) create(ctx context.Context, postingID string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, retryFor, fmt.Errorf("no answer in %s", retryFor))
	defer cancel()
	var final error
	err := process.Await(ctx, retryEvery, func(ctx context.Context) error {
		final = s.client.Create(ctx, build.Bid(s.namespace, s.marketplace, postingID,
			build.Price(fmt.Sprint(200+s.number), "USD"), build.Proposal(fmt.Sprintf("Scanner %d can do it.", s.number))))
		if mayPass(final) {
			return final
		}
		return nil
	})
	if err != nil {
		return err
	}
	return final
}

func mayPass(err error) bool {
	return apierrors.IsServiceUnavailable(err) || apierrors.IsTooManyRequests(err) || apierrors.IsServerTimeout(err) ||
		apierrors.IsTimeout(err) || utilnet.IsConnectionReset(err) || utilnet.IsConnectionRefused(err) ||
		utilnet.IsHTTP2ConnectionLost(err) || (err != nil && strings.HasSuffix(err.Error(), ": EOF"))
}
