#!/usr/bin/env bash
# Installs Orbitra on Debian or Ubuntu from this checkout and starts it. Safe to run again: settings
# and data stay, the binary is replaced. See ./install.sh --help.
set -euo pipefail

SELF_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly SELF_DIR
# shellcheck source=tools/lib.sh
. "$SELF_DIR/tools/lib.sh"
# Everything goes below this directory, which is the system's own root unless somebody wants to try it.
readonly ROOT=${ORBITRA_ROOT:-}
readonly BINARY=$ROOT/usr/local/bin/orbitra
readonly SETTINGS=$ROOT/etc/orbitra/orbitra.env
readonly UNIT=/etc/systemd/system/orbitra.service
readonly SOCKET_UNIT=/etc/systemd/system/orbitra.socket
readonly HEALTH_SECONDS=60
readonly DEMO_BUILD_SECONDS=1200
readonly DEMO_EMAIL=demo@example.com

demo=no
remove=no
purge=no
step_number=0
step_total=6
# Directory and process of the demo; both end with this script.
work=
git_server=
# The data directory of the settings file as an earlier run left it.
previous_data=

usage() {
  cat <<TEXT
Usage: ./install.sh [--demo]
       ./install.sh --uninstall [--purge]

Installs what Orbitra needs, builds it, installs it to $BINARY and starts it:
as the systemd service "orbitra" where systemd runs, else as a background process.

  --demo        then deploy examples/node-hello and print a URL that answers
  --uninstall   stop Orbitra; remove the binary, the settings and everything it made in Docker
  --purge       with --uninstall: delete the data directory as well
  --help        print this

Settings are kept in $SETTINGS. Every ORBITRA_… variable that is set when
this runs is written there, for example:

  ORBITRA_LISTEN=0.0.0.0:8081 ./install.sh          listen on another port
  ORBITRA_DATA=/srv/orbitra ./install.sh            keep the data elsewhere
  ORBITRA_BASE_DOMAIN=apps.example.com ORBITRA_ACME_EMAIL=you@example.com ./install.sh
                                                    HTTPS, with certificates that come by themselves
  ORBITRA_BINARY=./orbitra ./install.sh             install this binary, build nothing
  ORBITRA_ROOT=/tmp/try ./install.sh                below this directory, as a background process; give it a
                                                    port of its own, and the same again to --uninstall
TEXT
}

step() {
  step_number=$((step_number + 1))
  printf '\n[%d/%d] %s\n' "$step_number" "$step_total" "$*"
}

cleanup() {
  if [ -n "$git_server" ]; then
    kill "$git_server" 2>/dev/null || true
    wait "$git_server" 2>/dev/null || true
  fi
  if [ -n "$work" ]; then rm -rf "$work"; fi
}
trap cleanup EXIT

# Below a directory of its own it is no service of the system's.
has_systemd() { [ -z "$ROOT" ] && [ -d /run/systemd/system ]; }

# --- The machine ---------------------------------------------------------------------------------

require_root() {
  [ "$(id -u)" = 0 ] || die 'this has to run as root: it installs packages and a service.' "Run: sudo $0${*:+ $*}"
}

# A value of /etc/os-release, read in a subshell: its names are not ours.
os_release() (
  # shellcheck source=/dev/null
  if [ -r /etc/os-release ]; then . /etc/os-release; fi
  printf '%s' "${!1:-}"
)

require_debian_or_ubuntu() {
  local name
  name=$(os_release PRETTY_NAME)
  case " $(os_release ID) $(os_release ID_LIKE) " in
  *' debian '* | *' ubuntu '*) ;;
  *) die "this system is ${name:-unknown}; install.sh knows Debian and Ubuntu." \
    'Elsewhere: install Docker and Rust, run "cargo build --release --locked" and then' \
    'start "target/release/orbitra serve".' ;;
  esac
  say "$name, $(dpkg --print-architecture)"
}

# --- The binary ----------------------------------------------------------------------------------

build_binary() {
  need "${BUILD_TOOLS[@]}"
  ensure_rust "$SELF_DIR"
  say 'cargo build --release --locked (many minutes the first time)'
  (cd "$SELF_DIR" && cargo build --release --locked) ||
    die 'the build failed.' 'The compiler says why above. With less than 4 GB of memory, add swap space.'
  built=$(cd "$SELF_DIR" && realpath "${CARGO_TARGET_DIR:-target}")/release/orbitra
}

