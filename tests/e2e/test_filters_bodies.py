# SPDX-License-Identifier: Apache-2.0
"""Filters that hold, unpack, count and slow down exchanges, before one origin."""
import gzip
import queue
import subprocess
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor as Pool

import pytest

from harness import PATIENCE, Origin, Proxy, ok, wait_until

SETTINGS = """
workers: 2
entrypoints: {{ web: {{ listen: '127.0.0.1:0', h2c: yes }} }}
filters:
  two: {{ concurrency: {{ max: 2, key: all }} }}
  one-each: {{ concurrency: {{ max: 1, key: "header:X-Key", status: 503, retry-after: 7s }} }}
  unpack: {{ decompress-request: {{ max-size: 1MiB }} }}
  ahead: {{ buffer: {{ response: 32MiB }} }}
  strict: {{ buffer: {{ request: 64KiB, beyond: refuse }} }}
  slow: {{ bandwidth: {{ down: 400KiB, up: 400KiB, burst: 16KiB, key: all }} }}
sites:
  two.example: {{ use: [two], to: '{url}' }}
  each.example: {{ use: [one-each], to: '{url}' }}
  unpack.example: {{ use: [unpack], to: '{url}' }}
  ahead.example: {{ use: [ahead], to: '{url}' }}
  strict.example: {{ use: [strict], to: '{url}' }}
  slow.example: {{ use: [slow], to: '{url}' }}
access-log: {{ format: '{{host}} {{path}} {{status}} {{end}} {{trail}}' }}
"""


class Held:
    """Answers of an origin that come when the test says so."""

    def __init__(self):
        self.come = queue.Queue()
        self.go = threading.Semaphore(0)

    def answer(self, request, conn):
        self.come.put(request)
        assert self.go.acquire(timeout=PATIENCE)
        return ok("held")


@pytest.fixture(scope="module")
def origin():
    server = Origin(lambda request, conn: server.answer(request, conn))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory, origin):
    proxy = Proxy(tmp_path_factory.mktemp("bodies") / "proxy", SETTINGS.format(url=origin.url))
    yield proxy
    proxy.stop()


def ask(host, path="/", headers=""):
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n"


# --- concurrency ---

def test_no_more_than_so_many_are_served_at_a_time_by_all_workers(proxy, origin):
    """S4-13: what is beyond is shed at once, the service sees no more than the limit."""
    held = Held()
    origin.answer = held.answer
    clients = [proxy.connect() for _ in range(12)]
    for client in clients:
        client.send(ask("two.example"))
    refused = [None] * len(clients)

    def read(i):
        refused[i] = clients[i].read_answer()

    readers = [threading.Thread(target=read, args=(i,)) for i in range(len(clients))]
    for reader in readers:
        reader.start()
    wait_until(lambda: sum(a is not None for a in refused) == 10, "ten refusals")
    for answer in [a for a in refused if a]:
        assert (answer.status, answer.get("Retry-After")) == (429, "1")
    wait_until(lambda: held.come.qsize() == 2, "the two that are served")
    held.go.release(2)
    for reader in readers:
        reader.join(PATIENCE)
    assert sorted(a.status for a in refused) == [200] * 2 + [429] * 10
    origin.answer = lambda request, conn: "free"
    wait_until(lambda: proxy.get(host="two.example").status == 200, "a free place")
    for client in clients:
        client.close()
    proxy.log_lines("two.example / 429 filtered .*filter two denied .too many requests at a time")


def test_keys_have_places_of_their_own_and_lost_clients_give_theirs_back(proxy, origin):
    held = Held()
    origin.answer = held.answer
    first = proxy.connect()
    first.send(ask("each.example", headers="X-Key: a\r\n"))
    held.come.get(timeout=PATIENCE)
    answer = proxy.get(host="each.example", headers="X-Key: a\r\n")
    assert (answer.status, answer.get("Retry-After")) == (503, "7")
    origin.answer = lambda request, conn: "free"
    assert proxy.get(host="each.example", headers="X-Key: b\r\n").status == 200
    assert proxy.get(host="each.example", headers="X-Key: a\r\n").status == 503
    first.reset()
    held.go.release()
    wait_until(lambda: proxy.get(host="each.example", headers="X-Key: a\r\n").status == 200,
               "the place of the client that has gone")


