#!/usr/bin/env bash
# Regenerates every generated file of the tree at ROOT, which `make verify` sets to a copy of the work tree.
#
#   hack/generate.sh ROOT
set -euo pipefail

tools=$(cd "$(dirname "${BASH_SOURCE[0]}")/tools" && pwd)
controller_gen=$("$tools/install.sh" controller-gen)
cd "$1"

"$controller_gen" object paths=./api/...

# Into an empty folder first: a kind that was removed must not leave its CRD behind.
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
"$controller_gen" crd paths=./api/... output:crd:artifacts:config="$fresh"
mkdir -p config/crd/bases
for old in config/crd/bases/*.yaml; do
  [[ ! -e $old || -e $fresh/${old##*/} ]] || rm "$old"
done
# An unchanged file keeps its time, so that nothing that depends on it is built again.
for new in "$fresh"/*.yaml; do
  cmp -s "$new" "config/crd/bases/${new##*/}" || cat "$new" >"config/crd/bases/${new##*/}"
done

# The client that scanners import. Every folder of it is replaced as a whole, so that nothing of a removed kind stays.
module=$(go list -m)/pkg/client
types=$(go list ./api/v1alpha1)
out=$fresh/client
gen() { "$("$tools/install.sh" "$1")" --go-header-file /dev/null "${@:2}"; }
gen applyconfiguration-gen --output-dir "$out/applyconfiguration" --output-pkg "$module/applyconfiguration" "$types"
# Without a fake: that of today's client-gen fails without an OpenAPI schema of the types, and a fake knows no admission.
gen client-gen --clientset-name versioned --fake-clientset=false --input-base "${types%/api/*}" --input api/v1alpha1 \
  --apply-configuration-package "$module/applyconfiguration" --output-dir "$out/clientset" --output-pkg "$module/clientset"
gen lister-gen --output-dir "$out/listers" --output-pkg "$module/listers" "$types"
gen informer-gen --versioned-clientset-package "$module/clientset/versioned" --listers-package "$module/listers" \
  --output-dir "$out/informers" --output-pkg "$module/informers" "$types"
mkdir -p pkg/client
for new in "$out"/*; do
  diff -rq "$new" "pkg/client/${new##*/}" >/dev/null 2>&1 && continue
  rm -rf "pkg/client/${new##*/}"
  cp -R "$new" pkg/client
done

if grep -rqs --include='*.go' '+kubebuilder:rbac' internal cmd; then
  "$controller_gen" rbac:roleName=manager-role paths=./internal/... paths=./cmd/... output:rbac:artifacts:config=config/rbac
fi
