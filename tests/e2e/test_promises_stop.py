# SPDX-License-Identifier: Apache-2.0
"""Promises of issue 3: the proxy stops under load; what is under way ends well."""
import hashlib
import signal
import time

from harness import IS_SANITIZED, is_refused, wait_until

DRAIN_S = 8 if IS_SANITIZED else 4
SLOW_BYTES = 250_000  # less than two seconds of a slow client's time


def test_stop_under_load_lets_downloads_finish_and_tunnels_live_to_the_limit(start, backend, load):
    """Issue 3, SIGTERM: new connections are refused, exchanges finish and say Connection: close,
    downloads come whole, WebSockets live to the drain limit, the exit status is 0."""
    proxy = start(f"access-log: off\nworkers: 2\ndrain-timeout: {DRAIN_S}s\n"
                  f"sites:\n{backend.sites()}")
    clients = load(proxy.port, slow_bytes=SLOW_BYTES)
    wait_until(lambda: clients.done["slow"] >= 3, "slow downloads")
    tunnels = [f for f in list(clients.flights) if f.kind in ("ws", "echo")]
    downloads = [f for f in list(clients.flights) if f.kind == "slow"]
    assert tunnels and downloads
    uploading = proxy.connect()
    uploading.send("POST /up/1 HTTP/1.1\r\nHost: load.example\r\nContent-Length: 4\r\n\r\nab")
    clients.is_leaving = True
    clients.mark("SIGTERM")
    began = time.monotonic()
    proxy.child.send_signal(signal.SIGTERM)
    wait_until(lambda: is_refused(proxy.port), "a refused connection")
    assert time.monotonic() - began < DRAIN_S / 2, "refused from the start"
    answer = uploading.exchange("cd")
    assert answer.status == 200 and answer.get("Connection") == "close"
    assert answer.text == hashlib.sha256(b"abcd").hexdigest() and uploading.is_closed()
    assert proxy.child.wait(30) == 0
    took = time.monotonic() - began
    clients.stop()
    assert DRAIN_S - 0.5 < took < DRAIN_S + 5, took
    # Exactly the tunnels end before their clients wish, and at the limit.
    assert set(clients.lost) == set(tunnels), clients.told()
    assert all(f.ended > began + DRAIN_S - 0.5 for f in tunnels), clients.told()
    print(f"ended after {took:.2f} s; {clients}; {clients.refused} refused")
