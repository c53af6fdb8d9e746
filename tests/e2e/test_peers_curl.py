# SPDX-License-Identifier: Apache-2.0
"""curl, Python's http.client and wrk as clients."""
import gzip
import hashlib
import http.client
import re
import subprocess

import pytest

from harness import PATIENCE, ok


def curl(proxy, *args, path="/", stdin=None):
    done = subprocess.run(["curl", "-sS", "--http1.1", "--max-time", str(PATIENCE), "--connect-to",
                           f"test.example:80:127.0.0.1:{proxy.port}", *args,
                           *([f"http://test.example{path}"] if path else [])],
                          input=stdin, capture_output=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def echo(start, origin):
    """A proxy before a server that sends back what it gets."""
    def handler(request, conn):
        if request.get("Expect"):
            conn.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            conn.read_request_body(request)
        return ok(request.body or request.method, headers=f"X-Target: {request.target}\r\n")

    proxy = start(f"sites: {{ test.example: '{origin(handler).url}' }}")
    return proxy


def test_curl_gets_and_heads(echo):
    assert curl(echo) == b"GET"
    head = curl(echo, "-I", path="/a?b=c").decode()
    assert head.startswith("HTTP/1.1 200 OK\r\n") and "X-Target: /a?b=c\r\n" in head
    assert curl(echo, "-X", "DELETE") == b"DELETE"
    assert curl(echo, "-0") == b"GET"


def test_curl_reuses_its_connection(echo):
    out = curl(echo, "-o", "/dev/null", "-w", "%{num_connects} ", "http://test.example/1", "-o",
               "/dev/null", "http://test.example/2", "-o", "/dev/null", "http://test.example/3",
               path=None)
    assert out.split() == [b"1", b"0", b"0"]


@pytest.mark.parametrize("args", [["--data-binary", "@-"], ["-T", "-"],
                                  ["--data-binary", "@-", "-H", "Transfer-Encoding: chunked"],
                                  ["-T", "-", "-H", "Expect: 100-continue"],
                                  ["-T", "-", "-H", "Expect:"]])
def test_curl_uploads(echo, args):
    data = bytes(range(256)) * 8000  # above 1 MiB curl asks with Expect by itself
    assert curl(echo, *args, stdin=data) == data


def test_curl_uploads_a_form(echo, tmp_path):
    (tmp_path / "f").write_bytes(b"content" * 1000)
    assert curl(echo, "-F", f"file=@{tmp_path / 'f'}").count(b"content") == 1000


def test_curl_compressed_is_left_to_the_server(start, origin):
    text = b"much text " * 1000
    seen = []

    def handler(request, conn):
        seen.append(request.get("Accept-Encoding"))
        return ok(gzip.compress(text), headers="Content-Encoding: gzip\r\n")

    proxy = start(f"sites: {{ test.example: '{origin(handler).url}' }}")
    assert curl(proxy, "--compressed") == text
    assert gzip.decompress(curl(proxy)) == text
    assert "gzip" in seen[0] and seen[1] is None


def test_curl_resumes_and_limits(start, nginx):
    """S2-9: a download in pieces is the same file."""
    data = hashlib.sha256(b"x").digest() * 50000
    proxy = start(f"sites: {{ test.example: '{nginx('', {'f.bin': data}).url}' }}")
    first = curl(proxy, "-r", "0-99999", path="/f.bin")
    rest = curl(proxy, "-C", "100000", path="/f.bin")
    assert first + rest == data
    assert curl(proxy, "--limit-rate", "4M", path="/f.bin") == data


def test_http_client_of_python_keeps_its_connection(echo):
    conn = http.client.HTTPConnection("127.0.0.1", echo.port, timeout=PATIENCE)
    bodies = {"GET": None, "POST": b"abc", "PUT": iter([b"a", b"b"]), "HEAD": None}
    for method, body in bodies.items():
        conn.request(method, "/x", body, {"Host": "test.example"},
                     encode_chunked=method == "PUT")
        answer = conn.getresponse()
        assert answer.status == 200
        assert answer.read() == {"GET": b"GET", "POST": b"abc", "PUT": b"ab", "HEAD": b""}[method]
        sock = conn.sock
    assert conn.sock is sock
    conn.close()


@pytest.mark.parametrize("path", ["/small", "/large.bin"])
def test_wrk_sees_no_errors(start, nginx, path):
    files = {"small": b"hello", "large.bin": b"x" * 200_000}
    server = nginx("keepalive_requests 1000000;", files)
    proxy = start(f"sites: {{ test.example: '{server.url}' }}\n"
                  "access-log: off\n")
    done = subprocess.run(["wrk", "-t1", "-c32", "-d2s", "-H", "Host: test.example",
                           f"http://127.0.0.1:{proxy.port}{path}"], capture_output=True, text=True,
                          timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert "Non-2xx" not in done.stdout and "Socket errors" not in done.stdout, done.stdout
    assert int(re.search(r"(\d+) requests in", done.stdout)[1]) > 100


def test_wrk_with_a_connection_per_request_sees_no_errors(start, nginx):
    proxy = start(f"sites: {{ test.example: '{nginx('', {'small': b'hello'}).url}' }}\n"
                  "access-log: off\n")
    done = subprocess.run(["wrk", "-t1", "-c32", "-d1s", "-H", "Host: test.example", "-H",
                           "Connection: close", f"http://127.0.0.1:{proxy.port}/small"],
                          capture_output=True, text=True, timeout=PATIENCE)
    assert "Non-2xx" not in done.stdout and "Socket errors" not in done.stdout, done.stdout
