# SPDX-License-Identifier: Apache-2.0
"""What is refused: each message gets its status and a close, and the server sees nothing of it."""
import pytest

from harness import Origin, Proxy

HOST = b"Host: test.example\r\n"
CHUNKED = b"POST /bad HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
BEHIND = b"GET /smuggled HTTP/1.1\r\nHost: test.example\r\n\r\n"
LIMITS = "{ listen: '127.0.0.1:0', line-max: 1KiB, head-max: 4KiB, fields-max: 16, body-max: 100 }"


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """One proxy and one server for the whole table."""
    server = Origin()
    proxy = Proxy(tmp_path_factory.mktemp("refusals") / "proxy", f"""
sites: {{ test.example: '{server.url}' }}
entrypoints: {{ web: {LIMITS} }}
access-log: {{ format: '{{status}} {{end}} {{request-id}} {{end-detail}}' }}
""")
    yield proxy, server
    proxy.stop()
    server.stop()


def head(*lines, start=b"GET /bad HTTP/1.1"):
    return b"\r\n".join((start, *lines)) + b"\r\n\r\n"


def with_host(*lines, start=b"GET /bad HTTP/1.1"):
    return head(HOST[:-2], *lines, start=start)


def post(*lines):
    return with_host(*lines, start=b"POST /bad HTTP/1.1")


