#!/usr/bin/env bash
# Floods Orbitra in every way that tests/it/support/floods.rs knows, and shows what a visitor of another application
# notices (99th percentile of the time until an answer, in turns with quiet seconds) and how much memory it takes. Orbitra
# has the first core, everybody else the second. Containers are little servers behind Docker's API of the test's own.
# Sends requests to loopback only.
#
#   ROUNDS=3 SECONDS_EACH=4 SLOW=2000 FAST=8 [FLOOD=RapidReset] ./bench/floods.sh [path of the orbitra binary; without it, the one the tests build]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ $# -gt 0 ]; then ORBITRA_TEST_PROGRAM=$(realpath "$1"); export ORBITRA_TEST_PROGRAM; fi
ulimit -n "$(ulimit -Hn)"
exec cargo nextest run --locked --test it --run-ignored all --no-capture -E 'test(/^measured::floods::/)'
