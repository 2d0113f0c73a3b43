#!/usr/bin/env bash
# The gate for the packages whose correctness the promises rest on: fails unless a test ran every statement of the given
# files and folders, and names the lines that none did. A path of which nothing was measured fails too.
#
#   hack/coverage.sh PROFILE FILE|FOLDER...
set -euo pipefail

profile=$1
shift

# missed PATH prints the lines that no test ran. A profile lists a block once for each test binary.
missed() {
  awk -v path="$1" -v module=github.com/onebid-dev/onebid/ '
    /^mode: / { next }
    NF != 3 || $1 !~ /:[0-9.]+,[0-9.]+$/ { print "not a line of a coverage profile: " $0; next }
    index($1, module path ":") == 1 || index($1, module path "/") == 1 { measured += $2; statements[$1] = $2; hits[$1] += $3 }
    END {
      if (!measured) print path ": no statement was measured; is it still there, and does it have tests?"
      for (block in hits) if (!hits[block] && statements[block]) print "not run by any test: " substr(block, length(module) + 1)
    }' "$profile" | sort -V
}

status=0
for path in "$@"; do
  lines=$(missed "${path%/}")
  if [[ -z $lines ]]; then
    echo "coverage: $path: every statement is covered"
  else
    echo "$lines"
    status=1
  fi
done
exit "$status"