HEADS = {
    # Framing (RFC 9112 6)
    "both length and coding": (400, post(b"Content-Length: 5", b"Transfer-Encoding: chunked")
                               + b"0\r\n\r\n"),
    "coding and length": (400, post(b"Transfer-Encoding: chunked", b"Content-Length: 5")
                          + b"0\r\n\r\n"),
    "differing lengths": (400, post(b"Content-Length: 5", b"Content-Length: 6") + b"hello"),
    "two equal lengths": (400, post(b"Content-Length: 5", b"Content-Length: 5") + b"hello"),
    "list of equal lengths": (400, post(b"Content-Length: 5, 5") + b"hello"),
    "list of differing lengths": (400, post(b"Content-Length: 5, 6") + b"hello"),
    "length with plus": (400, post(b"Content-Length: +5") + b"hello"),
    "length with minus": (400, post(b"Content-Length: -5") + b"hello"),
    "length in hex": (400, post(b"Content-Length: 0x5") + b"hello"),
    "length with space inside": (400, post(b"Content-Length: 1 0") + b"hello"),
    "length with underscore": (400, post(b"Content-Length: 1_0") + b"hello"),
    "empty length": (400, post(b"Content-Length:") + b"hello"),
    "length beyond 64 bits": (400, post(b"Content-Length: 18446744073709551621") + b"hello"),
    "chunked not last": (400, post(b"Transfer-Encoding: chunked, gzip") + b"0\r\n\r\n"),
    "chunked twice": (400, post(b"Transfer-Encoding: chunked, chunked") + b"0\r\n\r\n"),
    "chunked in two fields": (400, post(b"Transfer-Encoding: chunked",
                                        b"Transfer-Encoding: chunked") + b"0\r\n\r\n"),
    "chunked and identity": (400, post(b"Transfer-Encoding: chunked",
                                       b"Transfer-Encoding: identity") + b"0\r\n\r\n"),
    "empty coding": (400, post(b"Transfer-Encoding:") + b"0\r\n\r\n"),
    "coding with comma": (400, post(b"Transfer-Encoding: ,chunked") + b"0\r\n\r\n"),
    "coding with parameter": (400, post(b"Transfer-Encoding: chunked;a=b") + b"0\r\n\r\n"),
    "coding with vertical tab": (400, post(b"Transfer-Encoding: \x0bchunked") + b"0\r\n\r\n"),
    "coding in quotes": (400, post(b'Transfer-Encoding: "chunked"') + b"0\r\n\r\n"),
    "unknown coding": (501, post(b"Transfer-Encoding: xchunked") + b"0\r\n\r\n"),
    "gzip and chunked": (501, post(b"Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n"),
    "identity": (501, post(b"Transfer-Encoding: identity") + b"hello"),
    "coding in 1.0": (400, with_host(b"Transfer-Encoding: chunked",
                                     start=b"POST /bad HTTP/1.0") + b"0\r\n\r\n"),
    # Lines and fields (RFC 9112 2.2 and 5)
    "bare LF in all": (400, b"GET /bad HTTP/1.1\nHost: test.example\n\n"),
    "bare LF after request line": (400, b"GET /bad HTTP/1.1\n" + HOST + b"\r\n"),
    "bare LF after field": (400, b"GET /bad HTTP/1.1\r\nHost: test.example\n\r\n"),
    "bare LF ends head": (400, b"GET /bad HTTP/1.1\r\n" + HOST + b"\n"),
    "bare CR in field": (400, with_host(b"X: a\rb")),
    "bare CR in request line": (400, b"GET /bad\r HTTP/1.1\r\n" + HOST + b"\r\n"),
    "two CR": (400, b"GET /bad HTTP/1.1\r\n" + HOST + b"X: a\r\r\n\r\n"),
    "folded field": (400, with_host(b"X: a", b" b")),
    "folded field by tab": (400, with_host(b"X: a", b"\tb")),
    "space before first field": (400, head(b" " + HOST[:-2])),
    "space before colon": (400, with_host(b"X : a")),
    "tab before colon": (400, with_host(b"X\t: a")),
    "space before colon of length": (400, post(b"Content-Length : 5") + b"hello"),
    "space before colon of coding": (400, post(b"Transfer-Encoding : chunked") + b"0\r\n\r\n"),
    "field without colon": (400, with_host(b"X")),
    "field without name": (400, with_host(b": a")),
    "NUL in value": (400, with_host(b"X: a\0b")),
    "NUL in name": (400, with_host(b"X\0: a")),
    "control byte in value": (400, with_host(b"X: a\x01b")),
    "DEL in value": (400, with_host(b"X: a\x7fb")),
    "non-ASCII name": (400, with_host(b"X\xe4: a")),
    "bracket in name": (400, with_host(b"X[1]: a")),
    # Host (RFC 9112 3.2)
    "no host": (400, head(b"X: a")),
    "two hosts": (400, with_host(b"Host: other.example")),
    "two equal hosts": (400, with_host(b"Host: test.example")),
    "host list": (400, head(b"Host: test.example, other.example")),
    "host with path": (400, head(b"Host: test.example/a")),
    "host with user": (400, head(b"Host: a@test.example")),
    "host with space": (400, head(b"Host: test example")),
    "host with bad port": (400, head(b"Host: test.example:8a")),
    "host with huge port": (400, head(b"Host: test.example:65536")),
    "host with open bracket": (400, head(b"Host: [::1")),
    "host with query": (400, head(b"Host: test.example?a")),
    # Request line (RFC 9112 3 and 2.3)
    "version 2.0": (505, with_host(start=b"GET /bad HTTP/2.0")),
    "version 0.9": (505, with_host(start=b"GET /bad HTTP/0.9")),
    "version 1.1 with more": (400, with_host(start=b"GET /bad HTTP/1.1 ")),
    "version 1.10": (400, with_host(start=b"GET /bad HTTP/1.10")),
    "version in lower case": (400, with_host(start=b"GET /bad http/1.1")),
    "version of another protocol": (400, with_host(start=b"GET /bad ICY/1.1")),
    "no version": (400, b"GET /bad\r\n\r\n"),
    "no target": (400, with_host(start=b"GET HTTP/1.1")),
    "two spaces": (400, with_host(start=b"GET  /bad HTTP/1.1")),
    "tab between": (400, with_host(start=b"GET\t/bad HTTP/1.1")),
    "space at the start": (400, with_host(start=b" GET /bad HTTP/1.1")),
    "space in target": (400, with_host(start=b"GET /bad x HTTP/1.1")),
    "control byte in target": (400, with_host(start=b"GET /bad\x01 HTTP/1.1")),
    "NUL in target": (400, with_host(start=b"GET /bad\0 HTTP/1.1")),
    "non-ASCII target": (400, with_host(start=b"GET /b\xe4d HTTP/1.1")),
    "fragment": (400, with_host(start=b"GET /bad#a HTTP/1.1")),
    "relative target": (400, with_host(start=b"GET bad HTTP/1.1")),
    "method with bracket": (400, with_host(start=b"GE[T /bad HTTP/1.1")),
    "TLS hello": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100 + b"\r\n\r\n"),
    "preface of HTTP/2": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    # Paths (DESIGN 4)
    "NUL in path": (400, with_host(start=b"GET /bad%00 HTTP/1.1")),
    "half an escape": (400, with_host(start=b"GET /bad%4 HTTP/1.1")),
    "escape without hex": (400, with_host(start=b"GET /bad%zz HTTP/1.1")),
    "above the root": (400, with_host(start=b"GET /../bad HTTP/1.1")),
    "above the root, encoded": (400, with_host(start=b"GET /a/%2e%2E/.%2e/bad HTTP/1.1")),
    # Limits
    "long line": (414, with_host(start=b"GET /" + b"a" * 1100 + b" HTTP/1.1")),
    "endless line": (414, b"GET /" + b"a" * 8000),
    "long field": (431, with_host(b"X: " + b"a" * 5000)),
    "long head": (431, with_host(*[b"X%d: %s" % (i, b"a" * 400) for i in range(12)])),
    "many fields": (431, with_host(*[b"X%d: a" % i for i in range(16)])),
    "declared body too large": (413, post(b"Content-Length: 101") + b"a" * 101),
}

