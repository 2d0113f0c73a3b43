#!/usr/bin/env bash
# Runs all tests and then the coverage gate. Arguments go to `go test`, for example: make test ARGS='-run TestPlace -v'
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Benchmarks measure time, crash tests kill processes that they built themselves, and the model and the simulation search
# as much as time allows: in all of these the race detector would only be in the way.
readonly not_raced='/test/(bench|crash|model|simulation)(/|$)'
gated=(api/v1alpha1/key.go internal/bidding internal/ownership)
# The SDK, but not the lock backends below it: a bid does not depend on them.
for file in pkg/scanner/*.go; do
  [[ $file == *_test.go || $file == */doc.go ]] || gated+=("$file")
done

race=()
if [[ $(go env CGO_ENABLED) == 1 ]] && command -v "$(go env CC)" >/dev/null; then
  race=(-race)
else
  echo "test: without the race detector, which needs cgo and a C compiler" >&2
fi

# These wait most of their time for managers: first and beside the others, so that a processor is never idle.
readonly waiting='/test/(scenarios|integration/(lifecycle|scanners))$'

mapfile -t packages < <(go list ./...)
first=() then=() rest=()
for package in "${packages[@]}"; do
  if [[ $package =~ $not_raced ]]; then
    rest+=("$package")
  elif [[ $package =~ $waiting ]]; then
    first+=("$package")
  else
    then+=("$package")
  fi
done
at_once=$(($(nproc 2>/dev/null || echo 2) + 1))

# A second, which is Gomega's own, is not long on a machine that does all of this at once.
export GOMEGA_DEFAULT_EVENTUALLY_TIMEOUT=${GOMEGA_DEFAULT_EVENTUALLY_TIMEOUT:-30s}

mkdir -p bin
status=0
# `make verify` has vetted everything.
go test "${race[@]}" -vet=off -p "$at_once" -timeout 20m -covermode=atomic -coverprofile=bin/coverage.out "$@" \
  "${first[@]}" "${then[@]}" || status=1
if ((${#rest[@]} > 0)); then
  go test -vet=off -timeout 20m "$@" "${rest[@]}" || status=1
fi
if ((status != 0)); then
  echo "test: failed, see above" >&2
  exit 1
fi
if (($# > 0)); then
  echo "test: no coverage gate, since ARGS may have left tests out" >&2
  exit 0
fi
hack/coverage.sh bin/coverage.out "${gated[@]}"
