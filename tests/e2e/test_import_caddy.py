# SPDX-License-Identifier: Apache-2.0
"""Caddyfiles, converted: Debian's caddy beside the result, the same requests to both, and the same
answers. The files in caddy/ are as people write them; @P1@ and its like are ports and addresses of
the test."""
import base64
import gzip
import json
import os
import re
import shutil
import ssl
import subprocess
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from harness import Client, Listener, Origin, Process, Proxy, free_ports, ok, run, wait_until
from test_import_haproxy import Pair, World, ask_tls

FILES = Path(__file__).parent / "caddy"
pytestmark = pytest.mark.skipif(not shutil.which("caddy"), reason="needs caddy")


def echo(sock):
    """Takes an upgrade and says again what it hears; other requests get 404."""
    head = b""
    while b"\r\n\r\n" not in head:
        piece = sock.recv(4096)
        if not piece:
            return
        head += piece
    if b"\r\nupgrade: websocket\r\n" not in head.lower():
        sock.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        return
    sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    while piece := sock.recv(4096):
        sock.sendall(piece)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    shared = World(tmp_path_factory.mktemp("caddy"))

    def verify(request, _):
        return ok("", "Remote-User: ada\r\n") if request.get("X-Token") == "good" else ok("no", status=401)

    shared.origins["VERIFY"] = Origin(verify)
    shared.echo = Listener(echo)
    # A cheap one: each is reckoned by both, for every password that is tried.
    shared.hash = subprocess.run(["htpasswd", "-nbBC", "4", "ada", "secret"], check=True, capture_output=True,
                                 text=True).stdout.strip().partition(":")[2]
    yield shared
    shared.echo.stop()
    shared.stop()


class CaddyPair(Pair):
    """caddy and the proxy, each with its ports."""

    def __init__(self, world, name, folder, status=0):
        text = (FILES / f"{name}.caddyfile").read_text()
        n = len(set(re.findall(r"@(P\d)@", text)))
        ports = free_ports(2 * n)
        self.theirs, self.ours = ports[:n], ports[n:]
        folder.mkdir(exist_ok=True)
        converted = folder / "converted.yaml"
        (folder / "ours.caddyfile").write_text(self.fill(world, text, self.ours))
        self.imported = run("import", "caddy", folder / "ours.caddyfile", "-o", converted)
        assert self.imported.returncode == status, self.imported.stderr
        self.settings = converted.read_text()
        # Without the interface for administration, which all on one machine would share.
        theirs = re.sub(r"(?m)^\tadmin off\n", "", self.fill(world, text, self.theirs))
        theirs = theirs if re.match(r"(#.*\n)*\{\n", theirs) else "{\n}\n" + theirs
        (folder / "theirs.caddyfile").write_text(re.sub(r"(?m)^\{$", "{\n\tadmin off", theirs, count=1))
        self.peer = Process(["caddy", "run", "--adapter", "caddyfile", "--config", "theirs.caddyfile"],
                            cwd=folder, env={**os.environ, "XDG_DATA_HOME": str(folder / "data"),
                                             "XDG_CONFIG_HOME": str(folder / "config")})
        self.proxy = Proxy(folder / "p", self.settings)
        for port in self.theirs:
            wait_until(lambda: self._listens(port), "caddy")

    @staticmethod
    def fill(world, text, ports):
        text = text.replace("@ECHO@", world.echo.address).replace("@HASH@", world.hash)
        text = text.replace("@HASH64@", base64.b64encode(world.hash.encode()).decode())
        return world.fill(text, ports)

    def texts(self, path="/", get=(), **kwargs):
        """Both say the same, as status, body and fields. Returns the body."""
        said = [(a.status, a.body, a.get("Location"), a.get("Content-Type"), *(a.all(name) for name in get))
                for a in self.ask(path, **kwargs)]
        assert said[0] == said[1], (path, kwargs)
        return said[0][1].decode()


def has_certificate(port, host):
    """Certificates of a local CA are made after the ports are open."""
    try:
        return ask_tls(port, host)[0].status > 0
    except ssl.SSLError:
        return False


