#!/usr/bin/env bash
# Makes an environment with the packages of requirements.txt, once, and prints where its programs are. It is kept in
# ${XDG_CACHE_HOME:-~/.cache}/orbitra-judges.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/orbitra-judges
environment=$cache/$(sha256sum requirements.txt | cut -c1-12)
mkdir -p "$cache"
# Whoever comes second waits until it is whole.
exec 9>"$cache/lock"
flock 9
if [ ! -e "$environment/whole" ]; then
  rm -rf "$environment"
  python3 -m venv "$environment" >&2
  "$environment/bin/pip" install --quiet --disable-pip-version-check -r requirements.txt >&2
  touch "$environment/whole"
fi
printf '%s\n' "$environment/bin"
