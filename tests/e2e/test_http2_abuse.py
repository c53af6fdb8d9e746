# SPDX-License-Identifier: Apache-2.0
"""Clients of HTTP/2 that read slowly, never, or go in the worst moment: nothing of theirs may stay,
and nothing that has gone may be looked at."""
import json
import socket
import struct
import threading

from harness import PATIENCE
from http2 import (CANCEL, END_HEADERS, END_STREAM, HEADERS, INITIAL_WINDOW_SIZE, PREFACE,
                   SETTINGS, WINDOW_UPDATE, H2Client, frame)
from test_http2 import settings, tls_settings

WIDE = 2 ** 30  # a window that is never in the way


def slow_client(port):
    """Its socket takes little; its windows are wide open."""
    client = H2Client(port, greet=False)
    client.sock.close()
    client.sock = socket.socket()
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.sock.settimeout(PATIENCE)
    client.sock.connect(("127.0.0.1", port))
    client.returns_windows, client.greets = False, True
    client.send(PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW_SIZE, WIDE)))
    client.window(0, WIDE)
    return client


def test_an_answer_given_up_half_way_into_a_frame(start, origin):
    """The session may hold a frame of DATA that had no room, and whose bytes are gone when it has."""
    def handler(request, conn):
        try:
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n" + b"x" * 50_000_000)
        except OSError:
            pass

    # The socket's time-out is longer than that for the whole piece, which is 10 s and a bit.
    proxy = start(settings(origin(handler).url, entry=", body-min-rate: 1MiB, body-timeout: 40s"))
    with slow_client(proxy.port) as client:
        streams = [client.request(f"/{i}") for i in range(4)]
        proxy.log_lines('"GET /', count=4)
        for stream in streams:
            assert client.answer(stream).reset == CANCEL
        assert client.get(host="none.example").status == 404


def test_an_end_that_no_window_lets_out_is_given_up(start, origin):
    """An empty DATA frame at the end waits for the window too: not for ever."""
    def handler(request, conn):
        conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")

    proxy = start(settings(origin(handler).url, entry=", body-timeout: 500ms"))
    with H2Client(proxy.port, settings={INITIAL_WINDOW_SIZE: 0}) as client:
        answer = client.answer(client.request())
        assert answer.status == 200 and not answer.is_whole and answer.reset == CANCEL


def test_trailers_behind_the_end_of_their_exchange(start, origin):
    """An answer that waits for the socket, and settings that went away meanwhile."""
    full = threading.Event()

    def handler(request, conn):
        if request.target == "/b":
            return b"HTTP/1.1 204 No Content\r\n\r\n"
        conn.sock.settimeout(1)
        try:
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n" + b"x" * 50_000_000)
        except OSError:
            full.set()
        return None

    text = settings(origin(handler, read_body=False).url)
    proxy = start(text)
    with slow_client(proxy.port) as client:
        a = client.request("/a")
        assert full.wait(PATIENCE)
        b = client.request("/b", method="POST", end=False)
        client.data(b, b"x")
        proxy.log_lines('"POST /b')
        client.reset(a)
        proxy.log_lines('"GET /a')
        for i in range(2):
            assert proxy.try_reload(text + f"# {i}\n")
        client.send_frame(HEADERS, END_STREAM | END_HEADERS, b, client.encoder.encode([("a", "b")]))
        assert client.answer(b).status == 204


def fill(client, stream):
    """Sends a body until its windows stay closed: nobody reads it any more."""
    sent = 0
    client.sock.settimeout(1)
    while True:
        windows = [65535 + sum(int.from_bytes(f.body, "big") for f in client.frames
                               if f.kind == WINDOW_UPDATE and f.stream == i) for i in (0, stream)]
        n = min(*windows, sent + 16384) - sent
        sent += n
        if n > 0:
            client.data(stream, b"x" * n)
            continue
        try:
            client.read_frame()
        except TimeoutError:
            return


def test_exchanges_outlive_the_tls_of_their_connection(start, origin):
    """What the log tells of TLS is there until the last exchange has been told of, also of those that
    end a turn later than the connection, because somebody else sends for them."""
    go = threading.Event()

    def handler(request, conn):
        go.wait(PATIENCE)

    server = origin(handler, read_body=False)
    proxy = start(tls_settings(server.url, more="access-log: { format: json }\n"))
    with H2Client(proxy.port, name="a.example") as client:
        stream = client.request("/up", host="a.example", scheme="https", method="POST", end=False)
        fill(client, stream)
    assert json.loads(proxy.log_lines('"/up"')[0])["tls-version"] == "TLSv1.3"
    go.set()
