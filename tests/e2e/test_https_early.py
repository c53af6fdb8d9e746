# SPDX-License-Identifier: Apache-2.0
"""Early data (0-RTT): what is served before the handshake is over, and what becomes of replays. The
client is openssl s_client, behind a relay that can hold back the end of its handshake."""
import socket
import subprocess
import threading
import time

import pytest
from harness import PATIENCE, kill_and_wait, wait_until
from hpack import Encoder
from http2 import (DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PREFACE, SETTINGS, frame)
from https import free_port, get

WINDOW = 16  # seconds for which a gate takes no early data, since it can't know what came before
EARLY = ("entrypoints:\n  websecure: {{ listen: '127.0.0.1:0', tls: {{ early-data: on }} }}\n"
         "sites:\n  a.example: '{}'\n")
GET = "GET /{} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"
POST = ("POST /{} HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\nConnection: close\r\n\r\n"
        "hello")


class Relay:
    """Between one client and the proxy: keeps what the client sends, and once the proxy has answered
    holds it back until `release`."""

    def __init__(self, port, holds=False):
        self.sent, self.held = b"", b""
        self.release, self.has_answered = threading.Event(), threading.Event()
        if not holds:
            self.release.set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.to = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        self.client = self.listener.accept()[0]
        threading.Thread(target=self._answer, daemon=True).start()
        try:
            while data := self.client.recv(65536):
                if self.has_answered.is_set():
                    self.release.wait(PATIENCE)
                else:
                    self.sent += data
                self.to.sendall(data)
            self.to.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _answer(self):
        try:
            while data := self.to.recv(65536):
                self.has_answered.set()
                self.client.sendall(data)
            self.client.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.release.set()
        for sock in (self.listener, self.to, getattr(self, "client", None)):
            if sock:
                sock.close()


class EarlyClient:
    """openssl s_client with a session of the proxy's."""

    def __init__(self, proxy, folder, alpn="http/1.1"):
        self.proxy, self.folder, self.alpn = proxy, folder, alpn
        self.session = folder / f"session-{alpn.replace('/', '')}.pem"
        self.relays = []

    def start(self, *args, holds=False):
        relay = Relay(self.proxy.ports["websecure"], holds)
        self.relays.append(relay)
        child = subprocess.Popen(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{relay.port}", "-servername",
             "a.example", "-alpn", self.alpn, "-ign_eof", *args], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        return relay, child

    def visit(self):
        """Gets a session; the answer."""
        _, child = self.start("-sess_out", self.session)
        said = child.communicate(GET.format("first"), PATIENCE)[0]
        assert self.session.exists(), said
        return said

    def begin(self, request, holds=False):
        """Sends a request as early data."""
        file = self.folder / "request"
        file.write_bytes(request if isinstance(request, bytes) else request.encode())
        return self.start("-sess_in", self.session, "-early_data", file, holds=holds)

    def send(self, request):
        """What s_client says of a request with early data. It doesn't send it again by itself."""
        relay, child = self.begin(request)
        wait_until(lambda: relay.has_answered.is_set(), "the proxy's answer")
        try:
            return relay, child.communicate(timeout=PATIENCE)[0]
        finally:
            child.kill()

    def is_accepted(self):
        """A request of its own; refused early data is followed by nothing."""
        _, child = self.begin(GET.format("try"))
        said = ""
        for line in child.stdout:
            said += line
            if "Early data was" in line:
                break
        child.kill()
        child.communicate(timeout=PATIENCE)
        return "Early data was accepted" in said

    def wait_accepted(self):
        until = time.monotonic() + WINDOW + PATIENCE
        while not self.is_accepted():
            assert time.monotonic() < until, "early data is never taken"
            time.sleep(0.2)


def finish(child):
    said = child.communicate(timeout=PATIENCE)[0]
    assert "Early data was accepted" in said, said
    return said


def paths(server):
    return [request.target for request in server.requests]


@pytest.fixture
def client(start, tmp_path):
    made = []

    def go(server, workers=1):
        proxy = start(EARLY.format(server.url), workers=workers)
        made.append(EarlyClient(proxy, tmp_path))
        made[0].visit()
        return made[0]

    yield go
    for relay in (relay for each in made for relay in each.relays):
        relay.close()


