# SPDX-License-Identifier: Apache-2.0
"""Where the logs go: files that are rotated, syslog over all its ways, journald; daemons that die,
disks that are full, readers that don't read."""
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from harness import BINARY, Client, wait_until

HEADER = re.compile(r"<(\d+)>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (\S+) sallyport (\d+) "
                    r"(keeper|gate|access) - (.*)", re.S)
SITE = "filters: { f: { respond: hi } }\nsites: { a.example: { use: f } }\n"
GET = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
LOCAL0, DAEMON = 16, 3
INFO, WARN, ERROR = 6, 4, 3


class Collector:
    """A syslog daemon (or journald) that keeps the messages it gets."""

    def __init__(self, way, address):
        self.way, self.messages, self.changed = way, [], threading.Condition()
        self.family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.address = address
        self.conns = []
        self.start()

    def start(self):
        is_stream = self.way in ("tcp", "stream")
        self.sock = socket.socket(self.family,
                                  socket.SOCK_STREAM if is_stream else socket.SOCK_DGRAM)
        if self.family == socket.AF_UNIX:
            if os.path.exists(self.address):
                os.unlink(self.address)
        else:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(self.address)
        self.address = self.sock.getsockname()
        if self.family == socket.AF_UNIX:
            os.chmod(self.address, 0o777)
        if is_stream:
            self.sock.listen(10)
        threading.Thread(target=self.accept if is_stream else self.receive, args=(self.sock,),
                         daemon=True).start()

    def keep(self, message):
        with self.changed:
            self.messages.append(message.decode())
            self.changed.notify_all()

    def receive(self, sock):
        while True:
            try:
                message = sock.recv(1 << 17)
            except OSError:
                return
            if not message:
                return
            self.keep(message)

    def accept(self, sock):
        while True:
            try:
                conn, _ = sock.accept()
            except OSError:
                return
            self.conns.append(conn)
            threading.Thread(target=self.read, args=(conn,), daemon=True).start()

    def read(self, conn):
        data = b""
        while True:
            try:
                piece = conn.recv(65536)
            except OSError:
                return
            if not piece:
                return
            data += piece
            while True:
                if self.way == "tcp":  # RFC 6587 3.4.1
                    count, space, rest = data.partition(b" ")
                    if not space or len(rest) < int(count):
                        break
                    message, data = rest[:int(count)], rest[int(count):]
                elif b"\0" in data:
                    message, _, data = data.partition(b"\0")
                else:
                    break
                self.keep(message)

    def stop(self):
        for sock in [self.sock, *self.conns]:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()
        self.conns = []

    def text(self):
        return "\n".join(list(self.messages))

    def wait(self, pattern, count=1):
        """The text of all messages, once count of them have the pattern."""
        with self.changed:
            assert self.changed.wait_for(
                lambda: sum(bool(re.search(pattern, m)) for m in self.messages) >= count, 30), \
                "\n".join(self.messages[-30:])
            return [m for m in self.messages if re.search(pattern, m)]


@pytest.fixture
def collector(tmp_path):
    running = []

    def go(way):
        is_local = way not in ("udp", "tcp")
        path = f"/tmp/sallyport-{os.getpid()}-{len(running)}.sock"  # short enough for a socket
        running.append(Collector(way, path if is_local else ("127.0.0.1", 0)))
        return running[-1]

    yield go
    for c in running:
        c.stop()
        if c.family == socket.AF_UNIX:
            os.unlink(c.address)


def place(c):
    if c.family == socket.AF_UNIX:
        return ("journald:" if c.way == "journald" else "syslog:unix:") + c.address
    return f"syslog:{c.way}://{c.address[0]}:{c.address[1]}"


def access(where, format="{path}"):
    return f"access-log: {{ path: '{where}', format: '{format}' }}\n"


def start_elsewhere(start, settings, read):
    """A proxy whose error log isn't standard error: read() gives what came there."""
    proxy = start(settings, expect_start=False)
    wait_until(lambda: "are in force" in "\n".join([*proxy.err, read()]), "the start")
    text = "\n".join([*proxy.err, read()])  # where the first lines go is a matter of moments
    proxy.port = int(re.search(r"listening on \S*:(\d+)", text)[1])
    return proxy


