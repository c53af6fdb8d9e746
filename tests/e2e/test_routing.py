# SPDX-License-Identifier: Apache-2.0
"""Which requests go where: rules, priorities, names of sites, entrypoints, path mapping."""
import time

import pytest

from harness import Proxy, ok, run

# Rules, and requests that they take and that they don't: (method, path, header lines).
RULES = [
    ("Host(`test.example`)", ["/"], []),
    ("Host(`TEST.Example`)", ["/"], []),
    ("Host(`other.example`)", [], ["/"]),
    ("Host(`a.example`, `test.example`)", ["/"], []),
    ("HostRegexp(`^t[a-z]+\\.example$`)", ["/"], []),
    ("HostRegexp(`^x\\.example$`)", [], ["/"]),
    ("Path(`/a`)", ["/a", "/a?b", "/%61", "/x/../a"], ["/a/", "/a/b", "/A"]),
    ("PathPrefix(`/a`)", ["/a", "/a/b", "/ab", "/x/%2e%2e/a/b"], ["/", "/b/a"]),
    ("PathRegexp(`^/[0-9]+$`)", ["/1", "/123"], ["/", "/a1", "/1/"]),
    ("Method(`PUT`)", [("PUT", "/")], ["/", ("POST", "/")]),
    ("Method(`PUT`, `GET`)", ["/", ("PUT", "/")], [("POST", "/")]),
    ("Header(`X-A`, `b`)", [("GET", "/", "x-a: b\r\n"), ("GET", "/", "X-A: c\r\nX-A: b\r\n")],
     ["/", ("GET", "/", "X-A: bb\r\n")]),
    ("HeaderRegexp(`X-A`, `^b+$`)", [("GET", "/", "X-A: bbb\r\n")],
     ["/", ("GET", "/", "X-A: abb\r\n")]),
    ("Query(`a`, `b`)", ["/?a=b", "/?x=1&a=b", "/?a=c&a=b", "/?%61=%62"],
     ["/", "/?a=bb", "/?b=a", "/?xa=b"]),
    ("Query(`a`)", ["/?a", "/?a="], ["/", "/?b=a"]),
    ("QueryRegexp(`a`, `^[0-9]+$`)", ["/?a=12"], ["/?a=x1", "/"]),
    ("ClientIP(`127.0.0.0/8`)", ["/"], []),
    ("ClientIP(`10.0.0.0/8`, `::1`)", [], ["/"]),
    ("PathPrefix(`/a`) && Method(`GET`)", ["/a"], [("POST", "/a"), "/b"]),
    ("Path(`/a`) || Path(`/b`)", ["/a", "/b"], ["/c"]),
    ("!Path(`/a`)", ["/b"], ["/a"]),
    ("!(Path(`/a`) || Path(`/b`)) && Method(`GET`)", ["/c"], ["/a", "/b", ("POST", "/c")]),
    ("Path(`/a`) || Path(`/b`) && Method(`PUT`)", ["/a", ("PUT", "/b")], ["/b"]),
    ("Path(\"/a\")", ["/a"], ["/b"]),
]


def ask(proxy, what):
    method, path, headers = (what if isinstance(what, tuple) else ("GET", what)) + ("",) * (
        3 - (len(what) if isinstance(what, tuple) else 2))
    return proxy.get(path, method=method, headers=headers).status


@pytest.fixture(scope="module")
def rules_proxy(tmp_path_factory):
    """One proxy with an entrypoint for each rule, so that each is alone."""
    names = "".join(f"  e{i}: '127.0.0.1:0'\n" for i in range(len(RULES)))
    routes = "".join(f"  - {{ match: '{rule}', entrypoints: [e{i}], use: hit }}\n"
                     for i, (rule, _, _) in enumerate(RULES))
    proxy = Proxy(tmp_path_factory.mktemp("rules"),
                  f"entrypoints:\n{names}routes:\n{routes}filters: {{ hit: {{ respond: hit }} }}\n")
    yield proxy
    proxy.stop()


@pytest.mark.parametrize("i", range(len(RULES)), ids=[rule for rule, _, _ in RULES])
def test_rule_takes_what_it_says_and_nothing_else(rules_proxy, i):
    rule, takes, leaves = RULES[i]
    rules_proxy.port = rules_proxy.ports[f"e{i}"]
    for what in takes:
        assert ask(rules_proxy, what) == 200, (rule, what)
    for what in leaves:
        assert ask(rules_proxy, what) == 404, (rule, what)


