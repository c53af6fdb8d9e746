# SPDX-License-Identifier: Apache-2.0
"""Checks of servers: HTTP, gRPC, TLS, TCP; what they find, and that it stays."""
import json
import socket
import threading
import time
from concurrent import futures

import pytest
from harness import PATIENCE, Origin, ok, run, wait_until
from test_tls_servers import ca, tls_origin  # noqa: F401

grpc = pytest.importorskip("grpc")

EVERY = "every: 100ms, timeout: 10s"


class Checked:
    """A server whose health is a switch; requests that aren't checks are counted."""

    def __init__(self, name, **kwargs):
        self.name, self.is_well = name, True
        self.n_requests, self.n_checks = 0, 0
        self.server = Origin(self.answer, **kwargs)
        self.url = self.server.url

    def answer(self, request, _):
        if request.target.startswith("/healthz"):
            self.n_checks += 1
            return ok("fine" if self.is_well else "sad",
                      status="200 OK" if self.is_well else "503 Sad")
        self.n_requests += 1
        return self.name


def servers_of(proxy, service="app"):
    """url -> the server as status has it."""
    status = run("status", "--json", "--control", proxy.file.parent / "control.sock").stdout
    for s in json.loads(status)["report"]["services"]:
        if s["name"] == service:
            return {server["url"]: server for server in s["servers"]}
    raise AssertionError(status)


def state_of(proxy, url, service="app"):
    return servers_of(proxy, service)[url]["addresses"][0]["state"]


def ask(proxy, n, host="a.example"):
    return [proxy.get(host=host).text for _ in range(n)]


@pytest.fixture
def pair():
    servers = [Checked("A"), Checked("B")]
    yield servers
    for s in servers:
        s.server.stop()


def settings(servers, health, more=""):
    urls = ", ".join(f"'{s.url}'" for s in servers)
    return (f"services: {{ app: {{ servers: [{urls}], health: {health}{more} }} }}\n"
            "sites: { a.example: app }\n")


def test_a_server_that_is_down_is_left_out_and_used_again_within_one_check(start, pair):
    a, b = pair
    proxy = start(settings(pair, f"{{ path: /healthz, {EVERY}, fall: 2 }}"))
    wait_until(lambda: a.n_checks > 0 and b.n_checks > 0, "first checks")
    assert sorted(ask(proxy, 4)) == ["A", "A", "B", "B"]
    a.is_well = False
    proxy.wait_line(rf"service app: server {a.server.address} is down: status 503", proxy.err)
    before = a.n_requests
    assert set(ask(proxy, 10)) == {"B"}
    assert a.n_requests == before
    shown = servers_of(proxy)[a.url]
    assert shown["checked"] and shown["addresses"][0]["state"] == "down"
    assert shown["addresses"][0]["reason"] == "status 503" and shown["addresses"][0]["since"]
    text = run("status", "--control", proxy.file.parent / "control.sock").stdout
    assert "down at 127.0.0.1" in text and "status 503" in text
    checks = a.n_checks
    a.is_well = True
    proxy.wait_line(rf"service app: server {a.server.address} is up again after", proxy.err)
    assert a.n_checks <= checks + 2  # one may have been on its way when it came back
    assert sorted(ask(proxy, 4)) == ["A", "A", "B", "B"]


def test_what_is_known_outlives_reloads_and_goes_with_the_checks(start, pair):
    a, _ = pair
    a.is_well = False
    on = settings(pair, f"{{ path: /healthz, {EVERY} }}")
    proxy = start(on)
    proxy.wait_line(r"is down: status 503", proxy.err)
    since = servers_of(proxy)[a.url]["addresses"][0]["since"]
    proxy.reload(settings(pair, f"{{ path: '/healthz?again', {EVERY}, rise: 100 }}"), 2)
    shown = servers_of(proxy)[a.url]["addresses"][0]
    assert shown["state"] == "down" and shown["since"][:19] == since[:19]
    assert set(ask(proxy, 6)) == {"B"}
    n = a.n_checks
    wait_until(lambda: a.n_checks > n, "a check by the new settings")
    assert a.server.requests[-1].target == "/healthz?again"
    proxy.reload(settings(pair, "off"), 3)
    assert state_of(proxy, a.url) == "up"
    assert sorted(ask(proxy, 4)) == ["A", "A", "B", "B"]
    n = a.n_checks
    proxy.reload(on, 4)
    wait_until(lambda: a.n_checks > n, "checks begin anew")


def test_a_gate_checks_once_and_not_once_per_worker(start, pair):
    a, _ = pair
    proxy = start(settings(pair, "{ path: /healthz, every: 500ms, timeout: 400ms, "
                                 "jitter-percent: 0 }"), workers=4)
    wait_until(lambda: a.n_checks >= 1, "the first check")
    began, n = time.monotonic(), a.n_checks
    wait_until(lambda: a.n_checks >= n + 3, "three more")
    assert time.monotonic() - began > 0.9  # 4 workers would have been there in 0.5 s
    assert proxy.get(host="a.example").status == 200


def test_when_none_is_up_all_are_used_or_503_is_said(start, pair):
    for s in pair:
        s.is_well = False
    proxy = start(settings(pair, f"{{ path: /healthz, {EVERY} }}"))
    proxy.wait_line(r"is down: status 503", proxy.err, count=2)
    assert sorted(ask(proxy, 4)) == ["A", "A", "B", "B"]
    proxy.reload(settings(pair, f"{{ path: /healthz, {EVERY} }}", ", panic-percent: 0"), 2)
    answer = proxy.get(host="a.example")
    assert answer.status == 503 and "127.0.0.1" not in answer.text


