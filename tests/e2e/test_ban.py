# SPDX-License-Identifier: Apache-2.0
"""Clients that misbehave are banned: by rules, by hand, and for how long."""
import base64
import json
import re
import socket
import ssl
import subprocess

import pytest

from harness import BINARY, PATIENCE, Client, Origin, Proxy, kill_and_wait, run, wait_until
from http2 import CONTINUATION, DATA, HEADERS, PING, PREFACE, SETTINGS, H2Client, frame

PASSWORD = "$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe"  # of "password"


def settings(server, ban, trusted=""):
    return f"""
entrypoints: {{ web: {{ listen: '127.0.0.1:0'{trusted} }} }}
filters:
  login: {{ basic-auth: {{ users: ['ada:{PASSWORD}'] }} }}
  slow: {{ rate-limit: {{ rate: 1/h, burst: 1 }} }}
  closed: {{ deny: [0.0.0.0/0] }}
sites:
  a.example:
    to: '{server.url}'
    routes:
      - {{ match: "Path(`/login`)", use: [login], to: '{server.url}' }}
      - {{ match: "Path(`/slow`)", use: [slow], to: '{server.url}' }}
      - {{ match: "Path(`/closed`)", use: [closed], to: '{server.url}' }}
ban: {ban}
"""


def ask(proxy, path="/", source="127.0.0.2", headers="", raw=None):
    """The status; None: the connection was closed without an answer."""
    with Client.__new__(Client) as client:
        client.sock = socket.create_connection(("127.0.0.1", proxy.port), PATIENCE, (source, 0))
        client.buffer = b""
        try:
            return client.exchange(raw or f"GET {path} HTTP/1.1\r\nHost: a.example\r\n{headers}"
                                   "Connection: close\r\n\r\n").status
        except (EOFError, ConnectionError):
            return None


def wrong(name="ada"):
    return f"Authorization: Basic {base64.b64encode(f'{name}:no'.encode()).decode()}\r\n"


def control(proxy):
    return "--control", proxy.file.parent / "control.sock"


def listed(proxy):
    done = run("ban", "list", "--json", *control(proxy), check=0)
    return {ban["network"]: ban for ban in json.loads(done.stdout)}


@pytest.fixture
def server(origin):
    def answer(request, conn):
        if request.target.startswith("/gone"):
            conn.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return None
        return "hello"
    return origin(answer)


@pytest.mark.parametrize("count, ask_badly", [
    ("[wrong-password]", {"path": "/login", "headers": wrong()}),
    ("[denied]", {"path": "/closed"}),
    ("[rate-limited]", {"path": "/slow"}),
    ("['404']", {"path": "/gone"}),
    ("[4xx]", {"path": "/gone?x"}),
    ("[malformed]", {"raw": "GET / HTTP/1.1\nHost: a.example\r\n\r\n"}),
])
def test_what_is_counted_leads_to_a_ban(start, server, count, ask_badly):
    """S4-12: n times in a time, and then nothing of the client's reaches anybody."""
    proxy = start(settings(server, f"{{ rules: {{ r: {{ count: {count}, times: 3, in: 1h }} }} }}"))
    if count == "[rate-limited]":
        assert ask(proxy, "/slow") == 200
    for _ in range(3):
        assert ask(proxy) == 200
        assert ask(proxy, **ask_badly) in (400, 401, 403, 404, 429)
    proxy.wait_line(r"ban: 127\.0\.0\.2 is banned for 10 min by r \(ban no\. 1\)", proxy.err)
    n = len(server.requests)
    assert ask(proxy) == 403
    assert len(server.requests) == n
    assert ask(proxy, source="127.0.0.3") == 200
    assert list(listed(proxy)) == ["127.0.0.2"]


def end_of(client):
    try:
        client.read_to_end()
    except (EOFError, ConnectionError):
        pass


def rapid_resets(port, source):
    with H2Client(port, source=source) as client:
        for _ in range(500):
            client.reset(client.request(host="a.example"))
        end_of(client)


