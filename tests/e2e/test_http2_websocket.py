# SPDX-License-Identifier: Apache-2.0
"""WebSocket over HTTP/2 (RFC 8441) to servers of HTTP/1.1, and CONNECT otherwise."""
import base64
import hashlib
import socket
import threading

import pytest
from certificates import Certificate
from h2_origin import H2Origin
from harness import PATIENCE, wait_until
from http2 import (CANCEL, ENABLE_CONNECT_PROTOCOL, END_HEADERS, END_STREAM, HEADERS, NO_ERROR,
                   PROTOCOL_ERROR, H2Client)
from test_http2 import settings

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def upgrade(request, conn, accept=None, more=""):
    key = request.get("Sec-WebSocket-Key").encode()
    assert len(base64.b64decode(key)) == 16
    accept = accept or base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
    conn.send(("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
               f"Sec-WebSocket-Accept: {accept}\r\n{more}\r\n").encode())


def echo(request, conn):
    upgrade(request, conn, more="Sec-WebSocket-Protocol: chat\r\n")
    while data := conn.sock.recv(65536):
        conn.sock.sendall(data)


def connect(client, protocol="websocket", path="/chat", end=False):
    return client.request(end=end, fields=[
        (":method", "CONNECT"), (":protocol", protocol), (":scheme", "http"), (":path", path),
        (":authority", "test.example"), ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", "chat"), ("origin", "http://test.example")])


def wait_open(client, stream):
    client.read_until(lambda: stream in client.answers and client.answers[stream].headers)
    return client.answers[stream]


def test_a_websocket_on_a_stream(start, origin):
    """RFC 8441 3 to 5: announced; an upgrade towards the server; bytes both ways; ends in order."""
    server = origin(echo)
    proxy = start(settings(server.url))
    with H2Client(proxy.port) as client:
        client.ping()
        assert client.settings[ENABLE_CONNECT_PROTOCOL] == 1
        stream = connect(client)
        answer = wait_open(client, stream)
        assert answer.status == 200 and answer.get("sec-websocket-protocol") == "chat"
        assert not {"sec-websocket-accept", "upgrade", "content-length"} & dict(answer.headers).keys()
        request = server.requests[0]
        assert (request.method, request.target) == ("GET", "/chat")
        assert request.get("Upgrade") == "websocket" and request.get("Connection") == "Upgrade"
        assert request.get("Sec-WebSocket-Version") == "13"
        assert request.get("Host") == "test.example"
        for piece in (b"hello", b"x" * 16000, b"world"):
            before = len(answer.body)
            client.data(stream, piece)
            client.read_until(lambda: len(answer.body) == before + len(piece))
        assert answer.body == b"hello" + b"x" * 16000 + b"world"
        assert client.get(host="none.example").status == 404  # beside it
        client.data(stream, b"", end=True)
        assert client.answer(stream).is_whole
    proxy.log_lines('"GET /chat HTTP/2.0" 200 16010')


# --- servers that speak HTTP/2 alone ---

def open_echo(stream):
    """RFC 8441 5, as the server."""
    assert stream[":method"] == "CONNECT" and stream[":protocol"] == "websocket"
    stream.head(200, ("sec-websocket-protocol", "chat"))
    while piece := stream.read():
        stream.send(piece)
    stream.send(end=True)


TAKES = {"connect": 1}


@pytest.fixture(scope="module")
def h2_echo():
    server = H2Origin(open_echo, settings=TAKES)
    yield server
    server.stop()


def test_a_websocket_from_a_stream_to_a_stream(start, h2_echo):
    proxy = start(settings(h2_echo.url))
    with H2Client(proxy.port) as client:
        stream = connect(client)
        answer = wait_open(client, stream)
        assert answer.status == 200 and answer.get("sec-websocket-protocol") == "chat"
        assert not {"sec-websocket-accept", "upgrade"} & dict(answer.headers).keys()
        request = h2_echo.next_request()
        assert (request[":path"], request[":authority"]) == ("/chat", "test.example")
        assert request["sec-websocket-version"] == "13"
        assert request["sec-websocket-key"] is None and request["content-length"] is None
        for i in range(1, 21):
            client.data(stream, b"y" * 16000)
            client.data(stream, b"z" * 16000)
            client.read_until(lambda: len(answer.body) >= i * 32000)
        client.data(stream, b"", end=True)
        assert client.answer(stream).is_whole
        assert answer.body == (b"y" * 16000 + b"z" * 16000) * 20
        assert request.reset_code is None
    proxy.log_lines('"GET /chat HTTP/2.0" 200 640000')


def test_a_websocket_of_http_1_to_a_stream(start, h2_echo):
    proxy = start(settings(h2_echo.url))
    key = base64.b64encode(b"0123456789abcdef")
    with proxy.connect() as client:
        client.send(b"GET /chat HTTP/1.1\r\nHost: test.example\r\nConnection: Upgrade\r\n"
                    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                    + key + b"\r\n\r\nearly")
        head = client.read_head()
        assert head.status == 101 and head.get("Upgrade") == "websocket"
        assert head.get("Sec-WebSocket-Accept") == base64.b64encode(
            hashlib.sha1(key + GUID).digest()).decode()
        assert client.read_exactly(5) == b"early"
        client.send(b"x" * 100000)
        assert client.read_exactly(100000) == b"x" * 100000
        client.sock.shutdown(socket.SHUT_WR)
        assert client.sock.recv(1) == b""
    proxy.log_lines('"GET /chat HTTP/1.1" 101 100005')


def test_a_reset_passes_through_both_ways(start):
    resets = threading.Event()

    def handler(stream):
        stream.head(200)
        if stream.path == "/reset":
            stream.reset(CANCEL)
        elif not stream.was_reset.wait(PATIENCE):
            raise AssertionError("no reset")
        else:
            resets.set()

    server = H2Origin(handler, settings=TAKES)
    try:
        proxy = start(settings(server.url))
        with H2Client(proxy.port) as client:
            stream = connect(client)
            wait_open(client, stream)
            client.reset(stream)
            assert resets.wait(PATIENCE)
            assert client.answer(connect(client, path="/reset")).reset == CANCEL
            assert len(server.connections) == 1
    finally:
        server.stop()


def test_a_server_that_refuses_a_websocket_says_why(start):
    server = H2Origin(lambda stream: stream.answer(b"no", 403), settings=TAKES)
    try:
        proxy = start(settings(server.url))
        with H2Client(proxy.port) as client:
            answer = client.answer(connect(client))
            assert (answer.status, answer.body) == (403, b"no")
    finally:
        server.stop()


def test_a_server_of_http_2_alone_without_websocket_is_502(start):
    """RFC 8441 3: it must have said that it takes them."""
    server = H2Origin(open_echo)
    try:
        proxy = start(settings(server.url))
        with H2Client(proxy.port) as client:
            assert client.answer(connect(client)).status == 502
        assert server.requests == []
        proxy.log_lines("takes no WebSocket by HTTP/2|502")
    finally:
        server.stop()


def test_a_server_of_both_without_websocket_gets_http_1(start, tmp_path):
    cert = Certificate(tmp_path, ["127.0.0.1"])
    server = H2Origin(lambda stream: stream.answer(), cert=cert, alpn=["h2", "http/1.1"])
    try:
        # A slow machine isn't a server that gives no sign of life.
        proxy = start(settings(server.url,
                               more=f", connect-timeout: 30s, tls: {{ ca: '{cert.file}' }}"))
        with H2Client(proxy.port) as client:
            assert client.get().text == "hello"  # by HTTP/2
            for _ in range(2):
                stream = connect(client)
                answer = wait_open(client, stream)
                assert answer.status == 200
                client.data(stream, b"ping")
                client.read_until(lambda: answer.body == b"ping")
            assert client.get().text == "hello"
        assert len(server.connections) == 1 and len(server.requests) == 2
    finally:
        server.stop()


# --- servers of HTTP/1.1 ---

def test_much_goes_through(start, origin):
    proxy = start(settings(origin(echo).url))
    with H2Client(proxy.port) as client:
        stream = connect(client)
        answer = wait_open(client, stream)

        def send():
            for _ in range(4):
                client.data(stream, b"y" * 10000)

        for i in range(1, 51):
            send()
            client.read_until(lambda: len(answer.body) >= i * 40000)
        assert answer.body == b"y" * 2_000_000


def test_the_servers_end_ends_the_stream(start, origin):
    def handler(request, conn):
        upgrade(request, conn)
        conn.send(b"bye")
        conn.sock.close()

    proxy = start(settings(origin(handler).url))
    with H2Client(proxy.port) as client:
        answer = client.answer(connect(client))
        assert answer.body == b"bye" and (answer.is_whole or answer.reset in (NO_ERROR, CANCEL))


def test_a_reset_reaches_the_server(start, origin):
    closed = threading.Event()

    def handler(request, conn):
        upgrade(request, conn)
        try:
            while conn.sock.recv(100):
                pass
        except OSError:
            pass
        closed.set()

    proxy = start(settings(origin(handler).url))
    with H2Client(proxy.port) as client:
        stream = connect(client)
        wait_open(client, stream)
        client.data(stream, b"x")
        client.reset(stream)
        assert closed.wait(PATIENCE)
        assert client.get(host="none.example").status == 404


def test_only_data_may_follow_on_a_tunnel(start, origin):
    """RFC 9113 8.5: trailers of the client are an error of the stream, whose end reaches the server."""
    closed = threading.Event()

    def handler(request, conn):
        upgrade(request, conn)
        try:
            while conn.sock.recv(100):
                pass
        except OSError:
            pass
        closed.set()

    proxy = start(settings(origin(handler).url))
    with H2Client(proxy.port) as client:
        stream = connect(client)
        wait_open(client, stream)
        client.send_frame(HEADERS, END_HEADERS | END_STREAM, stream,
                          client.encoder.encode([("x", "1")]))
        assert client.answer(stream).reset == PROTOCOL_ERROR
        assert closed.wait(PATIENCE)
        assert client.get(host="none.example").status == 404


def test_only_data_may_follow_on_a_servers_tunnel(start):
    """RFC 9113 8.5: the same of the server's trailers."""
    reset = []

    def handler(stream):
        stream.head(200)
        stream.send_fields([("x", "1")], end=True)
        if stream.was_reset.wait(PATIENCE):
            reset.append(stream.reset_code)

    server = H2Origin(handler, settings=TAKES)
    try:
        proxy = start(settings(server.url))
        with H2Client(proxy.port) as client:
            answer = client.answer(connect(client))
            assert answer.reset is not None or answer.status == 502  # it may come with the head
        wait_until(lambda: reset == [PROTOCOL_ERROR])
    finally:
        server.stop()


def test_a_tunnel_that_is_idle_ends(start, origin):
    proxy = start(settings(origin(echo).url, entry=", tunnel-timeout: 1s, body-timeout: 100ms"))
    with H2Client(proxy.port) as client:
        stream = connect(client)
        wait_open(client, stream)
        assert client.answer(stream).reset == CANCEL


@pytest.mark.parametrize("answer,status", [
    ("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", 403),
    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 502),
    (None, 502)])
def test_a_server_that_does_not_accept(start, origin, answer, status):
    """RFC 6455 4.1; an answer 200 must not look like an open tunnel."""
    def handler(request, conn):
        if answer:
            return answer.encode()
        return upgrade(request, conn, accept="AAAAAAAAAAAAAAAAAAAAAAAAAAA=")

    proxy = start(settings(origin(handler).url))
    with H2Client(proxy.port) as client:
        assert client.answer(connect(client)).status == status


def test_other_protocols_are_refused(start, origin):
    """RFC 8441 4, RFC 9113 8.5."""
    server = origin()
    proxy = start(settings(server.url))
    with H2Client(proxy.port) as client:
        assert client.answer(connect(client, protocol="connect-udp")).status == 501
        stream = client.request(end=False, fields=[(":method", "CONNECT"),
                                                   (":authority", "test.example:80")])
        assert client.answer(stream).status == 405
    assert server.requests == []


def test_tunnels_end_with_the_gate(start, origin):
    proxy = start(settings(origin(echo).url, more="") + "drain-timeout: 1s\n")
    with H2Client(proxy.port) as client:
        stream = connect(client)
        wait_open(client, stream)
        proxy.child.terminate()
        client.read_to_end()
        assert client.goaway is not None
