#!/usr/bin/env bash
# Measures what bench/RESULTS.md tells of sources: detection in a repository of 10,000 files, what a second deployment
# of a repository with a long history moves, and a clone with its build context beside the same by hand. Needs Docker
# with the image node:22-bookworm-slim, git, curl and python3; sends requests to loopback only.
#
#   cargo build --release --bin orbitra --example detection
#   ./bench/git.sh [path of the orbitra binary]
set -euo pipefail

# shellcheck source=bench/instance.sh
. "$(dirname "${BASH_SOURCE[0]}")/instance.sh"
need_images node:22-bookworm-slim
detection=$(dirname "$binary")/examples/detection
[ -x "$detection" ] || refuse "There is no $detection: run cargo build --release --example detection."
start
machine

# Milliseconds from the begin of one phase of a deployment to the end of another.
phases() {
  python3 - "$work/data/orbitra.db" "$@" <<'PY'
import sqlite3, sys
file, deployment, first, last = sys.argv[1:]
rows = sqlite3.connect(f"file:{file}?mode=ro", uri=True).execute(
    "SELECT phase, started_at, finished_at FROM deployment_phases WHERE deployment_id = ?", (deployment,))
times = {phase: (began, ended) for phase, began, ended in rows}
print(times[last][1] - times[first][0])
PY
}
# Bytes the Git server has sent so far.
sent() { awk '{ sum += $NF } END { print sum + 0 }' "$work/git.access"; }

echo "plans of 10,000 files:"
for shape in deep flat wide members many; do
  "$detection" write "$shape" "$work/$shape"
  repository "$shape"
  echo "$shape, from a folder: $("$detection" folder "$work/$shape" 20)"
  # A process of its own each: memory is read from outside the server.
  "$detection" git "$base/$shape.git" "$work/mirrors" 20 | sed "s/^/$shape, from Git objects: /"
  rm -rf "${work:?}/$shape" "$work/git/$shape.git" "$work/mirrors"
done

# 60 files of 2 MB that do not compress, ten of them in the newest commit.
echo "second deployment of a repository with a history of 120 MB and a newest commit of 20 MB:"
cp -r "$here/examples/dockerfile-hello" "$work/history"
git -C "$work/history" init -q -b main
mkdir "$work/history/data"
for number in $(seq 60); do
  head -c 2000000 /dev/urandom >"$work/history/data/$((number % 10))"
  if [ "$number" -ge 10 ]; then commit "$work/history"; fi
done
for run in $(seq "$runs"); do
  # A name of its own, so that nothing of it is here.
  git clone -q --bare "$work/history" "$work/git/history-$run.git"
  project "history-$run"
  before=$(sent)
  first=$(deploy "history-$run")
  live "$first" >/dev/null
  middle=$(sent)
  head -c 100000 /dev/urandom >"$work/history/data/new-$run"
  commit "$work/history"
  push history "history-$run"
  second=$(deploy "history-$run")
  live "$second" >/dev/null
  echo "  first: $((middle - before)) bytes received, $(phases "$first" cloning cloning) ms; with 100,000 new bytes: $(($(sent) - middle)) bytes, $(phases "$second" cloning cloning) ms"
  rm -rf "$work/git/history-$run.git"
done
rm -rf "$work/history"

# 2,500 files of 20 KB, about half of it compressible.
echo "clone and build of a tree of 50 MB, ms (by hand: git clone --depth 1, git archive | docker build -):"
cp -r "$here/examples/dockerfile-hello" "$work/tree"
python3 - "$work/tree" <<'PY'
import os, sys
for number in range(2500):
    directory = f"{sys.argv[1]}/data/{number % 50}"
    os.makedirs(directory, exist_ok=True)
    with open(f"{directory}/{number}.txt", "w") as file:
        file.write("\n".join(os.urandom(32).hex() for _ in range(308)) + "\n")
PY
sed -i 's|^COPY server.js ./$|COPY . ./|' "$work/tree/Dockerfile"
grep -q '^COPY \. \./$' "$work/tree/Dockerfile" || refuse "The Dockerfile of dockerfile-hello is not the one this script knows."
printf 'LABEL orbitra.bench=%s\n' $$ >>"$work/tree/Dockerfile"
git -C "$work/tree" init -q -b main
by_hand() {
  local begin
  begin=$(now)
  git clone -q --depth 1 "$base/$1.git" "$work/checkout"
  git -C "$work/checkout" archive HEAD | DOCKER_BUILDKIT=1 "$docker" build -q -t "orbitra-bench-$1" - >/dev/null
  echo $(($(now) - begin))
  rm -rf "$work/checkout"
}
through_orbitra() {
  local id
  project "$1"
  id=$(deploy "$1")
  live "$id" >/dev/null
  phases "$id" cloning building
}
# Each way gets a commit of its own, or one would find the other's layers; who begins changes with every run.
fresh() { commit "$work/tree"; git clone -q --bare "$work/tree" "$work/git/$1.git"; }
for run in $(seq "$runs"); do
  fresh "hand-$run"
  fresh "orbitra-$run"
  if [ $((run % 2)) = 0 ]; then hand=$(by_hand "hand-$run"); fi
  orbitra=$(through_orbitra "orbitra-$run")
  if [ $((run % 2)) = 1 ]; then hand=$(by_hand "hand-$run"); fi
  echo "  by hand $hand   orbitra $orbitra   orbitra / by hand $(awk -v o="$orbitra" -v h="$hand" 'BEGIN { printf "%.2f", o / h }')" | tee -a "$work/ratios"
  rm -rf "$work/git/hand-$run.git" "$work/git/orbitra-$run.git"
done
echo "  median $(awk '{ print $NF }' "$work/ratios" | median)"
