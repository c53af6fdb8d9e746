#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Measures Sallyport against nginx, HAProxy and h2o from Debian, interleaved in one run.

  bench.py [-n ROUNDS] [-t SECONDS] [--bin FILE] [--vs FILE] [--peers sallyport,nginx,haproxy,h2o]
           [WORK …]

Works: keepalive connections download upload gzip log hosts filters balance idle workers flood startup reload containers scrape kill upgrade,
of HTTP/2 h2-keepalive (over TLS: h2load, 16 connections of 32 streams) and h2-upstream (to the server;
nginx by grpc_pass, which is all it has), and of TLS tls-keepalive tls-handshakes
tls-resumed tls-download tls-idle tls-upstream; by default all.
h2o takes part in h2-keepalive, h2-idle, tls-keepalive, tls-handshakes, tls-download and tls-idle.
Each proxy has one worker pinned to core 0; load and origin are on core 1. The figure is CPU time of
the proxy's processes (all threads, from the scheduler's own counters) divided by requests; the medians
of the rounds and the ratio to the best peer are printed, as Markdown. startup, reload, kill and upgrade
tell times of our own.
"""
import argparse
import random
import re
import resource
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from peers import PEERS, Origin, cpu_ns, h2load, make_certificate, wrk  # noqa: E402
import flood  # noqa: E402
import containers  # noqa: E402
import idle  # noqa: E402
import reload  # noqa: E402
import scrape  # noqa: E402
import takeover  # noqa: E402
import tls  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent.parent
DOWNLOAD_BYTES = 10_000_000
PAGE_BYTES = 100_000


def page():
    """Text as there is in the world: this project's own documents."""
    text = b"".join(p.read_bytes() for p in sorted((ROOT / "docs").rglob("*.md")))
    return text[:PAGE_BYTES]


def lua(folder, name, text):
    path = folder / f"{name}.lua"
    path.write_text(text)
    return path


def measure(proxy, seconds, path, connections=16, script=None, headers=(), cert=None):
    """CPU microseconds per request, and requests per second."""
    before = cpu_ns(proxy.pids())
    requests, errors, rate = wrk(proxy.port, path, connections, seconds, script, headers,
                                 cert)
    used = cpu_ns(proxy.pids()) - before
    if errors or not requests:
        raise SystemExit(f"{proxy.name}: {errors} errors in {requests} requests of {path}")
    return used / requests / 1000, rate


def measure_h2(proxy, seconds, path):
    before = cpu_ns(proxy.pids())
    requests, rate = h2load(proxy.port, path, 16, 32, seconds)
    return (cpu_ns(proxy.pids()) - before) / requests / 1000, rate


def rounds(contestants, n, run):
    """{name: [(µs, rate) …]}: every round asks all, in another order."""
    results = {c.label: [] for c in contestants}
    for contestant in contestants:
        run(contestant)  # warm-up
    for _ in range(n):
        order = list(contestants)
        random.shuffle(order)
        for contestant in order:
            results[contestant.label].append(run(contestant))
            print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return results


def report(title, results, base=None):
    """A table; the ratio is ours to the best peer, or to the row named base."""
    medians = {name: statistics.median(us for us, _ in values) for name, values in results.items()}
    peers = [name for name in medians if name != "sallyport"] if base is None else [base]
    best = min(peers, key=medians.get) if peers else None
    print(f"\n### {title}\n\n| proxy | CPU µs per request (median, min–max) | requests/s | ratio |")
    print("|---|---|---|---|")
    for name, values in results.items():
        us = [v[0] for v in values]
        rate = statistics.median(v[1] for v in values)
        pairs = [a[0] / b[0] for a, b in zip(values, results[best])] if best else [1]
        ratio = f"{statistics.median(pairs):.3f}" if best and name != best else "–"
        print(f"| {name} | {medians[name]:.2f} ({min(us):.2f}–{max(us):.2f}) | {rate:.0f} | {ratio} |",
              flush=True)


