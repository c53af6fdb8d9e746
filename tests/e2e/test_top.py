# SPDX-License-Identifier: Apache-2.0
"""The live view of traffic, on a terminal and without one."""
import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import time

import pytest

from harness import BINARY, PATIENCE, Client, Origin, Proxy, ok, run, wait_until

SETTINGS = """
sites:
  busy.example: {{ to: app }}
  shut.example: {{ to: app, use: [away] }}
filters: {{ away: {{ respond: {{ status: 403, body: no }} }} }}
services: {{ app: "http://127.0.0.1:{port}" }}
"""


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    origin = Origin(lambda request, conn: ok("x" * 1000))
    running = Proxy(tmp_path_factory.mktemp("top") / "proxy", SETTINGS.format(port=origin.port))
    yield running
    running.stop()
    origin.stop()


@contextlib.contextmanager
def traffic(proxy):
    """Requests without a break."""
    ends = threading.Event()

    def go():
        while not ends.is_set():
            with contextlib.suppress(OSError), Client(proxy.port) as client:
                for host in ["busy.example"] * 9 + ["shut.example"]:
                    client.exchange(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())

    thread = threading.Thread(target=go, daemon=True)
    thread.start()
    yield
    ends.set()
    thread.join(PATIENCE)


class Terminal:
    """`sallyport top` on a terminal of that many rows and columns."""

    def __init__(self, control, rows=24, columns=100):
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        self.seen = b""
        self.child = subprocess.Popen(
            [BINARY, "top", "--control", str(control)],
            stdin=self.slave, stdout=self.slave, stderr=self.slave, start_new_session=True,
            env={**os.environ, "TERM": "vt100"},
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def resize(self, rows, columns):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys):
        os.write(self.master, keys.encode())

    def read(self):
        if select.select([self.master], [], [], 0.1)[0]:
            with contextlib.suppress(OSError):
                self.seen += os.read(self.master, 65536)

    def wait_for(self, pattern, what=None):
        """What was shown since the last call, up to the pattern."""
        until = time.monotonic() + PATIENCE
        while not re.search(pattern, self.seen):
            assert time.monotonic() < until, f"{what or pattern} isn't shown: {self.seen[-2000:]}"
            assert self.child.poll() is None, f"ended: {self.seen[-2000:]}"
            self.read()
        match = re.search(pattern, self.seen)
        self.seen = self.seen[match.end():]
        return match

    def end(self):
        until = time.monotonic() + PATIENCE
        while self.child.poll() is None and time.monotonic() < until:
            self.read()
        self.read()
        assert self.child.poll() is not None, "it didn't end"
        return self.child.returncode

    def is_as_before(self):
        return termios.tcgetattr(self.slave) == self.before

    def close(self):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait(PATIENCE)
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def terminal(proxy):
    running = Terminal(proxy.file.parent / "control.sock")
    yield running
    running.close()


def test_the_view_shows_what_happens_and_follows_keys(proxy, terminal):
    with traffic(proxy):
        terminal.wait_for(rb"\x1b\[\?1049h", "another screen")
        terminal.wait_for(rb"sites +req/s")
        terminal.wait_for(rb"busy\.example +[1-9]", "a rate of the site")
        terminal.press("b")
        terminal.wait_for(rb"servers +req/s")
        terminal.wait_for(rb"app http://127\.0\.0\.1:\d+ +[1-9][0-9.]* .*up", "the server's rate")
        terminal.press("f")
        terminal.wait_for(rb"away +[1-9]", "what the filter refused")
        terminal.press(">")
        terminal.wait_for(rb"by p99")
        terminal.press(" ")
        terminal.wait_for(rb"paused")
    terminal.press("q")
    assert terminal.end() == 0
    assert b"\x1b[?1049l" in terminal.seen and b"\x1b[?25h" in terminal.seen
    assert terminal.is_as_before()


