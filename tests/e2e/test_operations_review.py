# SPDX-License-Identifier: Apache-2.0
"""What goes wrong at the worst moment: two things at a time, ends in the middle of something, and a
gate that somebody has taken over."""
import json
import os
import resource
import signal
import socket
import struct
import threading
import time
from pathlib import Path

import pytest

from harness import BINARY, IS_SANITIZED, PATIENCE, Client, Process, descriptors, wait_until
from test_processes import respond
from test_promises_upgrade import patched, script, version
from test_sandbox import INJECT, inject, needs_sandbox, sockaddr

GET = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
PING_EVERY_S = 5  # of keeper/gates.c
GATE_STATUS, GATE_CHANNEL = 11, 3  # of gate/protocol.h


def text_of(proxy):
    return proxy.get(host="a.example").text


def in_background(action, *args, **kwargs):
    """Runs it in a thread; the function that is returned waits for its result."""
    results = []
    thread = threading.Thread(target=lambda: results.append(action(*args, **kwargs)), daemon=True)
    thread.start()

    def finish():
        thread.join(PATIENCE)
        assert results, "no result"
        return results[0]

    return finish


@pytest.fixture
def other(tmp_path):
    """other(text): a binary of version 7.7.7 that starts a shell script as its gate."""
    made = []

    def go(text):
        if IS_SANITIZED:
            pytest.skip("the sanitizer's own runtime would miss the text that is changed here")
        exe = b"/proc/self/exe\0"
        gate = Path(f"/tmp/sp-{os.getpid() % 1000:03d}-{len(made):02d}".ljust(len(exe) - 1, "x"))
        made.append(gate)
        script(gate, text)
        return patched(tmp_path / f"other{len(made)}", (version().encode(), b"7.7.7"),
                       (exe, str(gate).encode() + b"\0"))

    yield go
    for gate in made:
        gate.unlink()


HANGS = "exec sleep 1000\n"


def begin_upgrade(proxy, binary):
    """Returns once the new image's gate is there, which is the last of the gates."""
    n = len(proxy.gate_pids())
    answer = in_background(proxy.ask, command="upgrade", binary=str(binary))

    def is_there():
        pids = proxy.gate_pids()
        return len(pids) > n and b"sleep" in Path(f"/proc/{pids[-1]}/cmdline").read_bytes()

    wait_until(is_there, "the new gate")
    return answer, proxy.gate_pid()


# --- texts that are no UTF-8 ---

def test_a_binary_that_prints_other_bytes_than_text_is_refused_like_any_other(start, tmp_path):
    proxy = start(respond("hi"))
    binary = script(tmp_path / "prints", "printf 'what \\377 is this' >&2; exit 1")
    answer = proxy.ask(command="upgrade", binary=str(binary))
    assert not answer["ok"] and "is this" in answer["error"]
    assert text_of(proxy) == "hi"


def test_a_path_of_other_bytes_than_text_is_told_as_well_as_it_can_be(tmp_path):
    folder = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(folder)
    with open(folder + b"/s.yaml", "w", encoding="ascii") as file:
        file.write("entrypoints: { web: '127.0.0.1:0' }\n" + respond("hi") +
                   ("user: root\n" if os.geteuid() == 0 else ""))
    env = {**os.environb, b"SALLYPORT_CONTROL": folder + b"/c.sock"}
    proxy = Process([BINARY, "run", "--config", folder + b"/s.yaml"], env=env)
    try:
        proxy.wait_line("are in force", proxy.err)
        for command in ("status", "settings", "reload"):
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(folder + b"/c.sock")
                sock.sendall(json.dumps({"command": command}).encode() + b"\n")
                assert json.loads(sock.makefile().readline())["ok"], command
    finally:
        assert proxy.end() == 0


# --- an upgrade that fails, and what happened meanwhile ---

def test_a_life_sign_that_an_upgrade_has_crossed_costs_no_gate(start, other):
    binary = other("exit 3\n")  # first of all: it may skip the test
    proxy = start(respond("hi"))
    gate = proxy.gate_pid()
    os.kill(gate, signal.SIGSTOP)
    time.sleep(PING_EVERY_S + 1)  # it owes an answer now
    assert not proxy.ask(command="upgrade", binary=str(binary))["ok"]
    time.sleep(0.5)
    os.kill(gate, signal.SIGCONT)
    time.sleep(1)
    assert text_of(proxy) == "hi" and proxy.gate_pids() == [gate]


