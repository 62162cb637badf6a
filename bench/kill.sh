#!/usr/bin/env bash
# Kills Orbitra at random moments while projects are deployed, changed, visited and removed, and looks whether anything
# that was acknowledged is lost: what bench/RESULTS.md tells of kill -9. Containers are little servers behind Docker's API
# of the test's own, so that a thousand kills take minutes. Sends requests to loopback only.
#
#   KILLS=1000 ./bench/kill.sh [path of the orbitra binary; without it, the one the tests build]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ $# -gt 0 ]; then ORBITRA_TEST_PROGRAM=$(realpath "$1"); export ORBITRA_TEST_PROGRAM; fi
export ORBITRA_TEST_KILLS=${KILLS:-1000}
exec cargo nextest run --locked --test it --no-capture -E 'test(=faults::random_kills::no_moment_is_the_wrong_one)'
