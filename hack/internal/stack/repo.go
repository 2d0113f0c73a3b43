package stack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const module = "module github.com/onebid-dev/onebid\n"

// FindRoot returns the root of the repository that the working directory is in.
func FindRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the repository: %w", err)
	}
	for {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(text), module) {
			return dir, nil
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		return "", errors.New("this must run inside a clone of the onebid repository")
	}
}

// FindAssets returns the folder with the binaries of the control plane: KUBEBUILDER_ASSETS, or what `make controlplane`
// builds.
func FindAssets(root string) (string, error) {
	dir := os.Getenv("KUBEBUILDER_ASSETS")
	if dir == "" {
		dir = filepath.Join(root, "bin", "controlplane")
	}
	for _, name := range []string{"kube-apiserver", "etcd", "kubectl"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return "", fmt.Errorf("no %s in %s: `make controlplane` builds it, once, in about 8 minutes", name, dir)
		}
	}
	return dir, nil
}

// FindBinaries checks that the folder holds the binaries that `make build` makes.
func FindBinaries(dir string, names ...string) error {
	for _, name := range names {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("no %s in %s: `make build` builds it", name, dir)
		}
	}
	return nil
}
