# SPDX-License-Identifier: Apache-2.0
"""The filter `buffer` beyond memory: bodies in a file that has no name."""
import hashlib
import os
import queue
import signal
import subprocess
from pathlib import Path

import pytest

from harness import BINARY, IS_SANITIZED, PATIENCE, Origin, Proxy, memory_kb, wait_until
from http2 import H2Client

MIB = 1024 * 1024
PART = os.urandom(MIB)  # bodies are parts of this size, each with its number in front

SETTINGS = """
workers: 2
entrypoints: {{ web: {{ listen: '127.0.0.1:0', h2c: yes, body-timeout: 60s }} }}
spool: {{ folder: '{folder}', max: {max} }}
filters:
  ahead: {{ buffer: {{ memory: 1MiB }} }}
  strict: {{ buffer: {{ memory: 1MiB, beyond: refuse }} }}
sites:
  ahead.example: {{ use: [ahead], to: '{url}' }}
  strict.example: {{ use: [strict], to: '{url}' }}
access-log: {{ format: '{{host}} {{path}} {{status}} {{end}}' }}
"""


def part(i):
    return b"%08d" % i + PART[8:]


def digest_of(n):
    digest = hashlib.sha256()
    for i in range(n):
        digest.update(part(i))
    return digest.hexdigest()


def read_digest(read, n_bytes):
    """Of n_bytes that read(at most) gives piece by piece."""
    digest = hashlib.sha256()
    while n_bytes > 0:
        piece = read(min(n_bytes, 65536))
        assert piece, f"{n_bytes} bytes are missing"
        digest.update(piece)
        n_bytes -= len(piece)
    return digest.hexdigest()


def read_from(conn):
    """What the harness's reader has already, then the socket."""
    def read(n):
        if conn.buffer:
            piece, conn.buffer = conn.buffer[:n], conn.buffer[n:]
            return piece
        return conn.sock.recv(n)
    return read


class Server:
    """Digests uploads, and gives /N as an answer of N parts."""

    def __init__(self):
        self.given = queue.Queue()
        self.origin = Origin(self.answer, read_body=False)

    def answer(self, request, conn):
        if request.method in ("POST", "PUT"):
            return read_digest(read_from(conn), int(request.get("Content-Length")))
        n = int(request.target[1:])
        conn.send(f"HTTP/1.1 200 OK\r\nContent-Length: {n * MIB}\r\n\r\n")
        for i in range(n):
            conn.send(part(i))
        self.given.put(request.target)
        return None


@pytest.fixture(scope="module")
def server():
    server = Server()
    yield server
    server.origin.stop()


def start(folder, server, limit="1GiB"):
    spool = folder / "spool"
    spool.mkdir(parents=True)
    proxy = Proxy(folder / "proxy",
                  SETTINGS.format(folder=spool, url=server.origin.url, max=limit))
    proxy.spool = spool
    return proxy


@pytest.fixture(scope="module")
def proxy(tmp_path_factory, server):
    proxy = start(tmp_path_factory.mktemp("spool"), server)
    yield proxy
    proxy.stop()


def counters(proxy):
    return proxy.ask(command="status")["status"]["report"]["counters"]


def on_disk(proxy):
    return counters(proxy)["bytes of the spool that they have now"]


def file_of(pid):
    """The file without a name that a gate has, as its blocks on the disk; None: it has none."""
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            path = os.readlink(fd)
            if path.endswith("(deleted)") and "/spool/" in path:
                return os.stat(fd)
        except FileNotFoundError:
            continue
    return None


def is_given_back(proxy):
    c = counters(proxy)
    return (c["bytes of the spool that they have now"] == 0
            and c["bytes of memory that bodies read ahead have now"] == 0
            and file_of(proxy.gate_pid()).st_size == 0)


def begin_upload(client, n, host="ahead.example"):
    client.send(f"POST /up HTTP/1.1\r\nHost: {host}\r\nContent-Length: {n * MIB}\r\n\r\n")


def end_upload(client, n, done):
    for i in range(done, n):
        client.send(part(i))
    answer = client.read_answer()
    assert (answer.status, answer.text) == (200, digest_of(n))


# --- requests ---

