# SPDX-License-Identifier: Apache-2.0
"""forward-auth: an auth server that says what it is told to, and remembers what it was asked."""
import re
import socket
import threading

import pytest

from harness import PATIENCE, Client, Origin, Proxy, is_refused, ok, run
from h2_origin import H2Origin
from http2 import H2Client

LOGIN = ok("please log in", "Location: https://login.example/?rd=1\r\nSet-Cookie: flow=1; Path=/\r\n"
           "Set-Cookie: more=2\r\nX-Reason: none\r\nContent-Type: text/html\r\n", "302 Found")


def decide(request, conn):
    """By the cookie."""
    cookie = request.get("Cookie") or ""
    if "ada" in cookie:
        return ok("welcome", "Remote-User: ada\r\nRemote-Groups: staff, dev\r\nX-Token-A: a1\r\n"
                  "X-Token-B: b1\r\nAuthorization: Bearer inside\r\nSet-Cookie: session=new; Path=/\r\n"
                  "Set-Cookie: other=1\r\nX-Not-Listed: 1\r\n", "202 Accepted")
    if "nobody" in cookie:
        return ok("", "", "204 No Content")
    if "forbidden" in cookie:
        return ok("you may not", "", "403 Forbidden")
    if "broken" in cookie:
        return ok("auth server: internal error", "", "500 Internal Server Error")
    if "long" in cookie:
        return ok("x" * 5000, "", "401 Unauthorized")
    if "nonsense" in cookie:
        return b"220 smtp ready\r\n\r\n"
    if "cut" in cookie:
        conn.send("HTTP/1.1 200 OK\r\nRemote-User: root\r\nContent-Length: 100\r\n\r\nhalf")
        conn.close()
        return None
    if "silent" in cookie:
        conn.read_to_end()
        return None
    return LOGIN


SETTINGS = """
filters:
  gate:
    forward-auth:
      address: "AUTH/verify?rd=1"
      auth-response-headers: [Remote-User, Remote-Groups, Authorization]
      auth-response-headers-regex: "^X-Token-"
      add-auth-cookies-to-response: [session]
      user-header: Remote-User
      answer-max: 4KiB
  named: { forward-auth: { address: auth, path: /api/check, auth-request-headers: [X-Key] } }
  authelia: { forward-auth: { address: "AUTH", preset: authelia } }
  hasty: { forward-auth: { address: "AUTH", timeout: 300ms } }
  dead: { forward-auth: "http://127.0.0.1:DEAD" }
  reads: { forward-auth: { address: "AUTH/body", forward-body: yes, body-max: 40000, preserve-method: yes } }
services: { auth: { servers: "AUTH" } }
sites:
  a.example: { use: gate, to: "BACK" }
  named.example: { use: named, to: "BACK" }
  authelia.example: { use: authelia, to: "BACK" }
  hasty.example: { use: hasty, to: "BACK" }
  dead.example: { use: dead, to: "BACK" }
  open.example: { to: "BACK" }
  reads.example: { use: reads, to: "BACK" }
entrypoints:
  web: { listen: "127.0.0.1:0", h2c: yes }
  behind: { listen: "127.0.0.1:0", trusted-proxies: [127.0.0.1] }
access-log: { format: json }
"""


class World:
    """A proxy, an auth server and a server behind."""

    def __init__(self, folder):
        self.auth = Origin(decide)
        self.back = Origin(lambda r, c: ok("served", "Set-Cookie: session=old\r\nSet-Cookie: k=v\r\n"))
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            dead = taken.getsockname()[1]
        assert is_refused(dead)
        settings = SETTINGS.replace("AUTH", self.auth.url).replace("BACK", self.back.url)
        self.proxy = Proxy(folder, settings.replace("DEAD", str(dead)))

    def forget(self):
        for server in (self.auth, self.back):
            server.requests.clear()
            while not server.seen.empty():
                server.seen.get()

    def stop(self):
        self.proxy.stop()
        self.auth.stop()
        self.back.stop()


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("forward_auth"))
    yield world
    world.stop()


@pytest.fixture
def world(running):
    running.forget()
    return running


