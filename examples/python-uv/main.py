"""Answers with the standard library alone: what uv installs by its lock file is this project."""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Home(BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"Hello from uv\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Home).serve_forever()
