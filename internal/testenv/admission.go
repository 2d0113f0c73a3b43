package testenv

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/testenv/build"
)

const (
	// fieldOwner of everything that this package applies.
	fieldOwner = client.FieldOwner("onebid-testenv")

	// canonicalName is the policy that is waited for; it is put in place last.
	canonicalName = "canonical-name.onebid.dev"

	pollInterval  = 25 * time.Millisecond
	admissionWait = 60 * time.Second
)

// applyPolicies installs config/policy in an order that one policy can answer for: all policies, then all bindings, and
// of each the canonical name last. The API server reads either kind as one stream, so once it obeys that policy it has
// read the others.
func (e *Environment) applyPolicies(ctx context.Context) error {
	objects, err := ReadManifests(filepath.Join(e.Root, "config", "policy"))
	if err != nil {
		return err
	}
	rank := func(object *unstructured.Unstructured) int {
		rank := 0
		if strings.HasSuffix(object.GetKind(), "Binding") {
			rank += 2
		}
		if object.GetName() == canonicalName {
			rank++
		}
		return rank
	}
	slices.SortStableFunc(objects, func(a, b *unstructured.Unstructured) int { return cmp.Compare(rank(a), rank(b)) })
	return e.Apply(ctx, objects...)
}

// InstallDefault applies config/default, as `make deploy` does, and returns once the API server obeys it. There is no node that
// runs its Deployment; managers run as processes instead.
func (e *Environment) InstallDefault(ctx context.Context) error {
	if _, err := e.Kubectl(ctx, "apply", "--server-side", "-k", "config/default"); err != nil {
		return err
	}
	return e.WaitForAdmission(ctx)
}

// Apply applies objects server-side, as the administrator.
func (e *Environment) Apply(ctx context.Context, objects ...*unstructured.Unstructured) error {
	for _, object := range objects {
		configuration := client.ApplyConfigurationFromUnstructured(object)
		if err := e.Client.Apply(ctx, configuration, fieldOwner, client.ForceOwnership); err != nil {
			return fmt.Errorf("apply %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return nil
}

// WaitForAdmission returns once the policies are in force: some time passes between their creation and their first
// verdict. Start does it; it is for tests that install the policies themselves.
func (e *Environment) WaitForAdmission(ctx context.Context) error {
	wrong := build.Bid("default", "testenv", "Wrong Name", func(b *v1alpha1.Bid) { b.Name = "testenv.x.00" })
	right := build.Bid("default", "testenv", "right-name")
	var last error
	err := wait.PollUntilContextTimeout(ctx, pollInterval, admissionWait, true, func(ctx context.Context) (bool, error) {
		last = e.admissionVerdict(ctx, wrong.DeepCopy(), right.DeepCopy())
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("the policies of config/policy are not in force after %s: %w", admissionWait, last)
	}
	return nil
}

func (e *Environment) admissionVerdict(ctx context.Context, wrong, right *v1alpha1.Bid) error {
	switch err := e.Client.Create(ctx, wrong, client.DryRunAll); {
	case err == nil:
		return errors.New("a Bid with a wrong name is admitted")
	case !strings.Contains(err.Error(), canonicalName):
		return err
	}
	if err := e.Client.Create(ctx, right, client.DryRunAll); err != nil {
		return err
	}
	if !controllerutil.ContainsFinalizer(right, v1alpha1.FinalizerWithdraw) {
		return errors.New("a Bid is created without its finalizer")
	}
	return nil
}

// ReadManifests reads every object of a folder's YAML files, but for the kustomization.
func ReadManifests(dir string) ([]*unstructured.Unstructured, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for _, file := range files {
		if filepath.Base(file) == "kustomization.yaml" {
			continue
		}
		read, err := readManifest(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		objects = append(objects, read...)
	}
	if len(objects) == 0 {
		return nil, fmt.Errorf("%s holds no manifests", dir)
	}
	return objects, nil
}

func readManifest(file string) ([]*unstructured.Unstructured, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
	var objects []*unstructured.Unstructured
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}
