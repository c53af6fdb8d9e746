# SPDX-License-Identifier: Apache-2.0
"""HAProxy's configuration, converted: Debian's haproxy beside the result, the same requests to both,
and the same answers. The files in haproxy/ are as people write them; @P1@ and its like are ports and
addresses of the test."""
import json
import re
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import pytest

from certificates import Authority
from harness import Client, Listener, Origin, Process, Proxy, free_ports, ok, run, wait_until

FILES = Path(__file__).parent / "haproxy"
pytestmark = pytest.mark.skipif(not shutil.which("haproxy"), reason="needs haproxy")


def answer_of(name):
    """A server that tells who it is and what it got."""
    def handler(request, _):
        if request.target == "/health":
            return ok("fine")
        told = {"who": name, "method": request.method, "target": request.target,
                "headers": {n.lower(): v for n, v in request.headers}}
        cookie = "Set-Cookie: a=b\r\n" if request.target.startswith("/special") else ""
        return ok(json.dumps(told) + " " * 2000,
                  f"Content-Type: text/plain\r\nX-Powered-By: test\r\n{cookie}")
    return handler


class TlsServer:
    """Says its name to whoever shakes hands."""

    def __init__(self, name, cert):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert.file, cert.key_file)

        def serve(sock):
            try:
                with context.wrap_socket(sock, server_side=True) as tls:
                    tls.sendall(name.encode())
            except OSError:
                pass
        self.listener = Listener(serve)
        self.port = self.listener.port


class World:
    """Servers that all configurations share."""

    def __init__(self, folder):
        self.folder = folder
        self.origins = {name: Origin(answer_of(name)) for name in "ABC"}
        authority = Authority(folder / "authority")
        self.certs = folder / "certs"
        self.certs.mkdir()
        for name in ("my-app.com", "other.com"):
            cert = authority.issue(name, f"www.{name}")
            (self.certs / f"{name}.pem").write_bytes(cert.pem + cert.key_pem)
        self.pages = folder / "pages"
        self.pages.mkdir()
        (self.pages / "503.http").write_text("HTTP/1.0 503 Service Unavailable\r\nContent-Type: text/html\r\n"
                                             "Connection: close\r\n\r\n<h1>Sorry</h1>")
        self.tls = [TlsServer(name, authority.issue(f"{name}.example")) for name in ("one", "two")]
        # A port that stays refused: it is bound, and nobody listens.
        self.dead = socket.socket()
        self.dead.bind(("127.0.0.1", 0))

    def fill(self, text, ports):
        values = {f"P{i + 1}": str(port) for i, port in enumerate(ports)}
        values |= {name: origin.address for name, origin in self.origins.items()}
        values["DEAD"] = f"127.0.0.1:{self.dead.getsockname()[1]}"
        values["CERTS"] = str(self.certs if "ssl crt" in text else self.pages)
        values |= {f"TLS{i + 1}": str(server.port) for i, server in enumerate(self.tls)}
        return re.sub(r"@(\w+)@", lambda m: values[m[1]], text)

    def stop(self):
        for origin in self.origins.values():
            origin.stop()
        for server in self.tls:
            server.listener.stop()
        self.dead.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    shared = World(tmp_path_factory.mktemp("haproxy"))
    yield shared
    shared.stop()


