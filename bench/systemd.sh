#!/usr/bin/env bash
# Runs Orbitra under a real systemd (process 1 of a container of its own), with the units that install.sh writes and the
# sockets at systemd, and counts the requests that fail while the service is reloaded (another process takes over),
# restarted and killed; and looks how it stops after a reload. Needs Docker with the base images, and Debian's packages for systemd. Sends requests to this machine
# only.
#
#   RELOADS=10 RESTARTS=5 RATE=300 ./bench/systemd.sh [path of the orbitra binary]
set -euo pipefail

# shellcheck source=bench/instance.sh
. "$(dirname "$0")/instance.sh"

reloads=${RELOADS:-10} restarts=${RESTARTS:-5} rate=${RATE:-300}
image=orbitra-bench-systemd
machine_name=orbitra-bench-systemd-$$
load_pid=

need git curl python3
need_images debian:bookworm-slim
[ -x "$binary" ] || refuse "There is no $binary: run cargo build --release."
machine
work=$(mktemp -d)
end() {
  if [ -n "$load_pid" ]; then kill "$load_pid" 2>/dev/null || true; fi
  if [ -d "$work/data" ] || "$docker" cp "$machine_name:/var/lib/orbitra/instance" "$work/instance" >/dev/null 2>&1; then
    mkdir -p "$work/data"
    cp "$work/instance" "$work/data/instance" 2>/dev/null || true
  fi
  "$docker" rm -f "$machine_name" >/dev/null 2>&1 || true
  cleanup
}
trap end EXIT

