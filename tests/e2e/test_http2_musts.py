# SPDX-License-Identifier: Apache-2.0
"""What RFC 9113 says that a server or an intermediary MUST bear, or MUST NOT do, where a peer that is
in the right sees it. Refusals are in test_http2_frames.py and test_h2_hostile_servers.py; the page
docs/internals/http2-musts.md has them all. What no server may ever send is checked by H2Client for
each frame."""
import struct

import pytest

from h2_origin import H2Origin
from harness import Origin, Proxy
from http2 import (ACK, DATA, HEADERS, INITIAL_WINDOW_SIZE, PING, PROTOCOL_ERROR, RST_STREAM, SETTINGS,
                   H2Client, frame)
from https import context
from test_http2 import settings

HEADER_TABLE_SIZE = 1
GET = [(":method", "GET"), (":scheme", "http"), (":authority", "test.example"), (":path", "/")]


def answer(request, conn):
    if request.target == "/large":
        return "big"
    if request.target == "/hop":
        conn.send("HTTP/1.1 200 OK\r\nConnection: x-hop, keep-alive\r\nKeep-Alive: timeout=5\r\n"
                  "X-Hop: secret\r\nUpgrade: h2c\r\nX-Stays: 1\r\nContent-Length: 2\r\n\r\nok")
        return None
    if request.target == "/fields":
        fields = "".join(f"X-{i}: {str(i) * 4000}\r\n" for i in range(10))
        conn.send(f"HTTP/1.1 200 OK\r\n{fields}Content-Length: 2\r\n\r\nok")
        return None
    return "hello"


@pytest.fixture(scope="module")
def origin_1():
    server = Origin(answer)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory, origin_1):
    made = Proxy(tmp_path_factory.mktemp("musts"), settings(origin_1.url))
    yield made
    made.stop()


def test_a_frame_of_full_size_and_the_reserved_bit(proxy, origin_1):
    """4.1, 4.2: 2^14 bytes are taken; the reserved bit is ignored."""
    with H2Client(proxy.port) as client:
        stream = client.request(method="POST", path="/full", end=False)
        client.send(frame(DATA, 0, stream | 1 << 31, b"x" * 16384))
        client.data(stream, b"", end=True)
        assert client.answer(stream).text == "hello"
    sent = [r for r in origin_1.requests if r.target == "/full"]
    assert len(sent) == 1 and len(sent[0].body) == 16384


def test_large_heads_go_on_in_continuations(proxy):
    """4.3, 6.10: nothing comes between; H2Client checks it."""
    with H2Client(proxy.port) as client:
        got = client.get("/fields")
        assert got.get("x-9") == "9" * 4000 and got.text == "ok"


def test_a_smaller_table_is_obeyed(proxy):
    """4.3.1, 6.5.3: the first block behind our ACK begins with an update of the table's size."""
    with H2Client(proxy.port) as client:
        assert client.get().text == "hello"
        acks = [f for f in client.frames if f.kind == SETTINGS and f.flags & ACK]
        client.send_frame(SETTINGS, 0, 0, struct.pack(">HI", HEADER_TABLE_SIZE, 0))
        client.read_until(lambda: len([f for f in client.frames
                                       if f.kind == SETTINGS and f.flags & ACK]) > len(acks))
        client.decoder.max_allowed_table_size = 0  # it raises for a block that doesn't obey
        for _ in range(3):
            assert client.get().text == "hello"


def test_settings_count_in_their_order(proxy):
    """6.5, 6.5.3: the last value of a frame is the one, and it counts once it was acknowledged."""
    sizes = struct.pack(">HIHI", INITIAL_WINDOW_SIZE, 100, INITIAL_WINDOW_SIZE, 3)
    with H2Client(proxy.port) as client:
        client.returns_windows = False
        client.send_frame(SETTINGS, 0, 0, sizes)
        stream = client.request()
        client.read_until(lambda: stream in client.answers and len(client.answers[stream].body) >= 3)
        client.ping()
        assert client.answers[stream].text == "hel"
        client.window(stream, 2)
        assert client.answer(stream).text == "hello"


