# SPDX-License-Identifier: Apache-2.0
"""Filters that shape requests and answers, by what clients and servers see of them. One proxy has a
site for each; the server says what a request asks it to say."""
import json

import pytest

from harness import Origin, Proxy, ok, run
from http2 import H2Client

SETTINGS = """
entrypoints:
  web: {{ listen: '127.0.0.1:0', h2c: yes }}
  outer: {{ listen: '127.0.0.1:0', use: [security-headers, outside] }}
  tidy: {{ listen: '127.0.0.1:0', use: [tidy] }}
filters:
  outside: {{ headers: {{ response: {{ set: {{ X-Outside: yes }} }} }} }}
  framed: {{ security-headers: {{ frame-ancestors: ["'self'"], replace: yes, remove: [] }} }}
  api: {{ cors: {{ origins: ["https://*.app.example"], methods: [GET, PUT], headers: [X-Token],
                   expose: [X-Total], credentials: yes, max-age: 5m }} }}
  public: {{ cors: "*" }}
  readers: {{ methods: {{ allow: [GET, POST], answer-options: yes }} }}
  small: {{ body-limit: 1000 }}
  tidy: {{ path-policy: {{ encoded-slashes: decode, backslashes: slash, empty-segments: merge,
                           upper-case: lower, dot-segments: refuse }} }}
  wiki: {{ rewrite: {{ from: "^/wiki/([^/]+)$", to: "/index.php?title=$1" }} }}
  by-query: {{ rewrite: {{ from: '^/f\\?p=(.*)$', to: "/files/$1", with-query: yes }} }}
  renamed: {{ redirect: {{ from: "^/(?<year>[0-9]{{4}})/(.*)$", to: "https://new.example/$2?y=${{year}}" }} }}
  kept: {{ cookies: {{ names: ["session"], secure: always, http-only: yes, same-site: Lax }} }}
  works-for-others: {{ maintenance: {{ except: [127.0.0.0/8] }} }}
  works: {{ maintenance: {{ retry-after: 1h, except-paths: [/healthz], file: '{page}' }} }}
  soon: {{ try-later: {{ retry-after: 7s, statuses: [503] }} }}
  pages:
    error-pages:
      - {{ statuses: 404, file: '{page}' }}
      - {{ statuses: 418, service: '{url}', path: "/page/{{status}}" }}
      - {{ statuses: 500-599 }}
  quick: {{ timeout: 300ms }}
  whole: {{ timeout: {{ exchange: 500ms }} }}
  secret: {{ respond: {{ status: 403, body: secret }} }}
sites:
  api.example: {{ use: [api], to: app }}
  public.example: {{ use: [public], to: app }}
  readers.example: {{ use: [readers], to: app }}
  small.example: {{ use: [small], to: app }}
  rewrite.example: {{ use: [wiki, by-query, renamed], to: app }}
  cookies.example: {{ use: [kept], to: app }}
  works.example: {{ use: [works], to: app }}
  open.example: {{ use: [works-for-others], to: app }}
  soon.example: {{ use: [soon], to: app }}
  dead.example: {{ use: [soon], to: 'http://127.0.0.1:1' }}
  pages.example: {{ use: [pages], to: app }}
  gone.example: {{ use: [pages], to: 'http://127.0.0.1:1' }}
  quick.example: {{ use: [quick], to: app }}
  whole.example: {{ use: [whole], to: app }}
  strict.example: {{ use: [path-policy], to: app }}
  tidy.example:
    to: app
    routes: [{{ match: "PathPrefix(`/admin/`)", use: [secret], to: app }}]
  plain.example: {{ use: [security-headers], to: app }}
  framed.example: {{ use: [framed], to: app }}
services:
  app: {{ servers: ['{url}'] }}
"""


def say(request, conn):
    """An answer with the status of X-Status and the fields of X-Say ("Name: value|Name: value")."""
    if request.target == "/silent":
        return conn.read_to_end() and None
    if request.target == "/stuck":
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        return conn.read_to_end() and None
    lines = "".join(f"{line}\r\n" for line in (request.get("X-Say") or "").split("|") if line)
    return ok(f"{request.method} {request.target}", lines, request.get("X-Status") or "200 OK")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    server = Origin(say)
    folder = tmp_path_factory.mktemp("shaping")
    page = folder / "page.html"
    page.write_text("<h1>{status} {reason}</h1>{request-id}")
    proxy = Proxy(folder, SETTINGS.format(url=server.url, page=page))
    proxy.server = server
    yield proxy
    proxy.stop()
    server.stop()


