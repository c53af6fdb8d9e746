# SPDX-License-Identifier: Apache-2.0
"""Large bodies: whole, in bounded memory, at the speed of the slower side; early answers."""
import hashlib
import socket
import threading
import time

import pytest

from harness import PATIENCE, ok, wait_until

MB = 1024 * 1024
BLOCK = bytes(range(256)) * 256  # 64 KiB
SIZE = 100 * MB
GROWTH_MAX_KB = 8 * 1024  # buffers of a connection or two, never a body


def post(path, framing):
    return f"POST {path} HTTP/1.1\r\nHost: test.example\r\n{framing}\r\n\r\n"


def digest(n):
    h = hashlib.sha256()
    for _ in range(n // len(BLOCK)):
        h.update(BLOCK)
    return h.hexdigest()


def memory_kb(proxy, key="VmHWM"):
    with open(f"/proc/{proxy.gate_pid()}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(key + ":"))


def send_blocks(conn, n, is_chunked=False):
    for _ in range(n // len(BLOCK)):
        conn.send(b"%x\r\n%s\r\n" % (len(BLOCK), BLOCK) if is_chunked else BLOCK)
    if is_chunked:
        conn.send(b"0\r\n\r\n")


def start_warm(start, server, entry=""):
    """A proxy that has served once, so that its pools have their size."""
    proxy = start(f"sites: {{ test.example: '{server.url}' }}\n"
                  f"entrypoints: {{ web: {{ listen: '127.0.0.1:0', {entry} }} }}\n"
                  "access-log: { format: '{path} {status} {bytes-in} {bytes-out} {end}' }\n")
    assert proxy.get("/warm").status == 200
    return proxy


def read_digest(conn, n):
    h = hashlib.sha256(conn.buffer)
    left = n - len(conn.buffer)
    conn.buffer = b""
    while left > 0:
        data = conn.sock.recv(min(left, 1 << 20))
        assert data
        h.update(data)
        left -= len(data)
    return h.hexdigest()


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_a_large_download_arrives_whole_in_little_memory(start, origin, framing):
    """S2-9: no full buffering, memory per stream bounded."""
    heads = {"length": f"Content-Length: {SIZE}\r\n", "chunked": "Transfer-Encoding: chunked\r\n",
             "close": "Connection: close\r\n"}

    def handler(request, conn):
        if request.target == "/warm":
            return "warm"
        conn.send(f"HTTP/1.1 200 OK\r\n{heads[framing]}\r\n")
        send_blocks(conn, SIZE, framing == "chunked")
        if framing == "close":
            conn.close()

    proxy = start_warm(start, origin(handler))
    before = memory_kb(proxy)
    with proxy.connect() as client:
        version = "1.1" if framing == "length" else "1.0"
        client.send(f"GET /large HTTP/{version}\r\nHost: test.example\r\n\r\n")
        assert client.read_head().status == 200
        assert read_digest(client, SIZE) == digest(SIZE)
        if version == "1.0":
            assert client.is_closed()
    assert memory_kb(proxy) - before < GROWTH_MAX_KB
    assert proxy.log_lines("^/large") == [f"/large 200 0 {SIZE} ok"]


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_large_upload_arrives_whole_in_little_memory(start, origin, is_chunked):
    """S2-9: the same the other way."""
    def handler(request, conn):
        if request.target == "/warm":
            return "warm"
        if not is_chunked:
            return read_digest(conn, SIZE)
        h = hashlib.sha256()
        while size := int(conn.read_until(b"\r\n"), 16):
            h.update(conn.read_exactly(size))
            conn.read_exactly(2)
        conn.read_until(b"\r\n")
        return h.hexdigest()

    proxy = start_warm(start, origin(handler, read_body=False))
    before = memory_kb(proxy)
    framing = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {SIZE}"
    with proxy.connect() as client:
        client.send(post("/large", framing))
        send_blocks(client, SIZE, is_chunked)
        assert client.read_answer().text == digest(SIZE)
    assert memory_kb(proxy) - before < GROWTH_MAX_KB
    assert proxy.log_lines("^/large") == [f"/large 200 {SIZE} 64 ok"]


def stop(client):
    """Ends a send that waits in another thread."""
    try:
        client.sock.shutdown(socket.SHUT_RDWR)
    except OSError:  # reset already
        pass


class Progress:
    """Counts what a side could send, so that a test sees it stall."""

    def __init__(self):
        self.n = 0
        self.is_done = False

    def send(self, conn, total):
        while self.n < total:
            self.n += conn.sock.send(BLOCK)
        self.is_done = True

    def has_stalled(self):
        before = self.n
        time.sleep(0.3)  # standing still can't be waited for in another way
        return self.n == before and before > 0 and not self.is_done


@pytest.mark.parametrize("framing", [f"Content-Length: {SIZE}\r\n\r\n",
                                     f"Transfer-Encoding: chunked\r\n\r\n{SIZE:x}\r\n"])
def test_a_slow_reader_holds_the_server_back(start, origin, framing):
    progress = Progress()

    def handler(request, conn):
        if request.target == "/warm":
            return "warm"
        conn.send("HTTP/1.1 200 OK\r\n" + framing)
        progress.send(conn, SIZE)

    proxy = start_warm(start, origin(handler))
    before = memory_kb(proxy)
    with proxy.connect() as client:
        client.send("GET /large HTTP/1.1\r\nHost: test.example\r\n\r\n")
        assert wait_until(progress.has_stalled, "back-pressure")
        assert progress.n < 40 * MB  # what the kernel's buffers of two connections take
        assert memory_kb(proxy) - before < GROWTH_MAX_KB
        # Others are served meanwhile.
        assert proxy.get("/warm").status == 200
        assert client.read_head().status == 200
        assert len(client.read_exactly(1000)) == 1000
    proxy.log_lines("^/large 200 .* client-gone")


def test_a_slow_server_holds_the_client_back(start, origin):
    progress, go = Progress(), threading.Event()

    def handler(request, conn):
        if request.target == "/warm":
            return "warm"
        assert go.wait(PATIENCE)
        return read_digest(conn, 40 * MB)

    proxy = start_warm(start, origin(handler, read_body=False))
    before = memory_kb(proxy)
    with proxy.connect() as client:
        client.send(post("/large", f"Content-Length: {40 * MB}"))
        sender = threading.Thread(target=progress.send, args=(client, 40 * MB), daemon=True)
        sender.start()
        assert wait_until(progress.has_stalled, "back-pressure")
        assert memory_kb(proxy) - before < GROWTH_MAX_KB
        go.set()
        sender.join(PATIENCE)
        assert client.read_answer().text == digest(40 * MB)


def test_fifty_downloads_at_once_stay_small(start, origin):
    size = 4 * MB

    def handler(request, conn):
        if request.target == "/warm":
            return "warm"
        conn.send(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n")
        send_blocks(conn, size)

    proxy = start_warm(start, origin(handler))
    before = memory_kb(proxy)
    results = []

    def fetch():
        with proxy.connect() as client:
            client.send("GET /large HTTP/1.1\r\nHost: test.example\r\n\r\n")
            client.read_head()
            results.append(read_digest(client, size))

    threads = [threading.Thread(target=fetch) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert results == [digest(size)] * 50
    assert memory_kb(proxy) - before < 50 * 256  # 256 KB each


@pytest.mark.parametrize("closes", [True, False])
def test_an_early_answer_reaches_a_client_that_still_uploads(start, origin, closes):
    """The server answers 413 after the first bytes and reads no more."""
    released = threading.Event()

    def handler(request, conn):
        if request.target == "/warm":
            return "warm"
        conn.send(ok("too large", status="413 Content Too Large",
                     headers="Connection: close\r\n" if closes else ""))
        if not closes:
            assert released.wait(PATIENCE)
        conn.close()

    proxy = start_warm(start, origin(handler, read_body=False))
    with proxy.connect() as client:
        client.send(post("/early", f"Content-Length: {50 * MB}"))

        def send():
            try:
                send_blocks(client, 50 * MB)
            except OSError:
                pass

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        answer = client.read_answer()
        assert (answer.status, answer.text) == (413, "too large")
        released.set()
        stop(client)
        sender.join(PATIENCE)
    assert proxy.log_lines("^/early")[0].startswith("/early 413 ")
    assert proxy.get("/warm").status == 200


def test_the_proxy_s_own_413_reaches_a_client_that_still_uploads(start, origin):
    server = origin()
    proxy = start_warm(start, server, "body-max: 1MiB")
    with proxy.connect() as client:
        client.send(post("/declared", f"Content-Length: {2 * MB}"))
        client.send(BLOCK)
        assert client.read_answer().status == 413
    with proxy.connect() as client:
        client.send(post("/chunked", "Transfer-Encoding: chunked"))

        def send():
            try:
                send_blocks(client, 8 * MB, True)
            except OSError:
                pass

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        assert client.read_answer().status == 413
        stop(client)
        sender.join(PATIENCE)
    assert [r.target for r in server.requests] == ["/warm"]


def test_an_answer_that_starts_while_the_request_is_sent_is_passed_on(start, origin):
    """Both bodies flow at once: an echo of more than all buffers hold."""
    total = 30 * MB

    def handler(request, conn):
        if request.target == "/warm":
            return "warm"
        conn.send(f"HTTP/1.1 200 OK\r\nContent-Length: {total}\r\n\r\n")
        conn.send(conn.buffer)
        left = total - len(conn.buffer)
        conn.buffer = b""
        while left:
            data = conn.sock.recv(min(left, 65536))
            conn.send(data)
            left -= len(data)

    proxy = start_warm(start, origin(handler, read_body=False))
    with proxy.connect() as client:
        client.send(post("/echo", f"Content-Length: {total}"))
        sender = threading.Thread(target=send_blocks, args=(client, total), daemon=True)
        sender.start()
        head = client.read_head()
        assert head.status == 200
        # Nobody knew at that time whether the rest of the upload would ever come.
        assert head.get("Connection") == "close"
        assert read_digest(client, total) == digest(total)
        sender.join(PATIENCE)
        assert client.is_closed()
    assert proxy.log_lines("^/echo") == [f"/echo 200 {total} {total} ok"]
