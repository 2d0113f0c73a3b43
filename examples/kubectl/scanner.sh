#!/usr/bin/env bash
# A scanner that needs only kubectl. It reads one posting per line, with tabs between ID, price, currency and proposal, and
# creates a Bid for each that has none:
#
#   scanner.sh NAMESPACE MARKETPLACE <postings.tsv
#
# Any number may run at once, and repeatedly. It fails when a Bid could not be created.
set -euo pipefail
export LC_ALL=C # bytes, not characters

if (($# != 2)); then
  echo "usage: scanner.sh NAMESPACE MARKETPLACE <postings.tsv" >&2
  exit 2
fi
namespace=$1 marketplace=$2

# The one legal name of the Bid on a posting: <marketplace>.<id> when the ID is a DNS label, else <marketplace>.x.<hex>.
name() {
  if [[ $1 =~ ^[a-z0-9]([-a-z0-9]*[a-z0-9])?$ ]]; then
    echo "$marketplace.$1"
  else
    echo "$marketplace.x.$(printf %s "$1" | od -An -v -tx1 | tr -d ' \n')"
  fi
}

# A JSON string. kubectl refuses what is not valid.
json() {
  local text=${1//\\/\\\\}
  printf '"%s"' "${text//\"/\\\"}"
}

bid() {
  local id=$1 amount=$2 currency=$3 proposal=$4 name answer
  name=$(name "$id")
  if answer=$(kubectl --namespace "$namespace" create --filename - 2>&1 <<EOF
{
  "apiVersion": "onebid.dev/v1alpha1",
  "kind": "Bid",
  "metadata": {"name": $(json "$name")},
  "spec": {
    "marketplace": $(json "$marketplace"),
    "postingID": $(json "$id"),
    "price": {"amount": $(json "$amount"), "currency": $(json "$currency")},
    "proposal": $(json "$proposal")
  }
}
EOF
  ); then
    echo "$name created"
  elif [[ $answer == *"(AlreadyExists)"* ]]; then
    # Another client was faster, or this is a repetition.
    echo "$name has a Bid already"
  else
    echo "$name failed: $answer" >&2
    return 1
  fi
}

failed=0
while IFS=$'\t' read -r id amount currency proposal; do
  bid "$id" "$amount" "$currency" "$proposal" </dev/null || failed=1
done
exit "$failed"
