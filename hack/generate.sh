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

if grep -rqs '+kubebuilder:ac:generate=true' api; then
  "$controller_gen" applyconfiguration paths=./api/...
fi
if grep -rqs --include='*.go' '+kubebuilder:rbac' internal cmd; then
  "$controller_gen" rbac:roleName=manager-role paths=./internal/... paths=./cmd/... output:rbac:artifacts:config=config/rbac
fi
