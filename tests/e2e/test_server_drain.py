# SPDX-License-Identifier: Apache-2.0
"""Servers taken out of service by command, and back."""
import json
import os
import signal

import pytest
from harness import run, wait_until


def control(proxy):
    return ["--control", proxy.file.parent / "control.sock"]


def server(proxy, *args, **kwargs):
    return run("server", *args, *control(proxy), **kwargs)


def ask(proxy, n, host="a.example"):
    return {proxy.get(host=host).text for _ in range(n)}


@pytest.fixture
def pair(origin):
    return [origin(lambda r, c, name=name: name) for name in "AB"]


def settings(pair, more=""):
    urls = ", ".join(f"'{s.url}'" for s in pair)
    return (f"services:\n  app: {{ servers: [{urls}]{more} }}\n  other: {{ servers: [{urls}] }}\n"
            "sites: { a.example: app, b.example: other }\n")


def test_a_drained_server_gets_nothing_until_it_is_undrained(start, pair):
    a, b = pair
    proxy = start(settings(pair))
    assert ask(proxy, 4) == {"A", "B"}
    done = server(proxy, "drain", a.url, "--service", "app")
    assert done.returncode == 0 and done.stdout == f"service app: {a.url} gets no more requests\n"
    assert ask(proxy, 6) == {"B"}
    assert ask(proxy, 4, "b.example") == {"A", "B"}  # the other service still has it
    listed = server(proxy, "list").stdout
    assert listed.count("drained") == 1 and listed.startswith("app\n")
    services = json.loads(server(proxy, "list", "--json").stdout)
    assert [s["drained"] for s in services[0]["servers"]] == [True, False]
    assert "drained" in run("status", *control(proxy)).stdout
    server(proxy, "undrain", a.address)
    assert ask(proxy, 4) == {"A", "B"}
    # By its address alone, everywhere; and both: then nobody is left.
    server(proxy, "drain", a.address, "--quiet")
    assert ask(proxy, 4, "b.example") == {"B"}
    server(proxy, "drain", b.url)
    answer = proxy.get(host="a.example")
    assert answer.status == 503 and "127.0.0.1" not in answer.text


def test_what_makes_no_sense_is_told(start, pair):
    proxy = start(settings(pair))
    done = server(proxy, "drain", "http://10.9.9.9:1")
    assert done.returncode == 1 and "no service has a server http://10.9.9.9:1" in done.stderr
    done = server(proxy, "drain", pair[0].url, "--service", "nobody")
    assert done.returncode == 1 and "no service has" in done.stderr
    assert server(proxy, "drain").returncode == 2
    assert server(proxy, "dry", "x").returncode == 2
    for request in [{}, {"action": "drain"}, {"action": "dry", "service": "a", "server": "b"},
                    {"action": "drain", "service": "a", "server": "x" * 600}]:
        assert not proxy.ask(command="server", **request)["ok"]


def test_drained_stays_over_reloads_gates_and_upgrades(start, pair):
    a, _ = pair
    proxy = start(settings(pair))
    server(proxy, "drain", a.url)
    proxy.reload(settings(pair, ", tries: 2"), 2)
    assert ask(proxy, 6) == {"B"}
    # Gone from the settings and back again.
    proxy.reload(settings(pair[1:]), 3)
    proxy.reload(settings(pair), 4)
    assert ask(proxy, 6) == {"B"}
    gate = proxy.gate_pid()
    os.kill(gate, signal.SIGKILL)
    wait_until(lambda: proxy.gate_pids() and gate not in proxy.gate_pids(), "another gate")
    assert ask(proxy, 6) == {"B"}
    done = run("upgrade", *control(proxy))
    assert done.returncode == 0, done.stderr
    assert ask(proxy, 6) == {"B"}
    server(proxy, "undrain", a.url)
    assert ask(proxy, 6) == {"A", "B"}