def get(world, cookie="", path="/", host="a.example", more="", **kwargs):
    field = f"Cookie: {cookie}\r\n" if cookie else ""
    return world.proxy.get(path, host=host, headers=field + more, **kwargs)


def test_a_request_passes_with_what_the_auth_server_says(world):
    answer = get(world, "who=ada", "/a/b?c=d")
    assert (answer.status, answer.text) == (200, "served")
    asked, served = world.auth.next_request(), world.back.next_request()
    assert (asked.method, asked.target) == ("GET", "/verify?rd=1")
    assert asked.get("Host") == world.auth.url.removeprefix("http://")
    assert asked.get("X-Forwarded-Method") == "GET" and asked.get("X-Forwarded-Uri") == "/a/b?c=d"
    assert asked.get("X-Forwarded-Host") == "a.example" and asked.get("X-Forwarded-Proto") == "http"
    assert asked.get("X-Forwarded-For") == "127.0.0.1" and asked.get("Cookie") == "who=ada"
    assert served.get("Remote-User") == "ada" and served.get("Remote-Groups") == "staff, dev"
    assert served.get("Authorization") == "Bearer inside"
    assert served.get("X-Token-A") == "a1" and served.get("X-Token-B") == "b1"
    assert served.get("X-Not-Listed") is None and served.target == "/a/b?c=d"
    assert asked.get("X-Request-Id") == served.get("X-Request-Id")
    assert sorted(answer.all("Set-Cookie")) == ["k=v", "session=new; Path=/"]
    line = world.proxy.log_lines('"/a/b')[0]
    assert '"ada"' in line and line.count('"path"') == 1


def test_whatever_else_the_auth_server_answers_is_the_clients(world):
    answer = get(world, path="/x")
    assert (answer.status, answer.text) == (302, "please log in")
    assert answer.get("Location") == "https://login.example/?rd=1"
    assert answer.all("Set-Cookie") == ["flow=1; Path=/", "more=2"]
    assert answer.get("X-Reason") == "none" and answer.all("Content-Type") == ["text/html"]
    assert (get(world, "forbidden").status, get(world, "forbidden").text) == (403, "you may not")
    assert get(world, "broken").status == 500
    with world.proxy.connect() as client: # and the connection goes on
        for _ in range(2):
            head = client.exchange(b"HEAD /x HTTP/1.1\r\nHost: a.example\r\n\r\n", "HEAD")
            assert (head.status, head.get("Content-Length"), head.body) == (302, "13", b"")
    assert not world.back.requests


def test_what_clients_say_in_these_fields_never_arrives(world):
    """The client's own copies are dropped first, whatever the auth server says, and in trailers."""
    forged = "Remote-User: root\r\nremote_user: root\r\nREMOTE-GROUPS: wheel\r\nX_Token_A: x\r\n" \
        "X-Token-Z: z\r\nx-token_b: z\r\n"
    assert get(world, "nobody", more=forged + "Authorization: Basic eA==\r\n").status == 200
    served = world.back.next_request()
    names = {name.lower().replace("_", "-") for name, _ in served.headers}
    assert not names & {"remote-user", "remote-groups", "authorization"}
    assert not any(name.startswith("x-token-") for name in names)
    assert get(world, "ada", more=forged).status == 200
    served = world.back.next_request()
    assert served.all("Remote-User") == ["ada"] and served.all("X-Token-A") == ["a1"]
    assert not [n for n, _ in served.headers if "_" in n or n == "X-Token-Z"]
    assert get(world, more=forged, host="open.example").status == 200
    assert world.back.next_request().get("Remote-User") is None
    body = b"3\r\nabc\r\n0\r\nRemote-User: root\r\nX-Token-Q: q\r\nx_token_r: r\r\nX-Fine: yes\r\n\r\n"
    answer = get(world, "ada", method="POST", body=body,
                 more="Transfer-Encoding: chunked\r\nTE: trailers\r\n")
    assert answer.status == 200
    assert [n for n, _ in world.back.next_request().trailers] == ["X-Fine"]


