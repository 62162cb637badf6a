#!/usr/bin/env bash
# Installs what the tests need and runs all of them. The Rust tests come last, so that the last
# line is the test runner's own verdict. See ./test.sh --help.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=tools/lib.sh
. tools/lib.sh

fast=${ORBITRA_TEST_FAST:-0}
summary=()

usage() {
  cat <<TEXT
Usage: ./test.sh

Checks the format, lints, and runs every test: Rust, Docker, browser and judges from outside. Installs what is missing
(as root): Docker, Chromium, Node, Git, Python, a C compiler, Rust. Stops at the first failure.

  ORBITRA_TEST_FAST=1 ./test.sh    leave out the tests that need Docker, a browser or packages of Python
TEXT
}

# note RESULT NAME: a line for the summary.
note() { summary+=("$(printf '%-10s %s' "$1" "$2")"); }

print_summary() {
  printf '\n--- so far\n'
  printf '%s\n' "${summary[@]}"
}

# run NAME COMMAND...: one timed step; the script ends when it fails.
run() {
  local name=$1 begun=$SECONDS
  shift
  printf '\n--- %s\n' "$name"
  # Standard input is closed: a tool that asks a question must fail, not wait.
  if ! "$@" </dev/null; then
    note "FAILED" "$name"
    print_summary
    printf '\nerror: %s failed after %d s\n' "$name" $((SECONDS - begun)) >&2
    exit 1
  fi
  note "$((SECONDS - begun)) s" "$name"
}

skip() {
  printf '\n--- %s: skipped, %s\n' "$1" "$2"
  note skipped "$1: $2"
}

install_chromium() {
  local name
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$name" >/dev/null; then return; fi
  done
  apt_install chromium
}

install_tools() {
  need aiosmtpd=python3-aiosmtpd curl=curl git=git git-lfs=git-lfs ip=iproute2 pebble=pebble python3=python3 shellcheck=shellcheck "${BUILD_TOOLS[@]}"
  if [ ! -e /etc/ssl/certs/ca-certificates.crt ]; then apt_install ca-certificates; fi
  ensure_rust .
  # A minimal Rust has neither. Rust from a distribution brings them as packages of its own.
  if ! cargo fmt --version >/dev/null 2>&1 || ! cargo clippy --version >/dev/null 2>&1; then
    rustup component add rustfmt clippy || die 'rustfmt and clippy are missing and rustup could not add them.'
  fi
  if [ "$fast" = 1 ]; then return; fi
  # A real server for repositories over ssh; the tests alone start it.
  if [ ! -x /usr/sbin/sshd ]; then apt_install openssh-server; fi
  need node=nodejs npm=npm openssl=openssl docker-registry=docker-registry named=bind9 htpasswd=apache2-utils strace=strace rootlesskit=rootlesskit slirp4netns=slirp4netns newuidmap=uidmap
  # On Debian a Python without it cannot make an environment for packages.
  if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then apt_install python3-venv; fi
  install_chromium
}

# Images are fetched and unpacked while the compiler works; nothing needs them before the first test.
begin_base_images() {
  images_log=$(mktemp)
  tests/base-images.sh </dev/null >"$images_log" 2>&1 &
  images_pid=$!
  trap 'kill "$images_pid" 2>/dev/null || true; rm -f "$images_log"' EXIT
  printf 'begun, and goes on while the compiler works\n'
}

finish_base_images() {
  local begun=ok
  wait "$images_pid" || begun=failed
  cat "$images_log"
  rm -f "$images_log"
  trap - EXIT
  [ "$begun" = ok ]
}

# Joined by && because "set -e" does not work in what "if" calls, as run does.
check_scripts() {
  shellcheck --external-sources install.sh test.sh .ci/run tools/*.sh tests/*.sh tests/base-images/*.sh tests/judges/*.sh &&
    python3 -c 'import ast, sys; [ast.parse(open(name).read(), name) for name in sys.argv[1:]]' tools/*.py
}

install_browser_dependencies() {
  # The browser is the system's; the packages must not fetch one of their own.
  export PUPPETEER_SKIP_DOWNLOAD=1 PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1
  (cd tests/browser && npm ci --no-audit --no-fund)
}

# Replaces this script by the test runner, so that nothing is printed after its closing line. Both
# streams go to one: cargo-nextest writes to stderr.
run_rust_tests() {
  print_summary
  printf '\n--- Rust tests\n'
  if command -v cargo-nextest >/dev/null; then
    if [ "$fast" = 1 ]; then set -- -E 'not test(/^docker_|::python_library/)'; fi
    exec cargo nextest run --locked "$@" </dev/null 2>&1
  else
    if [ "$fast" = 1 ]; then set -- -- --skip docker_ --skip ::python_library; fi
    exec cargo test --locked "$@" </dev/null 2>&1
  fi
}

case ${1:-} in
'') ;;
-h | --help)
  usage
  exit 0
  ;;
*)
  usage >&2
  exit 2
  ;;
esac

run 'tools' install_tools
if [ "$fast" = 1 ]; then
  skip 'Docker' 'ORBITRA_TEST_FAST=1'
else
  run 'Docker' tools/start-dockerd.sh
  run 'base images, in the background' begin_base_images
fi
run 'scripts (shellcheck)' check_scripts
run 'format (cargo fmt)' cargo fmt --check
run 'lints (cargo clippy)' cargo clippy --all-targets --locked -- -D warnings
if ! command -v cargo-deny >/dev/null && [ "${CI:-}" = true ]; then
  # Minutes to build, so only where every check must run.
  run 'cargo-deny (cargo install)' cargo install --locked cargo-deny
fi
if command -v cargo-deny >/dev/null; then
  # Not the advisories: they change without a change here, and need a database from the network.
  run 'dependencies (cargo deny)' cargo deny --locked check bans licenses sources
else
  skip 'dependencies (cargo deny)' 'cargo-deny is not installed'
fi

if [ "$fast" != 1 ]; then
  # With the tests, which want more features of some libraries: built without them, everything would be built twice.
  run 'the program and its tests (cargo test --no-run)' cargo test --locked --no-run
  export ORBITRA_BUILT=1
  run 'base images' finish_base_images
fi
if [ ! -x tests/browser/run.sh ]; then
  skip 'browser tests' 'there is no tests/browser/run.sh'
elif [ "$fast" = 1 ]; then
  skip 'browser tests' 'ORBITRA_TEST_FAST=1'
else
  if [ -f tests/browser/package-lock.json ]; then
    run 'browser test dependencies (npm ci)' install_browser_dependencies
  fi
  run 'browser tests' tests/browser/run.sh
fi
if [ "$fast" = 1 ]; then
  skip 'judges from outside' 'ORBITRA_TEST_FAST=1'
else
  # The same requests each time: what a new seed finds is no verdict on this change. Long runs take other seeds.
  run 'judges from outside' env SEED="${SEED:-22023}" tests/judges/run.sh
fi

run_rust_tests
