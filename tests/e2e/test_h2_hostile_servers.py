# SPDX-License-Identifier: Apache-2.0
"""Servers that break HTTP/2, each rule of RFC 9113 that a client has to enforce by its section: the
client gets a neutral page or a cut answer, the log has the reason, and the proxy serves on."""
import re

import pytest

from h2_origin import H2Origin, frame
from harness import PATIENCE, Proxy, memory_kb

LOG = "access-log: { format: '{path} {status} {end} {end-detail}' }"
GET = "GET {} HTTP/1.1\r\nHost: test.example\r\n\r\n"
DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED = 1, 4, 8
OK = b"\x88"  # :status: 200, indexed


def number(n):
    return n.to_bytes(4, "big")


def literal(name, value):
    """A field that HPACK takes as it stands, however wrong it is."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def head(stream, block, flags=END_HEADERS | END_STREAM):
    stream.conn.raw(frame(HEADERS, flags, stream.id, block))


# What a server sends to a GET of a connection's only stream, by section; status, end and reason that
# the log has.
MALFORMED = {
    # messages: the stream alone suffers
    "8.2.1 upper case in a name": (lambda s: head(s, OK + literal(b"X-Upper", b"v")), "field-name"),
    "8.2.1 space in a name": (lambda s: head(s, OK + literal(b"a b", b"v")), "field-name"),
    "8.2.1 colon in a name": (lambda s: head(s, OK + literal(b"a:b", b"v")), "field-name"),
    "8.2.1 empty name": (lambda s: head(s, OK + literal(b"", b"v")), "field-name"),
    "8.2.1 NUL in a value": (lambda s: head(s, OK + literal(b"a", b"v\0")), "field-value"),
    "8.2.1 CR in a value": (lambda s: head(s, OK + literal(b"a", b"v\rw")), "field-value"),
    "8.2.1 LF in a value": (lambda s: head(s, OK + literal(b"a", b"v\nSet-Cookie: x")), "field-value"),
    "8.2.1 space around a value": (lambda s: head(s, OK + literal(b"a", b" v")), "field-space"),
    "8.2.2 connection": (lambda s: head(s, OK + literal(b"connection", b"close")),
                         "connection-field"),
    "8.2.2 transfer-encoding": (lambda s: head(s, OK + literal(b"transfer-encoding", b"chunked")),
                                "connection-field"),
    "8.2.2 upgrade": (lambda s: head(s, OK + literal(b"upgrade", b"h2c")), "connection-field"),
    "8.3 unknown pseudo-header": (lambda s: head(s, OK + literal(b":reason", b"OK")), "pseudo"),
    "8.3 a request's pseudo-header": (lambda s: head(s, OK + literal(b":path", b"/")), "pseudo"),
    "8.3 pseudo-header behind a field": (lambda s: head(s, literal(b"a", b"b") + OK),
                                         "pseudo-order"),
    "8.3.2 no status": (lambda s: head(s, literal(b"a", b"b")), "pseudo-missing"),
    "8.3.2 two": (lambda s: head(s, OK + OK), "pseudo-twice"),
    "8.3.2 letters": (lambda s: head(s, literal(b":status", b"abc")), "status"),
    "8.6 status 101": (lambda s: head(s, literal(b":status", b"101")), "status"),
    "8.1 interim answer that ends": (lambda s: head(s, literal(b":status", b"103")),
                                     "interim-end"),
    "8.1.1 two lengths": (lambda s: head(s, OK + literal(b"content-length", b"1") * 2),
                          "length-form"),
    "8.1.1 a length that is none": (lambda s: head(s, OK + literal(b"content-length", b"+1")),
                                    "length-form"),
    "8.1.1 a length without DATA": (lambda s: head(s, OK + literal(b"content-length", b"5")),
                                    "length-differs"),
    "8.1 DATA before the head": (lambda s: s.conn.raw(frame(DATA, 0, s.id, b"x")), ""),
    "10.5.1 a head that is too large": (
        lambda s: s.send_fields([(":status", "200"), *((f"x{i}", "v" * 1000) for i in range(100))],
                                end=True), "head-length"),
    "10.5.1 too many fields": (
        lambda s: s.send_fields([(":status", "200"), *((f"x{i}", "v") for i in range(300))],
                                end=True), "field-count"),
    "15.2 too many interim answers": (
        lambda s: [s.head(103) for _ in range(40)], "interim-count"),
    # the connection ends
    "4.1 a frame that is too large": (
        lambda s: s.conn.raw(frame(DATA, 0, s.id, b"x" * 16385)), "frames"),
    "4.3 HPACK that can't be decoded": (lambda s: head(s, b"\xff\xff\xff\xff\xff\xff"), "frames"),
    "5.1 DATA on an idle stream": (
        lambda s: s.conn.raw(frame(DATA, 0, 99, b"x")), "frames"),
    "5.1 a head on an idle stream": (
        lambda s: s.conn.raw(frame(HEADERS, END_HEADERS, 99, OK)), "frames"),
    "5.1.1 a stream of the server's": (
        lambda s: s.conn.raw(frame(HEADERS, END_HEADERS, 2, OK)), "frames"),
    "6.1 DATA on stream 0": (lambda s: s.conn.raw(frame(DATA, 0, 0, b"x")), "frames"),
    "6.1 padding longer than the frame": (
        lambda s: s.conn.raw(frame(HEADERS, END_HEADERS, s.id, OK)
                             + frame(DATA, PADDED, s.id, b"\x10x")), "frames"),
    "6.2 a head on stream 0": (lambda s: s.conn.raw(frame(HEADERS, END_HEADERS, 0, OK)), "frames"),
    "6.4 RST_STREAM of an idle stream": (
        lambda s: s.conn.raw(frame(RST, 0, 99, number(8))), "frames"),
    "6.4 RST_STREAM of another length": (
        lambda s: s.conn.raw(frame(RST, 0, s.id, b"123")), "frames"),
    "6.5 SETTINGS on a stream": (lambda s: s.conn.raw(frame(SETTINGS, 0, s.id)), "frames"),
    "6.5 SETTINGS of another length": (
        lambda s: s.conn.raw(frame(SETTINGS, 0, 0, b"12345")), "frames"),
    "6.5 an acknowledgement with content": (
        lambda s: s.conn.raw(frame(SETTINGS, 1, 0, b"123456")), "frames"),
    "6.5.2 a window beyond 2^31": (lambda s: s.conn.settings(window=1 << 31), "frames"),
    "6.5.2 frames above 2^24-1": (lambda s: s.conn.settings(frame=1 << 24), "frames"),
    "6.5.2 a server that enables push": (lambda s: s.conn.settings(push=1), "frames"),
    "5.5 an unknown frame within a head": (
        lambda s: s.conn.raw(frame(HEADERS, 0, s.id, OK) + frame(0xbe, 0, 0)), "frames"),
    "6.5.2 frames below 16384": (lambda s: s.conn.settings(frame=100), "frames"),
    "6.6 PUSH_PROMISE": (
        lambda s: s.conn.raw(frame(PUSH, END_HEADERS, s.id, number(2) + OK)), "frames"),
    "6.7 PING on a stream": (lambda s: s.conn.raw(frame(PING, 0, s.id, b"12345678")), "frames"),
    "6.7 PING of another length": (lambda s: s.conn.raw(frame(PING, 0, 0, b"123")), "frames"),
    "6.8 GOAWAY on a stream": (
        lambda s: s.conn.raw(frame(GOAWAY, 0, s.id, number(0) * 2)), "frames"),
    "6.9 a window of 0": (lambda s: s.conn.raw(frame(WINDOW, 0, 0, number(0))), "frames"),
    "6.9.1 a window beyond 2^31": (
        lambda s: s.conn.raw(frame(WINDOW, 0, 0, number((1 << 31) - 1)) * 2), "frames"),
    "6.9.2 SETTINGS that make a window too large": (
        lambda s: (s.conn.raw(frame(WINDOW, 0, s.id, number(0x7fff0000))),
                   s.conn.settings(window=0x7fffffff)), "frames"),
    "6.10 CONTINUATION without a head": (
        lambda s: s.conn.raw(frame(CONTINUATION, END_HEADERS, s.id, OK)), "frames"),
    "6.10 another frame within a head": (
        lambda s: s.conn.raw(frame(HEADERS, 0, s.id, OK) + frame(PING, 0, 0, b"12345678")),
        "frames"),
    # floods
    "10.5 PING": (lambda s: s.conn.raw(frame(PING, 0, 0, b"12345678") * 4000), "flood"),
    "10.5 SETTINGS": (lambda s: s.conn.raw(frame(SETTINGS, 0, 0) * 4000), "flood"),
    "10.5 acknowledgements": (lambda s: s.conn.raw(frame(PING, 1, 0, b"12345678") * 4000), "flood"),
    "10.5 PRIORITY": (lambda s: s.conn.raw(frame(PRIORITY, 0, s.id, b"12345") * 4000), "flood"),
    "10.5 windows": (lambda s: s.conn.raw(frame(WINDOW, 0, 0, number(1)) * 4000), "flood"),
    "10.5 unknown frames": (lambda s: s.conn.raw(frame(0xbe, 0, 0, b"x" * 100) * 4000), "flood"),
    "10.5 empty DATA": (
        lambda s: s.conn.raw(frame(HEADERS, END_HEADERS, s.id, OK)
                             + frame(DATA, 0, s.id) * 4000), "flood"),
    "10.5 padding alone": (
        lambda s: s.conn.raw(frame(HEADERS, END_HEADERS, s.id, OK)
                             + frame(PRIORITY, 0, s.id, b"12345") * 4000), "flood"),
    "6.10 endless CONTINUATION": (
        lambda s: s.conn.raw(frame(HEADERS, 0, s.id, OK)
                             + frame(CONTINUATION, 0, s.id, literal(b"a", b"b")) * 4000), ""),
    "10.5.1 a small block that becomes a large head": (
        lambda s: head(s, OK + b"\x40\x01a\x7f\x81\x1e" + b"v" * 4000 + b"\xbe" * 15000), ""),
}


def refusals(proxy):
    """Counters of refused answers, by reason."""
    return proxy.ask(command="status")["status"]["report"]["refused_answers"]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A proxy before a server that does what its test says, and answers /fine."""
    def handler(stream):
        if stream.path == "/fine":
            stream.answer(b"fine")
        else:
            server.says(stream)

    server = H2Origin(handler)
    proxy = Proxy(tmp_path_factory.mktemp("h2"), f"""
services: {{ app: {{ servers: ["{server.url}"], answer-timeout: 20s }} }}
routes: [ {{ match: "PathPrefix(`/`)", to: app }} ]
{LOG}
""")
    yield proxy, server
    proxy.stop()
    server.stop()


