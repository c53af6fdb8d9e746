# SPDX-License-Identifier: Apache-2.0
"""Memory of idle keep-alive connections: each has had one answer and waits."""
import socket
import time

from peers import private_bytes

CONNECTIONS = 10_000
REQUEST = b"GET /1k HTTP/1.1\r\nHost: bench.example\r\n\r\n"


def open_one(port, i, wrap):
    # Several source addresses, so that ports suffice.
    sock = socket.create_connection(("127.0.0.1", port), 30, (f"127.0.0.{2 + i % 8}", 0))
    sock = wrap(sock)
    sock.sendall(REQUEST)
    got = b""
    while b"\r\n\r\n" not in got or len(got) < got.index(b"\r\n\r\n") + 4 + 1024:
        got += sock.recv(65536)
    return sock


def measure(proxy, connections, wrap):
    warm = [open_one(proxy.port, i, wrap) for i in range(100)]
    time.sleep(1)
    before = private_bytes(proxy.pids())
    held = [open_one(proxy.port, i, wrap) for i in range(connections)]
    time.sleep(1)
    after = private_bytes(proxy.pids())
    for sock in warm + held:
        sock.close()
    return (after - before) / connections


def run(bench, connections=CONNECTIONS, wrap=lambda sock: sock, what="idle connections", peers=None,
        **options):
    print(f"\n### Memory of {connections} {what}\n\n| proxy | bytes each |\n|---|---|")
    for name in peers or bench.args.peers:
        proxy = bench.start(name, **options)
        try:
            print(f"| {name} | {measure(proxy, connections, wrap):.0f} |", flush=True)
        finally:
            proxy.stop()
