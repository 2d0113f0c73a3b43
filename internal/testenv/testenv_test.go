package testenv_test

import (
	"os"
	"testing"

	"github.com/onebid-dev/onebid/internal/testenv"
	"github.com/onebid-dev/onebid/internal/testenv/build"
)

var env *testenv.Environment

func TestMain(m *testing.M) {
	os.Exit(testenv.Main(m, testenv.Options{ControllerManager: true}, &env))
}

func TestRequestsAreCounted(t *testing.T) {
	ns := env.Namespace(t)
	before, err := env.Requests(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := env.Client.Create(t.Context(), build.Bid(ns, "m", "1")); err != nil {
		t.Fatal(err)
	}
	after, err := env.Requests(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := testenv.Requests{{Verb: "POST", Group: "onebid.dev", Resource: "bids"}: 1}
	if got := after.Since(before).Writes("bids"); got.String() != want.String() {
		t.Errorf("one Bid was created, counted:\n%s", got)
	}
}