def test_an_upload_beyond_memory_waits_on_disk_until_it_is_whole(proxy, server):
    """S4-13: 96 MB from a slow client hold no server and hardly any memory."""
    n, before = 96, memory_kb(proxy.gate_pid())
    with proxy.connect() as client:
        begin_upload(client, n)
        for i in range(n - 1):
            client.send(part(i))
        wait_until(lambda: on_disk(proxy) > (n - 4) * MIB, "the upload on disk")
        assert server.origin.n_connections == 0
        assert os.listdir(proxy.spool) == []  # it has no name
        file = file_of(proxy.gate_pid())
        assert file.st_mode & 0o777 == 0o600 and file.st_size > (n - 4) * MIB
        end_upload(client, n, n - 1)
    if not IS_SANITIZED:  # those keep freed memory for a while
        assert memory_kb(proxy.gate_pid()) < before + 16_000
    wait_until(lambda: is_given_back(proxy), "the space given back")


def test_the_same_over_http2(proxy, server):
    n, n_before = 24, server.origin.n_connections
    curl = subprocess.Popen(
        ["curl", "-sS", "--http2-prior-knowledge", "-X", "PUT", "-T", "-", "-H",
         "Host: ahead.example", f"http://127.0.0.1:{proxy.port}/up"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for i in range(n - 1):
        curl.stdin.write(part(i))
    curl.stdin.flush()
    wait_until(lambda: on_disk(proxy) > (n - 4) * MIB, "the upload on disk")
    assert server.origin.n_connections == n_before
    out, _ = curl.communicate(part(n - 1), timeout=PATIENCE)
    assert out.decode() == digest_of(n)
    wait_until(lambda: is_given_back(proxy), "the space given back")


def test_clients_that_leave_in_the_middle_leave_nothing_behind(proxy, server):
    n_before = server.origin.n_connections
    clients = [proxy.connect() for _ in range(4)]
    for client in clients:
        begin_upload(client, 100)
        for i in range(8):
            client.send(part(i))
    wait_until(lambda: on_disk(proxy) > 4 * 5 * MIB, "the uploads on disk")
    for client in clients[:2]:
        client.close()
    for client in clients[2:]:
        client.reset()
    wait_until(lambda: is_given_back(proxy), "the space given back")
    assert server.origin.n_connections == n_before


# --- answers ---

def test_a_slow_reader_frees_the_server_before_it_has_read_a_byte(proxy, server):
    """S4-13: 48 MB from a fast server to a client that takes its time."""
    n = 48
    with proxy.connect() as client:
        client.send(f"GET /{n} HTTP/1.1\r\nHost: ahead.example\r\n\r\n")
        assert server.given.get(timeout=PATIENCE) == f"/{n}"
        wait_until(lambda: on_disk(proxy) > n // 2 * MIB, "the answer on disk")
        answer = client.read_head()
        assert answer.status == 200
        assert read_digest(read_from(client), n * MIB) == digest_of(n)
    wait_until(lambda: is_given_back(proxy), "the space given back")


def test_a_slow_stream_of_http2_frees_the_server_too(proxy, server):
    n = 6
    with H2Client(proxy.port) as client:  # with the window that clients have by default
        stream = client.request(f"/{n}", host="ahead.example")
        assert server.given.get(timeout=PATIENCE) == f"/{n}"
        wait_until(lambda: on_disk(proxy) > n // 2 * MIB, "the answer on disk")
        answer = client.answer(stream)
        assert answer.status == 200
        assert hashlib.sha256(answer.body).hexdigest() == digest_of(n)
    wait_until(lambda: is_given_back(proxy), "the space given back")


def test_readers_that_leave_in_the_middle_leave_nothing_behind(proxy, server):
    n = 48
    clients = [proxy.connect() for _ in range(4)]
    for client in clients:
        client.send(f"GET /{n} HTTP/1.1\r\nHost: ahead.example\r\n\r\n")
    for _ in clients:
        server.given.get(timeout=PATIENCE)
    for i, client in enumerate(clients):
        client.read_head()
        read_digest(read_from(client), i * 9 * MIB)  # in memory, on disk
        client.reset()
    wait_until(lambda: is_given_back(proxy), "the space given back")


# --- limits, and processes that come and go ---

@pytest.fixture
def small(tmp_path, server):
    proxy = start(tmp_path, server, limit="4MiB")
    yield proxy
    proxy.stop()


def test_what_a_full_spool_does_not_take_is_passed_on_or_refused(small, server):
    n = 12
    with small.connect() as client:
        begin_upload(client, n)
        end_upload(client, n, 0)
    with small.connect() as client:
        begin_upload(client, n, "strict.example")
        with pytest.raises(OSError):  # it is answered, then closed, before all is sent
            for i in range(n):
                client.send(part(i))
            assert client.read_answer().status == 503
            raise OSError
    small.log_lines("strict.example /up 503 resources")
    assert counters(small)["times that the spool took no more"] >= 2
    with small.connect() as client:  # an answer: the server has to wait then, and nothing is lost
        client.send(f"GET /{n} HTTP/1.1\r\nHost: ahead.example\r\n\r\n")
        assert client.read_head().status == 200
        assert read_digest(read_from(client), n * MIB) == digest_of(n)
        server.given.get(timeout=PATIENCE)
    wait_until(lambda: is_given_back(small), "the space given back")


def test_uploads_go_on_through_a_reload_and_a_new_gate(small, server):
    n = 5
    with small.connect() as client, small.connect() as other:
        for c in (client, other):
            begin_upload(c, n)
            c.send(part(0) + part(1))
        wait_until(lambda: on_disk(small) > 0, "an upload on disk")
        settings = small.file.read_text()
        small.reload(settings.replace("memory: 1MiB", "memory: 2MiB"), 2)
        end_upload(client, n, 2)
        old = small.gate_pid()
        small.reload(settings.replace("max: 4MiB", "max: 64MiB"), 3)  # another file: another gate
        assert small.gate_pid() != old
        end_upload(other, n, 2)
    with small.connect() as client:
        begin_upload(client, 20, "strict.example")  # more than the old file had room for
        end_upload(client, 20, 0)


def test_uploads_and_answers_go_on_through_an_upgrade(small, server):
    """What the old gate has on disk stays its own, and the new one has a file of its own."""
    n = 4
    with small.connect() as client, small.connect() as reader:
        begin_upload(client, n)
        client.send(part(0) + part(1))
        reader.send(f"GET /{n} HTTP/1.1\r\nHost: ahead.example\r\n\r\n")
        assert reader.read_head().status == 200
        wait_until(lambda: on_disk(small) > 0, "bodies on disk")
        old = small.gate_pid()
        assert small.ask(command="upgrade", binary=BINARY)["ok"]
        assert small.gate_pid() != old and file_of(old) is not None
        with small.connect() as other:
            begin_upload(other, n)
            end_upload(other, n, 0)
        end_upload(client, n, 2)
        assert read_digest(read_from(reader), n * MIB) == digest_of(n)
        server.given.get(timeout=PATIENCE)
    wait_until(lambda: is_given_back(small), "the space given back")


def test_a_gate_that_dies_takes_its_file_along(small):
    with small.connect() as client:
        begin_upload(client, 5)
        client.send(part(0) + part(1))
        wait_until(lambda: on_disk(small) > 0, "an upload on disk")
        old = small.gate_pid()
        os.kill(old, signal.SIGKILL)
        assert client.is_closed()
    wait_until(lambda: small.gate_pid() not in (None, old), "another gate")
    with small.connect() as client:
        begin_upload(client, 5)
        end_upload(client, 5, 0)
    assert os.listdir(small.spool) == []
    wait_until(lambda: is_given_back(small), "the space given back")


def test_a_folder_that_can_not_be_used_is_told_with_its_place(tmp_path, server):
    settings = SETTINGS.format(folder=tmp_path / "none", url=server.origin.url, max="1GiB")
    proxy = Proxy(tmp_path / "proxy", settings, expect_start=False)
    said = proxy.wait_line(r"sallyport\.yaml:\d+:\d+: .*no file can be made in", proxy.err)
    assert "No such file or directory" in said.string and "spool: off" in said.string
    assert proxy.end() != 0


def test_without_a_spool_memory_is_all_there_is(tmp_path, server):
    settings = SETTINGS.format(folder=tmp_path, url=server.origin.url, max="1GiB")
    settings = settings.replace(f"spool: {{ folder: '{tmp_path}', max: 1GiB }}", "spool: off")
    proxy = Proxy(tmp_path / "proxy", settings)
    with proxy.connect() as client:
        begin_upload(client, 3)
        end_upload(client, 3, 0)
    with proxy.connect() as client:
        begin_upload(client, 3, "strict.example")
        assert client.read_answer().status == 413
    assert counters(proxy)["bytes written to the spool"] == 0
    proxy.stop()