@pytest.fixture
def pair(world, tmp_path):
    running = []

    def go(name, status=0):
        running.append(CaddyPair(world, name, tmp_path / "x", status))
        return running[-1]

    yield go
    for each in running:
        each.stop()


def test_several_services_of_a_home(pair):
    both = pair("home-lab", status=3)  # its log isn't carried over
    hosts = {"jellyfin.lab.example": "A", "photos.lab.example": "B", "pictures.lab.example": "B",
             "git.lab.example": "C"}
    for host in hosts:
        for port in both.ports(2):
            wait_until(lambda: has_certificate(port, host), f"the certificate of {host}")
    for host, who in hosts.items():
        for path in ("/", "/api/x?y=z"):
            said = []
            for port in both.ports(2):
                answer, _ = ask_tls(port, host, path)
                told = json.loads(answer.body)
                said.append((answer.status, told["who"], told["target"], told["headers"]["host"],
                             told["headers"]["x-forwarded-proto"], answer.get("Cache-Control"),
                             answer.get("X-Content-Type-Options"), answer.get("X-Powered-By")))
            assert said[0] == said[1]
            assert said[0][:2] == (200, who)
    for answer, port in zip(both.ask("/a?b=c", host="photos.lab.example"), both.ports(2)):
        # The proxy says 301 to a GET, and caddy always 308.
        assert answer.status in (301, 308)
        where = answer.get("Location").replace(f":{port}", "")
        assert where == "https://photos.lab.example/a?b=c"
    assert both.texts("/", host="status.lab.example") == "up"
    assert both.texts("/plain", host="git.lab.example") == "as asked for"
    assert both.same("/x?y", host="git.lab.example")["location"] == "https://git.lab.example/x?y"
    # What is too long for the site.
    for port in both.ports(2):
        head = "POST / HTTP/1.1\r\nHost: {}\r\nContent-Length: 3000\r\nConnection: close\r\n\r\n"
        statuses = [ask_tls(port, host, send=head.format(host) + "x" * 3000)[0].status
                    for host in ("photos.lab.example", "git.lab.example")]
        assert statuses[0] in (413, 502) and statuses[1] == 200


def test_an_application_of_one_page_and_its_api(pair):
    both = pair("spa-and-api")
    for path in ("/", "/users/12?tab=a", "/app.js", "/css/x.CSS", "/fonts/a.woff", "/api/users", "/api",
                 "/app.json"):
        both.same(path, host="app.example", get=("Cache-Control",))
    assert both.same("/users", host="app.example")["target"] == "/index.html"
    assert both.same("/api/x", host="app.example")["who"] == "A"
    assert both.texts("/health", host="app.example") == "ok"
    assert both.texts("/config.json", host="app.example", get=("Cache-Control",)) == '{"api": "/api"}'


