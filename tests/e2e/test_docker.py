# SPDX-License-Identifier: Apache-2.0
"""Sites from containers' labels, against a scripted engine: what comes, changes, stops and lies."""
import json
import os
import re
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from docker_api import DOCKER_1_12, DOCKER_NEXT, PODMAN_4, Engine
from harness import IS_SANITIZED, Origin, Proxy, run, wait_until

MORE = "sites: { file.example: '%s' }\nlog: { level: debug }\n"


class World:
    """An engine, a proxy that follows it, and one server that stands for all containers."""

    def __init__(self, folder, settings="linger: 30s", version=None, engine=True, expect_start=True):
        self.socket = folder / "docker.sock"
        self.origin = Origin(lambda request, conn: "hello")
        self.engine = Engine(self.socket, **({"version": version} if version else {})) \
            if engine else None
        self.proxy = Proxy(folder / "proxy", "providers: { docker: { endpoint: 'unix://%s', %s } }\n"
                           % (self.socket, settings) + MORE % self.origin.url,
                           expect_start=expect_start)

    def run(self, name, labels, **more):
        """A container whose server is the origin."""
        return self.engine.run(name, {"sallyport.to": str(self.origin.port), **labels}, **more)

    def status_of(self, host, path="/"):
        return self.proxy.get(path, host=host).status

    def wait_for(self, host, status=200, path="/"):
        return wait_until(lambda: self.status_of(host, path) == status, f"{status} from {host}")

    def status(self):
        return json.loads(run("status", "--json", "--config", self.proxy.file, check=0).stdout)

    def report(self):
        return self.status()["providers"]["docker"]

    def stop(self):
        self.proxy.stop()
        self.origin.stop()
        if self.engine and self.engine.server:
            self.engine.down()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("docker"))
    yield made
    made.stop()


@pytest.fixture
def own_world(tmp_path):
    """own_world(…) is one that nobody shares."""
    running = []

    def go(*args, **kwargs):
        running.append(World(tmp_path, *args, **kwargs))
        return running[0]

    yield go
    for made in running:
        made.stop()


def test_sites_come_and_go_with_containers(world):
    """S0-3, S0-4: a container's labels make a site; when it stops there is 503, for a while."""
    c = world.run("shop", {"sallyport.site": "shop.example, www.shop.example"})
    world.wait_for("shop.example")
    assert world.status_of("www.shop.example") == 200
    world.engine.stop(c)
    world.wait_for("shop.example", 503)
    answer = world.proxy.get(host="shop.example")
    assert answer.status == 503 and answer.get("Retry-After")
    world.engine.restart(c)
    world.wait_for("shop.example")
    world.engine.remove(c)
    world.wait_for("shop.example", 503)
    assert world.status_of("file.example") == 200


def test_a_stopped_containers_site_is_removed_in_the_end(own_world):
    """S0-4: 503, then removed."""
    world = own_world("linger: 300ms")
    c = world.run("shop", {"sallyport.site": "shop.example"})
    world.wait_for("shop.example")
    world.engine.stop(c)
    world.wait_for("shop.example", 404)


def test_only_exposed_containers_have_sites(own_world):
    """S0-4: without `enable` there is no route where containers aren't exposed by default."""
    world = own_world("exposed-by-default: no")
    world.run("hidden", {"sallyport.site": "hidden.example"})
    world.run("shown", {"sallyport.site": "shown.example", "sallyport.enable": "true"})
    world.wait_for("shown.example")
    assert world.status_of("hidden.example") == 404