def test_clients_cannot_mislead_the_auth_server(world):
    forged = "X-Forwarded-Uri: /public\r\nX-Forwarded-Method: OPTIONS\r\nX-Forwarded-Host: b.example\r\n" \
        "X_Forwarded_Uri: /public\r\nX-Original-URL: http://b/\r\nX-Forwarded-For: 10.0.0.1\r\n" \
        "X_Original_Url: http://b/\r\nX-Forwarded-Proto: https\r\nIf-None-Match: *\r\nRange: bytes=0-0\r\n"
    with Client(world.proxy.ports["web"]) as client:
        client.exchange(f"POST /private HTTP/1.1\r\nHost: a.example\r\nCookie: ada\r\n{forged}"
                        "Content-Length: 3\r\nContent-Type: text/plain\r\n\r\nabc".encode())
    asked = world.auth.next_request()
    assert asked.all("X-Forwarded-Uri") == ["/private"]
    assert asked.all("X-Forwarded-Method") == ["POST"]
    assert asked.all("X-Forwarded-Host") == ["a.example"]
    assert asked.all("X-Forwarded-Proto") == ["http"]
    assert asked.all("X-Forwarded-For") == ["127.0.0.1"]
    for name in ("X_Forwarded_Uri", "X-Original-URL", "X_Original_Url", "If-None-Match", "Range",
                 "Content-Length", "Content-Type"):
        assert asked.get(name) is None, name
    assert world.back.next_request().get("If-None-Match") == "*"
    # A trusted proxy is believed about the client and the URL's scheme, and not about what is asked
    # for: it may pass on a host that the client has made up.
    with Client(world.proxy.ports["behind"]) as client:
        client.exchange(f"GET /private HTTP/1.1\r\nHost: a.example\r\nCookie: ada\r\n{forged}\r\n"
                        .encode())
    asked = world.auth.next_request()
    assert asked.all("X-Forwarded-Uri") == ["/private"] and asked.all("X-Forwarded-Method") == ["GET"]
    assert asked.all("X-Forwarded-For") == asked.all("X-Real-IP") == ["10.0.0.1"]
    assert asked.all("X-Forwarded-Proto") == ["https"]
    assert asked.all("X-Forwarded-Host") == ["a.example"]


@pytest.mark.parametrize("kind", ["length", "chunks", "expect", "h2"])
def test_the_auth_server_may_get_the_body_as_well(world, kind):
    body = bytes(range(256)) * 150
    fields = "Host: reads.example\r\nCookie: nobody\r\nContent-Type: text/x\r\n"
    if kind == "h2":
        with H2Client(world.proxy.ports["web"]) as client:
            stream = client.request("/up", "reads.example", "PUT", more=[("cookie", "nobody")], end=False)
            for at in range(0, len(body), 9600):
                client.data(stream, body[at:at + 9600], end=at + 9600 == len(body))
            assert client.answer(stream).status == 200
    else:
        with world.proxy.connect() as client:
            if kind == "chunks":
                client.send(f"PUT /up HTTP/1.1\r\n{fields}Transfer-Encoding: chunked\r\n\r\n")
                for at in range(0, len(body), 9000):
                    piece = body[at:at + 9000]
                    client.send(b"%x\r\n%s\r\n" % (len(piece), piece))
                client.send(b"0\r\n\r\n")
            elif kind == "expect":
                client.send(f"PUT /up HTTP/1.1\r\n{fields}Content-Length: {len(body)}\r\n"
                            "Expect: 100-continue\r\n\r\n")
                assert client.read_head().status == 100
                client.send(body)
            else:
                client.send(f"PUT /up HTTP/1.1\r\n{fields}Content-Length: {len(body)}\r\n\r\n".encode()
                            + body)
            assert client.read_answer().status == 200
    asked, served = world.auth.next_request(), world.back.next_request()
    assert (asked.method, asked.target, served.method) == ("PUT", "/body", "PUT")
    assert asked.body == served.body == body
    assert asked.all("Content-Length") == served.all("Content-Length") == [str(len(body))]
    assert kind == "h2" or asked.get("Content-Type") == "text/x"