def test_an_application_with_websockets(pair):
    both = pair("websocket")
    assert both.same("/", host="chat.example")["who"] == "A"
    for port in both.ports(1):
        with Client(port) as client:
            client.send("GET /ws HTTP/1.1\r\nHost: chat.example\r\nConnection: keep-alive, Upgrade\r\n"
                        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
            assert client.read_head().status == 101
            for word in (b"one", b"two"):
                client.send(word)
                assert client.read_exactly(len(word)) == word


def test_who_may_pass(pair):
    both = pair("who-may-pass")
    logins = [{}] + [{"Authorization": "Basic " + base64.b64encode(pair).decode()}
                     for pair in (b"ada:secret", b"bob:secret", b"ada:wrong", b"eve:secret")]
    for path in ("/", "/admin/", "/admin/x", "/ADMIN/x", "//admin/x", "/admin%2Fx", "/a/../admin/x",
                 "/%61dmin/x"):
        statuses = [{a.status for a in both.ask(path, host="intra.example", **login)} for login in logins]
        assert statuses == ([{200}] * 5 if path == "/" else [{401}, {200}, {200}, {401}, {401}]), path
    assert both.same("/admin/x", host="intra.example")["status"] == 401
    realms = {a.get("WWW-Authenticate").split(",")[0] for a in both.ask("/admin/x", host="intra.example")}
    assert realms == {'Basic realm="restricted"'}
    for path in ("/office/x", "/metrics", "/metrics/x", "/lab/x", "/office", "/OFFICE/x"):
        both.same(path, host="intra.example")
    assert [a.status for a in both.ask("/%6Fffice/x", host="intra.example")] == [403, 403]
    assert both.texts("/office/x", host="intra.example") == "Go away"
    for method in ("GET", "POST", "DELETE"):
        statuses = {a.status for a in both.ask("/read-only/x", host="intra.example", method=method)}
        assert statuses == {200 if method == "GET" else 405}
    assert [a.status for a in both.ask("/guarded/x", host="intra.example")] == [401, 401]
    see = ("remote-user", "x-admin")
    said = both.same("/guarded/x", host="intra.example", X_Token="good", Remote_User="eve", see=see)
    assert said["sent remote-user"] == "ada"
    assert both.same("/x", host="intra.example", X_Admin="yes", see=see)["sent x-admin"] is None
    for token in ("secret", "secrets", "a secret", ""):
        both.same("/token/x", host="intra.example", X_Token=token)


def test_redirects(pair):
    both = pair("redirects")
    assert both.same("/a/b?c=d", host="www.example.com")["location"] == "http://example.com/a/b?c=d"
    for path in ("/", "/old", "/old/x", "/gone/a?b=c", "/gone/a%20b", "/see", "/docs", "/docs/",
                 "/blog/12/a-b", "/blog/12/a-b/", "/blog/x/a", "/x?beta=1", "/x?beta=2", "/x?a=b&beta=1"):
        both.same(path, host="example.com")
    assert both.same("/blog/12/a-b", host="example.com")["location"] == "/posts/a-b-12"


def test_a_site_with_a_wildcard(pair):
    both = pair("wildcard", status=0)
    for host in ("one.apps.example", "ONE.apps.example", "two.apps.example", "twice.apps.example",
                 "three.apps.example"):
        for path in ("/", "/api/x", "/apix"):
            both.same(path, host=host)
    assert both.same("/api/x", host="two.apps.example")["who"] == "C"
    for host in ("four.apps.example", "apps.example", "a.one.apps.example", "127.0.0.1", "none.example"):
        both.texts("/", host=host)
    assert both.texts("/", host="four.apps.example") == "no such app"
    assert both.texts("/", host="none.example") == "somebody else"


def test_how_servers_are_chosen(pair):
    both = pair("balancing", status=0)

    def chosen(port, n, fields=""):
        who = []
        for _ in range(n):
            with Client(port) as client:
                answer = client.exchange(f"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fields}\r\n")
                who.append(json.loads(answer.body)["who"] if answer.status == 200 else str(answer.status))
        return "".join(who)

    for port in both.ports(1):
        assert chosen(port, 6) in ("ABABAB", "BABABA")
    for port in both.ports(2):
        assert chosen(port, 4) == "CCCC"
    for port in both.ports(3):
        by_key = [chosen(port, 3, f"X-Key: {i}\r\n") for i in range(20)]
        assert all(len(set(who)) == 1 for who in by_key)
        assert set("".join(by_key)) == set("ABC")
    for port in both.ports(4):
        wait_until(lambda: chosen(port, 3) == "BBB", "the check")
    for port in both.ports(5):
        with Client(port) as client:
            answer = client.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        cookie = answer.get("Set-Cookie").split(";")[0]
        assert cookie.startswith("srv=")
        assert chosen(port, 4, f"Cookie: {cookie}\r\n") == json.loads(answer.body)["who"] * 4


def test_paths_that_are_changed(pair):
    both = pair("prefixes")
    paths = ("/api/", "/api/x?y=z", "/api/a/b", "/API/x", "/api", "/api/a%20b", "/api/v2/", "/api/v2/list",
             "/api/v2/list/x", "/api/v2/lists", "/grafana", "/grafana/", "/grafana/login", "/grafana/d/x?a=b",
             "/grafana/login/", "/old/a?b=/old/c", "/old/old/x", "/pages/a.html", "/pages/a.html?b=c.html",
             "/pages/a.htm", "/v1/a?b=c", "/v1/", "/double/xx/axxb", "/wiki/Page", "/wiki/Page?a=b",
             "/wiki/a/b", "/x.php", "/dir/x.php", "/x.phps")
    chosen = {path: both.same(path, host="app.example") for path in paths}
    assert chosen["/api/v2/list"]["who"] == "C"
    assert chosen["/api/v2/list"]["target"] == "/list"
    assert chosen["/grafana/login"]["who"] == "C"
    assert chosen["/wiki/Page"]["target"] == "/index.php/Page"


def test_fields_that_are_changed(pair):
    both = pair("headers", status=3)
    see = ("x-edge", "x-secret", "x-backend", "cookie", "host")
    get = ("Strict-Transport-Security", "X-Frame-Options", "X-Powered-By", "Link", "Cache-Control", "X-Written",
           "X-Served-By", "Access-Control-Allow-Origin")
    for path in ("/", "/static/a.css", "/static/fonts/a", "/static"):
        for method in ("GET", "DELETE"):
            said = both.same(path, host="app.example", see=see, get=get, method=method, X_Secret="s",
                             Cookie="a=b", X_Edge="mine")
            assert (said["sent x-edge"], said["sent x-secret"]) == ("one", None)
    fields = {"method": "POST", "Content_Length": 0}
    assert both.same("/", host="app.example", get=get, see=see, **fields)["X-Written"] == ["yes"]
    # Nobody has logged in: caddy sends the placeholder, the proxy nothing, and neither what clients claim.
    sent = [json.loads(a.body)["headers"].get("x-user") for a in both.ask("/", host="app.example",
                                                                         X_User="root")]
    assert sent == ["{http.auth.user.id}", None]


def test_answers_that_are_packed(pair):
    both = pair("headers", status=3)
    for accepted in ("gzip", "zstd", "gzip;q=0", "identity", "br"):
        seen = both.ask("/", host="app.example", entry=2, Accept_Encoding=accepted)
        assert seen[0].get("Content-Encoding") == seen[1].get("Content-Encoding")
        assert "Accept-Encoding" in seen[1].get("Vary")
    for path in ("/packed/x", "/other"):
        theirs, ours = both.ask(path, host="app.example", entry=3, Accept_Encoding="gzip")
        assert theirs.get("Content-Encoding") == ours.get("Content-Encoding")
        bodies = [gzip.decompress(a.body) if a.get("Content-Encoding") else a.body for a in (theirs, ours)]
        assert [json.loads(body)["target"] for body in bodies] == [path, path]


def test_directives_have_the_order_of_caddy(pair):
    both = pair("order")
    paths = ("/", "/a", "/a/b", "/a/b/c", "/a/b/cd", "/exact", "/exact/", "/EXACT", "/exacts", "/A/upper",
             "/x.php", "/a.php", "/x.PHP", "/mid/1/x", "/mid/1/2/x", "/mid/x", "/any-suffix", "/has-inner-x",
             "/blocked/x", "/blocked", "/deep/x", "/deep/y", "/deep/er/x", "/yes", "/yes/x", "/yesterday", "/z",
             "/first", "/first/second", "/group/a", "/group/b", "/routed", "/other", "/%65xact", "//exact", "/a/./b", "/%2e/exact")
    said = {path: both.texts(path, host="app.example", get=("X-Z", "X-Group")) for path in paths}
    assert said["/exact"] == "exact" and said["/first/second"] == "first"
    assert said["/a/b/cd"] == "long" and said["/deep/x"] == "x" and said["/routed"] == "last"
    assert said["/blocked/x"] == "blocked one"


def test_paths_that_lead_elsewhere(pair):
    """What a rewrite has made of the path decides what comes after it; and an order of one's own."""
    both = pair("rewrites")
    for path in ("/", "/q1", "/q1?x=y", "/q4", "/q4?x", "/q5x?y=z", "/api/x", "/api/y", "/idx", "/end", "/other"):
        for host in ("a.example", "b.example"):
            both.same(path, host=host)
    assert both.same("/q1?x=y", host="b.example")["target"] == "/idx?a=b"
    # Where a path is part of a query, caddy escapes its slashes, which nobody has to.
    for path in ("/q2/a/b", "/q2/a?x=y", "/q3/a", "/q3/a?x=y"):
        queries = [parse_qs(json.loads(a.body)["target"].partition("?")[2])
                   for a in both.ask(path, host="b.example")]
        assert queries[0] == queries[1], path


def test_odd_ones(pair):
    both = pair("odd")
    for path in ("/", "/api", "/api/x?y=1", "/api/old", "/api/old/", "/v2/x", "/static/x", "/static/y", "/static",
                 "/STATIC/x", "/Api/old"):
        for method in ("GET", "DELETE"):
            both.same(path, host="order.example", method=method, get=("X-Api",))
    for path in ("/", "/n/x", "/?a=1", "/?a=7&b=2", "/?c", "/?c=", "/?c=1", "/?d", "/?d=", "/?d=1"):
        for fields in ({}, {"method": "POST", "Content_Length": 0}, {"X_A": 1}, {"X_B": 1}):
            both.texts(path, host="asked.example", **fields)
    assert both.texts("/", host="fallback.example", X_B=1) == "else fallback"
    get = ("Access-Control-Allow-Origin", "Access-Control-Max-Age", "Access-Control-Expose-Headers",
           "Cache-Control")
    for path in ("/", "/a.css", "/A.CSS", "/x/.git", "/.env", "/a/b.env", "/wp-admin/x", "/wp-admin", "/dir/x",
                 "/dir/x.y", "/dir/x/", "/.well-known/x", "/a./b"):
        for fields in ({}, {"method": "OPTIONS"}, {"Origin": "https://app.example"}, {"User_Agent": "a BADBOT"},
                       {"Origin": "https://other.example"}, {"User_Agent": "Mobile 1"}, {"Authorization": "x"}):
            both.same(path, host="api.example", get=get, see=("authorization",), **fields)


def test_what_cannot_be_carried_over_is_refused_not_open(pair):
    both = pair("files-and-programs", status=3)
    for host, path, who in (("files.example", "/api/x", "A"), ("spa.example", "/api/x", "A"),
                            ("odd.example", "/open/x", "B")):
        assert both.same(path, host=host)["who"] == who
    for host, path in (("files.example", "/"), ("files.example", "/x.php"), ("spa.example", "/"),
                       ("odd.example", "/a"), ("odd.example", "/"), ("pattern.example", "/")):
        assert both.ask(path, host=host)[1].status == 503
    for line in ("map {path} {target} {", "vars level high", "log {", "handle_errors {", "root * /srv/none",
                 "php_fastcgi unix//run/php.sock", "try_files", "handle @level {", "request_header -X-Internal-*"):
        assert f"'{line}" in both.imported.stderr, line


def test_files_that_are_imported(tmp_path):
    """By name and by pattern, with snippets in files of their own, and variables."""
    (tmp_path / "sites").mkdir()
    (tmp_path / "snippets.conf").write_text("(proxy) {\n\treverse_proxy 127.0.0.1:{args.0}\n}\n")
    for i, name in enumerate("ab"):
        (tmp_path / "sites" / f"{name}.caddy").write_text(f"http://{name}.example {{\n\timport proxy {i + 1}\n}}\n")
    main = tmp_path / "Caddyfile"
    main.write_text("import snippets.conf\nimport sites/*.caddy\nimport none/*\n"
                    "http://{$SALLYPORT_TEST:c.example} {\n\timport proxy 3\n}\n")
    done = run("import", "caddy", main)
    assert done.returncode == 0, done.stderr
    for host, port in (("a.example", 1), ("b.example", 2), ("c.example", 3)):
        assert f"  {host}:\n" in done.stdout and f"http://127.0.0.1:{port}]" in done.stdout
    main.write_text("import nothing.conf\n")
    done = run("import", "caddy", main)
    assert done.returncode == 1 and "nothing.conf" in done.stderr
