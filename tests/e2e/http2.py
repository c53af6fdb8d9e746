# SPDX-License-Identifier: Apache-2.0
"""A client of HTTP/2 that sends whatever frames it is told to, and reads strictly. Fields are coded
by python3-hpack; all else is written here, because a library would not break the rules."""
import socket
import struct

import hpack
from harness import PATIENCE
from https import context

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, \
    CONTINUATION = range(10)
PRIORITY_UPDATE = 0x10
END_STREAM = ACK = 0x1
END_HEADERS, PADDED = 0x4, 0x8
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, \
    FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, \
    ENHANCE_YOUR_CALM = range(12)
MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = 3, 4, 5, 6
ENABLE_CONNECT_PROTOCOL = 8
FLAGS = {DATA: END_STREAM | PADDED, HEADERS: END_STREAM | END_HEADERS | PADDED | 0x20, SETTINGS: ACK,
         PUSH_PROMISE: END_HEADERS | PADDED, PING: ACK, CONTINUATION: END_HEADERS}
HOP = {"connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade", "te"}


class Frame:
    def __init__(self, kind, flags, stream, body):
        self.kind, self.flags, self.stream, self.body = kind, flags, stream, body

    def __repr__(self):
        return f"<{self.kind} flags={self.flags} stream={self.stream} {self.body[:40]!r}>"

    @property
    def code(self):
        """The error of a RST_STREAM or GOAWAY."""
        return struct.unpack(">I", self.body[4:8] if self.kind == GOAWAY else self.body[:4])[0]

    @property
    def last_stream(self):
        return struct.unpack(">I", self.body[:4])[0] & 0x7fffffff


class Answer:
    def __init__(self):
        self.headers, self.interim, self.trailers = [], [], []
        self.body = bytearray()  # grows in its place: bodies have many frames
        self.reset, self.is_whole, self.ends = None, False, False

    def get(self, name):
        return dict(self.headers).get(name)

    @property
    def status(self):
        return int(self.get(":status"))

    @property
    def text(self):
        return self.body.decode("latin-1")


def frame(kind, flags=0, stream=0, body=b""):
    return (struct.pack(">I", len(body))[1:] + bytes([kind, flags])
            + struct.pack(">I", stream) + body)


