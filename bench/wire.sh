#!/usr/bin/env bash
# Sends the same hostile requests through nginx, HAProxy and Caddy (as Debian has them) and through Orbitra's proxy, and
# shows what an application got of them. Everything is on loopback and gone afterwards.
#
#   ./bench/wire.sh [path of the orbitra binary; needs Docker with the base images for it. "none" leaves it out]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
running=()
cleanup() {
  local process
  for process in "${running[@]}"; do kill "$process" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
answers() {
  local tries=0
  until (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do
    tries=$((tries + 1))
    if [ "$tries" -gt 100 ]; then cat "$work"/*.log >&2; exit 1; fi
    sleep 0.05
  done
}

WIRE_UPSTREAM=$(port)
export WIRE_UPSTREAM
targets=()

if command -v nginx >/dev/null; then
  nginx=$(port)
  cat >"$work/nginx.conf" <<TEXT
daemon off; pid $work/nginx.pid; error_log $work/nginx.log; worker_processes 1;
events {}
http {
  access_log off;
  client_body_temp_path $work/b; proxy_temp_path $work/p; fastcgi_temp_path $work/f; uwsgi_temp_path $work/u; scgi_temp_path $work/s;
  upstream app { server 127.0.0.1:$WIRE_UPSTREAM; keepalive 8; }
  server {
    listen 127.0.0.1:$nginx;
    location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host \$host; proxy_request_buffering off; }
  }
}
TEXT
  nginx -c "$work/nginx.conf" -e "$work/nginx.log" >/dev/null 2>&1 &
  running+=($!)
  answers "$nginx"
  targets+=("nginx=127.0.0.1:$nginx")
fi

if command -v haproxy >/dev/null; then
  haproxy=$(port)
  cat >"$work/haproxy.cfg" <<TEXT
defaults
  mode http
  timeout connect 3s
  timeout client 5s
  timeout server 5s
frontend f
  bind 127.0.0.1:$haproxy
  default_backend b
backend b
  http-reuse always
  server app 127.0.0.1:$WIRE_UPSTREAM
TEXT
  haproxy -f "$work/haproxy.cfg" >"$work/haproxy.log" 2>&1 &
  running+=($!)
  answers "$haproxy"
  targets+=("haproxy=127.0.0.1:$haproxy")
fi

if command -v caddy >/dev/null; then
  caddy=$(port)
  printf '{\n  admin off\n  auto_https off\n}\nhttp://:%s {\n  bind 127.0.0.1\n  reverse_proxy 127.0.0.1:%s\n}\n' "$caddy" "$WIRE_UPSTREAM" >"$work/Caddyfile"
  HOME=$work caddy run --config "$work/Caddyfile" --adapter caddyfile >"$work/caddy.log" 2>&1 &
  running+=($!)
  answers "$caddy"
  targets+=("caddy=127.0.0.1:$caddy")
fi

python3 "$here/bench/wire.py" "$here/tests/judges/wire/cases.toml" "${targets[@]}"
if [ "${1:-}" != none ]; then
  printf 'orbitra: '
  cd "$here"
  if cargo nextest run --locked --test it -E 'test(=proxy_smuggling::an_application_sees_one_message_or_none)' >"$work/orbitra.log" 2>&1; then
    echo 'all as they are to be'
  else
    grep -A40 'of 1[0-9][0-9]:' "$work/orbitra.log" | head -60
  fi
fi
