#!/usr/bin/env bash
# Prints where redis-server is, for the tests of the Redis lock. Where there is none, root gets it from Debian's package;
# it is not started.
set -euo pipefail

if ! command -v redis-server; then
  if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
    echo "redis: no redis-server here; install the package redis-server, as root with: apt-get install redis-server" >&2
    exit 1
  fi
  echo "redis: installing Debian's package redis-server" >&2
  {
    apt-get update
    # The package would start a server of its own, on the usual port.
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends redis-server
  } >&2
  command -v redis-server
fi
