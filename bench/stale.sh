#!/usr/bin/env bash
# Sends requests through the proxy to an upstream that closes its connections at random, and counts those that fail.
# The proxy is the one the tests build. Sends requests to loopback only.
#
#   REQUESTS=1000000 ./bench/stale.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec cargo nextest run --locked --test it --run-ignored all --no-capture -E 'test(/^measured::stale::/)'
