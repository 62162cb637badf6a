#!/usr/bin/env bash
# Measures the proxy beside nginx, HAProxy and Caddy: processor time of a request, requests a second and the 99th
# percentile, over plain HTTP and HTTPS, with small and large bodies. Each proxy has one core, the load generator and the
# application (nginx in a container) have another; every proxy writes its access log. Orbitra has 1,000 projects. The
# proxies take short turns, and ratios are of one round: the machine may be busy with other things. Needs Docker with the base images, nginx, haproxy, caddy, wrk, h2load and openssl. Sends requests to this machine only.
#
#   SECONDS_EACH=3 ROUNDS=9 ./bench/proxy.sh [path of the orbitra binary]
set -euo pipefail

# shellcheck source=bench/instance.sh
. "$(dirname "$0")/instance.sh"
# shellcheck source=bench/proxies.sh
. "$(dirname "$0")/proxies.sh"

seconds=${SECONDS_EACH:-3}
rounds=${ROUNDS:-9}
connections=64

need_images debian:bookworm-slim
need nginx haproxy caddy wrk h2load openssl taskset
export ORBITRA_ACCESS_LOG=true ORBITRA_BASE_DOMAIN=apps.test ORBITRA_DASHBOARD_HOST=127.0.0.1
https=127.0.0.1:$(free_port)
machine
start
user=$(python3 -c 'import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute("SELECT id FROM users").fetchone()[0])' "$work/data/orbitra.db")
python3 "$here/bench/seed.py" "$work/data/orbitra.db" "$user" 1000 1000
application_image
project web
live "$(deploy web)" >/dev/null
container=$("$docker" ps -q --filter "label=orbitra.instance=$(cat "$work/data/instance")")
application=$("$docker" inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$container")
"$docker" update --cpuset-cpus 1 "$container" >/dev/null
certificate
"$binary" admin set-certificate --chain "$work/chain.pem" --key "$work/key.pem" >/dev/null
trap stop_proxies EXIT

# serve [NAME=VALUE]: Orbitra anew, on one core: it makes as many threads as it may use cores.
serve() {
  kill "$server"; wait "$server" 2>/dev/null || true
  env "$@" taskset -c 0 "$binary" serve &
  # shellcheck disable=SC2034  # Read by their names.
  server=$! orbitra_pid=$! orbitra_http=$port orbitra_https=${https##*:}
  until curl -fs -o /dev/null "http://127.0.0.1:$port/health"; do sleep 0.05; done
}
start_nginx "$application" "$connections"
start_haproxy "$application"
start_caddy "$application"

# measure NAME PID PORT SCHEME PATH: name, microseconds of processor time a request, requests a second, 99th percentile
# in milliseconds, and failed requests.
measure() {
  local before after out
  before=$(spent "$2")
  out=$(load "$3" "$4" "$5")
  after=$(spent "$2")
  awk -v name="$1" -v spent=$((after - before)) -v s="$seconds" '
    { of[$1] = $2 }
    END { n = of["requests"]; if (n > 0) print name, spent / 1e3 / n, n / s, of["p99"], of["failed"]; else print name, "none" }' <<<"$out"
}

# summary: of the rounds' lines, the medians of each proxy, and of its processor time beside that of nginx in the same round.
summary() {
  python3 -c '
import collections, statistics, sys
rounds = collections.defaultdict(list)
lines = [line.split() for line in sys.stdin]
turns = [lines[start:start + 4] for start in range(0, len(lines), 4)]
# A round in which one of them answered nothing compares nothing.
for name, *values in [line for turn in turns if all(len(line) == 5 for line in turn) for line in turn]:
    rounds[name].append([float(value) for value in values])
for name, values in rounds.items():
    ratios = [own[0] / nginx[0] for own, nginx in zip(values, rounds["nginx"])]
    tails = [own[2] / nginx[2] for own, nginx in zip(values, rounds["nginx"])]
    time, rate, tail = (statistics.median(column) for column in list(zip(*values))[:3])
    print(f"  {name:8} {time:7.1f} µs  {rate:8.0f} a second  p99 {tail:6.1f} ms  failed {sum(one[3] for one in values):.0f}"
          f"  beside nginx: time {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}), p99 {statistics.median(tails):.2f}")
'
}

# load PORT SCHEME PATH: prints requests, p99 in milliseconds, and failed.
load() {
  local protocol='' clients=$connections
  case $2 in
    http)
      taskset -c 1 wrk -t 1 -c "$connections" -d "${seconds}s" --latency -H "Host: web.apps.test" "http://127.0.0.1:$1$3" |
        awk '
          /99%/ { unit = $2 ~ /us$/ ? 0.001 : $2 ~ /ms$/ ? 1 : 1000; print "p99", ($2 + 0) * unit }
          /requests in/ { print "requests", $1 }
          /Non-2xx/ { failed += $NF }
          /Socket errors/ { gsub(",", ""); failed += $4 + $6 + $8 + $10 }
          END { print "failed", failed + 0 }' ;;
    https) protocol=--h1 ;;&
    # As many requests at a time as over HTTP/1.1: more would measure how each proxy opens connections.
    h2) protocol=-m8 clients=$((connections / 8)) ;;&
    https | h2)
      rm -f "$work/times"
      taskset -c 1 h2load -t 1 -c "$clients" $protocol -D "$seconds" --log-file "$work/times" \
        --connect-to "127.0.0.1:$1" "https://web.apps.test:$1$3" >"$work/h2load" 2>&1
      awk '$2 != 200 { failed++ } END { print "requests", NR; print "failed", failed + 0 }' "$work/times"
      awk '{ print $3 }' "$work/times" | sort -n | awk '{ v[NR] = $1 } END { print "p99", v[int(NR * 0.99)] / 1000 }' ;;
  esac
}

read -ra cases <<<"${CASES:-http/small http/large https/small https/large h2/small h2/large}"
for case in "${cases[@]}"; do
  scheme=${case%%/*} path=/${case#*/}
  if [ "$scheme" = http ]; then serve; else serve "ORBITRA_LISTEN_TLS=$https"; fi
  echo "$case: medians of $rounds rounds"
  for _ in $(seq "$rounds"); do
    for proxy in orbitra nginx haproxy caddy; do
      pid=${proxy}_pid; plain=${proxy}_http; tls=${proxy}_https
      at=${!tls}
      [ "$scheme" != http ] || at=${!plain}
      measure "$proxy" "${!pid}" "$at" "$scheme" "$path"
    done
  done | summary
done
