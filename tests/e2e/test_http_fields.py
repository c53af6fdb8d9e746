# SPDX-License-Identifier: Apache-2.0
"""Fields and paths: hop-by-hop, forwarding, ids, Host, the canonical path."""
import re

import pytest

from harness import run


def site(server):
    return f"sites: {{ test.example: '{server.url}' }}"


def web(settings):
    return f"\nentrypoints: {{ web: {{ listen: '127.0.0.1:0', {settings} }} }}\n"


# ---- Hop by hop ---------------------------------------------------------------------------------

def test_fields_of_the_client_s_hop_stay_on_it(start, origin):
    server = origin()
    proxy = start(site(server))
    proxy.get(headers="Connection: X-Mine, keep-alive\r\nX-Mine: 1\r\nX-Other: 2\r\n"
                      "Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: gzip\r\n"
                      "Proxy-Authorization: Basic eDp5\r\nHTTP2-Settings: AAMAAABk\r\n"
                      "Upgrade: h2c\r\n")
    request = server.requests[0]
    for name in ("X-Mine", "Keep-Alive", "Proxy-Connection", "TE", "Proxy-Authorization",
                 "HTTP2-Settings", "Connection", "Upgrade"):
        assert request.get(name) is None, name
    assert request.get("X-Other") == "2"


def test_fields_of_the_server_s_hop_stay_on_it(start, origin):
    server = origin(lambda r, c: b"HTTP/1.1 200 OK\r\nConnection: X-Mine\r\nX-Mine: 1\r\n"
                                 b"X-Other: 2\r\nKeep-Alive: timeout=5\r\n"
                                 b"Proxy-Authenticate: Basic\r\n"
                                 b"Upgrade: h2c\r\nContent-Length: 0\r\n\r\n")
    proxy = start(site(server))
    with proxy.connect() as client:
        answer = client.exchange("GET / HTTP/1.1\r\nHost: test.example\r\n\r\n")
    for name in ("X-Mine", "Keep-Alive", "Connection", "Upgrade", "Proxy-Authenticate"):
        assert answer.get(name) is None, name
    assert answer.get("X-Other") == "2"


def test_connection_can_t_take_away_what_the_proxy_says(start, origin):
    """A client that names X-Forwarded-For in Connection must not hide itself."""
    server = origin()
    proxy = start(site(server))
    proxy.get(headers="Connection: close, X-Forwarded-For, X-Real-IP, X-Request-Id, Host, Cookie, "
                      "Authorization\r\nCookie: a=b\r\nAuthorization: x\r\n")
    request = server.requests[0]
    for name in ("X-Forwarded-For", "X-Real-IP", "X-Request-Id", "Host", "Cookie", "Authorization"):
        assert request.get(name), name


def test_fields_pass_unchanged_and_in_order(start, origin):
    server = origin()
    proxy = start(site(server))
    proxy.get(headers="X-B: 2\r\nx-a: 1\r\nX-B: 3\r\nAccept-Encoding: br, gzip;q=0.5\r\n"
                      "X-Empty:\r\nCookie: a=1\r\nCookie: b=2\r\nX-Trim: \t a b \t\r\n")
    sent = [(n, v) for n, v in server.requests[0].headers
            if n.lower() in ("x-a", "x-b", "x-empty", "cookie", "accept-encoding", "x-trim")]
    assert sent == [("X-B", "2"), ("x-a", "1"), ("X-B", "3"), ("Accept-Encoding", "br, gzip;q=0.5"),
                    ("X-Empty", ""), ("Cookie", "a=1"), ("Cookie", "b=2"), ("X-Trim", "a b")]


# ---- Forwarding ---------------------------------------------------------------------------------

SPOOFED = ("X-Forwarded-For: 10.9.9.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n"
           "X-Forwarded-Port: 1\r\nX-Forwarded-Prefix: /evil\r\nX_Forwarded_For: 10.9.9.9\r\n"
           "X-Real-IP: 10.9.9.9\r\nForwarded: for=10.9.9.9;proto=https\r\nX-Request-Id: evil\r\n")


def test_servers_see_the_true_client_and_no_spoofed_one(start, origin):
    """S0-24: X-Forwarded-For/Proto/Host and X-Real-IP with the true client."""
    server = origin()
    proxy = start(site(server) + "\naccess-log: { format: '{client} {peer} {request-id}' }")
    answer = proxy.get(headers=SPOOFED)
    request = server.requests[0]
    assert request.all("X-Forwarded-For") == ["127.0.0.1"]
    assert request.all("X-Forwarded-Proto") == ["http"]
    assert request.all("X-Forwarded-Host") == ["test.example"]
    assert request.all("X-Forwarded-Port") in (["80"], [str(proxy.port)])
    assert request.all("X-Real-IP") == ["127.0.0.1"]
    assert request.all("Forwarded") == [] and request.get("Via") is None
    assert request.get("X_Forwarded_For") is None and request.get("X-Forwarded-Prefix") is None
    assert "10.9.9.9" not in str(request.headers) and "evil" not in str(request.headers)
    assert proxy.log_lines()[0] == f"127.0.0.1 127.0.0.1 {answer.get('X-Request-Id')}"


