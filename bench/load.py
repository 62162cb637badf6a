#!/usr/bin/env python3
"""Visitors who come all the time, half of them on fresh connections, until standard input ends. Says how many were
answered and what failed.

load.py HOST PORT NAME A_SECOND BODY
"""

import http.client
import sys
import threading
import time


def visit(host, port, name, pause, body, fresh, stop, seen):
    connection, last = None, time.monotonic()
    while not stop.is_set():
        begin = time.monotonic()
        # A connection that was kept may be closed by the time; the end of one is no failed request.
        if connection is None:
            connection = http.client.HTTPConnection(host, port, timeout=30)
        try:
            connection.request("GET", "/", headers={"Host": name})
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != 200 or body not in content:
                seen["failed"].append(f"{answer.status} {content[:60]!r}")
            seen["answered"] += 1
            last = time.monotonic()
            seen["longest"] = max(seen["longest"], time.monotonic() - begin)
            if fresh or answer.will_close:
                connection.close()
                connection = None
        except (OSError, http.client.HTTPException) as error:
            kind = "fresh" if fresh else f"kept, unused for {(begin - last) * 1000:.0f} ms"
            seen["failed"].append(f"{type(error).__name__} ({kind}) after {(time.monotonic() - begin) * 1000:.0f} ms")
            connection.close()
            connection = None
        time.sleep(max(0, pause - (time.monotonic() - begin)))


def main():
    host, port, name, rate, body = sys.argv[1:]
    clients = 8
    stop, all_seen, threads = threading.Event(), [], []
    for number in range(clients):
        seen = {"answered": 0, "failed": [], "longest": 0}
        all_seen.append(seen)
        arguments = (host, int(port), name, clients / float(rate), body.encode(), number % 2 == 0, stop, seen)
        threads.append(threading.Thread(target=visit, args=arguments))
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()
    failed = [one for seen in all_seen for one in seen["failed"]]
    answered = sum(seen["answered"] for seen in all_seen)
    longest = max(seen["longest"] for seen in all_seen)
    print(f"{answered} requests, the longest {longest * 1000:.0f} ms, failed: {len(failed)}")
    for one in sorted(set(failed))[:5]:
        print(f"  {one}")
    sys.exit(1 if failed else 0)


main()