def test_an_answer_to_a_ping_isnt_answered(proxy):
    """6.7."""
    with H2Client(proxy.port) as client:
        client.send_frame(PING, ACK, 0, b"unasked!")
        client.ping(b"12345678")
        assert client.pongs == [b"12345678"]


def test_resets_are_not_answered_and_end_the_stream(proxy):
    """5.4.2, 6.4, 7: no RST_STREAM for one, no frame behind it, whatever its code."""
    with H2Client(proxy.port) as client:
        for code in (0, 8, 0xfefe, 0xffffffff):
            stream = client.request(method="POST", end=False)
            client.ping()
            client.reset(stream, code)
            client.ping()
            assert stream not in [f.stream for f in client.frames]
        assert client.get().text == "hello"


def test_late_frames_of_a_stream_that_was_reset(proxy):
    """5.1, 5.4.2, 6.8, 6.9: they change the connection's state and nothing else. More DATA than the
    connection's window comes, and a field block that what follows refers to."""
    with H2Client(proxy.port) as client:
        stream = client.request(method="POST", end=False, more=[("content-length", "1")])
        client.data(stream, b"12345")
        assert client.answer(stream).reset == PROTOCOL_ERROR
        for _ in range(80):
            client.data(stream, b"x" * 16000)
            client.ping()
        client.window(stream, 10)
        late = client.encoder.encode([("x-late", "v" * 50)])
        client.send_frame(HEADERS, 5, stream, late)
        assert client.get(more=[("x-late", "v" * 50)]).text == "hello"
        given = sum(struct.unpack(">I", f.body)[0] for f in client.frames
                    if f.kind == 8 and f.stream == 0)
        assert given > 80 * 16000 / 2
        assert [f.stream for f in client.frames if f.kind == RST_STREAM] == [stream]


def test_windows_may_come_behind_the_end(proxy):
    """6.9: WINDOW_UPDATE for a stream that is half-closed or closed is no error."""
    with H2Client(proxy.port) as client:
        stream = client.request()
        client.window(stream, 1)
        assert client.answer(stream).text == "hello"
        client.window(stream, 1)
        assert client.get().text == "hello" and client.goaway is None


def test_fields_of_the_hop_stay_behind(proxy):
    """8.2.2, 10.3: also those that Connection names; H2Client checks each answer."""
    with H2Client(proxy.port) as client:
        got = client.get("/hop")
        assert got.text == "ok" and got.get("x-stays") == "1" and got.get("x-hop") is None


@pytest.mark.parametrize("authority,host", [
    ("test.example:80", "test.example"), ("test.example", "TEST.example:80"),
    ("test.example:", "test.example")])
def test_hosts_are_compared_as_the_scheme_says(proxy, authority, host):
    """8.3.1: normalised by scheme; :authority is the one that counts."""
    with H2Client(proxy.port) as client:
        fields = GET[:2] + [(":authority", authority), GET[3], ("host", host)]
        assert client.answer(client.request(fields=fields)).text == "hello"


def test_over_tls_h2c_is_never_chosen(start, origin_1):
    """3.2."""
    made = start("entrypoints:\n  websecure: { listen: '127.0.0.1:0', tls: on }\n"
                 f"sites:\n  a.example: '{origin_1.url}'\n")
    for offered, chosen in ((["h2c"], None), (["h2c", "http/1.1"], "http/1.1"), (["h2c", "h2"], "h2")):
        tls = context()
        tls.set_alpn_protocols(offered)
        with made.connect() as client:
            try:
                sock = tls.wrap_socket(client.sock, server_hostname="a.example")
            except OSError:  # refused: none of them is ours
                assert chosen is None
                continue
            assert sock.selected_alpn_protocol() == chosen
            sock.close()


def test_a_request_without_authority_gets_none(start):
    """8.3.1: HTTP/1.0 may come without Host."""
    server = H2Origin(lambda stream: stream.answer(b"ok"))
    made = start(f"""
services: {{ app: {{ servers: ["{server.url}"] }} }}
routes: [ {{ match: "PathPrefix(`/`)", to: app }} ]
""")
    with made.connect() as client:
        client.send("GET / HTTP/1.0\r\n\r\n")
        got = client.read_answer()
    server.stop()
    assert got.status == 200
    assert ":authority" not in dict(server.next_request().fields)