def asked(*lines, status=None):
    """Header fields of a request that make the server say these."""
    return f"X-Say: {'|'.join(lines)}\r\n" + (f"X-Status: {status}\r\n" if status else "")


# --- security-headers ---

TELLING = ["Server: Apache/2.4.1 (Debian)", "X-Powered-By: PHP/5", "X-AspNet-Version: 4",
           "Via: 1.1 inner"]


def test_a_name_alone_brings_the_safe_defaults(world):
    """S4-11: with the preset of security-headers, without an entry under filters."""
    answer = world.get(host="plain.example", headers=asked(*TELLING, "Referrer-Policy: origin"))
    assert answer.get("X-Content-Type-Options") == "nosniff"
    assert answer.get("X-Frame-Options") == "SAMEORIGIN"
    assert answer.all("Referrer-Policy") == ["origin"]
    assert answer.get("Cross-Origin-Opener-Policy") == "same-origin-allow-popups"
    assert "microphone=()" in answer.get("Permissions-Policy")
    assert answer.get("Content-Security-Policy") is None
    for line in TELLING:
        assert answer.get(line.split(":")[0]) is None, line


def test_fields_can_be_other_than_the_defaults(world):
    answer = world.get(host="framed.example", headers=asked(
        *TELLING, "X-Frame-Options: ALLOW", "Referrer-Policy: origin",
        "Content-Security-Policy: img-src *"))
    assert answer.all("Content-Security-Policy") == ["img-src *", "frame-ancestors 'self'"]
    assert answer.get("Referrer-Policy") == "strict-origin-when-cross-origin"
    assert answer.get("Server") == "Apache/2.4.1 (Debian)"


def test_clients_of_http2_get_security_headers_too(world):
    with H2Client(world.port) as client:
        answer = client.get(host="plain.example", more=[("x-say", "|".join(TELLING))])
        assert answer.get("x-frame-options") == "SAMEORIGIN"
        assert answer.get("server") is None and answer.get("x-powered-by") is None


def test_filters_of_an_entrypoint_are_for_all_its_requests(world):
    for host in ["plain.example", "framed.example", "nobody.example"]:
        answer = world.get(host=host, port=world.ports["outer"])
        assert answer.get("X-Outside") == "yes"
        assert answer.get("X-Content-Type-Options") == "nosniff"
        assert answer.status == (404 if host == "nobody.example" else 200)
        assert world.get(host=host).get("X-Outside") is None


def test_explain_shows_the_filters_of_entrypoints_first(world):
    shown = run("explain", "-c", world.file, "--entrypoint", "outer", "http://plain.example/", check=0).stdout
    lines = [line.split()[1] for line in shown.splitlines() if line.startswith("  filter")]
    assert lines == ["security-headers", "outside", "security-headers"]
    assert shown.index("outside") < shown.index("  takes")


def test_a_tcp_entrypoint_has_no_requests_to_filter(tmp_path):
    (tmp_path / "s.yaml").write_text(
        "entrypoints: { db: { listen: ':1', protocol: tcp, use: [security-headers] } }\n"
        "routes: [{ match: 'HostSNI(`*`)', to: 'tcp://127.0.0.1:1' }]\n")
    done = run("check", "-c", tmp_path / "s.yaml")
    assert done.returncode == 1 and "no requests to filter" in done.stderr


# --- cors ---

def n_requests(world):
    return len(world.server.requests)


def preflight(origin, method="PUT", more=""):
    return f"Origin: {origin}\r\nAccess-Control-Request-Method: {method}\r\n{more}"


def test_preflights_are_answered_here(world):
    before = n_requests(world)
    answer = world.get(host="api.example", method="OPTIONS", headers=preflight(
        "https://a.app.example", more="Access-Control-Request-Headers: x-token\r\n"))
    assert (answer.status, answer.body) == (204, b"")
    assert answer.get("Access-Control-Allow-Origin") == "https://a.app.example"
    assert answer.get("Access-Control-Allow-Methods") == "GET, PUT"
    assert answer.get("Access-Control-Allow-Headers") == "X-Token"
    assert answer.get("Access-Control-Allow-Credentials") == "true"
    assert answer.get("Access-Control-Max-Age") == "300"
    assert "Origin" in answer.all("Vary")
    for origin in ["https://app.example", "https://a.app.example.evil", "null", "https://evil"]:
        answer = world.get(host="api.example", method="OPTIONS", headers=preflight(origin))
        assert answer.status == 403
        assert answer.get("Access-Control-Allow-Origin") is None
    assert n_requests(world) == before


