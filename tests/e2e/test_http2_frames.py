# SPDX-License-Identifier: Apache-2.0
"""Hostile and broken frames of HTTP/2: what RFC 9113 says a server or an intermediary MUST do, by its
section. In each case others are served as before."""
import struct
import threading

import pytest
from harness import wait_until
from http2 import (ACK, CANCEL, COMPRESSION_ERROR, CONTINUATION, DATA, END_HEADERS, END_STREAM,
                   ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, GOAWAY, HEADERS,
                   INITIAL_WINDOW_SIZE, INTERNAL_ERROR, NO_ERROR, PADDED, PING, PREFACE, PRIORITY,
                   PRIORITY_UPDATE, PROTOCOL_ERROR, PUSH_PROMISE, REFUSED_STREAM, RST_STREAM, SETTINGS,
                   STREAM_CLOSED, WINDOW_UPDATE, H2Client, frame)
from test_http2 import settings

GET = [(":method", "GET"), (":scheme", "http"), (":authority", "test.example"), (":path", "/")]


@pytest.fixture
def proxy(start, origin):
    made = start(settings(origin().url))
    yield made
    with H2Client(made.port) as client:
        assert client.get().text == "hello"


def block(client, fields=GET):
    return client.encoder.encode(fields)


def refusals(proxy):
    return proxy.ask(command="status")["status"]["report"]["refused_requests"]


# --- connection errors: GOAWAY with the code, and the end ---

def open_stream(client):
    stream = client.request(end=False, method="POST")
    client.ping()
    return stream


def refused(client):
    """A stream that the proxy has reset."""
    stream = client.request(end=False, method="POST", more=[("content-length", "1")])
    client.data(stream, b"xx")
    assert client.answer(stream).reset == PROTOCOL_ERROR
    return stream


