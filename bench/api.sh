#!/usr/bin/env bash
# Measures the API: GET /projects with a key beside a bare axum handler that returns the same bytes,
# acknowledged durable writes, and list pages of small and large instances. Needs wrk, curl and
# python3; sends requests to loopback only.
#
#   ./bench/api.sh
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$here/target}
seconds=${SECONDS_EACH:-5}
runs=${RUNS:-3}
work=$(mktemp -d)
pids=()

cleanup() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT

command -v wrk >/dev/null || { echo "error: wrk is missing: apt-get install wrk" >&2; exit 1; }
cargo build --release --quiet --bin orbitra --example bare_axum --example durable_writes --manifest-path "$here/Cargo.toml"
binary=$target/release/orbitra

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
answers() { for _ in $(seq 500); do curl -fsS -o /dev/null "$@" 2>/dev/null && return; sleep 0.02; done; return 1; }

# instance NAME PROJECTS DEPLOYMENTS: a server with that many rows; sets $url and $key.
instance() {
  local port data=$work/$1 user
  port=$(free_port)
  export ORBITRA_DATA=$data ORBITRA_LISTEN=127.0.0.1:$port ORBITRA_LOG=warn
  export ORBITRA_DOCKER_HOST=unix://$work/no-engine.sock
  user=$("$binary" admin create-user --email bench@example.com --name Bench --plan enterprise)
  key=$("$binary" admin create-key --user "$user" --name bench --scopes full)
  python3 "$here/bench/seed.py" "$data/orbitra.db" "$user" "$2" "$3"
  "$binary" serve >/dev/null 2>"$work/$1.log" &
  pids+=($!)
  url=http://127.0.0.1:$port/api/v1
  answers "$url/health"
}

# load URL [HEADER]: requests a second and the 99th percentile in ms.
load() {
  wrk -t1 -c64 -d"${seconds}s" --latency ${2:+-H "$2"} "$1" |
    awk '/99%/ { v = $2; if (v ~ /us$/) v = v / 1000; else if (v ~ /ms$/) v = v + 0; else v = v * 1000; p99 = v }
         /Requests\/sec/ { rate = $2 } /Non-2xx/ { bad = $0 } END { printf "%.0f %.2f %s\n", rate, p99, bad }'
}

echo "GET /projects with 45 projects at 64 connections: requests/s, p99 in ms"
instance list 45 45
curl -fsS "$url/projects" -H "Authorization: Bearer $key" >"$work/bytes"
bare=$(free_port)
"$target/release/examples/bare_axum" "127.0.0.1:$bare" "$work/bytes" &
pids+=($!)
answers "http://127.0.0.1:$bare/projects"
for _ in $(seq "$runs"); do
  one=$(load "http://127.0.0.1:$bare/projects")
  two=$(load "$url/projects" "Authorization: Bearer $key")
  echo "  bare: $one   orbitra: $two   ratio: $(echo "$one $two" | awk '{ printf "%.2f", $3 / $1 }')"
done

echo "durable writes a second, one client, 64 clients, ratio"
mkdir "$work/writes"
"$target/release/examples/durable_writes" "$work/writes" "$seconds" | sed 's/^/  /'

echo "one list page, median of 200 in ms, small instance (10 rows) and large"
page() { python3 "$here/bench/page.py" "$1" "$key" "$2"; }
instance small 10 10
a=$(page "$url" "/projects?limit=10") b=$(page "$url" "/deployments?limit=10")
instance projects 10000 10
c=$(page "$url" "/projects?limit=10")
instance deployments 10 100000
d=$(page "$url" "/deployments?limit=10")
echo "  projects: 10: $a   10,000: $c   ratio $(echo "$a $c" | awk '{ printf "%.2f", $2 / $1 }')"
echo "  deployments: 10: $b   100,000: $d   ratio $(echo "$b $d" | awk '{ printf "%.2f", $2 / $1 }')"
