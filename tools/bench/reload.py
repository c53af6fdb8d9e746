# SPDX-License-Identifier: Apache-2.0
"""Starting and reloading with many sites: how long it takes, and what a client notices of it. CPU time
is that of keeper and gate together: on a busy machine it says more than the clock."""
import json
import socket
import statistics
import subprocess
import threading
import time

from peers import cpu_ns, family, free_port, private_bytes

SITES = 10_000
CONNECTIONS = 1_000  # idle ones while settings change
POLL = b"GET /poll HTTP/1.1\r\nHost: poll.example\r\n\r\n"


def short_form(n, salt):
    return ["sites:", *(f"  site{i}{salt}.example: http://10.0.{i // 250}.{i % 250}:8080"
                        for i in range(n))]


def long_form(n, salt):
    """Two aliases, a filter, a route, and a service of its own with two servers."""
    lines = ["sites:"]
    for i in range(n):
        name = f"site{i}{salt}"
        lines += [f"  {name}.example:", f"    aliases: [www.{name}.example, alt.{name}.example]",
                  "    use: [headers]", f"    to: {name}",
                  "    routes:", "      - match: PathPrefix(`/api`)", f"        to: {name}"]
    lines.append("services:")
    for i in range(n):
        address = f"{i // 250}.{i % 250}"
        lines += [f"  site{i}{salt}:", f"    servers: ['http://10.0.{address}:80', "
                  f"{{ url: 'http://10.1.{address}:80', weight: 2 }}]"]
    return lines


FORMS = {"short form": short_form, "long form": long_form}


class Proxy:
    """Not pinned: what is built beside the workers may use the other core."""

    def __init__(self, bench, form, n, workers=2):
        self.folder = bench.folder / f"reload{time.monotonic_ns()}"
        self.folder.mkdir()
        self.form, self.n, self.workers = form, n, workers
        self.port = free_port()
        self.write("")
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [bench.args.bin, "run", "-c", self.folder / "conf.yaml"], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)

    def write(self, salt):
        (self.folder / "conf.yaml").write_text("\n".join([
            f"workers: {self.workers}", "user: root", "access-log: off",
            f"control: {{ socket: {self.folder}/control }}",
            f"entrypoints: {{ web: '127.0.0.1:{self.port}' }}",
            "filters:", "  headers: { headers: { response: { set: { X-Frame-Options: DENY } } } }",
            "  poll: { respond: { status: 200, body: 'ok' } }",
            "routes: [ { match: 'Path(`/poll`)', use: [poll], priority: 9000000 } ]",
            *self.form(self.n, salt)]))

    def ask(self, command):
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(f"{self.folder}/control")
            control.sendall(json.dumps({"command": command}).encode() + b"\n")
            answer = json.loads(control.makefile().readlines()[-1])
        if not answer["ok"]:
            raise SystemExit(f"{command}: {answer}")
        return answer

    def reload(self):
        return self.ask("reload")

    def pids(self):
        return family(self.process.pid)

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


def ask(sock):
    sock.sendall(POLL)
    got = b""
    while not got.endswith(b"\r\n\r\nok"):
        piece = sock.recv(4096)
        if not piece:
            raise SystemExit("a kept connection was closed")
        got += piece


class Poller:
    """Asks each millisecond, on a kept connection or each time on a new one; the longest time that
    an answer took."""

    def __init__(self, port, is_kept=True):
        self.port, self.is_kept = port, is_kept
        self.longest, self.is_over = 0.0, False
        self.connect()
        self.thread = threading.Thread(target=self.poll)
        self.thread.start()

    def connect(self):
        self.sock = socket.create_connection(("127.0.0.1", self.port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def poll(self):
        while not self.is_over:
            began = time.monotonic()
            if not self.is_kept:
                self.sock.close()
                self.connect()
            ask(self.sock)
            self.longest = max(self.longest, time.monotonic() - began)
            time.sleep(0.001)

    def take_ms(self):
        longest, self.longest = self.longest * 1000, 0.0
        return longest

    def stop(self):
        self.is_over = True
        self.thread.join()
        self.sock.close()


def first_answer_ms(proxy):
    while True:
        try:
            with socket.create_connection(("127.0.0.1", proxy.port)) as sock:
                ask(sock)
            return (time.monotonic() - proxy.began) * 1000
        except ConnectionError:
            time.sleep(0.001)


def spread(values, digits=0):
    return (f"{statistics.median(values):.{digits}f} "
            f"({min(values):.{digits}f}–{max(values):.{digits}f})")


def startup(bench):
    print("\n### Start: milliseconds to the first answer\n")
    print("| sites | median (min–max) | CPU time | memory |\n|---|---|---|---|")
    for name, n in (("1 site", 1), *((f"{SITES}, {form}", SITES) for form in FORMS)):
        form = next((f for key, f in FORMS.items() if key in name), short_form)
        times, used, memory = [], [], 0
        for _ in range(bench.args.n):
            proxy = Proxy(bench, form, n)
            times.append(first_answer_ms(proxy))
            used.append(cpu_ns(proxy.pids()) / 1e6)
            memory = private_bytes(proxy.pids())
            proxy.stop()
        print(f"| {name} | {spread(times)} | {spread(used)} | {memory / 1e6:.0f} MB |", flush=True)


def reloads(bench, proxy, salts):
    """Rows of (took ms, CPU ms, build ms, switch µs, longest answer ms), one for each salt."""
    poller, rows = Poller(proxy.port), []
    for salt in salts:
        proxy.write(salt)
        time.sleep(0.5)
        poller.take_ms()
        before = cpu_ns(proxy.pids())
        answer = proxy.reload()
        time.sleep(0.2)  # old settings are taken apart
        rows.append((answer["took_ms"], (cpu_ns(proxy.pids()) - before) / 1e6, answer["build_ms"],
                     answer["switch_us"], poller.take_ms()))
    time.sleep(0.2)
    poller.take_ms()
    time.sleep(2)
    calm = poller.take_ms()
    poller.stop()
    return rows, calm


def run(bench):
    print(f"\n### Reload with {SITES} sites and {CONNECTIONS} idle connections\n")
    print("| settings | reload, ms | CPU time, ms | built by the gate, ms | slowest worker's switch, µs "
          "| longest answer, ms | without a reload, ms |\n|---|---|---|---|---|---|---|")
    for name, form in FORMS.items():
        proxy = Proxy(bench, form, SITES)
        first_answer_ms(proxy)
        idle = [socket.create_connection(("127.0.0.1", proxy.port)) for _ in range(CONNECTIONS)]
        for sock in idle:
            ask(sock)
        for what, salts in (("the same", [""] * bench.args.n),
                            ("all others", [f"x{i}" for i in range(bench.args.n)])):
            rows, calm = reloads(bench, proxy, salts)
            took, used, built, switched, longest = zip(*rows)
            print(f"| {name}, {what} | {spread(took)} | {spread(used)} | {spread(built)} | "
                  f"{spread(switched)} | {spread(longest, 1)} | {calm:.1f} |", flush=True)
        for sock in idle:
            sock.close()
        proxy.stop()
