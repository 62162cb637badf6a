"""A receiver of webhooks that is not ours: what Orbitra sends is verified with the reference library of Standard Webhooks
for Python and with the code that docs/webhooks.md gives to receivers; what was altered must be refused by both.

    webhooks.py URL KEY    URL of a running Orbitra that may reach 127.0.0.1 over plain HTTP
"""

import json
import queue
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from standardwebhooks.webhooks import Webhook

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs" / "webhooks"))
import verify as published  # noqa: E402

URL, KEY = sys.argv[1:]
got = queue.Queue()


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        got.put(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def call(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    request = urllib.request.Request(f"{URL}{path}", data, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read() or b"null")


def verifies(headers, body, secret):
    """What both say; they must agree."""
    said = []
    for judge in (lambda: Webhook(secret).verify(body, headers), lambda: published.verify(headers, body, secret)):
        try:
            said.append(judge() == json.loads(body))
        except Exception:  # each library has errors of its own
            said.append(False)
    assert said[0] == said[1], said
    return said[0]


def altered(headers, body):
    """The same request with one thing changed."""
    yield headers, body.replace(b"}", b" }", 1)
    yield headers, body[:-1]
    for names, value in [
        (("webhook-id", "x-orbitra-event-id"), "evt_0000000000000000"),
        (("webhook-signature", "x-orbitra-signature"), None),
        (("webhook-timestamp", "x-orbitra-signature"), "old"),
    ]:
        changed = dict(headers)
        for name in names:
            at = int(headers["webhook-timestamp"])
            if value == "old":
                changed[name] = changed[name].replace(str(at), str(at - 1000))
            elif value is None:
                changed[name] = changed[name].replace("v1,", "v1,A").replace("v1=", "v1=0")
            else:
                changed[name] = value
        yield changed, body


server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
hook = call("POST", "/webhooks", {"url": f"http://127.0.0.1:{server.server_port}/", "events": ["*"]})
path = f"/webhooks/{hook['id']}"
secrets = [hook["secret"]]
checked = refused = 0
for turn in range(2):
    for number in range(5):
        call("POST", "/projects", {"name": f"judged-{turn}-{number}", "region": "local", "description": "\u00fc \u2028 </script>"})
    call("POST", f"{path}/ping", {})
    for _ in range(6):
        headers, body = got.get(timeout=20)
        assert list(json.loads(body)) == ["event", "timestamp", "data"], body
        for secret in secrets:
            assert verifies(headers, body, secret), headers
            checked += 1
        for other in altered(headers, body):
            assert not verifies(*other, secrets[0]), other
            refused += 1
    secrets.insert(0, call("POST", f"{path}/rotate-secret", {})["secret"])
call("DELETE", path)
server.shutdown()
print(f"{checked} requests verified by both, {refused} altered ones refused by both")