CONNECTION_ERRORS = [
    ("4.2", "a frame larger than allowed", FRAME_SIZE_ERROR,
     lambda c: c.send(frame(DATA, 0, open_stream(c), b"x" * 16385))),
    ("4.3", "a field block that can't be decoded", COMPRESSION_ERROR,
     lambda c: c.send_frame(HEADERS, 5, 1, b"\xff\xff\xff\xff\xff\xff")),
    ("4.3", "a table size update that is too large", COMPRESSION_ERROR,
     lambda c: c.send_frame(HEADERS, 5, 1, b"\x3f\xe2\x5f" + block(c))),
    ("5.1", "DATA on an idle stream", PROTOCOL_ERROR, lambda c: c.data(1, b"x")),
    ("5.1", "RST_STREAM on an idle stream", PROTOCOL_ERROR, lambda c: c.reset(1)),
    ("5.1", "WINDOW_UPDATE on an idle stream", PROTOCOL_ERROR, lambda c: c.window(1, 1)),
    ("5.1.1", "a number that was left out", PROTOCOL_ERROR,
     lambda c: (c.send_frame(HEADERS, 5, 5, block(c)), c.send_frame(HEADERS, 5, 3, block(c)))),
    ("5.1.1", "a number that was left out later", PROTOCOL_ERROR,
     lambda c: (c.send_frame(HEADERS, 5, 1, block(c)), c.send_frame(HEADERS, 5, 9, block(c)),
                c.send_frame(HEADERS, 5, 3, block(c)))),
    ("5.1.1", "a number of a stream that has ended", PROTOCOL_ERROR,
     lambda c: (c.get(), c.get(), c.send_frame(HEADERS, 5, 1, block(c)))),
    ("5.1.1", "a number above those of streams that were reset", PROTOCOL_ERROR,
     lambda c: (refused(c), c.get(), c.send_frame(HEADERS, 5, c.next_stream - 2, block(c)))),
    ("5.1.1", "a stream with an even number", PROTOCOL_ERROR,
     lambda c: c.send_frame(HEADERS, 5, 2, block(c))),
    ("5.5", "an unknown frame inside of a field block", PROTOCOL_ERROR,
     lambda c: (c.send_frame(HEADERS, 1, 1, block(c)), c.send_frame(0xfa, 0, 0, b""))),
    ("6.1", "DATA on stream 0", PROTOCOL_ERROR, lambda c: c.data(0, b"x")),
    ("6.1", "padding as long as the frame", PROTOCOL_ERROR,
     lambda c: c.send_frame(DATA, PADDED, open_stream(c), b"\x04abc")),
    ("6.2", "HEADERS too short for their priority", FRAME_SIZE_ERROR,
     lambda c: c.send_frame(HEADERS, 5 | 0x20, 1, b"\0\0")),
    ("6.1", "padding longer than the frame", PROTOCOL_ERROR,
     lambda c: c.send_frame(DATA, PADDED, open_stream(c), b"\x09abc")),
    ("6.2", "HEADERS on stream 0", PROTOCOL_ERROR,
     lambda c: c.send_frame(HEADERS, 5, 0, block(c))),
    ("6.2", "padding of HEADERS longer than the frame", PROTOCOL_ERROR,
     lambda c: c.send_frame(HEADERS, 5 | PADDED, 1, b"\xff" + block(c))),
    ("6.2", "another frame inside of a field block", PROTOCOL_ERROR,
     lambda c: (c.send_frame(HEADERS, 1, 1, block(c)), c.send_frame(PING, 0, 0, b"12345678"))),
    ("6.2", "a field block that goes on in another stream", PROTOCOL_ERROR,
     lambda c: (c.send_frame(HEADERS, 1, 1, block(c)), c.send_frame(CONTINUATION, 4, 3, b""))),
    ("6.3", "PRIORITY on stream 0", PROTOCOL_ERROR,
     lambda c: c.send_frame(PRIORITY, 0, 0, b"\0\0\0\0\x10")),
    ("6.3", "PRIORITY of another length", FRAME_SIZE_ERROR,
     lambda c: c.send_frame(PRIORITY, 0, 1, b"\0\0\0\0")),
    ("6.4", "RST_STREAM on stream 0", PROTOCOL_ERROR, lambda c: c.reset(0)),
    ("6.4", "RST_STREAM of another length", FRAME_SIZE_ERROR,
     lambda c: c.send_frame(RST_STREAM, 0, open_stream(c), b"\0\0\0")),
    ("6.5", "SETTINGS of a length that isn't a multiple of 6", FRAME_SIZE_ERROR,
     lambda c: c.send_frame(SETTINGS, 0, 0, b"\0\0\0")),
    ("6.5", "SETTINGS on a stream", PROTOCOL_ERROR, lambda c: c.send_frame(SETTINGS, 0, 1)),
    ("6.5", "an ACK of SETTINGS with a body", FRAME_SIZE_ERROR,
     lambda c: c.send_frame(SETTINGS, ACK, 0, b"\0\3\0\0\0\1")),
    ("6.5.2", "ENABLE_PUSH with 2", PROTOCOL_ERROR,
     lambda c: c.send_frame(SETTINGS, 0, 0, struct.pack(">HI", 2, 2))),
    ("6.5.2", "a window over 2^31-1", FLOW_CONTROL_ERROR,
     lambda c: c.send_frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0x80000000))),
    ("6.5.2", "MAX_FRAME_SIZE below 2^14", PROTOCOL_ERROR,
     lambda c: c.send_frame(SETTINGS, 0, 0, struct.pack(">HI", 5, 16383))),
    ("6.5.2", "MAX_FRAME_SIZE above 2^24-1", PROTOCOL_ERROR,
     lambda c: c.send_frame(SETTINGS, 0, 0, struct.pack(">HI", 5, 1 << 24))),
    ("6.6", "PUSH_PROMISE of a client", PROTOCOL_ERROR,
     lambda c: c.send_frame(PUSH_PROMISE, 4, 1, struct.pack(">I", 2) + block(c))),
    ("6.7", "PING on a stream", PROTOCOL_ERROR, lambda c: c.send_frame(PING, 0, 1, b"12345678")),
    ("6.7", "PING of another length", FRAME_SIZE_ERROR, lambda c: c.send_frame(PING, 0, 0, b"1")),
    ("6.8", "GOAWAY on a stream", PROTOCOL_ERROR,
     lambda c: c.send_frame(GOAWAY, 0, 1, struct.pack(">II", 0, 0))),
    ("6.9", "WINDOW_UPDATE of another length", FRAME_SIZE_ERROR,
     lambda c: c.send_frame(WINDOW_UPDATE, 0, 0, b"\0\0\0")),
    ("6.9", "WINDOW_UPDATE of 0 on the connection", PROTOCOL_ERROR, lambda c: c.window(0, 0)),
    ("6.9.1", "a connection's window over 2^31-1", FLOW_CONTROL_ERROR,
     lambda c: c.window(0, 0x7fffffff)),
    ("6.9.2", "SETTINGS that make a stream's window too large", FLOW_CONTROL_ERROR,
     lambda c: (c.window(open_stream(c), 0x7fff0000),
                c.send_frame(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW_SIZE, 0x7fffffff)))),
    ("6.9", "WINDOW_UPDATE of 0 on a stream", PROTOCOL_ERROR, lambda c: c.window(open_stream(c), 0)),
    ("6.10", "CONTINUATION on stream 0", PROTOCOL_ERROR,
     lambda c: (c.send_frame(HEADERS, 1, 1, block(c)), c.send_frame(CONTINUATION, 4, 0, b""))),
    ("6.10", "CONTINUATION without HEADERS", PROTOCOL_ERROR,
     lambda c: c.send_frame(CONTINUATION, 4, 1, block(c))),
    ("6.10", "CONTINUATION behind the end of a block", PROTOCOL_ERROR,
     lambda c: (c.send_frame(HEADERS, 5, 1, block(c)), c.send_frame(CONTINUATION, 4, 1, b""))),
]


