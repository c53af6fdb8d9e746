# SPDX-License-Identifier: Apache-2.0
"""What others notice while one client sends fifty times what its limit lets through: their latency at a
fixed rate, with and without the flood, in rounds of one run; and what the server sees of the flood."""
import re
import statistics
import subprocess
import sys
import time

from peers import LOAD_CPU, family

LIMIT = 200  # requests per second of each client
TIMES = 50
OTHERS = 100  # of the client that is measured, below its limit
FLOOD_CONNECTIONS, OTHER_CONNECTIONS = 20, 5

FILTERS = f"flood: {{ rate-limit: {{ rate: {LIMIT}/s, burst: {LIMIT} }} }}"


# Not a real-time class: with it a process that should end has been seen to hold its core for ever,
# inside the kernel's scheduler (6.18).
URGENT = ["nice", "-n", "-20"]


def is_allowed(command):
    return subprocess.run([*command, "true"], stderr=subprocess.DEVNULL).returncode == 0


def h2load(port, client, rate, connections, seconds, *more, how=()):
    """A load at a fixed rate, that comes as a client's through a trusted proxy."""
    return subprocess.Popen(
        [*how, "taskset", "-c", LOAD_CPU, "h2load", "--h1", "-c", str(connections), "-D", str(seconds),
         "--rps", str(rate / connections), "-H", f"X-Forwarded-For: {client}", *more,
         f"http://127.0.0.1:{port}/1k"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def statuses(load):
    counts = re.search(r"status codes: (\d+) 2xx, \d+ 3xx, (\d+) 4xx", load.communicate()[0])
    return int(counts[1]), int(counts[2])


def others_p99_us(port, seconds, log):
    log.unlink(missing_ok=True)
    # What is measured isn't how the flood's own processes crowd out the client's on their core.
    load = h2load(port, "192.0.2.1", OTHERS, OTHER_CONNECTIONS, seconds, f"--log-file={log}",
                  how=URGENT if is_allowed(URGENT) else ())
    good, bad = statuses(load)
    if bad or not good:
        raise SystemExit(f"others were refused: {bad} of {good + bad}")
    times = sorted(int(line.split("\t")[2]) for line in log.read_text().splitlines())
    return times[len(times) * 99 // 100]


def run(bench):
    proxy = bench.start("sallyport", filters=FILTERS, use="[flood]", trusted="[127.0.0.1]")
    if is_allowed(URGENT):
        for pid in proxy.pids() + family(bench.origin.process.pid):
            subprocess.run(["renice", "-n", "-20", "-p", str(pid)], check=True, stdout=subprocess.DEVNULL)
    log = bench.folder / "latencies"
    seconds = max(bench.args.t, 2)
    quiet, flooded, passed = [], [], []
    try:
        for _ in range(bench.args.n):
            quiet.append(others_p99_us(proxy.port, seconds, log))
            began = time.monotonic()
            flood = h2load(proxy.port, "192.0.2.66", LIMIT * TIMES, FLOOD_CONNECTIONS, seconds + 1)
            time.sleep(0.5)  # it has to be there before it is measured
            flooded.append(others_p99_us(proxy.port, seconds, log))
            good, refused = statuses(flood)
            passed.append((good, LIMIT + LIMIT * (time.monotonic() - began), good + refused))
            print(".", end="", file=sys.stderr, flush=True)
    finally:
        proxy.stop()
    print(file=sys.stderr)
    calm, under = statistics.median(quiet), statistics.median(flooded)
    print(f"\n### A flood of one client, {TIMES} times its limit of {LIMIT}/s\n")
    print("| p99 of another at a fixed rate | µs |\n|---|---|")
    print(f"| alone | {calm:.0f} |\n| beside the flood | {under:.0f} ({under / calm:.2f}) |")
    worst = max(good / allowed for good, allowed, _ in passed)
    print(f"\nOf {sum(n for *_, n in passed)} requests of the flood {sum(g for g, *_ in passed)} reached the "
          f"server: {worst:.2f} of what the limit allows at most.")
    if worst > 1:
        raise SystemExit("the limit doesn't hold")
