#!/usr/bin/env bash
# Measures how long it takes until visitors get another deployment: from a container that runs, and from a stopped one.
# Needs Docker with the base images. Sends requests to loopback only.
#
#   ROUNDS=20 ./bench/rollback.sh [path of the orbitra binary; without it, the one the tests build]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ $# -gt 0 ]; then ORBITRA_TEST_PROGRAM=$(realpath "$1"); export ORBITRA_TEST_PROGRAM; fi
exec cargo nextest run --locked --test it --run-ignored all --no-capture -E 'test(/^measured::rollback::/)'
