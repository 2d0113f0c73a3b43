#!/usr/bin/env bash
# All checks that need no control plane. Every check runs even if an earlier one failed, so that one run shows all there
# is to mend; nothing in the work tree is changed.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# tracked PATTERN...: files of the project, those not added to git yet included.
tracked() { git ls-files --cached --others --exclude-standard -z -- "$@" | while IFS= read -r -d '' f; do
  # A file that was deleted but not yet committed is still listed.
  [[ ! -e $f ]] || printf '%s\0' "$f"
done; }

generated() {
  local file stale=0
  mkdir "$scratch/tree"
  tracked | xargs -0 cp --parents --target-directory "$scratch/tree"
  # Files that generation no longer produces must show as well, so both directions are compared.
  cp -R "$scratch/tree" "$scratch/before"
  hack/generate.sh "$scratch/tree"
  diff --recursive --unified "$scratch/before" "$scratch/tree" >"$scratch/drift" || stale=1
  if ((stale)); then
    head -n 60 "$scratch/drift" | sed -e "s#$scratch/before/##" -e "s#$scratch/tree/##"
    echo "generated files are out of date: run 'make generate' and commit the result"
  fi
  return "$stale"
}

formatted() {
  local files
  files=$(tracked '*.go' | xargs -0 gofmt -s -l)
  [[ -z $files ]] || {
    echo "not formatted (run 'gofmt -s -w'):"
    echo "$files"
    return 1
  }
}

vet() { go vet ./...; }

tidy() {
  local module status=0
  while IFS= read -r -d '' module; do
    (cd "$(dirname "$module")" && go mod tidy -diff >"$scratch/tidy" 2>&1) || {
      grep -E '^[-+]|^go:' "$scratch/tidy" | head -n 20
      echo "$module is not tidy: run 'go mod tidy' in its folder"
      status=1
    }
  done < <(tracked 'go.mod' '*/go.mod')
  return "$status"
}

lint() { hack/lint.sh; }

# golangci-lint can hold all files to one length only, and a test may be longer than what it tests.
lengths() {
  local long
  long=$(tracked '*_test.go' | xargs -0 -r wc -l | awk '$1 > 500 && $2 != "total" {print $2 ": " $1 " lines"}')
  [[ -z $long ]] || {
    echo "test files of more than 500 lines; is there a second subject in them?"
    echo "$long"
    return 1
  }
}

manifests() {
  local kustomize file status=0
  kustomize=$(hack/tools/install.sh kustomize)
  while IFS= read -r -d '' file; do
    "$kustomize" build "$(dirname "$file")" >/dev/null || {
      echo "$file does not build"
      status=1
    }
  done < <(tracked 'config/**/kustomization.yaml')
  return "$status"
}

scripts() {
  if ! command -v shellcheck >/dev/null; then
    echo "skipped: shellcheck is not installed"
    return
  fi
  # A page of the docs quotes scripts that are files of their own.
  tracked | grep -zv '\.md$' | xargs -0 grep -lIE --null '^#!/(usr/bin/env |bin/)(bash|sh)$' | xargs -0 -r shellcheck
}

# What belongs to one machine, or to the scaffold that a file was copied from, must not be published.
forbidden() {
  local found=0 host
  local literal=("$root/")
  [[ ${HOME:-/} == / ]] || literal+=("$HOME/")
  # Registries are reached as the machine is set up; none of them is named here.
  for host in $(go env GOPROXY | tr ',|' '  '); do
    host=$(sed -E 's#^[a-z]+://##; s#^[^/]*@##; s#/.*##' <<<"$host")
    case "$host" in direct | off) ;; *) literal+=("$host") ;; esac
  done
  for host in "${literal[@]}"; do
    tracked | xargs -0 grep -nIF -e "$host" -- && found=1
  done
  tracked | xargs -0 grep -nIE -e 'TODO[(]user[)]|EDIT[ ]THIS FILE|^(<<<<<<<|>>>>>>>) ' -- && found=1
  ((found == 0)) || {
    echo "these lines name something of one machine, or are left over from a scaffold or a merge"
    return 1
  }
}

failed=()
check() {
  local title=$1 started=$SECONDS log=$scratch/log status=0
  shift
  "$@" >"$log" 2>&1 || status=$?
  if ((status == 0)); then
    printf 'verify: ok    %-26s %4d s  %s\n' "$title" $((SECONDS - started)) "$(grep -m1 '^skipped' "$log" || true)"
    return
  fi
  failed+=("$title")
  printf 'verify: WRONG %-26s %4d s\n' "$title" $((SECONDS - started))
  sed 's/^/    /' "$log"
}

# A function that is called in a condition ignores `set -e`, so every check runs in a shell of its own.
run() { check "$1" bash -euo pipefail -c "$(declare -f tracked "$2"); root=$(printf %q "$root") scratch=$(printf %q "$scratch"); $2"; }

run "generated files" generated
run "gofmt" formatted
run "go vet" vet
run "go mod tidy" tidy
run "lint" lint
run "length of test files" lengths
run "kustomizations" manifests
run "shellcheck" scripts
run "nothing local or left over" forbidden

if ((${#failed[@]} > 0)); then
  (IFS=,; echo "verify: failed: ${failed[*]}") >&2
  exit 1
fi
echo "verify: all is well"