class GrpcHealth(grpc.GenericRpcHandler):
    """grpc.health.v1.Health by hand: the status of each service name."""

    def __init__(self):
        self.says, self.asked = {b"": 1}, []

    def service(self, details):
        if details.method != "/grpc.health.v1.Health/Check":
            return None
        return grpc.unary_unary_rpc_method_handler(self.check)

    def check(self, request, context):
        name = request[2:]
        assert request == (b"" if not name else bytes([0x0a, len(name)]) + name)
        self.asked.append(name)
        if name not in self.says:
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return bytes([0x08, self.says[name]])


@pytest.fixture
def grpc_server():
    health = GrpcHealth()
    server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[health])
    health.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield health
    server.stop(None).wait(PATIENCE)


def test_grpc_servers_are_asked_in_their_own_words(start, grpc_server):
    url = f"h2c://127.0.0.1:{grpc_server.port}"

    def wanted(name):
        return (f"services: {{ app: {{ servers: '{url}', "
                f"health: {{ type: grpc, {EVERY}, fall: 1{name} }} }} }}\n"
                "sites: { a.example: app }\n")
    proxy = start(wanted(""))
    wait_until(lambda: state_of(proxy, url) == "up", "the server is up")
    grpc_server.says[b""] = 2
    proxy.wait_line(r"is down: it says NOT_SERVING", proxy.err)
    proxy.reload(wanted(", grpc-service: shop.Cart"), 2)
    wait_until(lambda: b"shop.Cart" in grpc_server.asked, "the service is asked about")
    wait_until(lambda: "grpc-status 5" in json.dumps(servers_of(proxy)), "it is unknown")
    grpc_server.says[b"shop.Cart"] = 1
    proxy.wait_line(r"is up again", proxy.err)


def test_a_port_of_its_own_is_asked_and_tcp_needs_no_answer(start, pair):
    a, b = pair
    silent = socket.create_server(("127.0.0.1", 0))
    port = silent.getsockname()[1]
    proxy = start(f"services:\n  app: {{ servers: '{a.url}', "
                  f"health: {{ path: /healthz, port: {b.server.port}, {EVERY}, fall: 1 }} }}\n"
                  f"  raw: {{ servers: 'http://127.0.0.1:{port}', "
                  f"health: {{ type: tcp, {EVERY}, fall: 1 }} }}\n"
                  "sites: { a.example: app, b.example: raw }\n")
    wait_until(lambda: b.n_checks > 0, "a check at the other port")
    assert a.n_checks == 0
    wait_until(lambda: state_of(proxy, f"http://127.0.0.1:{port}", "raw") == "up", "tcp is up")
    b.is_well = False
    proxy.wait_line(rf"server {a.server.address} at {b.server.address} is down", proxy.err)
    silent.close()
    proxy.wait_line(rf"server 127.0.0.1:{port} is down: Connection refused", proxy.err)


def test_hostile_answers_are_bad_checks_and_cost_nothing(start, origin):
    """Endless heads, endless bodies, nonsense and silence: down, with words, and the proxy lives."""
    endless = threading.Event()

    def head(_, conn):
        conn.send("HTTP/1.1 200 OK\r\n")
        while not endless.is_set():
            conn.send("X-Filler: " + "x" * 4000 + "\r\n")

    def body(_, conn):
        conn.send("HTTP/1.1 200 OK\r\n\r\n")
        while not endless.is_set():
            conn.send("y" * 65536)

    def nonsense(_, conn):
        conn.send(b"\0\xff\x1b[2J garbage\r\n\r\n")
        conn.close()

    cases = {"head": (head, r"is down: malformed answer"),
             "body": (body, r"is down: the answer's body hasn't the wanted text"),
             "nonsense": (nonsense, r"is down: malformed answer"),
             "silence": (lambda _, __: None, r"is down: no answer in time")}
    services = "".join(
        f"  {name}: {{ servers: '{origin(handler).url}', health: {{ path: /, every: 500ms, "
        f"timeout: 400ms, fall: 1, body: never }} }}\n" for name, (handler, _) in cases.items())
    proxy = start("services:\n" + services + "sites:\n" +
                  "".join(f"  {name}.example: {name}\n" for name in cases))
    for name, (_, pattern) in cases.items():
        proxy.wait_line(rf"service {name}: .*{pattern}", proxy.err)
    endless.set()
    assert proxy.gate_pids()


def test_checks_verify_as_requests_do(start, tls_origin, ca):  # noqa: F811
    """Over TLS: the certificate is the one that is wanted, or the server is down; in both types."""
    good = tls_origin(lambda r, c: "well", cert=ca.issue("app.internal"))
    other = tls_origin(lambda r, c: "well", cert=ca.issue("other.internal"))

    def service(name, server, health):
        return (f"  {name}: {{ servers: '{server.url}', panic-percent: 0, tls: {{ ca: {ca.file}, "
                f"server-name: app.internal }}, health: {{ {health}, {EVERY}, fall: 1 }} }}\n")
    proxy = start("services:\n" + service("a", good, "path: /healthz") +
                  service("b", good, "type: tls") + service("c", other, "path: /healthz") +
                  service("d", other, "type: tls") +
                  "sites: { a.example: a, b.example: b, c.example: c, d.example: d }\n")
    for name in "cd":
        proxy.wait_line(rf"service {name}: server \S+ is down: .*certificate.*", proxy.err)
        assert proxy.get(host=f"{name}.example").status == 503
    for name in "ab":
        wait_until(lambda: state_of(proxy, good.url, name) == "up", "it is up")
        assert proxy.get(host=f"{name}.example").text == "well"
    assert {r.target for r in good.requests} == {"/healthz", "/"}
    wait_until(lambda: any(good.resumed), "checks resume sessions")