install_binary() {
  local built=${ORBITRA_BINARY:-}
  if [ -n "$built" ]; then
    if [ ! -f "$built" ] || [ ! -x "$built" ]; then
      die "ORBITRA_BINARY=$built is not a program." 'Give the path of an orbitra binary, or leave ORBITRA_BINARY out to build one.'
    fi
    say "taking $built"
  else
    build_binary
  fi
  # A running program cannot be written over, but its name can be given to another file.
  install -D -m 0755 "$built" "$BINARY.new"
  if [ -f "$BINARY" ]; then ln -f "$BINARY" "$BINARY.before"; fi
  mv -f "$BINARY.new" "$BINARY"
  say "installed $BINARY"
}

# --- Settings ------------------------------------------------------------------------------------

# The value of a setting in the settings file, empty when it is not there. The last one counts, as
# with systemd.
setting() {
  local value
  if [ ! -f "$SETTINGS" ]; then return; fi
  value=$(sed -n "s/^[[:space:]]*$1=//p" "$SETTINGS" | tail -n 1)
  case $value in
  \"*\") value=${value#\"} value=${value%\"} ;;
  \'*\') value=${value#\'} value=${value%\'} ;;
  esac
  printf '%s' "$value"
}

# Writes a setting, in place of an earlier one. Fails the script rather than guess at quoting: the
# file is read by systemd as well.
set_setting() {
  local name=$1 value=$2
  if [[ $value == *[\"\'\\\`\$]* || $value == *$'\n'* ]]; then
    die "$name has a quote, a backslash, a dollar sign or a line break in it." "Write it into $SETTINGS yourself and run ./install.sh again without it."
  fi
  if [ "$(setting "$name")" = "$value" ] && grep -q "^$name=" "$SETTINGS"; then return; fi
  {
    grep -v "^[[:space:]]*$name=" "$SETTINGS" || true
    printf '%s="%s"\n' "$name" "$value"
  } >"$SETTINGS.new"
  mv "$SETTINGS.new" "$SETTINGS"
  say "set $name"
}

# Settings files hold secrets: they are private from the first byte on.
write_settings() {
  local name
  umask 077
  install -d -m 0755 "$(dirname "$SETTINGS")"
  if [ -f "$SETTINGS" ]; then
    say "keeping $SETTINGS"
  else
    say "creating $SETTINGS"
    printf '# Settings of Orbitra, one NAME="value" a line. After a change run ./install.sh again,\n# or restart the service.\n' >"$SETTINGS"
  fi
  chmod 0600 "$SETTINGS"
  for name in $(compgen -e ORBITRA_ || true); do
    case $name in
    # For this script, the tests and the command line client, not for the server.
    ORBITRA_BINARY | ORBITRA_ROOT | ORBITRA_TEST_* | ORBITRA_API_KEY | ORBITRA_URL) ;;
    *) set_setting "$name" "${!name}" ;;
    esac
  done
  # With a name of its own and a contact for the certificate authority it speaks HTTPS, each on its own port.
  if [ -n "$(setting ORBITRA_BASE_DOMAIN)" ] && [ -n "$(setting ORBITRA_ACME_EMAIL)" ]; then
    if [ -z "$(setting ORBITRA_LISTEN)" ]; then set_setting ORBITRA_LISTEN 0.0.0.0:80; fi
    if [ -z "$(setting ORBITRA_LISTEN_TLS)" ]; then set_setting ORBITRA_LISTEN_TLS 0.0.0.0:443; fi
  fi
  if [ "$demo" = yes ]; then
    # The demo's repository is on this machine, where Orbitra does not fetch from by itself.
    if [ -z "$(setting ORBITRA_EGRESS_ALLOW)" ]; then set_setting ORBITRA_EGRESS_ALLOW 127.0.0.1/32; fi
    if [ -z "$(setting ORBITRA_EGRESS_ALLOW_HTTP)" ]; then set_setting ORBITRA_EGRESS_ALLOW_HTTP true; fi
    say 'for the demo, Orbitra may fetch from 127.0.0.1 over plain HTTP (the two ORBITRA_EGRESS_ settings)'
  fi
  umask 022
}

# A setting as it will be once write_settings has run: the environment comes before the file.
wanted() {
  if [ -n "${!1:-}" ]; then printf '%s' "${!1}"; else setting "$1"; fi
}

# read_settings wanted|setting: sets data, listen, host, port and base_url, which is what this
# script itself has to know.
read_settings() {
  data=$("$1" ORBITRA_DATA)
  data=${data:-$ROOT/var/lib/orbitra}
  [[ $data == /* ]] || die "ORBITRA_DATA=$data is not an absolute path." "Change it in $SETTINGS."
  listen=$("$1" ORBITRA_LISTEN)
  if [ -z "$listen" ]; then
    listen=0.0.0.0:8080
    # With a certificate authority's contact HTTPS is on, and HTTP moves to its own port.
    if [ -n "$("$1" ORBITRA_BASE_DOMAIN)" ] && [ -n "$("$1" ORBITRA_ACME_EMAIL)" ]; then listen=0.0.0.0:80; fi
  fi
  port=${listen##*:}
  [[ $port =~ ^[0-9]+$ ]] || die "ORBITRA_LISTEN=$listen does not end in a port." "Change it in $SETTINGS, for example to 0.0.0.0:8080."
  host=${listen%:*}
  case $host in
  '' | 0.0.0.0 | '[::]') host=127.0.0.1 ;;
  esac
  base_url=http://$host:$port
}

# Whether a directory is an Orbitra data directory, as far as one can see from outside.
is_data_directory() {
  local name
  for name in orbitra.db instance orbitra.toml orbitra.log; do
    if [ -e "$1/$name" ]; then return; fi
  done
  return 1
}

require_free_port() {
  if (exec 3<>"/dev/tcp/$host/$port") 2>/dev/null; then
    die "another program listens on $host:$port." 'Stop it, or choose another port: ORBITRA_LISTEN=0.0.0.0:8081 ./install.sh'
  fi
}

# Refuses settings that cannot work, before anything is written or stopped.
check_settings() {
  local previous_listen=''
  case $ROOT in
  '' | /*) ;;
  *) die "ORBITRA_ROOT=$ROOT is not an absolute path." ;;
  esac
  if [ -f "$SETTINGS" ]; then
    read_settings setting
    previous_data=$data
    previous_listen=$listen
  fi
  read_settings wanted
  if [ "$listen" != "$previous_listen" ]; then require_free_port; fi
  if [ -d "$data" ] && [ -n "$(ls -A "$data")" ] && ! is_data_directory "$data"; then
    die "$data is not empty and does not look like Orbitra's." 'Choose another directory: ORBITRA_DATA=/path ./install.sh'
  fi
}

make_data_directory() {
  install -d -m 0700 "$data"
  say "data: $data"
}

# --- The process ---------------------------------------------------------------------------------

# The process of an earlier run without systemd; empty when it is gone or is something else by now.
background_pid() {
  local pid exe
  pid=$(cat "$data/orbitra.pid" 2>/dev/null || true)
  if [[ ! $pid =~ ^[0-9]+$ ]]; then return; fi
  exe=$(readlink "/proc/$pid/exe" || true)
  # The kernel marks a program whose file was replaced.
  case ${exe% (deleted)} in
  */orbitra) printf '%s' "$pid" ;;
  esac
}

stop_background() {
  local pid deadline=$((SECONDS + 45))
  pid=$(background_pid)
  if [ -n "$pid" ]; then
    say "stopping process $pid"
    kill -TERM "$pid"
    while [ "$(background_pid)" = "$pid" ]; do
      if [ "$SECONDS" -ge "$deadline" ]; then
        say 'it does not stop; killing it'
        kill -KILL "$pid" 2>/dev/null || true
        deadline=$((SECONDS + 5))
      fi
      sleep 0.1
    done
  fi
  rm -f "$data/orbitra.pid"
}

service_unit() {
  cat <<TEXT
[Unit]
Description=Orbitra deployment platform
Wants=network-online.target
After=network-online.target docker.service orbitra.socket
Requires=orbitra.socket

[Service]
Type=notify
# Another version that takes over becomes the main process.
NotifyAccess=all
EnvironmentFile=$SETTINGS
Environment="ORBITRA_DATA=$data"
ExecStart=$BINARY serve
# The installed version takes over, with the settings as they are now.
ExecReload=$BINARY upgrade --settings
TimeoutStartSec=120
Restart=always
RestartSec=2
KillMode=mixed
TimeoutStopSec=40
LimitNOFILE=1048576
NoNewPrivileges=yes

[Install]
WantedBy=multi-user.target
TEXT
}

# The sockets stay open while the service is started anew, so that connections wait instead of being refused.
socket_unit() {
  local address
  printf '[Unit]\nDescription=Sockets of Orbitra\n\n[Socket]\n'
  for address in "$listen" "$(setting ORBITRA_LISTEN_TLS)"; do
    case $address in
    '') ;;
    :*) printf 'ListenStream=0.0.0.0%s\n' "$address" ;;
    *) printf 'ListenStream=%s\n' "$address" ;;
    esac
  done
  printf 'Backlog=4096\nNoDelay=yes\nKeepAlive=yes\n\n[Install]\nWantedBy=sockets.target\n'
}