def test_constraints_choose_containers(own_world):
    """By any labels; what isn't let in says nothing, not even something wrong."""
    world = own_world("constraints: 'Label(`team`, `web`) && !LabelRegex(`stage`, `^(test|dev)$`)'")
    world.run("other", {"sallyport.site": "other.example", "team": "db", "sallyport.nonsense": "x"})
    world.run("tried", {"sallyport.site": "tried.example", "team": "web", "stage": "test"})
    c = world.run("ours", {"sallyport.site": "ours.example", "team": "web"})
    world.wait_for("ours.example")
    assert world.status_of("other.example") == world.status_of("tried.example") == 404
    assert world.report()["problems"] == []
    c.labels["stage"] = "dev"
    world.engine.event("update", c)
    world.wait_for("ours.example", 404)
    wrong = world.proxy.file.read_text().replace("&& !Label", "&& !Lable")
    assert not world.proxy.try_reload(wrong)
    world.proxy.wait_line(r"sallyport.yaml:1:\d+: error: unknown matcher 'LableRegex': did you mean",
                          world.proxy.err)


def test_the_port_is_the_only_one_or_the_lowest_and_that_is_told(world):
    """S0-21: no port is labelled."""
    port = world.origin.port
    world.engine.run("one-port", {"sallyport.site": "one-port.example"}, exposed=(port,))
    world.engine.run("two-ports", {"sallyport.site": "two-ports.example"}, exposed=(65535, port))
    world.engine.run("no-port", {"sallyport.site": "no-port.example"}, exposed=())
    world.wait_for("one-port.example")
    world.wait_for("two-ports.example")
    world.proxy.wait_line(f"container two-ports, .*exposes 2 ports.* the lowest one, {port}",
                          world.proxy.err)
    world.proxy.wait_line("container no-port, .*exposes no port", world.proxy.err)
    assert world.status_of("no-port.example") == 404


def test_replicas_share_the_requests(world):
    """S0-22: two containers with the same labels are two servers of one service."""
    servers = {name: Origin(lambda r, c, name=name: name) for name in "AB"}
    try:
        for name, server in servers.items():
            world.engine.run(f"replica-{name}", {"sallyport.site": "replicas.example"},
                             exposed=(server.port,))
        wait_until(lambda: len({world.proxy.get(host="replicas.example").text
                                for _ in range(4)}) == 2, "both replicas")
        got = Counter(world.proxy.get(host="replicas.example").text for _ in range(10))
        assert got == {"A": 5, "B": 5}
    finally:
        for server in servers.values():
            server.stop()


def test_a_label_names_the_network(world):
    """S0-23: of a container's addresses the one that can be reached is used."""
    world.run("networked", {"sallyport.site": "networked.example", "sallyport.network": "web"},
              networks={"db": "127.0.0.9", "web": "127.0.0.1"})
    world.run("lost", {"sallyport.site": "lost.example", "sallyport.network": "nowhere"},
              networks={"db": "127.0.0.9", "web": "127.0.0.1"})
    world.run("host", {"sallyport.site": "host.example"}, networks={}, mode="host")
    world.wait_for("networked.example")
    world.wait_for("host.example")
    world.proxy.wait_line("container lost, label sallyport.network: .*'nowhere'.* db, web",
                          world.proxy.err)


def test_a_container_that_is_ill_gets_no_requests(world):
    c = world.run("slow", {"sallyport.site": "slow.example"}, health="starting")
    world.wait_for("slow.example", 503)
    world.engine.become(c, "healthy")
    world.wait_for("slow.example")
    world.engine.become(c, "unhealthy")
    world.wait_for("slow.example", 503)
    assert world.proxy.get(host="slow.example").get("Retry-After")


def test_containers_share_a_site_by_paths(world):
    world.run("front", {"sallyport.site": "paths.example"})
    world.wait_for("paths.example")
    api = Origin(lambda request, conn: "api")
    try:
        world.engine.run("paths-api", {"sallyport.site": "paths.example", "sallyport.path": "/api",
                                       "sallyport.to": str(api.port),
                                       "sallyport.filters.mark.headers.response.set.X-By": "label",
                                       "sallyport.site.use": "mark"})
        # Settings of the site that the other container doesn't have are the site's, then.
        wait_until(lambda: world.proxy.get("/api/x", host="paths.example").text == "api", "the API")
        answer = world.proxy.get("/", host="paths.example")
        assert answer.text == "hello" and answer.get("X-By") == "label"
    finally:
        api.stop()


