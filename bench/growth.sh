#!/usr/bin/env bash
# Deploys the same application again and again, and prints what Orbitra and the engine hold meanwhile: memory, threads,
# open files; images, containers and bytes of build cache. Needs Docker with the base images (tests/base-images.sh).
#
#   DEPLOYMENTS=200 ./bench/growth.sh [path of the orbitra binary]
set -euo pipefail

# shellcheck source=bench/instance.sh
. "$(dirname "$0")/instance.sh"

need_images node:22-bookworm-slim
deployments=${DEPLOYMENTS:-200}
every=${EVERY:-20}

mine() { "$docker" "$@" --filter "label=orbitra.instance=$(cat "$work/data/instance")" | sort -u | wc -l; }
status() { awk -v name="$1:" '$1 == name { print $2 }' "/proc/$server/status"; }
# What it held right after the last deployment goes first: threads that rest end after 10 s.
row() {
  sleep 15
  printf '%5s %7.1f MB %7.1f MB of its own %4s threads %4s files %4s images %4s containers %7.1f MB data\n' "$1" \
    "$(status VmRSS | awk '{ print $1 / 1024 }')" "$(status RssAnon | awk '{ print $1 / 1024 }')" "$(status Threads)" \
    "$(find "/proc/$server/fd" -mindepth 1 | wc -l)" "$(mine images -q)" "$(mine ps -aq)" \
    "$(du -sk "$work/data" | awk '{ print $1 / 1024 }')"
}

start
machine
mkdir -p "$work/growing"
cp -r "$here/examples/dockerfile-hello/." "$work/growing"
repository growing
project growing
for number in $(seq "$deployments"); do
  commit "$work/growing"
  push growing
  live "$(deploy growing)" >/dev/null
  if [ $((number % every)) = 0 ]; then row "$number"; fi
done
