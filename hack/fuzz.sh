#!/usr/bin/env bash
# Fuzzes every target of the module in turn for FUZZTIME each (default 3m), says how far it is, and ends with a table.
# What fails is written as a new seed into the target's testdata, to be committed with its mend. Arguments choose targets
# by a part of their name, for example: make fuzz FUZZTIME=10m ARGS='Money Name'
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly each=${FUZZTIME:-3m}
readonly logs=bin/fuzz
mkdir -p "$logs"

wanted() { # whether one of the arguments is a part of the name; without arguments all are wanted
  local name=$1 part
  shift
  (($# == 0)) && return
  for part in "$@"; do
    [[ $name == *"$part"* ]] && return
  done
  return 1
}

targets=()
while IFS=: read -r file _ line; do
  name=${line#func }
  name=${name%%(*}
  if wanted "$name" "$@"; then targets+=("./$(dirname "$file") $name"); fi
done < <(grep -rn --include='*_test.go' '^func Fuzz' api internal pkg cmd test)
if ((${#targets[@]} == 0)); then
  echo "fuzz: no target has a name like: $*" >&2
  exit 2
fi

echo "fuzz: ${#targets[@]} targets, $each each; logs are in $logs"
status=0 table=''
for i in "${!targets[@]}"; do
  read -r package name <<<"${targets[i]}"
  log=$logs/$(basename "$package").$name.log
  echo "fuzz: [$((i + 1))/${#targets[@]}] $name of $package"
  verdict='nothing found'
  # Every tenth of go's lines, which come every three seconds, is enough to see that it goes on.
  if ! go test "$package" -run '^$' -fuzz "^$name\$" -fuzztime "$each" ${FUZZPARALLEL:+-parallel "$FUZZPARALLEL"} 2>&1 |
    tee "$log" | awk '!/^fuzz: elapsed/ { print; next } ++n % 10 == 0 { print "  " $0; fflush() }'; then
    # Before 1.27 go may report its own deadline as an error (golang/go#75804). What is found comes with its input.
    if grep -q 'context deadline exceeded' "$log" && ! grep -q 'Failing input' "$log"; then
      echo "fuzz: the time was up, which go calls a failure; no input failed"
    else
      verdict='FAILED' status=1
    fi
  fi
  execs=$(sed -n 's/.*execs: \([0-9]*\).*/\1/p' "$log" | tail -n 1)
  table+=$(printf '%-14s %12s execs  %s %s' "$verdict" "${execs:-0}" "$package" "$name")$'\n'
done
printf '== summary\n%s' "$table"
exit "$status"