def test_safe_requests_are_served_early_and_others_wait(origin, client, tmp_path):
    """RFC 8470: GET at once and the server is told; POST when it can't be a replay any more; a 425 of
    the server is tried again then, unless the client is a proxy that has said it itself."""
    def handler(request, conn):
        if request.target.startswith("/never") and request.get("Early-Data"):
            conn.send("HTTP/1.1 425 Too Early\r\nContent-Length: 5\r\n\r\nearly")
            return None
        return f"{request.method} {request.target}"

    server = origin(handler)
    early = client(server)
    assert not early.is_accepted()  # the gate has just begun
    early.wait_accepted()

    relay, child = early.begin(GET.format("safe"), holds=True)
    wait_until(lambda: "/safe" in paths(server), "the request before the end of the handshake")
    relay.release.set()
    assert "GET /safe" in finish(child)
    assert server.requests[-1].all("Early-Data") == ["1"]

    relay, child = early.begin(POST.format("unsafe"), holds=True)
    relay.has_answered.wait(PATIENCE)
    assert early.proxy.ask(command="status")["ok"]  # a turn of every worker's loop
    assert "/unsafe" not in paths(server)
    relay.release.set()
    assert "POST /unsafe" in finish(child)
    assert server.requests[-1].get("Early-Data") is None and server.requests[-1].body == b"hello"

    relay, child = early.begin(GET.format("never"), holds=True)
    wait_until(lambda: "/never" in paths(server), "the first try")
    relay.release.set()
    said = finish(child)
    assert "GET /never" in said and "425 Too Early" not in said
    assert [r.get("Early-Data") for r in server.requests if r.target == "/never"] == ["1", None]

    proxied = GET.format("never-twice").replace("Host", "Early-Data: 1\r\nHost")
    relay, child = early.begin(proxied, holds=True)
    wait_until(lambda: "/never-twice" in paths(server), "the request")
    relay.release.set()
    assert "425 Too Early" in finish(child)
    assert paths(server).count("/never-twice") == 1
    # A proxy in front says it without early data on its own connection.
    assert get(early.proxy, "a.example", "/never", "Early-Data: 1\r\n").status == 425
    assert get(early.proxy, "a.example", "/plain").text == "GET /plain"
    assert server.requests[-1].get("Early-Data") is None
    (tmp_path / "h2").mkdir()
    second = EarlyClient(early.proxy, tmp_path / "h2", "h2")
    check_http2(second, server)
    for relay in second.relays:
        relay.close()


def of_http2(method, path, body=b""):
    """All that a client of HTTP/2 sends for one exchange, with its farewell."""
    head = Encoder().encode([(":method", method), (":scheme", "https"), (":path", path),
                             (":authority", "a.example")])
    flags = END_HEADERS if body else END_HEADERS | END_STREAM
    return (PREFACE + frame(SETTINGS) + frame(HEADERS, flags, 1, head) +
            (frame(DATA, END_STREAM, 1, body) if body else b"") + frame(GOAWAY, body=bytes(8)))


def check_http2(early, server):
    """RFC 8470 on streams: GET at once; 425 for what must wait. The session is one of HTTP/2, too (RFC 8446 4.2.10)."""
    early.visit()
    relay, child = early.begin(of_http2("GET", "/safe2"), holds=True)
    wait_until(lambda: "/safe2" in paths(server), "the request before the end of the handshake")
    relay.release.set()
    assert "GET /safe2" in finish(child)
    assert server.requests[-1].all("Early-Data") == ["1"]

    # Nothing of a connection waits: the client is told to come again.
    relay, child = early.begin(of_http2("POST", "/unsafe2", b"hello"))
    assert "425" in finish(child) and "/unsafe2" not in paths(server)
    relay, child = early.begin(of_http2("GET", "/never2"))
    assert "early" in finish(child)
    assert [r.get("Early-Data") for r in server.requests if r.target == "/never2"] == ["1"]


def replay(port, data):
    """Sends what a client has sent; waits until the proxy has seen all of it and given up."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        try:
            while sock.recv(65536):
                pass
        except ConnectionError:
            pass


def test_replays_are_served_by_nobody(origin, client):
    """Not by another worker, not after a reload, and not by the next gate."""
    server = origin(lambda request, conn: "hello")
    early = client(server, workers=2)
    early.wait_accepted()
    relay, child = early.begin(GET.format("once"), holds=True)
    wait_until(lambda: "/once" in paths(server), "the request")
    recorded, port = relay.sent, early.proxy.ports["websecure"]
    relay.release.set()
    finish(child)
    for _ in range(12):  # the kernel spreads them over the workers
        replay(port, recorded)
    assert early.proxy.try_reload("connections-max: 5000\n" + EARLY.format(server.url))  # a gate
    replay(port, recorded)
    kill_and_wait(early.proxy.gate_pid())
    for _ in range(3):
        replay(port, recorded)
    assert get(early.proxy, "a.example", "/after").text == "hello"
    assert paths(server).count("/once") == 1
    assert not early.is_accepted()


def test_it_is_off_by_default_and_not_for_client_certificates(start, origin, tmp_path):
    server = origin()
    proxy = start("entrypoints:\n  websecure: { listen: '127.0.0.1:0', tls: on }\n"
                  f"sites:\n  a.example: '{server.url}'\n")
    assert "Max Early Data: 0" in EarlyClient(proxy, tmp_path).visit()
    bad = tmp_path / "client-ca.pem"
    bad.write_bytes((proxy.state / "ca" / "root.pem").read_bytes())
    for tls, why in ((f"early-data: on, client-auth: request, client-ca: '{bad}'", "certificates"),
                     ("early-data: on, tickets: off", "tickets"),
                     ("early-data: on, max: '1.2'", "TLS 1.3")):
        assert not proxy.try_reload(f"entrypoints:\n  websecure: {{ listen: '127.0.0.1:"
                                    f"{free_port()}', tls: {{ {tls} }} }}\n"
                                    f"sites:\n  a.example: '{server.url}'\n")
        assert any("early-data" in line and why in line for line in proxy.err), tls
