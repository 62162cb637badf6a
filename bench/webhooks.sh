#!/usr/bin/env bash
# Webhooks: 10,000 events while Orbitra is killed every ten seconds, none of which may be lost, and how many deliveries a
# second are made and stored; what deliveries cost visitors, and a receiver that hangs others; as many deliveries, whole and
# altered, before two libraries of Standard Webhooks, a crate and one for Python. Receivers are little servers on this
# machine; what they get is verified with the crate.
#
#   EVENTS=10000 RECEIVERS=10 ./bench/webhooks.sh [path of the orbitra binary; without it, the one the tests build]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ $# -gt 0 ]; then ORBITRA_TEST_PROGRAM=$(realpath "$1"); export ORBITRA_TEST_PROGRAM; fi
export ORBITRA_TEST_RECEIVERS=${RECEIVERS:-10}
run() { cargo nextest run --locked --test it --no-capture --run-ignored all -E "test(=measured::$1)"; }
ORBITRA_TEST_EVENTS=1000 run webhooks::deliveries_a_second
run webhook_visitors::deliveries_beside_visitors
run webhook_visitors::a_receiver_that_hangs_beside_one_that_does_not
ORBITRA_TEST_EVENTS=${EVENTS:-10000} ORBITRA_TEST_KILL_MILLIS=10000 run webhooks::no_event_is_lost_when_the_process_is_killed
ORBITRA_TEST_DELIVERIES=${EVENTS:-10000} run webhook_judges::python_library_and_crate_take_every_delivery_and_no_altered_one
