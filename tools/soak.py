#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the proxy under mixed load and faults: soak.py [-t SECONDS], ten minutes by default.

Load: small GETs on kept connections, downloads and uploads up to 5 MB, readers that are slow, and
upgraded connections that echo. Each body is made from a number that both sides know. Faults: a server
that is killed and started again, new settings each second, and the gate killed each minute. A finding
is a wrong byte, an exchange lost without a fault that explains it, memory of the gate that grows, or
descriptors that stay open. Ends with 1 when there was one.
"""
import argparse
import collections
import hashlib
import os
import random
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from harness import Client, Origin, Proxy, ok  # noqa: E402

LARGEST = 5_000_000
GROWTH_MAX_KB = 16 * 1024  # beyond what the gate had once warm
FAULT_SHADOW_S = 5  # an exchange may fail this long after a fault that can reach it
BLOCK = hashlib.shake_256(b"sallyport").digest(1 << 20)


def body_of(number, n):
    """n bytes that only this number has."""
    start = number * 7919 % len(BLOCK)
    block = BLOCK[start:] + BLOCK[:start]
    return (block * (n // len(block) + 1))[:n]


class Soak:
    def __init__(self):
        self.lock = threading.Lock()
        self.done, self.lost, self.findings = {}, 0, []
        self.last_fault = time.monotonic()
        self.is_over = threading.Event()

    def fault(self):
        self.last_fault = time.monotonic()

    def count(self, kind):
        with self.lock:
            self.done[kind] = self.done.get(kind, 0) + 1

    def finding(self, text):
        with self.lock:
            if len(self.findings) < 20:
                print(f"FINDING {text}", flush=True)
            self.findings.append(text)


def answer(request, conn):
    """What the servers do: /down/NUMBER/BYTES, /up/NUMBER, /echo (an upgrade)."""
    parts = request.target.strip("/").split("/")
    if parts[0] == "down":
        data = body_of(int(parts[1]), int(parts[2]))
        if int(parts[1]) % 2:
            return ok(data)
        conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for at in range(0, len(data), 50_000):
            piece = data[at:at + 50_000]
            conn.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        return b"0\r\n\r\n"
    if parts[0] == "up":
        return ok(hashlib.sha256(request.body).hexdigest())
    conn.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
    while data := conn.buffer or conn.sock.recv(65536):
        conn.buffer = b""
        conn.send(data)
    conn.is_done = True
    return None


class Forgetful:
    def put(self, request):
        pass


def start_server():
    """An origin that doesn't remember what it was asked."""
    server = Origin(answer)
    server.requests = collections.deque(maxlen=1)
    server.seen = Forgetful()
    return server


def get(client, number, n, slow=False):
    """Downloads and compares. A slow reader takes its bytes in small sips."""
    client.send(f"GET /down/{number}/{n} HTTP/1.1\r\nHost: soak.example\r\n\r\n")
    if slow:
        client.buffer = b""
        for _ in range(20):
            client.buffer += client.sock.recv(2048)
            time.sleep(0.02)
    reply = client.read_answer()
    return reply.status, reply.body == body_of(number, n)


def put(client, number, n):
    data = body_of(number, n)
    client.send(f"PUT /up/{number} HTTP/1.1\r\nHost: soak.example\r\nContent-Length: {n}\r\n\r\n")
    client.send(data)
    reply = client.read_answer()
    return reply.status, reply.text == hashlib.sha256(data).hexdigest()


def echo(client, number):
    client.send("GET /echo HTTP/1.1\r\nHost: soak.example\r\nConnection: Upgrade\r\n"
                "Upgrade: echo\r\n\r\n")
    reply = client.read_answer()
    if reply.status != 101:
        return reply.status, False
    for i in range(10):
        data = body_of(number + i, 3000)
        client.send(data)
        if client.read_exactly(len(data)) != data:
            return 101, False
    client.close()
    return 101, True


KINDS = {  # name: what one turn does, and how many threads do it
    "small": (lambda c, i, rng: get(c, i, rng.randrange(2000)), 4),
    "download": (lambda c, i, rng: get(c, i, rng.randrange(LARGEST)), 2),
    "upload": (lambda c, i, rng: put(c, i, rng.randrange(LARGEST)), 2),
    "slow": (lambda c, i, rng: get(c, i, 400_000 + i % 1000, slow=True), 2),
    "echo": (lambda c, i, rng: echo(c, i), 1),
}


def run_load(soak, port, kind, seed):
    rng, turn, client = random.Random(seed), KINDS[kind][0], None
    while not soak.is_over.is_set():
        number, began = rng.randrange(1 << 20), time.monotonic()
        try:
            client = client or Client(port)
            status, is_right = turn(client, number, rng)
        except (OSError, EOFError, ValueError, IndexError) as error:
            status, is_right, why = None, True, repr(error)
        if status in (200, 101):
            soak.count(kind)
            if not is_right:
                soak.finding(f"{kind} {number}: a wrong byte")
        else:
            soak.lost += 1
            why = why if status is None else f"status {status}"
            if began - soak.last_fault > FAULT_SHADOW_S:
                soak.finding(f"{kind} {number}: {why}, and there was no fault")
        # Keep-alive may end at the proxy's wish: a new connection then isn't a loss.
        if status != 200 or rng.random() < 0.02:
            client and client.close()
            client = None
    client and client.close()


