#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the proxy under mixed load and faults: soak.py [-t SECONDS], ten minutes by default.

Load: the clients of tests/e2e/load.py, with bodies that both sides know. Faults, each on its beat:
new settings (each second), a certificate renewed, a server killed and started again, log files moved
away and opened anew, another number of workers (a new gate), the gate killed (each minute), an
upgrade to the same binary (each second minute). A finding is a wrong byte, a refused connection, anything lost that no fault
explains, a reload or an upgrade that fails, memory that grows, descriptors that stay open, a
sanitizer's report. Ends with 1 when there was one.
"""
import argparse
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from certificates import Authority  # noqa: E402
from harness import (BINARY, IS_SANITIZED, Proxy, descriptors, kill_and_wait,  # noqa: E402
                     memory_kb)
from https import context  # noqa: E402
from load import HTTP_HOST, WS_HOST, Backend, Load  # noqa: E402

KINDS = {"keep": 6, "fresh": 3, "post": 2, "slow": 3, "pair": 2, "ws": 3, "echo": 2, "trickle": 2,
         "tls_keep": 4, "tls_fresh": 3, "tls_post": 2, "tls_slow": 2, "wss": 3}
SLOW_BYTES = 300_000
BODY_MAX = 2_000_000
DRAIN_S = 20  # longer than any exchange takes; only tunnels meet it
SERVER_DOWN_S = 3
SERVER_SHADOW_S = 1  # after its death requests may still be on their way to a server
GROWTH_MAX_KB = 8 * 1024  # beyond what a process had once warm
PROGRESS_S = 10


class Fault:
    """What explains a loss: of what was under way between the beginning and the end of the fault,
    and, when a gate leaves, of tunnels that it still had at its limit."""

    def __init__(self, name, is_deadly):
        self.name, self.is_deadly = name, is_deadly
        self.began = self.ended = time.monotonic()

    def over(self, shadow=0.0):
        self.ended = time.monotonic() + shadow
        return self

    def explains(self, lost):
        if "wrong byte" in lost.why or "refused" in lost.why or "settings" in lost.why:
            return False
        if self.is_deadly:
            return lost.began <= self.ended and lost.ended >= self.began
        return (lost.kind in Load.TUNNELS and lost.began <= self.ended
                and self.began + DRAIN_S - 1 <= lost.ended <= self.ended + DRAIN_S + 5)


class Soak:
    """The proxy, its servers and clients, and what goes wrong on purpose."""

    def __init__(self, folder):
        self.folder = folder
        self.servers = [Backend() for _ in range(3)]
        self.turn, self.n_workers = 0, 2
        self.findings, self.faults, self.warm = [], [], {}
        self.n_judged, self.n_explained = 0, 0
        self.counts = dict.fromkeys(("reloads", "renewals", "servers", "logs", "workers", "kills",
                                     "upgrades"), 0)
        self.authority = Authority(folder / "made")
        self.put_certificate()
        self.proxy = Proxy(folder, self.settings())
        self.clients = Load(self.proxy.ports["web"], KINDS, SLOW_BYTES, BODY_MAX,
                            (self.proxy.ports["websecure"], context(self.authority.file)))
        self.restarts = []

    def settings(self):
        """Filters, routes and an entrypoint come and go; servers stay."""
        pools = [", ".join(f"'{url}'" for url in urls) for urls in
                 ([s.url for s in self.servers], [s.ws_url for s in self.servers])]
        more = "  more: '127.0.0.1:0'\n" if self.turn % 2 else ""
        route = "routes: [{ match: 'Path(`/never`)', to: pool }]\n" if self.turn % 3 else ""
        return (f"access-log: {self.folder}/access.log\nworkers: {self.n_workers}\n"
                f"drain-timeout: {DRAIN_S}s\nentrypoints:\n  web: '127.0.0.1:0'\n"
                "  websecure: { listen: '127.0.0.1:0', "
                f"tls: {{ certificates: ['{self.folder}/site.pem'] }} }}\n{more}"
                "filters:\n  turn: { headers: { response: { set: "
                f"{{ X-Turn: '{self.turn}' }} }} }} }}\n"
                "sites:\n  load.example: { use: turn, to: pool, redirect-to-https: off }\n"
                "  ws.example: { to: sockets, redirect-to-https: off }\n"
                f"services:\n  pool: {{ servers: [{pools[0]}] }}\n"
                f"  sockets: {{ servers: [{pools[1]}] }}\n{route}")

    def finding(self, text):
        if len(self.findings) < 50:
            print(f"FINDING {text}", flush=True)
        self.findings.append(text)

    def fault(self, name, is_deadly):
        self.clients.mark(name)
        self.faults.append(Fault(name, is_deadly))
        return self.faults[-1]

    # What is done to it.

    def reload(self):
        self.turn += 1
        self.counts["reloads"] += 1
        self.clients.mark(f"reload {self.turn}")
        self.proxy.write(self.settings())
        answer = self.proxy.ask(command="reload")
        if answer.get("ok"):
            self.clients.turn = self.turn
        else:
            self.finding(f"reload {self.turn}: {answer}")

    def put_certificate(self):
        made = self.authority.issue(HTTP_HOST, WS_HOST)
        new = self.folder / "new.pem"
        new.write_bytes(made.pem + made.key_pem)
        new.chmod(0o600)
        new.rename(self.folder / "site.pem")

    def renew(self):
        self.counts["renewals"] += 1
        self.clients.mark(f"renewal {self.counts['renewals']}")
        self.put_certificate()

    def change_workers(self):
        self.n_workers = 3 - self.n_workers
        self.counts["workers"] += 1
        fault = self.fault("another gate", is_deadly=False)
        self.reload()
        fault.over()

    def kill_server(self):
        server = self.servers[self.counts["servers"] % len(self.servers)]
        self.counts["servers"] += 1
        fault = self.fault("a server's death", is_deadly=True)
        server.kill()
        fault.over(SERVER_SHADOW_S)
        restart = threading.Timer(SERVER_DOWN_S, server.start)
        restart.start()
        self.restarts.append(restart)

    def move_logs(self):
        """What logrotate does. Lines must go on in the new file."""
        self.counts["logs"] += 1
        log = self.folder / "access.log"
        log.rename(self.folder / "access.log.1")
        self.proxy.reopen_logs()
        deadline = time.monotonic() + 10
        while not (log.exists() and log.stat().st_size > 0):
            if time.monotonic() > deadline:
                self.finding("no line in the log that was opened anew")
                return
            time.sleep(0.01)

    def kill_gate(self):
        self.counts["kills"] += 1
        pid = self.proxy.ask(command="status")["status"]["gate"]["pid"]
        fault = self.fault("the gate's death", is_deadly=True)
        kill_and_wait(pid)
        fault.over()

    def upgrade(self):
        self.counts["upgrades"] += 1
        fault = self.fault("an upgrade", is_deadly=False)
        answer = self.proxy.ask(command="upgrade", binary=BINARY)
        if not answer.get("ok"):
            self.finding(f"upgrade: {answer}")
        fault.over()

    # What is looked at.

    def judge(self):
        """Everything lost since the last look must be some fault's doing."""
        for lost in self.clients.lost[self.n_judged:]:
            self.n_judged += 1
            if any(fault.explains(lost) for fault in self.faults):
                self.n_explained += 1
            else:
                self.finding(self.clients.told([lost]))

    def look(self, seconds):
        """A line of progress. Each process is measured against itself, once it is warm."""
        self.judge()
        status = self.proxy.ask(command="status")["status"]
        gate, keeper = status["gate"]["pid"], self.proxy.child.pid
        sizes = {}
        for who, pid in (("keeper", (keeper, self.counts["upgrades"])), ("gate", (gate, 0))):
            try:
                sizes[who] = (memory_kb(pid[0]), len(descriptors(pid[0])))
            except (OSError, TypeError):  # it has just ended
                continue
            self.warm.setdefault((who, *pid), []).append(sizes[who][0])
        print(f"{seconds:5.0f} s: {self.clients}, {self.n_explained} of them explained; "
              f"{self.counts}; gate {gate} of {len(self.proxy.gate_pids())}; KB and descriptors "
              f"{sizes}; findings {len(self.findings)}", flush=True)

    def check_growth(self):
        if IS_SANITIZED:  # they keep what is freed
            return
        for (who, pid, _), kb in self.warm.items():
            if len(kb) > 3 and kb[-1] - max(kb[1:3]) > GROWTH_MAX_KB:
                self.finding(f"{who} {pid} grew: {kb} KB")

    def check_rest(self, before):
        """With the load gone, descriptors go back to what an idle proxy has."""
        deadline = time.monotonic() + DRAIN_S + 10
        while True:
            gates = self.proxy.gate_pids()
            after = [len(descriptors(pid)) for pid in (self.proxy.child.pid, gates[-1])]
            # Each worker may keep connections to servers for later.
            if len(gates) == 1 and after[0] <= before[0] and after[1] <= before[1] + 100:
                print(f"descriptors of keeper and gate: {before} before, {after} after")
                return
            if time.monotonic() > deadline:
                self.finding(f"descriptors: {before} before, {after} after; gates {gates}")
                return
            time.sleep(0.2)

    def run(self, seconds):
        beats = [(1, 0, self.reload), (10, 3, self.renew), (20, 7, self.kill_server), (15, 12, self.move_logs),
                 (30, 18, self.change_workers), (60, 41, self.kill_gate),
                 (120, 55, self.upgrade)]
        before = [len(descriptors(pid)) for pid in (self.proxy.child.pid, self.proxy.gate_pid())]
        self.clients.start()
        began = time.monotonic()
        for second in range(1, seconds + 1):
            for every, at, act in beats:
                if second % every == at:
                    act()
            if second % PROGRESS_S == 0:
                self.look(second)
            if self.proxy.child.poll() is not None:
                self.finding(f"the keeper ended with {self.proxy.child.returncode}")
                return
            time.sleep(max(0.0, began + second - time.monotonic()))
        for restart in self.restarts:
            restart.join()
        self.clients.stop()
        self.look(seconds)
        self.check_growth()
        idle = [kind for kind in KINDS if self.clients.done[kind] == 0]
        if idle:
            self.finding(f"these clients did nothing: {idle}")
        # As many workers and entrypoints as at first, so that the descriptors can be compared.
        self.n_workers = 2
        self.turn |= 1
        self.reload()
        self.check_rest(before)

    def end(self):
        for restart in self.restarts:
            restart.join()
        try:
            if self.proxy.stop() != 0:
                self.finding("the keeper didn't end well")
        except AssertionError as error:  # a sanitizer's report
            self.finding(str(error))
        for server in self.servers:
            server.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-t", type=int, default=600, metavar="SECONDS")
    seconds = parser.parse_args().t
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(Path(folder))
        try:
            soak.run(seconds)
        finally:
            soak.end()
        if soak.findings:
            print("\n".join(soak.proxy.err[-40:]))
    print(f"{soak.clients}, {soak.n_explained} of them by faults; {soak.counts}; "
          f"{len(soak.findings)} findings", flush=True)
    return 1 if soak.findings else 0


if __name__ == "__main__":
    sys.exit(main())
