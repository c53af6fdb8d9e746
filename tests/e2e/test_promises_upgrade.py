# SPDX-License-Identifier: Apache-2.0
"""Promises of issue 3: another gate, or another binary, takes over under load."""
import json
import os
import re
import shutil
import socket
from pathlib import Path

import pytest

from harness import BINARY, IS_SANITIZED, descriptors, run, wait_until

N_TURNS = 2 if IS_SANITIZED else 10
DRAIN = "drain-timeout: 10m\n"  # the load's tunnels stay open to its end


def settings(backend, turn, top="workers: 2\n"):
    return (f"access-log: off\n{DRAIN}{top}"
            f"filters:\n  turn: {{ headers: {{ response: {{ set: {{ X-Turn: '{turn}' }} }} }} }}\n"
            f"sites:\n{backend.sites('turn')}")


def turn_of(proxy):
    return int(proxy.get("/down/1/10", "load.example").get("X-Turn"))


def version():
    return re.search(r"\d+\.\d+\.\d+", run("version", check=0).stdout)[0]


def patched(path, *changes):
    """A copy of the binary with other texts of the same length."""
    shutil.copy(BINARY, path)
    content = path.read_bytes()
    for old, new in changes:
        assert old in content and len(old) == len(new)
        content = content.replace(old, new)
    path.write_bytes(content)
    return path


@pytest.fixture
def other_binary(tmp_path):
    """A binary of another version."""
    old = version()
    new = old[:-1] + ("8" if old[-1] == "9" else "9")
    return patched(tmp_path / "sallyport-new", (old.encode(), new.encode())), old, new


def script(path, text):
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


def only_one_gate_is_left(proxy):
    wait_until(lambda: len(proxy.gate_pids()) == 1, "the old gates' end")


def test_an_upgrade_and_the_way_back_under_load_lose_nothing(start, backend, load, other_binary):
    """Issue 3, upgrade: no refused and no broken connection, whoever is open stays open."""
    path, old, new = other_binary
    proxy = start(settings(backend, 0))
    keeper, n_open = proxy.child.pid, len(descriptors(proxy.child.pid))
    clients = load(proxy.port)
    for turn in range(N_TURNS):
        for binary, before, after in ((path, old, new), (BINARY, new, old)):
            clients.mark(f"upgrade {turn} from {before} to {after}")
            gates = proxy.gate_pids()
            answer = proxy.ask(command="upgrade", binary=str(binary))
            assert answer["ok"], answer
            assert (answer["from"], answer["to"]) == (before, after)
            status = proxy.ask(command="status")["status"]
            assert status["version"] == after and status["pid"] == keeper
            assert status["gate"]["pid"] not in gates
            assert turn_of(proxy) == 0
    # The new one reloads like any other.
    clients.mark("reload")
    assert proxy.try_reload(settings(backend, 1))
    clients.turn = 1
    assert turn_of(proxy) == 1
    clients.stop().check()
    only_one_gate_is_left(proxy)
    wait_until(lambda: len(descriptors(keeper)) <= n_open, "closed descriptors of the keeper")
    print(f"{2 * N_TURNS} upgrades; {clients}")


def test_a_binary_that_does_not_work_changes_nothing_and_the_answer_says_why(
        start, backend, load, tmp_path):
    """Issue 3, upgrade: not executable, not there, dying, refusing the settings."""
    proxy = start(settings(backend, 0))
    clients = load(proxy.port)
    gate, n_open = proxy.gate_pid(), len(descriptors(proxy.child.pid))
    plain = tmp_path / "plain"
    plain.write_text("no program")
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"\x7fELF and no more")
    garbage.chmod(0o755)
    cases = [
        ("relative/path", "absolute"),
        (tmp_path / "nowhere", "No such file"),
        (tmp_path, ""),
        (plain, "Permission denied"),
        (garbage, "Exec format error"),
        (script(tmp_path / "ends", "echo what is this >&2; exit 3"), "what is this"),
        (script(tmp_path / "dies", "kill -SEGV $$"), "Segmentation"),
        (script(tmp_path / "other", "echo another program 1.0"), "doesn't say"),
        (script(tmp_path / "refuses", "case $1 in version) echo sallyport 9.9.9;; "
                "*) echo 'settings.yaml:1:2: error: no such thing any more'; exit 1;; esac"),
         "no such thing any more"),
    ]
    for binary, why in cases:
        clients.mark(f"upgrade to {binary}")
        answer = proxy.ask(command="upgrade", binary=str(binary))
        assert not answer["ok"] and why in answer["error"], (binary, answer)
        assert turn_of(proxy) == 0
    assert proxy.gate_pids() == [gate]
    assert proxy.ask(command="status")["status"]["version"] == version()
    wait_until(lambda: len(descriptors(proxy.child.pid)) <= n_open, "closed descriptors")
    clients.stop().check()


