#!/usr/bin/env bash
# Uploads one certificate after the other for a domain while handshakes go on, and counts those that fail. Containers are
# little servers behind Docker's API of the test's own. Sends requests to loopback only.
#
#   SWITCHES=100 ./bench/certificates.sh [path of the orbitra binary; without it, the one the tests build]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ $# -gt 0 ]; then ORBITRA_TEST_PROGRAM=$(realpath "$1"); export ORBITRA_TEST_PROGRAM; fi
exec cargo nextest run --locked --test it --run-ignored all --no-capture -E 'test(/^measured::certificates::/)'
