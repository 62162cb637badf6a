#!/usr/bin/env python3
"""Sends the requests of tests/judges/wire/cases.toml through proxies and says what an application got of them.

wire.py CASES NAME=HOST:PORT...   (the application listens on the port that WIRE_UPSTREAM names)
"""

import os
import re
import socket
import sys
import threading
import tomllib

TOKEN = re.compile(rb"^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$")
# How long a proxy may be silent: what waits for more of a request is not waited for. Half-closing instead would be taken
# for a visitor who has left.
PATIENCE = 0.7


class Doubt(Exception):
    """What an application got that it could read in more than one way."""


class Cut(Exception):
    """A message that was cut off on its way: nobody acts upon it."""


class Wire:
    def __init__(self, sock):
        self.sock, self.data = sock, b""

    def more(self):
        try:
            got = self.sock.recv(65536)
        except OSError:
            got = b""
        self.data += got
        return bool(got)

    def until(self, end):
        while end not in self.data:
            if not self.more():
                raise Cut
        found, self.data = self.data.split(end, 1)
        return found

    def take(self, length):
        while len(self.data) < length:
            if not self.more():
                raise Cut
        found, self.data = self.data[:length], self.data[length:]
        return found

    def line(self):
        line = self.until(b"\n")
        if not line.endswith(b"\r") or b"\r" in line[:-1]:
            raise Doubt(f"a bare line end: {line!r}")
        return line[:-1]


def message(wire):
    """Reads one message to the letter; None at the end."""
    if not wire.data and not wire.more():
        return None
    head = wire.until(b"\r\n\r\n").split(b"\r\n")
    if any(c in line for line in head for c in (b"\r", b"\n", b"\0")):
        raise Doubt("a line with a line end in it")
    fields = []
    for line in head[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not TOKEN.match(name):
            raise Doubt(f"no field: {line!r}")
        fields.append((name.lower(), value.strip(b" \t")))
    codings = [v.lower() for n, v in fields if n == b"transfer-encoding"]
    lengths = [v for n, v in fields if n == b"content-length"]
    content = b""
    if not codings and len(lengths) == 1 and lengths[0].isdigit():
        content = wire.take(int(lengths[0]))
    elif codings == [b"chunked"] and not lengths:
        while True:
            size = wire.line()
            digits = size.split(b";")[0]
            if not re.match(rb"^[0-9A-Fa-f]+$", digits):
                raise Doubt(f"chunk size: {size!r}")
            if int(digits, 16) == 0:
                while field := wire.line():
                    if field.split(b":")[0].lower() in (b"content-length", b"transfer-encoding", b"host"):
                        raise Doubt(f"trailer: {field!r}")
                break
            content += wire.take(int(digits, 16))
            if wire.line():
                raise Doubt("a chunk is longer than its size")
    elif codings or lengths:
        raise Doubt(f"framing: {codings} {lengths}")
    return head[0], [v for n, v in fields if n == b"host"], content


class Recorder(threading.Thread):
    """The application."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", port))
        self.seen, self.lock = [], threading.Lock()

    def run(self):
        while True:
            sock, _ = self.listener.accept()
            sock.settimeout(30)
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        wire = Wire(sock)
        while True:
            try:
                found = message(wire)
            except Cut:
                break
            except Doubt as doubt:
                self.note(doubt)
                break
            if found is None:
                break
            self.note(found)
            parts = found[0].split(b" ")
            path = parts[1] if len(parts) > 1 else b"?"
            answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(path), path)
            try:
                sock.sendall(answer)
            except OSError:
                break
        sock.close()

    def note(self, what):
        with self.lock:
            self.seen.append(what)

    def take(self):
        with self.lock:
            seen, self.seen = self.seen, []
        return seen


def exchange(address, request):
    """Everything that comes back until the end."""
    got = b""
    try:
        with socket.create_connection(address, timeout=PATIENCE) as sock:
            sock.sendall(request)
            while more := sock.recv(65536):
                got += more
    except OSError:
        pass
    return got


def judge(case, address, recorder):
    recorder.take()
    answer = exchange(address, case["request"].encode("latin-1"))
    after = exchange(address, b"GET /after HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n")
    seen = recorder.take()
    if not after.startswith(b"HTTP/1.1 200") or not after.rstrip().endswith(b"/after"):
        return f"the next visitor got {after[:40]!r}"
    for what in seen:
        if isinstance(what, Doubt):
            return f"not clear: {what}"
    seen = [what for what in seen if not what[0].startswith(b"GET /after ")]
    if any(b"smuggled" in line for line, _, _ in seen):
        return "smuggled"
    if case["expect"] == "refuse" and seen:
        return f"passed: {seen[0][0]!r}"
    if case["expect"] == "pass" and not seen:
        return f"refused: {answer[:30]!r}"
    if seen:
        _, hosts, content = seen[0]
        if content != case.get("body", "").encode():
            return f"content: {content!r}"
        if len(hosts) != 1:
            return f"hosts: {hosts}"
    return None


def main():
    with open(sys.argv[1], "rb") as file:
        cases = tomllib.load(file)["case"]
    recorder = Recorder(int(os.environ["WIRE_UPSTREAM"]))
    recorder.start()
    for argument in sys.argv[2:]:
        name, _, place = argument.partition("=")
        host, _, port = place.rpartition(":")
        wrong = []
        for case in cases:
            problem = judge(case, (host, int(port)), recorder)
            if problem:
                wrong.append(f"  {case['name']} ({case['rule']}): {problem}")
        print(f"{name}: {len(cases) - len(wrong)} of {len(cases)} as they are to be")
        print("\n".join(wrong), flush=True)


main()