def endless_fields(port, source):
    with H2Client(port, source=source) as client:
        client.send_frame(HEADERS, 1, 1, b"\x82")
        for _ in range(500):
            client.send_frame(CONTINUATION, 0, 1, b"")
        end_of(client)


def frames_of_wrong_size(port, source):
    with H2Client(port, source=source) as client:
        client.send_frame(PING, 0, 0, b"1234")
        end_of(client)


def frames_out_of_place(port, source):
    with H2Client(port, source=source) as client:
        client.send_frame(DATA, 0, 1, b"x")
        end_of(client)


def another_preface(port, source):
    with H2Client(port, source=source, greet=False) as client:
        client.send(PREFACE + b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        end_of(client)


def malformed_fields(port, source):
    with H2Client(port, source=source) as client:
        answer = client.answer(client.request(host="a.example", more=[("connection", "close")]))
        assert answer.reset is not None or answer.status == 400


def half_a_head(port, source):
    with socket.create_connection(("127.0.0.1", port), PATIENCE, (source, 0)) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHo")
        assert sock.recv(100).startswith(b"HTTP/1.1 408")


def half_a_field_section(port, source):
    with H2Client(port, source=source, greet=False) as client:
        client.send(PREFACE + frame(SETTINGS) + frame(HEADERS, 1, 1, b"\x82"))
        while client.sock.recv(1000):
            pass


def no_hello(port, source):
    with socket.create_connection(("127.0.0.1", port), PATIENCE, (source, 0)) as sock:
        sock.sendall(b"\x16\x03\x01\x00\x08\x01\x00\x00\x04nope")
        while sock.recv(100):
            pass


def a_hello_and_away(port, source):
    made = ssl.create_default_context()  # to which our certificate is a stranger's
    with socket.create_connection(("127.0.0.1", port), PATIENCE, (source, 0)) as sock:
        with pytest.raises(ssl.SSLCertVerificationError):
            made.wrap_socket(sock, server_hostname="a.example")


OFFENCES = [("flood", rapid_resets), ("flood", endless_fields), ("malformed", frames_of_wrong_size),
            ("malformed", frames_out_of_place), ("malformed", another_preface),
            ("malformed", malformed_fields), ("slow", half_a_head), ("slow", half_a_field_section),
            ("handshake", no_hello), ("handshake", a_hello_and_away)]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    rules = ", ".join(f"{what}: {{ count: [{what}], times: 2, in: 1h }}"
                      for what in {what for what, _ in OFFENCES})
    server = Origin()
    proxy = Proxy(tmp_path_factory.mktemp("guarded"), f"""
entrypoints:
  web: {{ listen: '127.0.0.1:0', h2c: on, head-timeout: 300ms }}
  websecure: {{ listen: '127.0.0.1:0', tls: on }}
sites: {{ a.example: {{ to: '{server.url}', redirect-to-https: off }} }}
ban: {{ never: [127.0.2.0/24], rules: {{ {rules} }} }}
""")
    yield proxy
    proxy.stop()
    server.stop()


@pytest.mark.parametrize("what, offend", OFFENCES, ids=[o.__name__ for _, o in OFFENCES])
def test_connections_that_break_rules_are_counted(guarded, what, offend):
    """S4-13: floods of HTTP/2, broken connections of both versions, handshakes that come to nothing."""
    at = 2 + OFFENCES.index((what, offend))
    port = guarded.ports["websecure" if what == "handshake" else "web"]
    for source, status in [(f"127.0.2.{at}", 200), (f"127.0.1.{at}", 403)]:
        for _ in range(2):
            assert ask(guarded, source=source) == 200
            offend(port, source)
        wait_until(lambda: ask(guarded, source=source) == status, "the ban, or none")  # noqa: B023
    assert listed(guarded)[f"127.0.1.{at}"]["by"] == what


def test_requests_over_http2_count_and_are_refused(start, server):
    proxy = start(settings(server, "{ rules: { r: { count: ['404'], times: 2 } } }", ", h2c: on"))
    seen = [subprocess.run(["curl", "-s", "--http2-prior-knowledge", "--interface", "127.0.0.2", "-H",
                            "Host: a.example", "-o", "/dev/null", "-w", "%{http_code} %{http_version}",
                            f"http://127.0.0.1:{proxy.port}{path}"], capture_output=True, text=True,
                           timeout=PATIENCE).stdout for path in ["/gone", "/", "/gone", "/"]]
    assert seen == ["404 2", "200 2", "404 2", "403 2"]


def test_credentials_that_are_missing_are_no_wrong_password(start, server):
    proxy = start(settings(server, "{ rules: { r: { count: [wrong-password], times: 1 } } }"))
    assert ask(proxy, "/login") == 401
    assert ask(proxy, "/login", headers=wrong()) == 401
    assert ask(proxy, "/login") == 403


def test_a_rule_counts_where_it_matches(start, server):
    """S4-7: bound to one part of a site."""
    proxy = start(settings(server, "{ rules: { r: { count: ['404'], times: 1, match: "
                                   "'PathPrefix(`/gone/admin`)' } } }"))
    assert ask(proxy, "/gone") == 404
    assert ask(proxy) == 200
    assert ask(proxy, "/gone/admin/x") == 404
    assert ask(proxy) == 403


def test_who_is_never_banned_wins_over_rules_and_people(start, server):
    """S4-8: the allow-list goes first."""
    proxy = start(settings(server, "{ never: [127.0.0.2], rules: { r: { count: [4xx], times: 1 } } }"))
    for source in ["127.0.0.2", "127.0.0.3"]:
        assert ask(proxy, "/gone", source=source) == 404
    run("ban", "add", "127.0.0.0/8", *control(proxy), check=0)
    wait_until(lambda: ask(proxy, source="127.0.0.4") == 403, "the ban")
    assert ask(proxy) == 200
    assert ask(proxy, source="127.0.0.3") == 403


def test_a_dry_run_only_tells(start, server):
    proxy = start(settings(server, "{ rules: { r: { count: [4xx], times: 2, dry-run: yes } } }"))
    for _ in range(4):
        assert ask(proxy, "/gone") == 404
    proxy.wait_line(r"ban: 127\.0\.0\.2 would have been banned by rule r", proxy.err, count=2)
    assert listed(proxy) == {}


def test_connections_of_banned_clients_are_closed_unread(start, server):
    """S4-13: at the door, before a byte of theirs costs anything; who comes by a trusted proxy gets a
    page, and the proxy isn't banned for it."""
    ban = "{ refuse: close, status: 429, rules: { r: { count: ['404'], times: 1 } } }"
    proxy = start(settings(server, ban, ", trusted-proxies: [127.0.0.9]"))
    with proxy.connect() as kept:
        assert ask(proxy, "/gone") == 404
        assert ask(proxy) is None
        assert kept.exchange(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").status == 200
    behind = {"source": "127.0.0.9", "headers": "X-Forwarded-For: 192.0.2.1\r\n"}
    assert ask(proxy, "/gone", **behind) == 404
    assert ask(proxy, **behind) == 429
    assert ask(proxy, "/gone", source="127.0.0.9") == 404
    assert ask(proxy, source="127.0.0.9") == 200
    assert set(listed(proxy)) == {"127.0.0.2", "192.0.2.1"}


def test_each_further_ban_is_longer_and_its_end_is_told(start, server):
    proxy = start(settings(server, "{ rules: { r: { count: ['404'], times: 1, for: 1s, "
                                   "at-most: 2s } } }"))
    for number, seconds in [(1, 1), (2, 2), (3, 2)]:
        assert ask(proxy, "/gone") == 404
        proxy.wait_line(rf"127\.0\.0\.2 is banned for {seconds} s by r \(ban no\. {number}\)", proxy.err)
        proxy.wait_line(r"ban: 127\.0\.0\.2 isn't banned any more: the time is over", proxy.err,
                        count=number)
        assert ask(proxy) == 200


def test_bans_live_through_reload_kill_and_restart(start, server, tmp_path):
    state = tmp_path / "kept"
    state.mkdir(mode=0o700)
    text = settings(server, "{ rules: { r: { count: ['404'], times: 1, for: 1h } } }")
    text += f"state: {state}\n"
    proxy = start(text)
    assert ask(proxy, "/gone") == 404
    assert ask(proxy) == 403
    proxy.reload(text + "log: { level: info }\n", 2)
    assert ask(proxy) == 403
    kill_and_wait(proxy.gate_pid())
    proxy.wait_line(r"settings 2 are in force", proxy.err, count=2)
    assert ask(proxy) == 403
    proxy.stop()
    again = start(text)
    assert ask(again) == 403
    assert listed(again)["127.0.0.2"]["by"] == "r"


def test_bans_live_through_an_upgrade(start, server):
    """Those of rules and of people, without a state folder: one binary hands them to the next."""
    proxy = start(settings(server, "{ rules: { r: { count: ['404'], times: 1, for: 1h } } }"))
    assert ask(proxy, "/gone") == 404
    run("ban", "add", "127.0.0.4", "--reason", "by hand", *control(proxy), check=0)
    wait_until(lambda: set(listed(proxy)) == {"127.0.0.2", "127.0.0.4"}, "the bans")
    wait_until(lambda: (ask(proxy), ask(proxy, source="127.0.0.4")) == (403, 403), "their force")
    before, gate = listed(proxy), proxy.gate_pid()
    answer = proxy.ask(command="upgrade", binary=str(BINARY))
    assert answer["ok"], answer
    assert proxy.gate_pid() != gate
    assert (ask(proxy), ask(proxy, source="127.0.0.4")) == (403, 403)  # from the first request on
    assert listed(proxy) == before
    assert ask(proxy, source="127.0.0.3") == 200


def test_people_ban_and_forgive(start, server):
    proxy = start(settings(server, "{}"), workers=2)
    run("ban", "add", "127.0.0.2", "--for", "2h", "--reason", "too many mails", *control(proxy), check=0)
    proxy.wait_line(r"ban: 127\.0\.0\.2 is banned for 2 h by too many mails", proxy.err)
    wait_until(lambda: ask(proxy) == 403, "the ban")
    done = run("ban", "list", *control(proxy), check=0)
    assert done.stdout.startswith("127.0.0.2  until 20") and "by too many mails" in done.stdout
    run("ban", "remove", "127.0.0.2", *control(proxy), check=0)
    proxy.wait_line(r"ban: 127\.0\.0\.2 isn't banned any more: the ban was removed", proxy.err)
    wait_until(lambda: ask(proxy) == 200, "the end of the ban")
    assert listed(proxy) == {}


@pytest.mark.parametrize("words, why", [
    (["remove", "127.0.0.5"], "isn't banned"),
    (["add", "127.0.0.1/8"], "bits set behind its prefix"),
    (["add", "nobody"], "neither an address nor a network"),
    (["add"], "need an address or a network"),
    (["add", "127.0.0.5", "--for", "soon"], "--for needs a time"),
])
def test_orders_that_make_no_sense_say_why(start, server, words, why):
    proxy = start(settings(server, "{}"))
    done = run("ban", *words, *control(proxy))
    assert done.returncode != 0
    assert why in done.stderr


@pytest.mark.parametrize("ban, why", [
    ("{ rules: { r: { count: ['200'] } } }", "'200' can't be counted: write wrong-password, denied"),
    ("{ rules: { r: { count: [] } } }", "`count` names nothing"),
    ("{ rules: { r: { count: [4xx], match: 'Path(' } } }", "ban.yaml:.*error"),
])
def test_rules_that_make_no_sense_are_errors(tmp_path, ban, why):
    file = tmp_path / "ban.yaml"
    file.write_text(f"sites: {{ a.example: 'http://127.0.0.1:1' }}\nban: {ban}\n")
    done = run("check", "--config", file)
    assert done.returncode == 1
    assert re.search(why, done.stderr), done.stderr
