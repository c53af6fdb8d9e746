# SPDX-License-Identifier: Apache-2.0
"""Answers that are packed on their way: by real clients' own unpacking, over HTTP/1.1 and HTTP/2."""
import gzip
import hashlib
import random
import subprocess
import threading
import zlib

import pytest

from harness import PATIENCE, Nginx, Origin, Proxy, ok

PAGE = (b"<p>" + b" ".join(str(i * i % 977).encode() for i in range(300_000)) + b"</p>\n")
NOISE = random.Random(1).randbytes(2_000_000)
FILES = {"page.html": PAGE, "short.html": b"<p>short</p>", "noise.bin": NOISE, "noise.txt": NOISE}

SETTINGS = """
entrypoints: {{ web: {{ listen: '127.0.0.1:0', h2c: yes }} }}
filters:
  pack: {{ compress: {{}} }}
  smaller: {{ compress: {{ codings: [gzip], gzip-level: 6 }} }}
  alone: {{ compress: {{ offload: yes }} }}
sites:
  test.example: {{ use: [pack], to: '{nginx}' }}
  smaller.example: {{ use: [smaller], to: '{nginx}' }}
  alone.example: {{ use: [alone], to: '{nginx}' }}
  events.example: {{ use: [pack], to: '{origin}' }}
access-log: {{ format: '{{host}} {{path}} {{status}} {{bytes-out}} {{trail}}' }}
"""


@pytest.fixture(scope="module")
def origin():
    server = Origin(lambda request, conn: server.answer(request, conn))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory, origin):
    folder = tmp_path_factory.mktemp("compress")
    nginx = Nginx(folder / "nginx", "gzip off; "
                  "location /noise.bin { default_type application/octet-stream; } location /packed { gzip on; gzip_min_length 0; default_type text/html; "
                  "gzip_http_version 1.0; gzip_proxied any; alias %s; }" %
                  (folder / "nginx/root/page.html"), FILES)
    proxy = Proxy(folder / "proxy", SETTINGS.format(nginx=nginx.url, origin=origin.url))
    yield proxy
    proxy.stop()
    nginx.stop()


def digest(data):
    return hashlib.sha256(data).hexdigest()


def curl(proxy, path, *args, host="test.example"):
    """What curl gets, unpacked by its own libraries, with how many bytes came, and the head."""
    done = subprocess.run(
        ["curl", "-sS", "--compressed", "-D", "-", "-o", "-", "-w", "%{stderr}%{size_download}",
         "--resolve", f"{host}:{proxy.port}:127.0.0.1", *args,
         f"http://{host}:{proxy.port}{path}"], capture_output=True, timeout=PATIENCE, check=True)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    return head.decode().lower(), body, int(done.stderr)


@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
@pytest.mark.parametrize("coding", ["zstd", "br", "gzip"])
def test_a_real_client_unpacks_the_same_bytes(proxy, version, coding):
    head, body, n = curl(proxy, "/page.html", version, "-H", f"Accept-Encoding: {coding}")
    assert f"content-encoding: {coding}" in head and "vary: accept-encoding" in head
    assert digest(body) == digest(PAGE)
    assert n < len(PAGE) * 0.6


def test_what_no_coding_makes_smaller_arrives_whole_too(proxy):
    for coding in ("zstd", "br", "gzip"):
        head, body, n = curl(proxy, "/noise.txt", "-H", f"Accept-Encoding: {coding}")
        assert f"content-encoding: {coding}" in head
        assert digest(body) == digest(NOISE) and n < len(NOISE) * 1.01


def test_the_server_s_and_the_client_s_preferences_decide(proxy):
    def coding(accept, host="test.example"):
        return proxy.get("/page.html", host=host,
                         headers=f"Accept-Encoding: {accept}\r\n").get("Content-Encoding")
    assert coding("gzip, deflate, br, zstd") == "zstd"
    assert coding("gzip, deflate, br") == "br"
    assert coding("gzip;q=1, br;q=0.5") == "gzip"
    assert coding("*;q=0.1, zstd;q=0") == "br"
    assert coding("gzip;q=0.5, identity") is None
    assert coding("gzip;q=1.5") is None
    assert coding("gzip, br, zstd", "smaller.example") == "gzip"


def test_heads_ranges_and_conditions_fit_what_is_packed(proxy):
    accept = "Accept-Encoding: gzip\r\n"
    plain, packed = proxy.get("/page.html"), proxy.get("/page.html", headers=accept)
    assert gzip.decompress(packed.body) == plain.body == PAGE
    tag = plain.get("ETag")
    assert tag.startswith('"') and packed.get("ETag") == "W/" + tag
    assert plain.get("Accept-Ranges") == "bytes" and packed.get("Accept-Ranges") is None
    assert plain.get("Vary") == packed.get("Vary") == "Accept-Encoding"

    head = proxy.get("/page.html", headers=accept, method="HEAD")
    for name in ("Content-Encoding", "ETag", "Vary", "Content-Length", "Accept-Ranges"):
        assert head.get(name) == packed.get(name), name

    again = proxy.get("/page.html", headers=accept + f"If-None-Match: W/{tag}\r\n")
    assert (again.status, again.get("ETag"), again.body) == (304, "W/" + tag, b"")
    assert again.get("Vary") == "Accept-Encoding" and again.get("Content-Encoding") is None

    part = proxy.get("/page.html", headers=accept + "Range: bytes=10-19\r\n")
    assert (part.status, part.body) == (206, PAGE[10:20])
    assert part.get("Content-Encoding") is None and part.get("ETag") == tag