@pytest.mark.parametrize("case", MALFORMED)
def test_what_breaks_the_protocol_is_refused(pair, case):
    proxy, server = pair
    server.says, reason = MALFORMED[case]
    before = refusals(proxy)
    path = "/" + re.sub("[^a-z0-9]", "-", case.lower())
    with proxy.connect() as client:
        client.send(GET.format(path))
        while (status := client.read_head().status) == 103:
            pass
        if status == 200:  # the head was fine: then the body is cut
            assert not client.read_to_end().endswith(b"0\r\n\r\n")
    assert status in (200, 502)
    if reason == "frames" and not case.startswith("8.1 "):  # 5.4.1: its connection is closed
        assert server.connections[-1].ended.wait(PATIENCE)
    line = proxy.log_lines(f"^{path} ")[0]
    assert " server-protocol " in line and "RFC 9" in line, line
    if reason:
        after = refusals(proxy)
        assert after.get(f"h2-{reason}", 0) > before.get(f"h2-{reason}", 0), after
    assert proxy.get("/fine").body == b"fine"


AFTER_THE_HEAD = {
    "8.1.1 more DATA than announced": lambda s: s.send(b"123456"),
    "8.1.1 less DATA than announced": lambda s: s.send(b"12", end=True),
    "8.1 trailers that don't end": lambda s: s.send_fields([("a", "b")]),
    "8.1 pseudo-header in trailers": lambda s: s.send_fields([(":status", "200")], end=True),
    "9110 6.5.1 a field that must not be a trailer":
        lambda s: s.send_fields([("content-length", "5")], end=True),
}