@pytest.mark.parametrize("section,what,code,act", CONNECTION_ERRORS,
                         ids=[f"{s} {w}" for s, w, *_ in CONNECTION_ERRORS])
def test_a_connection_error_ends_the_connection(proxy, section, what, code, act):
    with H2Client(proxy.port) as client:
        act(client)
        assert client.read_to_end().code == code, (section, what)


def test_no_preface_no_connection(start, origin):
    """3.4: anything else than the preface, and anything else than SETTINGS behind it."""
    ca = "entrypoints:\n  websecure: { listen: '127.0.0.1:0', tls: on }\n" \
        f"sites:\n  a.example: '{origin().url}'\n"
    proxy = start(ca)
    for first in (b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
                  PREFACE + frame(HEADERS, 5, 1, b"\x82\x84\x86\x01\x09a.example"),
                  PREFACE + frame(PING, 0, 0, b"12345678")):
        with H2Client(proxy.port, name="a.example", greet=False) as client:
            client.send(first)
            goaway = client.read_to_end()
            assert goaway is None or goaway.code == PROTOCOL_ERROR


# --- stream errors: RST_STREAM, and the connection goes on ---

def test_errors_of_a_stream_leave_the_others_alone(proxy):
    """5.4.2, 6.9.1: RST_STREAM with the code."""
    with H2Client(proxy.port) as client:
        stream = open_stream(client)
        client.window(stream, 0x7fffffff)
        assert client.answer(stream).reset == FLOW_CONTROL_ERROR
        assert client.get().text == "hello"
        assert client.goaway is None


def test_frames_behind_the_end_of_a_stream(proxy):
    """5.1: STREAM_CLOSED, of the stream or of the connection."""
    for act in (lambda c, s: c.data(s, b"x"),
                lambda c, s: c.send_frame(HEADERS, 5, s, block(c))):
        with H2Client(proxy.port) as client:
            stream = client.request(end=False, method="POST")
            client.data(stream, b"", end=True)
            act(client, stream)
            client.send_frame(PING, 0, 0, b"12345678")
            try:
                client.read_until(lambda: client.goaway or client.pongs)
            except EOFError:
                pass
            codes = [f.code for f in client.frames if f.kind in (GOAWAY, RST_STREAM)]
            assert not codes or set(codes) <= {STREAM_CLOSED, NO_ERROR}, codes


def test_a_lower_number_than_one_before_is_never_served(start, origin):
    """5.1, 5.1.1: up to the last stream that we have reset it may be a late frame, and no error at
    once."""
    server = origin()
    proxy = start(settings(server.url))
    with H2Client(proxy.port) as client:
        for _ in range(3):
            assert client.get().text == "hello"
        refused(client)
        client.send_frame(HEADERS, 5, 3, block(client))
        client.ping()
        assert client.get().text == "hello"
        assert len([r for r in server.requests if r.method == "GET"]) == 4
        flood_of(client, frame(HEADERS, 5, 3, b"\x82"), 500)
        goaway = client.read_to_end()
        assert goaway is None or goaway.code == ENHANCE_YOUR_CALM


# --- malformed messages (8.1.1): 400, or RST_STREAM with PROTOCOL_ERROR ---

