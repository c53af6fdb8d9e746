# SPDX-License-Identifier: Apache-2.0
"""nginx's configuration, converted: Debian's nginx beside the result, the same requests to both, and
the same answers. The files in nginx/ are as people write them; @P1@ and its like are ports and
addresses of the test."""
import base64
import json
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from harness import Origin, Process, Proxy, free_ports, ok, run, wait_until
from test_import_haproxy import Pair, World, ask_tls

FILES = Path(__file__).parent / "nginx"
pytestmark = pytest.mark.skipif(not shutil.which("nginx"), reason="needs nginx")
AROUND = "events {{ }}\nhttp {{\n{}\n}}\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    shared = World(tmp_path_factory.mktemp("nginx"))
    password = subprocess.run(["openssl", "passwd", "-apr1", "secret"], capture_output=True, text=True,
                              check=True).stdout
    for folder in (shared.certs, shared.pages):
        (folder / "users").write_text(f"ada:{password}")
        (folder / "users").chmod(0o644)

    def verify(request, _):
        return ok("", "Remote-User: ada\r\n") if request.get("X-Token") == "good" else ok("", status=401)

    shared.origins["VERIFY"] = Origin(verify)
    yield shared
    shared.stop()


class NginxPair(Pair):
    """nginx and the proxy, each with its ports."""

    def __init__(self, world, name, folder, status=0):
        text = (FILES / f"{name}.conf").read_text()
        n = len(set(re.findall(r"@(P\d)@", text)))
        ports = free_ports(2 * n)
        self.theirs, self.ours = ports[:n], ports[n:]
        folder.mkdir(exist_ok=True)
        converted = folder / "converted.yaml"
        (folder / "ours.conf").write_text(self.fill(world, text, self.ours))
        self.imported = run("import", "nginx", folder / "ours.conf", "-o", converted)
        assert self.imported.returncode == status, self.imported.stderr
        self.settings = converted.read_text()
        theirs = self.fill(world, text, self.theirs)
        theirs = theirs if "http {" in theirs else AROUND.format(theirs)
        theirs = theirs.replace("http {", "http { access_log off;", 1)
        theirs = theirs.replace("include mime.types", "include /etc/nginx/mime.types")
        (folder / "theirs.conf").write_text(theirs)
        self.peer = Process(["nginx", "-c", str(folder / "theirs.conf"), "-g",
                             f"user root; daemon off; pid {folder}/nginx.pid; error_log stderr;"], cwd=folder)
        self.proxy = Proxy(folder / "p", self.settings)
        for port in self.theirs:
            wait_until(lambda: self._listens(port), "nginx\n" + "\n".join(self.peer.err))

    @staticmethod
    def fill(world, text, ports):
        folder = "ssl_certificate" in text
        return world.fill(text.replace("@CERTS@", str(world.certs if folder else world.pages)), ports)


@pytest.fixture
def pair(world, tmp_path):
    running = []

    def go(name, status=0):
        running.append(NginxPair(world, name, tmp_path / "x", status))
        return running[-1]

    yield go
    for each in running:
        each.stop()


def test_a_site_of_certbot(pair):
    both = pair("certbot-site")
    assert " 0 not carried over" in both.imported.stderr
    for path in ("/", "/a?b=c"):
        for host in ("app.example.com", "WWW.app.example.com"):
            status = {a.status for a in both.ask(path, host=host)}
            assert status == {301}
            for answer, port in zip(both.ask(path, host=host), (both.theirs, both.ours)):
                # nginx leads to the usual port, the proxy to that of its entrypoint.
                where = answer.get("Location").replace(f":{port[1]}", "")
                assert where == f"https://{host.lower()}{path}"
    for port in both.ports(2):
        seen = [ask_tls(port, "app.example.com")[0] for _ in range(4)]
        assert sorted(json.loads(a.body)["who"] for a in seen) == ["A", "A", "B", "B"]
        assert {a.get("Strict-Transport-Security") for a in seen} == {"max-age=31536000"}
        assert {json.loads(a.body)["headers"]["x-forwarded-proto"] for a in seen} == {"https"}
        assert {json.loads(a.body)["headers"]["host"] for a in seen} == {"app.example.com"}