def respond(*names):
    return "filters:\n" + "".join(f"  {n}: {{ respond: {n} }}\n" for n in names)


def test_priority_decides_and_then_the_longer_rule(start):
    """S0-20: priority decides; equal priority: the longer rule wins."""
    proxy = start(respond("any", "longer", "loud", "site", "louder") + """
routes:
  - { match: "PathPrefix(`/`)", use: any, priority: 1 }
  - { match: "PathPrefix(`/a`)", use: any }
  - { match: "PathPrefix(`/a`) && Method(`GET`)", use: longer }
  - { match: "PathPrefix(`/a/b`)", use: loud, priority: 100 }
  - { match: "Path(`/beats-sites`)", use: louder, priority: 3000000 }
sites: { site.example: { use: site } }
""")
    assert proxy.get("/x").text == "any"
    assert proxy.get("/a").text == "longer"
    assert proxy.get("/a", method="PUT").text == "any"
    assert proxy.get("/a/b").text == "loud"
    assert proxy.get("/a/b", host="site.example").text == "site"
    assert proxy.get("/beats-sites", host="site.example").text == "louder"


def test_entrypoints_keep_sites_and_routes_apart(start):
    """S0-15: a site of one entrypoint is a 404 on the other, without a redirect."""
    proxy = start(respond("a", "b") + """
entrypoints: { web: "127.0.0.1:0", websecure: "127.0.0.1:0" }
sites: { a.example: { use: a, entrypoints: [websecure] } }
routes: [{ match: "Host(`b.example`)", use: b, entrypoints: [web] }]
""")
    assert proxy.get(host="a.example", port=proxy.ports["websecure"]).text == "a"
    assert proxy.get(host="a.example", port=proxy.ports["web"]).status == 404
    assert proxy.get(host="b.example", port=proxy.ports["web"]).text == "b"
    assert proxy.get(host="b.example", port=proxy.ports["websecure"]).status == 404


def test_hosts_match_by_name_whatever_case_port_or_dot(start):
    """S1-6: MY-APP.com:443 is my-app.com."""
    proxy = start(respond("app") + "sites: { my-app.com: { use: app } }")
    for host in ["my-app.com", "MY-APP.com:443", "My-App.Com:1", "my-app.com.", "MY-APP.COM.:80"]:
        assert proxy.get(host=host).text == "app", host
    for host in ["my-app.com.evil", "xmy-app.com", "my-app.co", "127.0.0.1", "[::1]"]:
        assert proxy.get(host=host).status == 404, host


def test_exact_names_come_before_wildcards_and_those_before_expressions(start):
    proxy = start(respond("exact", "wild", "regexp") + """
sites:
  "*.apps.example": { use: wild }
  one.apps.example: { use: exact }
routes: [{ match: 'HostRegexp(`^.+\\.example$`)', use: regexp }]
""")
    assert proxy.get(host="one.apps.example").text == "exact"
    assert proxy.get(host="two.apps.example").text == "wild"
    assert proxy.get(host="THREE.apps.example.:99").text == "wild"
    assert proxy.get(host="apps.example").text == "regexp"
    assert proxy.get(host="a.b.apps.example").text == "regexp", "a wildcard is for one label"
    assert proxy.get(host="other.test").status == 404


def test_international_names_are_found_by_their_a_labels(start):
    proxy = start(respond("books") + "sites: { Bücher.example: { use: books, "
                  "aliases: ['*.straße.example', 'παράδειγμα.example'] } }")
    for host in ["xn--bcher-kva.example", "XN--BCHER-KVA.example:80", "a.xn--strae-oqa.example",
                 "xn--hxajbheg2az3al.example"]:
        assert proxy.get(host=host).text == "books", host


def test_aliases_are_names_of_the_site(start):
    proxy = start(respond("a", "admin") + """
sites:
  a.example:
    aliases: [www.a.example, "*.b.example"]
    use: a
    routes: [{ match: "PathPrefix(`/admin`)", use: admin }]
""")
    for host in ["a.example", "www.a.example", "x.b.example"]:
        assert proxy.get(host=host).text == "a"
    assert proxy.get("/admin", host="b.example").status == 404


