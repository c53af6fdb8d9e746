# SPDX-License-Identifier: Apache-2.0
"""The gate's sandbox, tried from inside the running gate: a tracer (inject.c) makes one of its threads
do what somebody would who has taken it over. And names without files: the keeper reads them."""
import errno
import os
import pwd
import re
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from harness import BINARY, Client, Process, run, wait_until
from test_processes import IS_SANITIZED, respond, to

INJECT = Path(BINARY).parent / "tests" / "e2e" / "inject"
GET = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
NOBODY = "user: nobody\n" if os.geteuid() == 0 else ""
needs_sandbox = pytest.mark.skipif(IS_SANITIZED, reason="sanitizers need files: no sandbox there")


def threads_of(pid):
    """The lines of status of each thread."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        yield dict(re.findall(r"^(\w+):[ \t]*(.*)$", (task / "status").read_text(), re.M))


def inject(tid, *calls):
    """Makes a thread do system calls. Each result: a number, -errno, or "killed by SIGNAL"."""
    if not INJECT.exists():
        pytest.skip(f"{INJECT} isn't built (x86-64 alone)")
    words = [str(word) for call in calls for word in ("--", *call)][1:]
    done = subprocess.run([INJECT, str(tid), *words], capture_output=True, text=True, timeout=30)
    if "tracing it: Operation not permitted" in done.stderr:
        pytest.skip("this machine doesn't let processes be traced")
    assert done.returncode == 0, done.stderr
    return [int(line) if line.lstrip("-").isdigit() else line for line in done.stdout.splitlines()]


def sockaddr(port, host="127.0.0.1"):
    return "x:" + (struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) +
                   socket.inet_aton(host) + bytes(8)).hex()


# --- what is in force ---

@needs_sandbox
def test_every_thread_is_inside(start):
    """S4-19: what parses is sandboxed, in each of its threads."""
    proxy = start(NOBODY + respond("hi"), workers=2)
    assert proxy.get(host="a.example").text == "hi"
    threads = list(threads_of(proxy.gate_pid()))
    assert len(threads) >= 5  # aux, workers, passwords, logs
    for status in threads:
        assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "1", status
        assert {status[name] for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {"0" * 16}
        assert status.get("Speculation_Store_Bypass") != "thread force mitigated"
        if os.geteuid() == 0:
            nobody = str(pwd.getpwnam("nobody").pw_uid)
            assert status["Uid"].split() == [nobody] * 4 and not status["Groups"].strip()
    proxy.wait_line(r"sandbox \(best-effort\): no-new-privs; no capabilities; landlock \d+; seccomp",
                    proxy.err)


@needs_sandbox
def test_require_is_served_where_all_can_be_had(start):
    proxy = start(NOBODY + "sandbox: require\n" + respond("hi"))
    assert proxy.get(host="a.example").text == "hi"


def test_off_is_told(start):
    proxy = start(NOBODY + "sandbox: 'off'\n" + respond("hi"))
    proxy.wait_line("warn  gate: the sandbox is off", proxy.err)
    for status in threads_of(proxy.gate_pid()):
        assert status["Seccomp"] == next(iter(threads_of(os.getpid())))["Seccomp"]
        assert status["NoNewPrivs"] == "1" and status["CapEff"] == "0" * 16


# Makes landlock_create_ruleset fail as a container's runtime does, then becomes the program.
DENY_LANDLOCK = """
import ctypes, os, struct, sys
code = b"".join(struct.pack("HBBI", *op) for op in [
    (0x20, 0, 0, 0), (0x15, 0, 1, 444), (6, 0, 0, 0x50001), (6, 0, 0, 0x7fff0000)])
buf = ctypes.create_string_buffer(code)
program = struct.pack("HxxxxxxP", 4, ctypes.addressof(buf))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program, 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""


def run_without_landlock(folder, mode):
    file = folder / f"{mode}.yaml"
    file.write_text(f"user: root\nsandbox: {mode}\ncontrol: 'off'\n"
                    "entrypoints: { web: '127.0.0.1:0' }\n" + respond("hi"))
    return Process([sys.executable, "-c", DENY_LANDLOCK, BINARY, "run", "-c", file])