def test_a_mistake_costs_one_container_its_site_and_is_told(world):
    world.run("typo", {"sallyport.site": "typo.example", "sallyport.sitee.use": "x"})
    world.run("thief", {"sallyport.site": "file.example"})
    world.run("reader", {"sallyport.site": "reader.example",
                         "sallyport.filters.f.basic-auth.users": "file:/etc/shadow"})
    world.run("upright", {"sallyport.site": "upright.example"})
    world.wait_for("upright.example")
    for name, text in {"typo": "did you mean sallyport.site", "thief": "sallyport.yaml:",
                       "reader": "labels don't read files"}.items():
        world.proxy.wait_line(f"container {name}, label .*{text}", world.proxy.err)
        assert any(p["container"] == name and p["severity"] == "error"
                   for p in world.report()["problems"])
    assert world.status_of("typo.example") == 404
    assert world.status_of("file.example") == 200
    n_told = sum("container typo" in line for line in world.proxy.err)
    world.run("another", {"sallyport.site": "another.example"})
    world.wait_for("another.example")
    assert sum("container typo" in line for line in world.proxy.err) == n_told
    shown = run("status", "--config", world.proxy.file, check=0).stdout
    assert "container typo, label sallyport.sitee.use: there is no label" in shown
    checked = run("check", "--config", world.proxy.file, check=0)
    assert "container typo, label sallyport.sitee.use: error: there is no label" in checked.stderr
    as_json = json.loads(run("check", "--json", "--config", world.proxy.file, check=0).stdout)
    assert any("container thief" in m["source"] for m in as_json["messages"])
    explained = run("explain", "--config", world.proxy.file, "http://upright.example/", check=0).stdout
    assert "container upright, label sallyport.site, priority" in explained


HOSTILE = {
    # What is refused of a container, and what is said about it.
    "users-of-a-file": ({"sallyport.filters.f.basic-auth.users-file": "/etc/shadow"}, "labels don't read files"),
    "authority": ({"sallyport.service.tls.ca": "/etc/shadow"}, "labels don't read files"),
    "variable": ({"sallyport.filters.f.basic-auth.users": "env:PATH"}, "labels don't read variables"),
    "certificates": ({"sallyport.site.tls.certificates": "[{ cert: /a, key: /b }]"}, "not for labels"),
    "docker-socket": ({"sallyport.services.s.servers": "unix:/var/run/docker.sock"}, "not for labels"),
    "api": ({"sallyport.sites.inside.example.to": "api@internal"}, "tells of the whole proxy"),
    "metrics": ({"sallyport.routes.m.match": "PathPrefix(`/m`)", "sallyport.routes.m.to": "metrics@internal"},
                "tells of the whole proxy"),
    "hook": ({"sallyport.hooks.renewed": "/bin/sh"}, "there is no label"),
    "state": ({"sallyport.state": "/etc"}, "belongs to the machine"),
    "list": ({"sallyport.filters.l.allow.addresses": "../../etc/passwd"}, "expected an address"),
    "first-of-all": ({"sallyport.routes.r.match": "Host(`file.example`)", "sallyport.routes.r.to": "80",
                      "sallyport.routes.r.priority": "2000000000"}, "up to 999999"),
    "whose": ({"sallyport.filters.f@file.respond.status": "200"}, "a name has no '@'"),
    "rule": ({"sallyport.path": "/x`) || PathPrefix(`/"}, "is not a path"),
    "yaml": ({"sallyport.filters.f.headers": "{ request: { set: { A: b } } }\nstate: /etc"}, "expected the end"),
    "nul": ({"sallyport.site": "a\0.example"}, "a label isn't text"),
    "deep": ({"sallyport.site.routes": "[" * 3000}, "more than 64"),
    "deep-path": ({"traefik.http." + "a." * 3000 + "a": "b"}, ""),
    "traefik-file": ({"traefik.http.routers.t.rule": "Host(`t.example`)", "traefik.http.routers.t.middlewares": "t",
                      "traefik.http.middlewares.t.basicauth.usersfile": "/etc/shadow"}, "can't name files"),
    "traefik-api": ({"traefik.http.routers.a.rule": "Host(`t.example`)",
                     "traefik.http.routers.a.service": "api@internal"}, "the API isn't on"),
    "traefik-metrics": ({"traefik.http.routers.b.rule": "Host(`t.example`)",
                         "traefik.http.routers.b.service": "prometheus@internal"}, "tells of the whole proxy"),
}


