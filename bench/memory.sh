#!/usr/bin/env bash
# Measures the memory of the data plane: ten thousand connections that rest after one request, over each protocol, and
# large content in both directions, whose sums are compared. Needs Docker with the base images, git, curl, openssl and
# python3; sends requests to this machine only.
#
#   CONNECTIONS=10000 GIB=10 ./bench/memory.sh [path of the orbitra binary]
set -euo pipefail

# shellcheck source=bench/instance.sh
. "$(dirname "$0")/instance.sh"
# shellcheck source=bench/proxies.sh
. "$(dirname "$0")/proxies.sh"

connections=${CONNECTIONS:-10000}
gib=${GIB:-10}

need_images debian:bookworm-slim
need openssl curl python3
ulimit -n "$(ulimit -Hn)"
https=$(free_port)
export ORBITRA_BASE_DOMAIN=apps.test ORBITRA_DASHBOARD_HOST=127.0.0.1 ORBITRA_LISTEN_TLS=127.0.0.1:$https
export ORBITRA_CONNECTIONS_PER_ADDRESS=0
machine
start

# The application: sends as many bytes as it is asked for, and sums up what it gets. Perl is in every Debian.
mkdir -p "$work/web"
cat >"$work/web/server.pl" <<'PERL'
use strict; use warnings; use Socket;
$SIG{CHLD} = 'IGNORE';
socket(my $server, PF_INET, SOCK_STREAM, 0) or die; setsockopt($server, SOL_SOCKET, SO_REUSEADDR, 1);
bind($server, sockaddr_in(8080, INADDR_ANY)) or die; listen($server, 4096);
my $block = pack('C*', map { $_ % 251 } 0 .. 1048575);
while (accept(my $client, $server) or $!{EINTR}) {
  next unless $client;
  if (fork) { close $client; next }
  my $buffer = '';
  while (1) {
    while ($buffer !~ /\r\n\r\n/) { sysread($client, $buffer, 65536, length $buffer) or exit }
    $buffer =~ s/^(.*?)\r\n\r\n//s; my $head = $1;
    if ($head =~ m{^GET /down/(\d+)}) {
      my $left = $1;
      syswrite($client, "HTTP/1.1 200 OK\r\nContent-Length: $left\r\n\r\n");
      while ($left > 0) { my $sent = syswrite($client, $block, $left < length $block ? $left : length $block) or exit; $left -= $sent; $sent == length $block or die "short" if $left > 0 }
    } elsif ($head =~ m{^POST}) {
      my ($length) = $head =~ /content-length: *(\d+)/i; my ($got, $sum) = (0, 0);
      while ($got < $length) {
        unless (length $buffer) { sysread($client, $buffer, 1048576) or exit }
        $got += length $buffer; $sum = ($sum + unpack('%32C*', $buffer)) % 4294967296; $buffer = '';
      }
      my $answer = "$got $sum"; syswrite($client, "HTTP/1.1 200 OK\r\nContent-Length: " . length($answer) . "\r\n\r\n$answer");
    } else { syswrite($client, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") }
  }
}
PERL
printf 'FROM debian:bookworm-slim\nCOPY server.pl /\nEXPOSE 8080\nCMD ["perl", "/server.pl"]\n' >"$work/web/Dockerfile"
repository web
project web
live "$(deploy web)" >/dev/null
certificate
"$binary" admin set-certificate --chain "$work/chain.pem" --key "$work/key.pem" >/dev/null

# serve [NAME=VALUE]: Orbitra anew, so that every figure begins with a process that has done nothing.
serve() {
  kill "$server"; wait "$server" 2>/dev/null || true
  env "$@" "$binary" serve &
  server=$!
  until curl -fs -o /dev/null "http://127.0.0.1:$port/health"; do sleep 0.05; done
  sleep 2
}
resident() { awk '/^VmRSS/ { print $2 }' "/proc/$server/status"; }
mb() { awk -v kb="$1" 'BEGIN { printf "%.1f MB", kb / 1024 }'; }

echo "$connections connections at rest:"
for protocol in silent http https h2; do
  if [ "$protocol" = http ] || [ "$protocol" = silent ]; then serve ORBITRA_LISTEN_TLS=; at=$port; else serve X=; at=$https; fi
  before=$(resident)
  mkfifo "$work/end"
  python3 "$here/bench/memory.py" "$protocol" "$connections" 127.0.0.1 "$at" web.apps.test <"$work/end" >"$work/opened" &
  client=$!
  exec 9>"$work/end"
  until grep -qs open "$work/opened"; do
    kill -0 "$client" 2>/dev/null || refuse "The connections could not be opened."
    sleep 0.1
  done
  sleep 2
  after=$(resident)
  exec 9>&-
  if wait "$client"; then kept=all; else kept="not all"; fi
  rm "$work/end"
  echo "  $protocol: $(mb "$before") before, $(mb "$after") with them ($kept stayed), $(((after - before) * 1024 / connections)) bytes each"
done

# peak COMMAND...: the growth of the resident memory while it runs, in KiB, in $grown; its output in $said.
peak() {
  local before most now client
  before=$(resident); most=$before
  "$@" >"$work/said" &
  client=$!
  while kill -0 "$client" 2>/dev/null; do
    now=$(resident)
    if [ "$now" -gt "$most" ]; then most=$now; fi
    sleep 0.05
  done
  wait "$client" || refuse "A transfer failed: $(cat "$work/said")"
  grown=$((most - before)) said=$(cat "$work/said")
}
sum_of() { python3 -c '
import sys
left, block = int(sys.argv[1]), bytes(n % 251 for n in range(1 << 20))
whole, rest = divmod(left, len(block))
print(left, (whole * sum(block) + sum(block[:rest])) % (1 << 32))' "$1"; }
bytes=$((gib * 1024 * 1024 * 1024))
expected=$(sum_of "$bytes")
send() { python3 -c '
import sys
left, block = int(sys.argv[1]), bytes(n % 251 for n in range(1 << 20))
while left > 0:
    sys.stdout.buffer.write(block[:left]); left -= len(block)' "$bytes"; }
ask() { curl -sS --fail -k "$@"; }
down() { ask "$@" | python3 -c '
import hashlib, sys
digest, count = hashlib.sha256(), 0
while part := sys.stdin.buffer.read1(1 << 20):
    digest.update(part); count += len(part)
print(count, digest.hexdigest())'; }
digest=$(send | sha256sum | cut -d' ' -f1)

echo "$gib GiB each way (more memory at most):"
for protocol in http h2; do
  if [ "$protocol" = http ]; then
    serve ORBITRA_LISTEN_TLS=; to=(-H "Host: web.apps.test" "http://127.0.0.1:$port")
  else
    serve X=; to=(--http2 --resolve "web.apps.test:$https:127.0.0.1" "https://web.apps.test:$https")
  fi
  base_url=${to[-1]}
  unset 'to[-1]'
  begin=$(now)
  peak down "${to[@]}" "$base_url/down/$bytes"
  [ "$said" = "$bytes $digest" ] || refuse "What came is something else: $said"
  echo "  $protocol down: $(mb "$grown"), $(($(now) - begin)) ms, equal"
  begin=$(now)
  upload() { send | ask "${to[@]}" -X POST -H "Content-Type: application/octet-stream" -H "Content-Length: $bytes" -H Transfer-Encoding: -H Expect: -T - "$base_url/up"; }
  peak upload
  [ "$said" = "$expected" ] || refuse "What arrived is something else: $said, not $expected"
  echo "  $protocol up: $(mb "$grown"), $(($(now) - begin)) ms, equal"
done
