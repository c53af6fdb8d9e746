# SPDX-License-Identifier: Apache-2.0
"""Promises of issue 3: settings change under load, again and again, and nobody outside notices."""
import os
import re
import socket
import time

from harness import IS_SANITIZED, Client, descriptors, is_refused, memory_kb, wait_until
from load import body_of

N_RELOADS = 120 if IS_SANITIZED else 1000
N_KINDS = 7  # of settings, see variant()
N_WARM, N_LAST = (n - n % N_KINDS for n in (N_RELOADS // 5, N_RELOADS))
GROWTH_MAX_KB = 2048


def settings(backend, turn, more="", entrypoints="web: '127.0.0.1:0'", top="workers: 2\n"):
    """What the load needs; answers carry the turn."""
    return (f"access-log: off\n{top}entrypoints: {{ {entrypoints} }}\n"
            f"filters:\n  turn: {{ headers: {{ response: {{ set: {{ X-Turn: '{turn}' }} }} }} }}\n"
            f"sites:\n{backend.sites('turn')}{more}")


def variant(backend, turn):
    """Settings of seven kinds: servers, routes, filters, time-outs, entrypoints come and go."""
    kind = turn % N_KINDS
    more = "".join(f"  s{i}.example: {{ to: 'http://127.0.0.1:{9000 + i}' }}\n"
                   for i in range(40 * (kind == 1)))
    if kind == 2:
        more += "routes: [{ match: 'Path(`/never`)', use: turn, to: 'http://127.0.0.1:9' }]\n"
    if kind == 3:
        more += (f"  pool.example: {{ to: pool }}\nservices: {{ pool: {{ servers: "
                 f"['{backend.url}', 'http://127.0.0.1:9'] }} }}\n")
    entrypoints = {4: "web: { listen: '127.0.0.1:0', idle-timeout: 20s, head-timeout: 9s }",
                   5: "web: '127.0.0.1:0', more: '127.0.0.1:0'"}
    return settings(backend, turn, more, entrypoints.get(kind, "web: '127.0.0.1:0'"))


def turn_of(proxy, entrypoint=None):
    """The turn of the settings that a new connection meets. entrypoint: (address, port)."""
    host, port = entrypoint or ("127.0.0.1", proxy.port)
    with Client(port, host) as client:
        answer = client.exchange("GET /down/1/10 HTTP/1.1\r\nHost: load.example\r\n\r\n")
    return int(answer.get("X-Turn"))


def reload(proxy, clients, turn, text):
    """A reload that works, answered only when the settings are in force for everybody. By SIGHUP
    and by command in turns."""
    clients.mark(f"reload {turn}")
    assert proxy.try_reload(text, by_signal=turn % 2 == 0), "\n".join(proxy.err[-20:])
    clients.turn = turn
    assert turn_of(proxy) == turn


class Usage:
    """What keeper and gate take. Under load the gate's sockets, and pipes to splice with, come and
    go; everything else must stay as it was."""

    def __init__(self, proxy):
        self.gate = proxy.gate_pid()
        self.kb = [memory_kb(pid) for pid in (proxy.child.pid, self.gate)]
        self.keeper_open = len(descriptors(proxy.child.pid))
        self.gate_files = sorted(re.sub(r"\d+", "N", what) for what in
                                 descriptors(self.gate).values()
                                 if not what.startswith(("socket:", "pipe:")))

    def check_flat(self, later):
        assert later.gate == self.gate, "the same gate all the time"
        assert later.keeper_open == self.keeper_open
        assert later.gate_files == self.gate_files
        if not IS_SANITIZED:  # sanitizers keep what is freed
            grown = [b - a for a, b in zip(self.kb, later.kb)]
            assert max(grown) < GROWTH_MAX_KB, f"keeper and gate grew by {grown} KB from {self.kb}"


def test_a_thousand_reloads_under_load_lose_nothing(start, backend, load):
    """Issue 3, reload: nothing lost, memory and descriptors flat, each answered, each in force."""
    proxy = start(variant(backend, 0))
    n_idle = len(descriptors(proxy.gate_pid()))
    clients = load(proxy.port)
    usage, began = {}, time.monotonic()
    for turn in range(1, N_RELOADS + 1):
        reload(proxy, clients, turn, variant(backend, turn))
        if turn in (N_WARM, N_LAST):  # settings of the same kind
            usage[turn] = Usage(proxy)
    took = time.monotonic() - began
    clients.stop().check()
    usage[N_WARM].check_flat(usage[N_LAST])
    print(f"{N_RELOADS} reloads in {took:.1f} s; {clients}; "
          f"keeper and gate had {usage[N_WARM].kb} KB, then {usage[N_LAST].kb}")
    # One connection to each server may be kept by each worker for later.
    proxy.try_reload(variant(backend, 7))
    wait_until(lambda: len(descriptors(proxy.gate_pid())) <= n_idle + 64, "closed connections")


def test_entrypoints_come_change_and_go_under_load(start, backend, load):
    """Issue 3: entrypoints are added, changed and removed live; clients of the others lose nothing,
    and what is under way on one that goes ends well."""
    proxy = start(settings(backend, 0))
    clients = load(proxy.port)
    for turn in range(1, 8 if IS_SANITIZED else 31, 3):
        reload(proxy, clients, turn, settings(
            backend, turn, entrypoints="web: '127.0.0.1:0', more: '127.0.0.1:0'"))
        port = proxy.ports["more"]
        assert turn_of(proxy, ("127.0.0.1", port)) == turn
        with proxy.connect("more") as client:
            client.send("GET /down/2/3000000 HTTP/1.1\r\nHost: load.example\r\n\r\n")
            client.read_head()
            reload(proxy, clients, turn + 1, settings(
                backend, turn + 1, entrypoints="web: '127.0.0.1:0', more: '127.0.0.2:0'"))
            changed = ("127.0.0.2", proxy.ports["more"])
            assert turn_of(proxy, changed) == turn + 1
            wait_until(lambda: is_refused(port), "the closed port")
            assert client.read_exactly(3_000_000) == body_of(2, 3_000_000)
        reload(proxy, clients, turn + 2, settings(backend, turn + 2))
        wait_until(lambda: is_refused(changed[1], changed[0]), "the closed port")
    clients.stop().check()


def broken_files(fine):
    """(what is wrong, the file's bytes or a function that makes it, what is said about it)."""
    line = fine.count("\n") + 1
    here = rf"sallyport\.yaml:{line}"
    route = "routes: [{ match: 'RULE', to: 'http://127.0.0.1:9' }]\n"
    aliases = "".join(f"{b}: &{b} [{', '.join(['*' + a] * 9)}]\n"
                      for a, b in zip("abcdefgh", "bcdefghi"))
    held = socket.create_server(("127.0.0.1", 0))
    taken = held.getsockname()[1]
    return held, [
        ("no file", lambda path: None, r"sallyport\.yaml: error: .*No such file"),
        ("a directory", lambda path: path.mkdir(), r"sallyport\.yaml: error: .*directory"),
        ("a pipe", os.mkfifo, r"sallyport\.yaml: error: "),
        ("no end", lambda path: path.symlink_to("/dev/zero"), r"sallyport\.yaml: error: "),
        ("huge", lambda path: path.write_bytes(b"#" * (65 << 20)),
         r"sallyport\.yaml: error: .*too large"),
        ("no map", b"hello\n", r"sallyport\.yaml:1:1: error: expected a map, found 'hello'"),
        ("not YAML", fine + "routes: [1, 2\n", rf"sallyport\.yaml:{line + 1}:1: error: .*']'"),
        ("two documents", fine + "---\n" + fine, rf"{here}:1: error: only one document"),
        ("a key twice", fine + "sites: {}\n", rf"{here}:1: error: the key 'sites' is here twice"),
        ("not UTF-8", fine.encode() + b"routes: \xff\n", rf"{here}:9: error: .*UTF-8.*0xff"),
        ("a zero byte", fine + "routes: \0\n", rf"{here}:9: error: a control character"),
        ("a key nobody knows", fine + "drain-timout: 5s\n", rf"{here}:1: error: .*drain-timeout"),
        ("no duration", fine + "drain-timeout: soon\n", rf"{here}:16: error: .*found 'soon'"),
        ("out of range", fine + "connections-max: 3\n", rf"{here}:18: error: .*from 16 to"),
        ("a broken expression", fine + route.replace("RULE", "PathRegexp(`(`)"),
         rf"{here}:\d+: error: .*parenthesis"),
        ("a broken rule", fine + route.replace("RULE", "Path(`/`"),
         rf"{here}:\d+: error: the rule"),
        ("an unknown service", fine + "routes: [{ match: 'Path(`/`)', to: nowhere }]\n",
         rf"{here}:\d+: error: there is no service 'nowhere'"),
        ("a cycle", fine + "routes: &a [*a]\n", rf"{here}:\d+: error: the alias"),
        ("too deep", fine + "routes: " + "[" * 500 + "]" * 500 + "\n", rf"{here}:\d+: error: .*64"),
        ("a bomb", fine + "a: &a [x, x, x, x, x, x, x, x]\n" + aliases, "error: more than 1000000"),
        ("many errors", fine + "".join(f"k{i}: 1\n" for i in range(5000)),
         rf"{here}:1: error: there is no 'k0'"),
        ("a port in use", fine.replace("web:", f"bad: '127.0.0.1:{taken}', web:"),
         rf"sallyport\.yaml:\d+:\d+: error: .*{taken}.*another program"),
    ]


def put_file(path, content):
    """In the place of what is there: a text, bytes, or what a function makes."""
    path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
    if callable(content):
        content(path)
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def test_a_broken_file_changes_nothing_and_says_why(start, backend, load):
    """Issue 3: a settings file broken in many ways; each time the old settings stay in force, what
    is wrong is told with its place, and the load loses nothing."""
    fine = settings(backend, 1) + ("user: root\n" if os.geteuid() == 0 else "")
    proxy = start(fine)
    clients = load(proxy.port)
    clients.turn = 1
    held, cases = broken_files(fine.replace("X-Turn: '1'", "X-Turn: '2'"))
    before = (len(descriptors(proxy.child.pid)), proxy.gate_pid())
    with held:
        for what, content, told in cases:
            clients.mark(what)
            said = len(proxy.err)
            put_file(proxy.file, content)
            assert not proxy.try_reload(), what
            lines = proxy.err[said:]
            assert any(re.search(told, line) for line in lines), (what, told, lines[:10])
            assert len(lines) < 1100, (what, len(lines))
            assert turn_of(proxy) == 1, what
    assert (len(descriptors(proxy.child.pid)), proxy.gate_pid()) == before
    reload(proxy, clients, 2, settings(backend, 2))
    clients.stop().check()
