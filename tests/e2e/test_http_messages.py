# SPDX-License-Identifier: Apache-2.0
"""Messages: chunks and trailers, expectations, interim answers, answers without bodies, targets."""
import socket
import threading

import pytest

from harness import PATIENCE, ok

HEAD = "HTTP/1.1\r\nHost: test.example\r\n"
GET = f"GET / {HEAD}\r\n"


def site(server):
    return f"sites: {{ test.example: '{server.url}' }}"


# ---- Chunks and trailers ------------------------------------------------------------------------

def test_chunks_go_both_ways_with_trailers(start, origin):
    def handler(request, conn):
        assert request.body == b"hello world"
        assert request.trailers == [("X-Sum", "abc"), ("X-More", "d")]
        conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-End\r\n\r\n"
                  b"5\r\nhello\r\n6;ext=1;q=\"v\"\r\n world\r\n0\r\nX-End: yes\r\n\r\n")

    server = origin(handler)
    proxy = start(site(server))
    with proxy.connect() as client:
        client.send(f"POST / {HEAD}Transfer-Encoding: chunked\r\nTE: trailers\r\n"
                    "Connection: TE\r\nTrailer: X-Sum\r\n\r\n")
        client.send("5;a=b\r\nhello\r\n6\r\n world\r\n")
        client.send("0\r\nX-Sum: abc\r\nX-More: d\r\n\r\n")
        answer = client.read_answer()
        assert answer.text == "hello world"
        assert answer.trailers == [("X-End", "yes")]
    request = server.requests[0]
    assert request.get("TE") == "trailers"
    assert "TE" in request.get("Connection")
    assert request.get("Content-Length") is None


def test_trailers_go_only_to_those_who_take_them_or_were_told(start, origin):
    server = origin(lambda r, c: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                 b"2\r\nok\r\n0\r\nX-End: yes\r\n\r\n")
    proxy = start(site(server))
    assert proxy.get().trailers == []
    assert proxy.get(headers="TE: trailers\r\n").trailers == [("X-End", "yes")]


@pytest.mark.parametrize("name", ["Content-Length", "Transfer-Encoding", "Host", "Authorization"])
def test_trailers_that_frame_or_route_are_refused(start, origin, name):
    server = origin()
    proxy = start(site(server) + "\naccess-log: { format: '{status} {end} {end-detail}' }")
    with proxy.connect() as client:
        answer = client.exchange(f"POST / {HEAD}Transfer-Encoding: chunked\r\n\r\n"
                                 f"2\r\nok\r\n0\r\n{name}: 1\r\n\r\n")
        assert answer.status == 400
        assert client.is_closed()
    assert proxy.get().status == 200
    assert [r.method for r in server.requests] == ["GET"]


def test_many_small_chunks_arrive_whole(start, origin):
    server = origin(lambda request, conn: ok(request.body))
    proxy = start(site(server))
    text = b"".join(b"%x\r\n%s\r\n" % (n, b"x" * n) for n in range(1, 300))
    with proxy.connect() as client:
        answer = client.exchange(f"POST / {HEAD}Transfer-Encoding: chunked\r\n\r\n".encode() + text
                                 + b"0\r\n\r\n")
    assert len(answer.body) == sum(range(1, 300))


def test_pieces_of_an_answer_are_passed_on_as_they_come(start, origin):
    steps = [threading.Event() for _ in range(5)]

    def handler(request, conn):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                  b"Transfer-Encoding: chunked\r\n\r\n")
        for i, step in enumerate(steps):
            assert step.wait(PATIENCE)
            conn.send(f"7\r\nevent {i}\r\n")
        conn.send(b"0\r\n\r\n")

    proxy = start(site(origin(handler)))
    with proxy.connect() as client:
        client.send(GET)
        assert client.read_head().status == 200
        for i, step in enumerate(steps):
            step.set()
            client.read_until(f"event {i}".encode())
        client.read_until(b"0\r\n\r\n")


# ---- Expect: 100-continue -----------------------------------------------------------------------

EXPECT = f"POST / {HEAD}Content-Length: 4\r\nExpect: 100-continue\r\n\r\n"


def test_expectation_is_passed_on_and_so_is_the_100(start, origin):
    order = []

    def handler(request, conn):
        assert request.get("Expect") == "100-continue"
        order.append("asked")
        conn.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        conn.read_request_body(request)
        return ok(request.body)

    proxy = start(site(origin(handler)))
    with proxy.connect() as client:
        for _ in range(2):
            client.send(EXPECT)
            assert client.read_head().status == 100
            order.append("told")
            client.send("body")
            assert client.read_answer().text == "body"
    assert order == ["asked", "told"] * 2


