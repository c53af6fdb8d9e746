# SPDX-License-Identifier: Apache-2.0
"""Every filter does its work wherever it is used: on an entrypoint, on a site and on a route."""
import gzip
import json
import re
import time

import pytest

from harness import Client, Origin, Proxy, ROOT, ok, wait_until

HASH = "ada:$2y$10$oxW40Z7Vh16MLWCmIV8d.epZiwhzbmmY4u/85WhC526wYFN.gI2ge"
PLACES = ["entrypoint", "site", "route"]


class Case:
    """settings: of the filter. What is asked, and what shows that the filter has been at work:
    is_seen gets the answer and what the server has said of the request (None: it hasn't heard of
    it)."""

    def __init__(self, settings, is_seen, target="/a", fields="", body=b"", method=None):
        self.settings, self.is_seen, self.target = settings, is_seen, target
        self.fields, self.body = fields, body
        self.method = method or ("POST" if body else "GET")

    def ask(self, port, host):
        with Client(port) as client:
            client.send(f"{self.method} {self.target} HTTP/1.1\r\nHost: {host}\r\n"
                        f"X-Place: {host}\r\n{self.fields}"
                        f"Content-Length: {len(self.body)}\r\n\r\n".encode() + self.body)
            answer = client.read_answer(self.method)
        try:
            return answer, json.loads(answer.body)
        except ValueError:
            return answer, None


def status(code):
    """It is answered by the filter, with this status."""
    return lambda a, seen: a.status == code and seen is None


def field(name, part):
    return lambda a, seen: part in (a.get(name) or "")


def target(wanted):
    return lambda a, seen: seen["target"] == wanted


CASES = {
    "redirect": Case("'https://new.example{path}'", field("Location", "https://new.example/a")),
    "headers": Case("{ response: { set: { X-A: here } } }", field("X-A", "here")),
    "security-headers": Case("{}", field("X-Content-Type-Options", "nosniff")),
    "cors": Case("'*'", field("Access-Control-Allow-Origin", "*")),
    "methods": Case("{ allow: [GET] }", status(405), method="DELETE"),
    "body-limit": Case("3", status(413), body=b"12345"),
    "path-policy": Case("{}", status(400), target="/a%2Fb"),
    "rewrite": Case("{ from: '^/(.*)$', to: '/x?$1' }", target("/x?a")),
    "cookies": Case("{ secure: always }", field("Set-Cookie", "k=v; Secure")),
    "maintenance": Case("{}", status(503)),
    "try-later": Case("{ statuses: [502] }", field("Retry-After", "5"),
                      fields="X-Status: 502 No\r\n"),
    "error-pages": Case("[{ statuses: 404, body: ours }]", lambda a, _: a.body == b"ours",
                        fields="X-Status: 404 No\r\n"),
    "timeout": Case("100ms", status(504), target="/silent"),
    "respond": Case("{ status: 410 }", status(410)),
    "strip-prefix": Case("/a", target("/b"), target="/a/b"),
    "add-prefix": Case("/x", target("/x/a")),
    "replace-path": Case("/x", target("/x")),
    "basic-auth": Case(f"{{ users: ['{HASH}'] }}", status(401)),
    "forward-auth": Case("{{ address: '{url}/auth' }}", status(401)),
    "jwt": Case("{ secret: 0123456789abcdef0123456789abcdef }", status(401)),
    "client-cert": Case("{ verify: X-Verified }", lambda a, seen:
                        ["X-Verified", "NONE"] in seen["fields"]),
    "allow": Case("{ addresses: [192.0.2.1] }", status(403)),
    "deny": Case("{ addresses: [127.0.0.0/8] }", status(403)),
    "rate-limit": Case("{ rate: 1/s, fields: always }", field("RateLimit-Policy", "q=")),
    "compress": Case("{ min-size: 0B }", field("Content-Encoding", "gzip"),
                     fields="Accept-Encoding: gzip\r\n"),
    "concurrency": Case("{ max: 1, key: 'header:X-Place' }", status(429)),
    "decompress-request": Case("{}", lambda a, seen: seen["body"] == "packed",
                               fields="Content-Encoding: gzip\r\n", body=gzip.compress(b"packed")),
    "buffer": Case("{ request: 4KiB, beyond: refuse }", status(413), body=b"x" * 5000),
    # Nothing but the time tells of it: 3 KiB at 10 KiB/s, of which 1 KiB may come at once.
    "bandwidth": Case("{ down: 10KiB, burst: 1KiB }", lambda a, seen: len(a.body) > 3072,
                      fields=f"X-Long: {'x' * 3072}\r\n"),
}


def say(request, conn):
    if request.target.endswith("/silent"):
        return conn.read_to_end() and None
    if request.target == "/auth":
        return ok("who?", status="401 Unauthorized")
    seen = {"target": request.target, "fields": request.headers, "body": request.body.decode()}
    return ok(json.dumps(seen), "Content-Type: text/plain\r\nSet-Cookie: k=v\r\n",
              request.get("X-Status") or "200 OK")


def settings(url):
    """Three hosts and an entrypoint for each filter, alone."""
    lines = ["entrypoints:", "  plain: '127.0.0.1:0'"]
    lines += [f"  {name}: {{ listen: '127.0.0.1:0', use: [my-{name}] }}" for name in CASES]
    lines += ["filters:"]
    lines += [f"  my-{name}: {{ {name}: {case.settings.replace('{{', '{').replace('}}', '}')} }}"
              for name, case in CASES.items()]
    lines += [f"services: {{ app: '{url}' }}", "sites:"]
    for name in CASES:
        lines += [f"  {name}.entrypoint: app", f"  {name}.site: {{ use: [my-{name}], to: app }}",
                  f"  {name}.route: {{ routes: [{{ match: 'PathPrefix(`/`)', "
                  f"use: [my-{name}], to: app }}] }}"]
    return "\n".join(lines).replace("{url}", url)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    server = Origin(say)
    proxy = Proxy(tmp_path_factory.mktemp("places"), settings(server.url))
    proxy.server = server
    yield proxy
    proxy.stop()
    server.stop()


def test_no_filter_is_forgotten_here():
    listed = re.search(r"#define FILTER_LIST\(X\)(.*?)\n\n",
                       (ROOT / "src" / "filter" / "filter.h").read_text(), re.S)[1]
    assert {name.replace("_", "-") for name in re.findall(r"X\((\w+)\)", listed)} == set(CASES)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", CASES)
def test_a_filter_works_wherever_it_is_used(world, name, place):
    case = CASES[name]
    port = world.ports[name if place == "entrypoint" else "plain"]
    host = f"{name}.{place}"
    began = time.monotonic()
    if name == "concurrency":  # somebody else's request holds the only place
        with Client(port) as other:
            other.send(f"GET /silent HTTP/1.1\r\nHost: {host}\r\nX-Place: {host}\r\n\r\n")
            wait_until(lambda: any(r.get("Host").startswith(host) and r.target == "/silent"
                                   for r in world.server.requests), "the other's request")
            answer, seen = case.ask(port, host)
    else:
        answer, seen = case.ask(port, host)
    assert case.is_seen(answer, seen), (answer.status, answer.headers, answer.body)
    if name == "bandwidth":
        assert time.monotonic() - began > 0.15
