# SPDX-License-Identifier: Apache-2.0
"""Time-outs of each phase: both sides, set small."""
import socket
import threading
import time

import pytest

from harness import PATIENCE

GET = "GET {} HTTP/1.1\r\nHost: test.example\r\n\r\n"
POST = "POST {} HTTP/1.1\r\nHost: test.example\r\nContent-Length: 10\r\n\r\n"
LOG = "access-log: { format: '{path} {status} {end} {end-detail}' }\n"


def settings(server, entry="", service=""):
    return (f"sites: {{ test.example: s }}\nservices: {{ s: {{ servers: ['{server.url}'], "
            f"tries: 1, {service} }} }}\n"
            f"entrypoints: {{ web: {{ listen: '127.0.0.1:0', {entry} }} }}\n" + LOG)


def silent(request, conn):
    """A server that reads on and says nothing, until the proxy closes."""
    conn.is_done = True
    while conn.sock.recv(65536):
        pass


# ---- Clients ------------------------------------------------------------------------------------

def test_idle_clients_are_closed(start, origin):
    proxy = start(settings(origin(), "idle-timeout: 200ms"))
    with proxy.connect() as client:
        assert client.exchange(GET.format("/")).status == 200
        assert client.is_closed()


def test_clients_that_never_say_anything_are_closed_too(start, origin):
    """The kernel keeps a silent connection for some seconds before it hands it over at all."""
    proxy = start(settings(origin(), "idle-timeout: 200ms"))
    with proxy.connect() as client:
        assert client.is_closed()


def test_an_idle_time_starts_anew_with_each_request(start, origin):
    proxy = start(settings(origin(), "idle-timeout: 600ms"))
    before = time.monotonic()
    with proxy.connect() as client:
        while time.monotonic() - before < 1.5:
            assert client.exchange(GET.format("/")).status == 200
            client.sock.settimeout(0.1)
            with pytest.raises(TimeoutError):
                client.sock.recv(1)
            client.sock.settimeout(PATIENCE)


def test_a_head_that_takes_too_long_gets_408(start, origin):
    server = origin()
    proxy = start(settings(server, "head-timeout: 300ms"))
    with proxy.connect() as client:
        client.send("GET /slow HTTP/1.1\r\nHost: test")
        answer = client.read_answer()
        assert (answer.status, answer.get("Connection")) == (408, "close")
        assert client.is_closed()
    assert server.requests == []
    assert " 408 client-timeout" in proxy.log_lines(" 408 ")[0]


def test_bytes_now_and_then_don_t_prolong_a_head(start, origin):
    proxy = start(settings(origin(), "head-timeout: 400ms"))
    before = time.monotonic()
    with proxy.connect() as client:
        client.send("GET /")
        client.sock.settimeout(0.05)
        while time.monotonic() - before < PATIENCE:
            try:
                client.send("a")
                if client.sock.recv(12) == b"HTTP/1.1 408":
                    break
            except TimeoutError:
                continue
    assert time.monotonic() - before < 5


def test_a_body_that_stalls_gets_408(start, origin):
    server = origin()
    proxy = start(settings(server, "body-timeout: 300ms"))
    with proxy.connect() as client:
        answer = client.exchange(POST.format("/stall") + "abc")
        assert (answer.status, answer.get("Connection")) == (408, "close")
        assert client.is_closed()
    assert proxy.get("/mark").status == 200
    assert [r.target for r in server.requests] == ["/mark"]
    assert "/stall 408 client-timeout" in proxy.log_lines("^/stall")[0]


def test_a_body_may_take_any_time_in_all(start, origin):
    server = origin(lambda request, conn: request.body.decode())
    proxy = start(settings(server, "body-timeout: 400ms, body-min-rate: 0"))
    with proxy.connect() as client:
        client.send(POST.format("/"))
        client.sock.settimeout(0.1)
        for byte in "0123456789":
            client.send(byte)
            try:
                client.buffer += client.sock.recv(100)
            except TimeoutError:
                pass
        client.sock.settimeout(PATIENCE)
        assert client.read_answer().text == "0123456789"


def test_a_body_below_the_minimum_rate_is_cut_after_its_grace(start, origin):
    """The grace of ten seconds is fixed: this test takes as long."""
    proxy = start(settings(origin(), "body-min-rate: 1KiB"))
    before = time.monotonic()
    with proxy.connect() as client:
        client.send(POST.replace("10", "1000000").format("/drip"))
        client.sock.settimeout(0.2)
        while True:
            try:
                client.send("x")
                client.buffer += client.sock.recv(100)
                break
            except TimeoutError:
                assert time.monotonic() - before < PATIENCE
        client.sock.settimeout(PATIENCE)
        assert client.read_answer().status == 408
    assert time.monotonic() - before > 9


def test_a_client_that_takes_nothing_of_its_answer_is_cut(start, origin):
    server = origin(lambda request, conn: "x" * 30_000_000)
    proxy = start(settings(server, "body-timeout: 300ms"))
    with proxy.connect() as client:
        client.send(GET.format("/unread"))
        assert "client-timeout" in proxy.log_lines("^/unread 200 ")[0]


# ---- Servers ------------------------------------------------------------------------------------