BODIES = {
    "size not hex": b"g\r\nhello\r\n0\r\n\r\n",
    "size with 0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "size negative": b"-5\r\nhello\r\n0\r\n\r\n",
    "size with plus": b"+5\r\nhello\r\n0\r\n\r\n",
    "size empty": b"\r\nhello\r\n0\r\n\r\n",
    "size with space": b"5 \r\nhello\r\n0\r\n\r\n",
    "size behind space": b" 5\r\nhello\r\n0\r\n\r\n",
    "size beyond 64 bits": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "size at 64 bits": b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "size with many zeros": b"0" * 300 + b"5\r\nhello\r\n0\r\n\r\n",
    "size with underscore": b"0_5\r\nhello\r\n0\r\n\r\n",
    "size with bare LF": b"5\nhello\r\n0\r\n\r\n",
    "size with bare CR": b"5\rhello\r\n0\r\n\r\n",
    "size with two CR": b"5\r\r\nhello\r\n0\r\n\r\n",
    "extension without name": b"5;\r\nhello\r\n0\r\n\r\n",
    "extension with NUL": b"5;a\0b\r\nhello\r\n0\r\n\r\n",
    "extension with bare LF": b"5;a\nhello\r\n0\r\n\r\n",
    "extension with LF in quotes": b'5;a="\n"\r\nhello\r\n0\r\n\r\n',
    "extension too long": b"5;" + b"a" * 300 + b"\r\nhello\r\n0\r\n\r\n",
    "data longer than its size": b"5\r\nhelloX\r\n0\r\n\r\n",
    "data without its end": b"5\r\nhello0\r\n\r\n",
    "data ends with bare LF": b"5\r\nhello\n0\r\n\r\n",
    "last chunk with bare LF": b"5\r\nhello\r\n0\n\r\n",
    "trailers end with bare LF": b"5\r\nhello\r\n0\r\n\n",
    "folded trailer": b"5\r\nhello\r\n0\r\nX: a\r\n b\r\n\r\n",
    "trailer with space before colon": b"5\r\nhello\r\n0\r\nX : a\r\n\r\n",
    "trailer without colon": b"5\r\nhello\r\n0\r\nGET /smuggled HTTP/1.1\r\n\r\n",
    "length as trailer": b"5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n",
    "long trailers": b"5\r\nhello\r\n0\r\nX: " + b"a" * 5000 + b"\r\n\r\n",
    "many trailers": b"5\r\nhello\r\n0\r\n" + b"X: a\r\n" * 20 + b"\r\n",
}


def expect_refusal(pair, message, status):
    """One answer and a close; neither the message nor what follows it was a request."""
    proxy, server = pair
    server.requests.clear()
    with proxy.connect() as client:
        client.send(message + BEHIND)
        answer = client.read_answer()
        assert answer.status == status
        assert answer.get("Connection") == "close"
        request_id = answer.get("X-Request-Id")
        assert request_id and request_id in answer.text
        assert client.is_closed()
    assert proxy.get("/mark").status == 200
    assert [r.target for r in server.requests] == ["/mark"]
    limit = status in (413, 414, 431)
    end = "client-limit" if limit else "client-protocol"
    line = proxy.log_lines(rf" {request_id} ")[0]
    assert line.startswith(f"{status} {end} ") and not line.endswith((" ", "-"))


@pytest.mark.parametrize("name", HEADS)
def test_malformed_head_is_refused(pair, name):
    """S3-12: ambiguous requests get an error, never two requests."""
    status, message = HEADS[name]
    expect_refusal(pair, message, status)


