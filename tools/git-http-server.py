#!/usr/bin/env python3
"""A Git server over smart HTTP, for the demo and the tests.

Serves every bare repository below --root by running `git http-backend`, the program that real
servers use. Cloning is always allowed; pushing where the repository says `http.receivepack = true`.
Every repository has a Git LFS server beside it, which keeps objects in its directory `lfs`.

The first line on stdout is `listening on http://HOST:PORT`. SIGTERM ends it with exit code 0.
The switches --redirect-to, --hang and --garbage make it misbehave on purpose.
"""

import argparse
import base64
import hashlib
import hmac
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

BLOCK = 64 * 1024


LFS_OBJECT = re.compile(r"(?P<repository>/.+\.git)/info/lfs/objects/(?P<oid>[0-9a-f]{64})")


def pass_for(oid):
    """What a client must show to get or to put an object, as a server's own storage would want."""
    return hashlib.sha256(b"pass for " + oid.encode()).hexdigest()


class BadRequest(Exception):
    """The request breaks HTTP; the message is the answer."""


class Counted:
    """A connection's output that knows how many bytes went through it."""

    def __init__(self, inner):
        self.inner = inner
        self.bytes = 0

    def write(self, block):
        self.bytes += len(block)
        return self.inner.write(block)

    def __getattr__(self, name):
        return getattr(self.inner, name)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # A client that goes silent must not keep a thread for ever.
    timeout = 120
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.wfile = Counted(self.wfile)

    def do_GET(self):
        self.answer()

    def do_HEAD(self):
        self.answer()

    def do_POST(self):
        self.answer()

    def do_PUT(self):
        self.answer()

    def answer(self):
        options = self.server.options
        if options.hang:
            self.server.stopping.wait()
            self.close_connection = True
            return
        self.status, before = 0, self.wfile.bytes
        try:
            # The body is read in full before anything is answered: what is left of it would be
            # taken for the next request on this connection.
            with tempfile.TemporaryFile() as body:
                self.read_body(body)
                length = body.tell()
                body.seek(0)
                self.answer_with(body, length)
        except (BadRequest, zlib.error) as error:
            self.close_connection = True
            self.reply(400, f"{error}\n")
        except (BrokenPipeError, ConnectionResetError, socket.timeout):
            self.close_connection = True
        finally:
            self.log_answer(self.wfile.bytes - before)

    def answer_with(self, body, length):
        options = self.server.options
        path = urlsplit(self.path).path
        if found := LFS_OBJECT.fullmatch(path):
            self.answer_object(found["repository"], found["oid"], body, length)
        elif options.user is not None and not self.is_authorized():
            self.reply(401, "log in first\n", [("WWW-Authenticate", 'Basic realm="git"')])
        elif options.redirect_to is not None and path.endswith("/info/refs"):
            self.reply(302, "moved\n", [("Location", options.redirect_to)])
        elif self.command == "POST" and path.endswith(".git/info/lfs/objects/batch"):
            self.answer_batch(path.removesuffix("/batch"), body)
        elif options.garbage:
            page = "<!doctype html><title>Welcome</title><p>This is not a Git server.\n"
            self.reply(200, page, content_type="text/html; charset=utf-8")
        else:
            self.run_backend(body, length)

    def is_authorized(self):
        options = self.server.options
        scheme, _, credentials = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            given = base64.b64decode(credentials.strip(), validate=True)
        except ValueError:
            return False
        return hmac.compare_digest(given, f"{options.user}:{options.password}".encode())

    def answer_batch(self, base, body):
        """Says where Git LFS objects are, or are to go (docs/api/batch.md of Git LFS)."""
        asked = json.load(body)
        objects = []
        for wanted in asked["objects"]:
            oid = wanted["oid"]
            answer = {"oid": oid, "size": wanted["size"], "authenticated": True}
            action = {
                "href": f"http://{self.headers['Host']}{base}/{oid}",
                "header": {"Authorization": f"RemoteAuth {pass_for(oid)}"},
            }
            here = os.path.exists(self.object_file(base.split(".git/")[0] + ".git", oid))
            if asked["operation"] == "upload":
                answer["actions"] = {} if here else {"upload": action}
            elif here:
                answer["actions"] = {"download": action}
            else:
                answer["error"] = {"code": 404, "message": "Object does not exist"}
            objects.append(answer)
        text = json.dumps({"transfer": "basic", "objects": objects})
        self.reply(200, text, content_type="application/vnd.git-lfs+json")

    def answer_object(self, repository, oid, body, length):
        if self.headers.get("Authorization") != f"RemoteAuth {pass_for(oid)}":
            self.reply(403, "this is not what the batch answer said\n")
            return
        name = self.object_file(repository, oid)
        if self.command == "PUT":
            os.makedirs(os.path.dirname(name), exist_ok=True)
            with open(name, "wb") as file:
                shutil.copyfileobj(body, file)
            self.reply(200, "")
        elif os.path.exists(name):
            self.send_response(200)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(os.path.getsize(name)))
            self.end_headers()
            with open(name, "rb") as file:
                shutil.copyfileobj(file, self.wfile)
        else:
            self.reply(404, "no such object\n")

    def object_file(self, repository, oid):
        root = self.server.options.root
        path = os.path.realpath(os.path.join(root, unquote(repository).strip("/"), "lfs", oid))
        if not path.startswith(root + os.sep):
            raise BadRequest("this leads out of the repositories")
        return path

    def read_body(self, out):
        """Copies the request body, without its transfer and content encodings, to `out`."""
        decode = None
        encoding = self.headers.get("Content-Encoding", "identity").lower()
        if encoding in ("gzip", "x-gzip"):
            decode = zlib.decompressobj(16 + zlib.MAX_WBITS)
        elif encoding != "identity":
            raise BadRequest(f"unknown Content-Encoding: {encoding}")

        for block in self.body_blocks():
            out.write(decode.decompress(block) if decode else block)
        if decode:
            out.write(decode.flush())
            if not decode.eof:
                raise BadRequest("the gzip body ends too early")

    def body_blocks(self):
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            while True:
                size = self.number(self.rfile.readline(128).split(b";")[0].strip(), 16)
                if size == 0:
                    break
                yield from self.exactly(size)
                if self.rfile.readline(3).strip():
                    raise BadRequest("a chunk is longer than its size")
            while self.rfile.readline(BLOCK).strip():
                pass  # trailers
        else:
            yield from self.exactly(self.number(self.headers.get("Content-Length", "0"), 10))

    @staticmethod
    def number(text, base):
        try:
            value = int(text, base)
        except ValueError:
            raise BadRequest("a body length is not a number") from None
        if value < 0:
            raise BadRequest("a body length is negative")
        return value

    def exactly(self, length):
        while length:
            block = self.rfile.read(min(BLOCK, length))
            if not block:
                raise BadRequest("the body ends too early")
            length -= len(block)
            yield block

    def run_backend(self, body, length):
        parts = urlsplit(self.path)
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            # Settings of whoever started this must not change what is served.
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            # The repositories may belong to another user than this process.
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "GIT_PROJECT_ROOT": self.server.options.root,
            "GIT_HTTP_EXPORT_ALL": "1",
            "GATEWAY_INTERFACE": "CGI/1.1",
            "SERVER_PROTOCOL": self.request_version,
            "REQUEST_METHOD": self.command,
            "PATH_INFO": unquote(parts.path),
            "QUERY_STRING": parts.query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(length),
            "REMOTE_ADDR": self.client_address[0],
        }
        if "Git-Protocol" in self.headers:
            environment["GIT_PROTOCOL"] = self.headers["Git-Protocol"]
        if self.server.options.user is not None:
            environment["REMOTE_USER"] = self.server.options.user

        backend = subprocess.Popen(
            ["git", "http-backend"], env=environment, stdin=body, stdout=subprocess.PIPE
        )
        try:
            self.relay(backend.stdout)
        finally:
            backend.stdout.close()
            backend.wait()

    def relay(self, output):
        """Turns a CGI answer into an HTTP one."""
        status, headers, has_length = 200, [], False
        while line := output.readline().decode("latin-1").rstrip("\r\n"):
            name, _, value = line.partition(":")
            name, value = name.strip(), value.strip()
            if name.lower() == "status":
                status = int(value.split()[0])
            else:
                headers.append((name, value))
                has_length = has_length or name.lower() == "content-length"

        # HTTP/1.0 has no chunks: there the end of the connection is the end of the body.
        chunked = not has_length and self.request_version == "HTTP/1.1"
        if not has_length and not chunked:
            self.close_connection = True
            headers.append(("Connection", "close"))
        if chunked:
            headers.append(("Transfer-Encoding", "chunked"))

        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        while block := output.read1(BLOCK):
            if self.command == "HEAD":
                continue
            self.wfile.write(b"%x\r\n%b\r\n" % (len(block), block) if chunked else block)
        if chunked and self.command != "HEAD":
            self.wfile.write(b"0\r\n\r\n")

    def reply(self, status, text, headers=(), content_type="text/plain; charset=utf-8"):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_request(self, code="-", size="-"):
        # Written down when the answer has been sent and its size is known.
        self.status = int(code)

    def log_answer(self, sent):
        self.server.log(f'{self.address_string()} "{self.requestline}" {self.status} {sent}')

    def log_message(self, format, *args):
        self.server.log(f"{self.address_string()} {format % args}")