class H2Client:
    """name: over TLS, for this server name. settings: {number: value}. preface: sent first. source: its
    address."""

    def __init__(self, port, name=None, settings=None, preface=PREFACE, greet=True, made=None,
                 source="127.0.0.1"):
        self.sock = socket.create_connection(("127.0.0.1", port), PATIENCE, (source, 0))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if name:
            made = made or context()
            made.set_alpn_protocols(["h2"])
            self.sock = made.wrap_socket(self.sock, server_hostname=name)
            assert self.sock.selected_alpn_protocol() == "h2"
        self.buffer, self.at, self.frames = b"", 0, []
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.answers, self.goaway, self.settings, self.pongs = {}, None, None, []
        self.next_stream, self.returns_windows, self.greets = 1, True, greet
        self.block = b""  # what came of a field block that goes on
        if greet:
            body = b"".join(struct.pack(">HI", *pair) for pair in (settings or {}).items())
            self.send(preface + frame(SETTINGS, 0, 0, body))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def send_frame(self, kind, flags=0, stream=0, body=b""):
        self.send(frame(kind, flags, stream, body))

    def fields(self, path="/", host="test.example", method="GET", scheme="http", more=()):
        return [(":method", method), (":scheme", scheme), (":authority", host), (":path", path),
                *more]

    def request(self, *args, end=True, fields=None, **kwargs):
        """Sends a head; the stream's number."""
        stream = self.next_stream
        self.next_stream += 2
        block = self.encoder.encode(fields if fields is not None else self.fields(*args, **kwargs))
        flags = END_HEADERS | (END_STREAM if end else 0)
        self.send_frame(HEADERS, flags, stream, block)
        return stream

    def data(self, stream, body, end=False):
        self.send_frame(DATA, END_STREAM if end else 0, stream, body)

    def window(self, stream, n):
        self.send_frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", n))

    def reset(self, stream, code=CANCEL):
        self.send_frame(RST_STREAM, 0, stream, struct.pack(">I", code))

    def _read(self, n):
        while len(self.buffer) - self.at < n:
            piece = self.sock.recv(65536)
            if not piece:
                raise EOFError("closed")
            self.buffer, self.at = self.buffer[self.at:] + piece, 0
        self.at += n
        return self.buffer[self.at - n:self.at]

    def read_frame(self):
        head = self._read(9)
        body = self._read(int.from_bytes(head[:3], "big"))
        got = Frame(head[3], head[4], int.from_bytes(head[5:], "big"), body)
        self._check(got)
        self.frames.append(got)
        self._take(got)
        return got

    def _check(self, got):
        """What a server MUST NOT send, whatever the test is about (RFC 9113, by section)."""
        assert self.frames or got.kind == SETTINGS, "the first frame must be SETTINGS (3.4)"
        assert len(got.body) <= 16384, "a frame larger than allowed (4.1)"
        assert got.stream < 1 << 31, "the reserved bit is set (4.1)"
        assert got.flags & ~FLAGS.get(got.kind, 0) == 0, f"an unused flag is set (4.1): {got}"
        assert got.kind not in (DATA, HEADERS) or not got.flags & PADDED, "padding (6.1, 6.2)"
        assert got.kind != PUSH_PROMISE, "nobody asked for a push (8.4)"
        assert (got.kind == CONTINUATION) == bool(self.block), "a field block is torn (4.3)"
        assert got.stream == 0 or got.stream % 2 == 1, "a stream of the server's (5.1.1)"
        answer = self.answers.get(got.stream)
        if answer and got.stream and got.kind != PRIORITY:
            assert answer.reset is None, f"a frame behind RST_STREAM (5.1): {got}"
            assert not answer.is_whole or got.kind in (RST_STREAM, WINDOW_UPDATE), "5.1"
        if got.kind == GOAWAY and self.goaway:
            assert got.last_stream <= self.goaway.last_stream, "GOAWAY names more than before (6.8)"
        if got.kind == GOAWAY:
            served = [n for n, a in self.answers.items() if a.headers]
            assert got.last_stream >= max(served, default=0), "GOAWAY leaves out a stream (8.7)"

    def _section(self, answer, fields):
        names = [name for name, _ in fields]
        assert names == [name.lower() for name in names], "upper case (8.2)"
        assert not HOP & set(names), "a connection-specific field (8.2.2)"
        assert not [value for _, value in fields if set(value) & set("\0\r\n")], "8.2.1"
        status = [value for name, value in fields if name == ":status"]
        assert [n for n in names if n.startswith(":")] in ([], [":status"]), "8.3"
        if not status:
            assert answer.headers and not answer.trailers, "no status (8.3.2)"
            answer.trailers = fields
        elif status[0].startswith("1"):
            assert status[0] != "101" and not answer.headers, "8.6"
            answer.interim.append(fields)
        else:
            assert names[0] == ":status" and not answer.headers, "8.3"
            answer.headers = fields

    def _take(self, got):
        answer = self.answers.setdefault(got.stream, Answer()) if got.stream else None
        if got.kind == SETTINGS and not got.flags & ACK:
            self.settings = {n: v for n, v in struct.iter_unpack(">HI", got.body)}
            if self.greets:
                self.send_frame(SETTINGS, ACK)
        elif got.kind in (HEADERS, CONTINUATION):
            self.block += got.body
            if got.flags & END_HEADERS:
                self._section(answer, self.decoder.decode(self.block))
                self.block = b""
        elif got.kind == DATA:
            answer.body += got.body
            if self.returns_windows and got.body:
                self.window(0, len(got.body))
                if not got.flags & END_STREAM:
                    self.window(got.stream, len(got.body))
        elif got.kind == RST_STREAM:
            answer.reset = got.code
        elif got.kind == GOAWAY:
            self.goaway = got
        elif got.kind == PING and got.flags & ACK:
            self.pongs.append(got.body)
        if got.kind in (HEADERS, DATA) and got.flags & END_STREAM:
            answer.ends = True
        if answer and answer.ends and not self.block:
            answer.is_whole = True

    def answer(self, stream):
        """Reads until the stream's end or reset."""
        while True:
            answer = self.answers.get(stream)
            if answer and (answer.is_whole or answer.reset is not None):
                return answer
            self.read_frame()

    def get(self, *args, **kwargs):
        return self.answer(self.request(*args, **kwargs))

    def read_until(self, condition):
        while not condition():
            self.read_frame()

    def read_to_end(self):
        """Until the other side closes; the GOAWAY that came before, or None."""
        try:
            while True:
                self.read_frame()
        except (EOFError, ConnectionResetError):
            return self.goaway

    def ping(self, body=b"12345678"):
        """A round trip: everything sent before has been looked at."""
        n = len(self.pongs)
        self.send_frame(PING, 0, 0, body)
        self.read_until(lambda: len(self.pongs) > n)