def test_what_is_left_alone(proxy):
    accept = "Accept-Encoding: gzip, br, zstd\r\n"
    for path, wanted in (("/noise.bin", NOISE), ("/short.html", FILES["short.html"])):
        answer = proxy.get(path, headers=accept)
        assert (answer.get("Content-Encoding"), answer.body) == (None, wanted)
        assert answer.get("Content-Length") == str(len(wanted))
    assert proxy.get("/noise.bin", headers=accept).get("Vary") is None
    assert proxy.get("/short.html", headers=accept).get("Vary") == "Accept-Encoding"
    answer = proxy.get("/page.html", headers=accept + "Cache-Control: no-transform\r\n")
    assert (answer.get("Content-Encoding"), answer.body) == (None, PAGE)
    # What the server has packed stays so; with offload it isn't asked to.
    answer = proxy.get("/packed", headers="Accept-Encoding: gzip\r\n")
    assert answer.get("Content-Encoding") == "gzip" and gzip.decompress(answer.body) == PAGE
    assert not answer.get("ETag") or answer.get("ETag").startswith("W/")
    answer = proxy.get("/packed", headers=accept, host="alone.example")
    assert answer.get("Content-Encoding") in (None, "zstd")
    proxy.log_lines("/noise.bin 200 2000000 .*filter pack passed .its type isn't one of those")
    proxy.log_lines("/page.html 200 [0-9]+ .*filter pack packed .gzip")


def test_an_event_arrives_before_the_next_is_sent(proxy, origin):
    """No time is added: the server sends an event when the client has read the one before."""
    turns, turn = [], threading.Semaphore(0)

    def answer(request, conn):
        conn.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n")
        for i in range(5):
            event = f"data: event {i}\n\n"
            turns.append(i)
            conn.send(f"{len(event):x}\r\n{event}\r\n")
            assert turn.acquire(timeout=PATIENCE)
        conn.send("0\r\n\r\n")

    origin.answer = answer
    with proxy.connect() as client:
        client.send("GET / HTTP/1.1\r\nHost: events.example\r\nAccept-Encoding: gzip\r\n\r\n")
        assert client.read_head().get("Content-Encoding") == "gzip"
        unpacker = zlib.decompressobj(31)
        for i in range(5):
            text = b""
            while text != f"data: event {i}\n\n".encode():
                size = int(client.read_until(b"\r\n"), 16)
                text += unpacker.decompress(client.read_exactly(size))
                client.read_exactly(2)
            assert turns == list(range(i + 1))
            turn.release()
        rest = b""
        while size := int(client.read_until(b"\r\n"), 16):
            rest += unpacker.decompress(client.read_exactly(size))
            client.read_exactly(2)
        assert (rest, unpacker.eof) == (b"", True)


def test_an_answer_that_is_cut_is_never_whole(proxy, origin):
    has_head = threading.Event()  # before, it could still become an error page

    def answer(request, conn):
        conn.send(f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(PAGE)}\r\n\r\n")
        conn.send(PAGE[:100_000])
        has_head.wait(PATIENCE)
        conn.is_done = True

    origin.answer = answer
    with proxy.connect() as client:
        client.send("GET / HTTP/1.1\r\nHost: events.example\r\nAccept-Encoding: gzip\r\n\r\n")
        assert client.read_head().get("Content-Encoding") == "gzip"
        has_head.set()
        with pytest.raises((EOFError, ConnectionError)):
            while True:
                client.read_exactly(int(client.read_until(b"\r\n"), 16) + 2)


def test_small_answers_of_unknown_length_are_packed_whole(proxy, origin):
    origin.answer = lambda request, conn: (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2\r\n{}\r\n0\r\n\r\n")
    answer = proxy.get("/", host="events.example", headers="Accept-Encoding: gzip\r\n")
    assert gzip.decompress(answer.body) == b"{}"
    origin.answer = lambda request, conn: ok("", "Content-Type: text/html\r\n")
    answer = proxy.get("/", host="events.example", headers="Accept-Encoding: gzip\r\n")
    assert (answer.get("Content-Encoding"), answer.body) == (None, b"")


def test_many_at_a_time_give_their_memory_back(proxy):
    """Connections that go away in the middle leave nothing: the counters and pools agree."""
    for _ in range(20):
        with proxy.connect() as client:
            client.send("GET /page.html HTTP/1.1\r\nHost: test.example\r\n"
                        "Accept-Encoding: zstd\r\n\r\n")
            client.read_head()
            client.reset()
    for _ in range(3):
        assert proxy.get("/page.html", headers="Accept-Encoding: zstd\r\n").status == 200
    counters = proxy.ask(command="status")["status"]["report"]["counters"]
    assert counters["answers compressed"] >= 23
    assert counters["answers not compressed for want of memory"] == 0
