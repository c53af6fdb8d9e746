# SPDX-License-Identifier: Apache-2.0
"""Certificates on demand: ordered in the handshake that asks for their name, for names that are
allowed, and at a price that strangers can't drive up."""
import os
import signal
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

import pytest
from harness import PATIENCE, run, wait_until
from issuing import acme, cert, certificate_of, issuer_of, orders_of, pebble, serial_of  # noqa: F401

ROUTES = "routes: [{ match: PathPrefix(`/`), use: [hi] }]\n"
ALLOWED = "on-demand: { allow: ['*.shops.example.com'], wait: 30s, limit: 1000/s }\n" + ROUTES


class Registrar:
    """Who is asked. answer(handler, name) answers; what was asked stands in .asked."""

    def __init__(self, answer):
        registrar = self
        self.asked = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                url = urlparse(self.path)
                name = parse_qs(url.query).get("domain", [""])[0]
                registrar.asked.append((url.path, name))
                answer(self, name)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/may"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def say(status, headers=()):
    def answer(handler, name):
        handler.send_response(status(name) if callable(status) else status)
        for key, value in headers:
            handler.send_header(key, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
    return answer


@pytest.fixture
def registrar():
    running = []

    def go(answer):
        running.append(Registrar(answer))
        return running[-1]

    yield go
    for one in running:
        one.stop()


def asking(registrar, more=""):
    return f"on-demand: {{ ask: '{registrar.url}', wait: 30s, limit: 1000/s{more} }}\n" + ROUTES


def demand(proxy):
    return proxy.ask(command="status")["status"]["on_demand"]


def is_issued(proxy, name):
    return "Pebble" in issuer_of(proxy, name)


def curl(proxy, authority, name):
    root = proxy.file.parent / "root.pem"
    root.write_text(authority.asks("roots/0"))
    return subprocess.run(["curl", "-sS", "--cacert", root, "--connect-to",
                           f"::127.0.0.1:{proxy.ports['websecure']}", f"https://{name}/"],
                          capture_output=True, text=True, timeout=PATIENCE * 2)


def test_an_allowed_name_is_served_in_its_very_first_handshake(acme):
    proxy, authority = acme(ALLOWED)
    done = curl(proxy, authority, "a.shops.example.com")
    assert (done.returncode, done.stdout) == (0, "hi"), done.stderr
    assert orders_of(authority) == 1
    assert demand(proxy)["names"] == 1
    assert is_issued(proxy, "a.shops.example.com")
    assert orders_of(authority) == 1


def test_names_that_are_not_allowed_get_no_order(acme):
    proxy, authority = acme(ALLOWED)
    for name in ("a.other.example.com", "x.a.shops.example.com", "shops.example.com", "localhost"):
        assert not is_issued(proxy, name)
    assert orders_of(authority) == 0
    assert demand(proxy)["issued"] == 0


def test_a_name_is_asked_about_once(acme, registrar):
    asked = registrar(say(lambda name: 200 if name.startswith("good") else 403))
    proxy, authority = acme(asking(asked))
    assert is_issued(proxy, "good.example.com")
    for _ in range(3):
        assert not is_issued(proxy, "bad.example.com")
        assert is_issued(proxy, "good.example.com")
    assert sorted(asked.asked) == [("/may", "bad.example.com"), ("/may", "good.example.com")]
    assert orders_of(authority) == 1
    assert demand(proxy)["refused"] == 1


def test_both_must_say_yes(acme, registrar):
    asked = registrar(say(lambda name: 200 if name.startswith("good") else 403))
    proxy, authority = acme(asking(asked, ", allow: '*.shops.example.com'"))
    assert not is_issued(proxy, "good.example.com")
    assert not is_issued(proxy, "bad.shops.example.com")
    assert [name for _, name in asked.asked] == ["bad.shops.example.com"]
    assert is_issued(proxy, "good.shops.example.com")
    assert orders_of(authority) == 1


def test_a_flood_of_random_names_costs_few_questions_and_no_orders(acme, registrar):
    asked = registrar(say(404))
    proxy, authority = acme(asking(asked))

    def flood(thread):
        for i in range(100):
            certificate_of(proxy, f"n{thread}-{i}.example.com")

    began = time.monotonic()
    threads = [threading.Thread(target=flood, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    allowed = 50 + 10 * (time.monotonic() - began + 1)  # a burst, and so many a second
    assert len(asked.asked) <= allowed
    assert len(asked.asked) == len(set(asked.asked))
    assert orders_of(authority) == 0
    assert demand(proxy)["names"] == 0


def test_handshakes_at_once_for_one_name_make_one_order(acme):
    proxy, authority = acme(ALLOWED, env={"PEBBLE_VA_NOSLEEP": "0", "PEBBLE_VA_SLEEPTIME": "2"})
    got = []
    threads = [threading.Thread(target=lambda: got.append(is_issued(proxy, "a.shops.example.com")))
               for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [True] * 8
    assert orders_of(authority) == 1


def test_a_certificate_stays_when_processes_end(acme, start):
    proxy, authority = acme(ALLOWED)
    name = "a.shops.example.com"
    assert is_issued(proxy, name)
    serial, gate = serial_of(proxy, name), proxy.gate_pid()
    os.kill(gate, signal.SIGKILL)
    wait_until(lambda: proxy.gate_pid() not in (None, gate), "another gate")
    assert serial_of(proxy, name) == serial
    assert proxy.end() == 0
    again = start(proxy.settings)
    assert serial_of(again, name) == serial
    assert orders_of(authority) == 1
    assert demand(again)["names"] == 1


@pytest.mark.parametrize("trouble", ["down", "slow", "redirect", "broken", "endless", "garbage"])
def test_who_is_asked_and_gives_no_answer_allows_nothing(acme, registrar, trouble):
    def endless(handler, name):
        handler.send_response(200)
        try:
            while True:
                handler.wfile.write(b"X-More: " + b"x" * 1000 + b"\r\n")
        except OSError:
            pass

    held = threading.Event()
    answers = {"down": say(200), "slow": lambda handler, name: held.wait(PATIENCE),
               "redirect": lambda handler, name: say(
                   302, [("Location", asked.url.replace("/may", "/yes"))])(handler, name)
               if handler.path.startswith("/may") else say(200)(handler, name),
               "broken": say(503), "endless": endless,
               "garbage": lambda handler, name: handler.wfile.write(b"\0\1\2nonsense\r\n\r\n")}
    asked = registrar(answers[trouble])
    if trouble == "down":
        asked.stop()
    proxy, authority = acme(asking(asked))
    assert not is_issued(proxy, "a.example.com")
    assert not is_issued(proxy, "a.example.com")
    held.set()
    assert {path for path, _ in asked.asked} <= {"/may"}
    assert len(asked.asked) <= 1
    assert orders_of(authority) == 0
    if trouble != "redirect":
        proxy.wait_line("whether a.example.com may have a certificate can't be learnt", proxy.err)
        assert demand(proxy)["unanswered"] == 1


def test_an_order_that_fails_is_not_repeated(acme):
    proxy, authority = acme(ALLOWED.replace("*.shops.example.com", "blocked.example"))
    for _ in range(3):
        assert not is_issued(proxy, "blocked.example")
    proxy.wait_line("certificate blocked.example: test doesn't issue it", proxy.err)
    assert demand(proxy)["failed"] == 1
    assert len([line for line in proxy.err if "doesn't issue it" in line]) == 1
    assert not list((proxy.state / "orders").glob("blocked.example*"))


def test_below_a_site_s_wildcard_each_name_gets_its_own(acme):
    """And the wildcard itself is the local CA's, for which no dns-01 is needed."""
    proxy, authority = acme("on-demand: { allow: '*.shops.example.com', wait: 30s }\n"
                            "sites:\n  '*.shops.example.com': { use: [hi], tls: { on-demand: on } }\n")
    assert is_issued(proxy, "a.shops.example.com")
    assert is_issued(proxy, "b.shops.example.com")
    assert orders_of(authority) == 2
    wildcard = [c for c in proxy.ask(command="status")["status"]["certificates"]
                if c["id"] == "_wildcard.shops.example.com"]
    assert [c["source"] for c in wildcard] == ["local-ca"]


def test_a_handshake_that_has_waited_long_enough_goes_on_without(acme):
    proxy, authority = acme(ALLOWED.replace("wait: 30s", "wait: 100ms"),
                            env={"PEBBLE_VA_NOSLEEP": "0", "PEBBLE_VA_SLEEPTIME": "2"})
    assert not is_issued(proxy, "a.shops.example.com")
    wait_until(lambda: is_issued(proxy, "a.shops.example.com"), "the certificate")
    assert orders_of(authority) == 1


def test_a_forgotten_certificate_is_ordered_anew_when_it_is_asked_for(acme):
    proxy, authority = acme(ALLOWED)
    name = "a.shops.example.com"
    first = serial_of(proxy, name)
    assert cert(proxy, "forget", name, "--yes").returncode == 0
    assert demand(proxy)["names"] == 0
    wait_until(lambda: serial_of(proxy, name) != first, "another certificate")
    assert is_issued(proxy, name)
    assert orders_of(authority) == 2


def test_settings_that_are_taken_back_end_it(acme):
    proxy, authority = acme(ALLOWED)
    assert is_issued(proxy, "a.shops.example.com")
    proxy.reload(proxy.settings.replace("on-demand: {", "on-demand: off\nx: {").split("x: {")[0]
                 + ROUTES, 2)
    assert demand(proxy) is None
    assert not is_issued(proxy, "a.shops.example.com")
    proxy.reload(proxy.settings, 3)
    assert is_issued(proxy, "a.shops.example.com")
    assert orders_of(authority) == 1


@pytest.mark.parametrize("settings, says", [
    ("email: a@example.com\non-demand: on\n", "needs 'allow' or 'ask'"),
    ("email: a@example.com\non-demand: { wait: 5s }\n", "needs 'allow' or 'ask'"),
    ("on-demand: { allow: a.example }\n", "needs an authority"),
    ("email: a@example.com\non-demand: { allow: a.example, issuer: nobody }\n", "no issuer 'nobody'"),
    ("email: a@example.com\non-demand: { allow: '*' }\n", "is no name"),
    ("email: a@example.com\non-demand: { ask: 'file:///etc/passwd' }\n", "is no URL"),
    ("sites: { '*.a.example': { to: 'http://127.0.0.1:1', tls: { on-demand: on } } }\n",
     "give it 'allow' or 'ask'"),
])
def test_check_refuses_what_would_let_strangers_order(tmp_path, settings, says):
    file = tmp_path / "s.yaml"
    file.write_text(settings)
    done = run("check", "-c", file)
    assert done.returncode == 1 and says in done.stderr, done.stderr
    assert len([line for line in done.stderr.splitlines() if "error:" in line]) == 1