def test_lines_fit_when_the_terminal_gets_smaller(proxy, terminal):
    terminal.wait_for(rb"q quit")
    terminal.resize(8, 30)
    os.kill(terminal.child.pid, signal.SIGWINCH)
    for _ in range(100):  # frames of the larger one may still be on their way
        frame = terminal.wait_for(rb"(?s)\x1b\[H(.*?)\x1b\[J").group(1)
        lines = [line.strip(b"\r") for line in re.sub(rb"\x1b\[K", b"", frame).split(b"\n")]
        if len(lines) <= 8 and max(map(len, lines)) <= 30:
            return
    pytest.fail(f"too large: {lines}")


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGABRT])
def test_the_terminal_is_as_before_however_it_ends(terminal, sig):
    terminal.wait_for(rb"q quit")
    assert not terminal.is_as_before()
    os.kill(terminal.child.pid, sig)
    code = terminal.end()
    assert code == (-sig if sig == signal.SIGABRT else 0)
    assert terminal.is_as_before() and b"\x1b[?1049l" in terminal.seen


class Relay:
    """A control socket before a proxy's, which passes on so many questions, and hears but doesn't
    answer the next."""

    def __init__(self, path, proxy, n_answers):
        self.path = path
        self.is_asked_more = threading.Event()
        self.control = str(proxy.file.parent / "control.sock")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.kept = []
        threading.Thread(target=self.go, args=(n_answers,), daemon=True).start()

    def go(self, n_answers):
        for i in range(n_answers + 1):
            conn, _ = self.listener.accept()
            question = b""
            while not question.endswith(b"\n"):
                question += conn.recv(65536)
            if i == n_answers:
                self.kept.append(conn)
                self.is_asked_more.set()
                return
            with conn, socket.socket(socket.AF_UNIX) as real:
                real.connect(self.control)
                real.sendall(question)
                answer = b""
                while not answer.endswith(b"\n"):
                    part, fds, _, _ = socket.recv_fds(real, 65536, 1)
                    answer += part
                    socket.send_fds(conn, [part], fds)
                    for fd in fds:
                        os.close(fd)

    def close(self):
        for s in [self.listener, *self.kept]:
            s.close()


@pytest.mark.parametrize("way", ["ctrl-c", "SIGTERM"])
def test_it_ends_at_once_while_the_proxy_owes_an_answer(proxy, tmp_path, way):
    relay = Relay(tmp_path / "relay.sock", proxy, 2)
    terminal = Terminal(relay.path)
    try:
        terminal.wait_for(rb"q quit")
        wait_until(lambda: terminal.read() or relay.is_asked_more.is_set(), "the third question")
        asked_at = time.monotonic()
        if way == "ctrl-c":
            terminal.press("\x03")
        else:
            os.kill(terminal.child.pid, signal.SIGTERM)
        assert terminal.end() == 0
        # Without a signal it waits for 20 s, and tells that there was no answer.
        assert time.monotonic() - asked_at < 15
        assert terminal.is_as_before() and b"\x1b[?1049l" in terminal.seen
        assert b"doesn't answer" not in terminal.seen
    finally:
        terminal.close()
        relay.close()


def test_without_a_terminal_it_looks_once_and_says_so(proxy):
    socket = proxy.file.parent / "control.sock"
    with traffic(proxy):
        told = run("top", "--control", socket)
        assert told.returncode == 0 and "no terminal" in told.stderr
        assert re.search(r"^\S+ req/s", told.stdout) and "\x1b" not in told.stdout
        assert re.search(r"^busy\.example +\d", told.stdout, re.M)
        once = run("top", "--once", "--control", socket)
        assert once.returncode == 0 and once.stderr == ""
        rates = json.loads(run("top", "--json", "--control", socket, check=0).stdout)
    busy = next(r for r in rates["sites"] if r["name"] == "busy.example")
    assert busy["requests_per_s"] > 0 and busy["p99_ms"] >= busy["p50_ms"] > 0
    assert busy["bytes_out_per_s"] > busy["requests_per_s"] * 1000
    shut = next(r for r in rates["sites"] if r["name"] == "shut.example")
    assert shut["4xx_per_s"] > 0
    server = rates["servers"][0]
    assert server["requests_per_s"] > 0 and server["state"] == "up"


def test_a_proxy_that_is_not_there_is_told(tmp_path):
    told = run("top", "--control", tmp_path / "nothing.sock")
    assert told.returncode == 1 and "nothing is running" in told.stderr
