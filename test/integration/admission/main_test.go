// Package admission shows, on a real API server, what is refused at the door and in which words: by the schemas of the
// CRDs, by the policies of config/policy and by the roles of config/rbac.
package admission

import (
	"os"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/testenv"
	"github.com/onebid-dev/onebid/internal/testenv/build"
)

var env *testenv.Environment

func TestMain(m *testing.M) {
	os.Exit(testenv.Main(m, testenv.Options{ControllerManager: true}, &env))
}

// refusal is a change that the API server must refuse in exactly these words.
type refusal struct {
	name   string
	change func(*v1alpha1.Bid)
	want   words
}

// words are the whole error text about the object of this name.
type words func(name string) string

// schema is how the API server reports what a CRD's schema refused; several causes come in brackets.
func schema(causes ...string) words {
	text := strings.Join(causes, ", ")
	if len(causes) > 1 {
		text = "[" + text + "]"
	}
	return func(name string) string { return `Bid.onebid.dev "` + name + `" is invalid: ` + text }
}

// unchecked follows every error of length, type or enumeration: the API server then leaves the other rules out.
const unchecked = "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; " +
	"correct the existing errors to complete validation"

// policy is how the API server reports what a policy refused.
func policy(resource, policy, message string) words {
	return func(name string) string {
		return resource + ` "` + name + `" is forbidden: ValidatingAdmissionPolicy '` + policy + `.onebid.dev' with binding '` +
			policy + `.onebid.dev' denied request: ` + message
	}
}

// role is how the API server reports that no role allows something.
func role(user *testenv.User, verb, resource, namespace string) words {
	return func(name string) string {
		plural, _, _ := strings.Cut(resource, "/")
		return plural + `.onebid.dev "` + name + `" is forbidden: User "` + user.Name + `" cannot ` + verb + ` resource "` + resource +
			`" in API group "onebid.dev" in the namespace "` + namespace + `"`
	}
}

// message of an error, "" for none.
func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// created makes a Bid as the administrator.
func created(t *testing.T, namespace, postingID string, options ...func(*v1alpha1.Bid)) *v1alpha1.Bid {
	t.Helper()
	bid := build.Bid(namespace, "freelancer", postingID, options...)
	NewWithT(t).Expect(env.Client.Create(t.Context(), bid)).To(Succeed())
	return bid
}

// refusedAtCreation runs each case in a subtest, with a Bid that is valid but for the change.
func refusedAtCreation(t *testing.T, as client.Client, namespace string, cases []refusal) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			bid := build.Bid(namespace, "freelancer", "39211345", c.change)
			NewWithT(t).Expect(message(as.Create(t.Context(), bid))).To(Equal(c.want(bid.Name)))
		})
	}
}

// refusedAtUpdate runs each case in a subtest, with a change to a stored Bid.
func refusedAtUpdate(t *testing.T, as client.Client, stored *v1alpha1.Bid, cases []refusal) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			bid := live(t, stored)
			c.change(bid)
			NewWithT(t).Expect(message(as.Update(t.Context(), bid))).To(Equal(c.want(bid.Name)))
		})
	}
}

// live reads an object as it is stored.
func live[T client.Object](t *testing.T, object T) T {
	t.Helper()
	read, _ := object.DeepCopyObject().(T)
	NewWithT(t).Expect(env.Client.Get(t.Context(), client.ObjectKeyFromObject(object), read)).To(Succeed())
	return read
}

// patched sends a merge patch.
func patched(t *testing.T, as client.Client, object client.Object, patch string) error {
	t.Helper()
	return as.Patch(t.Context(), object, client.RawPatch(types.MergePatchType, []byte(patch)))
}
