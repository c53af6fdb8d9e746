# SPDX-License-Identifier: Apache-2.0
"""Servers that fail requests: sent again, ejected, the breaker; and what an outage costs clients."""
import json
import threading
import time

import pytest
from harness import PATIENCE, Client, ok, run, wait_until

LOG = "access-log: { path: '-', format: '{status} {tries} {end} {trail}' }\n"


class Server:
    """Answers its name, or what it is told; counts requests."""

    def __init__(self, origin, name, **kwargs):
        self.name, self.says, self.n, self.bodies = name, None, 0, []
        self.server = origin(self.answer, **kwargs)
        self.url, self.address = self.server.url, self.server.address

    def answer(self, request, conn):
        if request.target == "/healthz":
            return "well"
        self.n += 1
        self.bodies.append(getattr(request, "body", b""))
        if callable(self.says):
            return self.says(request, conn)
        return self.says if self.says is not None else self.name


@pytest.fixture
def pair(origin):
    return [Server(origin, "A"), Server(origin, "B")]


def settings(servers, more, head=""):
    urls = ", ".join(f"'{s.url}'" for s in servers)
    return (f"{head}services: {{ app: {{ servers: [{urls}], {more} }} }}\n"
            "sites: { a.example: app }\n")


def get(proxy, **kwargs):
    return proxy.get(host="a.example", **kwargs)


def service_of(proxy):
    status = run("status", "--json", "--control", proxy.file.parent / "control.sock").stdout
    return json.loads(status)["report"]["services"][0]


SAD = ok("sad", status="503 Sad")


def hang_up(_, conn):
    conn.close()


# --- sent again ---

def test_answers_that_settings_name_are_asked_for_again(start, pair):
    a, b = pair
    a.says = SAD
    proxy = start(settings(pair, "retries: { when: [connect, closed, 503] }", LOG))
    assert [get(proxy).text for _ in range(6)] == ["B"] * 6
    assert a.n == 3
    line = proxy.log_lines(r"^200 2 ")[0]
    assert f"retried (server {a.address}: status 503)" in line
    answer = get(proxy, method="POST", body=b"x")
    answers = [answer, get(proxy, method="POST", body=b"x")]
    assert sorted(r.status for r in answers) == [200, 503]  # never what may have been acted upon
    b.says = SAD
    assert get(proxy).text == "sad"  # when all say so, the client hears it


def test_an_answer_is_the_clients_when_no_other_server_gives_a_better_one(start, pair):
    a, b = pair
    a.says, b.says = SAD, hang_up
    proxy = start(settings(pair, "retries: { when: [connect, closed, 503] }, balance: first, "
                                 "skip-time: 0", LOG))
    answers = [get(proxy)]  # the other one closes,
    b.server.stop()
    answers.append(get(proxy))  # or can't be reached
    assert [(r.status, r.text) for r in answers] == [(503, "sad")] * 2
    lines = proxy.log_lines(r"^503 2 ok ", 2)
    assert all(f"gave the answer of ({a.address})" in line for line in lines)


def test_bodies_are_sent_again_up_to_their_limit(start, pair):
    a, b = pair
    a.says = hang_up
    proxy = start(settings(pair, "retries: { body-max: 100KiB }, balance: first"))
    for size in [1, 90_000]:
        body = bytes(i % 251 for i in range(size))
        with Client(proxy.port) as c:
            c.send(f"PUT /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: {size}\r\n\r\n")
            for at in range(0, size, 20_000):  # in pieces, so that it is never in memory at once
                c.send(body[at:at + 20_000])
            answer = c.read_answer()
        assert answer.status == 200 and answer.text == "B"
        assert b.bodies[-1] == body
    n = b.n
    with Client(proxy.port) as c:
        c.send("PUT /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 200000\r\n\r\n")
        for _ in range(10):
            c.send(b"z" * 20_000)
        assert c.read_answer().status == 502
    assert b.n == n


def test_the_budget_keeps_an_outage_from_being_multiplied(start, pair):
    for s in pair:
        s.says = SAD
    proxy = start(settings(pair, "retries: { when: [503], budget-percent: 20, budget-min: 0 }"))
    for _ in range(100):
        assert get(proxy).status == 503
    assert 100 <= sum(s.n for s in pair) <= 120


# --- ejection ---