# Runs a command with the settings of the file alone, as systemd does.
with_settings() {
  local line name environment=()
  for name in $(compgen -e ORBITRA_ || true); do environment+=(-u "$name"); done
  while IFS= read -r line; do
    name=${line%%=*}
    environment+=("$name=$(setting "$name")")
  done < <(grep -E '^[[:space:]]*[A-Z_][A-Z0-9_]*=' "$SETTINGS" | sed 's/^[[:space:]]*//')
  exec env "${environment[@]}" "ORBITRA_DATA=$data" "$@"
}

# did_not_take_over NEXT: the version that serves on is the installed one again, should it have to be started.
did_not_take_over() {
  if [ -f "$BINARY.before" ]; then mv -f "$BINARY.before" "$BINARY"; fi
  die 'the new version did not take over; the one before serves on and stays installed.' "$1"
}

# Lets the installed version take over from the one that runs, without a request that fails. Fails when there is none
# that could hand over: a version that does not know how, other data, other addresses under systemd.
hand_over() {
  local pid
  if [ -n "$previous_data" ] && [ "$previous_data" != "$data" ]; then return 1; fi
  if [ ! -S "$data/orbitra.sock" ]; then return 1; fi
  if has_systemd; then
    systemctl is-active -q orbitra || return 1
    [ "$(cat "$UNIT" 2>/dev/null)" = "$(service_unit)" ] || return 1
    [ "$(cat "$SOCKET_UNIT" 2>/dev/null)" = "$(socket_unit)" ] || return 1
    systemctl reload orbitra || did_not_take_over 'See: journalctl -u orbitra -n 50'
  else
    [ -n "$(background_pid)" ] || return 1
    pid=$(with_settings "$BINARY" upgrade --settings) || did_not_take_over "Log: $data/orbitra.log"
    printf '%s\n' "$pid" >"$data/orbitra.pid"
  fi
  say 'the new version has taken over from the one that ran'
}

