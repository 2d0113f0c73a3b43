package scanner_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client/config"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/pkg/scanner"
	"github.com/onebid-dev/onebid/pkg/scanner/lock"
)

func ExampleScanner_Process() {
	metrics := scanner.NewMetrics()
	prometheus.MustRegister(metrics)
	s, err := scanner.New(scanner.Options{
		Config: config.GetConfigOrDie(), Namespace: "default", Marketplace: "freelancer", Metrics: metrics,
	})
	if err != nil {
		log.Fatal(err)
	}

	posting := &onebidv1.Posting{Spec: onebidv1.PostingSpec{PostingID: "39211345", Title: "Build a scraper"}}
	result, err := s.Process(context.Background(), posting,
		func(_ context.Context, posting *onebidv1.Posting) (scanner.Verdict, error) {
			if posting.Spec.Budget == nil {
				return scanner.Verdict{Reason: "no budget"}, nil
			}
			return scanner.Verdict{Suitable: true, Bid: onebidv1.BidSpec{
				Price: onebidv1.Money{Amount: "250", Currency: "USD"}, Proposal: "I have built three of these.",
			}}, nil
		})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Outcome, result.Reason)
	if err := s.Close(); err != nil {
		log.Fatal(err)
	}
}

func ExampleScanner_WithLock() {
	s, err := scanner.New(scanner.Options{
		Config: config.GetConfigOrDie(), Namespace: "default", Marketplace: "freelancer",
		Locks: &scanner.Locks{Type: lock.Redis, RedisURL: os.Getenv("REDIS_URL")},
	})
	if err != nil {
		log.Fatal(err)
	}
	posting := &onebidv1.Posting{Spec: onebidv1.PostingSpec{PostingID: "39211345"}}
	err = s.WithLock(context.Background(), posting.Spec.PostingID, func(ctx context.Context) error {
		// Somebody may have bid while this one waited for the lock.
		if result, err := s.ShouldBid(ctx, posting); err != nil || result.Outcome != scanner.Open {
			return err
		}
		fmt.Println("evaluate it, and create the Bid")
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
}

func ExampleLocksFromEnvironment() {
	locks, err := scanner.LocksFromEnvironment(os.LookupEnv)
	if err != nil {
		log.Fatal(err) // such as: BID_LOCK_TIMEOUT: invalid value "10s": must be a whole number from 0 to 600
	}
	fmt.Println(locks.Type)
}