def test_a_websocket_holds_its_place_for_as_long_as_it_lives(proxy, origin):
    def upgrade(request, conn):
        if not request.get("Upgrade"):
            return "plain"
        conn.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                  "Upgrade: echo\r\n\r\n")
        while data := conn.sock.recv(100):
            conn.sock.sendall(data)
        conn.is_done = True

    origin.answer = upgrade
    with proxy.connect() as client:
        client.send(ask("each.example", headers="X-Key: w\r\nConnection: Upgrade\r\n"
                                                "Upgrade: echo\r\n"))
        assert client.read_head().status == 101
        client.send("ping")
        assert client.read_exactly(4) == b"ping"
        assert proxy.get(host="each.example", headers="X-Key: w\r\n").status == 503
    wait_until(lambda: proxy.get(host="each.example", headers="X-Key: w\r\n").status == 200,
               "the place of the tunnel")


def test_a_reload_keeps_the_count(proxy, origin):
    held = Held()
    origin.answer = held.answer
    with proxy.connect() as client:
        client.send(ask("each.example", headers="X-Key: r\r\n"))
        held.come.get(timeout=PATIENCE)
        proxy.try_reload(SETTINGS.format(url=origin.url) + "# another\n")
        assert proxy.get(host="each.example", headers="X-Key: r\r\n").status == 503
        held.go.release()
        assert client.read_answer().status == 200
    origin.answer = lambda request, conn: "free"
    wait_until(lambda: proxy.get(host="each.example", headers="X-Key: r\r\n").status == 200,
               "the place")


# --- decompress-request ---

TEXT = b"".join(b"%d squared is %d\n" % (i, i * i) for i in range(20_000))


def post(proxy, body, encoding, host="unpack.example"):
    return proxy.get("/", host=host, method="POST", body=body,
                     headers=f"Content-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n")


def packed_by(tool, data):
    return subprocess.run(tool, input=data, capture_output=True, check=True,
                          timeout=PATIENCE).stdout


def test_servers_get_bodies_unpacked(proxy, origin):
    """Each coding, by another implementation's packing or with its own framing."""
    got = []

    def keep(request, conn):
        got.append(request)
        return "thanks"

    origin.answer = keep
    for encoding, body in (("gzip", gzip.compress(TEXT)), ("deflate", zlib.compress(TEXT)),
                           ("x-gzip", gzip.compress(TEXT[:9]) + gzip.compress(TEXT[9:])),
                           ("deflate, gzip", gzip.compress(zlib.compress(TEXT)))):
        answer = post(proxy, body, encoding)
        assert answer.status == 200, encoding
        request = got.pop()
        assert request.body == TEXT
        assert request.get("Content-Encoding") is None and request.get("Content-Length") is None
        assert request.get("Transfer-Encoding") == "chunked"


def test_http2_uploads_are_unpacked_too(proxy, origin, tmp_path):
    got = []

    def keep(request, conn):
        got.append(request)
        return "thanks"

    origin.answer = keep
    (tmp_path / "body").write_bytes(gzip.compress(TEXT))
    subprocess.run(["curl", "-sSf", "--http2-prior-knowledge", "--data-binary",
                    f"@{tmp_path}/body", "-H", "Content-Encoding: gzip", "--resolve",
                    f"unpack.example:{proxy.port}:127.0.0.1",
                    f"http://unpack.example:{proxy.port}/"],
                   check=True, capture_output=True, timeout=PATIENCE)
    assert got[0].body == TEXT