start_background() {
  if [ -f "$data/orbitra.log" ]; then mv -f "$data/orbitra.log" "$data/orbitra.log.1"; fi
  (
    umask 077
    ulimit -n "$(ulimit -H -n)"
    # In a session of its own, so that it outlives this script and its terminal.
    with_settings setsid nohup "$BINARY" serve >"$data/orbitra.log" 2>&1 </dev/null
  ) &
  printf '%s\n' $! >"$data/orbitra.pid"
  disown
  say "started as process $! (no systemd here); log: $data/orbitra.log"
}

start_service() {
  if hand_over; then return; fi
  # Also where systemd runs: it may not have when the earlier process was started.
  if [ -n "$previous_data" ]; then data=$previous_data stop_background; fi
  stop_background
  if has_systemd; then
    service_unit >"$UNIT"
    socket_unit >"$SOCKET_UNIT"
    systemctl daemon-reload
    systemctl stop orbitra.socket orbitra.service
  fi
  require_free_port
  if has_systemd; then
    systemctl enable -q orbitra.socket orbitra.service
    systemctl start orbitra.socket orbitra.service ||
      die 'systemd could not start orbitra.' 'See: journalctl -u orbitra -n 50'
    say 'started the service orbitra'
  else
    start_background
  fi
}

print_log_and_die() {
  printf '\nThe last lines of the log:\n' >&2
  if has_systemd; then
    journalctl -u orbitra -n 30 --no-pager >&2 || true
  else
    tail -n 30 "$data/orbitra.log" >&2 || true
  fi
  die "$1" "The log above should say why. Settings: $SETTINGS. Then run ./install.sh again."
}