MALFORMED = [
    ("8.2.1", "an upper-case name", GET + [("X-One", "1")], 400),
    ("8.2.1", "an empty name", GET + [("", "1")], 400),
    ("8.2.1", "a name with a space", GET + [("a b", "1")], 400),
    ("8.2.1", "a name with a colon", GET + [("a:b", "1")], 400),
    ("8.2.1", "a name with DEL", GET + [(b"a\x7f", b"1")], 400),
    ("8.2.1", "a name beyond ASCII", GET + [(b"a\x80", b"1")], 400),
    ("8.2.1", "a name with NUL", GET + [(b"a\0", b"1")], 400),
    ("8.2.1", "a value with CR LF", GET + [("x", "1\r\ny: 2")], 400),
    ("8.2.1", "a value with NUL", GET + [("x", "1\x002")], 400),
    ("8.2.1", "a value that begins with a space", GET + [("x", " 1")], 400),
    ("8.2.1", "a value that ends with a tab", GET + [("x", "1\t")], 400),
    ("8.2.1", "a path with CR LF", GET[:3] + [(":path", "/ HTTP/1.1\r\nx: y")], 400),
    ("8.2.2", "Connection", GET + [("connection", "close")], 400),
    ("8.2.2", "Transfer-Encoding", GET + [("transfer-encoding", "chunked")], 400),
    ("8.2.2", "Keep-Alive", GET + [("keep-alive", "1")], 400),
    ("8.2.2", "Proxy-Connection", GET + [("proxy-connection", "1")], 400),
    ("8.2.2", "Upgrade", GET + [("upgrade", "h2c")], 400),
    ("8.2.2", "TE with more than trailers", GET + [("te", "gzip")], 400),
    ("8.3", "a pseudo-header behind a field", GET[:3] + [("x", "1"), GET[3]], 400),
    ("8.3", "an unknown pseudo-header", GET + [(":own", "1")], 400),
    ("8.3", "one of answers", GET + [(":status", "200")], 400),
    ("8.3.1", "a pseudo-header twice", GET + [(":path", "/")], 400),
    ("8.3.1", "no method", GET[1:], 400),
    ("8.3.1", "no scheme", GET[:1] + GET[2:], 400),
    ("8.3.1", "no path", GET[:3], 400),
    ("8.3.1", "an empty path", GET[:3] + [(":path", "")], 400),
    ("8.3.1", "a path without a slash", GET[:3] + [(":path", "x")], 400),
    ("8.3.1", "a whole URL as path", GET[:3] + [(":path", "http://b.example/")], 400),
    ("8.3.1", "neither authority nor host", GET[:2] + GET[3:], 400),
    ("8.3.1", "a host that differs", GET + [("host", "b.example")], 400),
    ("8.3.1", "userinfo in the authority", GET[:2] + [(":authority", "u@a.example"), GET[3]], 400),
    ("8.5", "CONNECT", [(":method", "CONNECT"), (":authority", "a.example:443")], 405),
    ("8.5", "CONNECT with a path", [(":method", "CONNECT")] + GET[1:], 400),
    ("10.5.1", "more fields than allowed", GET + [("x", "1")] * 200, 431),
    ("10.5.1", "a head larger than allowed", GET + [("x", "1" * 3000)] * 25, 431),
    ("8.1.1", "a length that isn't a number", GET + [("content-length", "x")], 400),
    ("8.1.1", "two lengths", GET + [("content-length", "0"), ("content-length", "0")], 400),
    ("8.1.1", "a length without DATA", GET + [("content-length", "5")], 400),
]


@pytest.mark.parametrize("section,what,fields,status", MALFORMED,
                         ids=[f"{s} {w}" for s, w, *_ in MALFORMED])
def test_a_malformed_request_is_refused(start, origin, section, what, fields, status):
    """S3-12: what can't be said in HTTP/1.1 isn't made up there."""
    server = origin()
    proxy = start(settings(server.url))
    with H2Client(proxy.port) as client:
        data = client.encoder.encode(fields)
        flags = END_STREAM
        while len(data) > 16000:
            client.send_frame(HEADERS if flags else CONTINUATION, flags, 1, data[:16000])
            data, flags = data[16000:], 0
        client.send_frame(CONTINUATION if flags == 0 else HEADERS, flags | END_HEADERS, 1, data)
        client.next_stream = 3
        assert client.answer(1).status == status, (section, what)
        assert server.requests == []
        assert client.get().text == "hello"


def test_a_length_that_differs_from_data(start, origin):
    """S3-12, 8.1.1: RST_STREAM, and the server gets no whole request."""
    whole = []
    server = origin(lambda request, conn: whole.append(request) or "ok")
    proxy = start(settings(server.url))
    for body, end in ((b"12345678901", False), (b"123", True), (b"12345678901", True)):
        with H2Client(proxy.port) as client:
            stream = client.request(method="POST", end=False, more=[("content-length", "10")])
            client.data(stream, body, end)
            assert client.answer(stream).reset == PROTOCOL_ERROR
            assert client.get(path="/next").text == "ok"
    assert [r.target for r in whole] == ["/next"] * 3