def test_a_route_in_a_site_takes_its_part_only(start, origin):
    """S4-7: a rule bound to one path of one site protects just that."""
    app, api = origin(lambda r, c: "app"), origin(lambda r, c: "api " + r.target)
    proxy = start(f"""
filters:
  closed: {{ respond: {{ status: 403, body: closed }} }}
  tag: {{ headers: {{ response: {{ set: {{ X-Tag: t }} }} }} }}
sites:
  a.example:
    use: tag
    to: {app.url}
    routes:
      - {{ match: "PathPrefix(`/api`)", to: {api.url} }}
      - {{ match: "Path(`/vulnerable`) || QueryRegexp(`jndi`, `.`)", use: closed }}
  b.example: {app.url}
""")
    assert proxy.get("/", host="a.example").text == "app"
    assert proxy.get("/api/x", host="a.example").text == "api /api/x"
    assert proxy.get("/api/x", host="a.example").get("X-Tag") == "t"
    before = len(app.requests)
    for path in ["/vulnerable", "/%76ulnerable", "/x/../vulnerable", "/./vulnerable?a",
                 "/y?jndi=1"]:
        assert proxy.get(path, host="a.example").status == 403, path
    assert len(app.requests) == before
    assert proxy.get("/vulnerable", host="b.example").text == "app"


def test_to_is_a_name_a_url_or_a_list(start, origin):
    """S1-7: several domains, two of which share one service; S2-1, S2-2: no port in the URL."""
    one, two = origin(lambda r, c: "one"), origin(lambda r, c: "two")
    proxy = start(f"""
services: {{ pool: {{ servers: ["{one.url}"] }}, short: "{two.url}" }}
sites:
  name.example: pool
  name2.example: pool
  short.example: short
  url.example: {two.url}
  list.example: ["{one.url}", "{two.url}"]
""")
    assert proxy.get(host="name.example").text == "one"
    assert proxy.get(host="name2.example").text == "one"
    assert proxy.get(host="short.example").text == "two"
    assert proxy.get(host="url.example").text == "two"
    texts = [proxy.get(host="list.example").text for _ in range(4)]
    assert sorted(texts) == ["one", "one", "two", "two"]


def test_ten_thousand_sites_load_and_each_answers(start, origin):
    server = origin(lambda r, c: r.get("Host"))
    began = time.monotonic()
    proxy = start("services: { app: '" + server.url + "' }\nsites:\n" +
                  "".join(f"  site-{i}.example: app\n" for i in range(10000)))
    took = time.monotonic() - began
    assert took < 10, took
    with proxy.connect() as client:
        for i in [0, 1, 4711, 9999]:
            host = f"site-{i}.example"
            assert client.exchange(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()).text == host
        assert client.exchange(b"GET / HTTP/1.1\r\nHost: site-10000.example\r\n\r\n").status == 404


def test_no_match_is_a_neutral_page_and_no_server_hears_of_it(start, origin):
    """S1-8: 404 with a neutral page; S2-7: no name or version of the inside."""
    server = origin()
    proxy = start(f"sites: {{ a.example: '{server.url}' }}")
    answer = proxy.get("/secret", host="b.example")
    assert answer.status == 404
    shown = answer.text + str(answer.headers)
    for word in ["sallyport", "a.example", "127.0.0.1", "/secret", "route", str(server.port)]:
        assert word not in shown.lower()
    assert answer.get("X-Request-Id") in answer.text
    assert not server.requests and server.n_connections == 0


def test_a_service_without_live_servers_is_503(start):
    proxy = start("""
services: { off: { servers: [{ url: "http://127.0.0.1:9", weight: 0 }] } }
sites: { a.example: off }
""")
    answer = proxy.get(host="a.example")
    assert answer.status == 503
    assert "127.0.0.1" not in answer.text
    proxy.wait_line("no server is available", proxy.err)


def test_a_local_route_refuses_the_rest_of_the_world(start, origin):
    """S2-4: a route for a range of addresses; others, and those who only claim, are refused."""
    server = origin(lambda r, c: "intranet")
    proxy = start(f"""
entrypoints:
  web: 127.0.0.1:0
  edge: {{ listen: "127.0.0.1:0", trusted-proxies: [127.0.0.1] }}
routes:
  - {{ match: "Host(`intra.example`) && ClientIP(`10.33.0.0/16`)", to: {server.url} }}
""")
    assert proxy.get(host="intra.example").status == 404
    assert proxy.get(host="intra.example", headers="X-Forwarded-For: 10.33.0.1\r\n").status == 404
    edge = proxy.ports["edge"]
    assert proxy.get(host="intra.example", port=edge,
                     headers="X-Forwarded-For: 10.33.0.1\r\n").text == "intranet"
    assert proxy.get(host="intra.example", port=edge,
                     headers="X-Forwarded-For: 10.33.0.1, 203.0.113.5\r\n").status == 404