@pytest.mark.parametrize("fields", ["Content-Length: 40001", "Transfer-Encoding: chunked"])
def test_nobody_is_asked_about_bodies_that_are_too_long(world, fields):
    with world.proxy.connect() as client:
        client.send(f"POST /overlong HTTP/1.1\r\nHost: reads.example\r\n{fields}\r\n\r\n")
        if "chunked" in fields:
            client.send(b"9c41\r\n" + b"x" * 40001)
        assert client.read_answer().status == 413
    assert not world.auth.requests and not world.back.requests
    assert "longer than 'body-max'" in world.proxy.log_lines('"/overlong"')[0]


def test_hosts_have_one_spelling_for_the_auth_server(world):
    for host, told in (("A.Example.", "a.example"), ("a.EXAMPLE:81", "a.example:81")):
        assert get(world, "ada", host=host).status == 200
        assert world.auth.next_request().all("X-Forwarded-Host") == [told]
    assert get(world, "ada", host="NAMED.example.").status == 302
    assert world.auth.next_request().get("Host") == "named.example"


def test_an_auth_server_that_does_not_answer_lets_nobody_pass(world):
    """Fail closed: 503, with nothing of the inside, and the reason in the log."""
    for cookie, host, why in (("nonsense", "a.example", "malformed answer"),
                              ("cut", "a.example", "closed in the middle"),
                              ("long", "a.example", "longer than 'answer-max'"),
                              ("silent", "hasty.example", "no answer in time")):
        before = len(world.proxy.err)
        answer = get(world, cookie, "/" + cookie, host)
        assert answer.status == 503, cookie
        assert "auth" not in answer.text and "127.0.0.1" not in answer.text
        world.proxy.wait_line(rf"/{cookie}: 503, .*filter \w+: .*{re.escape(why)}",
                              world.proxy.err, since=before)
        assert f"filter {host.replace('a.example', 'gate').removesuffix('.example')} failed" in world.proxy.log_lines(f'"/{cookie}"')[0]
    assert get(world, host="dead.example").status == 503
    assert not world.back.requests


def test_a_service_can_be_asked_and_fields_chosen(world):
    answer = get(world, "ada", host="named.example", more="X-Key: k\r\nX-Other: o\r\n")
    asked = world.auth.next_request()
    assert (answer.status, asked.target) == (302, "/api/check")  # its cookie isn't sent on
    assert asked.get("X-Key") == "k" and asked.get("Host") == "named.example"
    assert asked.get("X-Other") is None and asked.get("Cookie") is None
    assert asked.get("X-Forwarded-Host") == "named.example"


def test_presets_know_their_auth_servers(world):
    assert get(world, "ada", "/p", "authelia.example").status == 200
    assert world.auth.next_request().target == "/api/authz/forward-auth"
    served = world.back.next_request()
    assert served.get("Remote-User") == "ada" and served.get("X-Token-A") is None


def test_clients_of_http2_are_asked_about_too(world):
    with H2Client(world.proxy.ports["web"]) as client:
        answer = client.get("/h2", "a.example", more=[("cookie", "ada"), ("remote-user", "root")])
        assert (answer.status, answer.text) == (200, "served")
        assert world.back.next_request().all("Remote-User") == ["ada"]
        answer = client.get("/h2", "a.example")
        assert (answer.status, answer.get("location")) == (302, "https://login.example/?rd=1")


def test_an_auth_server_may_speak_http2(start, origin):
    """Over one connection, with answers of all kinds, and a time-out that resets its stream alone."""
    def answer(stream):
        cookie = stream["cookie"] or ""
        if "silent" in cookie:
            stream.was_reset.wait(PATIENCE)
        elif "ada" in cookie:
            stream.answer(b"", 200, [("remote-user", "ada")])
        else:
            stream.answer(b"no", 403)
    auth, back = H2Origin(answer), origin(lambda r, c: "served")
    proxy = start(f"""
filters:
  f: {{ forward-auth: {{ address: "{auth.url}/v", preset: authelia }} }}
  hasty: {{ forward-auth: {{ address: "{auth.url}/v", preset: authelia, timeout: 300ms }} }}
sites: {{ a.example: {{ use: f, to: "{back.url}" }}, b.example: {{ use: hasty, to: "{back.url}" }} }}
""")
    try:
        for host, cookie, status in (("a.example", "ada", 200), ("a.example", "eve", 403),
                                     ("b.example", "silent", 503), ("a.example", "ada", 200)):
            assert proxy.get(host=host, headers=f"Cookie: {cookie}\r\n").status == status, cookie
        assert [r.get("Remote-User") for r in back.requests] == ["ada", "ada"]
        assert len(auth.connections) == 1
    finally:
        auth.stop()


