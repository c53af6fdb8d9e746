# SPDX-License-Identifier: Apache-2.0
"""A server of HTTP/2 made of single frames (hyperframe, hpack), so that it can also send what no
library would."""
import base64
import hashlib
import queue
import select
import socket
import ssl
import threading

from hpack import Decoder, Encoder
from hyperframe.frame import (ContinuationFrame, DataFrame, Frame, GoAwayFrame, HeadersFrame,
                              PingFrame, RstStreamFrame, SettingsFrame, WindowUpdateFrame)

from harness import PATIENCE, Listener

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FRAME_MAX = 16384
# The flags of each kind of frame that we know, but for PADDED: nobody has asked for that.
FLAGS = {0: 1, 1: 1 | 4 | 0x20, 4: 1, 6: 1, 9: 4}
PSEUDO = (":method", ":scheme", ":authority", ":path", ":protocol")
HOP = ("connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade")


def frame(kind, flags, stream, payload=b""):
    """Any frame, by its numbers."""
    return (len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
            + payload)


class Closed(Exception):
    """The proxy has closed the connection, or reset the stream."""


class Stream:
    """One request and its answer, as its handler sees them."""

    def __init__(self, conn, number):
        self.conn, self.id = conn, number
        self.fields, self.trailers = [], []
        self.incoming = queue.Queue()
        self.window = conn.initial_window
        self.reset_code = None  # by the proxy
        self.was_reset = threading.Event()

    def __getitem__(self, name):
        return next((value for key, value in self.fields if key == name), None)

    @property
    def path(self):
        return self[":path"]

    def read(self):
        """The next piece of the body; b"" at its end."""
        piece = self.incoming.get(timeout=PATIENCE)
        if piece is None:
            self.incoming.put(None)
            raise Closed
        if piece:
            self.conn.give_back(self.id, len(piece))
        return piece

    def body(self):
        pieces = []
        while piece := self.read():
            pieces.append(piece)
        return b"".join(pieces)

    def head(self, status=200, *fields, end=False):
        self.send_fields([(":status", str(status)), *fields], end)

    def send_fields(self, fields, end=False, flags=0):
        with self.conn.lock:
            block = self.conn.encoder.encode(fields)
            first, rest = block[:FRAME_MAX], block[FRAME_MAX:]
            data = frame(1, flags | (0 if rest else 4) | (1 if end else 0), self.id, first)
            while rest:
                part, rest = rest[:FRAME_MAX], rest[FRAME_MAX:]
                data += frame(9, 0 if rest else 4, self.id, part)
            self.conn.raw(data)

    def send(self, data=b"", end=False):
        while True:
            n = self.conn.take_window(self, min(len(data), FRAME_MAX)) if data else 0
            part, data = data[:n], data[n:]
            self.conn.raw(frame(0, 1 if end and not data else 0, self.id, part))
            if not data:
                return

    def answer(self, body=b"hello", status=200, fields=(), trailers=None):
        self.head(status, *fields)
        self.send(body, end=trailers is None)
        if trailers is not None:
            self.send_fields(trailers, end=True)

    def reset(self, code):
        self.conn.raw(frame(3, 0, self.id, code.to_bytes(4, "big")))


