# SPDX-License-Identifier: Apache-2.0
"""A thousand containers, of which fifty a second are replaced by others: what that costs the proxy's
processes, how soon a new one answers, and what a client of another one notices."""
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

from peers import cpu_ns, family, free_port, private_bytes

ROOT = Path(__file__).resolve().parents[2]
os.environ.setdefault("SALLYPORT", sys.executable)  # the tests' harness wants a binary; none is started by it
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from docker_api import Engine  # noqa: E402
from harness import Origin  # noqa: E402

CONTAINERS = 1_000
CHANGES = 50  # a second
SECONDS = 10

LABELS = {
    "ours": lambda name, port: {"sallyport.site": f"{name}.example", "sallyport.to": str(port),
                                "sallyport.site.use": f"mark-{name}",
                                f"sallyport.filters.mark-{name}.headers.response.set.X-By": name},
    "Traefik's": lambda name, port: {
        "traefik.enable": "true", f"traefik.http.routers.{name}.rule": f"Host(`{name}.example`)",
        f"traefik.http.routers.{name}.entrypoints": "web",
        f"traefik.http.routers.{name}.middlewares": f"mark-{name}",
        f"traefik.http.middlewares.mark-{name}.headers.customresponseheaders.X-By": name,
        f"traefik.http.services.{name}.loadbalancer.server.port": str(port)},
}


class World:
    def __init__(self, bench, labels, n):
        self.folder = bench.folder / f"containers{time.monotonic_ns()}"
        self.folder.mkdir()
        self.labels, self.origin, self.port = labels, Origin(lambda r, c: "ok"), free_port()
        self.engine = Engine(self.folder / "docker.sock")
        self.living = [self.add(f"c{i}") for i in range(n)]
        with self.engine.lock:
            self.engine.events.clear()
        (self.folder / "conf.yaml").write_text("\n".join([
            "workers: 2", "user: root", "access-log: off",
            f"control: {{ socket: {self.folder}/control }}",
            f"entrypoints: {{ web: '127.0.0.1:{self.port}' }}",
            f"providers: {{ docker: {{ endpoint: 'unix://{self.folder}/docker.sock', linger: 0s }} }}"]))
        self.process = subprocess.Popen([bench.args.bin, "run", "-c", self.folder / "conf.yaml"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.began = time.monotonic()

    def add(self, name):
        return self.engine.run(name, self.labels(name, self.origin.port))

    def ask(self, name):
        """The status that a site answers with; 0: none."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 10) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: %s.example\r\nConnection: close\r\n\r\n"
                               % name.encode())
                return int(client.recv(1000).split()[1])
        except (OSError, IndexError):
            return 0

    def wait(self, name):
        began = time.monotonic()
        while self.ask(name) != 200:
            if time.monotonic() - began > 60:
                raise SystemExit(f"{name} never answered")
            time.sleep(0.005)
        return time.monotonic() - began

    def pids(self):
        """The keeper, the one that speaks with the engine, and the gate, with their parts."""
        found = {"keeper": self.process.pid}
        for pid in family(self.process.pid):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            for part in (b"engine", b"gate"):
                if part in words:
                    found[part.decode()] = pid
        return found

    def loads(self):
        """How often settings were made so far."""
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(f"{self.folder}/control")
            control.sendall(b'{"command":"status"}\n')
            return json.loads(control.makefile().readlines()[-1])["status"]["settings"]["reloads"]["ok"]

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.origin.stop()
        self.engine.down()


def churn(world, seconds):
    """Replaces CHANGES a second; gives what the waiting for some of them lasted, and the answers of one
    that stays."""
    waits, answers, ended = [], [], threading.Event()

    def watch():
        while not ended.is_set():
            answers.append(world.ask("c0"))
            time.sleep(0.01)

    def follow(name):
        waits.append(world.wait(name))

    watcher, followers = threading.Thread(target=watch), []
    watcher.start()
    began = time.monotonic()
    for i in range(seconds * CHANGES):
        at = 1 + i % (len(world.living) - 1)
        world.engine.remove(world.living[at])
        world.living[at] = world.add(f"n{i}")
        if i % (CHANGES // 2) == 0:
            followers.append(threading.Thread(target=follow, args=(f"n{i}",)))
            followers[-1].start()
        time.sleep(max(0, began + (i + 1) / CHANGES - time.monotonic()))
    for f in followers:
        f.join()
    ended.set()
    watcher.join()
    return waits, answers


def run(bench):
    for name, labels in LABELS.items():
        world = World(bench, labels, CONTAINERS)
        try:
            world.wait("c999")
            started = time.monotonic() - world.began
            time.sleep(2)
            pids = world.pids()
            before = {part: (cpu_ns([pid]), private_bytes([pid])) for part, pid in pids.items()}
            n_before = world.loads()
            waits, answers = churn(world, SECONDS)
            n_loads = world.loads() - n_before
            waits_ms = sorted(w * 1000 for w in waits)
            bad = sum(a != 200 for a in answers)
            print(f"{CONTAINERS} containers with {name} labels: the first answer after "
                  f"{started * 1000:.0f} ms; {CHANGES} replaced a second for {SECONDS} s: a new one answers after "
                  f"{statistics.median(waits_ms):.0f} ms ({waits_ms[0]:.0f}–{waits_ms[-1]:.0f}); "
                  f"{bad} of {len(answers)} requests to another one failed")
            for part, pid in pids.items():
                cpu, memory = before[part]
                spent_ms = (cpu_ns([pid]) - cpu) / 1e6
                print(f"  {part}: {spent_ms / SECONDS / 10:.0f} % of a core, {spent_ms / n_loads:.0f} ms for each "
                      f"of {n_loads} loads, "
                      f"{memory / 1e6:.1f} MB before, {private_bytes([pid]) / 1e6:.1f} MB after")
        finally:
            world.stop()