MAPPED = """HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: {location}\r\n\
Set-Cookie: a=1; Path=/; HttpOnly\r\nSet-Cookie: b=2; path=/sub\r\nSet-Cookie: c=3\r\n\r\n"""


def test_strip_is_taken_back_in_location_and_cookies(start, origin):
    """S3-5: /app/ is / at the server; Location and cookie paths come back as the client's."""
    server = origin(lambda r, c: MAPPED.format(location=r.get("X-Location")).encode())
    proxy = start(f"""
sites:
  a.example:
    routes: [{{ match: "PathPrefix(`/app`)", to: {server.url}, strip: /app }}]
""")
    for path, seen in {"/app": "/", "/app/": "/", "/app/x?y=1": "/x?y=1", "/app/%61": "/a",
                       "/app/app/x": "/app/x"}.items():
        proxy.get(path, host="a.example", headers="X-Location: /\r\n")
        assert server.next_request().target == seen, path
    for location, back in {"/login": "/app/login", "/": "/app/",
                           "http://a.example/x": "http://a.example/app/x",
                           "https://elsewhere.test/x": "https://elsewhere.test/x",
                           "relative": "relative", "?q": "?q"}.items():
        answer = proxy.get("/app/x", host="a.example", headers=f"X-Location: {location}\r\n")
        assert answer.get("Location") == back, location
        cookies = answer.all("Set-Cookie")
        assert "Path=/app" in cookies[0] and cookies[0].endswith("HttpOnly"), cookies
        assert "/app/sub" in cookies[1] and cookies[2] == "c=3"


def test_replace_puts_another_prefix_in_place(start, origin):
    """S3-5: the same with a prefix at the server."""
    server = origin(lambda r, c: MAPPED.format(location="/v2/done").encode())
    proxy = start(f"sites: {{ a.example: {{ to: '{server.url}', strip: /api, replace: /v2 }} }}")
    answer = proxy.get("/api/users?x", host="a.example")
    request = server.next_request()
    assert request.target == "/v2/users?x"
    assert request.get("X-Forwarded-Prefix") in (None, "/api")
    assert answer.get("Location") == "/api/done"


def test_rules_see_the_canonical_path_and_so_do_servers(start, origin):
    server = origin(lambda r, c: r.target)
    proxy = start(f"""
filters: {{ closed: {{ respond: {{ status: 403 }} }} }}
sites:
  a.example: {{ to: {server.url}, routes: [{{ match: "PathPrefix(`/admin`)", use: closed }}] }}
""")
    for path in ["/admin", "/%61dmin", "/x/../admin", "/x/%2e%2e/admin", "/./admin",
                 "/x/.%2E/admin/"]:
        assert proxy.get(path, host="a.example").status == 403, path
    assert proxy.get("/x/%2fadmin", host="a.example").text.lower() == "/x/%2fadmin"
    assert proxy.get("/%61/./b/../c", host="a.example").text == "/a/c"


def test_a_missing_filter_or_service_is_an_error_that_names_it(tmp_path):
    """S0-18: fails closed: nothing is served without the filter, and check names it."""
    file = tmp_path / "s.yaml"
    file.write_text("entrypoints: { web: '127.0.0.1:0' }\n"
                    "sites: { a.example: { use: [ghost], to: nowhere } }\n")
    done = run("check", "-c", file)
    assert done.returncode == 1
    assert "s.yaml:2:" in done.stderr and "'ghost'" in done.stderr and "'nowhere'" in done.stderr
    done = run("run", "-c", file)
    assert done.returncode == 1 and "'ghost'" in done.stderr


def test_two_sites_with_one_name_are_an_error(tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text("sites:\n  A.example: http://127.0.0.1:1\n"
                    "  b.example: { aliases: [a.EXAMPLE.], to: 'http://127.0.0.1:2' }\n")
    done = run("check", "-c", file)
    assert done.returncode == 1 and "already" in done.stderr, done.stderr


def test_options_asterisk_has_no_route_but_a_host(start, origin):
    """The asterisk form goes where the host leads."""
    server = origin(lambda r, c: ok("", "Allow: GET\r\n"))
    proxy = start(f"sites: {{ a.example: '{server.url}' }}")
    assert proxy.get("*", host="a.example", method="OPTIONS").get("Allow") == "GET"
    assert server.next_request().target == "*"
    assert proxy.get("*", host="b.example", method="OPTIONS").status == 404