@pytest.mark.parametrize("name", BODIES)
def test_malformed_chunks_are_refused(pair, name):
    """S3-12, the same in bodies."""
    body = BODIES[name]
    status = 413 if name in ("long trailers", "many trailers") else 400
    expect_refusal(pair, CHUNKED + body, status)


def test_chunked_body_over_its_limit_gets_413(pair):
    expect_refusal(pair, CHUNKED + b"40\r\n" + b"a" * 64 + b"\r\n40\r\n" + b"a" * 64
                   + b"\r\n0\r\n\r\n", 413)


def test_bodies_and_heads_at_their_limits_are_served(pair):
    proxy, _ = pair
    with proxy.connect() as client:
        assert client.exchange(post(b"Content-Length: 100") + b"a" * 100).status == 200
        assert client.exchange(CHUNKED + b"64\r\n" + b"a" * 100 + b"\r\n0\r\n\r\n").status == 200
        line = b"GET /" + b"a" * (1024 - 14) + b" HTTP/1.1"
        assert len(line) == 1024
        assert client.exchange(with_host(start=line)).status == 200
        assert client.exchange(with_host(*[b"X%d: a" % i for i in range(15)])).status == 200
        assert client.exchange(with_host(b"X: " + b"a" * (4096 - len(with_host(b"X: ")))
                                         )).status == 200


SMUGGLING = {
    "CL.TE": b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
    "TE.CL": b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n"
             b"2e\r\n" + BEHIND[:46].ljust(46, b"x") + b"\r\n0\r\n\r\n",
    "TE.TE by case": b"Transfer-Encoding: chunked\r\nTransfer-encoding: cow\r\n\r\n0\r\n\r\n",
    "TE.TE by tab": b"Transfer-Encoding:\tchunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
    "TE.TE behind fold": b"X: a\r\n "
                         b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "TE behind bare CR": b"X: a\rTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "TE behind bare LF": b"X: a\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "TE behind NUL": b"Transfer-Encoding\0: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "TE with NUL": b"Transfer-Encoding: chunked\0\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "TE by latin-1 space": b"Transfer-Encoding:\xa0chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "TE by underscore and chunks": b"Transfer_Encoding : chunked\r\nContent-Length: 5\r\n\r\nhello",
    "CL by comma": b"Content-Length: 0,44\r\n\r\n",
    "CL twice with 0": b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n",
    "CL in octal": b"Content-Length: 0o5\r\n\r\nhello",
}


@pytest.mark.parametrize("name", SMUGGLING)
def test_smuggling_gets_an_error_and_a_close(pair, name):
    """S3-12: the corpus of CL.TE, TE.CL, TE.TE."""
    proxy, server = pair
    server.requests.clear()
    with proxy.connect() as client:
        client.send(b"POST /bad HTTP/1.1\r\n" + HOST + SMUGGLING[name] + BEHIND)
        assert client.read_answer().status in (400, 501)
        assert client.is_closed()
    assert proxy.get("/mark").status == 200
    assert [r.target for r in server.requests] == ["/mark"]


def test_names_with_underscores_frame_nothing(pair):
    """What some servers take for Transfer-Encoding is data here, and the framing is ours."""
    proxy, server = pair
    server.requests.clear()
    with proxy.connect() as client:
        client.send(post(b"Transfer_Encoding: chunked", b"Content-Length: 5") + b"0\r\n\r\n"
                    + BEHIND)
        assert client.read_answer().status == 200
        assert client.read_answer().status == 200
    assert [(r.target, r.body) for r in server.requests] == [("/bad", b"0\r\n\r\n"),
                                                             ("/smuggled", b"")]


@pytest.mark.parametrize("field", [b"Content-Length", b"Transfer-Encoding", b"Host"])
def test_connection_can_t_name_fields_of_framing_away(pair, field):
    """Connection: Content-Length must not take the length from a request with a body."""
    proxy, server = pair
    server.requests.clear()
    with proxy.connect() as client:
        answer = client.exchange(post(b"Connection: keep-alive, " + field,
                                      b"Content-Length: 5") + b"hello")
        assert answer.status in (200, 400)
    if server.requests:
        assert server.requests[0].body == b"hello"
        assert server.requests[0].all("Host") == ["test.example"]
