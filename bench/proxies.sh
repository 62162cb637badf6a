# shellcheck shell=bash
# The proxies that Orbitra is measured beside, each on the first core, and the application behind them. Sourced after
# bench/instance.sh, which sets work, docker and port.
# shellcheck disable=SC2034,SC2154  # The scripts that source this use them.

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# The application: nginx of this machine with its libraries, in an image that a repository builds.
application_image() {
  local root=$work/web/root library
  mkdir -p "$root/usr/sbin" "$root/srv"
  cp "$(command -v nginx)" "$root/usr/sbin/nginx"
  for library in $(ldd "$(command -v nginx)" | grep -o '/[^ ]*'); do
    # /lib is /usr/lib in the image.
    mkdir -p "$root/usr$(dirname "${library#/usr}")"
    cp -L "$library" "$root/usr${library#/usr}"
  done
  printf '%s' "$(head -c 128 /dev/zero | tr '\0' x)" >"$root/srv/small"
  head -c 102400 /dev/urandom >"$root/srv/large"
  cat >"$root/nginx.conf" <<'NGINX'
worker_processes 1;
error_log stderr crit;
pid /tmp/nginx.pid;
events { worker_connections 20000; }
http {
  access_log off;
  default_type application/octet-stream;
  sendfile on;
  keepalive_requests 1000000000;
  keepalive_timeout 3600;
  open_file_cache max=10;
  server { listen 8080 backlog=4096; location / { root /srv; } location = / { return 200 "ok"; } }
}
NGINX
  printf 'FROM debian:bookworm-slim\nCOPY root/ /\nRUN mkdir -p /var/lib/nginx /var/log/nginx\nEXPOSE 8080\nCMD ["nginx", "-c", "/nginx.conf", "-g", "daemon off;"]\n' >"$work/web/Dockerfile"
  repository web
}

# A certificate for everything below apps.test, in chain.pem and key.pem, and both in both.pem.
certificate() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=apps.test \
    -addext 'subjectAltName=DNS:apps.test,DNS:*.apps.test' -keyout "$work/key.pem" -out "$work/chain.pem" 2>/dev/null
  cat "$work/chain.pem" "$work/key.pem" >"$work/both.pem"
}

orbitra_pid=
# spent PID: processor time so far of a process and its children, in nanoseconds, as the scheduler counts it: the ticks of
# /proc/PID/stat are samples, and miss what runs for less than one.
spent() {
  local pid
  for pid in "$1" $(pgrep -P "$1" || true); do
    cat /proc/"$pid"/task/*/schedstat 2>/dev/null || true
  done | awk '{ total += $1 } END { printf "%.0f\n", total }'
}

stop_proxies() {
  local pid
  for pid in ${nginx_pid:-} ${haproxy_pid:-} ${caddy_pid:-}; do kill "$pid" 2>/dev/null || true; done
  cleanup
}

start_nginx() {
  nginx_http=$(free_port) nginx_https=$(free_port)
  cat >"$work/nginx.conf" <<NGINX
worker_processes 1;
daemon off;
pid $work/nginx.pid;
error_log $work/nginx.error crit;
events { worker_connections 25000; }
worker_rlimit_nofile 60000;
http {
  access_log $work/nginx.access;
  client_body_temp_path $work/nginx-body;
  proxy_temp_path $work/nginx-proxy;
  fastcgi_temp_path $work/nginx-f; uwsgi_temp_path $work/nginx-u; scgi_temp_path $work/nginx-s;
  keepalive_requests 1000000000;
  keepalive_timeout 3600;
  upstream app { server $1:8080; keepalive $2; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:$nginx_http backlog=4096;
    listen 127.0.0.1:$nginx_https ssl http2 backlog=4096;
    ssl_certificate $work/chain.pem; ssl_certificate_key $work/key.pem;
    server_name web.apps.test;
    client_max_body_size 0;
    location / {
      proxy_pass http://app;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host \$host;
      proxy_set_header X-Forwarded-For \$proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto \$scheme;
    }
  }
}
NGINX
  taskset -c 0 nginx -c "$work/nginx.conf" &
  nginx_pid=$!
  wait_for_port "$nginx_http"
}

start_haproxy() {
  haproxy_http=$(free_port) haproxy_https=$(free_port)
  cat >"$work/haproxy.cfg" <<HAPROXY
global
  nbthread 1
  maxconn 9000
  log stdout format raw local0
defaults
  mode http
  log global
  option httplog
  timeout connect 5s
  timeout client 3600s
  timeout server 3600s
  http-reuse always
frontend all
  bind 127.0.0.1:$haproxy_http
  bind 127.0.0.1:$haproxy_https ssl crt $work/both.pem alpn h2,http/1.1
  option forwardfor
  default_backend app
backend app
  server app $1:8080
HAPROXY
  taskset -c 0 haproxy -f "$work/haproxy.cfg" >"$work/haproxy.access" &
  haproxy_pid=$!
  wait_for_port "$haproxy_http"
}

start_caddy() {
  caddy_http=$(free_port) caddy_https=$(free_port)
  cat >"$work/Caddyfile" <<CADDY
{
  admin off
  auto_https off
}
http://web.apps.test:$caddy_http {
  log {
    output file $work/caddy.access
  }
  reverse_proxy $1:8080
}
https://web.apps.test:$caddy_https {
  tls $work/chain.pem $work/key.pem
  log {
    output file $work/caddy.access-tls
  }
  reverse_proxy $1:8080
}
CADDY
  GOMAXPROCS=1 XDG_DATA_HOME=$work XDG_CONFIG_HOME=$work taskset -c 0 caddy run --config "$work/Caddyfile" --adapter caddyfile 2>"$work/caddy.error" &
  caddy_pid=$!
  wait_for_port "$caddy_http"
}

wait_for_port() {
  local tries=200
  until (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || refuse "Nobody listens at port $1."
    sleep 0.05
  done
}
