# SPDX-License-Identifier: Apache-2.0
"""Connections of clients: keep-alive, pipelining, HTTP/1.0, ends of all kinds."""
import socket
import threading

import pytest

from harness import PATIENCE, Client, ok

GET = "GET {} HTTP/1.1\r\nHost: test.example\r\n\r\n"
BYE = "GET {} HTTP/1.1\r\nHost: test.example\r\nConnection: close\r\n\r\n"


def site(server):
    return f"sites: {{ test.example: '{server.url}' }}"


def test_a_connection_serves_many_requests_and_reuses_one_to_the_server(start, origin):
    server = origin(lambda request, conn: request.target)
    proxy = start(site(server))
    with proxy.connect() as client:
        for i in range(20):
            answer = client.exchange(GET.format(f"/{i}"))
            assert (answer.status, answer.text) == (200, f"/{i}")
            assert answer.get("Connection") is None
    assert server.n_connections == 1


def test_connection_close_is_honoured(start, origin):
    proxy = start(site(origin()))
    with proxy.connect() as client:
        answer = client.exchange(BYE.format("/"))
        assert answer.get("Connection") == "close"
        assert client.is_closed()


def test_pipelined_requests_are_answered_in_order_when_the_first_is_slow(start, origin):
    go = threading.Event()

    def handler(request, conn):
        if request.target == "/0":
            assert go.wait(PATIENCE)
        return request.target

    server = origin(handler)
    proxy = start(site(server))
    with proxy.connect() as client, proxy.connect() as other:
        client.send("".join(GET.format(f"/{i}") for i in range(10)))
        assert server.next_request().target == "/0"
        assert other.exchange(GET.format("/other")).text == "/other"
        go.set()
        for i in range(10):
            assert client.read_answer().text == f"/{i}"


def test_a_request_pipelined_behind_a_body_is_served(start, origin):
    server = origin(lambda request, conn: ok(request.body or b"none"))
    proxy = start(site(server))
    with proxy.connect() as client:
        client.send("POST /a HTTP/1.1\r\nHost: test.example\r\nContent-Length: 5\r\n\r\nfirst"
                    "POST /b HTTP/1.1\r\nHost: test.example\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "6\r\nsecond\r\n0\r\n\r\n" + GET.format("/c"))
        assert [client.read_answer().text for _ in range(3)] == ["first", "second", "none"]


def test_what_is_pipelined_behind_close_is_not_served(start, origin):
    server = origin(lambda request, conn: request.target)
    proxy = start(site(server))
    with proxy.connect() as client:
        client.send(BYE.format("/last") + GET.format("/behind"))
        assert client.read_answer().text == "/last"
        assert client.is_closed()
    proxy.get("/mark")
    assert [r.target for r in server.requests] == ["/last", "/mark"]


def test_requests_max_closes_the_connection_after_so_many(start, origin):
    proxy = start(site(origin()) +
                  "\nentrypoints: { web: { listen: '127.0.0.1:0', requests-max: 2 } }")
    with proxy.connect() as client:
        assert client.exchange(GET.format("/")).get("Connection") is None
        assert client.exchange(GET.format("/")).get("Connection") == "close"
        assert client.is_closed()


def test_a_request_byte_by_byte_is_served(start, origin):
    proxy = start(site(origin(lambda request, conn: ok(request.body))))
    with proxy.connect() as client:
        for byte in (b"\r\nPOST /slow HTTP/1.1\r\nHost: test.example\r\nContent-Length: 3\r\n\r\n"
                     b"abc"):
            client.send(bytes([byte]))
        assert client.read_answer().text == "abc"


# ---- HTTP/1.0 -----------------------------------------------------------------------------------

def test_a_client_of_http_1_0_gets_its_answer_and_a_close(start, origin):
    server = origin(lambda request, conn: "hello")
    proxy = start(site(server))
    with proxy.connect() as client:
        answer = client.exchange("GET / HTTP/1.0\r\nHost: test.example\r\n\r\n")
        assert (answer.status, answer.text) == (200, "hello")
        assert client.is_closed()
    assert server.requests[0].version == "HTTP/1.1"


def test_a_client_of_http_1_0_with_keep_alive_stays(start, origin):
    proxy = start(site(origin()))
    with proxy.connect() as client:
        for _ in range(3):
            answer = client.exchange("GET / HTTP/1.0\r\nHost: test.example\r\n"
                                     "Connection: keep-alive\r\n\r\n")
            assert answer.text == "hello"
            assert answer.get("Connection") == "keep-alive"


def test_a_client_of_http_1_0_without_host_gets_what_routes_say(start, origin):
    server = origin()
    proxy = start(f"routes: [{{ match: 'PathPrefix(`/`)', to: '{server.url}' }}]")
    with proxy.connect() as client:
        assert client.exchange("GET / HTTP/1.0\r\n\r\n").text == "hello"
    proxy2 = start(site(server))
    with proxy2.connect() as client:
        assert client.exchange("GET / HTTP/1.0\r\n\r\n").status == 404


def test_a_chunked_answer_reaches_a_client_of_http_1_0_without_chunks(start, origin):
    server = origin(lambda request, conn: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                          b"3\r\nabc\r\n3\r\ndef\r\n0\r\nX-T: 1\r\n\r\n")
    proxy = start(site(server))
    with proxy.connect() as client:
        answer = client.exchange("GET / HTTP/1.0\r\nHost: test.example\r\n"
                                 "Connection: keep-alive\r\n\r\n")
        assert answer.get("Transfer-Encoding") is None
        assert answer.get("Connection") == "close"
        assert answer.text == "abcdef"


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
def test_an_answer_delimited_by_close_is_passed_on(start, origin, version):
    def handler(request, conn):
        conn.send(f"{version} 200 OK\r\nConnection: close\r\n\r\nuntil ")
        conn.send(b"the end")
        conn.close()

    server = origin(handler)
    proxy = start(site(server))
    with proxy.connect() as client:
        for _ in range(2):
            answer = client.exchange(GET.format("/"))
            assert answer.get("Transfer-Encoding") == "chunked"
            assert answer.text == "until the end"
    assert server.n_connections == 2


def test_a_server_of_http_1_0_is_kept_only_when_it_says_so(start, origin):
    says = {"/keep": "Connection: keep-alive\r\n", "/close": ""}
    server = origin(lambda request, conn: (f"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n"
                                           f"{says[request.target]}\r\nok").encode())
    proxy = start(site(server))
    for path in ("/keep", "/keep", "/close", "/keep"):
        assert proxy.get(path).text == "ok"
    assert server.n_connections == 2


# ---- Ends ---------------------------------------------------------------------------------------

def test_a_half_closed_client_still_gets_its_answer(start, origin):
    go = threading.Event()

    def handler(request, conn):
        assert go.wait(PATIENCE)
        return "x" * 100000

    server = origin(handler)
    proxy = start(site(server))
    with proxy.connect() as client:
        client.send(GET.format("/"))
        client.sock.shutdown(socket.SHUT_WR)
        server.next_request()
        go.set()
        assert client.read_answer().text == "x" * 100000
        assert client.is_closed()


def test_a_half_closed_client_gets_the_answer_to_its_upload(start, origin):
    server = origin(lambda request, conn: f"{len(request.body)}")
    proxy = start(site(server))
    with proxy.connect() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: test.example\r\nContent-Length: 300000\r\n\r\n"
                    + b"x" * 300000)
        client.sock.shutdown(socket.SHUT_WR)
        assert client.read_answer().text == "300000"


