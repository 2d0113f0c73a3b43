#!/usr/bin/env bash
# Deletes what a kustomization installed, but only when no Bid is left. Without its manager a Bid is never withdrawn and
# its finalizer never goes, so removing first would strand live bids and leave the CRDs hanging in deletion.
#
#   hack/remove.sh KUBECTL config/default
set -euo pipefail

kubectl=$1 kustomization=$2

if "$kubectl" get crd bids.onebid.dev >/dev/null 2>&1; then
  bids=$("$kubectl" get bids.onebid.dev --all-namespaces --output name)
  if [[ -n $bids ]]; then
    echo "remove: $(wc -l <<<"$bids") Bids still exist, and each may be live at its marketplace." >&2
    echo "remove: delete them first and let the manager withdraw them:" >&2
    echo "  $kubectl delete bids --all --all-namespaces" >&2
    exit 1
  fi
fi
"$kubectl" delete --ignore-not-found -k "$kustomization"
