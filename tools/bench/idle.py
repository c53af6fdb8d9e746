# SPDX-License-Identifier: Apache-2.0
"""Memory of idle connections, of HTTP/1.1 and HTTP/2: each has had one answer and waits."""
import socket
import struct
import time

from peers import private_bytes

CONNECTIONS = 10_000
REQUEST = b"GET /1k HTTP/1.1\r\nHost: bench.example\r\n\r\n"
DATA, HEADERS, SETTINGS = 0, 1, 4
END_STREAM, END_HEADERS, ACK = 1, 4, 1


def ask_http_1(sock):
    sock.sendall(REQUEST)
    got = b""
    while b"\r\n\r\n" not in got or len(got) < got.index(b"\r\n\r\n") + 4 + 1024:
        got += sock.recv(65536)


def frame(kind, flags=0, stream=0, body=b""):
    return struct.pack(">I", len(body))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + body


def ask_http_2(sock):
    """:method GET and :scheme https of HPACK's table, :authority and :path as they stand."""
    block = b"\x82\x87\x01\x0dbench.example\x04\x03/1k"
    sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS)
                 + frame(HEADERS, END_STREAM | END_HEADERS, 1, block))
    got, ends, is_acked = b"", False, False
    while not ends or not is_acked:
        while len(got) < 9 or len(got) < 9 + int.from_bytes(got[:3], "big"):
            got += sock.recv(65536)
        kind, flags = got[3], got[4]
        got = got[9 + int.from_bytes(got[:3], "big"):]
        ends |= kind in (DATA, HEADERS) and flags & END_STREAM != 0
        is_acked |= kind == SETTINGS and flags & ACK != 0
        if kind == SETTINGS and not flags & ACK:
            sock.sendall(frame(SETTINGS, ACK))


def open_one(port, i, wrap, ask):
    # Several source addresses, so that ports suffice.
    sock = socket.create_connection(("127.0.0.1", port), 30, (f"127.0.0.{2 + i % 8}", 0))
    sock = wrap(sock)
    ask(sock)
    return sock


def measure(proxy, connections, wrap, ask):
    warm = [open_one(proxy.port, i, wrap, ask) for i in range(100)]
    time.sleep(1)
    before = private_bytes(proxy.pids())
    held = [open_one(proxy.port, i, wrap, ask) for i in range(connections)]
    time.sleep(1)
    after = private_bytes(proxy.pids())
    for sock in warm + held:
        sock.close()
    return (after - before) / connections


def run(bench, connections=CONNECTIONS, wrap=lambda sock: sock, what="idle connections", peers=None,
        ask=ask_http_1, **options):
    print(f"\n### Memory of {connections} {what}\n\n| proxy | bytes each |\n|---|---|")
    for name in peers or bench.args.peers:
        proxy = bench.start(name, **options)
        try:
            print(f"| {name} | {measure(proxy, connections, wrap, ask):.0f} |", flush=True)
        finally:
            proxy.stop()
