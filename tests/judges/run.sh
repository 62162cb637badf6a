#!/usr/bin/env bash
# Judges from outside: programs of others that read the description of the API and hold the server to
# it. Builds Orbitra, starts it on a fresh data directory, without an engine, and runs
#   - schemathesis: requests made from the description, good and bad, every answer checked against it;
#   - openapi-python-client and openapi-typescript: clients made from it, which must compile;
#   - the library of Standard Webhooks for Python: a receiver that verifies what is sent.
#
#   tests/judges/run.sh                          a minute or two; part of ./test.sh
#   ORBITRA_JUDGES=full tests/judges/run.sh      at least 20,000 requests
#
# SEED=1 repeats a run. Python packages are kept in ${XDG_CACHE_HOME:-~/.cache}/orbitra-judges.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
here=$PWD
root=$(cd ../.. && pwd)
full=${ORBITRA_JUDGES:-short}
seed=${SEED:-$RANDOM}

# ORBITRA_BUILT=1: somebody has built it a moment ago.
[ "${ORBITRA_BUILT:-}" = 1 ] || cargo build --manifest-path "$root/Cargo.toml"
work=$(mktemp -d)
# A copy: another build must not change the program while it is judged.
orbitra=$work/orbitra
cp "${CARGO_TARGET_DIR:-$root/target}/debug/orbitra" "$orbitra"
server=
sender=

clean_up() {
  local status=$? process
  trap - EXIT
  for process in $server $sender; do
    kill "$process" 2>/dev/null || true
    wait "$process" 2>/dev/null || true
  done
  if [ "$status" != 0 ] && [ -f "$work/orbitra.log" ]; then
    printf '%s\n' '--- what the server had to say'
    grep -hE 'panicked|ERROR' "$work"/*.log | tail -n 20 || true
  fi
  rm -rf "$work"
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

bin=$(./environment.sh)

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export ORBITRA_DATA=$work/data ORBITRA_LISTEN=127.0.0.1:$port
# No engine: nothing is built, and nothing is left on this machine.
export DOCKER_HOST=unix://$work/none.sock
# Whoever asks without a key is counted by address, and a judge asks more than one may.
export ORBITRA_RATE_FREE=1000000
mkdir -m 700 "$ORBITRA_DATA"

# account NAME: an account with a key of its own; enterprise, so that no request is one too many.
account() {
  "$orbitra" admin create-user --email "$1@example.com" --name "$1" --plan enterprise >/dev/null
  "$orbitra" admin create-key --user "$1@example.com" --name "$1" --scopes full --json >"$work/$1.json"
}
account ada
account grace
"$bin/python" users.py "$work/ada.json" "$work/grace.json" >"$work/users.json"
# What must stay as it is, by id or name.
JUDGE_KEEP=$("$bin/python" -c \
  'import json, sys; print(",".join(json.load(open(name))["id"] for name in sys.argv[1:]))' \
  "$work/ada.json" "$work/grace.json")

"$orbitra" serve 2>"$work/orbitra.log" &
server=$!
url=http://127.0.0.1:$port
for _ in $(seq 100); do
  if curl -fsS "$url/health" >/dev/null 2>&1; then break; fi
  sleep 0.1
done
curl -fsS "$url/openapi.json" -o "$work/openapi.json"

operations() { "$bin/python" operations.py "$1" "$work/openapi.json"; }

# judge NAME DOCUMENT OPTION...: one run, whose report is left as NAME.json.
judge() {
  local name=$1 document=$2
  shift 2
  printf '\n--- schemathesis, %s, seed %s\n' "$document" "$seed"
  (
    cd "$work"
    PYTHONPATH=$here "$bin/schemathesis" --config-file schemathesis.toml \
      run "$url/$document" --auth-wfc "$work/users.json" --seed "$seed" \
      --report json --report-json-path "$work/$name.json" "$@"
  )
}

# Something that is always there, so that it is not for chance to find what exists.
api() { curl -fsS -H "Authorization: Bearer $key" -H 'Content-Type: application/json' "$@"; }
key=$("$bin/python" -c 'import json, sys; print(json.load(open(sys.argv[1]))["key"])' "$work/ada.json")
api "$url/projects" -d '{"name": "kept", "region": "local"}' >/dev/null
deployment=$(api "$url/projects/kept/deployments" -d '{"git_url": "https://git.invalid/a.git"}' |
  "$bin/python" -c 'import json, sys; print(json.load(sys.stdin)["id"])')
api "$url/deployments/$deployment?wait=60" >/dev/null
printf '"%s"\n' "$deployment" "${JUDGE_KEEP%%,*}" >"$work/ids.txt"
cp schemathesis.toml "$work"
export JUDGE_KEEP=$JUDGE_KEEP,kept,$deployment

# OpenAPI 3.1 cannot say what a stream consists of, so those operations are judged by 3.2.
# Nor can a schema say what is in an archive.
most=(--exclude-operation-id=uploads_create) streams=()
while read -r id; do most+=("--exclude-operation-id=$id"); done < <(operations streams)
while read -r id; do streams+=("--include-operation-id=$id"); done < <(operations streams-and-what-leads-there)
examples=(20 3)
if [ "$full" = full ]; then examples=(900 100); fi
judge most openapi.json --max-examples "${examples[0]}" "${most[@]}"
# Most streams have no end: they are left after a few seconds.
judge streams openapi-3.2.json --max-examples "${examples[1]}" --request-timeout 3 "${streams[@]}"
"$bin/python" count.py "$full" "$work/most.json" "$work/streams.json"

printf '\n--- openapi-python-client\n'
(
  cd "$work"
  # It formats what it makes with a program beside it.
  PATH=$bin:$PATH
  openapi-python-client generate --path openapi.json --output-path python-client \
    --config "$here/python-client.yaml" --fail-on-warning
  python -m compileall -q python-client
)

printf '\n--- openapi-typescript\n'
[ -d node_modules ] || npm ci --no-audit --no-fund
node_modules/.bin/openapi-typescript "$work/openapi.json" --output "$work/api.d.ts"
node_modules/.bin/tsc --noEmit --strict --skipLibCheck false "$work/api.d.ts"

printf '\n--- standardwebhooks\n'
# A server of its own, which may reach a receiver on this machine.
url=http://127.0.0.1:$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export ORBITRA_DATA=$work/sender ORBITRA_LISTEN=${url#http://}
export ORBITRA_EGRESS_ALLOW=127.0.0.1/32 ORBITRA_EGRESS_ALLOW_HTTP=true
mkdir -m 700 "$ORBITRA_DATA"
account sender
"$orbitra" serve 2>"$work/sender.log" &
sender=$!
for _ in $(seq 100); do
  if curl -fsS "$url/health" >/dev/null 2>&1; then break; fi
  sleep 0.1
done
key=$("$bin/python" -c 'import json, sys; print(json.load(open(sys.argv[1]))["key"])' "$work/sender.json")
timeout 120 "$bin/python" "$here/webhooks.py" "$url" "$key"