wait_for_health() {
  local deadline=$((SECONDS + HEALTH_SECONDS))
  until curl --noproxy '*' -fsS -m 5 -o /dev/null "$base_url/health" 2>/dev/null; do
    if ! has_systemd && [ -z "$(background_pid)" ] && ! kill -0 "$(cat "$data/orbitra.pid")" 2>/dev/null; then
      print_log_and_die 'Orbitra stopped right after its start.'
    fi
    if [ "$SECONDS" -ge "$deadline" ]; then
      print_log_and_die "Orbitra does not answer on $base_url/health after $HEALTH_SECONDS seconds."
    fi
    sleep 0.2
  done
  say "$base_url/health answers"
}

print_addresses() {
  local domain name address='' link='' status=0 settings=()
  domain=$(setting ORBITRA_BASE_DOMAIN)
  printf '\nOrbitra is running.\n'
  if [ -n "$domain" ] && [ "$domain" != localhost ]; then
    if [ -n "$(setting ORBITRA_LISTEN_TLS)" ]; then say "Dashboard: https://$domain"; else say "Dashboard: http://$domain:$port"; fi
  else
    say "Dashboard: http://localhost:$port"
    case ${listen%:*} in
    '' | 0.0.0.0 | '[::]')
      address=$(hostname -I 2>/dev/null | cut -d' ' -f1 || true)
      if [ -n "$address" ]; then say "           http://$address:$port"; fi
      ;;
    esac
  fi
  # The link begins with the address that the settings give.
  for name in ORBITRA_BASE_DOMAIN ORBITRA_DASHBOARD_HOST ORBITRA_PUBLIC_SCHEME ORBITRA_LISTEN ORBITRA_LISTEN_TLS; do
    if [ -n "$(setting "$name")" ]; then settings+=("$name=$(setting "$name")"); fi
  done
  link=$(env "${settings[@]}" "$BINARY" admin setup-link --data "$data") || status=$?
  case $status in
  0)
    say "Make the first account with this link, which works once, for an hour:"
    say "  $link"
    # A browser elsewhere reaches this machine by its address.
    if [ -n "$address" ]; then say "  http://$address:$port/setup${link#*/setup}"; fi
    ;;
  3) say 'The first account exists: log in with it.' ;;
  *) say "No setup link could be made; try: $BINARY admin setup-link --data $data" ;;
  esac
}

# --- The demo ------------------------------------------------------------------------------------

# field NAME...: reads JSON from stdin, prints the value at that path, or nothing.
field() {
  python3 -c '
import json, sys
value = json.load(sys.stdin)
for name in sys.argv[1:]:
    value = value.get(name) if isinstance(value, dict) else None
print("" if value is None else value)' "$@" 2>/dev/null || true
}

# api METHOD PATH [JSON]: prints the status; the answer is in $work/answer.
api() {
  local body=()
  if [ $# -gt 2 ]; then body=(-H 'Content-Type: application/json' --data-binary "$3"); fi
  # The key is read from a file, so that it does not show in the list of processes.
  curl --noproxy '*' -sS -m 90 -o "$work/answer" -w '%{http_code}' -X "$1" -H "@$work/headers" \
    "${body[@]}" "$base_url/api/v1$2"
}

api_die() {
  local status=$1 what=$2
  die "$what: the API answered $status: $(field error message <"$work/answer")" "Its whole answer: $(head -c 2000 "$work/answer")"
}

make_demo_account() {
  local status=0
  "$BINARY" admin create-user --data "$data" --email "$DEMO_EMAIL" --name Demo --json >"$work/user" 2>"$work/error" || status=$?
  case $status in
  0) say "made the account $DEMO_EMAIL ($(field id <"$work/user"))" ;;
  4) say "the account $DEMO_EMAIL exists" ;;
  *) die "the demo account could not be made: $(cat "$work/error")" ;;
  esac
}

# A key of an earlier run is used again while it works.
make_demo_key() {
  local attempt status file=$data/demo/api-key
  for attempt in kept new; do
    if [ "$attempt" = new ]; then
      (umask 077 && "$BINARY" admin create-key --data "$data" --user "$DEMO_EMAIL" --name demo --scopes full >"$file") ||
        die 'the demo API key could not be made.' 'See the message above.'
    fi
    if [ ! -s "$file" ]; then continue; fi
    printf 'Authorization: Bearer %s\n' "$(cat "$file")" >"$work/headers"
    status=$(api GET /projects) || true
    if [ "$status" = 200 ]; then
      say "API key: $file"
      return
    fi
  done
  api_die "$status" 'the demo API key does not work'
}