def test_answers_carry_our_fields_of_cors_alone(world):
    own = asked("Access-Control-Allow-Origin: *", "Access-Control-Allow-Methods: *", "Vary: Accept")
    answer = world.get(host="api.example", headers=own + "Origin: https://a.app.example\r\n")
    assert answer.all("Access-Control-Allow-Origin") == ["https://a.app.example"]
    assert answer.get("Access-Control-Expose-Headers") == "X-Total"
    assert answer.get("Access-Control-Allow-Methods") is None
    assert answer.all("Vary") == ["Accept", "Origin"]
    for headers in [own, own + "Origin: https://evil\r\n"]:
        answer = world.get(host="api.example", headers=headers)
        assert answer.status == 200 and answer.all("Vary") == ["Accept", "Origin"]
        assert answer.get("Access-Control-Allow-Origin") is None


def test_cors_for_everybody_is_the_same_for_all(world):
    with H2Client(world.port) as client:
        for more in [[], [("origin", "https://any.example")]]:
            answer = client.get(host="public.example", more=more)
            assert answer.get("access-control-allow-origin") == "*"
            assert answer.get("vary") is None


# --- methods ---

@pytest.mark.parametrize("method, status", [
    ("GET", 200), ("HEAD", 200), ("POST", 200), ("PUT", 405), ("get", 405), ("OPTIONS", 204),
    ("PROPFIND", 405)])
def test_only_listed_methods_reach_the_server(world, method, status):
    before = n_requests(world)
    answer = world.get(host="readers.example", method=method,
                       headers="X-HTTP-Method-Override: DELETE\r\nContent-Length: 0\r\n")
    assert answer.status == status
    assert n_requests(world) == before + (status == 200)
    if status == 200:
        assert world.server.requests[-1].get("X-HTTP-Method-Override") is None
    else:
        assert answer.get("Allow") == "GET, POST, HEAD, OPTIONS"


# --- body-limit ---

def test_a_body_that_says_that_it_is_too_large_is_refused_at_once(world):
    before = n_requests(world)
    with world.connect() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: small.example\r\nContent-Length: 1001\r\n"
                    b"Expect: 100-continue\r\n\r\n")
        assert client.read_answer().status == 413
    with H2Client(world.port) as client:
        stream = client.request(host="small.example", method="POST", end=False,
                                more=[("content-length", "1001")])
        assert client.answer(stream).status == 413
    assert n_requests(world) == before
    assert world.get(host="small.example", method="POST", headers="Content-Length: 1000\r\n",
                     body=b"x" * 1000).status == 200


def test_a_body_of_unknown_length_is_counted(world):
    head = b"POST / HTTP/1.1\r\nHost: small.example\r\nTransfer-Encoding: chunked\r\n\r\n"
    for n, status in [(1000, 200), (1001, 413)]:
        with world.connect() as client:
            client.send(head + b"%x\r\n" % (n - 10) + b"x" * (n - 10) + b"\r\n")
            client.send(b"a\r\n0123456789\r\n0\r\n\r\n")
            assert client.read_answer().status == status
        with H2Client(world.port) as client:
            stream = client.request(host="small.example", method="POST", end=False)
            client.data(stream, b"x" * (n - 10))
            client.data(stream, b"x" * 10, end=True)
            assert client.answer(stream).status == status
    assert len(world.server.requests[-1].body) <= 1000


# --- path-policy ---

@pytest.mark.parametrize("path, status", [
    ("/a/b", 200), ("/a%20b", 200), ("/%E4%BD%A0", 200), ("/a%2Fb", 400), ("/a%5cb", 400),
    ("/a\\b", 400), ("/%252e%252e/x", 400), ("/a%0d%0aX:1", 400), ("/%C0%AE", 400), ("/x/..;/a", 400)])
