#!/usr/bin/env bash
# Builds one pinned development tool into bin/tools and prints its path. A tool is built again only when the module
# that pins it changes, so that a second `make lint` does not pay for linking again.
#
#   hack/tools/install.sh controller-gen
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=$here/../../bin/tools

case "${1:-}" in
  controller-gen) module=$here package=sigs.k8s.io/controller-tools/cmd/controller-gen ;;
  kustomize) module=$here package=sigs.k8s.io/kustomize/kustomize/v5 ;;
  setup-envtest) module=$here package=sigs.k8s.io/controller-runtime/tools/setup-envtest ;;
  crd-ref-docs) module=$here package=github.com/elastic/crd-ref-docs ;;
  benchstat) module=$here package=golang.org/x/perf/cmd/benchstat ;;
  applyconfiguration-gen | client-gen | informer-gen | lister-gen) module=$here package=k8s.io/code-generator/cmd/$1 ;;
  golangci-lint) module=$here/lint package=sigs.k8s.io/kube-api-linter/cmd/golangci-lint-kube-api-linter ;;
  *)
    echo "usage: hack/tools/install.sh controller-gen|applyconfiguration-gen|client-gen|informer-gen|lister-gen|" \
      "kustomize|setup-envtest|crd-ref-docs|benchstat|golangci-lint" >&2
    exit 2
    ;;
esac
name=$1

mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$module"

# The Go version is part of the stamp because linters and generators type-check with the Go they were built with.
export GOOS GOARCH
GOOS=$(go env GOHOSTOS) GOARCH=$(go env GOHOSTARCH)
stamp="$(go env GOVERSION) $GOOS/$GOARCH $(cat go.mod go.sum | git hash-object --stdin)"
if [[ -x $out/$name && $(cat "$out/.$name.stamp" 2>/dev/null) == "$stamp" ]]; then
  echo "$out/$name"
  exit 0
fi

if command -v flock >/dev/null; then
  exec 9>"$out/.$name.lock"
  flock 9
fi

case "$name" in
  golangci-lint) echo "tools: building $name; usually 3 to 4 minutes the first time on two cores, seconds afterwards" >&2 ;;
  *) echo "tools: building $name" >&2 ;;
esac
started=$SECONDS
CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o "$out/.$name.new" "$package"
mv "$out/.$name.new" "$out/$name"
echo "$stamp" >"$out/.$name.stamp"
echo "tools: $name is ready after $((SECONDS - started)) s" >&2
echo "$out/$name"