def test_labels_say_nothing_of_the_machine(own_world):
    """Files, variables, sockets, commands, what is inside, and requests of the file's sites aren't theirs."""
    world = own_world()
    for name, (labels, _) in HOSTILE.items():
        world.run(name, {"sallyport.site": f"{name}.example", **labels})
    # Traefik's may name any priority: beside a settings file, sites come first all the same.
    thief = {"traefik.http.routers.x.rule": "PathPrefix(`/`)", "traefik.http.routers.x.priority": "2147483647",
             "traefik.http.services.x.loadbalancer.server.port": "1"}
    world.engine.run("thief", thief)
    world.run("upright", {"sallyport.site": "upright.example"})
    wait_until(lambda: world.status_of("anywhere.example") == 502, "the thief's route")
    world.wait_for("upright.example")
    problems = world.report()["problems"]
    for name, (labels, text) in HOSTILE.items():
        # What is refused before labels are looked at has only an id.
        about = [p["text"] for p in problems if p["severity"] == "error"
                 and (p["container"] == name or p["source"] == "docker")]
        assert any(text in t for t in about), (name, about)
    assert world.status_of("file.example") == 200


def test_the_engine_is_only_asked(world):
    """Nothing but GET, nothing but what is needed; and the process has no rights beside."""
    world.run("asked", {"sallyport.site": "asked.example"})
    world.wait_for("asked.example")
    allowed = r"/version|/_ping|/v1\.\d+/(events\?.*|containers/json|containers/[0-9a-f]{64}/json)"
    assert all(re.fullmatch(allowed, a) for a in world.engine.asked), world.engine.asked
    [pid] = engine_pids(world.proxy)
    status = Path(f"/proc/{pid}/status").read_text()
    assert re.search(r"NoNewPrivs:\s*1", status) and re.search(r"CapEff:\s*0+\n", status)
    assert IS_SANITIZED or re.search(r"Seccomp:\s*2", status)


def engine_pids(proxy):
    """Of the processes that speak with engines, for this proxy."""
    found = []
    for task in Path(f"/proc/{proxy.child.pid}/task").iterdir():
        for pid in (task / "children").read_text().split():
            if b"engine" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                found.append(int(pid))
    return found


def memory_has(pid, needle):
    with open(f"/proc/{pid}/mem", "rb") as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            first, last = (int(x, 16) for x in line.split()[0].split("-"))
            if "rw" not in line.split()[1] or last - first > 1 << 28:
                continue
            try:
                memory.seek(first)
                if needle in memory.read(last - first):
                    return True
            except (OSError, ValueError):
                pass
    return False


@pytest.mark.skipif(os.geteuid() != 0 or IS_SANITIZED, reason="looks into a process's memory")
def test_environments_of_containers_stay_where_they_are(world):
    world.run("private", {"sallyport.site": "private.example"})
    world.wait_for("private.example")
    assert memory_has(world.proxy.child.pid, b"private.example")
    assert not memory_has(world.proxy.child.pid, b"do-not-tell")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives sockets to groups")