class Connection:
    def __init__(self, origin, sock):
        self.origin, self.sock = origin, sock
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.encoder, self.decoder = Encoder(), Decoder(max_header_list_size=1 << 20)
        self.streams = {}
        self.window, self.initial_window = 65535, 65535
        self.log = []  # of what came: (kind, flags, stream)
        self.last_stream, self.ended_streams = 0, set()
        self.acked = threading.Event()  # the latest SETTINGS
        self.their_settings = {}
        self.goaway = None  # (last stream, code) of the proxy's
        self.pings = queue.Queue()
        self.ended = threading.Event()

    def raw(self, data):
        with self.lock:
            try:
                self.sock.sendall(data)
            except OSError as error:
                raise Closed from error

    def settings(self, **values):
        names = {"header_table": 1, "push": 2, "streams": 3, "window": 4, "frame": 5, "list": 6,
                 "connect": 8}
        payload = b"".join(names[key].to_bytes(2, "big") + value.to_bytes(4, "big")
                           for key, value in values.items())
        self.acked.clear()
        self.raw(frame(4, 0, 0, payload))

    def ping(self, data=b"12345678"):
        """A round trip: the proxy has looked at everything that was sent before."""
        self.raw(frame(6, 0, 0, data))
        while (got := self.pings.get(timeout=PATIENCE)) and "ACK" not in got.flags:
            pass
        assert got.opaque_data == data
        return got

    def leave(self, last, code=0):
        self.raw(frame(7, 0, 0, last.to_bytes(4, "big") + code.to_bytes(4, "big")))

    def give_back(self, stream, n):
        """Windows for what was read, unless the origin is stingy."""
        if self.origin.gives_windows:
            self.raw(frame(8, 0, stream, n.to_bytes(4, "big"))
                     + frame(8, 0, 0, n.to_bytes(4, "big")))

    def take_window(self, stream, wanted):
        """stream: None: of the connection alone, what there is."""
        if stream is None:
            with self.changed:
                n = min(wanted, self.window)
                self.window -= n
                return n
        with self.changed:
            ok = self.changed.wait_for(
                lambda: self.ended.is_set() or stream.was_reset.is_set()
                or min(self.window, stream.window) > 0, PATIENCE)
            if not ok or self.ended.is_set() or stream.was_reset.is_set():
                raise Closed
            n = min(wanted, self.window, stream.window)
            self.window -= n
            stream.window -= n
            return n

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    # --- reading ---

    def _recv(self, n):
        """Python's TLS isn't for two threads at a time, and handlers write: it is read under the same
        lock, and waited for without."""
        if not isinstance(self.sock, ssl.SSLSocket):
            return self.sock.recv(n)
        while True:
            if not self.sock.pending() and not select.select([self.sock], [], [], PATIENCE)[0]:
                raise TimeoutError
            with self.lock:
                self.sock.settimeout(0)
                try:
                    return self.sock.recv(n)
                except ssl.SSLWantReadError:
                    pass
                finally:
                    self.sock.settimeout(PATIENCE)

    def _exactly(self, n):
        data = b""
        while len(data) < n:
            got = self._recv(n - len(data))
            if not got:
                raise EOFError
            data += got
        return data

    def run(self):
        try:
            assert self._exactly(len(PREFACE)) == PREFACE
            if self.origin.settings is not None:
                self.settings(**self.origin.settings)
            while True:
                self._take(self._read_frame())
        except (EOFError, OSError, Closed):
            pass
        finally:
            with self.changed:
                self.ended.set()
                for stream in self.streams.values():
                    stream.incoming.put(None)
                self.changed.notify_all()
            self.sock.close()

    def _read_frame(self):
        head = self._exactly(9)
        parsed, n = Frame.parse_frame_header(memoryview(head))
        self._check(n, head[3], head[4], int.from_bytes(head[5:], "big"))
        parsed.parse_body(memoryview(self._exactly(n)))
        return parsed

    def _check(self, n, kind, flags, stream):
        """What a client MUST NOT send, whatever the test is about (RFC 9113, by section)."""
        must = self.origin.must
        must(self.log or kind == 4, "3.4: the first frame is SETTINGS")
        must(n <= max(FRAME_MAX, (self.origin.settings or {}).get("frame", 0)), "4.1: a large frame")
        must(stream < 1 << 31, "4.1: the reserved bit")
        must(flags & ~FLAGS.get(kind, 0) == 0, f"4.1: an unused flag of {kind}: {flags}")
        must(kind != 5, "8.4: a client pushes")
        must((kind == 9) == bool(self.log and self.log[-1][0] in (1, 9)
                                 and not self.log[-1][1] & 4), "4.3: a torn field block")
        if kind == 1 and stream not in self.streams:
            must(stream % 2 == 1 and stream > self.last_stream, f"5.1.1: stream {stream}")
            self.last_stream = stream
        if kind in (0, 1):
            must(stream not in self.ended_streams, f"5.1: {kind} behind the end of {stream}")
        if kind == 3 or (kind in (0, 1) and flags & 1):
            self.ended_streams.add(stream)
        self.log.append((kind, flags, stream))

    def _take(self, f):
        if isinstance(f, HeadersFrame):
            block, last = f.data, f
            while "END_HEADERS" not in last.flags:
                last = self._read_frame()
                assert isinstance(last, ContinuationFrame)
                block += last.data
            self._take_fields(f, self.decoder.decode(block))
        elif isinstance(f, DataFrame):
            stream = self.streams[f.stream_id]
            if f.data:
                stream.incoming.put(f.data)
            if "END_STREAM" in f.flags:
                stream.incoming.put(b"")
        elif isinstance(f, SettingsFrame):
            if "ACK" not in f.flags:
                with self.changed:
                    self.their_settings.update(f.settings)
                    self.initial_window = f.settings.get(4, self.initial_window)
                if self.origin.settings is not None:
                    self.raw(frame(4, 1, 0))
            else:
                self.acked.set()
        elif isinstance(f, PingFrame):
            if "ACK" not in f.flags and self.origin.answers_pings:
                self.raw(frame(6, 1, 0, f.opaque_data))
            self.pings.put(f)
        elif isinstance(f, RstStreamFrame):
            stream = self.streams.get(f.stream_id)
            if stream:
                with self.changed:
                    stream.reset_code = f.error_code
                    stream.was_reset.set()
                    self.changed.notify_all()
                stream.incoming.put(None)
        elif isinstance(f, WindowUpdateFrame):
            with self.changed:
                if f.stream_id == 0:
                    self.window += f.window_increment
                elif f.stream_id in self.streams:
                    self.streams[f.stream_id].window += f.window_increment
                self.changed.notify_all()
        elif isinstance(f, GoAwayFrame):
            self.goaway = (f.last_stream_id, f.error_code, bytes(f.additional_data))

    def _take_fields(self, f, fields):
        fields = [tuple(x.decode() if isinstance(x, bytes) else x for x in pair[:2])
                  for pair in fields]
        stream = self.streams.get(f.stream_id)
        self._check_fields([name for name, _ in fields], fields, stream is not None)
        if stream:
            stream.trailers = fields
        else:
            stream = self.streams[f.stream_id] = Stream(self, f.stream_id)
            stream.fields = fields
            self.origin.requests.append(stream)
            self.origin.seen.put(stream)
            threading.Thread(target=self._handle, args=(stream,), daemon=True).start()
        if "END_STREAM" in f.flags:
            stream.incoming.put(b"")

    def _check_fields(self, names, fields, are_trailers):
        must = self.origin.must
        pseudo = [name for name in names if name.startswith(":")]
        must(not (pseudo and are_trailers), "8.1: pseudo-headers in trailers")
        must(names[:len(pseudo)] == pseudo and len(set(pseudo)) == len(pseudo)
             and set(pseudo) <= set(PSEUDO), f"8.3: {pseudo}")
        must(are_trailers or {":method", ":scheme", ":path"} <= set(pseudo), f"8.3.1: {pseudo}")
        must(all(name == name.lower() for name in names), "8.2: upper case")
        must(not set(names) & set(HOP), "8.2.2: a connection-specific field")
        must(all(value == "trailers" for name, value in fields if name == "te"), "8.2.2: TE")
        must(all(not set(value) & set("\0\r\n") and value.strip(" \t") == value
                 for _, value in fields), "8.2.1: a value")

    def _handle(self, stream):
        try:
            self.origin.handler(stream)
        except Closed:
            pass