def test_locations_are_found_in_the_same_order(pair):
    both = pair("locations")
    paths = ("/", "/x", "/exact", "/exact/x", "/docs/", "/docs/a", "/docs/older", "/static/x",
             "/static/x.php", "/static/app/x", "/static/app/x.php", "/a.php", "/a.phpx", "/a.PHP",
             "/b.png", "/b.JPG", "/user/12/mail", "/user/x/mail", "/a%20b/c", "/outer/x",
             "/outer/inner/x", "/outer/x.php")
    chosen = {path: both.same(path)["who"] for path in paths}
    # nginx sends on what the client sent, and the proxy what it matched.
    for path, who in (("//docs//a", "B"), ("/docs/../exact", "C"), ("/%64ocs/a", "B")):
        assert [json.loads(answer.body)["who"] for answer in both.ask(path)] == [who, who]
    assert set(chosen.values()) == {"A", "B", "C"}
    assert (chosen["/static/x.php"], chosen["/static/app/x.php"]) == ("C", "B")


def test_locations_inside_locations_protect_what_they_did(pair):
    both = pair("nested", status=3)
    paths = ("/", "/public/x", "/public/x.php", "/admin/x.php", "/public/firm/x", "/public/firm/x.php",
             "/public/apart/x", "/public/apart/x.php", "/firm/x", "/firm/x.secret", "/firm/in/x",
             "/firm/in/x.php", "/firm/in/x.secret", "/x.secret", "/inside/x", "/inside/too/x", "/shut/x",
             "/shut%2Fx", "/a/..%2fshut/x")
    for path in paths:
        theirs, ours = both.ask(path)
        assert theirs.status == ours.status, path
        if theirs.status == 200:
            assert json.loads(theirs.body)["who"] == json.loads(ours.body)["who"], path
    for answer in both.ask("/who/x", X_User="root"):
        assert "x-user" not in json.loads(answer.body)["headers"]


def test_paths_and_hosts(pair, world):
    both = pair("paths-and-hosts")
    for path in ("/strip/a/b?c=d", "/strip/", "/swap/a", "/keep/a", "/one", "/one?a=b", "/named/a%20b",
                 "/host/a", "/fixed/a", "/answer/a"):
        said = both.same(path, see=("host", "x-own", "x-level"), get=("X-Added", "X-Powered-By"))
        assert said["status"] == 200
    assert both.same("/strip/a?b", see=())["target"] == "/a?b"
    assert both.same("/swap/a")["target"] == "/base/a"


def test_upstreams(pair):
    both = pair("upstreams")
    for path, share in (("/weighted", {"A": 9, "B": 3}), ("/spare", {"B": 12}), ("/down", {"C": 12})):
        for seen in zip(*[[json.loads(a.body)["who"] for a in both.ask(path)] for _ in range(12)]):
            assert {who: seen.count(who) for who in set(seen)} == share, path
    spread = [[json.loads(a.body)["who"] for a in both.ask(f"/by-path/{i}")] for i in range(30)]
    assert all(len(set(column)) == 3 for column in zip(*spread))
    for path in ("/by-path/1", "/by-address"):
        for seen in zip(*[[json.loads(a.body)["who"] for a in both.ask(path)] for _ in range(6)]):
            assert len(set(seen)) == 1


def test_who_may_pass(pair):
    both = pair("who-may-pass")
    good = "Basic " + base64.b64encode(b"ada:secret").decode()
    bad = "Basic " + base64.b64encode(b"ada:wrong").decode()
    for path in ("/", "/inside/x", "/outside/x", "/nobody/x", "/but-one/x", "/staff/x", "/staff/open/x",
                 "/.htpasswd", "/a/.ht", "/bots/x"):
        both.same(path)
        both.same(path, Authorization=bad)
        both.same(path, Authorization=good)
        both.same(path, User_Agent="a BadBot 1")
    assert both.same("/staff/x")["status"] == 401
    assert both.same("/nobody/x")["status"] == 403
    for key in ("one", "two"):
        statuses = [both.same("/limited/x", X_Key=key)["status"] for _ in range(5)]
        assert statuses == [200, 200, 200, 429, 429]


def test_answers_and_rewrites(pair):
    both = pair("answers")
    for path in ("/text", "/gone", "/moved/a?b=c", "/found", "/foundling", "/item/12", "/item/x",
                 "/shop/a/b?c=d", "/wiki/Page", "/wiki/a/b", "/blog/a/b", "/blog/x?y=z", "/temp/x", "/x"):
        theirs, ours = both.ask(path)
        assert theirs.status == ours.status, path
        for answer, port in ((theirs, both.theirs[0]), (ours, both.ours[0])):
            # nginx makes locations whole, with its own port.
            answer.where = (answer.get("Location") or "").replace(f"http://test.example:{port}", "")
        assert theirs.where.replace("http://test.example", "") == ours.where.replace(
            "http://test.example", ""), path
        if theirs.status == 200 and path != "/text":
            assert json.loads(theirs.body)["target"] == json.loads(ours.body)["target"], path
        if theirs.status in (200, 301, 302):
            assert theirs.get("X-From") == ours.get("X-From") == "nginx", path
    assert both.ask("/text")[1].text == "hello\n"