def test_with_a_groups_socket_the_process_is_not_root(own_world):
    folder = Path(tempfile.mkdtemp(prefix="sallyport-docker-"))
    folder.chmod(0o755)
    engine, origin = Engine(folder / "docker.sock"), Origin(lambda r, c: "hello")
    os.chown(folder / "docker.sock", 0, 4242)
    os.chmod(folder / "docker.sock", 0o660)
    proxy = Proxy(folder / "proxy", f"providers: {{ docker: 'unix://{folder}/docker.sock' }}\n"
                  "user: nobody\n")
    try:
        engine.run("web", {"sallyport.site": "web.example"}, exposed=(origin.port,))
        wait_until(lambda: proxy.get(host="web.example").status == 200, "the site")
        [pid] = engine_pids(proxy)
        status = Path(f"/proc/{pid}/status").read_text()
        assert not re.search(r"Uid:.*\b0\b", status)
        assert re.search(r"Groups:\s*4242\s*\n", status)
    finally:
        proxy.stop()
        origin.stop()
        engine.down()
        shutil.rmtree(folder)


def test_the_last_good_routes_stay_while_the_engine_is_away(own_world):
    world = own_world("linger: 100ms")
    kept = world.run("kept", {"sallyport.site": "kept.example"})
    gone = world.run("gone", {"sallyport.site": "gone.example"})
    world.wait_for("kept.example")
    world.wait_for("gone.example")
    world.engine.down()
    world.proxy.wait_line("docker: .*stays in force", world.proxy.err)
    wait_until(lambda: world.report()["state"] == "away", "the state")
    assert world.report()["error"]
    assert world.status_of("kept.example") == 200 and world.status_of("gone.example") == 200
    # A reload and a dead gate change nothing of that.
    assert world.proxy.try_reload()
    assert world.status_of("gone.example") == 200
    with world.engine.lock:
        del world.engine.containers[gone.id]
    world.engine.start()
    world.wait_for("gone.example", 404)
    assert world.status_of("kept.example") == 200
    assert world.report()["state"] == "following" and world.report()["error"] is None
    world.engine.stop(kept)  # events are followed again
    world.wait_for("kept.example", 404)


def test_a_proxy_starts_without_its_engine(own_world):
    world = own_world(engine=False)
    world.proxy.wait_line("docker: .*tried again", world.proxy.err)
    assert world.status_of("file.example") == 200
    checked = run("check", "--config", world.proxy.file, check=0)
    assert "containers aren't looked at" in checked.stderr
    world.engine = Engine(world.socket)
    world.run("late", {"sallyport.site": "late.example"})
    world.wait_for("late.example")


def test_events_may_be_cut_anywhere_and_end_in_the_middle(own_world):
    world = own_world()
    world.engine.cut = 3
    world.run("pieces", {"sallyport.site": "pieces.example"})
    world.wait_for("pieces.example")
    world.engine.say(b'{"Type":"container","Action":"sta')  # and then nothing more
    world.engine.hang_up()
    with world.engine.lock:
        world.engine.events.clear()
    world.engine.cut = None
    world.proxy.wait_line("docker: .*stays in force", world.proxy.err)
    world.run("after", {"sallyport.site": "after.example"})
    world.wait_for("after.example")


def test_nonsense_among_events_is_answered_by_looking_at_everything(own_world):
    world = own_world()
    world.run("one", {"sallyport.site": "one.example"})
    world.wait_for("one.example")
    with world.engine.lock:
        c = world.engine.containers.setdefault("f" * 64, world.run("two", {}))
        c.labels = {"sallyport.site": "two.example", "sallyport.to": str(world.origin.port)}
        world.engine.asked.clear()
    world.engine.say(b'not JSON at all\n[1]\n{"Type":{}}\n\n')
    world.wait_for("two.example")
    assert world.status_of("one.example") == 200


def hostile(body, status=200):
    return lambda handler: handler.answer(body, status)


