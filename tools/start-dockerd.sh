#!/usr/bin/env bash
# Makes sure that Docker answers: installs it when there is none, starts it when it is not running.
# Safe to run as often as you like. Used by install.sh and test.sh.
set -euo pipefail

readonly LOG=${DOCKERD_LOG:-/var/log/dockerd.log}
readonly WAIT_SECONDS=60

say() { printf 'docker: %s\n' "$*"; }
die() {
  printf 'docker: %s\n' "$@" >&2
  exit 1
}

answers() { timeout 10 docker info >/dev/null 2>&1; }

usage() {
  cat <<'TEXT'
Usage: start-dockerd.sh

Starts Docker when it is not running and waits until it answers: through systemd where systemd
runs, else as a background process that logs to /var/log/dockerd.log (DOCKERD_LOG changes that).
Installs the package docker.io when the machine has no Docker.
TEXT
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

install_docker() {
  command -v apt-get >/dev/null ||
    die 'There is no Docker here, and no apt-get to install it with. Install Docker Engine, then run this again.'
  say 'installing docker.io (apt-get)'
  export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
  apt-get update -q >/dev/null || say 'apt-get update failed; trying with the package lists that are here'
  apt-get install -y -q docker.io >/dev/null ||
    die 'apt-get could not install docker.io. Look at its message above, then run this again.'
}

# Waits until Docker answers. With a pid as argument it gives up as soon as that process is gone.
wait_until_it_answers() {
  local pid=${1:-} deadline=$((SECONDS + WAIT_SECONDS))
  until answers; do
    if [ -n "$pid" ] && ! kill -0 "$pid" 2>/dev/null; then return 1; fi
    if [ "$SECONDS" -ge "$deadline" ]; then return 1; fi
    sleep 0.3
  done
}

# Removes the pid file $1 when no running program $2 stands behind it. After a crash the number may
# belong to another process, or to a dead one that nobody has collected yet (its exe is gone);
# dockerd takes either for a daemon that still runs.
forget_dead() {
  local exe
  if [ ! -f "$1" ]; then return; fi
  exe=$(readlink "/proc/$(cat "$1")/exe" || true)
  if [ "$(basename "${exe% (deleted)}")" != "$2" ]; then rm -f "$1"; fi
}

# Starts dockerd in a session of its own, so that it outlives this script and its terminal.
start_by_hand() {
  forget_dead /var/run/docker.pid dockerd
  forget_dead /var/run/docker/containerd/containerd.pid containerd
  # 9 is the lock below: a daemon that inherits it would hold it for ever.
  setsid nohup dockerd >>"$LOG" 2>&1 </dev/null 9>&- &
  wait_until_it_answers $!
}

start_background_daemon() {
  mkdir -p "$(dirname "$LOG")"
  : >"$LOG"
  say "starting dockerd as a background process (log: $LOG)"
  if start_by_hand; then return; fi

  # Kernels without nf_tables need the older iptables. It is put first in dockerd's own PATH, so
  # that the machine's choice of iptables stays as it is.
  if grep -qi iptables "$LOG" && command -v iptables-legacy >/dev/null; then
    say 'dockerd could not use iptables; trying again with iptables-legacy'
    local bin=/run/orbitra-dockerd/bin tool
    mkdir -p "$bin"
    for tool in iptables ip6tables; do ln -sf "$(command -v "$tool-legacy")" "$bin/$tool"; done
    if PATH=$bin:$PATH start_by_hand; then return; fi
  fi
  tail -n 20 "$LOG" >&2
  die "dockerd does not answer. The last lines of $LOG are above." \
    'In a container Docker needs --privileged; elsewhere, start it yourself and run this again.'
}

if command -v docker >/dev/null && answers; then
  say 'running'
  exit 0
fi
[ "$(id -u)" = 0 ] || die 'Docker does not answer. Run this as root, or start Docker and make sure that your user may use it.'

# Two callers at once must not start two daemons.
exec 9>/run/lock/orbitra-start-dockerd
flock 9

if ! command -v docker >/dev/null || ! command -v dockerd >/dev/null; then install_docker; fi
if answers; then
  say 'running'
  exit 0
fi

if [ -d /run/systemd/system ]; then
  say 'starting the service docker (systemctl)'
  systemctl start docker || die 'systemctl could not start docker. See: journalctl -u docker -n 50'
  wait_until_it_answers || die "docker did not answer within $WAIT_SECONDS seconds. See: journalctl -u docker -n 50"
else
  start_background_daemon
fi
say 'running'
