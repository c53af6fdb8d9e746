# SPDX-License-Identifier: Apache-2.0
"""Which of several servers gets a request: methods, backups, clients who stick."""
import json
import threading
from collections import Counter

import pytest

from harness import Origin, Proxy, kill_and_wait, run, wait_until
from test_services import refused_address

NAMES = "ABC"


class Held:
    """Requests for /hold wait for let_go."""

    def __init__(self):
        self.go = threading.Event()
        self.origins = {name: Origin(lambda r, c, name=name: self.answer(r, name))
                        for name in NAMES}

    def answer(self, request, name):
        if request.target.startswith("/hold"):
            assert self.go.wait(60)
        if request.target.startswith("/slow") and name == "A":
            threading.Event().wait(0.05)
        return name

    def stop(self):
        self.go.set()
        for server in self.origins.values():
            server.stop()


@pytest.fixture(scope="module")
def farm():
    held = Held()
    yield held
    held.stop()


@pytest.fixture(scope="module")
def proxy(farm, tmp_path_factory):
    """One with a service and a site for each method."""
    urls = [server.url for server in farm.origins.values()]
    all_three = ", ".join(f"'{url}'" for url in urls)
    held, dead = refused_address()
    services = "".join(f"  {name}: {{ balance: {name}, servers: [{all_three}] }}\n" for name in
                       ["least-connections", "least-time", "random-two", "source", "first"])
    services += (f"  hash: {{ balance: hash, hash-key: [path, 'query:id'], servers: [{all_three}] }}\n"
                 f"  backup: {{ servers: ['http://{dead}', {{ url: '{urls[1]}', backup: yes }}] }}\n"
                 f"  idle: {{ servers: ['{urls[0]}', {{ url: '{urls[1]}', backup: yes }}] }}\n")
    sites = "".join(f"  {line.split(':')[0].strip()}.example: {line.split(':')[0].strip()}\n"
                    for line in services.splitlines())
    running = Proxy(tmp_path_factory.mktemp("balancing"),
                    f"services:\n{services}sites:\n{sites}", workers=2)
    yield running
    running.stop()
    held.close()


def report_of(proxy):
    status = run("status", "--json", "--control", proxy.file.parent / "control.sock").stdout
    return json.loads(status)["report"]


def ask(proxy, site, n, path="/"):
    return Counter(proxy.get(path, host=f"{site}.example").text for _ in range(n))


def test_requests_go_where_the_fewest_are_in_progress_of_all_workers(proxy, farm):
    farm.go.clear()
    threads = []
    before = {name: len(server.requests) for name, server in farm.origins.items()}
    for n in range(2):
        threads.append(threading.Thread(target=ask, args=(proxy, "least-connections", 1, "/hold")))
        threads[-1].start()
        wait_until(lambda n=n: sum(len(s.requests) - before[name] for name, s in
                                   farm.origins.items()) == n + 1, "the request at its server")
    held = {name for name, s in farm.origins.items() if len(s.requests) > before[name]}
    assert len(held) == 2, "the second one didn't go to another server"
    free = next(iter(set(NAMES) - held))
    assert ask(proxy, "least-connections", 8) == {free: 8}
    farm.go.set()
    for thread in threads:
        thread.join()
    wait_until(lambda: len(ask(proxy, "least-connections", 6)) == 3, "the three to take turns")


def test_a_slow_server_gets_few_requests_by_time(proxy):
    assert ask(proxy, "least-time", 40, "/slow")["A"] <= 8


def test_lots_reach_all_servers(proxy):
    assert set(ask(proxy, "random-two", 60)) == set(NAMES)


def test_a_key_stays_at_its_server(proxy):
    where = {n: ask(proxy, "hash", 2, f"/{n}?id=1&x={n}") for n in range(30)}
    assert all(len(servers) == 1 for servers in where.values()), where
    assert {name for servers in where.values() for name in servers} == set(NAMES)
    assert len({next(iter(ask(proxy, "hash", 1, f"/same?id={n}"))) for n in range(30)}) == 3


def test_a_client_stays_at_its_server_by_source(proxy):
    assert len(ask(proxy, "source", 12)) == 1


def test_the_first_gets_all(proxy):
    assert ask(proxy, "first", 6) == {"A": 6}


def test_backups_stand_by_until_no_other_can_be_used(proxy):
    assert ask(proxy, "backup", 6) == {"B": 6}
    assert ask(proxy, "idle", 6) == {"A": 6}


# --- clients who stick ---

def sticky(urls, state, more=""):
    return (f"state: '{state}'\nservices:\n  app:\n    sticky: {{ cookie: route, same-site: strict }}\n"
            f"    servers: [{', '.join(urls)}]\n{more}sites: {{ app.example: app }}\n")


def visit(proxy, cookie=None):
    """Which server, and the cookie that comes with the answer."""
    answer = proxy.get(host="app.example", headers=f"Cookie: {cookie}\r\n" if cookie else "")
    assert answer.status == 200
    return answer.text, answer.get("Set-Cookie")