def test_best_effort_serves_without_landlock_and_says_so(tmp_path):
    proxy = run_without_landlock(tmp_path, "best-effort")
    try:
        proxy.wait_line("warn  gate: missing of the sandbox: .*landlock", proxy.err)
        port = int(proxy.wait_line(r"entrypoint web: listening on .*:(\d+)$", proxy.err)[1])
        proxy.wait_line("are in force", proxy.err)
        with Client(port) as client:
            assert client.exchange(GET).text == "hi"
    finally:
        assert proxy.end() == 0


def test_require_refuses_to_start_without_landlock(tmp_path):
    proxy = run_without_landlock(tmp_path, "require")
    proxy.wait_line("refused the settings: 'sandbox: require' can't be had here: .*landlock",
                    proxy.err)
    proxy.child.wait(30)
    assert proxy.end() == 1


def test_require_at_a_reload_changes_nothing_where_it_cannot_be_had(tmp_path):
    proxy = run_without_landlock(tmp_path, "best-effort")
    try:
        port = int(proxy.wait_line(r"entrypoint web: listening on .*:(\d+)$", proxy.err)[1])
        proxy.wait_line("are in force", proxy.err)
        file = tmp_path / "best-effort.yaml"
        file.write_text(file.read_text().replace("best-effort", "require").replace("hi", "new"))
        proxy.child.send_signal(signal.SIGHUP)
        proxy.wait_line("'sandbox: require' can't be had here", proxy.err)
        with Client(port) as client:
            assert client.exchange(GET).text == "hi"
    finally:
        assert proxy.end() == 0


# --- what it must not do ---

@needs_sandbox
def test_what_a_gate_that_was_taken_over_tries_fails(start, origin):
    """S4-19: files, processes, privileges and ports are out of a taken-over gate's reach."""
    server = origin(lambda r, c: "served")
    proxy = start(NOBODY + to(server))
    assert proxy.get(host="a.example").text == "served"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    gate, keeper, me = proxy.gate_pid(), proxy.child.pid, os.getpid()
    tries = {
        ("openat", -100, "s:/etc/passwd", 0, 0): errno.ENOENT,
        ("openat", -100, f"s:{proxy.file}", 0, 0): errno.ENOENT,
        ("openat", -100, "s:/proc/self/mem", 2, 0): errno.ENOENT,
        ("openat", -100, "s:/tmp/taken-over", 0o101, 0o644): errno.ENOENT,
        ("readlink", "s:/proc/self/exe", "x:" + "00" * 64, 64): errno.ENOENT,
        ("unlink", f"s:{proxy.file}"): errno.EPERM,
        ("kill", keeper, 9): errno.EPERM,
        ("kill", me, 0): errno.EPERM,
        ("kill", -1, 9): errno.EPERM,
        ("tgkill", keeper, keeper, 9): errno.EPERM,
        ("clone", signal.SIGCHLD, 0, 0, 0, 0): errno.EPERM,
        ("setuid", 0): errno.EPERM,
        ("prctl", 4, 1, 0, 0, 0): errno.EPERM,  # PR_SET_DUMPABLE
        ("socket", socket.AF_PACKET, socket.SOCK_RAW, 0): errno.EPERM,
        ("socket", socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP): errno.EPERM,
        ("socket", socket.AF_NETLINK, socket.SOCK_RAW, 0): errno.EPERM,
        ("bind", 100, sockaddr(free), 16): errno.EPERM,
        ("listen", 100, 1): errno.EPERM,
        ("fcntl", 3, 8, keeper): errno.EPERM,  # F_SETOWN
    }
    for tid in (gate, max(int(t.name) for t in Path(f"/proc/{gate}/task").iterdir())):
        results = inject(tid, *tries)
        assert dict(zip(tries, results)) == {call: -error for call, error in tries.items()}
    assert proxy.get(host="a.example").text == "served"
    assert proxy.gate_pid() == gate and proxy.file.exists()


@needs_sandbox
def test_connecting_is_allowed_by_design(start):
    """Services come and go with reloads, so where a gate may connect to isn't limited: what it can
    reach is for the network to say. docs/threat-model.md."""
    proxy = start(NOBODY + respond("hi"))
    with socket.socket() as elsewhere:
        elsewhere.bind(("127.0.0.1", 0))
        elsewhere.listen()
        (fd,) = inject(proxy.gate_pid(), ("socket", socket.AF_INET, socket.SOCK_STREAM, 0))
        assert fd > 0
        assert inject(proxy.gate_pid(), ("connect", fd, sockaddr(elsewhere.getsockname()[1]), 16),
                      ("bind", fd, sockaddr(0), 16), ("listen", fd, 1)) == \
            [0, -errno.EPERM, -errno.EPERM]


