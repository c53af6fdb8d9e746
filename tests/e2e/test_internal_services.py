# SPDX-License-Identifier: Apache-2.0
"""What the gate answers by itself, where a route leads there."""
import signal
import socket

import pytest

from harness import PATIENCE, Proxy, is_refused, run, wait_until

SETTINGS = """
filters: { password: { basic-auth: { users: ["ann:$2y$05$fFTvpmqLErU4P4VPJLcqtejgFG41OzCd9pAw6dT4YRXVM0vZ4QWlu"] } } }
sites:
  ping.example: ping@internal
  locked.example: { use: [password], to: ping@internal }
routes: [{ match: "Path(`/ping`)", to: ping@internal }]
"""


class Client:
    """A connection on which heads are sent in pieces."""

    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), PATIENCE)

    def send(self, text):
        self.sock.sendall(text.encode())

    def answer(self):
        """Head and body of the next answer; it has a Content-Length."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self.sock.recv(4096) or pytest.fail(f"closed after {data!r}")
        head, body = data.split(b"\r\n\r\n", 1)
        fields = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:])
        while len(body) < int(fields.get("content-length", 0)):
            body += self.sock.recv(4096) or pytest.fail("closed within the body")
        return int(head.split()[1]), fields, body.decode()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    running = Proxy(tmp_path_factory.mktemp("internal") / "proxy", SETTINGS, workers=2)
    yield running
    running.stop()


def ask(proxy, host, path="/", method="GET"):
    client = Client(proxy.port)
    client.send(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
    return client.answer() if method != "HEAD" else client.sock.makefile("rb").read()


def test_a_ping_is_answered_where_a_route_leads_there(proxy):
    status, fields, body = ask(proxy, "ping.example")
    assert (status, body, fields["cache-control"]) == (200, "OK", "no-store")
    assert ask(proxy, "any.example", "/ping")[::2] == (200, "OK")
    assert ask(proxy, "any.example", "/pong")[0] == 404
    assert ask(proxy, "any.example", "/ping@internal")[0] == 404
    status, fields, _ = ask(proxy, "ping.example", method="POST")
    assert (status, fields["allow"]) == (405, "get, head")
    head, body = ask(proxy, "ping.example", method="HEAD").split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200") and body == b""


def test_filters_stand_in_front(proxy):
    assert ask(proxy, "locked.example")[0] == 401


def test_explain_tells_of_it(proxy):
    told = run("explain", "--config", proxy.file, "http://ping.example/", check=0).stdout
    assert "answers 200, and 503 while the proxy is stopping" in told


def test_a_ping_tells_when_the_proxy_stops_and_not_when_a_gate_follows(start):
    settings = SETTINGS + ("drain-timeout: 60s\n"
                           "entrypoints: { web: { listen: '127.0.0.1:0', head-timeout: 10m } }\n")
    proxy = start(settings + "workers: 1\n")
    clients = [Client(proxy.port) for _ in range(2)]
    for client in clients:  # they have begun with a request when their gate is told to leave
        client.send("GET /ping HTTP/1.1\r\nHost: a.example\r\n\r\n")
        assert client.answer()[::2] == (200, "OK")
        client.send("GET /ping HTTP/1.1\r\nHost:")
    proxy.reload(settings + "workers: 2\n", 2)
    proxy.wait_line("takes over", proxy.err)
    clients[0].send(" a.example\r\n\r\n")
    status, fields, body = clients[0].answer()
    assert (status, body, fields["connection"]) == (200, "OK", "close")
    late = Client(proxy.port)
    late.send("GET /ping HTTP/1.1\r\nHost: a.example\r\n\r\n")
    assert late.answer()[0] == 200
    late.send("GET /ping HTTP/1.1\r\nHost:")
    proxy.child.send_signal(signal.SIGTERM)
    wait_until(lambda: is_refused(proxy.port), "the end of listening")
    for client in (late, clients[1]):
        client.send(" a.example\r\n\r\n")
        assert client.answer()[0] == 503