def test_an_upgrade_passes_or_is_refused(world, start, origin):
    def upgrade(request, conn):
        conn.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
        conn.send(conn.read_until(b"\n").upper())
    server = origin(upgrade)
    proxy = start(f"""
filters: {{ f: {{ forward-auth: {{ address: "{world.auth.url}", add-auth-cookies-to-response: session }} }} }}
sites: {{ a.example: {{ use: f, to: "{server.url}" }} }}
""")
    head = "GET /ws HTTP/1.1\r\nHost: a.example\r\nUpgrade: x\r\nConnection: Upgrade\r\n"
    with proxy.connect() as client:
        client.send(head + "Cookie: ada\r\n\r\n")
        answer = client.read_head()
        assert answer.status == 101 and answer.get("Set-Cookie") == "session=new; Path=/"
        client.send("hello\n")
        assert client.read_until(b"\n") == b"HELLO\n"
    assert world.auth.next_request().get("Upgrade") is None
    with proxy.connect() as client:
        assert client.exchange((head + "\r\n").encode()).status == 302


def test_a_client_that_goes_takes_its_question_along(world):
    client = Client(world.proxy.port)
    client.send("GET /gone HTTP/1.1\r\nHost: a.example\r\nCookie: silent\r\n\r\n")
    world.auth.next_request()
    client.reset()
    line = world.proxy.log_lines('"/gone"')[0]
    assert "client-gone" in line
    assert not world.back.requests


def test_many_ask_at_once_over_kept_connections(world):
    done = []

    def client():
        with world.proxy.connect() as c:
            for _ in range(20):
                head = b"GET / HTTP/1.1\r\nHost: a.example\r\nCookie: ada\r\n\r\n"
                done.append(c.exchange(head).status)
    threads = [threading.Thread(target=client) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(PATIENCE)
    assert done == [200] * 160
    assert len(world.auth.requests) == len(world.back.requests) == 160


@pytest.mark.parametrize("settings, said", [
    ("nowhere", "there is no service 'nowhere'"),
    ("{ address: 'tcp://10.0.0.1:1' }", "the filter makes requests"),
    ("{ address: 'http://10.0.0.1/a', path: /b }", "has a path already"),
    ("{ address: 'http://10.0.0.1', path: b }", "'b' is no path"),
    ("{ address: 'http://10.0.0.1', auth-response-headers: [Content-Length] }", "frames the message"),
    ("{ address: 'http://10.0.0.1', auth-response-headers-regex: '(' }", "in the expression"),
])
def test_mistakes_are_told_with_their_place(tmp_path, settings, said):
    file = tmp_path / "s.yaml"
    file.write_text(f"filters:\n  f:\n    forward-auth: {settings}\n"
                    "sites: { a.example: { use: f, to: 'http://10.0.0.2' } }\n")
    done = run("check", "-c", file, check=1)
    assert re.search(r"s\.yaml:3:\d+: error: .*" + re.escape(said), done.stdout + done.stderr)


def test_explain_says_who_is_asked(tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text("filters: { f: { forward-auth: { address: 'http://10.0.0.1:9091', preset: authelia } } }\n"
                    "sites: { a.example: { use: f, to: 'http://10.0.0.2' } }\n")
    done = run("explain", "-c", file, "http://a.example/", check=0)
    assert "asks http://10.0.0.1:9091 for /api/authz/forward-auth; servers get: Remote-User" in done.stdout