class Server(ThreadingHTTPServer):
    daemon_threads = True
    # Git opens several connections at once; the default backlog of 5 is small for tests.
    request_queue_size = 128

    def __init__(self, options):
        self.options = options
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.access_log = None
        if options.access_log:
            self.access_log = open(options.access_log, "a", buffering=1, encoding="utf-8")
        super().__init__((options.host, options.port), Handler)

    def log(self, line):
        if self.access_log:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            with self.lock:
                self.access_log.write(f"{stamp} {line}\n")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--root", required=True, help="directory with the bare repositories")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (0: any free one)")
    parser.add_argument("--user", help="ask for basic authentication with this name")
    parser.add_argument("--password", default="", help="and this password")
    parser.add_argument("--access-log", metavar="FILE", help="append a line for each answer: request, status, bytes sent")
    faults = parser.add_argument_group("misbehaviour, for tests")
    faults.add_argument("--redirect-to", metavar="URL", help="answer info/refs with a 302")
    faults.add_argument("--hang", action="store_true", help="accept requests and never answer")
    faults.add_argument("--garbage", action="store_true", help="answer 200 with a web page")
    options = parser.parse_args()
    options.root = os.path.realpath(options.root)
    if not os.path.isdir(options.root):
        parser.error(f"--root: {options.root} is not a directory")
    return options


def main():
    options = parse_arguments()
    with Server(options) as server:

        def stop(_signal, _frame):
            server.stopping.set()
            # shutdown() waits for serve_forever(), which runs in this very thread.
            threading.Thread(target=server.shutdown, daemon=True).start()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        port = server.server_address[1]
        print(f"listening on http://{options.host}:{port}", flush=True)
        server.serve_forever(poll_interval=0.1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