serve_demo_repository() {
  local repository=$data/demo/git/node-hello.git line='' deadline=$((SECONDS + 10))
  install -d -m 0700 "$data/demo/git"
  if [ ! -d "$repository" ]; then git init -q --bare --initial-branch=main "$repository"; fi
  git -C "$repository" config http.receivepack true

  python3 "$SELF_DIR/tools/git-http-server.py" --root "$data/demo/git" >"$work/git-server" 2>&1 &
  git_server=$!
  until line=$(sed -n 's/^listening on //p' "$work/git-server") && [ -n "$line" ]; do
    if [ "$SECONDS" -ge "$deadline" ] || ! kill -0 "$git_server" 2>/dev/null; then
      die "the demo's Git server does not start: $(cat "$work/git-server")"
    fi
    sleep 0.1
  done
  git_url=$line/node-hello.git

  cp -R "$SELF_DIR/examples/node-hello" "$work/node-hello"
  git -C "$work/node-hello" init -q --initial-branch=main
  git -C "$work/node-hello" add .
  git -C "$work/node-hello" -c user.name='Orbitra demo' -c user.email="$DEMO_EMAIL" \
    -c commit.gpgsign=false commit -q -m 'A small Node server'
  git -C "$work/node-hello" -c http.proxy= push -q --force "$git_url" HEAD:main ||
    die "the example could not be pushed to $git_url."
  say "pushed examples/node-hello to $git_url (the server ends with this script)"
}

# Prints the messages of a stream of log events until it ends.
readonly PRINT_LOG='
import json, sys
event, data = "message", []
for raw in sys.stdin.buffer:
    line = raw.decode("utf-8", "replace").rstrip("\r\n")
    if line:
        name, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if name == "event":
            event = value
        elif name == "data":
            data.append(value)
        continue
    if event == "log" and data:
        print("      |", json.loads("\n".join(data)).get("message", "").rstrip(), flush=True)
    if event == "end":
        break
    event, data = "message", []
'

follow_build_log() {
  # The stream may break off; what counts is the status, which is asked for afterwards.
  curl --noproxy '*' -sSN -m "$DEMO_BUILD_SECONDS" -H "@$work/headers" -H 'Accept: text/event-stream' \
    "$base_url/api/v1/deployments/$1/logs?follow=true" 2>/dev/null | python3 -c "$PRINT_LOG" || true
}

wait_until_live() {
  local id=$1 status deployment deadline=$((SECONDS + DEMO_BUILD_SECONDS))
  while true; do
    status=$(api GET "/deployments/$id?wait=60") || true
    [ "$status" = 200 ] || api_die "$status" 'the deployment cannot be read'
    deployment=$(field status <"$work/answer")
    case $deployment in
    live) return ;;
    failed | canceled | crashed)
      die "the deployment ended as $deployment: $(field error message <"$work/answer")" 'The build log is above.'
      ;;
    esac
    if [ "$SECONDS" -ge "$deadline" ]; then die "the deployment is still \"$deployment\" after $DEMO_BUILD_SECONDS seconds."; fi
  done
}

deploy_demo() {
  local status id url code
  status=$(api POST /projects '{"name":"hello","region":"local"}') || true
  case $status in
  201) say 'made the project hello' ;;
  409) say 'the project hello exists' ;;
  *) api_die "$status" 'the project could not be made' ;;
  esac

  status=$(api POST /projects/hello/deployments "{\"git_url\":\"$git_url\",\"branch\":\"main\"}") || true
  [ "$status" = 201 ] || api_die "$status" 'the deployment could not be started'
  id=$(field id <"$work/answer")
  say "deployment $id; its build log:"
  follow_build_log "$id"
  wait_until_live "$id"
  url=$(field url <"$work/answer")
  say 'live'

  # The name may not resolve here (*.localhost often does not), but it is this machine that serves it.
  code=$(curl --noproxy '*' -sS -m 20 --connect-to "::$host:" -o "$work/page" -w '%{http_code}' "$url") ||
    die "$url does not answer."
  printf '\nThe first lines of its page:\n'
  head -n 8 "$work/page" | sed 's/^/      /'
  printf '\n%s\nanswered %s\n' "$url" "$code"
  [ "$code" = 200 ]
}

