#!/usr/bin/env bash
# Lets Orbitra be replaced by another process of itself again and again while visitors come, and counts the requests that
# fail and the connections that are refused. Containers are little servers behind Docker's API of the test's own. Sends
# requests to loopback only.
#
#   UPGRADES=20 RATE=1000 ./bench/upgrade.sh [path of the orbitra binary; without it, the one the tests build]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ $# -gt 0 ]; then ORBITRA_TEST_PROGRAM=$(realpath "$1"); export ORBITRA_TEST_PROGRAM; fi
exec cargo nextest run --locked --test it --run-ignored all --no-capture -E 'test(/^measured::upgrade::/)'
