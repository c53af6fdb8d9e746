# SPDX-License-Identifier: Apache-2.0
"""Slow attackers: thousands of connections that hardly say anything."""
import resource
import socket
import time

import pytest

from harness import IS_SANITIZED, PATIENCE, wait_until

N = 2000
PER_CONNECTION_MAX_BYTES = 2048
GET = "GET / HTTP/1.1\r\nHost: test.example\r\n\r\n"


@pytest.fixture(autouse=True)
def descriptors():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def rss_kb(proxy):
    with open(f"/proc/{proxy.gate_pid()}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def open_many(proxy, first, n):
    socks = []
    for _ in range(n):
        sock = socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE)
        sock.sendall(first)
        socks.append(sock)
    return socks


def is_served_at_once(proxy):
    before = time.monotonic()
    with proxy.connect() as client:
        for _ in range(5):
            assert client.exchange(GET).text == "hello"
    assert time.monotonic() - before < (PATIENCE if IS_SANITIZED else 2)
    return True


def site(server):
    return (f"sites: {{ test.example: '{server.url}' }}\n"
            "entrypoints: { web: { listen: '127.0.0.1:0', head-timeout: 60s } }\n")


def check_small(proxy, first, drip, n=N):
    """Opens n connections that stall, drips a byte into each now and then; measures."""
    socks = open_many(proxy, first, 200)  # pools have their size then
    assert is_served_at_once(proxy)
    before = rss_kb(proxy)
    socks += open_many(proxy, first, n)
    assert is_served_at_once(proxy)
    for i in range(3):
        for sock in socks:
            sock.sendall(drip[i:i + 1])
        assert is_served_at_once(proxy)
    limit_kb = n * PER_CONNECTION_MAX_BYTES / 1024
    assert wait_until(lambda: rss_kb(proxy) - before < limit_kb, f"less than {limit_kb} KB more")
    return socks


def close_all(socks):
    for sock in socks:
        sock.close()


def test_stalled_heads_cost_little_and_delay_nobody(start, origin):
    """S4-13 in part: slowloris."""
    proxy = start(site(origin()))
    close_all(check_small(proxy, b"GET / HTTP/1.1\r\nHost: test.example\r\nX-", b"abc"))
    assert is_served_at_once(proxy)


def test_stalled_request_lines_cost_little(start, origin):
    proxy = start(site(origin()))
    close_all(check_small(proxy, b"G", b"ET "))


def test_idle_connections_cost_little(start, origin):
    proxy = start(site(origin()))
    clients = []

    def idle(n):
        for _ in range(n):
            clients.append(proxy.connect())
            assert clients[-1].exchange(GET).text == "hello"

    idle(200)
    before = rss_kb(proxy)
    idle(N)
    assert rss_kb(proxy) - before < N * PER_CONNECTION_MAX_BYTES / 1024
    close_all(clients)


def test_stalled_heads_are_answered_when_they_end_at_last(start, origin):
    server = origin()
    proxy = start(site(server))
    socks = open_many(proxy, b"GET /late HTTP/1.1\r\nHost: test.ex", 300)
    assert is_served_at_once(proxy)
    for sock in socks:
        sock.sendall(b"ample\r\nConnection: close\r\n")
    for sock in socks:
        sock.sendall(b"\r\n")
    for sock in socks:
        answer = b""
        while data := sock.recv(4096):
            answer += data
        assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"hello")
        sock.close()
    assert sum(r.target == "/late" for r in server.requests) == 300


def test_stalled_bodies_delay_nobody(start, origin):
    proxy = start(site(origin()))
    socks = open_many(proxy, b"POST /slow HTTP/1.1\r\nHost: test.example\r\n"
                             b"Content-Length: 100\r\n\r\nx", 100)
    assert is_served_at_once(proxy)
    close_all(socks)


def test_unread_answers_delay_nobody(start, origin):
    """Clients that ask for much and read nothing."""
    server = origin(lambda r, c: "x" * 5_000_000 if r.target == "/large" else "hello")
    proxy = start(site(server))
    socks = open_many(proxy, b"GET /large HTTP/1.1\r\nHost: test.example\r\n\r\n", 30)
    assert is_served_at_once(proxy)
    close_all(socks)


def test_connections_beyond_the_limit_make_room_by_the_oldest(start, origin):
    proxy = start(site(origin()) + "connections-max: 50\n")
    socks = open_many(proxy, b"GET / HT", 200)
    assert is_served_at_once(proxy)
    close_all(socks)