def test_paths_that_servers_read_otherwise_are_refused(world, path, status):
    before = n_requests(world)
    assert world.get(path, host="strict.example").status == status
    with H2Client(world.port) as client:
        assert client.get(path, host="strict.example").status == status
    assert n_requests(world) == before + 2 * (status == 200)


@pytest.mark.parametrize("path, status, seen", [
    ("/Public/A", 200, "/public/a"), ("/admin/x", 403, None), ("/ADMIN%2Fx", 403, None),
    ("//admin//x", 403, None), ("/\\admin\\x", 403, None), ("/a%2F..%2Fadmin%2Fx", 400, None),
    ("/a/../admin/x", 400, None)])
def test_an_entrypoint_makes_paths_plain_before_rules_look_at_them(world, path, status, seen):
    """S4-7: what protects one part isn't got round by another spelling of its path."""
    before = n_requests(world)
    answer = world.get(path, host="tidy.example", port=world.ports["tidy"])
    assert answer.status == status
    assert n_requests(world) == before + (seen is not None)
    if seen:
        assert answer.text == f"GET {seen}"


# --- rewrite, redirect by expression ---

@pytest.mark.parametrize("target, status, seen", [
    ("/wiki/Main", 200, "/index.php?title=Main"),
    ("/wiki/A&admin=1?x=y", 200, "/index.php?title=A%26admin%3D1&x=y"),
    ("/wiki/A/B", 200, "/wiki/A/B"),
    ("/f?p=a/b.txt", 200, "/files/a/b.txt"),
    ("/f?p=../../etc/passwd", 400, None),
    ("/f?p=%2e%2e/etc", 400, None),
    ("/f?p=a%00", 400, None),
])
def test_servers_see_rewritten_paths_and_nothing_smuggled(world, target, status, seen):
    before = n_requests(world)
    answer = world.get(target, host="rewrite.example")
    with H2Client(world.port) as client:
        assert client.get(target, host="rewrite.example").status == status
    assert answer.status == status
    assert n_requests(world) == before + 2 * (status == 200)
    if seen:
        assert answer.text == f"GET {seen}"


def test_an_expression_redirects_with_its_groups(world):
    answer = world.get("/2024/some/post", host="rewrite.example")
    assert (answer.status, answer.get("Location")) == (301, "https://new.example/some/post?y=2024")
    assert world.get("/20x4/a", host="rewrite.example").text == "GET /20x4/a"


def test_explain_follows_a_rewritten_path(world):
    shown = run("explain", "-c", world.file, "--entrypoint", "web",
                "http://rewrite.example/wiki/Main", check=0).stdout
    assert "makes it /index.php?title=Main" in shown


# --- cookies ---

def test_cookies_of_servers_get_what_they_lack(world):
    """S4-16: Secure, HttpOnly and SameSite are added."""
    own = asked("Set-Cookie: session=1; path=/; samesite=none", "Set-Cookie: other=2; Path=/",
                "Set-Cookie: session=3; HttpOnly; SameSite=Strict; Max-Age=9")
    wanted = ["session=1; Path=/; Secure; HttpOnly; SameSite=Lax", "other=2; Path=/",
              "session=3; Max-Age=9; Secure; HttpOnly; SameSite=Strict"]
    assert world.get(host="cookies.example", headers=own).all("Set-Cookie") == wanted
    with H2Client(world.port) as client:
        more = [("x-say", own.split(": ", 1)[1].strip())]
        answer = client.get(host="cookies.example", more=more)
        assert [v for n, v in answer.headers if n == "set-cookie"] == wanted


# --- maintenance, try-later ---

HTML = "Accept: text/html,*/*;q=0.8\r\n"
JSON = "Accept: application/json\r\n"


def test_maintenance_is_for_everybody_but_those_who_work_on_it(world):
    before = n_requests(world)
    answer = world.get(host="works.example", headers=HTML)
    assert (answer.status, answer.get("Retry-After")) == (503, "3600")
    assert answer.text == f"<h1>503 Service Unavailable</h1>{answer.get('X-Request-Id')}"
    answer = world.get(host="works.example", headers=JSON)
    assert answer.get("Content-Type") == "application/json"
    assert json.loads(answer.text) == {"status": 503, "error": "Service Unavailable",
                                       "request": answer.get("X-Request-Id")}
    upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n"
    with world.connect() as client:
        client.send(f"GET / HTTP/1.1\r\nHost: works.example\r\n{upgrade}\r\n".encode())
        assert client.read_answer().status == 503
    with H2Client(world.port) as client:
        assert client.get(host="works.example").status == 503
    assert n_requests(world) == before
    assert world.get("/healthz", host="works.example").status == 200
    assert world.get(host="open.example").status == 200


