# SPDX-License-Identifier: Apache-2.0
"""Upgrades to protocols of any kind: tunnels of raw bytes."""
import hashlib
import socket
import threading

import pytest

from harness import PATIENCE, ok

LOG = "access-log: { format: '{path} {status} {bytes-in} {bytes-out} {end} {end-detail}' }\n"
ASK = ("GET {} HTTP/1.1\r\nHost: test.example\r\nConnection: keep-alive, Upgrade\r\n"
       "Upgrade: echo\r\nX-Mine: 1\r\n\r\n")
ACCEPT = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"


def echo(request, conn):
    assert (request.get("Upgrade"), request.get("X-Mine")) == ("echo", "1")
    assert request.get("Connection") == "Upgrade"
    conn.send(ACCEPT)
    conn.send(conn.buffer)
    conn.is_done = True
    while data := conn.sock.recv(65536):
        conn.send(data)
    conn.send(b"bye")


def site(server, entry=""):
    return (f"sites: {{ test.example: '{server.url}' }}\n"
            f"entrypoints: {{ web: {{ listen: '127.0.0.1:0', {entry} }} }}\n" + LOG)


def test_raw_bytes_go_both_ways_and_halves_close_apart(start, origin):
    proxy = start(site(origin(echo)))
    with proxy.connect() as client:
        client.send(ASK.format("/t"))
        head = client.read_head()
        assert (head.status, head.get("Upgrade")) == (101, "echo")
        assert head.get("Connection") == "Upgrade"
        for i in range(50):
            client.send(bytes([i, 0, 255]) * 7)
            assert client.read_exactly(21) == bytes([i, 0, 255]) * 7
        client.sock.shutdown(socket.SHUT_WR)
        assert client.read_to_end() == b"bye"
    assert proxy.log_lines("^/t")[0].startswith("/t 101 1050 1053 ok")


def test_bytes_sent_before_the_101_aren_t_lost(start, origin):
    proxy = start(site(origin(echo)))
    with proxy.connect() as client:
        client.send(ASK.format("/t").encode() + b"early")
        assert client.read_head().status == 101
        assert client.read_exactly(5) == b"early"


def test_bytes_of_the_server_behind_its_101_aren_t_lost(start, origin):
    def handler(request, conn):
        conn.send(ACCEPT + b"greetings")
        conn.sock.recv(1)

    proxy = start(site(origin(handler)))
    with proxy.connect() as client:
        client.send(ASK.format("/t"))
        assert client.read_head().status == 101
        assert client.read_exactly(9) == b"greetings"


def test_much_data_goes_through_a_tunnel_both_ways_at_once(start, origin):
    proxy = start(site(origin(echo)))
    blob = bytes(range(256)) * 40_000  # 10 MB
    with proxy.connect() as client:
        client.send(ASK.format("/t"))
        assert client.read_head().status == 101

        def send():
            client.send(blob)
            client.sock.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        back = client.read_to_end()
        sender.join(PATIENCE)
    assert hashlib.sha256(back).digest() == hashlib.sha256(blob + b"bye").digest()


def test_a_server_s_half_close_leaves_the_other_direction(start, origin):
    got = []

    def handler(request, conn):
        conn.send(ACCEPT + b"last words")
        conn.sock.shutdown(socket.SHUT_WR)
        while data := conn.sock.recv(100):
            got.append(data)
        closed.set()

    closed = threading.Event()
    proxy = start(site(origin(handler)))
    with proxy.connect() as client:
        client.send(ASK.format("/t"))
        assert client.read_head().status == 101
        assert client.read_to_end() == b"last words"
        client.send(b"still heard")
        client.sock.shutdown(socket.SHUT_WR)
        assert closed.wait(PATIENCE)
    assert b"".join(got) == b"still heard"