run_demo() {
  need git=git python3=python3
  install -d -m 0700 "$data/demo"
  say "making sure that there is a Node base image"
  "$SELF_DIR/tests/base-images.sh" node | sed 's/^/      /'
  make_demo_account
  make_demo_key
  serve_demo_repository
  deploy_demo
}

# --- Uninstalling --------------------------------------------------------------------------------

# remove_from_docker KIND FILTER LIST-COMMAND... -- REMOVE-COMMAND...
remove_from_docker() {
  local kind=$1 filter=$2 list=() ids
  shift 2
  while [ "$1" != -- ]; do
    list+=("$1")
    shift
  done
  shift
  mapfile -t ids < <(docker "${list[@]}" --quiet --filter "$filter" | sort -u)
  if [ "${#ids[@]}" = 0 ]; then return; fi
  say "$kind to remove: ${#ids[@]}"
  docker "$@" "${ids[@]}" >/dev/null || say "some $kind could not be removed; Docker says why above"
}

remove_docker_objects() {
  # An engine may serve several instances; this one's name is in its data directory.
  local filter
  if [ ! -s "$data/instance" ]; then
    say "nothing is removed: there is no instance name in $data, and other instances may use this Docker." \
      'What carries the label: docker container ls --all --filter label=orbitra.instance'
    return
  fi
  filter=label=orbitra.instance=$(cat "$data/instance")
  if ! command -v docker >/dev/null || ! timeout 20 docker info >/dev/null 2>&1; then
    say 'Docker does not answer: its containers, networks and images stay.' \
      "To remove them later, start Docker and run ./install.sh --uninstall again."
    return
  fi
  remove_from_docker containers "$filter" container ls --all -- container rm --force
  remove_from_docker networks "$filter" network ls -- network rm
  remove_from_docker images "$filter" image ls --all -- image rm --force
  if [ "$purge" = yes ]; then remove_from_docker volumes "$filter" volume ls -- volume rm; fi
}

uninstall() {
  step_total=4
  require_root --uninstall
  read_settings wanted
  step 'Stopping Orbitra'
  if has_systemd && [ -f "$UNIT" ]; then
    systemctl disable -q --now orbitra.socket orbitra.service || true
    rm -f "$UNIT" "$SOCKET_UNIT"
    systemctl daemon-reload
  fi
  stop_background
  step 'Removing what it made in Docker'
  remove_docker_objects
  step 'Removing the binary and the settings'
  rm -f "$BINARY" "$BINARY.before" "$SETTINGS"
  rmdir "$(dirname "$SETTINGS")" 2>/dev/null || true
  step 'The data'
  if [ ! -d "$data" ]; then
    say "$data does not exist"
  elif [ "$purge" = no ]; then
    say "kept: $data (./install.sh --uninstall --purge deletes it; give ORBITRA_DATA when it is not the usual place)"
  elif is_data_directory "$data"; then
    rm -rf --one-file-system "$data"
    say "deleted $data"
  else
    say "$data does not look like Orbitra's, so it stays"
  fi
}

# --- Main ----------------------------------------------------------------------------------------

main() {
  local argument
  for argument; do
    case $argument in
    --demo) demo=yes ;;
    --uninstall) remove=yes ;;
    --purge) purge=yes ;;
    -h | --help)
      usage
      exit 0
      ;;
    *)
      usage >&2
      exit 2
      ;;
    esac
  done
  case $demo/$remove/$purge in
  yes/yes/* | */no/yes)
    usage >&2
    exit 2
    ;;
  esac
  if [ "$remove" = yes ]; then
    uninstall
    exit
  fi
  if [ "$demo" = yes ]; then step_total=7; fi

  step 'Checking this machine'
  require_root "$@"
  require_debian_or_ubuntu
  work=$(mktemp -d)
  step 'Packages'
  need git=git curl=curl
  if [ ! -e /etc/ssl/certs/ca-certificates.crt ]; then apt_install ca-certificates; fi
  step 'Docker'
  "$SELF_DIR/tools/start-dockerd.sh" | sed 's/^/      /'
  step 'The orbitra binary'
  install_binary
  step 'Settings and data'
  check_settings
  write_settings
  make_data_directory
  step 'Starting'
  start_service
  rm -f "$BINARY.before"
  wait_for_health
  print_addresses
  if [ "$demo" = yes ]; then
    step 'The demo'
    run_demo
  fi
}

main "$@"
