"""A server of Python's own, with one dependency."""

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import humanize

STARTED = f"Python {sys.version_info.major}.{sys.version_info.minor}"


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"Hello from {STARTED}: {humanize.intcomma(1234567)}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    port = int(os.environ.get("PORT", "8000"))
    print(f"listening on {port}")
    ThreadingHTTPServer(("0.0.0.0", port), Page).serve_forever()