def test_trusted_proxies_are_believed(start, origin):
    """S2-6: with trusted ranges, logs and servers see the real client."""
    server = origin()
    proxy = start(site(server) + web("trusted-proxies: [127.0.0.0/8, 10.0.0.0/8], forwarded: yes") +
                  "access-log: { format: '{client} {peer} {scheme} {request-id}' }")
    proxy.get(headers="X-Forwarded-For: 6.6.6.6, 203.0.113.9, 10.1.2.3\r\n"
                      "X-Forwarded-Proto: https\r\nX-Forwarded-Host: shown.example\r\n"
                      "X-Request-Id: kept-1234\r\n")
    request = server.requests[0]
    assert request.all("X-Forwarded-For") == ["6.6.6.6, 203.0.113.9, 10.1.2.3, 127.0.0.1"]
    assert request.all("X-Forwarded-Proto") == ["https"]
    assert request.all("X-Forwarded-Host") == ["shown.example"]
    assert request.all("X-Real-IP") == ["203.0.113.9"]
    assert request.all("X-Request-Id") == ["kept-1234"]
    assert proxy.log_lines()[0] == "203.0.113.9 127.0.0.1 https kept-1234"


def test_a_forged_client_behind_the_trusted_proxy_is_not_believed(start, origin):
    """S2-6: the rightmost address that isn't trusted counts."""
    server = origin()
    proxy = start(site(server) + web("trusted-proxies: [127.0.0.1]") +
                  "access-log: { format: '{client}' }")
    for field, client in (("X-Forwarded-For: 1.1.1.1, 2.2.2.2", "2.2.2.2"),
                          ("X-Forwarded-For: 1.1.1.1, junk", "127.0.0.1"),
                          ("X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 3.3.3.3:443", "3.3.3.3"),
                          ("X-Forwarded-For: [2001:db8::7]:1", "2001:db8::7"),
                          ('Forwarded: for=1.1.1.1, for="[2001:db8::8]:9";proto=https',
                           "2001:db8::8"),
                          ("CF-Connecting-IP: 9.9.9.9", "127.0.0.1")):
        proxy.get(headers=field + "\r\n")
        assert server.requests[-1].get("X-Real-IP") == client
    assert proxy.log_lines("", 6) == ["2.2.2.2", "127.0.0.1", "3.3.3.3", "2001:db8::7",
                                      "2001:db8::8", "127.0.0.1"]


def test_forwarding_fields_are_settings(start, origin):
    server = origin()
    proxy = start(site(server) + web("x-forwarded: no, x-real-ip: no, forwarded: yes, via: edge, "
                                     "request-id: no"))
    answer = proxy.get(host="test.example:8080")
    request = server.requests[0]
    assert request.get("X-Forwarded-For") is None and request.get("X-Real-IP") is None
    assert request.all("Forwarded") == ['for=127.0.0.1;host="test.example:8080";proto=http']
    assert request.all("Via") == ["1.1 edge"] and answer.all("Via") == ["1.1 edge"]
    assert request.get("X-Request-Id") and answer.get("X-Request-Id") is None


def test_via_of_others_stays(start, origin):
    server = origin(lambda r, c: b"HTTP/1.1 200 OK\r\nVia: 1.1 inner\r\nContent-Length: 0\r\n\r\n")
    proxy = start(site(server) + web("via: edge"))
    answer = proxy.get(headers="Via: 1.0 outer\r\n")
    assert server.requests[0].all("Via") == ["1.0 outer", "1.1 edge"]
    assert answer.all("Via") == ["1.1 inner", "1.1 edge"]


def test_each_request_has_an_id_of_its_own_everywhere(start, origin):
    server = origin(lambda r, c: b"HTTP/1.1 200 OK\r\nX-Request-Id: of-the-server\r\n"
                                 b"Content-Length: 0\r\n\r\n")
    proxy = start(site(server) + "\naccess-log: { format: '{request-id}' }")
    answers = [proxy.get() for _ in range(5)]
    ids = [a.all("X-Request-Id") for a in answers]
    assert all(len(i) == 1 and re.fullmatch(r"[0-9A-Z]{26}", i[0]) for i in ids)
    assert len({i[0] for i in ids}) == 5
    assert [[r.get("X-Request-Id")] for r in server.requests] == ids
    assert [[line] for line in proxy.log_lines("", 5)] == ids


@pytest.mark.parametrize("bad", ["a b", "a\"b", "x" * 200, "a,b"])
def test_malformed_ids_of_trusted_proxies_are_replaced(start, origin, bad):
    server = origin()
    proxy = start(site(server) + web("trusted-proxies: [127.0.0.1]"))
    answer = proxy.get(headers=f"X-Request-Id: {bad}\r\n")
    assert re.fullmatch(r"[0-9A-Z]{26}", answer.get("X-Request-Id"))
    assert server.requests[0].all("X-Request-Id") == [answer.get("X-Request-Id")]


