#!/usr/bin/env bash
# Measures what bench/RESULTS.md tells: start time, idle memory, and what a deployment costs beyond
# the same work done by hand. Needs Docker, git, curl and python3; sends requests to loopback only.
#
#   ./bench/run.sh [path of the orbitra binary]
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
binary=${1:-$here/target/release/orbitra}
docker=/usr/bin/docker
command -v "$docker" >/dev/null || docker=docker
runs=${RUNS:-5}
work=$(mktemp -d)
server=
git_server=

cleanup() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
  if [ -n "$git_server" ]; then kill "$git_server" 2>/dev/null || true; fi
  "$docker" rm -f orbitra-bench >/dev/null 2>&1 || true
  if [ -s "$work/data/instance" ]; then
    label="label=orbitra.instance=$(cat "$work/data/instance")"
    "$docker" ps -aq --filter "$label" | xargs -r "$docker" rm -f >/dev/null
    "$docker" images -q --filter "$label" | sort -u | xargs -r "$docker" rmi -f >/dev/null
    "$docker" network ls -q --filter "$label" | xargs -r "$docker" network rm >/dev/null
  fi
  rm -rf "$work"
}
trap cleanup EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
now() { python3 -c 'import time; print(int(time.monotonic() * 1000))'; }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

port=$(free_port)
export ORBITRA_DATA=$work/data ORBITRA_LISTEN=127.0.0.1:$port
export ORBITRA_EGRESS_ALLOW=127.0.0.1/32 ORBITRA_EGRESS_ALLOW_HTTP=true ORBITRA_LOG=warn
# A replaced container is stopped at once and not paused.
export ORBITRA_STOP_AFTER=0
api=http://127.0.0.1:$port/api/v1

# Starts the server and prints how many milliseconds passed until /health answered.
start() {
  python3 - "$binary" "$port" "$work/pid" <<'PY'
import http.client, subprocess, sys, time
binary, port, pid_file = sys.argv[1], int(sys.argv[2]), sys.argv[3]
begin = time.monotonic()
process = subprocess.Popen([binary, "serve"], start_new_session=True, stdout=subprocess.DEVNULL)
open(pid_file, "w").write(str(process.pid))
while True:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
        connection.request("GET", "/health")
        if connection.getresponse().status == 200:
            break
    except OSError:
        time.sleep(0.001)
    if time.monotonic() - begin > 30:
        sys.exit("Orbitra did not start")
print(round((time.monotonic() - begin) * 1000, 1))
PY
  server=$(cat "$work/pid")
}
stop() {
  kill "$server"
  while kill -0 "$server" 2>/dev/null; do sleep 0.02; done
  server=
}
memory() { awk '/^VmRSS/ { printf "%.1f", $2 / 1024 }' "/proc/$server/status"; }

echo "binary: $(du -m "$binary" | cut -f1) MB"

echo "start until /health answers, ms:"
for _ in $(seq "$runs"); do start; stop; done | tee "$work/starts"
echo "  median $(median <"$work/starts")"

user=$("$binary" admin create-user --email bench@example.com --name Bench)
key=$("$binary" admin create-key --user "$user" --name bench --scopes full)
auth="Authorization: Bearer $key"
json="Content-Type: application/json"

start >/dev/null
echo "idle memory with nothing deployed: $(memory) MB"

# 100 projects and 1,000 deployments as rows, as a year of work leaves them.
stop
python3 "$here/bench/seed.py" "$work/data/orbitra.db" "$user" 100 1000
start >/dev/null
for page in $(seq 1 5); do curl -fsS "$api/projects?limit=100&page=$page" -H "$auth" >/dev/null; done
echo "idle memory with 100 projects and 1,000 deployments: $(memory) MB"

# The same application, by hand and through the API.
mkdir -p "$work/git" "$work/app"
cp -r "$here/examples/dockerfile-hello/." "$work/app"
git -C "$work/app" init -q -b main
commit() {
  date +%s%N >"$work/app/stamp.txt"
  git -C "$work/app" add -A
  git -C "$work/app" -c user.name=Bench -c user.email=bench@example.com commit -qm "Change"
}
commit
git clone -q --bare "$work/app" "$work/git/app.git"
python3 "$here/tools/git-http-server.py" --root "$work/git" --port 0 >"$work/git.log" 2>&1 &
git_server=$!
until grep -q listening "$work/git.log"; do sleep 0.05; done
url=$(sed -n 's/^listening on //p' "$work/git.log" | head -n 1)/app.git
curl -fsS "$api/projects" -H "$auth" -H "$json" -d '{"name":"bench-app","region":"local"}' >/dev/null

by_hand() {
  local begin address
  "$docker" rm -f orbitra-bench >/dev/null 2>&1 || true
  begin=$(now)
  DOCKER_BUILDKIT=1 "$docker" build -q -t orbitra-bench "$work/app" >/dev/null
  "$docker" run -d --init --name orbitra-bench -e PORT=3000 orbitra-bench >/dev/null
  address=$("$docker" inspect -f '{{.NetworkSettings.IPAddress}}' orbitra-bench)
  until curl -fs -o /dev/null "http://$address:3000/"; do sleep 0.01; done
  echo $(($(now) - begin))
}
running() { "$docker" ps -q --filter "label=orbitra.instance=$(cat "$work/data/instance")" | wc -l; }
through_orbitra() {
  local answer id state
  git -C "$work/app" push -q "$work/git/app.git" main
  answer=$(curl -fsS "$api/projects/bench-app/deployments" -H "$auth" -H "$json" -d "{\"git_url\":\"$url\",\"branch\":\"main\"}")
  id=$(field id <<<"$answer")
  state=$(curl -fsS "$api/deployments/$id?wait=60" -H "$auth")
  [ "$(field status <<<"$state")" = live ] || { echo "$state" >&2; exit 1; }
  field duration_ms <<<"$state"
}
echo "one deployment of a changed commit, ms (by hand: docker build + docker run + first 200; orbitra: POST to live):"
for _ in $(seq "$runs"); do
  commit
  hand=$(by_hand)
  commit
  orbitra=$(through_orbitra)
  echo "  by hand $hand   orbitra $orbitra   difference $((orbitra - hand))"
  echo $((orbitra - hand)) >>"$work/differences"
done
echo "  median difference $(median <"$work/differences")"

curl -fsS -o /dev/null -H "Host: bench-app.localhost" "http://127.0.0.1:$port/"
echo "memory after the deployments: $(memory) MB"

# The deployment before the last one; its container stops once its requests are done.
old=$(curl -fsS "$api/projects/bench-app/deployments?limit=2" -H "$auth" | python3 -c 'import json, sys; print(json.load(sys.stdin)["data"][1]["url"].split("//")[1].split(":")[0])')
until [ "$(running)" = 1 ]; do sleep 0.1; done
echo "first request to a stopped deployment, s: $(curl -fsS -o /dev/null -w '%{time_total}' -H "Host: $old" "http://127.0.0.1:$port/")"
echo "second request, s: $(curl -fsS -o /dev/null -w '%{time_total}' -H "Host: $old" "http://127.0.0.1:$port/")"
