# SPDX-License-Identifier: Apache-2.0
"""One client that sends far more than its limit lets through."""
import collections
import re
import subprocess
import time

import pytest

from harness import PATIENCE

RATE, BURST, TIMES = 40, 40, 50


@pytest.mark.parametrize("protocol", [["--h1", "-c", "8"], ["-p", "h2c", "-c", "2", "-m", "16"]],
                         ids=["HTTP/1.1", "HTTP/2"])
def test_a_flood_reaches_the_server_no_more_often_than_its_limit(start, origin, protocol):
    """S4-12: and others get all that they ask for meanwhile. S4-13: and nothing piles up for it."""
    seen = collections.Counter()

    def count(request, conn):
        seen[request.get("X-Real-IP")] += 1
        return "ok"

    server = origin(count)
    proxy = start(f"""
entrypoints: {{ web: {{ listen: '127.0.0.1:0', h2c: on, trusted-proxies: loopback }} }}
filters: {{ f: {{ rate-limit: {{ rate: {RATE}/s, burst: {BURST} }} }} }}
routes: [{{ match: PathPrefix(`/`), use: [f], to: '{server.url}' }}]
""", workers=2)
    began = time.monotonic()
    flood = subprocess.Popen(
        ["h2load", *protocol, "-n", str(BURST * TIMES), "-H",
         "X-Forwarded-For: 192.0.2.66",
         f"http://127.0.0.1:{proxy.port}/"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for _ in range(BURST // 2):
        assert proxy.get(headers="X-Forwarded-For: 192.0.2.1\r\n").status == 200
    out, _ = flood.communicate(timeout=PATIENCE)
    took = time.monotonic() - began
    passed, refused = map(int, re.search(r"status codes: (\d+) 2xx, \d+ 3xx, (\d+) 4xx", out).groups())
    assert passed + refused == BURST * TIMES, out
    assert BURST <= seen["192.0.2.66"] == passed <= BURST + RATE * took + 1
    assert seen["192.0.2.1"] == BURST // 2