def test_a_service_without_a_server_is_one_to_try_later(world):
    """S2-12: at once, neutral, with the request's id."""
    answer = world.get(host="dead.example", headers=HTML)
    assert (answer.status, answer.get("Retry-After")) == (503, "7")
    assert 'content="7"' in answer.text and answer.get("X-Request-Id") in answer.text
    assert "127.0.0.1" not in answer.text
    answer = world.get(host="dead.example", headers=JSON)
    assert answer.status == 503 and json.loads(answer.text)["status"] == 503
    assert 'refresh' not in world.get(host="dead.example", headers=HTML, method="POST").text
    starting = world.get(host="soon.example", headers=asked(status="503 Starting"))
    assert (starting.status, starting.get("Retry-After")) == (503, "7")
    assert starting.text.startswith("503 Service Unavailable")
    assert world.get(host="soon.example", headers=asked(status="502 Broken")).text == "GET /"


# --- error-pages ---

TRACE = asked("Content-Type: text/plain", "ETag: \"1\"", "Content-Encoding: x", "Set-Cookie: a=b",
              status="500 Oops")


def test_errors_of_servers_are_shown_as_pages_of_ours(world):
    """S4-9: the neutral page, the same status, the request's id."""
    answer = world.get(host="pages.example", headers=TRACE + HTML)
    assert answer.status == 500 and "GET /" not in answer.text
    assert answer.get("X-Request-Id") in answer.text
    assert answer.get("ETag") is None and answer.get("Content-Encoding") is None
    assert answer.all("Content-Type") == ["text/html; charset=utf-8"]
    assert answer.get("Set-Cookie") == "a=b"
    head = world.get(host="pages.example", headers=TRACE + HTML, method="HEAD")
    assert (head.status, head.body) == (500, b"")
    assert head.get("Content-Length") == answer.get("Content-Length")
    answer = world.get("/x", host="pages.example", headers=asked(status="404 No"))
    assert answer.text == f"<h1>404 Not Found</h1>{answer.get('X-Request-Id')}"
    with H2Client(world.port) as client:
        answer = client.get(host="pages.example", more=[("x-status", "404 No")])
        assert answer.status == 404 and answer.text.startswith("<h1>404")
    assert world.get(host="pages.example", headers=asked(status="403 No")).text == "GET /"


def test_a_page_can_come_from_a_service(world):
    answer = world.get("/x?y", host="pages.example", headers=asked(status="418 Teapot"))
    assert (answer.status, answer.text) == (418, "GET /page/418")
    assert [r.target for r in world.server.requests[-2:]] == ["/x?y", "/page/418"]


def test_errors_of_the_proxy_have_pages_too(world):
    answer = world.get(host="gone.example", headers=HTML)
    assert answer.status == 502 and answer.get("X-Request-Id") in answer.text
    assert "127.0.0.1" not in answer.text
    with world.connect() as client:  # the connection lives on
        for _ in range(2):
            answer = client.exchange(b"GET / HTTP/1.1\r\nHost: pages.example\r\n"
                                     b"X-Status: 500 No\r\n\r\n")
            assert answer.status == 500


# --- timeout ---

@pytest.mark.parametrize("host", ["quick.example", "whole.example"])
def test_an_answer_that_takes_too_long_is_504(world, host):
    answer = world.get("/silent", host=host, method="POST", headers="Content-Length: 5\r\n",
                       body=b"hello")
    assert answer.status == 504 and answer.get("X-Request-Id") in answer.text
    with H2Client(world.port) as client:
        assert client.get("/silent", host=host).status == 504
        assert client.get(host=host).status == 200
    with world.connect() as client:  # the connection lives on
        for path, status in [("/silent", 504), ("/", 200)]:
            head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"
            assert client.exchange(head.encode()).status == status


def test_a_body_that_takes_too_long_is_cut(world):
    with world.connect() as client:
        client.send(b"GET /stuck HTTP/1.1\r\nHost: whole.example\r\n\r\n")
        head = client.read_until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200") and client.read_to_end() == b"half"
    world.log_lines('"GET /stuck')