@pytest.mark.parametrize("fields,flags", [
    ([(":path", "/x")], 5), ([("content-length", "1")], 5), ([("host", "b.example")], 5),
    ([("X-Upper", "1")], 5), ([("transfer-encoding", "chunked")], 5), ([("x", "1")], 4)])
def test_malformed_trailers_are_a_stream_error(proxy, fields, flags):
    """8.1: no pseudo-headers, END_STREAM."""
    with H2Client(proxy.port) as client:
        stream = client.request(method="POST", end=False)
        client.data(stream, b"abc")
        client.send_frame(HEADERS, flags, stream, client.encoder.encode(fields))
        assert client.answer(stream).reset == PROTOCOL_ERROR
        assert client.get().text == "hello"


# --- what has to be understood, or let pass ---

def test_what_is_unknown_is_ignored(proxy):
    """4.1, 5.5, 6.5.2, 5.3.2: unknown frames, flags and settings; priority signals of old."""
    with H2Client(proxy.port, settings={0xfafa: 1}) as client:
        client.send_frame(0xfa, 0xff, 0, b"x" * 50)
        client.send_frame(0xfb, 0, 7, b"")
        client.send_frame(PRIORITY, 0, 9, b"\0\0\0\0\x10")
        client.send_frame(HEADERS, 5 | 0x20 | 0x80, 1, b"\0\0\0\3\xff" + block(client))
        client.next_stream = 3
        assert client.answer(1).text == "hello"
        client.send_frame(PRIORITY_UPDATE, 0, 0, struct.pack(">I", 3) + b"u=0")
        assert client.get(more=[("priority", "u=1, i")]).text == "hello"


def test_padding_and_continuations(proxy):
    """6.1, 6.2, 6.10."""
    with H2Client(proxy.port) as client:
        data = block(client, [(":method", "POST")] + GET[1:])
        client.send_frame(HEADERS, PADDED, 1, b"\3" + data[:4] + b"\0\0\0")
        client.send_frame(CONTINUATION, 0, 1, data[4:9])
        client.send_frame(CONTINUATION, 0, 1, b"")
        client.send_frame(CONTINUATION, END_HEADERS, 1, data[9:])
        client.send_frame(DATA, PADDED, 1, b"\5abc" + b"\0" * 5)
        client.send_frame(DATA, PADDED | END_STREAM, 1, b"\0")
        client.next_stream = 3
        assert client.answer(1).text == "hello"


def test_settings_and_pings_are_answered(proxy):
    """6.5.3, 6.7: in order, with the same bytes."""
    with H2Client(proxy.port) as client:
        client.ping(b"abcdefgh")
        assert client.pongs == [b"abcdefgh"]
        assert [f.flags for f in client.frames if f.kind == SETTINGS] == [0, ACK]


def test_windows_of_the_client_are_kept(start, origin):
    """6.9: not one byte more than the windows of stream and connection; also after they shrink."""
    proxy = start(settings(origin(lambda request, conn: "x" * 1000).url))
    with H2Client(proxy.port, settings={INITIAL_WINDOW_SIZE: 10}) as client:
        client.returns_windows = False
        stream = client.request()
        client.read_until(lambda: stream in client.answers and len(client.answers[stream].body) >= 10)
        client.ping()
        assert len(client.answers[stream].body) == 10
        client.send_frame(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW_SIZE, 0))
        client.window(stream, 15)  # it is at -10
        client.read_until(lambda: len(client.answers[stream].body) >= 15)
        client.ping()
        assert len(client.answers[stream].body) == 15
        client.window(stream, 10000)
        assert len(client.answer(stream).body) == 1000


def test_too_many_streams_are_refused(start, origin):
    """5.1.2: an error of the stream, or of the connection, when the limit has been acknowledged."""
    server = origin(lambda request, conn: conn.sock.recv(1))
    proxy = start(settings(server.url, entry=", http2-streams-max: 5"))
    with H2Client(proxy.port) as client:
        client.read_until(lambda: client.settings is not None)
        assert client.settings[3] == 5
        streams = [client.request(f"/{i}") for i in range(5)]
        client.ping()
        assert not client.answers
        late = client.request("/late")
        try:
            assert client.answer(late).reset == REFUSED_STREAM
        except EOFError:
            assert client.goaway.code == PROTOCOL_ERROR and client.goaway.last_stream == streams[-1]
    assert not [r for r in server.requests if r.target == "/late"]


