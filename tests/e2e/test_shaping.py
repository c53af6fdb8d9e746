# SPDX-License-Identifier: Apache-2.0
"""Filters that shape requests and answers, by what clients and servers see of them. One proxy has a
site for each; the server says what a request asks it to say."""
import pytest

from harness import Origin, Proxy, ok, run
from http2 import H2Client

SETTINGS = """
entrypoints:
  web: {{ listen: '127.0.0.1:0', h2c: yes }}
  outer: {{ listen: '127.0.0.1:0', use: [security-headers, outside] }}
filters:
  outside: {{ headers: {{ response: {{ set: {{ X-Outside: yes }} }} }} }}
  framed: {{ security-headers: {{ frame-ancestors: ["'self'"], replace: yes, remove: [] }} }}
sites:
  plain.example: {{ use: [security-headers], to: app }}
  framed.example: {{ use: [framed], to: app }}
services:
  app: {{ servers: ['{url}'] }}
"""


def say(request, conn):
    """An answer with the status of X-Status and the fields of X-Say ("Name: value|Name: value")."""
    lines = "".join(f"{line}\r\n" for line in (request.get("X-Say") or "").split("|") if line)
    return ok(f"{request.method} {request.target}", lines, request.get("X-Status") or "200 OK")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    server = Origin(say)
    proxy = Proxy(tmp_path_factory.mktemp("shaping"), SETTINGS.format(url=server.url))
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