class Bench:
    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        self.cert = make_certificate(folder)
        self.origin = Origin(folder, {"10m": b"x" * DOWNLOAD_BYTES, "page.html": page()}, self.cert)

    def start(self, name, label=None, binary=None, **options):
        folder = self.folder / f"{name}{random.randrange(10**9)}"
        folder.mkdir()
        port = (self.origin.tls_port if options.get("origin_cert") else
                self.origin.h2_port if options.get("origin_h2") else self.origin.port)
        proxy = PEERS[name](folder, port, binary or self.args.bin, **options)
        proxy.label = label or name
        return proxy

    def compete(self, title, run, peers=None, **options):
        proxies = [self.start(name, **options) for name in peers or self.args.peers]
        if self.args.vs:
            proxies.append(self.start("sallyport", "other build", binary=self.args.vs, **options))
        try:
            report(title, rounds(proxies, self.args.n, run))
        finally:
            for proxy in proxies:
                proxy.stop()

    def compare(self, title, path, peers=None, options=None, **load):
        self.compete(title, lambda p: measure(p, self.args.t, path, **load), peers,
                     **(options or {}))

    def variants(self, title, base, options, path="/1k", script=None, base_script=None,
                 base_options=None):
        """Our own proxy with and without something."""
        plain = self.start("sallyport", base, **(base_options or {}))
        others = [self.start("sallyport", label, **o) for label, o in options.items()]
        try:
            report(title, rounds([plain, *others], self.args.n, lambda p: measure(
                p, self.args.t, path, script=base_script if p is plain else script)), base)
        finally:
            for proxy in [plain, *others]:
                proxy.stop()

    def keepalive(self):
        self.compare("Keep-alive, 1 KB", "/1k")

    def connections(self):
        self.compare("A connection per request, 1 KB", "/1k", headers=["Connection: close"])

    def download(self):
        self.compare("10 MB downloads", "/10m", connections=4)

    def upload(self):
        script = lua(self.folder, "upload", 'wrk.method="POST"\nwrk.body=string.rep("x",65536)\n')
        self.compare("64 KB uploads", "/upload", script=script)

    def gzip(self):
        for level, connections in ((1, 16), (6, 16), (6, 1)):
            self.compare(f"gzip, level {level}, a page of {PAGE_BYTES // 1000} KB, {connections} "
                         "connections", "/page.html", ["sallyport", "nginx"], {"gzip": level},
                         connections=connections, headers=["Accept-Encoding: gzip"])

    def log(self):
        self.variants("Access log", "sallyport", {"with access log": {"log": "combined"},
                                                  "with JSON log": {"log": "json"}})

    def hosts(self):
        many = lua(self.folder, "hosts", """
local n = 0
request = function()
  n = (n * 1103515245 + 12345) % 2147483648
  return wrk.format("GET", "/1k", {Host = string.format("site%d.example", n % 10000)})
end
""")
        one = lua(self.folder, "host", """
request = function()
  return wrk.format("GET", "/1k", {Host = string.format("site%d.example", 7)})
end
""")
        self.variants("Host names", "1 host", {"10 000 hosts": {"sites": 10000}}, script=many,
                      base_script=one)

    def filters(self):
        filters = ("a: { headers: { response: { set: { X-Frame-Options: DENY } } } }, "
                   "b: { rate-limit: { rate: 1000000/s, burst: 1000000 } }, "
                   "c: { allow: [127.0.0.0/8, 10.0.0.0/8] }")
        self.variants("Three simple filters", "none",
                      {"headers, rate-limit, allow": {"filters": filters, "use": "[c, b, a]"}})

    def balance(self):
        self.variants("Balancing over 4 servers", "round-robin",
                      {method: {"balance": method} for method in ("least-connections", "least-time")},
                      base_options={"balance": "round-robin"})

    def flood(self):
        flood.run(self)

    def workers(self):
        self.variants("Two workers", "1 worker", {"2 workers": {"workers": 2}})

    def idle(self):
        idle.run(self)

    def tls_keepalive(self):
        self.compare("TLS, keep-alive, 1 KB", "/1k", self.args.tls_peers, {"cert": self.cert},
                     cert=self.cert)

    def h2_keepalive(self):
        self.compete("HTTP/2 over TLS, 16 connections of 32 streams, 1 KB",
                     lambda p: measure_h2(p, self.args.t, "/1k"), self.args.tls_peers,
                     cert=self.cert, http2=True)

    def tls_download(self):
        self.compare("TLS, 10 MB downloads", "/10m", self.args.tls_peers, {"cert": self.cert},
                     cert=self.cert, connections=4)

    def shake(self, title, mode, peers):
        load = tls.build_load(self.folder)
        self.compete(title, lambda p: tls.handshakes(load, p, mode, self.args.t, self.cert), peers,
                     cert=self.cert)

    def tls_handshakes(self):
        self.shake("TLS, a full handshake per request, 1 KB", "new", self.args.tls_peers)

    def tls_resumed(self):
        # h2o gives no new ticket for one that was used: every other handshake would be a full one.
        peers = [name for name in self.args.tls_peers if name != "h2o"]
        self.shake("TLS, a resumed handshake per request, 1 KB", "resumed", peers)

    def tls_idle(self):
        idle.run(self, tls.IDLE_CONNECTIONS, tls.opener(self.cert), "idle TLS connections",
                 peers=self.args.tls_peers, cert=self.cert)

    def h2_idle(self):
        idle.run(self, tls.IDLE_CONNECTIONS, tls.opener(self.cert, "h2"),
                 "idle HTTP/2 connections over TLS", peers=self.args.tls_peers, ask=idle.ask_http_2,
                 cert=self.cert, http2=True)

    def tls_upstream(self):
        peers = [name for name in self.args.peers if name != "h2o"]
        self.compare("TLS to the server, keep-alive, 1 KB", "/1k", peers,
                     {"origin_cert": self.cert})

    def h2_upstream(self):
        peers = [name for name in self.args.peers if name != "h2o"]
        self.compare("HTTP/2 to the server, 1 KB", "/1k", peers, {"origin_h2": True},
                     connections=64)

    def startup(self):
        reload.startup(self)

    def reload(self):
        reload.run(self)

    def containers(self):
        containers.run(self)

    def scrape(self):
        scrape.run(self)

    def kill(self):
        takeover.kills(self)

    def upgrade(self):
        takeover.upgrades(self)