class Pair:
    """haproxy and the proxy, each with its ports."""

    def __init__(self, world, name, folder, status=0):
        text = (FILES / f"{name}.cfg").read_text()
        n = len(set(re.findall(r"@(P\d)@", text)))
        ports = free_ports(2 * n)
        self.theirs, self.ours = ports[:n], ports[n:]
        folder.mkdir(exist_ok=True)
        original, converted = folder / "haproxy.cfg", folder / "converted.yaml"
        original.write_text(world.fill(text, self.ours))
        self.imported = run("import", "haproxy", original, "-o", converted)
        assert self.imported.returncode == status, self.imported.stderr
        self.settings = converted.read_text()
        # It runs as the test's user, and in a folder of its own.
        theirs = re.sub(r"(?m)^\s*(user|group|chroot|daemon|stats|log|lua-load)\b(?! *\w+ password).*$", "",
                        world.fill(text, self.theirs))
        theirs = re.sub(r"(?m)^.*\b(lua\.\w+|stats uri)\b.*$", "", theirs)
        theirs = theirs.replace("userlist staff\n", "userlist staff\n    group ops users ada\n"
                                "    user bob insecure-password builder\n")
        (folder / "theirs.cfg").write_text(theirs)
        self.peer = Process(["haproxy", "-db", "-f", str(folder / "theirs.cfg")], cwd=folder)
        settings = re.sub(r"(?m)^(log|access-log):\n(  .*\n)+", "", self.settings)
        self.proxy = Proxy(folder / "p", settings)
        for port in self.theirs:
            wait_until(lambda: self._listens(port), "haproxy\n" + "\n".join(self.peer.err))

    def _listens(self, port):
        assert self.peer.child.poll() is None, "\n".join(self.peer.err)
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def ports(self, i):
        return self.theirs[i - 1], self.ours[i - 1]

    def ask(self, path="/", host="test.example", entry=1, method="GET", headers=(), **fields):
        """The answer of both to one request; headers: with names that can't be those of arguments."""
        named = {n.replace("_", "-"): v for n, v in fields.items()} | dict(headers)
        lines = "".join(f"{n}: {v}\r\n" for n, v in named.items())
        data = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{lines}Connection: close\r\n\r\n"
        answers = []
        for port in self.ports(entry):
            with Client(port) as client:
                answers.append(client.exchange(data, method))
        return answers

    def same(self, path="/", see=(), get=(), **kwargs):
        """Both say the same: status, place, who served it and what that server got. Returns it."""
        said = []
        for answer in self.ask(path, **kwargs):
            found = {"status": answer.status, "location": answer.get("Location")}
            found |= {name: answer.all(name) for name in get}
            if answer.body.startswith(b"{"):
                told = json.loads(answer.body)
                found |= {key: told[key] for key in ("who", "method", "target")}
                found |= {f"sent {name}": told["headers"].get(name) for name in see}
            said.append(found)
        assert said[0] == said[1], (path, kwargs)
        return said[0]

    def stop(self):
        self.peer.end()
        self.proxy.stop()


@pytest.fixture
def pair(world, tmp_path):
    running = []

    def go(name, status=0):
        running.append(Pair(world, name, tmp_path / "x", status))
        return running[-1]

    yield go
    for each in running:
        each.stop()