def test_expectation_that_the_server_refuses_costs_no_body(start, origin):
    def handler(request, conn):
        conn.send(ok("too large", status="413 Content Too Large", headers="Connection: close\r\n"))
        conn.close()

    server = origin(handler)
    proxy = start(site(server))
    with proxy.connect() as client:
        client.send(EXPECT)
        answer = client.read_answer()
        assert (answer.status, answer.text) == (413, "too large")
        assert answer.interim == []
        assert answer.get("Connection") == "close"
        client.sock.shutdown(socket.SHUT_WR)
        assert client.is_closed()
    assert server.requests[0].body == b""


def test_expectation_that_the_server_ignores_is_met_after_a_second(start, origin):
    def handler(request, conn):
        conn.read_request_body(request)
        return ok(request.body)

    proxy = start(site(origin(handler)))
    with proxy.connect() as client:
        client.send(EXPECT + "body")  # a client that doesn't wait for long
        assert client.read_answer().text == "body"


def test_expectation_that_nobody_answers_doesn_t_hang(start, origin):
    """The server waits for the body, the client for the 100: the proxy must end that."""
    def handler(request, conn):
        conn.read_request_body(request)
        return ok(request.body)

    proxy = start(site(origin(handler)))
    with proxy.connect() as client:
        client.send(EXPECT)
        assert client.read_head().status == 100
        client.send("body")
        assert client.read_answer().text == "body"


def test_unknown_expectation_is_left_to_the_server(start, origin):
    server = origin(lambda request, conn: "hello")
    proxy = start(site(server))
    assert proxy.get(headers="Expect: magic\r\n").status in (200, 417)


# ---- 1xx ----------------------------------------------------------------------------------------

EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: x\r\n\r\n"


def test_early_hints_are_passed_on_before_the_answer(start, origin):
    go = threading.Event()

    def handler(request, conn):
        conn.send(EARLY)
        assert go.wait(PATIENCE)
        return "hello"

    proxy = start(site(origin(handler)))
    with proxy.connect() as client:
        client.send(GET)
        hints = client.read_head()
        assert (hints.status, hints.get("Link")) == (103, "</a.css>; rel=preload")
        assert hints.get("Connection") is None
        go.set()
        assert client.read_answer().text == "hello"


def test_interim_answers_are_kept_from_http_1_0(start, origin):
    proxy = start(site(origin(lambda request, conn: EARLY + ok("hello"))))
    with proxy.connect() as client:
        answer = client.exchange("GET / HTTP/1.0\r\nHost: test.example\r\n\r\n")
        assert (answer.status, answer.interim) == (200, [])


# ---- Answers without a body ---------------------------------------------------------------------

def test_head_is_answered_with_fields_alone(start, origin):
    lengths = {"/length": "Content-Length: 1234\r\n", "/chunked": "Transfer-Encoding: chunked\r\n",
               "/none": ""}
    server = origin(lambda r, c: f"HTTP/1.1 200 OK\r\n{lengths[r.target]}X-A: 1\r\n\r\n".encode())
    proxy = start(site(server))
    with proxy.connect() as client:
        for path, length in (("/length", "1234"), ("/chunked", None), ("/none", None)):
            answer = client.exchange(f"HEAD {path} {HEAD}\r\n", "HEAD")
            assert (answer.status, answer.get("X-A")) == (200, "1")
            assert answer.get("Content-Length") == length
    assert [r.method for r in server.requests] == ["HEAD"] * 3


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified", "205 Reset Content"])
def test_answers_that_have_no_body_get_none(start, origin, status):
    server = origin(lambda r, c: (f"HTTP/1.1 {status}\r\nETag: \"a\"\r\n" +
                                  ("Content-Length: 0\r\n" if status[:3] == "205" else "") +
                                  "\r\n").encode())
    proxy = start(site(server))
    with proxy.connect() as client:
        for _ in range(2):
            answer = client.exchange(GET)
            assert (answer.status, answer.get("ETag"), answer.body) == (int(status[:3]), '"a"', b"")
            assert answer.get("Transfer-Encoding") is None
    assert server.n_connections == 1


