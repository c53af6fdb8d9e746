# SPDX-License-Identifier: Apache-2.0
"""What a client waits for when the gate is killed, and when another binary takes over: from the moment
of kill -9 to the answer of a client that connects right then, and the longest answer around an upgrade."""
import os
import signal
import socket
import time

from reload import FORMS, SITES, Poller, Proxy, ask, first_answer_ms, short_form, spread

SETTLE_S = 1.2  # a gate that lived so long is replaced without a pause

SIZES = (("1 site", short_form, 1), *((f"{SITES}, {name}", form, SITES)
                                      for name, form in FORMS.items()))


def gate_pid(proxy):
    return proxy.ask("status")["status"]["gate"]["pid"]


def kill_ms(proxy):
    """Clients that the dead gate had accepted lose their connection; this one comes after that."""
    pid = gate_pid(proxy)
    began = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    while True:
        try:
            with socket.create_connection(("127.0.0.1", proxy.port)) as sock:
                ask(sock)
            return (time.monotonic() - began) * 1000
        except ConnectionResetError:  # the gate that died had accepted it
            continue


def kills(bench):
    print("\n### The gate is killed: milliseconds to the first answer\n")
    print("| sites | median (min–max) |\n|---|---|")
    for name, form, n in SIZES:
        proxy, times = Proxy(bench, form, n), []
        first_answer_ms(proxy)
        for _ in range(bench.args.n):
            time.sleep(SETTLE_S)
            times.append(kill_ms(proxy))
        proxy.stop()
        print(f"| {name} | {spread(times)} |", flush=True)


def upgrades(bench):
    print("\n### Upgrade to the same binary\n")
    print("| sites | upgrade, ms | longest answer, ms |\n|---|---|---|")
    for name, form, n in SIZES:
        proxy, rows = Proxy(bench, form, n), []
        first_answer_ms(proxy)
        for _ in range(bench.args.n):
            time.sleep(SETTLE_S)
            poller, began = Poller(proxy.port, is_kept=False), time.monotonic()
            proxy.ask("upgrade")
            took = (time.monotonic() - began) * 1000
            rows.append((took, poller.take_ms()))
            poller.stop()
        proxy.stop()
        took, longest = zip(*rows)
        print(f"| {name} | {spread(took)} | {spread(longest, 1)} |", flush=True)