def test_clients_stick_over_reload_gate_kill_and_restart(start, farm, tmp_path):
    """Issue 6: sticky by signed cookie survives restart and reload."""
    state = tmp_path / "state"
    urls = [f"'{server.url}'" for server in farm.origins.values()]
    proxy = start(sticky(urls, state), workers=2)
    cookies = {}
    for _ in range(12):
        name, set_cookie = visit(proxy)
        pair, attributes = set_cookie.split("; ", 1)
        assert attributes == "Path=/; HttpOnly; SameSite=Strict"
        assert cookies.setdefault(name, pair) == pair
        assert farm.origins[name].address.split(":")[1] not in set_cookie
    assert set(cookies) == set(NAMES)

    def stick(running):
        for name, pair in cookies.items():
            for _ in range(3):
                assert visit(running, f"a=1; {pair}") == (name, None)
            request = farm.origins[name].requests[-1]
            assert request.get("Cookie") == "a=1"

    stick(proxy)
    # Other weights, and one that takes no new clients.
    heavy = [f"{{ url: {urls[0]}, weight: 9 }}", urls[1], f"{{ url: {urls[2]}, weight: 0 }}"]
    assert proxy.try_reload(sticky(heavy, state))
    stick(proxy)
    assert "C" not in {visit(proxy)[0] for _ in range(12)}
    killed = proxy.gate_pid()
    kill_and_wait(killed)
    wait_until(lambda: proxy.gate_pid() not in (killed, None), "another gate")
    stick(proxy)
    forged = cookies["A"][:-1] + ("A" if cookies["A"][-1] != "A" else "B")
    for bad in [forged, "route=", "route=" + farm.origins["A"].address]:
        assert visit(proxy, bad)[1] is not None
    proxy.stop()
    stick(start(sticky(urls, state), workers=2))


def test_a_client_whose_server_dies_moves_and_stays_with_the_next(start, origin):
    servers = {name: origin(lambda r, c, name=name: name) for name in "AB"}
    proxy = start("services: { app: { sticky: on, servers: ["
                  + ", ".join(f"'{s.url}'" for s in servers.values())
                  + "] } }\nsites: { app.example: app }\n")
    name, set_cookie = visit(proxy)
    pair = set_cookie.split(";")[0]
    assert pair.startswith("stick-")
    servers[name].stop()
    other, set_cookie = visit(proxy, pair)
    assert other != name
    pair = set_cookie.split(";")[0]
    assert [visit(proxy, pair) for _ in range(4)] == [(other, None)] * 4


# --- places ---

class Crowd:
    """A server that counts how many requests it has at a time."""

    def __init__(self):
        self.lock = threading.Lock()
        self.inside = self.most = 0
        self.origin = Origin(self.answer)

    def answer(self, request, _):
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        threading.Event().wait(0.005)
        with self.lock:
            self.inside -= 1
        return "done"