mkdir -p "$work/image" "$work/git"
cat >"$work/image/Dockerfile" <<'TEXT'
FROM debian:bookworm-slim
RUN apt-get update -q && apt-get install -y -q --no-install-recommends systemd systemd-sysv dbus ca-certificates && rm -rf /var/lib/apt/lists/*
STOPSIGNAL SIGRTMIN+3
CMD ["/sbin/init"]
TEXT
"$docker" build -q -t "$image" "$work/image" >/dev/null 2>&1 || refuse "systemd could not be installed into an image."

# systemd wants a control group of its own and to mount; the engine is the machine's, and so is the network.
"$docker" run -d --name "$machine_name" --network host --cap-add SYS_ADMIN --security-opt seccomp=unconfined \
  --security-opt apparmor=unconfined --tmpfs /run --tmpfs /run/lock --tmpfs /tmp -v /sys/fs/cgroup:/sys/fs/cgroup:rw \
  -v /var/run/docker.sock:/engine.sock "$image" >/dev/null
inside() { "$docker" exec -i "$machine_name" "$@"; }
tries=0
until [ "$(inside systemctl is-system-running 2>/dev/null)" = running ]; do
  tries=$((tries + 1))
  [ "$tries" -lt 100 ] || refuse "systemd did not start: $(inside systemctl --failed --no-pager 2>&1 | head -5)"
  sleep 0.1
done
inside systemctl --version | head -1

python3 "$here/tools/git-http-server.py" --root "$work/git" --port 0 >"$work/git.log" 2>&1 &
git_server=$!
until grep -qs listening "$work/git.log"; do sleep 0.05; done
base=$(sed -n 's/^listening on //p' "$work/git.log" | head -n 1)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
api=http://127.0.0.1:$port/api/v1

# The units are install.sh's own.
SETTINGS=/etc/orbitra/orbitra.env BINARY=/usr/local/bin/orbitra data=/var/lib/orbitra listen=127.0.0.1:$port
# shellcheck disable=SC2034  # Read by the units' functions.
readonly SETTINGS BINARY data listen
setting() { :; }
eval "$(sed -n '/^service_unit()/,/^}/p; /^socket_unit()/,/^}/p' "$here/install.sh")"
inside mkdir -p /etc/orbitra "$data"
"$docker" cp "$binary" "$machine_name:$BINARY" >/dev/null
printf 'ORBITRA_LISTEN="%s"\nORBITRA_EGRESS_ALLOW="127.0.0.1/32"\nORBITRA_EGRESS_ALLOW_HTTP="true"\nORBITRA_DOCKER_HOST="unix:///engine.sock"\n' "$listen" |
  inside tee "$SETTINGS" >/dev/null
service_unit | inside tee /etc/systemd/system/orbitra.service >/dev/null
socket_unit | inside tee /etc/systemd/system/orbitra.socket >/dev/null
inside systemctl daemon-reload
inside systemctl enable -q --now orbitra.socket orbitra.service
until curl -fs -o /dev/null "http://127.0.0.1:$port/health"; do sleep 0.05; done
user=$(inside "$BINARY" admin create-user --email bench@example.com --name Bench --plan enterprise)
key=$(inside "$BINARY" admin create-key --user "$user" --name bench --scopes full)
auth="Authorization: Bearer $key"
json="Content-Type: application/json"
mkdir -p "$work/hello"
cp -r "$here/examples/dockerfile-hello/." "$work/hello"
repository hello
project hello
live "$(deploy hello)" >/dev/null
body=$(curl -fsS -H "Host: hello.localhost" "http://127.0.0.1:$port/" | head -c 20)

main_pid() { inside systemctl show -p MainPID --value orbitra.service; }
# under_load WHAT COUNT COMMAND...: does it so often beside visitors.
under_load() {
  local what=$1 count=$2 begin took=0 before
  shift 2
  mkfifo "$work/end"
  python3 "$here/bench/load.py" 127.0.0.1 "$port" hello.localhost "$rate" "$body" <"$work/end" >"$work/load" &
  load_pid=$!
  exec 9>"$work/end"
  sleep 1
  for _ in $(seq "$count"); do
    before=$(main_pid)
    begin=$(now)
    "$@"
    took=$((took + $(now) - begin))
    [ "$(main_pid)" != "$before" ] || refuse "The main process is the same after $what."
    sleep 1
  done
  exec 9>&-
  rm "$work/end"
  wait "$load_pid" || true
  load_pid=
  echo "$what, $count times, $((took / count)) ms each: $(cat "$work/load")"
}
under_load "systemctl reload" "$reloads" inside systemctl reload orbitra
under_load "systemctl restart" "$restarts" inside systemctl restart orbitra
# How the service stops after another process has taken over: in order, and soon. The first stop is of one whose process
# before still has a request.
stopped() {
  local begin
  begin=$(now)
  # It warns of the socket, which stays.
  inside systemctl stop orbitra.service 2>/dev/null
  echo "stop $1: $(($(now) - begin)) ms of $(inside systemctl show -p TimeoutStopUSec --value orbitra.service), result $(inside systemctl show -p Result --value orbitra.service)"
  [ "$(inside systemctl show -p Result --value orbitra.service)" = success ] || refuse "The service did not stop in order."
  inside systemctl start orbitra.service
}
inside systemctl reload orbitra
stopped "right after a reload"
inside systemctl reload orbitra
inside systemctl reload orbitra
until [ "$(inside sh -c 'readlink /proc/[0-9]*/exe | grep -c "^$1"' - "$BINARY")" = 1 ]; do sleep 0.1; done
stopped "some time after two reloads"
inside journalctl --no-pager -q -u orbitra.service 2>/dev/null | grep -E "not our child|SIGKILL" && refuse "systemd does not take the process for its own."
killed() {
  inside systemctl kill -s KILL --kill-who=main orbitra
  until [ "$(inside systemctl is-active orbitra)" = active ]; do sleep 0.05; done
}
# Those who were being answered are lost, and nobody is refused.
under_load "kill -9 of the main process" 1 killed
echo "started anew by systemd: $(inside systemctl show -p NRestarts --value orbitra.service) times; state: $(inside systemctl is-active orbitra.service orbitra.socket | tr '\n' ' ')"
