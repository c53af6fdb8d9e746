# SPDX-License-Identifier: Apache-2.0
"""A scrape of the metrics of many sites: how long it takes, how long it holds up a worker, and what
clients notice of it."""
import re
import socket
import statistics
import subprocess
import threading
import time
import urllib.request

from peers import free_port

SITES = 10_000
SCRAPES = 20
SECONDS = 5  # of a quiet load
CLIENTS = 4
HOSTS = """
local n = 0
request = function()
  n = (n * 1103515245 + 12345) %% 2147483648
  return wrk.format("GET", "/", {Host = string.format("site%%d.example", n %% %d)})
end
""" % SITES


class Proxy:
    """Not pinned: whoever scrapes has the second core."""

    def __init__(self, bench, durations):
        folder = bench.folder / f"scrape{time.monotonic_ns()}"
        folder.mkdir()
        self.port, self.metrics_port = free_port(), free_port()
        sites = "\n".join(f"  site{i}.example: {{ use: [page], redirect-to-https: off }}"
                          for i in range(SITES))
        (folder / "conf.yaml").write_text(f"""
workers: 2
user: root
state: {folder}/state
access-log: off
control: {{ socket: {folder}/control }}
entrypoints: {{ web: '127.0.0.1:{self.port}' }}
metrics: {{ listen: '127.0.0.1:{self.metrics_port}', durations: {durations} }}
filters: {{ page: {{ respond: {{ status: 200, body: ok }} }} }}
sites:
{sites}
""")
        self.script = folder / "hosts.lua"
        self.script.write_text(HOSTS)
        self.process = subprocess.Popen([bench.args.bin, "run", "-c", folder / "conf.yaml"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def serve_each(self):
        """Only what has served something has numbers."""
        with socket.create_connection(("127.0.0.1", self.port)) as conn, conn.makefile("rb") as answers:
            for i in range(SITES):
                conn.sendall(b"GET / HTTP/1.1\r\nHost: site%d.example\r\n\r\n" % i)
                while answers.readline().strip():
                    pass
                answers.read(2)

    def load(self, seconds):
        """p99 and the longest wait of clients, in ms."""
        out = subprocess.run(["wrk", "-t1", f"-c{CLIENTS}", f"-d{seconds:g}s", "--latency", "-s",
                              self.script, f"http://127.0.0.1:{self.port}/"], check=True,
                             capture_output=True, text=True).stdout
        units = {"us": 1e-3, "ms": 1, "s": 1e3}
        found = [re.search(r"99%\s+([\d.]+)(us|ms|s)", out),
                 re.search(r"Latency\s+\S+\s+\S+\s+([\d.]+)(us|ms|s)", out)]
        return [float(f[1]) * units[f[2]] for f in found]

    def scrape(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=60) as answer:
            return answer.read()

    def longest_turn_ms(self):
        return max(float(value) for value in re.findall(
            rb"^sallyport_worker_longest_turn_seconds\{[^}]*\} (\S+)", self.scrape(), re.M)) * 1000

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


def wait_port(port):
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the proxy doesn't come")


def measure(bench, durations):
    proxy = Proxy(bench, durations)
    try:
        wait_port(proxy.port)
        wait_port(proxy.metrics_port)
        before = proxy.longest_turn_ms()
        proxy.serve_each()
        calm = proxy.load(SECONDS)
        under = []
        load = threading.Thread(target=lambda: under.extend(proxy.load(SECONDS)))
        load.start()
        time.sleep(0.5)  # it has to be there before it is measured
        times, size = [], 0
        while load.is_alive() or len(times) < SCRAPES:
            began = time.monotonic()
            size = len(proxy.scrape())
            times.append((time.monotonic() - began) * 1000)
        load.join()
        after = proxy.longest_turn_ms()
        turn = f"{after:.1f}" if after > before else f"below {before:.1f}"
        print(f"| `{durations}` | {size / 1e6:.1f} MB | {statistics.median(times):.0f} | {turn} | "
              f"{under[0]:.2f} ({calm[0]:.2f}) | {under[1]:.1f} ({calm[1]:.1f}) |", flush=True)
    finally:
        proxy.stop()


def run(bench):
    print(f"\n### A scrape of {SITES} sites, beside {CLIENTS} clients\n")
    print("| `durations` | answer | ms, median | worker's longest turn, ms | clients' p99, ms (quiet) | "
          "clients' longest wait, ms (quiet) |\n|---|---|---|---|---|---|")
    for durations in ("route", "total"):
        measure(bench, durations)