# ---- Host ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("setting, seen", [
    ("keep", "Test.Example:8443"), ("server", None), ("app.internal", "app.internal"),
    ("'app.internal:8080'", "app.internal:8080")])
def test_host_is_kept_or_set(start, origin, setting, seen):
    server = origin()
    proxy = start("sites: { test.example: s }\nservices: { s: { servers: "
                  f"['{server.url}'], host: {setting} }} }}")
    proxy.get(host="Test.Example:8443")
    request = server.requests[0]
    assert request.all("Host") == [seen or server.address]
    assert request.get("X-Forwarded-Host") == "Test.Example:8443"


def test_host_is_matched_in_any_case_without_port_and_dot(start, origin):
    """S1-6: MY-APP.com:443 is my-app.com."""
    proxy = start(f"sites: {{ my-app.com: '{origin().url}' }}")
    for host in ("MY-APP.com:443", "my-app.com", "my-app.com.", "My-App.Com.:80"):
        assert proxy.get(host=host).status == 200, host
    for host in ("my-app.com.evil", "xmy-app.com", "my-app"):
        assert proxy.get(host=host).status == 404, host


# ---- The canonical path -------------------------------------------------------------------------

PATHS = [
    ("/a/./b", "/a/b"), ("/a/../b", "/b"), ("/a/%2e%2e/b", "/b"), ("/a/.%2E/b", "/b"),
    ("/a/%2e/b", "/a/b"), ("/%61dmin", "/admin"), ("/a%2fb", "/a%2Fb"), ("/a//b", "/a/b"), ("//a/.//../b//", "/b/"),
    ("/%7Euser", "/~user"), ("/a%20b", "/a%20b"), ("/a\\b", "/a%5Cb"), ("/a%5cb", "/a%5Cb"),
    ("/a;b=c", "/a;b=c"), ("/%25%32%65", "/%252e"), ("/%252e%252e/", "/%252e%252e/"),
    ("/a/..;/b", "/a/..;/b"), ("/caf%c3%a9", "/caf%C3%A9"), ("/a/..", "/"), ("/", "/"),
    ("/a?b=%2e%2e/&c=/../", "/a?b=%2e%2e/&c=/../"), ("/a?", "/a?"), ("/a?b?c", "/a?b?c"),
    ("/%3f", "/%3F"), ("/a%23b", "/a%23b"), ("/|{}^", "/%7C%7B%7D%5E"),
]


@pytest.mark.parametrize("sent, seen", PATHS)
def test_servers_see_the_canonical_path(start, origin, sent, seen):
    server = origin()
    proxy = start(site(server) + "\naccess-log: { format: '{target}' }")
    answer = proxy.get(sent)
    assert (answer.status, server.requests[-1].target) == (200, seen)
    assert proxy.log_lines() == [sent.replace("\\", r"\x5c")]  # as received, escaped


def test_rules_match_what_the_server_sees(start, origin):
    public, admin = origin(lambda r, c: "public"), origin(lambda r, c: "admin")
    proxy = start("sites: { test.example: { to: '" + public.url + "', routes: [{ match: "
                  "'PathPrefix(`/admin`)', to: '" + admin.url + "' }] } }")
    for path in ("/admin", "/%61dmin", "/x/../admin", "/x/%2e%2e/admin/a", "/./admin",
                 "/%41/../admin", "//admin", "/.//admin//a"):
        assert proxy.get(path).text == "admin", path
        assert admin.requests[-1].target.startswith("/admin")
    for path in ("/ADMIN", "/x%2f..%2fadmin", "/%2561dmin", "/x;/admin"):
        assert proxy.get(path).text == "public", path
    assert all(not r.target.startswith("/admin") for r in public.requests)


@pytest.mark.parametrize("mode, status, seen", [
    ("keep", 200, "/a%2Fb/..%2Fc"), ("decode", 200, "/a/c"), ("reject", 400, None)])
def test_encoded_slashes_are_kept_decoded_or_refused(start, origin, mode, status, seen):
    server = origin()
    proxy = start(site(server) + web(f"encoded-slash: {mode}"))
    answer = proxy.get("/a%2fb/..%2fc")
    assert answer.status == status
    assert [r.target for r in server.requests] == ([seen] if seen else [])


@pytest.mark.parametrize("merges, seen", [("yes", "/a/b/?c=//d"), ("no", "//a///b//?c=//d")])
def test_slashes_are_merged_unless_servers_tell_them_apart(start, origin, merges, seen):
    server = origin()
    proxy = start(site(server) + web(f"merge-slashes: {merges}"))
    proxy.get("//a///b//?c=//d")
    assert server.requests[0].target == seen


def test_explain_shows_the_same_path(tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text("sites: { test.example: { to: 'http://127.0.0.1:1', routes: [{ match: "
                    "'PathPrefix(`/admin`)', name: adm, to: 'http://127.0.0.1:2' }] } }\n")
    done = run("explain", "http://test.example/x/%2e%2e/%61dmin", "--config", file)
    assert "adm" in done.stdout, done.stdout + done.stderr