# --- floods (10.5): GOAWAY with ENHANCE_YOUR_CALM, and a counter ---

def flood_of(client, piece, n):
    try:
        for _ in range(n):
            client.send(piece)
    except OSError:
        pass


FLOODS = [
    ("pings", frame(PING, 0, 0, b"12345678"), "h2-flood"),
    ("settings", frame(SETTINGS), "h2-flood"),
    ("empty DATA", frame(DATA, 0, 1), "h2-flood"),
    ("padding alone", frame(DATA, PADDED, 1, b"\3\0\0\0"), "h2-flood"),
    ("PRIORITY", frame(PRIORITY, 0, 9, b"\0\0\0\0\x10"), "h2-flood"),
    ("PRIORITY_UPDATE", frame(PRIORITY_UPDATE, 0, 0, struct.pack(">I", 1) + b"u=1"), "h2-flood"),
    ("WINDOW_UPDATE", frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", 1)), "h2-flood"),
]


@pytest.mark.parametrize("what,piece,reason", FLOODS, ids=[w for w, *_ in FLOODS])
def test_a_flood_ends_the_connection(proxy, what, piece, reason):
    with H2Client(proxy.port) as client:
        open_stream(client)
        flood_of(client, piece * 50, 100)
        goaway = client.read_to_end()
        assert goaway is None or goaway.code == ENHANCE_YOUR_CALM
    assert refusals(proxy)[reason] == 1


def test_a_rapid_reset_ends_the_connection(start, origin):
    """CVE-2023-44487: requests that are given up at once; few of them reach a server."""
    server = origin()
    proxy = start(settings(server.url))
    with H2Client(proxy.port) as client:
        try:
            for _ in range(1000):
                client.reset(client.request())
        except OSError:
            pass
        goaway = client.read_to_end()
        assert goaway is None or goaway.code == ENHANCE_YOUR_CALM
    assert refusals(proxy)["h2-resets"] == 1


def test_resets_that_the_client_makes_us_send_count_too(start, origin):
    """CVE-2025-8671: errors of streams, one after the other."""
    proxy = start(settings(origin(lambda request, conn: conn.sock.recv(1)).url))
    with H2Client(proxy.port) as client:
        try:
            for _ in range(1000):
                client.data(client.request(method="POST", end=False, more=[("content-length", "1")]),
                            b"xx")
        except OSError:
            pass
        goaway = client.read_to_end()
        assert goaway is None or goaway.code == ENHANCE_YOUR_CALM


def test_a_continuation_flood_ends_the_connection(proxy):
    """CVE-2024-27316."""
    with H2Client(proxy.port) as client:
        client.send_frame(HEADERS, 1, 1, block(client))
        flood_of(client, frame(CONTINUATION, 0, 1, b""), 1000)
        goaway = client.read_to_end()
        assert goaway is None or goaway.code in (ENHANCE_YOUR_CALM, PROTOCOL_ERROR, INTERNAL_ERROR)


def test_a_header_bomb_ends_the_connection(proxy):
    """10.5.1: one field of the table, referred to again and again."""
    with H2Client(proxy.port) as client:
        data = block(client) + b"\x40\x01x" + b"\x7f\xc1\x1e" + b"a" * 4032 + b"\xbe" * 8000
        client.send_frame(HEADERS, 5, 1, data)
        goaway = client.read_to_end()
        assert goaway is None or goaway.code == ENHANCE_YOUR_CALM
    assert refusals(proxy)["h2-header-bomb"] == 1


def test_slow_heads_and_prefaces_end_the_connection(start, origin):
    """head-timeout holds for the preface and for each field section."""
    ca = "entrypoints:\n  web: { listen: '127.0.0.1:0', h2c: yes, head-timeout: 300ms }\n" \
        f"sites:\n  test.example: '{origin().url}'\n"
    proxy = start(ca)
    with H2Client(proxy.port, greet=False) as client:
        client.send(PREFACE)
        assert client.read_to_end().code == ENHANCE_YOUR_CALM
    with H2Client(proxy.port) as client:
        client.ping()
        client.send_frame(HEADERS, 1, 1, block(client))
        assert client.read_to_end().code == ENHANCE_YOUR_CALM
    refused = refusals(proxy)
    assert refused["h2-preface"] == 1 and refused["h2-slow-head"] == 1