def test_half_closed_pipeline_is_answered_to_its_end(start, origin):
    proxy = start(site(origin(lambda request, conn: request.target)))
    with proxy.connect() as client:
        client.send("".join(GET.format(f"/{i}") for i in range(5)))
        client.sock.shutdown(socket.SHUT_WR)
        assert [client.read_answer().text for _ in range(5)] == [f"/{i}" for i in range(5)]
        assert client.is_closed()


def test_a_client_that_resets_ends_the_wait_for_the_server(start, origin):
    gone = threading.Event()

    def handler(request, conn):
        conn.sock.recv(1)  # until the proxy closes
        gone.set()

    server = origin(handler)
    proxy = start(site(server) + "\naccess-log: { format: '{path} {end}' }")
    client = proxy.connect()
    client.send(GET.format("/lost"))
    server.next_request()
    client.reset()
    assert gone.wait(PATIENCE)
    proxy.log_lines(r"^/lost client-gone$")


def test_a_client_that_leaves_in_its_head_is_no_request(start, origin):
    server = origin()
    proxy = start(site(server))
    client = proxy.connect()
    client.send("GET / HTTP/1.1\r\nHost: test.exam")
    client.close()
    assert proxy.get("/mark").status == 200
    assert [r.target for r in server.requests] == ["/mark"]


def test_a_client_that_leaves_in_its_body_leaves_no_complete_request(start, origin):
    server = origin()
    proxy = start(site(server) + "\naccess-log: { format: '{path} {end}' }")
    for framing in ("Content-Length: 10\r\n\r\nabc",
                    "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"):
        client = proxy.connect()
        client.send("POST /cut HTTP/1.1\r\nHost: test.example\r\n" + framing)
        client.close()
    proxy.log_lines(r"^/cut client-gone$", 2)
    assert proxy.get("/mark").status == 200
    assert [r.target for r in server.requests] == ["/mark"]


def test_ipv6_and_unix_servers_answer(start, origin, tmp_path):
    tmp_path.chmod(0o755)
    six = origin(lambda r, c: "six", family=socket.AF_INET6)
    unix = origin(lambda r, c: "unix", path=tmp_path / "origin.sock")
    proxy = start(f"sites: {{ six.example: '{six.url}', unix.example: '{unix.url}' }}")
    assert proxy.get(host="six.example").text == "six"
    assert proxy.get(host="unix.example").text == "unix"


def test_clients_come_by_ipv6_too(start, origin):
    """S0-1: IPv4 and IPv6."""
    server = origin(lambda request, conn: request.get("X-Forwarded-For"))
    proxy = start(site(server) + "\nentrypoints: { web: '[::]:0' }")
    for host, seen in (("::1", "::1"), ("127.0.0.1", "127.0.0.1")):
        with Client(proxy.port, host) as client:
            assert client.exchange(GET.format("/")).text == seen
