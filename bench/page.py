"""Median time of one GET in milliseconds, on one connection: page.py BASE_URL KEY PATH

Before each request something is written, so that no answer is given from memory.
"""
import http.client
import json
import statistics
import sys
import time
from urllib.parse import urlsplit

base, key, path = sys.argv[1:4]
url = urlsplit(base)
connection = http.client.HTTPConnection(url.hostname, url.port)
headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}


def ask(method, path, body=None):
    connection.request(method, url.path + path, body, headers)
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        sys.exit(f"{answer.status} for {method} {path}")


times = []
for number in range(250):
    ask("PATCH", "/users/me", json.dumps({"company": f"Bench {number}"}))
    begin = time.perf_counter()
    ask("GET", path)
    times.append((time.perf_counter() - begin) * 1000)
print(f"{statistics.median(times[50:]):.3f}")