def test_bombs_and_what_cannot_be_unpacked_are_refused(proxy, origin):
    """S4-13: zip bombs in inspected bodies: bounded, and the server gets no more than the limit."""
    origin.answer = lambda request, conn: "thanks"
    bomb = gzip.compress(bytes(50_000_000))
    answer = post(proxy, bomb, "gzip")
    assert answer.status == 413
    answer = post(proxy, gzip.compress(bytes(500_000)), "gzip")  # within the size, but too dense
    assert answer.status == 413
    answer = post(proxy, TEXT, "gzip")
    assert answer.status == 400
    answer = post(proxy, gzip.compress(TEXT)[:-9], "gzip")
    assert answer.status == 400
    for encoding in ("compress", "gzip, gzip, gzip"):
        answer = post(proxy, TEXT, encoding)
        assert (answer.status, answer.get("Accept-Encoding")) == (415, "gzip, deflate, br, zstd")
    assert post(proxy, gzip.compress(TEXT), "gzip").status == 200  # and goes on as before
    proxy.log_lines("unpack.example / 413 client-limit")
    proxy.log_lines("unpack.example / 400 client-protocol")


# --- buffer ---

def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def test_a_slow_upload_holds_no_server(proxy, origin):
    got = []

    def keep(request, conn):
        got.append(request)
        return "thanks"

    origin.answer = keep
    with proxy.connect() as client:
        client.send("POST /slow HTTP/1.1\r\nHost: ahead.example\r\nTransfer-Encoding: chunked\r\n\r\n")
        for i in range(5):
            client.send(chunk(b"part %d, " % i))
            assert proxy.get(f"/{i}", host="ahead.example").text == "thanks"
        assert [r.target for r in got] == [f"/{i}" for i in range(5)]  # not a byte of the upload
        client.send(b"0\r\n\r\n")
        assert client.read_answer().text == "thanks"
    assert got[-1].body == b"part 0, part 1, part 2, part 3, part 4, "
    assert got[-1].get("Content-Length") == "40" and got[-1].get("Transfer-Encoding") is None


def test_larger_uploads_are_passed_on_or_refused(proxy, origin):
    origin.answer = lambda request, conn: str(len(request.body))
    large = bytes(3_000_000)
    head = f"Content-Length: {len(large)}\r\n"
    answer = proxy.get("/", host="ahead.example", method="POST", body=large, headers=head)
    assert (answer.status, answer.text) == (200, "3000000")
    n = len(origin.requests)
    with proxy.connect() as client:
        client.send(f"POST / HTTP/1.1\r\nHost: strict.example\r\n{head}\r\n")
        assert client.read_answer().status == 413
    with proxy.connect() as client:
        client.send("POST / HTTP/1.1\r\nHost: strict.example\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(5):
            client.send(chunk(bytes(16384)))
        assert client.read_answer().status == 413
    assert len(origin.requests) == n
    answer = proxy.get("/", host="strict.example", method="POST", body=b"x" * 65536,
                       headers="Content-Length: 65536\r\n")
    assert (answer.status, answer.text) == (200, "65536")


def test_a_slow_client_frees_the_server_at_once(proxy, origin):
    """S4-13: the server has given all of its answer, and serves the next, before the client has
    read a byte."""
    body = bytes(range(256)) * (20 * 4096)
    given = threading.Event()

    def answer(request, conn):
        if request.target == "/next":
            return "next"
        conn.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n")
        conn.send(body)
        given.set()

    origin.answer = answer
    with proxy.connect() as client:
        client.send(ask("ahead.example"))
        assert given.wait(PATIENCE)
        assert proxy.get("/next", host="ahead.example").text == "next"
        assert client.read_answer().body == body


# --- bandwidth ---

def test_all_of_a_key_share_their_rate_both_ways(proxy, origin):
    """Four clients on both workers: together no faster than the rate, and nothing is lost."""
    body = bytes(range(256)) * 400  # 100 KiB

    def answer(request, conn):
        assert request.body in (b"", body)
        return ok("x" * 102_400)

    origin.answer = answer
    for upload in (False, True):
        with Pool(4) as pool:
            began = time.monotonic()
            head = f"Content-Length: {len(body)}\r\n" if upload else ""
            jobs = [pool.submit(proxy.get, "/", host="slow.example", headers=head,
                                method="POST" if upload else "GET",
                                body=body if upload else b"") for _ in range(4)]
            answers = [job.result(PATIENCE) for job in jobs]
        assert all(a.status == 200 and len(a.body) == 102_400 for a in answers)
        assert time.monotonic() - began >= (4 * 100 - 16) / 400 * 0.98