def main():
    works = ["keepalive", "connections", "download", "upload", "gzip", "log", "hosts", "filters", "balance", "workers", "idle", "flood",
             "startup", "reload", "containers", "scrape", "kill", "upgrade", "tls-keepalive", "tls-handshakes",
             "tls-resumed", "tls-download", "tls-idle", "tls-upstream", "h2-keepalive",
             "h2-idle", "h2-upstream"]
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=7, help="rounds")
    parser.add_argument("-t", type=int, default=2, help="seconds of a round")
    parser.add_argument("--bin", default=str(ROOT / "build" / "release" / "sallyport"))
    parser.add_argument("--peers", type=lambda s: s.split(","))
    parser.add_argument("--vs", metavar="FILE", help="another build of sallyport to compare with")
    parser.add_argument("work", nargs="*", choices=[[], *works], default=[])
    args = parser.parse_args()
    args.tls_peers = args.peers or ["sallyport", "nginx", "haproxy", "h2o"]
    args.peers = args.peers or ["sallyport", "nginx", "haproxy"]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    folder = Path(tempfile.mkdtemp(prefix="bench"))
    folder.chmod(0o755)
    bench = Bench(args, folder)
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    print(f"{cpu[1] if cpu else 'unknown CPU'}; {args.n} rounds of {args.t} s")
    try:
        for work in args.work or works:
            getattr(bench, work.replace("-", "_"))()
    finally:
        bench.origin.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
