#!/usr/bin/env bash
# Runs golangci-lint twice, because the two rule sets judge different things: .golangci.yml all Go code, and
# .golangci-kal.yml (kube-api-linter) what users see of the API types.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
lint=$(hack/tools/install.sh golangci-lint)

status=0
"$lint" run --config .golangci.yml "$@" ./... || status=1
if [[ -d api ]]; then
  "$lint" run --config .golangci-kal.yml "$@" ./api/... || status=1
fi
exit "$status"
