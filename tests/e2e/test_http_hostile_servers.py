# SPDX-License-Identifier: Apache-2.0
"""Servers that break the protocol: clients get a neutral page or a broken body, never a lie."""
import re
import threading

import pytest

from harness import PATIENCE, Origin, Proxy, ok

GET = "GET {} HTTP/1.1\r\nHost: test.example\r\n\r\n"
LOG = "access-log: { format: '{path} {status} {end} {request-id} {end-detail}' }"
OK = b"HTTP/1.1 200 OK\r\n"

MALFORMED = {
    "not HTTP": b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n\r\n",
    "version 2": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "version in lower case": b"http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    "status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "status of letters": b"HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n",
    "status 099": b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
    "status 999": b"HTTP/1.1 999 OK\r\nContent-Length: 0\r\n\r\n",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "bare CR in field": OK + b"X: a\rSet-Cookie: b\r\nContent-Length: 0\r\n\r\n",
    "NUL in field": OK + b"X: a\0b\r\nContent-Length: 0\r\n\r\n",
    "control byte in reason": b"HTTP/1.1 200 O\x01K\r\nContent-Length: 0\r\n\r\n",
    "folded field": OK + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "space before colon": OK + b"X : a\r\nContent-Length: 0\r\n\r\n",
    "field without colon": OK + b"X\r\nContent-Length: 0\r\n\r\n",
    "field without name": OK + b": a\r\nContent-Length: 0\r\n\r\n",
    "both lengths": OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "differing lengths": OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "negative length": OK + b"Content-Length: -1\r\n\r\n",
    "length with words": OK + b"Content-Length: five\r\n\r\nhello",
    "unknown coding": OK + b"Transfer-Encoding: magic\r\n\r\nhello",
    "chunked not last": OK + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "coding in 1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding in 204": b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "long field": OK + b"X: " + b"a" * 70000 + b"\r\nContent-Length: 0\r\n\r\n",
    "long head": OK + b"".join(b"X%d: %s\r\n" % (i, b"a" * 600) for i in range(120)) + b"\r\n",
    "many fields": OK + b"".join(b"X%d: a\r\n" % i for i in range(300)) + b"\r\n",
    "endless status line": b"HTTP/1.1 200 " + b"a" * 200000,
    "flood of interim answers": b"HTTP/1.1 102 Processing\r\n\r\n" * 200 + ok("late"),
    "large interim answers": (b"HTTP/1.1 103 Early Hints\r\nX: " + b"a" * 30000 + b"\r\n\r\n") * 4
                             + ok("late"),
    "upgrade that nobody asked for": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\n"
                                     b"Connection: Upgrade\r\n\r\nraw bytes",
    "head cut in status line": b"HTTP/1.1 2",
    "head cut in field": OK + b"Content-Le",
    "head cut before its end": OK + b"Content-Length: 0\r\n",
    "nothing at all": b"",
}


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A proxy before a server that says what its test puts into server.says."""
    def handler(request, conn):
        if request.target == "/fine":
            return "fine"
        conn.send(server.says)
        conn.close()

    server = Origin(handler)
    proxy = Proxy(tmp_path_factory.mktemp("hostile") / "proxy",
                  f"sites: {{ test.example: {{ to: s }} }}\nservices: {{ s: {{ servers: "
                  f"['{server.url}'], tries: 1 }} }}\n{LOG}")
    yield proxy, server
    proxy.stop()
    server.stop()


def is_neutral(answer, server):
    """S0-24 S2-7 S3-11: no address, port or product, in no field and no text."""
    everything = "\n".join(f"{n}: {v}" for n, v in answer.headers) + "\n" + answer.text
    # A random id may spell anything.
    everything = everything.replace(answer.get("X-Request-Id"), "")
    for secret in ("127.0.0.1", str(server.port), "sallyport", "nginx", "RFC", "errno", "refused",
                   "malformed"):
        assert secret.lower() not in everything.lower(), everything
    assert answer.get("Server") is None and answer.get("Via") is None
    assert answer.get("X-Request-Id") in answer.text
    assert answer.get("Cache-Control") == "no-store"
    return True


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_answer_becomes_a_neutral_502(pair, name):
    """S2-7 S3-11 S0-24: the page says nothing, the log line the cause."""
    proxy, server = pair
    server.says = MALFORMED[name]
    with proxy.connect() as client:
        # A POST: nothing that may be repeated, so nothing is.
        answer = client.exchange(f"POST /{len(name)} HTTP/1.1\r\nHost: test.example\r\n"
                                 "Content-Length: 2\r\n\r\nhi")
        assert answer.status == 502
        assert is_neutral(answer, server)
        # The client did nothing wrong: its connection goes on.
        assert client.exchange(GET.format("/fine")).text == "fine"
    line = proxy.log_lines(answer.get("X-Request-Id"))[0]
    end = re.match(rf"/{len(name)} 502 (\S+) \S+ (.+)$", line)
    assert end[1] == ("server-gone" if "cut" in name or "nothing" in name else "server-protocol")
    assert f"127.0.0.1:{server.port}: " in end[2]


def test_error_pages_are_html_for_those_who_read_it(pair):
    proxy, server = pair
    server.says = b"junk\r\n\r\n"
    answer = proxy.get("/", headers="Accept: text/html,*/*\r\n", method="POST")
    assert answer.status == 502 and answer.get("Content-Type").startswith("text/html")
    assert is_neutral(answer, server)
    answer = proxy.get("/", headers="Accept: application/json\r\n", method="POST")
    assert answer.get("Content-Type") == "application/json"


BROKEN = {
    "shorter than its length": OK + b"Content-Length: 100\r\n\r\nonly this",
    "no last chunk": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "cut in a chunk": OK + b"Transfer-Encoding: chunked\r\n\r\n50\r\nhello",
    "cut in a size": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1",
    "cut in trailers": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: a\r\n",
    "bad size": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nxyz\r\nhello\r\n0\r\n\r\n",
    "huge size": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nfffffffffffffffff\r\n",
    "bad end of a chunk": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n",
    "bare LF": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\n\n",
    "framing in trailers": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"
                                b"Content-Length: 5\r\n\r\n",
}


@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize("name", BROKEN)
def test_a_body_that_breaks_is_never_passed_on_as_whole(pair, name, version):
    proxy, server = pair
    server.says = BROKEN[name]
    with proxy.connect() as client:
        client.send(f"GET /broken HTTP/{version}\r\nHost: test.example\r\n\r\n")
        try:
            head = client.read_head()
        except ConnectionResetError:
            return
        if head.status == 502:  # it broke before anything was sent
            return
        assert head.status == 200
        if head.get("Content-Length"):
            with pytest.raises((EOFError, ConnectionResetError)):
                client.read_exactly(int(head.get("Content-Length")))
        elif head.get("Transfer-Encoding"):
            with pytest.raises((EOFError, ConnectionResetError)):
                client._read_chunks()
        else:  # only a reset tells a client of HTTP/1.0 that the body isn't whole
            with pytest.raises(ConnectionResetError):
                client.read_to_end()


def test_a_server_that_resets_in_its_body_breaks_the_answer(start, origin):
    go = threading.Event()

    def handler(request, conn):
        conn.send(OK + b"Content-Length: 100000\r\n\r\n" + b"x" * 1000)
        assert go.wait(PATIENCE)
        conn.reset()
        conn.is_done = True

    server = origin(handler)
    proxy = start(f"sites: {{ test.example: '{server.url}' }}\n{LOG}")
    with proxy.connect() as client:
        client.send(GET.format("/reset"))
        assert client.read_head().status == 200
        client.read_exactly(1000)
        go.set()
        with pytest.raises((EOFError, ConnectionResetError)):
            client.read_exactly(99000)
    assert "server-gone" in proxy.log_lines("^/reset")[0]


@pytest.mark.parametrize("extra", [b"X", b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
                                   b"\r\n"])
def test_bytes_behind_an_answer_poison_no_other(start, origin, extra):
    """Whether they come with the answer or later, the connection is not used again."""
    def handler(request, conn):
        if request.target == "/evil":
            return ok("evil") + extra
        return request.target

    server = origin(handler)
    proxy = start(f"sites: {{ test.example: '{server.url}' }}")
    with proxy.connect() as client:
        for i in range(5):
            assert client.exchange(GET.format("/evil")).text == "evil"
            assert client.exchange(GET.format(f"/{i}")).text == f"/{i}"
    assert server.n_connections == 6


def test_an_answer_before_any_request_is_nobody_s(start, origin):
    """An idle connection on which the server speaks unasked is dropped."""
    spoken = threading.Event()

    def handler(request, conn):
        if request.target == "/first":
            conn.send(ok("first"))
            assert asked.wait(PATIENCE)
            conn.send(ok("unasked"))
            spoken.set()
            return None
        return request.target

    asked = threading.Event()
    server = origin(handler)
    proxy = start(f"sites: {{ test.example: '{server.url}' }}")
    with proxy.connect() as client:
        assert client.exchange(GET.format("/first")).text == "first"
        asked.set()
        assert spoken.wait(PATIENCE)
        for i in range(3):
            assert client.exchange(GET.format(f"/{i}")).text == f"/{i}"


def test_a_body_behind_an_answer_that_has_none_isn_t_passed_on(start, origin):
    """HEAD, 204 and 304: what follows their heads belongs to nothing."""
    says = {"HEAD": OK + b"Content-Length: 5\r\n\r\nhello",
            "GET": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello",
            "PUT": b"HTTP/1.1 204 No Content\r\n\r\nhello"}
    server = origin(lambda r, c: says[r.method])
    proxy = start(f"sites: {{ test.example: '{server.url}' }}")
    with proxy.connect() as client:
        for method in ("HEAD", "GET", "PUT", "HEAD"):
            client.send(f"{method} / HTTP/1.1\r\nHost: test.example\r\n\r\n")
            assert client.read_head().status in (200, 204, 304)
        client.send(f"HEAD / HTTP/1.1\r\nHost: test.example\r\nConnection: close\r\n\r\n")
        assert client.read_head().status == 200
        assert client.is_closed()
    assert server.n_connections == 5


def test_hidden_are_also_the_pages_for_no_route_and_no_server(start, origin):
    """S1-8 S2-7: 404 for a host that nobody serves; 502 for a dead server."""
    server = origin()
    server.stop()
    proxy = start(f"sites: {{ test.example: '{server.url}' }}\n{LOG}")
    for host, status in (("unknown.example", 404), ("test.example", 502)):
        answer = proxy.get(host=host)
        assert answer.status == status
        assert is_neutral(answer, server)
    assert f"127.0.0.1:{server.port}" in proxy.log_lines(" 502 server-connect ")[0]


def test_dead_server_gives_an_answer_within_3_seconds(start, origin):
    """S2-12: 502 or 503 with a request id, not a hang."""
    import socket
    import time
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    url = f"http://127.0.0.1:{full.getsockname()[1]}"
    fillers = []
    for _ in range(4):  # its backlog is full: packets of further clients are dropped
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(full.getsockname())
        fillers.append(filler)
    proxy = start(f"sites: {{ test.example: '{url}' }}\n{LOG}")
    before = time.monotonic()
    answer = proxy.get()
    assert answer.status in (502, 503)
    assert time.monotonic() - before < 3.5
    assert answer.get("X-Request-Id") in answer.text
    assert "server-connect-timeout" in proxy.log_lines(answer.get("X-Request-Id"))[0]
    for sock in (*fillers, full):
        sock.close()
