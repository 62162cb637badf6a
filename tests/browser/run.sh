#!/usr/bin/env bash
# Journeys through the dashboard in a real browser: builds Orbitra, starts it with a fresh data
# directory on a free port beside a Git server with two of the examples, and runs the tests.
# What it made on the engine goes when it ends, however it ends.
#
#   tests/browser/run.sh [FILE.test.mjs]...
#
# Screenshots of every page are left in tests/browser/artifacts.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
here=$PWD
root=$(cd ../.. && pwd)
docker=$(command -v docker || echo /usr/bin/docker)
CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome)}
[ -d node_modules ] || npm ci --no-audit --no-fund

# ORBITRA_BUILT=1: somebody has built it a moment ago.
[ "${ORBITRA_BUILT:-}" = 1 ] || cargo build --manifest-path "$root/Cargo.toml"
work=$(mktemp -d)
# A copy: another build must not change the program while it is tested.
orbitra=$work/orbitra
cp "${CARGO_TARGET_DIR:-$root/target}/debug/orbitra" "$orbitra"
pids=()

clean_up() {
  local status=$? pid name
  trap - EXIT
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  if [ "$status" != 0 ] && [ -f "$work/orbitra.log" ]; then
    printf '%s\n' '--- the last lines of the server'
    grep -A 3 panicked "$work/orbitra.log" || true
    tail -n 20 "$work/orbitra.log"
  fi
  if name=$(cat "$work/data/instance" 2>/dev/null) && [ -n "$name" ]; then
    remove "$name"
  fi
  rm -rf "$work"
  exit "$status"
}

# remove INSTANCE: everything on the engine that carries its label, and nothing else.
remove() {
  local filter=label=orbitra.instance=$1 found
  found=$("$docker" ps -aq --filter "$filter") && [ -z "$found" ] || "$docker" rm -f $found >/dev/null || true
  found=$("$docker" network ls -q --filter "$filter") && [ -z "$found" ] || "$docker" network rm $found >/dev/null || true
  found=$("$docker" images -q --filter "$filter" | sort -u) && [ -z "$found" ] || "$docker" rmi -f $found >/dev/null || true
}

trap clean_up EXIT
trap 'exit 130' INT TERM

# until_ok WHAT COMMAND...: waits for a condition, at most a minute.
until_ok() {
  local what=$1 deadline=$((SECONDS + 60))
  shift
  until "$@" >/dev/null 2>&1; do
    if [ "$SECONDS" -ge "$deadline" ]; then
      printf 'not within a minute: %s\n' "$what" >&2
      exit 1
    fi
    sleep 0.1
  done
}

repository() {
  local copy=$work/copy/$1
  mkdir -p "$work/copy" "$work/git"
  cp -r "$root/examples/$1" "$copy"
  git -C "$copy" init -q -b main
  git -C "$copy" add -A
  git -C "$copy" -c user.name=Ada -c user.email=ada@example.com -c commit.gpgsign=false commit -q -m "$2"
  git clone -q --bare "$copy" "$work/git/$1.git"
}

repository node-hello 'Say hello'
repository fails-to-build 'Add a page that does not compile'
repository static-site 'Open the shop'
python3 "$root/tools/git-http-server.py" --root "$work/git" >"$work/git.log" &
pids+=($!)
until_ok 'the Git server listens' grep -q '^listening on ' "$work/git.log"
GIT_URL=$(sed -n 's/^listening on //p' "$work/git.log")
# The same repositories, for those who have the password.
python3 "$root/tools/git-http-server.py" --root "$work/git" --user ada --password s3cret-Zf83kQp1x >"$work/private.log" &
pids+=($!)
until_ok 'the private Git server listens' grep -q '^listening on ' "$work/private.log"
PRIVATE_GIT_URL=$(sed -n 's/^listening on //p' "$work/private.log")

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export ORBITRA_DATA=$work/data ORBITRA_LISTEN=127.0.0.1:$port
export ORBITRA_EGRESS_ALLOW=127.0.0.1/32 ORBITRA_EGRESS_ALLOW_HTTP=true
mkdir -m 700 "$ORBITRA_DATA"
"$orbitra" serve 2>"$work/orbitra.log" &
pids+=($!)
ORB_URL=http://localhost:$port
until_ok 'Orbitra answers' curl -fsS "http://127.0.0.1:$port/health"
ORB_SETUP_LINK=$("$orbitra" admin setup-link | grep '^http')

# Journeys push to the repositories, and make accounts with the program.
ORB_GIT=$work/git ORB_PROGRAM=$orbitra
export ORB_URL ORB_SETUP_LINK ORB_GIT ORB_PROGRAM GIT_URL PRIVATE_GIT_URL CHROMIUM
if [ $# = 0 ]; then set -- "$here"/*.test.mjs; fi
node --test --test-concurrency=1 "$@"