def test_names_and_the_default(pair):
    both = pair("sites-enabled")
    for host in ("a.example", "A.example", "wide.example", "x.wide.example", "shop12.example",
                 "shopx.example", "stranger.example", "1.2.3.4"):
        for path in ("/", "/ping"):
            both.same(path, host=host)
    for host in ("a.example",):
        assert both.same("/", host=host, entry=2)["who"] == "C"
    assert both.ask("/ping", host="stranger.example")[1].text == "pong\n"


def test_names_of_every_kind(pair):
    """Whom a name belongs to: exact ones, the longest with a star, expressions in their order, and the
    default of each port, of which a port has one however many servers have no name."""
    both = pair("names")
    for host in ("my_app.example.com", "_srv.example.com", "wide.example", "x.wide.example", "a.b.wide.example",
                 "both.example", "x.both.example", "exact.both.example", "deep.wide.example",
                 "x.deep.wide.example", "deep.other.example", "www.tail.example", "www.tail.co.example",
                 "www.tailx.example", "xwide.example", "shop7.example", "www.second.example", "stranger.example"):
        both.same("/a", host=host)
        both.same("/a", host=host, entry=2)
    said = both.same("/", host="my_app.example.com", see=("x_token",), get=("X_Answer",))
    assert said["sent x_token"] == "ours" and said["X_Answer"] == ["yes"]
    # A client's own "X_User" is dropped by nginx with all names that have a '_', and by the line here.
    for answer in both.ask("/", host="my_app.example.com", headers={"X_User": "root", "X_Token": "theirs"}):
        told = json.loads(answer.body)["headers"]
        assert "x_user" not in told and told["x_token"] == "ours"


def test_what_cannot_be_carried_over_is_refused_not_open(pair):
    both = pair("files-and-programs", status=3)
    ours = {path: both.ask(path)[1].status for path in (
        "/", "/x.php", "/where/?to=127.0.0.1:1", "/checked/x", "/secret/x", "/auth/x", "/verify")}
    assert ours == {"/": 503, "/x.php": 503, "/where/?to=127.0.0.1:1": 503, "/checked/x": 503,
                    "/secret/x": 503, "/auth/x": 404, "/verify": 404}
    assert both.same("/api/x")["who"] == "A"
    assert [a.status for a in both.ask("/guarded/x")] == [401, 401]
    said = both.same("/guarded/x", X_Token="good", see=("remote-user",))
    assert said["sent remote-user"] == "ada"
    for line in ("try_files", "fastcgi_pass", "valid_referers", "if ($cookie_beta = yes)"):
        assert line in both.imported.stderr
    assert re.search(r"\d+ refused instead", both.imported.stderr)


def test_a_dump_of_all_files_is_one_configuration(tmp_path):
    """`nginx -T`: includes with patterns are found in it."""
    dump = tmp_path / "all.conf"
    dump.write_text(
        "nginx: the configuration file /etc/nginx/nginx.conf syntax is ok\n"
        "# configuration file /etc/nginx/nginx.conf:\n"
        "events {}\nhttp { include mime.types; include conf.d/*.conf; include sites/main; }\n"
        "# configuration file /etc/nginx/conf.d/a.conf:\n"
        "server { server_name a.example; location / { proxy_pass http://127.0.0.1:1; } }\n"
        "# configuration file /etc/nginx/conf.d/b.conf:\n"
        "server { server_name b.example;\nlocation / { proxy_pass http://127.0.0.1:2; } }\n"
        "# configuration file /etc/nginx/other/c.conf:\n"
        "server { server_name c.example; location / { proxy_pass http://127.0.0.1:3; } }\n"
        "# configuration file /etc/nginx/sites/main:\n"
        "server { server_name d.example; location / { proxy_pass http://127.0.0.1:4; } }\n")
    done = run("import", "nginx", dump)
    assert done.returncode == 0, done.stderr
    assert [name for name in "abcd" if f"{name}.example" in done.stdout] == ["a", "b", "d"]
    assert "line 8: " in done.stdout  # of the dump