def handshake(port, name):
    """The names in the certificate that is shown, and an answer over it."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), 30) as sock:
        with context.wrap_socket(sock, server_hostname=name) as tls:
            return tls.getpeercert(True), tls


def ask_tls(port, host, path="/", send=None):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with Client(port) as client:
        client.sock = context.wrap_socket(client.sock, server_hostname=host.split(":")[0])
        cert = client.sock.getpeercert(True)
        send = send or f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        return client.exchange(send), cert


def test_the_guide_with_certbot(pair, world):
    """S1-1 S1-2 S1-3 S1-4 S1-6 S1-7 S1-8 S1-9 S1-10 S1-11: the file converts whole, and the result
    answers as HAProxy does."""
    both = pair("certbot-guide")
    assert "not carried over" not in both.imported.stderr.replace(" 0 not carried over", "")
    assert "{service}/{server}" in both.settings and "{end}" in both.settings
    for path in ("/", "/a?b=c", "/.well-known/other"):
        assert both.same(path, host="my-app.com")["location"] == f"https://my-app.com{path}"
    token = "/.well-known/acme-challenge/token"
    assert both.same(token, host="my-app.com")["who"] == "C"
    for port in both.ports(2):
        assert json.loads(ask_tls(port, "my-app.com", token)[0].body)["who"] == "C"
        for host, pem in (("MY-APP.com", "my-app.com"), ("other.com", "other.com")):
            answer, cert = ask_tls(port, host)
            assert answer.status == 200
            wanted = (world.certs / f"{pem}.pem").read_text().split("-----END CERT")[0]
            assert ssl.DER_cert_to_PEM_cert(cert).split("-----END CERT")[0].split() == wanted.split()
        assert json.loads(ask_tls(port, "other.com")[0].body)["who"] == "C"
        seen = [json.loads(ask_tls(port, "www.my-app.com")[0].body) for _ in range(10)]
        assert sorted(told["who"] for told in seen) == ["A"] * 5 + ["B"] * 5
        assert {told["headers"]["x-forwarded-proto"] for told in seen} == {"https"}
        assert {told["headers"]["x-forwarded-for"] for told in seen} == {"127.0.0.1"}
        assert ask_tls(port, "stranger.example")[0].status == 503
    # A port behind the name is none of the name's business.
    assert ask_tls(both.ours[1], "MY-APP.com:443")[0].status == 200


def test_conditions_of_all_kinds(pair):
    both = pair("hosts-and-paths")
    hosts = ("shop.example", "WWW.shop.example", "x.apps.example", "old.example", "any.example")
    paths = ("/", "/static/x", "/a.PNG", "/api/v1/x", "/api/vx", "/x/admin/y", "/admin", "/private",
             "/?v=1", "/?v=3&w=2")
    for host in hosts:
        for path in paths:
            both.same(path, host=host)
    chosen = {both.same(path, **how)["who"] for path in paths for how in (
        {"method": "POST"}, {"Cookie": "a=b; beta=yes"}, {"host": "shop.example", "Cookie": "beta=yes"},
        {"User_Agent": "Curl/8"}, {"X_Level": "high"}, {"X_Level": "low, high"}, {"X_Level": "low"},
        {"method": "DELETE", "User_Agent": "friendly BOT 1"}, {"host": "shop.example:8080"})
        if how.get("host") != "shop.example:8080"}
    assert chosen == {"A", "B", "C"}


def test_redirects(pair):
    both = pair("redirects")
    assert both.same("/a?b=c", host="example.com")["location"] == "https://www.example.com/a?b=c"
    for path in ("/old", "/docs/x/y", "/account?x=1", "/static/a?b=c", "/in-backend", "/"):
        both.same(path)
    assert both.same("/x?y=z", X_Secure=1)["status"] == 307


def test_refusals_and_fixed_answers(pair):
    both = pair("answers")
    answers = both.ask("/ping")
    assert {(a.status, a.body, a.get("Content-Type")) for a in answers} == {(200, b"up", "text/plain")}
    answers = both.ask("/closed", host="a.example")
    assert {(a.status, a.body, a.get("Retry-After")) for a in answers} == {
        (503, b"<h1>closed</h1>", "60")}
    for path in ("/secret", "/secret/open", "/other/open", "/busy", "/tar", "/hidden", "/staff", "/"):
        for host in ("a.example", "empty.example", "none.example"):
            both.same(path, host=host)
            both.same(path, host=host, X_Token="12345")
    assert both.same("/staff", host="a.example")["status"] == 401
    login = {"Authorization": "Basic Ym9iOmJ1aWxkZXI="}
    assert both.same("/staff", host="a.example", see=["authorization"], **login)["who"] == "A"
    wrong = {"Authorization": "Basic Ym9iOndyb25n"}
    assert both.same("/staff", host="a.example", **wrong)["status"] == 401


def test_fields_and_paths_that_are_changed(pair):
    both = pair("headers")
    see = ["x-edge", "x-tag", "x-secret", "x-mobile", "x-backend", "x-forwarded-proto",
           "x-forwarded-for"]
    get = ["X-Frame-Options", "X-Powered-By", "X-Served-By"]
    found = both.same("/", see=see, get=get, X_Secret="s", X_Edge="mine", User_Agent="Mobile 1")
    assert (found["sent x-edge"], found["sent x-secret"], found["sent x-mobile"]) == ("one", None, "yes")
    for path in ("/app/a/b?c=d", "/app/", "/v1/a/b", "/x/app/y", "/app%20x/"):
        both.same(path, see=see, get=get)
        both.same(path, see=see, get=get, X_Swap=1)
    # Host, as a line of the frontend and one of the backend say it, and fields that are replaced.
    for path in ("/", "/special/x", "/app/special"):
        for fields in ({}, {"X_Named": 1}, {"X_Kind": "old"}, {"X_Kind": "older"}):
            both.same(path, see=["host", "x-kind"], get=["Set-Cookie"], **fields)
    assert both.same("/special", see=["host"])["sent host"] == "special.internal"
    assert both.same("/", see=["host"], X_Named=1)["sent host"] == "named.internal"


def test_how_servers_are_chosen(pair):
    """S1-9: servers in turn, by weight, those in reserve, those of a cookie."""
    both = pair("balancing")

    def chosen(port, n, cookie=""):
        who = []
        for _ in range(n):
            with Client(port) as client:
                answer = client.exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                                         f"{cookie}\r\n")
                who.append(json.loads(answer.body)["who"])
        return "".join(who)

    for port in both.ports(1):
        assert chosen(port, 6) in ("ABABAB", "BABABA")
    for port in both.ports(2):
        who = chosen(port, 9)
        assert (who.count("A"), who.count("B")) == (6, 3)
        assert "AAA" not in who
    for port in both.ports(3):
        # Until the check has failed, haproxy answers 503 for the dead one.
        wait_until(lambda: Client(port).exchange(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").status == 200, "the reserve")
        assert chosen(port, 3) == "CCC"
    for port in both.ports(4):
        with Client(port) as client:
            answer = client.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        cookie = answer.get("Set-Cookie").split(";")[0]
        assert cookie.startswith("SRV=")
        who = json.loads(answer.body)["who"]
        assert chosen(port, 4, f"Cookie: {cookie}\r\n") == who * 4


def test_limits(pair):
    both = pair("limits")
    assert [both.same()["status"] for _ in range(8)] == [200] * 5 + [429] * 3
    assert [both.same("/login", entry=2)["status"] for _ in range(4)] == [200] * 2 + [403] * 2
    assert both.same("/other", entry=2)["status"] == 200


def test_connections(pair):
    both = pair("connections")

    def greeting(port, name):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            with socket.create_connection(("127.0.0.1", port), 30) as sock:
                with context.wrap_socket(sock, server_hostname=name) as tls:
                    return tls.recv(100)
        except (ssl.SSLError, ConnectionError):
            return b"closed"

    for port in both.ports(1):
        assert greeting(port, "one.example") == b"one"
        assert greeting(port, "x.two.example") == b"two"
        assert greeting(port, "three.example") == b"closed"
    assert both.same(entry=2)["who"] == "A"


def test_pages_and_compression(pair):
    both = pair("pages")
    for entry, page in ((1, b"<h1>Sorry</h1>"), (2, None)):
        answers = both.ask("/gone", entry=entry)
        assert {a.status for a in answers} <= {502, 503}
        if page:
            assert [a.body for a in answers if a.status == 503] in ([page], [page, page])
    for answer in both.ask("/", Accept_Encoding="gzip"):
        assert answer.get("Content-Encoding") == "gzip"
    for answer in both.ask("/", entry=2, Accept_Encoding="gzip"):
        assert answer.get("Content-Encoding") is None


def test_what_is_lost_is_told_and_protects_no_less(pair):
    both = pair("rewrites-with-losses", status=3)
    for line in (3, 12, 13, 14, 15, 16, 17):
        assert re.search(rf"haproxy\.cfg:{line}: (not carried over|carried over)", both.imported.stderr), line
        assert f"line {line}: " in both.settings
    port = both.ours[0]
    with Client(port) as client:
        answer = client.exchange("GET / HTTP/1.1\r\nHost: a\r\nX-User: root\r\n\r\n")
        assert "x-user" not in json.loads(answer.body)["headers"]
        assert client.exchange("GET /lua/x HTTP/1.1\r\nHost: a\r\n\r\n").status == 403
        assert client.exchange("GET /choose HTTP/1.1\r\nHost: a\r\n\r\n").status == 503
        assert client.exchange("GET /other HTTP/1.1\r\nHost: a\r\n\r\n").status == 200


def test_the_command_keeps_files_and_says_how_it_went(world, tmp_path):
    source, target = tmp_path / "haproxy.cfg", tmp_path / "out.yaml"
    source.write_text(world.fill((FILES / "redirects.cfg").read_text(), [8001]))
    assert run("import", "haproxy", source, check=0).stdout.startswith("# Made from HAProxy's")
    run("import", "haproxy", source, "-o", target, check=0)
    run("check", "-c", target, check=0)
    target.write_text("mine")
    assert "is there already" in run("import", "haproxy", source, "-o", target, check=1).stderr
    assert target.read_text() == "mine"
    run("import", "haproxy", source, "-o", target, "--force", check=0)
    assert target.read_text() != "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["haproxy.cfg", "out.yaml"]
    piped = run("import", "haproxy", "-", stdin=source.read_text(), check=0)
    assert "a.example" not in piped.stdout and "/old" in piped.stdout
    for text, said in (("nonsense here\n", "haproxy.cfg:1: error: the line belongs to no section"),
                       ("frontend a\n bind \"x\n", "haproxy.cfg:2: error: a quote isn't closed")):
        source.write_text(text)
        assert said in run("import", "haproxy", source, check=1).stderr
    assert "can't be read" in run("import", "haproxy", tmp_path / "none", check=1).stderr
    run("import", "squid", source, check=2)
    # A file that the result needs, and that isn't here.
    source.write_text("defaults\n mode http\nbackend b\n server a 127.0.0.1:1 ssl ca-file /nowhere/ca.pem\n"
                      "frontend f\n bind :8001\n default_backend b\n")
    refused = run("import", "haproxy", source, "-o", tmp_path / "new.yaml", check=1)
    assert "/nowhere/ca.pem" in refused.stderr and "doesn't pass" in refused.stderr
    assert not (tmp_path / "new.yaml").exists() and (tmp_path / "new.yaml.rejected").exists()