@pytest.mark.parametrize("way", ["udp", "tcp", "unix", "stream"])
def test_syslog_gets_both_logs_as_rfc_5424(start, collector, way):
    c = collector(way)
    proxy = start_elsewhere(start, f"log: {{ path: '{place(c)}', level: debug }}\n" +
                            access(place(c)) + SITE, c.text)
    proxy.get("/seen", host="a.example")
    m = HEADER.fullmatch(c.wait(" access - /seen")[0])
    assert int(m[1]) == LOCAL0 * 8 + INFO and int(m[4]) == proxy.gate_pid()
    assert m[3] == socket.gethostname() or m[3] == socket.gethostname().split(".")[0]
    proxy.get("/unknown", host="b.example")
    m = HEADER.fullmatch(c.wait(" gate - exchange .*no route")[0])
    assert int(m[1]) == DAEMON * 8 + 7 and int(m[4]) == proxy.gate_pid()
    proxy.write("bogus: 1\n")
    proxy.child.send_signal(signal.SIGHUP)
    m = HEADER.fullmatch(c.wait(" keeper - .*bogus")[0])
    assert int(m[1]) == DAEMON * 8 + ERROR and int(m[4]) == proxy.child.pid


def test_journald_gets_fields(start, collector):
    c = collector("journald")
    proxy = start_elsewhere(start, f"log: {{ path: '{place(c)}', facility: local3, level: debug }}\n"
                            + access(place(c), "json") + SITE, c.text)
    proxy.get("/seen", host="a.example")
    entry = c.wait("MESSAGE=.*/seen")[0]
    assert re.fullmatch(rf"PRIORITY=6\nSYSLOG_FACILITY=16\nSYSLOG_IDENTIFIER=sallyport\n"
                        rf"SYSLOG_PID={proxy.gate_pid()}\nSALLYPORT_KIND=access\n"
                        r"MESSAGE=\{.*\}\n", entry), entry
    proxy.get("/", host="b.example")
    entry = c.wait("MESSAGE=exchange .*no route")[0]
    assert entry.startswith("PRIORITY=7\nSYSLOG_FACILITY=19\n") and "KIND=gate" in entry


@pytest.mark.parametrize("way", ["udp", "tcp", "unix", "stream", "journald"])
def test_a_daemon_that_is_restarted_goes_on_getting_lines(start, collector, way):
    c = collector(way)
    proxy = start(access(place(c)) + SITE)
    proxy.get("/before", host="a.example")
    c.wait("/before")
    c.stop()
    with Client(proxy.port) as client:
        for i in range(50):
            client.exchange(GET.replace(b"/ ", f"/away{i}x ".encode(), 1))
    wait_until(lambda: any("access log can't be written to " in line for line in proxy.err) or
               way == "tcp", "word of it")
    c.start()

    def comes_through():
        proxy.get("/after", host="a.example")
        return "/after" in c.text()
    wait_until(comes_through, "a line")
    if way == "udp":  # a datagram is gone before anybody can know; each of them is counted
        proxy.wait_line(r" \d+ log lines were lost \(access log\)", proxy.err)
        return
    c.wait("/after")
    for i in range(50):  # they waited
        assert sum(f"/away{i}x" in m for m in c.messages) == 1, i
    assert not any("lines were lost" in line for line in proxy.err)


def test_a_daemon_that_was_never_there_costs_nothing_but_lines(start, tmp_path):
    proxy = start(f"log: {{ path: 'syslog:unix:{tmp_path}/none' }}\n" +
                  access("syslog:tcp://127.0.0.1:1") + SITE, expect_start=False)
    proxy.wait_line("the error log can't be written to syslog at .*none: No such file", proxy.err)
    began = time.monotonic()
    assert proxy.end() == 0
    assert time.monotonic() - began < 15


def test_rotation_by_rename_and_a_signal_loses_no_line(start, tmp_path):
    path, errors = tmp_path / "access.log", tmp_path / "error.log"
    proxy = start_elsewhere(start, f"log: {{ path: {errors} }}\n" + access(path) + SITE,
                            lambda: errors.read_text() if errors.exists() else "")
    must_end = threading.Event()
    n_sent = 0

    def send():
        nonlocal n_sent
        with Client(proxy.port) as client:
            while not must_end.is_set():
                client.exchange(GET.replace(b"/ ", f"/{n_sent} ".encode(), 1))
                n_sent += 1
    thread = threading.Thread(target=send)
    thread.start()
    try:
        for i in range(10):
            before = n_sent
            path.rename(tmp_path / f"access.log.{i}")
            errors.rename(tmp_path / f"error.log.{i}")
            proxy.child.send_signal(signal.SIGUSR1)
            wait_until(lambda: path.exists() and errors.exists() and path.stat().st_size > 0 and
                       n_sent > before, "the new files")
    finally:
        must_end.set()
        thread.join()
    assert proxy.end() == 0
    parts = [*(tmp_path / f"access.log.{i}" for i in range(10)), path]
    lines = "".join(part.read_text() for part in parts).splitlines()
    assert lines == [f"/{i}" for i in range(n_sent)]