def test_sockets_that_a_failed_upgrade_has_opened_are_served(start, other):
    """Connections are spread over all sockets of an address, whoever has opened them."""
    proxy = start(respond("hi"))
    gate = proxy.gate_pid()
    proxy.write(respond("hi") + "workers: 4\n")
    assert not proxy.ask(command="upgrade", binary=str(other("exit 3\n")))["ok"]
    assert proxy.gate_pids() == [gate]
    for _ in range(30):
        assert text_of(proxy) == "hi"


def test_a_gate_that_dies_during_an_upgrade_that_fails_is_replaced(start, other):
    proxy = start(respond("hi"))
    old = proxy.gate_pid()
    answer, new = begin_upgrade(proxy, other(HANGS))
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: old not in proxy.gate_pids(), "the old gate's end")
    os.kill(new, signal.SIGKILL)
    assert not answer()["ok"]
    assert text_of(proxy) == "hi"


def test_a_reload_that_was_asked_for_during_an_upgrade_that_fails_is_done(start, other):
    proxy = start(respond("hi"))
    _, new = begin_upgrade(proxy, other(HANGS))
    proxy.write(respond("new"))
    proxy.child.send_signal(signal.SIGHUP)
    proxy.wait_line("reading the settings anew", proxy.err)
    os.kill(new, signal.SIGKILL)
    wait_until(lambda: text_of(proxy) == "new", "the new settings")


def test_a_stop_during_an_upgrade_lets_exchanges_finish(start, origin, other):
    go = threading.Event()

    def handler(_request, conn):
        go.wait(PATIENCE)
        return "late"

    server = origin(handler)
    proxy = start(f"drain-timeout: 30s\nsites: {{ a.example: '{server.url}' }}\n")
    with proxy.connect() as client:
        client.send(GET)
        server.next_request()
        begin_upgrade(proxy, other(HANGS))
        proxy.child.send_signal(signal.SIGTERM)
        proxy.wait_line("stopping: running exchanges may take up to 30 s more", proxy.err)
        time.sleep(0.5)
        go.set()
        assert client.read_answer().text == "late"
    assert proxy.end() == 0


# --- attempts and gates ---

def test_a_gate_that_can_not_be_started_ends_the_attempt(start):
    """Too many open files, or processes: the next attempt may do better."""
    proxy = start("access-log: off\n" + respond("hi"))
    pid = proxy.child.pid
    taken = sorted(descriptors(pid))
    assert taken == list(range(len(taken))), "there are holes"
    kept = 3  # an attempt keeps the settings, those for the gate, and the error log
    old_limit = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    proxy.write("access-log: off\nworkers: 2\n" + respond("new"))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(taken) + kept + 2, old_limit[1]))
    answer = proxy.ask(command="reload")
    assert not answer["ok"] and "start a gate" in answer["error"], answer
    assert text_of(proxy) == "hi"
    resource.prlimit(pid, resource.RLIMIT_NOFILE, old_limit)
    assert proxy.ask(command="reload")["ok"]
    assert text_of(proxy) == "new"


def test_the_end_of_a_gate_that_was_to_leave_is_no_death(start):
    proxy = start("drain-timeout: 1s\n" + respond("hi"))
    old = proxy.gate_pid()
    with proxy.connect() as client:
        client.send(GET[:10])  # an exchange that doesn't end
        os.kill(old, signal.SIGSTOP)
        proxy.write("drain-timeout: 1s\nworkers: 2\n" + respond("new"))
        assert proxy.ask(command="reload")["ok"]
        wait_until(lambda: old not in proxy.gate_pids(), "the old gate's end")
    status = proxy.ask(command="status")["status"]
    assert status["gate"]["last_end"] is None
    assert not any("starting another" in line for line in proxy.err)


