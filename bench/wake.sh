#!/usr/bin/env bash
# Measures what sleeping costs and how long waking takes, on real Docker: the first request to a deployment that is
# paused and to one that is stopped, a rollback to one that is paused, and what 1,000 sleeping deployments take of
# processor and memory. Needs Docker with the base images (tests/base-images.sh), git, curl and python3.
#
#   RUNS=15 ./bench/wake.sh [path of the orbitra binary]
set -euo pipefail

# shellcheck source=bench/instance.sh
. "$(dirname "$0")/instance.sh"

need_images node:22-bookworm-slim
# Looks come each quarter of a second, so that nothing is waited for longer than it must be.
export ORBITRA_SLEEP_AFTER=1 ORBITRA_STOP_AFTER=3600

# serve: the server anew, with the settings of now.
serve() {
  if [ -n "$server" ]; then kill "$server"; wait "$server" 2>/dev/null || true; fi
  "$binary" serve &
  server=$!
  until curl -fs -o /dev/null "http://127.0.0.1:$port/health"; do sleep 0.02; done
}
# state DEPLOYMENT: `true false` runs, `true true` is paused, `false false` is stopped.
state() { "$docker" inspect -f '{{.State.Running}} {{.State.Paused}}' "orbitra-$1"; }
wait_for() { until [ "$(state "$1")" = "$2" ]; do sleep 0.05; done; }
# visit HOST: milliseconds of a request that is answered with 200.
visit() {
  curl -fsS -o /dev/null -w '%{time_total}' -H "Host: $1" "http://127.0.0.1:$port/" | awk '{ printf "%.1f\n", $1 * 1000 }'
}
spread() { sort -n | awk '{ v[NR] = $1 } END { printf "median %.1f, %.1f to %.1f\n", v[int((NR + 1) / 2)], v[1], v[NR] }'; }
# Processor time of the server so far, in milliseconds, and its memory in MB.
cpu() { awk -v tick="$(getconf CLK_TCK)" '{ sub(/^.*\) /, ""); print ($12 + $13) * 1000 / tick }' "/proc/$server/stat"; }
memory() { awk '/^VmRSS/ { printf "%.1f\n", $2 / 1024 }' "/proc/$server/status"; }
# Lets a started server come to rest and prints processor time of 10 s and memory.
at_rest() {
  local before
  sleep 20
  before=$(cpu)
  sleep 10
  echo "$(($(cpu) - before)) ms of processor time in 10 s, $(memory) MB"
}

start
machine
mkdir -p "$work/sleepy"
cp -r "$here/examples/dockerfile-hello/." "$work/sleepy"
repository sleepy
project sleepy
one=$(deploy sleepy)
live "$one" >/dev/null
commit "$work/sleepy"
push sleepy
two=$(deploy sleepy)
live "$two" >/dev/null
host=$(curl -fsS "$api/deployments/$one" -H "$auth" | field url | sed 's,.*//,,; s,:.*,,')

echo "first request to a paused deployment, ms:"
for _ in $(seq "$runs"); do wait_for "$one" "true true"; visit "$host"; done | tee "$work/paused" | tr '\n' ' '
echo; echo "  $(spread <"$work/paused")"
echo "the next request, ms: $(visit "$host")"
echo "the engine's own call that lets it go on, by hand, ms:"
for _ in $(seq "$runs"); do
  wait_for "$one" "true true"
  curl -fsS -o /dev/null -w '%{time_total}' -X POST --unix-socket "${DOCKER_SOCKET:-/var/run/docker.sock}" \
    "http://docker/containers/orbitra-$one/unpause" | awk '{ printf "%.1f\n", $1 * 1000 }'
  visit "$host" >/dev/null
done | tee "$work/engine" | tr '\n' ' '
echo; echo "  $(spread <"$work/engine")"

echo "rollback to a paused deployment, from the request until it is live, ms:"
target=$one other=$two
for _ in $(seq "$runs"); do
  wait_for "$target" "true true"
  begin=$(now)
  curl -fsS -o /dev/null -X POST "$api/projects/sleepy/rollback" -H "$auth" -H "$json" -d "{\"deployment_id\":\"$target\"}"
  until [ "$(curl -fsS "$api/deployments/$target" -H "$auth" | field status)" = live ]; do :; done
  echo $(($(now) - begin))
  swap=$target target=$other other=$swap
done | tee "$work/rollback" | tr '\n' ' '
echo; echo "  $(spread <"$work/rollback")"

export ORBITRA_STOP_AFTER=0
serve
sleeper=$one
[ "$(curl -fsS "$api/deployments/$one" -H "$auth" | field status)" = live ] && sleeper=$two
host=$(curl -fsS "$api/deployments/$sleeper" -H "$auth" | field url | sed 's,.*//,,; s,:.*,,')
echo "first request to a stopped deployment, ms:"
for _ in $(seq "$runs"); do wait_for "$sleeper" "false false"; visit "$host"; done | tee "$work/stopped" | tr '\n' ' '
echo; echo "  $(spread <"$work/stopped")"
echo "the same container by hand, docker start until its first 200, ms:"
for _ in $(seq "$runs"); do
  wait_for "$sleeper" "false false"
  begin=$(now)
  "$docker" start "orbitra-$sleeper" >/dev/null
  address=$("$docker" inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "orbitra-$sleeper")
  until curl -fs -o /dev/null "http://$address:3000/"; do :; done
  echo $(($(now) - begin))
  "$docker" stop -t 5 "orbitra-$sleeper" >/dev/null
done | tee "$work/hand" | tr '\n' ' '
echo; echo "  $(spread <"$work/hand")"

kill "$server"; wait "$server" 2>/dev/null || true; server=
export ORBITRA_DATA=$work/rest ORBITRA_SLEEP_AFTER=300 ORBITRA_STOP_AFTER=1800
user=$("$binary" admin create-user --email bench@example.com --name Bench)
serve
echo "at rest with nothing: $(at_rest)"
kill "$server"; wait "$server" 2>/dev/null || true; server=
python3 "$here/bench/seed.py" "$work/rest/orbitra.db" "$user" 100 1000
serve
echo "at rest with 1,000 sleeping deployments: $(at_rest)"