def test_lies_about_one_container_cost_nobody_else(own_world):
    world = own_world()
    world.run("good", {"sallyport.site": "good.example"})
    world.wait_for("good.example")
    shape = world.run("other", {}).inspect()
    bodies = {
        "deep": b"[" * 5000, "empty": b"", "cut": b'{"Id":"',
        "types": json.dumps({"Id": 1, "Name": [], "State": 7}).encode(),
        "labels": json.dumps({**shape, "Config": {"Labels": {f"l{i}": "x" * 100
                                                             for i in range(900)}}}).encode(),
        "name": json.dumps({**shape, "Name": "/a\nb: error"}).encode(),
        "another": json.dumps(shape).encode(),
    }
    for i, (name, body) in enumerate(bodies.items()):
        c = world.run(f"liar-{name}", {"sallyport.site": f"{name}.example"})
        world.engine.overrides[f"/containers/{c.id}/json"] = hostile(body)
        world.engine.event("update", c)
    wait_until(lambda: sum(p["source"] == "docker" for p in world.report()["problems"])
               == len(bodies), "all refused")
    assert all(world.status_of(f"{name}.example") == 404 for name in bodies)
    assert world.status_of("good.example") == 200
    assert "\nb: error" not in json.dumps(world.report())


@pytest.mark.parametrize("path, body, text", [
    ("/version", b"<html>", "no JSON"),
    ("/version", b'{"ApiVersion":"1.12"}', "versions 1.0 to 1.12"),
    ("/version", b'{"ApiVersion":"2.1"}', "doesn't tell its API's version"),
    ("/containers/json", b'{"message":"no"}', "no list of containers"),
    ("/containers/json", b'[{"Id":"../../images/json"}]', "no list of containers"),
])
def test_an_engine_that_makes_no_sense_is_away(tmp_path, path, body, text):
    engine = Engine(tmp_path / "docker.sock")
    engine.overrides[path] = hostile(body)
    proxy = Proxy(tmp_path / "proxy", f"providers: {{ docker: 'unix://{tmp_path}/docker.sock' }}\n")
    try:
        proxy.wait_line(f"docker: .*{text}", proxy.err)
    finally:
        proxy.stop()
        engine.down()


@pytest.mark.parametrize("version, api", [(DOCKER_1_12, "1.24"), (DOCKER_NEXT, "1.52"),
                                          (PODMAN_4, "1.41")])
def test_versions_are_agreed_on(own_world, version, api):
    """S0-3: the version of the API is negotiated."""
    world = own_world(version=version)
    world.run("web", {"sallyport.site": "web.example"})
    world.wait_for("web.example")
    assert world.report()["api"] == api
    assert any(a.startswith(f"/v{api}/events") for a in world.engine.asked)


def test_a_churn_of_containers_loses_no_request_of_another(own_world):
    """300 containers come, change and go, at up to fifty a second, under load."""
    world = own_world("linger: 100ms")
    world.run("steady", {"sallyport.site": "steady.example"})
    world.wait_for("steady.example")
    ended, answers = threading.Event(), Counter()

    def ask():
        while not ended.is_set():
            answers[world.status_of("steady.example")] += 1

    clients = [threading.Thread(target=ask) for _ in range(2)]
    for client in clients:
        client.start()
    try:
        began = time.monotonic()
        for i in range(300):
            c = world.run(f"churn-{i}", {"sallyport.site": f"churn-{i}.example"})
            if i % 3:
                world.engine.stop(c)
                world.engine.remove(c)
            time.sleep(max(0, began + i / 50 - time.monotonic()))
        world.run("last", {"sallyport.site": "last.example"})
        world.wait_for("last.example")
        world.wait_for("churn-297.example")
    finally:
        ended.set()
        for client in clients:
            client.join()
    assert set(answers) == {200} and answers[200] > 100
    asked = Counter(a for a in world.engine.asked if "/json" in a)
    assert asked["/v1.47/containers/json"] == 1  # only what has changed is looked at
    assert max(asked.values()) <= 8


