#!/usr/bin/env bash
# Measures what bench/RESULTS.md tells of builds: what a redeploy costs beyond the application's own build command and
# start, and how slow a running application answers while a build burns all the CPU and memory it may have. Needs Docker
# with the base images, git, curl and python3; sends requests to loopback only.
#
#   cargo build --release
#   ./bench/builds.sh [path of the orbitra binary]
#   PART=burn ./bench/builds.sh          only the second part, in about two and a half minutes
set -euo pipefail

part=${PART:-all}

# shellcheck source=bench/instance.sh
. "$(dirname "${BASH_SOURCE[0]}")/instance.sh"
images=(node:22-bookworm-slim debian:bookworm-slim)
names=(node-pnpm)
if [ "$part" = all ]; then
  images+=(python:3.13-slim-trixie)
  names+=(flask static-site vite)
fi
need_images "${images[@]}"
# What a build may use: it is burnt to the last byte, and half of a large machine would take long to fill.
export ORBITRA_BUILD_MEMORY=${ORBITRA_BUILD_MEMORY:-1024}
start
machine

# A value of the plan of $work/<name>, empty when it has none.
planned() {
  "$binary" plan --json "$work/$1" | python3 -c '
import json, sys
plan = json.load(sys.stdin)
value = plan["output"].get("dockerfile") if sys.argv[1] == "dockerfile" else plan.get(sys.argv[1])
print(value or "")' "$2"
}
# Builds a stage of the plan's Dockerfile by hand, as $tag.
stage() {
  tag=orbitra-bench-$$-$1
  planned "$1" dockerfile |
    DOCKER_BUILDKIT=1 "$docker" build -q --label "orbitra.bench=$$" -t "$tag" "${@:2}" -f - "$work/$1" >/dev/null
}
# Milliseconds that the application's build command takes in the image of its build, packages installed.
own_build() {
  local command
  command=$(planned "$1" build_command)
  [ -n "$command" ] || { echo 0; return; }
  stage "$1" --target build
  "$docker" run --rm --label "orbitra.bench=$$" --entrypoint sh "$tag" -c \
    "begin=\$(date +%s%N); ($command) >/dev/null 2>&1 || exit 1; end=\$(date +%s%N); echo \$(((end - begin) / 1000000))"
}
# Milliseconds from the start of the application's process until it answers.
own_start() {
  local container
  [ "$(planned "$1" start_command)" ] || { echo 0; return; }
  stage "$1"
  container=$("$docker" run -d --init --label "orbitra.bench=$$" -e PORT=3000 "$tag")
  "$docker" inspect -f '{{.State.StartedAt}} {{.NetworkSettings.IPAddress}}' "$container" | python3 -c '
import datetime, http.client, sys, time
started, address = sys.stdin.read().split()
# Nanoseconds are more than the module reads.
started = datetime.datetime.fromisoformat(started[:26].rstrip("Z") + "+00:00").timestamp()
while True:
    try:
        connection = http.client.HTTPConnection(address, 3000, timeout=5)
        connection.request("GET", "/")
        if connection.getresponse().status == 200:
            break
    except OSError:
        time.sleep(0.005)
    if time.time() - started > 60:
        sys.exit("the application does not answer")
print(round((time.time() - started) * 1000))'
  "$docker" rm -f "$container" >/dev/null
}

for name in "${names[@]}"; do
  cp -r "$here/examples/$name" "$work/$name"
  repository "$name"
  project "$name"
  live "$(deploy "$name")" >/dev/null
done

# In rounds, so that a slow minute of the machine does not meet one of them only.
redeploys() {
  for name in "${names[@]}"; do
    own_build "$name" >/dev/null
    own_start "$name" >/dev/null
  done
  echo "redeploy with one changed file, ms (from the POST to live; own: build command and start by hand):"
  for _ in $(seq "$runs"); do
    for name in "${names[@]}"; do
      commit "$work/$name"
      push "$name"
      whole=$(live "$(deploy "$name")")
      commit "$work/$name"
      build=$(own_build "$name")
      start=$(own_start "$name")
      echo "  $name: $whole, own build $build, own start $start, over $((whole - build - start))"
      echo $((whole - build - start)) >>"$work/$name.over"
    done
  done
  for name in "${names[@]}"; do echo "  median of $name: $(median <"$work/$name.over") over"; done
}
if [ "$part" = all ]; then redeploys; fi

# 99th percentile in ms of requests to a project for some seconds, 50 a second, each on time.
p99() {
  python3 - "$port" "$1.localhost" "$2" <<'PY'
import http.client, sys, time
port, host, seconds = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
begin = due = time.monotonic()
times = []
connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
while due < begin + seconds:
    time.sleep(max(0, due - time.monotonic()))
    # From when it was due: a late one counts its waiting.
    connection.request("GET", "/", headers={"Host": host})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200, answer.status
    times.append((time.monotonic() - due) * 1000)
    due += 0.02
times.sort()
print(f"{times[int(len(times) * 0.99)]:.2f}")
PY
}

# Eight processes that compute, and two that fill the build's memory until they are killed, again and again.
mkdir "$work/burn"
cat >"$work/burn/Dockerfile" <<'DOCKERFILE'
FROM debian:bookworm-slim
COPY stamp.txt /
RUN for i in 1 2 3 4 5 6 7 8; do timeout 40 sh -c 'while :; do :; done' & done; \
    for i in 1 2; do timeout 40 sh -c 'while :; do tail /dev/zero; done' & done; \
    echo burning; sleep 40; exit 1
DOCKERFILE
repository burn
project burn
burning() { curl -fsS "$api/deployments/$1/logs?limit=100" -H "$auth" | grep '"message":"[^"]*burning"' >/dev/null; }
# Idle and burning in turns, and each burning beside the mean of the idle ones around it: what the machine does meanwhile
# meets both.
rounds=${RUNS:-5}
seconds=8
p99 node-pnpm 2 >/dev/null
echo "p99 of a running application, ms:"
before=$(p99 node-pnpm "$seconds")
for _ in $(seq "$rounds"); do
  commit "$work/burn"
  push burn
  id=$(deploy burn)
  for _ in $(seq 600); do
    if burning "$id"; then break; fi
    sleep 0.1
  done
  burning "$id" || refuse "The build does not burn."
  sleep 1
  busy=$(p99 node-pnpm "$seconds")
  curl -fsS -o /dev/null -X POST "$api/deployments/$id/cancel" -H "$auth" -H "$json" -d '{}'
  curl -fsS -o /dev/null "$api/deployments/$id?wait=60" -H "$auth"
  sleep 1
  after=$(p99 node-pnpm "$seconds")
  awk -v a="$before" -v b="$busy" -v c="$after" \
    'BEGIN { printf "  idle %.2f   while a build burns %.2f   idle %.2f   ratio %.2f\n", a, b, c, 2 * b / (a + c) }' |
    tee -a "$work/ratios"
  before=$after
done
echo "  median ratio $(awk '{ print $NF }' "$work/ratios" | median)"