def test_304_keeps_the_length_of_what_isn_t_sent(start, origin):
    server = origin(lambda r, c: b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n")
    proxy = start(site(server))
    with proxy.connect() as client:
        for _ in range(2):
            assert client.exchange(GET).get("Content-Length") == "99"


def test_status_and_fields_of_the_server_are_kept(start, origin):
    server = origin(lambda r, c: b"HTTP/1.1 299 Odd\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
                                 b"X-Utf: \xc3\xa4\r\nX-Empty:\r\nContent-Length: 0\r\n\r\n")
    answer = start(site(server)).get()
    assert answer.status == 299
    assert answer.all("Set-Cookie") == ["a=1", "b=2"]
    assert answer.get("X-Utf") == "\xc3\xa4"
    assert answer.get("X-Empty") == ""
    assert answer.get("Date") is not None


def test_content_length_0_is_kept_and_absence_too(start, origin):
    server = origin()
    proxy = start(site(server))
    proxy.get(method="POST", headers="Content-Length: 0\r\n")
    proxy.get(method="GET")
    assert [r.get("Content-Length") for r in server.requests] == ["0", None]


# ---- Targets ------------------------------------------------------------------------------------

def test_options_asterisk_reaches_the_server_of_its_host(start, origin):
    server = origin()
    proxy = start(f"routes: [{{ match: 'Host(`test.example`)', to: '{server.url}' }}]")
    with proxy.connect() as client:
        assert client.exchange(f"OPTIONS * {HEAD}\r\n").status == 200
    assert (server.requests[0].method, server.requests[0].target) == ("OPTIONS", "*")


def test_absolute_form_for_a_host_of_ours_is_served(start, origin):
    """RFC 9112 3.2.2: the target's authority counts, not Host."""
    server = origin(lambda request, conn: f"{request.get('Host')} {request.target}")
    proxy = start(site(server))
    with proxy.connect() as client:
        for target in ("http://test.example/a?b", "HTTP://TEST.example:80/a?b"):
            answer = client.exchange(f"GET {target} HTTP/1.1\r\nHost: other.example\r\n\r\n")
            assert answer.text.lower() in ("test.example /a?b", "test.example:80 /a?b")
        assert client.exchange(f"GET http://test.example {HEAD}\r\n").text == "test.example /"


@pytest.mark.parametrize("line, statuses", [
    ("GET http://127.0.0.1:{}/ HTTP/1.1", (404, 421)),
    ("GET http://other.example/ HTTP/1.1", (404, 421)),
    ("GET https://other.example:{}/ HTTP/1.1", (404, 421)),
    ("GET ftp://test.example/ HTTP/1.1", (400,)),
    ("GET file:///etc/passwd HTTP/1.1", (400,)),
    ("GET http:///a HTTP/1.1", (400,)),
    ("GET http://user@test.example/ HTTP/1.1", (400,)),
    ("GET test.example:80 HTTP/1.1", (400,)),
    ("GET * HTTP/1.1", (400,)),
    ("GET //127.0.0.1:{}/ HTTP/1.1", (200,)),  # a path like any other
    ("OPTIONS http://127.0.0.1:{} HTTP/1.1", (404, 421)),
    ("CONNECT 127.0.0.1:{} HTTP/1.1", (405, 400, 501)),
    ("CONNECT other.example:443 HTTP/1.1", (405, 400, 501)),
    ("CONNECT / HTTP/1.1", (405, 400, 501)),
    ("TRACE http://other.example/ HTTP/1.1", (404, 405, 421)),
])
def test_nothing_is_relayed_to_where_a_client_says(start, origin, line, statuses):
    """S0-28: absolute forms for others and CONNECT never make it an open proxy."""
    server, victim = origin(), origin()
    proxy = start(site(server))
    with proxy.connect() as client:
        answer = client.exchange(f"{line.format(victim.port)}\r\nHost: test.example\r\n\r\n")
        assert answer.status in statuses
        if line.startswith("CONNECT"):
            client.send("GET /in-tunnel HTTP/1.1\r\nHost: test.example\r\n\r\n")
    assert proxy.get("/mark").status == 200
    assert victim.n_connections == 0
    assert server.requests[-1].target == "/mark"
    assert len(server.requests) == (2 if statuses == (200,) else 1) or \
        line.startswith("CONNECT") and server.requests[0].target == "/in-tunnel"


def test_max_forwards_counts_down_and_ends_here(start, origin):
    """RFC 9110 7.6.2: OPTIONS and TRACE go so many hops and no further."""
    server = origin()
    proxy = start(site(server))
    assert proxy.get(method="OPTIONS", headers="Max-Forwards: 5\r\n").status == 200
    assert server.requests[0].get("Max-Forwards") == "4"
    assert proxy.get(method="OPTIONS", headers="Max-Forwards: 0\r\n").body == b""
    assert proxy.get(method="TRACE", headers="Max-Forwards: 0\r\n").status == 405
    assert proxy.get(headers="Max-Forwards: 0\r\n").text == "hello"
    assert [r.method for r in server.requests] == ["OPTIONS", "GET"]