def test_an_upgrade_keeps_sites_of_containers(own_world):
    world = own_world()
    world.run("web", {"sallyport.site": "web.example"})
    world.wait_for("web.example")
    [before] = engine_pids(world.proxy)
    run("upgrade", "--config", world.proxy.file, check=0)
    assert world.status_of("web.example") == 200
    wait_until(lambda: before not in engine_pids(world.proxy) and engine_pids(world.proxy),
               "another process")
    world.run("new", {"sallyport.site": "new.example"})
    world.wait_for("new.example")


def test_a_killed_process_is_replaced_and_tells_everything_anew(own_world):
    world = own_world()
    world.run("web", {"sallyport.site": "web.example"})
    world.wait_for("web.example")
    [pid] = engine_pids(world.proxy)
    os.kill(pid, 9)
    world.engine.wait_asked("/containers/json", 2)
    assert world.status_of("web.example") == 200
    world.run("new", {"sallyport.site": "new.example"})
    world.wait_for("new.example")


def test_settings_change_the_engine_or_want_none(own_world, tmp_path):
    world = own_world()
    world.run("web", {"sallyport.site": "web.example"})
    world.wait_for("web.example")
    other = Engine(tmp_path / "other.sock")
    try:
        other.run("elsewhere", {"sallyport.site": "elsewhere.example"}, exposed=(world.origin.port,))
        settings = f"providers: {{ docker: {{ endpoint: 'unix://{tmp_path}/other.sock', " \
                   "linger: 0s } }\n" + MORE % world.origin.url
        assert world.proxy.try_reload(settings)
        world.wait_for("elsewhere.example")
        world.wait_for("web.example", 404)
        assert world.proxy.try_reload(MORE % world.origin.url)
        world.wait_for("elsewhere.example", 404)
        assert world.status()["providers"] is None
        wait_until(lambda: not engine_pids(world.proxy), "the process's end")
    finally:
        other.down()


def engine_process(world):
    """Of the proxy's children the one that speaks with the engine: its pid."""
    keeper = world.proxy.child.pid
    for pid in Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split():
        if b"\0engine\0" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return int(pid)
    return None


