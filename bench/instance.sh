# shellcheck shell=bash
# An Orbitra of its own with a Git server on loopback, for scripts that measure. Sourced by them; all of it is gone when
# they end. Sets: work (a directory), server (process id), port, api, auth, json, base (address of the Git server).

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
binary=${1:-${CARGO_TARGET_DIR:-$here/target}/release/orbitra}
docker=/usr/bin/docker
command -v "$docker" >/dev/null || docker=docker
# shellcheck disable=SC2034  # The scripts that source this use it.
runs=${RUNS:-5}
work=
server=
git_server=

refuse() { printf '%s\n' "$*" >&2; exit 1; }

# need PROGRAM...: refuses to run without them.
need() {
  local program
  for program in "$@"; do
    command -v "$program" >/dev/null || refuse "$program is needed and not installed."
  done
}
# need_images IMAGE...: refuses to run without them, because pulling them would be measured.
need_images() {
  local image
  "$docker" info >/dev/null 2>&1 || refuse "The Docker engine does not answer."
  for image in "$@"; do
    "$docker" image inspect "$image" >/dev/null 2>&1 || refuse "The image $image is not here: run tests/base-images.sh."
  done
}

cleanup() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
  if [ -n "$git_server" ]; then kill "$git_server" 2>/dev/null || true; wait "$git_server" 2>/dev/null || true; fi
  "$docker" ps -aq --filter "label=orbitra.bench=$$" | xargs -r "$docker" rm -f >/dev/null
  "$docker" images -q --filter "label=orbitra.bench=$$" | sort -u | xargs -r "$docker" rmi -f >/dev/null
  if [ -s "$work/data/instance" ]; then
    local label
    label="label=orbitra.instance=$(cat "$work/data/instance")"
    "$docker" ps -aq --filter "$label" | xargs -r "$docker" rm -f >/dev/null
    "$docker" images -q --filter "$label" | sort -u | xargs -r "$docker" rmi -f >/dev/null
    "$docker" network ls -q --filter "$label" | xargs -r "$docker" network rm >/dev/null
  fi
  rm -rf "$work"
}

# The load, so that a figure of a busy machine is known for one.
machine() {
  echo "$(date -u +'%Y-%m-%d %H:%M') UTC, $(nproc) cores, load $(cut -d' ' -f1-3 /proc/loadavg), $("$binary" --version)"
}
now() { echo $(($(date +%s%N) / 1000000)); }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

# Starts both servers, with a user and a key.
start() {
  [ -x "$binary" ] || refuse "There is no $binary: run cargo build --release."
  need git curl python3
  work=$(mktemp -d)
  trap cleanup EXIT
  mkdir -p "$work/git"
  python3 "$here/tools/git-http-server.py" --root "$work/git" --port 0 --access-log "$work/git.access" >"$work/git.log" 2>&1 &
  git_server=$!
  until grep -qs listening "$work/git.log"; do sleep 0.05; done
  base=$(sed -n 's/^listening on //p' "$work/git.log" | head -n 1)

  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  export ORBITRA_DATA=$work/data ORBITRA_LISTEN=127.0.0.1:$port
  export ORBITRA_EGRESS_ALLOW=127.0.0.1/32 ORBITRA_EGRESS_ALLOW_HTTP=true ORBITRA_LOG=${ORBITRA_LOG:-warn}
  api=http://127.0.0.1:$port/api/v1
  local user key
  user=$("$binary" admin create-user --email bench@example.com --name Bench --plan enterprise)
  key=$("$binary" admin create-key --user "$user" --name bench --scopes full)
  "$binary" serve &
  server=$!
  until curl -fs -o /dev/null "http://127.0.0.1:$port/health"; do
    kill -0 "$server" 2>/dev/null || refuse "Orbitra did not start."
    sleep 0.05
  done
  auth="Authorization: Bearer $key"
  json="Content-Type: application/json"
}

# commit DIRECTORY: a commit in which only stamp.txt changed, and whatever else is new.
commit() {
  date +%s%N >"$1/stamp.txt"
  git -C "$1" add -A
  git -C "$1" -c user.name=Bench -c user.email=bench@example.com -c gc.auto=0 commit -qm "Change"
}
# repository NAME: a repository out of the files in $work/NAME, served as NAME.git.
repository() {
  git -C "$work/$1" init -q -b main
  commit "$work/$1"
  git clone -q --bare "$work/$1" "$work/git/$1.git"
}
push() { git -C "$work/$1" push -q "$work/git/${2:-$1}.git" main; }
# project NAME
project() {
  curl -fsS -o /dev/null "$api/projects" -H "$auth" -H "$json" -d "{\"name\":\"$1\",\"region\":\"local\"}"
}
# deploy PROJECT: prints the deployment's id.
deploy() {
  curl -fsS "$api/projects/$1/deployments" -H "$auth" -H "$json" -d "{\"git_url\":\"$base/$1.git\",\"branch\":\"main\"}" | field id
}
# live DEPLOYMENT: waits, and prints the milliseconds from its POST until it served.
live() {
  local state
  while state=$(curl -fsS "$api/deployments/$1?wait=60" -H "$auth") && [ "$(field status <<<"$state")" = building ]; do :; done
  [ "$(field status <<<"$state")" = live ] || refuse "$state"
  field duration_ms <<<"$state"
}