@needs_sandbox
@pytest.mark.parametrize("call", [
    ("execve", "s:/bin/sh", 0, 0), ("ptrace", 16, 1, 0, 0), ("unshare", 0x10000000),
    ("mount", "s:none", "s:/", "s:tmpfs", 0, 0), ("io_uring_setup", 1, 0), ("bpf", 0, 0, 0),
    ("process_vm_readv", 1, 0, 0, 0, 0, 0), ("keyctl", 0, 0), ("init_module", 0, 0, 0)],
    ids=lambda call: call[0])
def test_what_only_an_attacker_tries_ends_the_gate(start, call):
    proxy = start(NOBODY + respond("hi"))
    gate = proxy.gate_pid()
    assert inject(gate, call, ("getpid",)) == [f"killed by {signal.SIGSYS.value}"]
    proxy.wait_line(r"the gate died \(signal 31, Bad system call\)", proxy.err)
    assert proxy.get(host="a.example").text == "hi"
    assert proxy.gate_pid() != gate


# --- the setting ---

def test_a_reload_enters_and_leaves_the_sandbox(start):
    """In a new gate: what was given up doesn't come back."""
    outside = next(iter(threads_of(os.getpid())))["Seccomp"]
    proxy = start(NOBODY + "sandbox: 'off'\n" + respond("off"))
    modes = [("best-effort", "on", outside if IS_SANITIZED else "2"), ("'off'", "off", outside)]
    for seq, (mode, text, seccomp) in enumerate(modes, 2):
        proxy.reload(NOBODY + f"sandbox: {mode}\n" + respond(text), seq)
        assert proxy.get(host="a.example").text == text
        pids = proxy.gate_pids()
        assert next(iter(threads_of(pids[-1])))["Seccomp"] == seccomp


def test_a_mode_that_is_none_is_an_error(tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text("entrypoints: { web: ':0' }\nsandbox: maybe\n")
    done = run("check", "-c", file)
    assert done.returncode == 1
    assert "s.yaml:2:10" in done.stderr and "best-effort, require or off" in done.stderr, done.stderr


# --- names ---

@pytest.fixture
def own_hosts(tmp_path):
    """A proxy that sees another hosts file than this machine's."""
    hosts, running = tmp_path / "hosts", []

    def go(text, settings):
        hosts.write_text(text)
        file = tmp_path / "names.yaml"
        user = "user: nobody\n" if os.geteuid() == 0 else ""
        file.write_text(user + "control: 'off'\nentrypoints: { web: '127.0.0.1:0' }\n" + settings)
        script = f"mount --bind {hosts} /etc/hosts && exec {BINARY} run -c {file}"
        probe = subprocess.run(["unshare", "-m", "sh", "-c", f"mount --bind {hosts} /etc/hosts"],
                               capture_output=True)
        if probe.returncode != 0:
            pytest.skip("needs a mount namespace of its own")
        proxy = Process(["unshare", "-m", "sh", "-c", script])
        running.append(proxy)
        port = int(proxy.wait_line(r"entrypoint web: listening on .*:(\d+)$", proxy.err)[1])
        proxy.wait_line("are in force", proxy.err)
        return proxy, port, hosts
    yield go
    for proxy in running:
        assert proxy.end() == 0


def test_the_hosts_file_is_known_and_its_changes_are_followed(own_hosts, origin):
    one = origin(lambda r, c: "one", address=("127.0.0.3", 0))
    two = origin(lambda r, c: "two", address=("127.0.0.4", one.port))
    proxy, port, hosts = own_hosts("127.0.0.3 app.internal\n",
                                   f"sites: {{ a.example: 'http://App.internal:{one.port}' }}\n")

    def ask():
        with Client(port) as client:
            answer = client.exchange(GET)
            return answer.text if answer.status == 200 else answer.status

    assert ask() == "one"
    hosts.write_text("127.0.0.4 app.internal\n")
    proxy.wait_line("resolv.conf or hosts has changed", proxy.err)
    wait_until(lambda: ask() == "two", "the new address")
    two.stop()


def test_localhost_is_this_machine_without_a_hosts_file(own_hosts, origin):
    server = origin(lambda r, c: "here")
    _, port, _ = own_hosts("192.0.2.1 localhost\n",
                           f"sites: {{ a.example: 'http://localhost:{server.port}' }}\n")
    with Client(port) as client:
        assert client.exchange(GET).text == "here"