def echo_websocket(sock, key):
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                 b"Upgrade: websocket\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n")
    while piece := sock.recv(65536):
        sock.sendall(piece)


def serve_http_1(sock):
    """For those who choose that by ALPN: says which method came, with all of its body; WebSockets
    are echoed."""
    with sock, sock.makefile("rb") as lines:
        while line := lines.readline():
            fields = {}
            while (field := lines.readline().strip()):
                name, value = field.split(b":", 1)
                fields[name.lower()] = value.strip()
            if fields.get(b"upgrade") == b"websocket":
                echo_websocket(sock, fields[b"sec-websocket-key"])
                return
            lines.read(int(fields.get(b"content-length", 0)))
            text = line.split()[0] + b" by HTTP/1.1"
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))


class H2Origin:
    """handler(stream) answers each request on a thread of its own. settings: what the preface says;
    None: no preface at all. cert: over TLS, with these protocols by ALPN."""

    def __init__(self, handler=None, settings=None, cert=None, alpn=("h2",), gives_windows=True,
                 answers_pings=True, sends_preface=True):
        self.handler = handler or (lambda stream: stream.answer())
        self.settings = (settings or {}) if sends_preface else None
        self.gives_windows, self.answers_pings = gives_windows, answers_pings
        self.requests, self.seen, self.connections = [], queue.Queue(), []
        self.broken = []  # rules, by the proxy
        self.context = None
        if cert:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(cert.file, cert.key_file)
            self.context.set_alpn_protocols(list(alpn))
        self.listener = Listener(self._serve)
        self.port = self.listener.port
        self.url = f"{'https' if cert else 'h2c'}://{self.listener.address}"

    def _serve(self, sock):
        sock.settimeout(PATIENCE)
        if self.context:
            try:
                sock = self.context.wrap_socket(sock, server_side=True)
            except OSError:
                sock.close()
                return
            if sock.selected_alpn_protocol() == "http/1.1":
                serve_http_1(sock)
                return
        conn = Connection(self, sock)
        self.connections.append(conn)
        conn.run()

    def must(self, holds, what):
        if not holds:
            self.broken.append(what)

    def next_request(self):
        return self.seen.get(timeout=PATIENCE)

    def stop(self):
        self.listener.stop()
        for conn in self.connections:
            conn.close()
        assert not self.broken, self.broken