def test_a_server_that_doesn_t_answer_gives_504(start, origin):
    proxy = start(settings(origin(silent), service="answer-timeout: 300ms"))
    with proxy.connect() as client:
        for _ in range(2):
            answer = client.exchange(GET.format("/"))
            assert answer.status == 504
            assert answer.get("X-Request-Id") in answer.text
    assert "server-timeout" in proxy.log_lines(" 504 ")[0]


def test_a_head_of_an_answer_in_pieces_has_no_more_time(start, origin):
    def handler(request, conn):
        conn.send(b"HTTP/1.1 200 OK\r\nX: ")
        conn.sock.settimeout(0.05)
        while True:
            try:
                if not conn.sock.recv(100):
                    return
            except TimeoutError:
                conn.send(b"a")

    proxy = start(settings(origin(handler), service="answer-timeout: 400ms"))
    assert proxy.get().status == 504


def test_a_server_that_answers_no_upload_gives_504(start, origin):
    server = origin(silent, read_body=False)
    proxy = start(settings(server, service="answer-timeout: 300ms"))
    answer = proxy.get("/up", method="POST", headers="Content-Length: 100000\r\n",
                       body=b"x" * 100000)
    assert answer.status == 504


def test_a_server_that_takes_nothing_of_an_upload_gives_504(start, origin):
    server = origin(lambda request, conn: released.wait(PATIENCE) and None, read_body=False)
    released = threading.Event()
    proxy = start(settings(server, service="answer-timeout: 20s, body-timeout: 300ms"))
    with proxy.connect() as client:
        client.sock.setblocking(False)
        client.sock.settimeout(PATIENCE)
        try:
            client.send(POST.replace("10", "50000000").format("/up") + "x" * 50_000_000)
        except (BrokenPipeError, ConnectionResetError):
            pass
    line = proxy.log_lines("^/up")[0]
    assert line.startswith("/up 504 server-timeout"), line
    released.set()


def test_a_large_upload_that_stalls_gets_408(start, origin):
    """The same where the kernel moves the bytes."""
    proxy = start(settings(origin(), "body-timeout: 300ms", "body-timeout: 20s"))
    with proxy.connect() as client:
        client.send(POST.replace("10", "10000000").format("/stall") + "x" * 5_000_000)
        assert client.read_answer().status == 408


def test_a_large_answer_that_stalls_is_cut_by_the_service_s_time(start, origin):
    def handler(request, conn):
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n" + "x" * 5_000_000)
        silent(request, conn)

    proxy = start(settings(origin(handler), "body-timeout: 20s", "body-timeout: 300ms"))
    with proxy.connect() as client:
        client.send(GET.format("/stall"))
        assert client.read_head().status == 200
        with pytest.raises((EOFError, ConnectionResetError)):
            client.read_exactly(10_000_000)
    assert "/stall 200 server-timeout" in proxy.log_lines("^/stall")[0]


@pytest.mark.parametrize("framing", ["Content-Length: 1000\r\n\r\n",
                                     "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
                                     "Connection: close\r\n\r\nabc"])
def test_an_answer_that_stalls_is_cut(start, origin, framing):
    def handler(request, conn):
        conn.send("HTTP/1.1 200 OK\r\n" + framing)
        silent(request, conn)

    proxy = start(settings(origin(handler), service="body-timeout: 300ms"))
    with proxy.connect() as client:
        client.send(GET.format("/stall"))
        head = client.read_head()
        assert head.status == 200
        with pytest.raises((EOFError, ConnectionResetError)):
            client._read_chunks() if head.get("Transfer-Encoding") else client.read_exactly(1000)
    assert "/stall 200 server-timeout" in proxy.log_lines("^/stall")[0]


def test_connecting_has_its_own_time(start):
    """S2-12: a server that drops packets; the time for all tries is bounded."""
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    fillers = []
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(full.getsockname())
        fillers.append(filler)

    class Full:
        url = f"http://127.0.0.1:{full.getsockname()[1]}"

    proxy = start(settings(Full, service="connect-timeout: 200ms"))
    before = time.monotonic()
    answer = proxy.get("/x")
    assert answer.status in (502, 503)
    assert time.monotonic() - before < 2
    assert "server-connect-timeout" in proxy.log_lines("^/x")[0]
    for sock in (*fillers, full):
        sock.close()


def test_an_idle_tunnel_is_closed(start, origin):
    def handler(request, conn):
        conn.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
        silent(request, conn)

    proxy = start(settings(origin(handler), "tunnel-timeout: 1s"))
    with proxy.connect() as client:
        client.send("GET /t HTTP/1.1\r\nHost: test.example\r\nConnection: upgrade\r\n"
                    "Upgrade: x\r\n\r\n")
        assert client.read_head().status == 101
        assert client.is_closed()
    assert proxy.log_lines("^/t 101 ")[0].endswith("idle")


def test_lingering_ends(start, origin):
    """A refused client that goes on sending is dropped after linger-timeout."""
    proxy = start(settings(origin(), "linger-timeout: 200ms, body-max: 10"))
    with proxy.connect() as client:
        client.send("POST / HTTP/1.1\r\nHost: test.example\r\nContent-Length: 1000000000\r\n\r\n")
        assert client.read_answer().status == 413
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            while True:
                client.send(b"x" * 100000)