@pytest.mark.parametrize("case", AFTER_THE_HEAD)
def test_what_breaks_the_protocol_behind_the_head_cuts_the_answer(pair, case):
    proxy, server = pair

    def says(stream):
        stream.head(200, ("content-length", "5"))
        AFTER_THE_HEAD[case](stream)

    server.says = says
    path = "/" + re.sub("[^a-z0-9]", "-", case.lower())
    with proxy.connect() as client:
        client.send(GET.format(path))
        head_or_page = client.read_head()
        got = client.read_to_end()
    if head_or_page.status == 200:
        assert len(got) < 5
    line = proxy.log_lines(f"^{path} ")[0]
    assert " server-protocol " in line, line
    assert proxy.get("/fine").body == b"fine"


@pytest.mark.parametrize("status", [204, 304])
def test_data_where_no_body_is_allowed_is_never_passed_on(pair, status):
    """RFC 9110 6.4.1."""
    proxy, server = pair

    def says(stream):
        stream.head(status)
        stream.send(b"smuggled", end=True)

    server.says = says
    with proxy.connect() as client:
        for path in ("/nobody", "/fine"):
            answer = client.exchange(GET.format(path))
            assert b"smuggled" not in answer.body
        assert answer.body == b"fine"


@pytest.mark.parametrize("late", [lambda s: s.conn.raw(frame(DATA, 0, s.id, b"smuggled")),
                                  lambda s: head(s, OK + literal(b"x-late", b"smuggled")),
                                  lambda s: head(s, literal(b"x-late", b"smuggled"))],
                         ids=["DATA", "another head", "trailers"])