def settings(servers, turn):
    """Alternates: filters and a route come and go, the servers stay."""
    urls = ", ".join(f'"{s.url}"' for s in servers)
    extra = "routes: [{ match: 'Path(`/never`)', to: pool }]\n" if turn % 2 else ""
    use = "use: [mark], " if turn % 3 == 0 else ""
    return (f"access-log: off\ndrain-timeout: 5s\nsites: {{ soak.example: {{ {use}to: pool }} }}\n"
            f"services: {{ pool: {{ servers: [{urls}] }} }}\n"
            f"filters: {{ mark: {{ headers: {{ response: {{ set: {{ X-Turn: '{turn}' }} }} }} }} }}\n"
            f"entrypoints: {{ web: '127.0.0.1:0' }}\n{extra}")


def memory_kb(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def n_descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def wait_for_gate(proxy, port):
    """The gate that serves now."""
    with Client(port) as client:
        client.exchange(b"GET /down/1/1 HTTP/1.1\r\nHost: soak.example\r\n\r\n")
    return proxy.gate_pid()


class Faults:
    """Does what is due each second, in the main thread."""

    def __init__(self, soak, proxy, servers):
        self.soak, self.proxy, self.servers = soak, proxy, servers
        self.n_reloads = self.n_kills = self.n_restarts = 0

    def reload(self, second):
        self.proxy.write(settings(self.servers, second))
        self.proxy.child.send_signal(signal.SIGHUP)
        self.n_reloads += 1

    def restart_server(self):
        """Its connections end; the next settings name the address of its successor."""
        self.soak.fault()
        self.servers[0].stop()
        self.servers[0] = start_server()
        self.n_restarts += 1

    def kill_gate(self):
        pid = self.proxy.gate_pid()
        if pid:
            self.soak.fault()
            os.kill(pid, signal.SIGKILL)
            self.n_kills += 1


def drive(soak, faults, proxy, seconds):
    """Runs the faults and reports. Each life of a gate is watched on its own: its memory once it is
    warm, against what it has later."""
    began, warm = time.monotonic(), {}
    second = 0
    while (now := time.monotonic()) - began < seconds:
        second += 1
        faults.reload(second)
        if second % 20 == 10:
            faults.restart_server()
        if second % 60 == 45:
            faults.kill_gate()
        pid = proxy.gate_pid()
        if pid and second % 10 == 0:
            kb = memory_kb(pid)
            if pid in warm:
                warm[pid].append(kb)
            else:
                warm[pid] = []  # the first look comes too early
            print(f"{now - began:5.0f} s: {soak.done} lost {soak.lost}; gate {pid}: {kb} KB, "
                  f"{n_descriptors(pid)} descriptors; {faults.n_reloads} reloads, {faults.n_kills} "
                  f"kills, {faults.n_restarts} restarts; findings {len(soak.findings)}", flush=True)
        time.sleep(max(0, began + second - time.monotonic()))
        if proxy.child.poll() is not None:
            soak.finding(f"the keeper ended with {proxy.child.returncode}")
            return
    for pid, sizes in warm.items():
        if len(sizes) > 1 and sizes[-1] - min(sizes[:2]) > GROWTH_MAX_KB:
            soak.finding(f"gate {pid} grew: {sizes} KB")


def check_rest(soak, proxy, port, before):
    """With the load gone, descriptors go back to what an idle proxy has."""
    deadline = time.monotonic() + 30
    while True:
        pids = {"keeper": proxy.child.pid, "gate": wait_for_gate(proxy, port)}
        after = {who: n_descriptors(pid) for who, pid in pids.items()}
        # One connection to each server may be kept.
        if after["keeper"] <= before["keeper"] and after["gate"] <= before["gate"] + 20:
            print(f"descriptors: {before} before, {after} after", flush=True)
            return
        if time.monotonic() > deadline:
            soak.finding(f"descriptors: {before} before, {after} after")
            return
        time.sleep(0.5)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-t", type=int, default=600, metavar="SECONDS")
    seconds = parser.parse_args().t
    soak, servers = Soak(), [start_server() for _ in range(3)]
    with tempfile.TemporaryDirectory() as folder:
        proxy = Proxy(Path(folder), settings(servers, 0), workers=2)
        port = proxy.port
        before = {"gate": n_descriptors(wait_for_gate(proxy, port)),
                  "keeper": n_descriptors(proxy.child.pid)}
        threads = [threading.Thread(target=run_load, args=(soak, port, kind, f"{kind}{i}"))
                   for kind, (_, n) in KINDS.items() for i in range(n)]
        for thread in threads:
            thread.start()
        try:
            drive(soak, Faults(soak, proxy, servers), proxy, seconds)
        finally:
            soak.is_over.set()
            for thread in threads:
                thread.join()
        check_rest(soak, proxy, port, before)
        if proxy.stop() != 0:
            soak.finding("the keeper didn't end well")
    for server in servers:
        server.stop()
    if not soak.done:
        soak.finding("nothing was done")
    print(f"{soak.done}, {soak.lost} lost to faults, {len(soak.findings)} findings", flush=True)
    return 1 if soak.findings else 0


if __name__ == "__main__":
    sys.exit(main())
