package testenv

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/client-go/kubernetes"
)

// Request is a kind of call to the API server. Dry runs are not counted.
type Request struct {
	// Verb as the API server names it: GET, LIST, WATCH, POST, PUT, PATCH, APPLY, DELETE, DELETECOLLECTION.
	Verb string
	// Group is empty for the core group.
	Group string
	// Resource is a plural name.
	Resource string
	// Subresource is empty for the object itself.
	Subresource string
}

// String is as in "PATCH bids.onebid.dev/status".
func (r Request) String() string {
	name := r.Verb + " " + r.Resource
	if r.Group != "" {
		name += "." + r.Group
	}
	if r.Subresource != "" {
		name += "/" + r.Subresource
	}
	return name
}

// Requests counts calls to the API server since it started, whoever made them and however they ended, but for those that a
// conflict turned away: how many of these there are depends on who was faster, and they change nothing.
type Requests map[Request]int

// Requests reads the API server's apiserver_request_total. Subtract two readings to learn what happened between them.
func (e *Environment) Requests(ctx context.Context) (Requests, error) {
	clientset, err := kubernetes.NewForConfig(e.Config)
	if err != nil {
		return nil, err
	}
	body, err := clientset.RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return nil, err
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("the API server's metrics: %w", err)
	}
	requests := Requests{}
	for _, metric := range families["apiserver_request_total"].GetMetric() {
		request, counts := requestOf(metric.GetLabel())
		if counts {
			requests[request] += int(metric.GetCounter().GetValue())
		}
	}
	return requests, nil
}

func requestOf(labels []*dto.LabelPair) (request Request, counts bool) {
	counts = true
	for _, label := range labels {
		switch label.GetName() {
		case "verb":
			request.Verb = label.GetValue()
		case "group":
			request.Group = label.GetValue()
		case "resource":
			request.Resource = label.GetValue()
		case "subresource":
			request.Subresource = label.GetValue()
		case "dry_run":
			counts = counts && label.GetValue() == ""
		case "code":
			counts = counts && label.GetValue() != strconv.Itoa(http.StatusConflict)
		}
	}
	return request, counts
}

// Since is what came on top of an earlier reading.
func (r Requests) Since(earlier Requests) Requests {
	since := Requests{}
	for request, count := range r {
		if more := count - earlier[request]; more > 0 {
			since[request] = more
		}
	}
	return since
}

// Writes leaves only what may have changed something in the given resources ("bids", "leases", …), or in all of them when
// none is given.
func (r Requests) Writes(resources ...string) Requests {
	writes := Requests{}
	for request, count := range r {
		switch request.Verb {
		case "GET", "LIST", "WATCH", "CONNECT":
			continue
		}
		if len(resources) == 0 || slices.Contains(resources, request.Resource) {
			writes[request] = count
		}
	}
	return writes
}

// Total is the number of all calls.
func (r Requests) Total() int {
	total := 0
	for _, count := range r {
		total += count
	}
	return total
}

// String lists the calls in order, one a line.
func (r Requests) String() string {
	lines := make([]string, 0, len(r))
	for _, request := range slices.SortedFunc(maps.Keys(r), func(a, b Request) int {
		return strings.Compare(a.String(), b.String())
	}) {
		lines = append(lines, fmt.Sprintf("%6d %s", r[request], request))
	}
	return strings.Join(lines, "\n")
}