def test_what_comes_behind_the_end_is_never_passed_on(pair, late):
    """5.1, 6.1."""
    proxy, server = pair

    def says(stream):
        stream.answer(b"all")
        late(stream)

    server.says = says
    with proxy.connect() as client:
        for path, text in (("/ended", b"all"), ("/fine", b"fine"), ("/ended", b"all")):
            answer = client.exchange(GET.format(path))
            assert answer.status == 200 and answer.body == text


def test_a_server_of_http_1_is_refused(start, nginx):
    """RFC 9113 3.4: its preface isn't one."""
    server = nginx()
    proxy = start(f"""
services: {{ app: {{ servers: ["{server.url.replace('http', 'h2c')}"] }} }}
routes: [ {{ match: "PathPrefix(`/`)", to: app }} ]
{LOG}
""")
    assert proxy.get().status == 502
    proxy.log_lines("/ 502 server-(protocol|gone)")


def test_memory_stays_bounded_under_floods(pair):
    proxy, server = pair

    def says(stream):
        stream.head(200)
        for _ in range(200):
            stream.conn.raw(frame(PING, 0, 0, b"12345678") * 100)

    server.says = says
    pid = proxy.gate_pid()
    assert proxy.get("/fine").status == 200
    before = memory_kb(pid)
    for _ in range(10):
        with proxy.connect() as client:
            client.send(GET.format("/flood"))
            client.read_to_end()
    assert proxy.get("/fine").status == 200
    assert memory_kb(pid) < before + 20000