def test_reopening_that_fails_keeps_the_old_file(start, tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    path = folder / "access.log"
    proxy = start(access(path) + SITE)
    folder.rename(tmp_path / "moved")
    proxy.child.send_signal(signal.SIGUSR1)
    proxy.wait_line("error keeper: the access log .* can't be opened anew: No such file", proxy.err)
    proxy.get("/still", host="a.example")
    wait_until(lambda: "/still\n" in (tmp_path / "moved" / "access.log").read_text(), "the line")


def test_a_full_disk_is_survived_and_told(start, tmp_path):
    proxy = start(access("/dev/full", "{path} " + "x" * 1000) + SITE)
    with Client(proxy.port) as client:
        for _ in range(2000):  # beyond what waits in memory
            assert client.exchange(GET).text == "hi"
    proxy.wait_line("error gate: the access log can't be written to its file: No space left",
                    proxy.err)
    failures = lambda: proxy.ask(command="status")["status"]["report"]["log_failures"]
    assert failures() == [{"log": "access log", "error": "No space left on device"}]
    path = tmp_path / "room.log"
    proxy.reload(access(path, "{path} " + "x" * 1000) + SITE, 2)
    wait_until(lambda: not failures(), "a status without trouble")
    m = proxy.wait_line(r"warn  gate: (\d+) log lines were lost \(access log\)", proxy.err)
    wait_until(lambda: len(path.read_text().splitlines()) + int(m[1]) == 2000, "all other lines")
    assert sum("can't be written" in line for line in proxy.err) == 1


def test_a_stuck_access_log_does_not_hold_up_the_error_log(start, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    proxy = start("log: { level: debug }\n" + access(fifo, "{path} " + "x" * 4000) + SITE)
    with Client(proxy.port) as client:
        for _ in range(400):
            client.exchange(GET)
    proxy.get("/heard", host="b.example")
    proxy.wait_line("gate: exchange .*b.example/heard", proxy.err)
    # What to do about it: give it another place.
    path = tmp_path / "free.log"
    proxy.reload("log: { level: debug }\n" + access(path, "{path} ") + SITE, 2)
    def comes_through():
        proxy.get("/free", host="a.example")
        return "/free \n" in path.read_text()
    wait_until(comes_through, "a line")
    os.close(reader)


def test_repeats_are_cut_and_told(start):
    settings = "log: { repeats: 5 }\nworkers: 1\nsites: { a.example: 'http://127.0.0.1:1' }\n"
    proxy = start(settings)
    with Client(proxy.port) as client:
        for _ in range(40):
            assert client.exchange(GET).status in (502, 503)
    proxy.end()
    failures = [line for line in proxy.err if "warn  gate: exchange " in line]
    assert len(failures) == 5
    assert any(re.search(r"warn  gate: 35 more lines like 'exchange \*.* were left out", line)
               for line in proxy.err)


@pytest.mark.parametrize("where, why", [
    ("syslog:udp://no-such-host.invalid", "host 'no-such-host.invalid' can't be resolved"),
    ("syslog:tcp://127.0.0.1:0", "is no place for a log"),
    ("syslog:tcp://", "is no place for a log"),
    ("syslog:x", "is no place for a log"),
    ("journald:here", "is no place for a log"),
    ("/nowhere/at/all.log", "No such file"),
])
def test_a_place_that_makes_no_sense_is_an_error_with_its_line(tmp_path, where, why):
    file = tmp_path / "s.yaml"
    for key in ["log", "access-log"]:
        file.write_text("user: root\nentrypoints: { web: '127.0.0.1:0' }\ncontrol: off\n"
                        f"{key}: {{ path: '{where}' }}\n")
        done = subprocess.run([BINARY, "run", "-c", file], capture_output=True, text=True,
                              timeout=30)
        assert done.returncode == 1
        assert re.search(r"s\.yaml:4:\d+: error: .*" + re.escape(why), done.stderr), done.stderr