@pytest.mark.parametrize("who", ["client", "server"])
def test_a_reset_of_one_side_ends_the_other(start, origin, who):
    ended = threading.Event()

    def handler(request, conn):
        conn.send(ACCEPT)
        if who == "server":
            conn.reset()
            conn.is_done = True
            return
        try:
            conn.sock.recv(1)
        except ConnectionResetError:
            pass
        ended.set()

    proxy = start(site(origin(handler)))
    client = proxy.connect()
    client.send(ASK.format("/t"))
    assert client.read_head().status == 101
    if who == "server":
        assert client.is_closed()
        client.close()
    else:
        client.reset()
        assert ended.wait(PATIENCE)
    proxy.log_lines("^/t 101")


def test_a_server_may_refuse_to_upgrade(start, origin):
    def handler(request, conn):
        return ok("no", status="403 Forbidden") if request.target == "/refused" else "plain"

    server = origin(handler)
    proxy = start(site(server))
    with proxy.connect() as client:
        answer = client.exchange(ASK.format("/refused"))
        assert (answer.status, answer.text) == (403, "no")
        assert client.exchange(ASK.format("/ignored")).text == "plain"
        assert client.exchange("GET /next HTTP/1.1\r\nHost: test.example\r\n\r\n").text == "plain"
    assert server.n_connections == 1


def test_an_upgrade_to_another_protocol_than_asked_is_the_server_s_word(start, origin):
    """RFC 9110 7.8: the server chooses; the client sees what it chose."""
    def handler(request, conn):
        conn.send(ACCEPT.replace(b"Upgrade: echo", b"Upgrade: other"))
        conn.sock.recv(1)

    proxy = start(site(origin(handler)))
    with proxy.connect() as client:
        client.send(ASK.format("/t"))
        head = client.read_head()
        assert head.status in (101, 502)
        if head.status == 101:
            assert head.get("Upgrade") == "other"


def test_an_upgrade_in_http_1_0_or_without_connection_is_none(start, origin):
    server = origin(lambda request, conn: "plain")
    proxy = start(site(server))
    with proxy.connect() as client:
        answer = client.exchange("GET / HTTP/1.1\r\nHost: test.example\r\nUpgrade: echo\r\n\r\n")
        assert answer.text == "plain"
        client.exchange("GET / HTTP/1.0\r\nHost: test.example\r\nConnection: upgrade\r\n"
                        "Upgrade: echo\r\n\r\n")
    assert [r.get("Upgrade") for r in server.requests] == [None, None]


def test_tunnels_live_through_reloads(start, origin):
    """S2-8: an open tunnel goes on under new settings, its site being there or not."""
    server, other = origin(echo), origin(lambda r, c: "new")
    proxy = start(site(server))
    with proxy.connect() as client:
        client.send(ASK.format("/t"))
        assert client.read_head().status == 101
        for seq in range(2, 5):
            proxy.reload(f"sites: {{ test.example: '{other.url}' }}\n{LOG}" +
                         site(server).splitlines()[1] + "\n", seq)
            client.send(b"ping")
            assert client.read_exactly(4) == b"ping"
        assert proxy.get().text == "new"
        client.sock.shutdown(socket.SHUT_WR)
        assert client.read_to_end() == b"bye"
    proxy.log_lines("^/t 101 12 15 ok")


def test_tunnels_end_when_the_proxy_stops(start, origin):
    proxy = start(site(origin(echo)) + "drain-timeout: 200ms\n")
    with proxy.connect() as client:
        client.send(ASK.format("/t"))
        assert client.read_head().status == 101
        proxy.child.terminate()
        assert client.is_closed()
        assert proxy.child.wait(PATIENCE) == 0


def test_many_idle_tunnels_cost_little(start, origin):
    from harness import wait_until
    proxy = start(site(origin(lambda r, c: (c.send(ACCEPT), c.sock.recv(1))[0])))
    clients = []

    def open_tunnels(n):
        for _ in range(n):
            client = proxy.connect()
            client.send(ASK.format("/t"))
            assert client.read_head().status == 101
            clients.append(client)

    def rss_kb():
        with open(f"/proc/{proxy.gate_pid()}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    open_tunnels(100)  # pools and arenas have their size
    before = rss_kb()
    open_tunnels(300)
    assert wait_until(lambda: rss_kb() - before < 300 * 12, "a small memory")
    for client in clients:
        client.close()
