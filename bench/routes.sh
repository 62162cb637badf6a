#!/usr/bin/env bash
# Whether a request costs more when more hosts are routed: processor time a request with 10 and with 10,000 host names,
# in turns, each request for the next name. The proxy has one core, the load generator and the application (nginx in a
# container) the other. Needs Docker with the base images, nginx and wrk. Sends requests to this machine only.
#
#   SECONDS_EACH=3 ROUNDS=9 ./bench/routes.sh [path of the orbitra binary]
set -euo pipefail

# shellcheck source=bench/instance.sh
. "$(dirname "$0")/instance.sh"
# shellcheck source=bench/proxies.sh
. "$(dirname "$0")/proxies.sh"

seconds=${SECONDS_EACH:-3}
rounds=${ROUNDS:-9}

need_images debian:bookworm-slim
need nginx wrk taskset
export ORBITRA_ACCESS_LOG=true ORBITRA_BASE_DOMAIN=apps.test ORBITRA_DASHBOARD_HOST=127.0.0.1
machine
start
application_image
project web
live "$(deploy web)" >/dev/null
container=$("$docker" ps -q --filter "label=orbitra.instance=$(cat "$work/data/instance")")
"$docker" update --cpuset-cpus 1 "$container" >/dev/null
cat >"$work/hosts.lua" <<'LUA'
local count, next = tonumber(os.getenv("HOSTS")), 0
request = function()
  next = (next + 7919) % count
  return wrk.format("GET", "/small", { Host = "h" .. next .. ".example.net" })
end
LUA

# with HOSTS: microseconds of processor time a request, and failed requests.
with() {
  local before after
  kill "$server"; wait "$server" 2>/dev/null || true
  python3 - "$work/data/orbitra.db" "$1" <<'PYTHON'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
project = db.execute("SELECT id FROM projects WHERE name = 'web'").fetchone()[0]
later = 4102444800000
db.execute("DELETE FROM domains")
for n in range(int(sys.argv[2])):
    db.execute(
        "INSERT INTO domains (id, project_id, hostname, status, redirect_code, look_at, created_at, verified_at)"
        " VALUES (?, ?, ?, 'active', 308, ?, 0, 1)",
        (f"dom_{n:016d}", project, f"h{n}.example.net", later),
    )
db.commit()
PYTHON
  taskset -c 0 "$binary" serve &
  server=$!
  until curl -fs -o /dev/null -H 'Host: h0.example.net' "http://127.0.0.1:$port/small"; do sleep 0.05; done
  before=$(spent "$server")
  HOSTS=$1 taskset -c 1 wrk -t 1 -c 64 -d "${seconds}s" -s "$work/hosts.lua" "http://127.0.0.1:$port" >"$work/wrk"
  after=$(spent "$server")
  awk -v hosts="$1" -v spent=$((after - before)) '
    /requests in/ { requests = $1 }
    /Non-2xx/ { failed += $NF }
    END { print hosts, spent / 1e3 / requests, failed + 0 }' "$work/wrk"
}

for _ in $(seq "$rounds"); do
  with 10
  with 10000
  # Not in a pipe: the server would keep it open.
done >"$work/rounds"
python3 -c '
import statistics, sys
rounds = [line.split() for line in sys.stdin]
few, many = ([float(one[1]) for one in rounds if one[0] == hosts] for hosts in ("10", "10000"))
ratios = [b / a for a, b in zip(few, many)]
print(f"10 hosts {statistics.median(few):.1f} µs, 10,000 hosts {statistics.median(many):.1f} µs a request;"
      f" ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}); failed {sum(int(one[2]) for one in rounds)}")
' <"$work/rounds"