def test_a_file_that_is_rotated_during_an_attempt_is_opened_anew(start, tmp_path):
    log = tmp_path / "access.log"
    proxy = start(f"access-log: {{ path: '{log}' }}\n" + respond("hi"))
    gate = proxy.gate_pid()
    os.kill(gate, signal.SIGSTOP)
    answer = in_background(proxy.ask, command="reload")
    wait_until(lambda: list(descriptors(proxy.child.pid).values()).count(str(log)) == 2,
               "the attempt's log")
    log.rename(tmp_path / "rotated.log")
    proxy.reopen_logs()
    os.kill(gate, signal.SIGCONT)
    assert answer()["ok"]
    assert text_of(proxy) == "hi"
    wait_until(lambda: log.exists() and "GET" in log.read_text(), "the line")


def test_who_waits_for_a_reload_learns_of_a_stop(start):
    proxy = start("drain-timeout: 20s\n" + respond("hi"))
    gate = proxy.gate_pid()
    os.kill(gate, signal.SIGSTOP)
    answer = in_background(proxy.ask, command="reload")
    wait_until(lambda: len([d for d in descriptors(proxy.child.pid).values() if "socket" in d]) > 0)
    time.sleep(0.3)
    proxy.child.send_signal(signal.SIGTERM)
    told = answer()
    assert not told["ok"] and "stopping" in told["error"]
    os.kill(gate, signal.SIGCONT)
    assert proxy.end() == 0


# --- a gate that somebody has taken over ---

@needs_sandbox
def test_a_dead_gate_orders_nothing(start):
    """Its last words on the control socket are taken after its end: who it was is known no more."""
    proxy = start(respond("hi"))
    path = str(proxy.file.parent / "control.sock")
    gate = proxy.gate_pid()
    others = []
    for _ in range(32):  # CONTROL_CONNS_MAX: what comes behind them waits
        others.append(socket.socket(socket.AF_UNIX))
        others[-1].connect(path)
    wait_until(lambda: len([d for d in descriptors(proxy.child.pid).values() if "socket" in d]) > 32)
    address = "x:" + (struct.pack("=H", socket.AF_UNIX) + path.encode() + b"\0").hex()
    (fd,) = inject(gate, ("socket", socket.AF_UNIX, socket.SOCK_STREAM, 0))
    order = b'{"command":"stop"}\n'
    assert inject(gate, ("connect", fd, address, 2 + len(path) + 1),
                  ("sendto", fd, "x:" + order.hex(), len(order), 0, 0, 0)) == [0, len(order)]
    os.kill(gate, signal.SIGKILL)
    proxy.wait_line("settings 1 are in force", proxy.err, count=2)
    for sock in others:
        sock.close()
    time.sleep(1)
    assert not any("stopping" in line for line in proxy.err)
    assert text_of(proxy) == "hi"


@needs_sandbox
def test_reports_that_nobody_asked_for_are_not_read(start):
    proxy = start(respond("hi"))
    gate = proxy.gate_pid()
    message = struct.pack("=IIQ", GATE_STATUS, 0, 12345)
    call = ("sendto", GATE_CHANNEL, "x:" + message.hex(), len(message), 0, 0, 0)
    assert inject(gate, *[call] * 20) == [len(message)] * 20
    assert proxy.ask(command="status")["status"]["report"]
    proxy.child.send_signal(signal.SIGHUP)
    proxy.wait_settings(2)  # behind what it said before
    assert not any("can't be read" in line for line in proxy.err)


@needs_sandbox
def test_what_a_gate_does_to_listening_sockets_ends_with_it(start):
    with socket.socket() as probe:  # a port that the kernel chose would be lost
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    proxy = start(respond("hi") + f"entrypoints: {{ web: '127.0.0.1:{port}' }}\n")
    gate = proxy.gate_pid()
    shared = set(descriptors(proxy.child.pid).values())
    for fd, what in descriptors(gate).items():
        if what in shared and what.startswith("socket:"):
            inject(gate, ("shutdown", fd, socket.SHUT_RDWR))
    with socket.socket() as sock:
        assert sock.connect_ex(("127.0.0.1", proxy.port)) != 0
    os.kill(gate, signal.SIGKILL)
    proxy.wait_line("settings 1 are in force", proxy.err, count=2)
    assert text_of(proxy) == "hi"