def test_a_server_that_fails_is_ejected_and_comes_back(start, pair):
    a, b = pair
    a.says = SAD
    proxy = start(settings(pair, "eject: { failures: 3, time: 1500ms, time-max: 1m }"))
    assert sorted(get(proxy).status for _ in range(6)) == [200] * 3 + [503] * 3
    proxy.wait_line(rf"server {a.address} is ejected for 1.5 s: 3 requests in a row failed, "
                    r"the last one: status 503", proxy.err)
    assert [get(proxy).text for _ in range(4)] == ["B"] * 4
    shown = [s["addresses"][0] for s in service_of(proxy)["servers"]]
    assert shown[0]["state"] == "ejected" and shown[0]["until"] and shown[1]["state"] == "up"
    wait_until(lambda: get(proxy).status == 503, "it is used again")
    for _ in range(6):
        get(proxy)
    proxy.wait_line(rf"server {a.address} is ejected for 3.0 s", proxy.err)
    # Never both.
    b.says = SAD
    for _ in range(20):
        assert get(proxy).text == "sad"


# --- the breaker ---

def test_the_breaker_opens_and_closes(start, pair):
    for s in pair:
        s.says = ok("bug", status="500 Bug")
    proxy = start(settings(pair, "breaker: { percent: 50, requests-min: 6, open: 2s }", LOG))
    for _ in range(6):
        assert get(proxy).status == 500
    proxy.wait_line(r"service app: its breaker opens", proxy.err)
    n = sum(s.n for s in pair)
    answer = get(proxy)
    assert answer.status == 503 and answer.get("Retry-After") in ("1", "2") and sum(s.n for s in pair) == n
    assert proxy.log_lines(r"^503 0 breaker .*service app refused")
    shown = service_of(proxy)["breaker"]
    assert shown["state"] in ("open", "trying") and shown["refused"] >= 1
    for s in pair:
        s.says = None
    proxy_status = run("status", "--control", proxy.file.parent / "control.sock").stdout
    assert "breaker " in proxy_status
    wait_until(lambda: get(proxy).status == 200, "a trial")
    proxy.wait_line(r"service app: its breaker closes", proxy.err)
    assert [get(proxy).status for _ in range(6)] == [200] * 6
    assert service_of(proxy)["breaker"]["state"] == "closed"


# --- under load ---

class Crowd:
    """Clients that ask all the time, on kept connections; what isn't a 200 is a loss."""

    def __init__(self, proxy, n):
        self.losses, self.texts, self.is_over = [], [], False
        self.port = proxy.port
        self.threads = [threading.Thread(target=self.run) for _ in range(n)]
        for t in self.threads:
            t.start()

    def run(self):
        try:
            with Client(self.port) as c:
                while not self.is_over:
                    answer = c.exchange("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
                    if answer.status != 200:
                        self.losses.append(answer.status)
                    self.texts.append(answer.text)
        except (OSError, EOFError, AssertionError) as e:
            self.losses.append(repr(e))

    def wait(self, n, text=None):
        at = len(self.texts)
        wait_until(lambda: len([t for t in self.texts[at:] if text in (None, t)]) >= n or
                   self.losses, f"{n} answers of {text}")

    def end(self):
        self.is_over = True
        for t in self.threads:
            t.join(PATIENCE)


def test_a_server_that_the_timeout_filter_does_not_wait_for_is_ejected(start, pair):
    a, _ = pair
    release = threading.Event()

    def hang(*_):
        release.wait(PATIENCE)
        return "late"
    a.says = hang
    proxy = start(settings(pair, "eject: { failures: 2, time: 1h, time-max: 1h }, balance: first",
                           "filters: { quick: { timeout: 300ms } }\n")
                  .replace("a.example: app", "a.example: { to: app, use: [quick] }"))
    assert [get(proxy).status for _ in range(2)] == [504, 504]
    proxy.wait_line(rf"server {a.address} is ejected for .* no answer in time", proxy.err)
    assert get(proxy).text == "B"
    release.set()


def slowly(name):
    def answer(_, conn):
        time.sleep(0.005)
        return name
    return answer


def test_a_server_that_dies_under_load_costs_nothing_and_is_used_again_within_a_check(
        start, origin):
    """The same again and again: it dies with requests on it, and comes back."""
    a, b = Server(origin, "A"), Server(origin, "B")
    a.says, b.says = slowly("A"), slowly("B")
    port = a.server.port
    proxy = start(settings([a, b], "health: { path: /healthz, every: 300ms, timeout: 200ms, "
                                   "jitter-percent: 0 }, skip-time: 1m"))
    crowd = Crowd(proxy, 8)
    try:
        for _ in range(3):
            crowd.wait(40, "A")
            a.server.stop()
            crowd.wait(100, "B")
            a = Server(origin, "A", address=("127.0.0.1", port))
            a.says = slowly("A")
            began = time.monotonic()
            crowd.wait(1, "A")
            assert time.monotonic() - began < 30  # and not after skip-time
        assert crowd.losses == []
    finally:
        crowd.end()
    assert crowd.losses == []
