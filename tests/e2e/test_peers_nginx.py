# SPDX-License-Identifier: Apache-2.0
"""nginx as a server behind the proxy: files, ranges, conditions, uploads, refusals."""
import gzip
import random

import pytest

LARGE = random.Random(1).randbytes(3_000_000)
FILES = {"index.html": b"<h1>home</h1>", "large.bin": LARGE, "a.txt": b"text " * 1000}
CONFIG = """
  gzip on; gzip_min_length 10; gzip_types text/plain;
  location /redirect { return 302 /a.txt; }
  location /created { return 201 "made"; }
  location /none { return 204; }
  location /small { client_max_body_size 1m; proxy_pass http://127.0.0.1:1; }
"""


@pytest.fixture
def proxy(start, nginx):
    return start(f"sites: {{ test.example: '{nginx(CONFIG, FILES).url}' }}")


def test_files_arrive_unchanged(proxy):
    for path, data in (("/", FILES["index.html"]), ("/large.bin", LARGE),
                       ("/a.txt", FILES["a.txt"])):
        answer = proxy.get(path)
        assert (answer.status, answer.body) == (200, data)
        assert answer.get("ETag") and answer.get("Last-Modified")
    assert proxy.get("/missing").status == 404


def test_many_requests_on_one_connection(proxy):
    with proxy.connect() as client:
        for _ in range(50):
            for path, data in (("/", FILES["index.html"]), ("/large.bin", LARGE)):
                answer = client.exchange(f"GET {path} HTTP/1.1\r\nHost: test.example\r\n\r\n")
                assert answer.body == data


def test_ranges_pass_through(proxy):
    """S2-9: 206 with Content-Range, multipart ones too, 416 beyond the end."""
    answer = proxy.get("/large.bin", headers="Range: bytes=1000000-1999999\r\n")
    assert answer.status == 206
    assert answer.get("Content-Range") == "bytes 1000000-1999999/3000000"
    assert answer.body == LARGE[1000000:2000000]
    answer = proxy.get("/large.bin", headers="Range: bytes=-5\r\n")
    assert (answer.status, answer.body) == (206, LARGE[-5:])
    answer = proxy.get("/large.bin", headers="Range: bytes=0-3,10-13\r\n")
    assert answer.status == 206 and answer.get("Content-Type").startswith("multipart/byteranges")
    assert LARGE[10:14] in answer.body
    assert proxy.get("/large.bin", headers="Range: bytes=9999999-\r\n").status == 416


def test_conditions_pass_through(proxy):
    etag = proxy.get("/large.bin").get("ETag")
    with proxy.connect() as client:
        ask = f"GET /large.bin HTTP/1.1\r\nHost: test.example\r\nIf-None-Match: {etag}\r\n\r\n"
        for _ in range(3):
            answer = client.exchange(ask)
            assert (answer.status, answer.get("ETag"), answer.body) == (304, etag, b"")
    assert proxy.get("/large.bin", headers='If-Match: "other"\r\n').status == 412
    answer = proxy.get("/large.bin", headers=f"If-Range: {etag}\r\nRange: bytes=0-0\r\n")
    assert (answer.status, answer.body) == (206, LARGE[:1])


def test_compression_of_the_server_is_kept_as_it_is(proxy):
    answer = proxy.get("/a.txt", headers="Accept-Encoding: gzip\r\n")
    assert answer.get("Content-Encoding") == "gzip"
    assert gzip.decompress(answer.body) == FILES["a.txt"]
    assert proxy.get("/a.txt").get("Content-Encoding") is None


def test_head_and_statuses(proxy):
    answer = proxy.get("/large.bin", method="HEAD")
    assert (answer.status, answer.get("Content-Length")) == (200, "3000000")
    assert proxy.get("/redirect").status == 302
    assert proxy.get("/created").status == 201
    assert proxy.get("/none").status == 204


def test_refused_upload_tells_the_client(proxy):
    """nginx answers 413 at once and closes; the client still sends."""
    with proxy.connect() as client:
        client.send("POST /small HTTP/1.1\r\nHost: test.example\r\nContent-Length: 2000000\r\n\r\n")
        client.send(b"x" * 2_000_000)
        assert client.read_answer().status == 413


def test_names_of_the_server_s_software_are_its_own_affair(start, nginx):
    """S2-7: pages that the proxy makes never name it; what servers say is for filters."""
    server = nginx("", FILES)
    proxy = start(f"sites: {{ test.example: {{ to: '{server.url}', use: [quiet] }} }}\n"
                  "filters: { quiet: { headers: { response: { remove: [Server] } } } }")
    assert proxy.get("/").get("Server") is None
    server.stop()
    answer = proxy.get("/")
    assert answer.status == 502 and "nginx" not in answer.text.lower()