def is_zombie(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_why_the_process_ended_is_told_even_if_both_are_heard_at_once(own_world):
    world = own_world()
    pid = wait_until(lambda: engine_process(world), "a process for the engine")
    wait_until(lambda: world.report()["state"] == "following", "the engine's containers")
    world.proxy.child.send_signal(signal.SIGSTOP)
    try:
        world.engine.hang_up()
        wait_until(lambda: is_zombie(pid), "the end of the process")
    finally:
        world.proxy.child.send_signal(signal.SIGCONT)
    world.proxy.wait_line("docker: (events: |the engine has ended the stream)", world.proxy.err)


def hang_until(ended):
    """An answer that never comes."""
    return lambda handler: ended.wait()


def test_one_that_is_never_told_of_holds_up_no_other(own_world):
    """The engine hangs when it is asked about some: others come at once, these when it is well again."""
    world = own_world()
    ended = threading.Event()
    try:
        stuck = []
        for i in range(40):  # more than are asked at once
            with world.engine.lock:
                c = world.run(f"stuck-{i}", {"sallyport.site": f"stuck-{i}.example"})
                world.engine.overrides[f"/containers/{c.id}/json"] = hang_until(ended)
            stuck.append(c)
        world.engine.wait_asked(stuck[0].id)
        world.run("lively", {"sallyport.site": "lively.example"})
        world.wait_for("lively.example")
        wait_until(lambda: sum("asked again" in p["text"] for p in world.report()["problems"])
                   == len(stuck), "all told")
        assert world.report()["state"] == "following"
        with world.engine.lock:
            world.engine.overrides.clear()
        ended.set()
        for c in stuck:
            world.engine.event("update", c)
        world.wait_for("stuck-7.example")
        world.wait_for("stuck-39.example")
        wait_until(lambda: not world.report()["problems"], "no problem left")
        asked = Counter(a for a in world.engine.asked if "/json" in a)
        assert asked["/v1.47/containers/json"] == 1
    finally:
        ended.set()


def test_what_is_known_of_a_container_stays_while_the_engine_fails_to_tell(own_world):
    """Errors, answers that are too large, and a list that is made meanwhile change nothing."""
    world = own_world("linger: 100ms")
    c = world.run("kept", {"sallyport.site": "kept.example"})
    world.wait_for("kept.example")
    for body, status, text in ((b"{}", 500, "answers 500"), (b"[" + b" " * (5 << 20), 200, "4 MiB")):
        world.engine.overrides[f"/containers/{c.id}/json"] = hostile(body, status)
        world.engine.event("update", c)
        wait_until(lambda: any(text in p["text"] for p in world.report()["problems"]), text)
        n_lists = sum(a.endswith("/containers/json") for a in world.engine.asked)
        world.engine.say(b"nonsense\n")
        world.engine.wait_asked(r"/containers/json", n_lists + 1)
        world.run(f"after-{status}", {"sallyport.site": f"after-{status}.example"})
        world.wait_for(f"after-{status}.example")
        assert world.status_of("kept.example") == 200
        world.engine.overrides.clear()
        world.engine.event("update", c)
        wait_until(lambda: not world.report()["problems"], "it is told of again")


def test_a_list_that_is_too_large_leaves_everything_as_it_is(own_world):
    world = own_world()
    world.run("kept", {"sallyport.site": "kept.example"})
    world.wait_for("kept.example")

    def endless(handler):
        handler.send_response_only(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"[" + b" " * (1 << 20))
        except OSError:
            handler.close_connection = True

    world.engine.overrides["/containers/json"] = endless
    world.engine.say(b"nonsense\n")
    world.proxy.wait_line("docker: GET /containers/json: its answer is larger than 64 MiB",
                          world.proxy.err)
    assert world.status_of("kept.example") == 200
    world.engine.overrides.clear()
    world.run("new", {"sallyport.site": "new.example"})
    world.wait_for("new.example")


def test_a_line_of_events_without_an_end_is_cut_off(own_world):
    world = own_world()
    world.run("kept", {"sallyport.site": "kept.example"})
    world.wait_for("kept.example")
    for _ in range(9):
        world.engine.say(b"x" * (1 << 17))
    world.proxy.wait_line("docker: an event is larger than 1 MiB", world.proxy.err)
    assert world.status_of("kept.example") == 200
    with world.engine.lock:
        world.engine.events.clear()
    world.run("new", {"sallyport.site": "new.example"})
    world.wait_for("new.example")


def test_an_upgrade_while_the_engine_is_away_keeps_sites_of_containers(own_world):
    """What is known of containers goes on to the next binary, and what has stopped lingers on."""
    world = own_world("linger: 10m")
    world.run("web", {"sallyport.site": "web.example"})
    halted = world.run("halted", {"sallyport.site": "halted.example"})
    world.wait_for("web.example")
    world.wait_for("halted.example")
    world.engine.stop(halted)
    world.wait_for("halted.example", 503)
    world.engine.down()
    wait_until(lambda: world.report()["state"] == "away", "the engine's end")
    for _ in range(2):  # the second one has it from the first
        run("upgrade", "--config", world.proxy.file, check=0)
        assert world.status_of("web.example") == 200
        assert world.status_of("halted.example") == 503
        assert world.proxy.try_reload()
        assert world.status_of("web.example") == 200
    world.engine.start()
    world.run("new", {"sallyport.site": "new.example"})
    world.wait_for("new.example")
    assert world.status_of("web.example") == 200
