// Bids 250 USD on every posting whose ID stands on a line of the input. Arguments: namespace and Marketplace.
package main

import (
	"bufio"
	"context"
	"log"
	"os"

	"sigs.k8s.io/controller-runtime/pkg/client/config"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/pkg/scanner"
)

func main() {
	s, err := scanner.New(scanner.Options{Config: config.GetConfigOrDie(), Namespace: os.Args[1], Marketplace: os.Args[2]})
	if err != nil {
		log.Fatal(err)
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		result, err := s.Process(context.Background(), &onebidv1.Posting{Spec: onebidv1.PostingSpec{PostingID: lines.Text()}}, evaluate)
		log.Println(lines.Text(), result.Outcome, result.Reason, err)
	}
}

func evaluate(context.Context, *onebidv1.Posting) (scanner.Verdict, error) { // the expensive part
	return scanner.Verdict{Suitable: true, Bid: onebidv1.BidSpec{Price: onebidv1.Money{Amount: "250", Currency: "USD"}}}, nil
}
