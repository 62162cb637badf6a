#!/usr/bin/env bash
# Redeploys an application again and again while visitors come, and counts the requests that fail.
# Needs Docker with the base images. Sends requests to loopback only.
#
#   REDEPLOYS=100 RATE=1000 ./bench/redeploy.sh [path of the orbitra binary; without it, the one the tests build]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ $# -gt 0 ]; then ORBITRA_TEST_PROGRAM=$(realpath "$1"); export ORBITRA_TEST_PROGRAM; fi
exec cargo nextest run --locked --test it --run-ignored all --no-capture -E 'test(/^measured::redeploy::/)'