def test_a_binary_that_hangs_ends_with_the_keeper(start, backend, tmp_path):
    """It would run on for nobody, and hold up another upgrade of whoever comes next."""
    proxy = start(settings(backend, 0))
    pid_file = tmp_path / "pid"
    hangs = script(tmp_path / "hangs", f"echo $$ > {pid_file}.new; mv {pid_file}.new {pid_file}; "
                   "exec sleep 1000")
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(str(proxy.file.parent / "control.sock"))
        control.sendall(json.dumps({"command": "upgrade", "binary": str(hangs)}).encode() + b"\n")
        wait_until(pid_file.exists, "the binary that hangs")
        assert "another upgrade" in proxy.ask(command="upgrade")["error"]
        proxy.stop()
    pid = int(pid_file.read_text())
    running = Path(f"/proc/{pid}/cmdline")  # empty when it waits to be reaped
    wait_until(lambda: not running.exists() or not running.read_bytes(), "its end")


def test_a_binary_whose_gate_dies_gives_way_to_the_old_one(start, backend, load, tmp_path):
    """Issue 3, upgrade: a binary that likes the settings and then can't serve; the old keeper comes
    back with its gate, which has served all the time."""
    if IS_SANITIZED:
        pytest.skip("the sanitizer's own runtime would miss the text that is changed here")
    proxy = start(settings(backend, 0))
    clients = load(proxy.port)
    gate, n_open = proxy.gate_pid(), len(descriptors(proxy.child.pid))
    bad = patched(tmp_path / "bad", (version().encode(), b"7.7.7"),
                  (b"/proc/self/exe\0", b"/proc/self/nix\0"))  # what it starts as its gate
    for turn in range(N_TURNS):
        clients.mark(f"upgrade {turn} to a binary without a gate")
        answer = proxy.ask(command="upgrade", binary=str(bad))
        assert not answer["ok"] and "7.7.7" in answer["error"] and "died" in answer["error"], answer
        status = proxy.ask(command="status")["status"]
        assert status["version"] == version() and status["gate"]["pid"] == gate
        assert turn_of(proxy) == 0
    assert proxy.gate_pids() == [gate]
    wait_until(lambda: len(descriptors(proxy.child.pid)) <= n_open, "closed descriptors")
    # It goes on like any other: new settings in the same gate, another gate, a good binary.
    clients.mark("reload")
    assert proxy.try_reload(settings(backend, 1))
    clients.turn = 1
    assert turn_of(proxy) == 1 and proxy.gate_pids() == [gate]
    assert proxy.try_reload(settings(backend, 2, "workers: 1\n"))
    clients.turn = 2
    assert turn_of(proxy) == 2
    clients.mark("upgrade to the same binary")
    assert proxy.ask(command="upgrade", binary=BINARY)["ok"]
    assert turn_of(proxy) == 2
    clients.stop().check()
    only_one_gate_is_left(proxy)


def test_settings_that_need_another_gate_lose_nothing_under_load(start, backend, load):
    """Issue 3, everything reloads: workers, connections-max, the resolver and the user change live;
    a new gate takes over, and the old one lets its connections end."""
    tops = ["workers: 1\n", "workers: 2\n", "workers: 1\n",
            "workers: 2\nconnections-max: 5000\n",
            "workers: 2\nresolver: { servers: ['127.0.0.1:53'], timeout: 1s }\n"]
    if os.geteuid() == 0:
        tops.append("workers: 2\nuser: nobody\n")
    proxy = start(settings(backend, 0, tops[-1]))
    clients = load(proxy.port)
    n_turns = 0
    for top in tops * N_TURNS:
        n_turns += 1
        clients.mark(f"{top!r} as turn {n_turns}")
        gate = proxy.ask(command="status")["status"]["gate"]["pid"]
        proxy.write(settings(backend, n_turns, top))
        answer = proxy.ask(command="reload")
        assert answer["ok"] and answer["new_gate"], answer
        clients.turn = n_turns
        assert turn_of(proxy) == n_turns
        status = proxy.ask(command="status")["status"]
        assert status["gate"]["pid"] != gate
        assert status["report"]["workers"] == int(top[9]), status
    clients.stop().check()
    only_one_gate_is_left(proxy)
    print(f"{n_turns} gates; {clients}")


def test_a_gate_that_leaves_writes_to_the_log_that_was_opened_anew(start, origin, tmp_path):
    """The line of a tunnel comes at its end, which may be long after its gate was replaced."""
    server = origin(lambda r, c: b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                    b"Upgrade: echo\r\n\r\n" if r.get("Upgrade") else "plain")
    log = tmp_path / "access.log"
    text = (f"access-log: {log}\n{DRAIN}workers: WORKERS\n"
            f"sites: {{ a.example: '{server.url}' }}\n")
    proxy = start(text.replace("WORKERS", "1"))
    with proxy.connect() as tunnel:
        answer = tunnel.exchange("GET /tunnel HTTP/1.1\r\nHost: a.example\r\n"
                                 "Connection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        assert answer.status == 101
        assert proxy.try_reload(text.replace("WORKERS", "2"))
        assert len(proxy.gate_pids()) == 2
        log.rename(tmp_path / "access.log.1")
        proxy.reopen_logs()
        assert proxy.get(host="a.example").text == "plain"
    only_one_gate_is_left(proxy)
    wait_until(lambda: log.read_text().count("\n") == 2, "two lines in the new log")
    assert '"GET /tunnel HTTP/1.1" 101' in log.read_text()
    assert (tmp_path / "access.log.1").read_text() == ""
