#!/usr/bin/env bash
# Provides the control plane that tests and demos run against: kube-apiserver, etcd, kubectl and
# kube-controller-manager. Prints the directory that holds it on standard output; everything for people goes to
# standard error. The order of preference, and why it is this one, is in docs/decisions/0001-control-plane-from-modules.md.
#
#   hack/controlplane/build.sh          make sure it is there, print the directory
#   hack/controlplane/build.sh --path   print the directory only, build nothing
#
#   KUBEBUILDER_ASSETS       a directory with these binaries; wins when set
#   ONEBID_SETUP_ENVTEST=1   try setup-envtest's download before building (it brings no kube-controller-manager)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
out=$root/bin/controlplane

readonly required=(kube-apiserver etcd kubectl)

say() { echo "controlplane: $*" >&2; }

fail() {
  say "$*"
  exit 1
}

# check_assets DIR: complains about what DIR lacks.
check_assets() {
  local dir=$1 name missing=()
  for name in "${required[@]}"; do
    [[ -x $dir/$name ]] || missing+=("$name")
  done
  if ((${#missing[@]} > 0)); then
    say "$dir lacks ${missing[*]}"
    return 1
  fi
  [[ -x $dir/kube-controller-manager ]] ||
    say "note: $dir has no kube-controller-manager; 'make dev' and tests of namespace deletion need one"
}

usual_time() {
  case "$1" in
    kube-apiserver) echo "4 to 9 minutes" ;;
    kube-controller-manager) echo "1 to 3 minutes" ;;
    *) echo "half a minute" ;;
  esac
}

# heartbeat NAME LOG TOTAL: a sign of life every 15 s, since the compiler itself says nothing for minutes.
heartbeat() {
  local name=$1 log=$2 total=$3 started=$SECONDS next=15
  # Naps of a second, so that none outlives the build for long and keeps the terminal waiting.
  while sleep 1; do
    ((SECONDS - started >= next)) || continue
    say "  $name: $((SECONDS - started)) s, compiled $(wc -l <"$log") packages (at most $total in all)"
    next=$((SECONDS - started + 15))
  done
}

# build NAME PACKAGE: the binary appears under its own name only when it is complete, so an interrupted run costs at
# most one binary, and of that only the packages that were not compiled yet.
build() {
  local name=$1 package=$2 log=$out/.$1.log started=$SECONDS beat status=0
  if [[ -x $out/$name && $(cat "$out/.$name.stamp" 2>/dev/null) == "$stamp" ]]; then
    return
  fi
  say "building $name for $GOOS/$GOARCH; usually $(usual_time "$name") the first time on two cores, seconds afterwards"
  local total
  total=$(go list -deps "$package" | wc -l)
  : >"$log"
  heartbeat "$name" "$log" "$total" 9>&- &
  beat=$!
  trap 'kill "$beat" 2>/dev/null || true' EXIT
  CGO_ENABLED=0 go build -v -trimpath -ldflags "$ldflags" -o "$out/.$name.new" "$package" 2>"$log" || status=$?
  kill "$beat" 2>/dev/null || true
  wait "$beat" 2>/dev/null || true
  trap - EXIT
  if ((status != 0)); then
    tail -n 20 "$log" >&2
    fail "building $name failed, see above; running the same command again continues where it stopped"
  fi
  mv "$out/.$name.new" "$out/$name"
  echo "$stamp" >"$out/.$name.stamp"
  rm -f "$log"
  say "$name is ready after $((SECONDS - started)) s"
}

# try_setup_envtest VERSION: prints the directory when the download worked.
try_setup_envtest() {
  local setup dir
  setup=$("$root/hack/tools/install.sh" setup-envtest) || return 1
  say "asking setup-envtest for Kubernetes $1"
  dir=$("$setup" use "${1#v}" --bin-dir "$root/bin/envtest" --print path) || return 1
  check_assets "$dir" || return 1
  echo "$dir"
}

if [[ ${1:-} == --path ]]; then
  echo "${KUBEBUILDER_ASSETS:-$out}"
  exit 0
fi

if [[ -n ${KUBEBUILDER_ASSETS:-} ]]; then
  check_assets "$KUBEBUILDER_ASSETS" ||
    fail "KUBEBUILDER_ASSETS must name a directory with ${required[*]}; unset it to have them built"
  say "using kube-apiserver, etcd and kubectl from KUBEBUILDER_ASSETS ($KUBEBUILDER_ASSETS)"
  echo "$KUBEBUILDER_ASSETS"
  exit 0
fi

command -v go >/dev/null || fail "Go is not installed, or not on PATH"
cd "$here"

# What is built runs on this machine, whatever the caller is cross-compiling for.
export GOOS GOARCH
GOOS=$(go env GOHOSTOS) GOARCH=$(go env GOHOSTARCH)

version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
etcd_version=$(go list -m -f '{{.Version}}' go.etcd.io/etcd/server/v3)
stamp="kubernetes $version etcd $etcd_version $GOOS/$GOARCH $(cat go.mod go.sum | git hash-object --stdin)"

# Without these the API server calls itself v0.0.0 and clients that compare versions misjudge it.
IFS=. read -r major minor _ <<<"${version#v}"
ldflags="-s -w -X k8s.io/component-base/version.gitVersion=$version -X k8s.io/component-base/version.gitMajor=$major"
ldflags+=" -X k8s.io/component-base/version.gitMinor=$minor -X k8s.io/client-go/pkg/version.gitVersion=$version"

if [[ ${ONEBID_SETUP_ENVTEST:-} == 1 ]]; then
  if dir=$(try_setup_envtest "$version"); then
    echo "$dir"
    exit 0
  fi
  say "setup-envtest could not provide it; building from Go modules instead"
fi

mkdir -p "$out"
if command -v flock >/dev/null; then
  exec 9>"$out/.lock"
  flock --nonblock 9 || {
    say "another build is under way; waiting for it"
    flock 9
  }
fi

# One after the other: two of these at once need more memory than a laptop has to spare, and gain no time.
build etcd go.etcd.io/etcd/server/v3
build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
build kubectl k8s.io/kubernetes/cmd/kubectl
build kube-controller-manager k8s.io/kubernetes/cmd/kube-controller-manager
check_assets "$out" || fail "the build finished, but the binaries are not there"
echo "$out"