def test_max_connections_is_never_exceeded_by_all_workers_together(start):
    """Issue 6: max-connections of a server with a queue, for the whole gate."""
    crowds = [Crowd(), Crowd()]
    servers = ", ".join(f"{{ url: '{c.origin.url}', max-connections: 3 }}" for c in crowds)
    proxy = start(f"services: {{ app: {{ queue-timeout: 60s, servers: [{servers}] }} }}\n"
                  "sites: { app.example: app }\n", workers=2)
    statuses = Counter()

    def load():
        # A connection each: the kernel shares them out among the workers.
        for _ in range(12):
            statuses[proxy.get(host="app.example").status] += 1

    threads = [threading.Thread(target=load) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == {200: 240}
    assert [c.most for c in crowds] == [3, 3]
    for crowd in crowds:
        crowd.origin.stop()


def test_when_one_server_is_saturated_the_others_serve_and_the_rest_is_shed(start, farm):
    """S4-13: one full server holds up nobody; when all are full, who is too much gets 503 at once."""
    farm.go.clear()
    urls = [farm.origins[name].url for name in "AB"]
    proxy = start("services: { app: { queue-max: 1, queue-timeout: 60s, balance: first, servers: "
                  f"[{{ url: '{urls[0]}', max-connections: 2 }}, "
                  f"{{ url: '{urls[1]}', max-connections: 2 }}] }} }}\n"
                  "sites: { app.example: app }\n", workers=2)

    def in_progress():
        service = report_of(proxy)["services"][0]
        return [s["addresses"][0]["active"] for s in service["servers"]] + [service["waiting"]]
    held = [threading.Thread(target=ask, args=(proxy, "app", 1, "/hold")) for _ in range(5)]
    for thread in held[:2]:
        thread.start()
    wait_until(lambda: in_progress() == [2, 0, 0], "a full server")
    assert ask(proxy, "app", 10) == {"B": 10}
    for thread in held[2:]:
        thread.start()
    wait_until(lambda: in_progress() == [2, 2, 1], "all full, and one that waits")
    text = run("status", "--control", proxy.file.parent / "control.sock").stdout
    assert "1 waiting for a place" in text and "2 in progress" in text
    answer = proxy.get(host="app.example")
    assert answer.status == 503 and answer.get("Retry-After") == "60"
    farm.go.set()
    for thread in held:
        thread.join()
    wait_until(lambda: in_progress() == [0, 0, 0], "all served")


def test_a_full_queue_is_503_with_retry_after(start, farm):
    farm.go.clear()
    url = farm.origins["A"].url
    proxy = start(f"services: {{ app: {{ queue-max: 0, queue-timeout: 7s, servers: "
                  f"[{{ url: '{url}', max-connections: 1 }}] }} }}\nsites: {{ app.example: app }}\n")
    before = len(farm.origins["A"].requests)
    held = threading.Thread(target=ask, args=(proxy, "app", 1, "/hold"))
    held.start()
    wait_until(lambda: len(farm.origins["A"].requests) > before, "the request at its server")
    answer = proxy.get(host="app.example")
    assert answer.status == 503 and answer.get("Retry-After") == "7"
    assert "max-connections" not in answer.text
    farm.go.set()
    held.join()
    assert ask(proxy, "app", 3) == {"A": 3}


# --- services made of services ---

def test_a_canary_gets_its_share_and_keeps_its_clients(start, farm):
    """Issue 6: a weighted split between services, sticky; and the first that can be used."""
    a, b = farm.origins["A"].url, farm.origins["B"].url
    held, dead = refused_address()
    services = (f"services:\n  stable: '{a}'\n  canary: '{b}'\n  gone: 'http://{dead}'\n"
                "  app: { split: [{ service: stable, weight: 9 }, canary] }\n"
                "  keep: { split: [stable, canary], sticky: on }\n"
                "  safe: { failover: [gone, canary] }\n"
                "sites: { app.example: app, keep.example: keep, safe.example: safe }\n")
    proxy = start(services, workers=2)
    shares = ask(proxy, "app", 100)
    assert 8 <= shares["B"] <= 12 and shares["A"] + shares["B"] == 100
    answer = proxy.get(host="keep.example")
    cookie = answer.get("Set-Cookie").split(";")[0]
    for _ in range(6):
        again = proxy.get(host="keep.example", headers=f"Cookie: {cookie}\r\n")
        assert again.text == answer.text and again.get("Set-Cookie") is None
    for _ in range(4):
        assert proxy.get(host="safe.example", method="POST",
                         headers="Content-Length: 2\r\n", body=b"hi").text == "B"
    circle = services.replace("gone: 'http", "other: { failover: [safe] }\n  gone: 'http") \
                     .replace("[gone, canary]", "[gone, other]")
    report = report_of(proxy)
    assert report["groups"][0] == {"name": "app", "kind": "split", "members": [
        {"service": "stable", "weight": 9}, {"service": "canary", "weight": 1}]}
    assert report["groups"][2]["kind"] == "failover"
    assert not proxy.try_reload(circle)
    assert any("leads back to itself" in line for line in proxy.err)
    held.close()


def test_a_mirror_gets_copies_and_costs_the_original_nothing(start, origin, farm):
    copies = origin(lambda r, c: "never seen")
    silent = origin(lambda r, c: threading.Event().wait(60) and "")
    held, dead = refused_address()
    main = farm.origins["A"].url
    services = f"services:\n  next: '{copies.url}'\n  gone: 'http://{dead}'\n  silent: '{silent.url}'\n"
    for name in ["next", "gone", "silent"]:
        services += f"  to-{name}: {{ servers: '{main}', mirror: {{ to: {name}, timeout: 2s }} }}\n"
    proxy = start(services + "access-log: { format: '{host} {trail}' }\n"
                  "sites: { next.example: to-next, gone.example: to-gone, silent.example: to-silent }\n")
    body = b"what was sent"
    answer = proxy.get("/orders?x=1", host="next.example", method="POST", body=body,
                       headers=f"Content-Length: {len(body)}\r\nX-Own: yes\r\n")
    assert answer.text == "A"
    copy = copies.next_request()
    assert (copy.method, copy.target, copy.get("X-Own")) == ("POST", "/orders?x=1", "yes")
    assert copy.body == body
    assert copy.get("Host") == "next.example"
    # Nobody waits for a mirror that is dead, or that never answers.
    for name in ["gone", "silent"]:
        assert ask(proxy, name, 20) == {"A": 20}
    assert proxy.log_lines(r"gone.example .*mirrored to \(gone\)", count=20)

    def mirror(name):
        return next(s["mirror"] for s in report_of(proxy)["services"] if s["name"] == f"to-{name}")
    wait_until(lambda: mirror("gone") == {"to": "gone", "sent": 20, "dropped": 0, "failed": 20},
               "copies that failed")
    assert mirror("next") == {"to": "next", "sent": 1, "dropped": 0, "failed": 0}
    held.close()
