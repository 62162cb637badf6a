#!/usr/bin/env python3
"""Opens many connections, asks once on each, and keeps them until standard input ends.

memory.py PROTOCOL COUNT HOST PORT NAME   (PROTOCOL: http, https, h2 or silent)
"""

import select
import socket
import ssl
import sys

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
# HEADERS with END_STREAM and END_HEADERS; GET, /, https, and a name that is not remembered (RFC 7541 section 6.2.2).
HEADERS = b"\0\0%c\1\5\0\0\0\1"


def ask(protocol, sock, name):
    if protocol == "silent":
        return
    if protocol == "h2":
        block = b"\x82\x84\x87\x01%c%b" % (len(name), name)
        sock.sendall(PREFACE + HEADERS % len(block) + block)
        # SETTINGS of the server are acknowledged; the answer is whole with the end of its stream.
        data = b""
        while True:
            while len(data) >= 9 and len(data) >= 9 + (length := int.from_bytes(data[:3], "big")):
                kind, flags, stream = data[3], data[4], int.from_bytes(data[5:9], "big")
                data = data[9 + length :]
                if kind == 4 and not flags & 1:
                    sock.sendall(b"\0\0\0\4\1\0\0\0\0")
                if stream == 1 and flags & 1:
                    return
            got = sock.recv(65536)
            if not got:
                sys.exit("a connection was closed")
            data += got
    sock.sendall(b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % name)
    answer = b""
    while b"\r\n\r\n" not in answer:
        got = sock.recv(65536)
        if not got:
            sys.exit("a connection was closed")
        answer += got
    if not answer.startswith(b"HTTP/1.1 200"):
        sys.exit(answer.split(b"\r\n")[0].decode())


def main():
    protocol, count, host, port, name = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if protocol == "h2":
        context.set_alpn_protocols(["h2"])
    kept = []
    for _ in range(int(count)):
        sock = socket.create_connection((host, int(port)))
        if protocol in ("https", "h2"):
            sock = context.wrap_socket(sock, server_hostname=name)
        ask(protocol, sock, name.encode())
        kept.append(sock)
    print("open", flush=True)
    sys.stdin.read()
    # Who was closed meanwhile was not idle but gone.
    poll = select.poll()
    for sock in kept:
        poll.register(sock, select.POLLRDHUP | select.POLLHUP)
    gone = len(poll.poll(0))
    if gone:
        sys.exit(f"{gone} connections were closed meanwhile")


main()
