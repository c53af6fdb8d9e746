# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 with clients: what curl, nghttp and h2load do, bodies both ways, streams side by side,
drains and reloads."""
import json
import os
import re
import shutil
import struct
import subprocess
import threading
import time

import pytest
from harness import PATIENCE, Client, memory_kb, wait_until
from http2 import (CANCEL, DATA, END_STREAM, GOAWAY, HEADERS, MAX_CONCURRENT_STREAMS, NO_ERROR,
                   PREFACE, REFUSED_STREAM, RST_STREAM, H2Client)
from https import ENTRIES, context, free_port, s_client

H2C = "entrypoints: { web: { listen: '127.0.0.1:0', h2c: yes%s } }\n"


def settings(url, entry="", more=""):
    return H2C % entry + f"services: {{ app: {{ servers: ['{url}']{more} }} }}\n" \
        "sites: { test.example: { to: app } }\n"


def tls_settings(url, tls="on", entry="", more=""):
    return (f"entrypoints:\n  websecure: {{ listen: '127.0.0.1:0', tls: {tls}{entry} }}\n{more}"
            f"sites:\n  a.example: '{url}'\n")


def echo(request, conn):
    conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(request.body) + request.body)


def curl(*args):
    return subprocess.run(["curl", "-sS", "--max-time", str(PATIENCE), *map(str, args)],
                          capture_output=True, timeout=2 * PATIENCE)


# --- peers ---

def test_clients_choose_by_alpn(start, origin):
    """h2 before http/1.1, by ALPN; the setting takes it away; HTTP/1.1 goes on as ever."""
    server = origin()
    proxy = start(tls_settings(server.url))
    at = ["--resolve", f"a.example:{proxy.port}:127.0.0.1", "-k", "-w", "%{http_version}",
          f"https://a.example:{proxy.port}/"]
    assert curl("--http2", *at).stdout == b"hello2"
    assert curl("--http1.1", *at).stdout == b"hello1.1"
    assert curl("--no-alpn", *at).stdout == b"hello1.1"
    proxy.log_lines("HTTP/2.0")
    assert proxy.try_reload(tls_settings(server.url, entry=", http2: no"))
    assert curl("--http2", *at).stdout == b"hello1.1"


def test_prior_knowledge_only_where_it_is_set(start, origin):
    """RFC 9113 3.3: the preface on a plain entrypoint."""
    server = origin()
    proxy = start(settings(server.url))
    at = ["-H", "Host: test.example", f"http://127.0.0.1:{proxy.port}/", "-w", "%{http_version}"]
    assert curl("--http2-prior-knowledge", *at).stdout == b"hello2"
    assert proxy.get().text == "hello"
    assert proxy.try_reload(settings(server.url).replace("h2c: yes", "h2c: no"))
    with Client(proxy.port) as client:
        client.send(PREFACE)
        assert client.read_answer().status == 505


@pytest.mark.parametrize("step", [1, 3, 10, 23])
def test_a_preface_in_pieces(start, origin, step):
    proxy = start(settings(origin().url))
    with H2Client(proxy.port, greet=False) as client:
        for at in range(0, len(PREFACE), step):
            client.send(PREFACE[at:at + step])
            time.sleep(0.002)  # no event tells that the proxy has seen a piece
        client.send(b"\0\0\0\4\0\0\0\0\0")
        client.greets = True
        assert client.get().text == "hello"


@pytest.mark.skipif(not shutil.which("h2load"), reason="nghttp2-client isn't installed")
def test_a_load_of_many_streams(start, nginx):
    """h2load: every request of 16 streams on each of 4 connections is answered."""
    server = nginx("location / { return 200 'hello'; }")
    proxy = start(tls_settings(server.url), workers=2)
    done = subprocess.run(["h2load", "-n", "2000", "-c", "4", "-m", "16", "-H", ":authority: a.example",
                           "--connect-to", f"127.0.0.1:{proxy.port}", "--sni", "a.example",
                           "https://a.example/"], capture_output=True, text=True,
                          timeout=4 * PATIENCE)
    if "unrecognized option" in done.stderr:
        done = subprocess.run(["h2load", "-n", "2000", "-c", "4", "-m", "16", "-H",
                               ":authority: a.example", f"https://localhost:{proxy.port}/"],
                              capture_output=True, text=True, timeout=4 * PATIENCE)
    assert "2000 succeeded, 0 failed, 0 errored, 0 timeout" in done.stdout, done.stdout + done.stderr


@pytest.mark.skipif(not shutil.which("nghttp"), reason="nghttp2-client isn't installed")
def test_nghttp_gets_several(start, origin):
    proxy = start(settings(origin().url))
    done = subprocess.run(["nghttp", "-ns", "-H", ":authority: test.example", "-m", "20",
                           f"http://127.0.0.1:{proxy.port}/"], capture_output=True, text=True,
                          timeout=PATIENCE)
    assert len(re.findall(r" 200 +5 /", done.stdout)) == 20, done.stdout + done.stderr


# --- messages ---

def test_a_request_reaches_the_server_as_http_1(start, origin):
    """RFC 9113 8.3.1, 8.2.3: Host from :authority, cookies in one field, names in their spelling."""
    server = origin()
    proxy = start(settings(server.url))
    with H2Client(proxy.port) as client:
        answer = client.get("/a%20b?c=d", more=[("cookie", "a=1"), ("cookie", "b=2"),
                                                ("x-own", "x"), ("te", "trailers")])
    assert answer.status == 200 and answer.text == "hello"
    assert answer.get("content-length") == "5" and answer.get("date")
    assert not {"connection", "transfer-encoding", "keep-alive"} & {n for n, _ in answer.headers}
    request = server.requests[0]
    assert (request.method, request.target) == ("GET", "/a%20b?c=d")
    assert request.all("Host") == ["test.example"] and request.all("Cookie") == ["a=1; b=2"]
    assert request.get("x-own") == "x" and request.get("X-Forwarded-Proto") == "http"
    proxy.log_lines('"GET /a%20b\\?c=d HTTP/2.0" 200 5')


def test_methods_without_a_body(start, origin):
    server = origin(lambda request, conn: "" if request.method == "HEAD" else "hello")
    proxy = start(settings(server.url))
    with H2Client(proxy.port) as client:
        answer = client.get(method="HEAD")
        assert answer.status == 200 and answer.body == b""
        assert client.get(method="OPTIONS", path="*").status == 200
        assert client.get(method="DELETE", path="/x").status == 200
        assert client.get(host="other.example").status == 404


@pytest.mark.parametrize("length", [True, False])
def test_bodies_go_up_and_down(start, origin, length):
    """10 MB each way, of known and of unknown length: the windows are given back and grow."""
    size = 10_000_000
    server = origin(echo)
    proxy = start(settings(server.url))
    body = os.urandom(1000) * (size // 1000)
    name = proxy.file.parent / "body"
    name.write_bytes(body)
    more = [] if length else ["-H", "Content-Length:", "-T", "-"]
    with open(name, "rb") as stdin:
        done = subprocess.run(
            ["curl", "-sS", "--http2-prior-knowledge", "--max-time", str(PATIENCE), "-X", "POST",
             "-H", "Host: test.example", "-H", "Expect:", *more,
             *(["--data-binary", f"@{name}"] if length else []),
             f"http://127.0.0.1:{proxy.port}/"], stdin=stdin, capture_output=True,
            timeout=2 * PATIENCE)
    assert done.stdout == body, done.stderr
    assert server.requests[0].get("Content-Length") == (str(size) if length else None)


def test_trailers_pass_both_ways(start, origin):
    """RFC 9113 8.1."""
    def handler(request, conn):
        return (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"
                b"X-Sum: 6\r\n\r\n")

    server = origin(handler)
    proxy = start(settings(server.url))
    with H2Client(proxy.port) as client:
        stream = client.request(method="POST", end=False)
        client.data(stream, b"hello")
        client.send_frame(HEADERS, 5, stream, client.encoder.encode([("x-request-sum", "5")]))
        answer = client.answer(stream)
    assert answer.body == b"abc" and answer.trailers == [("x-sum", "6")]
    assert server.requests[0].body == b"hello"


def test_interim_answers_come_first(start, origin):
    """RFC 9110 15.2: 103 passes; 100 when the server wants the body."""
    def handler(request, conn):
        conn.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
        return "done"

    server = origin(handler)
    proxy = start(settings(server.url))
    with H2Client(proxy.port) as client:
        answer = client.get()
        assert answer.interim == [[(":status", "103"), ("link", "</a.css>")]]
        assert answer.text == "done"


def test_a_head_comes_before_its_body(start, origin):
    """As event streams need it."""
    go = threading.Event()

    def handler(request, conn):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        go.wait(PATIENCE)
        conn.send(b"data: 1\n\n")
        conn.sock.close()

    proxy = start(settings(origin(handler).url))
    with H2Client(proxy.port) as client:
        stream = client.request()
        client.read_until(lambda: stream in client.answers and client.answers[stream].headers)
        assert not go.is_set() and client.answers[stream].body == b""
        go.set()
        assert client.answer(stream).text == "data: 1\n\n"


def test_streams_are_served_side_by_side(start, origin):
    """One slow answer holds up no other one."""
    go = threading.Event()

    def handler(request, conn):
        if request.target == "/slow":
            go.wait(PATIENCE)
        return request.target

    proxy = start(settings(origin(handler).url))
    with H2Client(proxy.port) as client:
        slow = client.request("/slow")
        assert [client.get(f"/{i}").text for i in range(20)] == [f"/{i}" for i in range(20)]
        assert slow not in client.answers
        go.set()
        assert client.answer(slow).text == "/slow"


def test_a_reset_by_the_client_reaches_the_server(start, origin):
    """RFC 9113 5.4.2: the exchange is given up, and the server sees its connection closed."""
    closed, asked = threading.Event(), threading.Event()

    def handler(request, conn):
        asked.set()
        try:
            while conn.sock.recv(1):
                pass
        except OSError:
            pass
        closed.set()

    server = origin(handler)
    proxy = start(settings(server.url))
    with H2Client(proxy.port) as client:
        stream = client.request()
        assert asked.wait(PATIENCE)
        client.reset(stream)
        assert closed.wait(PATIENCE)
        client.ping()
        assert client.answers.get(stream) is None
        proxy.log_lines('"GET / HTTP/2.0"')


def test_an_early_answer_ends_with_no_error(start, origin):
    """RFC 9113 8.1: the rest of the request isn't needed, and the client is told so."""
    server = origin()
    proxy = start(settings(server.url, entry=", body-max: 10"))
    with H2Client(proxy.port) as client:
        stream = client.request(method="POST", end=False)
        client.data(stream, b"x" * 100)
        answer = client.answer(stream)
        assert answer.status == 413
        client.read_until(lambda: client.answers[stream].reset is not None)
        assert client.answers[stream].reset == NO_ERROR
        assert client.get(host="none.example").status == 404


def test_an_answer_that_breaks_off_is_reset(start, origin):
    """A client must not take half of a body for all of it."""
    def handler(request, conn):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        conn.sock.close()

    proxy = start(settings(origin(handler).url))
    with H2Client(proxy.port) as client:
        answer = client.get()
        assert answer.body == b"abc" and not answer.is_whole and answer.reset is not None


# --- back-pressure ---

def test_a_client_that_takes_nothing_holds_little(start, origin):
    """Windows of the client are respected; what isn't taken isn't fetched either."""
    sent = []

    def handler(request, conn):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n")
        conn.sock.settimeout(1)
        try:
            for _ in range(500):
                conn.send(b"x" * 100000)
                sent.append(100000)
        except OSError:
            pass

    proxy = start(settings(origin(handler).url))
    before = memory_kb(proxy.gate_pid())
    with H2Client(proxy.port) as client:
        client.returns_windows = False
        streams = [client.request(f"/{i}") for i in range(8)]
        while sum(len(client.answers[s].body) for s in streams if s in client.answers) < 65535:
            client.read_frame()
        client.ping()
        assert sum(len(client.answers[s].body) for s in streams if s in client.answers) == 65535
        assert memory_kb(proxy.gate_pid()) - before < 30_000
        small = client.request(host="none.example", method="HEAD")
        assert client.answer(small).status == 404


def test_an_upload_that_nobody_reads_delays_no_other(start, origin):
    """The connection's window is given back although one body waits."""
    go = threading.Event()

    def handler(request, conn):
        if request.target == "/stuck":
            go.wait(PATIENCE)
        return "ok"

    server = origin(handler, read_body=False)
    proxy = start(settings(server.url))
    with H2Client(proxy.port) as client:
        stuck = client.request("/stuck", method="POST", end=False)
        for _ in range(3):
            client.data(stuck, b"x" * 16000)
        assert client.get("/quick").text == "ok"
        go.set()


def test_a_client_that_stalls_is_given_up(start, origin):
    """body-timeout holds for windows that stay closed."""
    server = origin(lambda request, conn: "x" * 200000)
    proxy = start(settings(server.url, entry=", body-timeout: 1s"))
    with H2Client(proxy.port) as client:
        client.returns_windows = False
        answer = client.get()
        assert not answer.is_whole and answer.reset == CANCEL


def test_what_is_urgent_goes_first(start, origin):
    """RFC 9218 4, 7.1: by the field, and by PRIORITY_UPDATE; all wait for the connection's window."""
    server = origin(lambda request, conn: request.target[1] * 30000)
    proxy = start(settings(server.url))
    with H2Client(proxy.port) as client:
        client.returns_windows = False
        filler = client.request("/f")
        assert client.answer(filler).is_whole
        client.request("/e")
        first = client.request("/d")
        client.read_until(lambda: sum(len(a.body) for a in client.answers.values()) == 65535)
        later = client.request("/l", more=[("priority", "u=7")])
        urgent = client.request("/u", more=[("priority", "u=0")])
        updated = client.request("/p", more=[("priority", "u=7")])
        client.send_frame(0x10, 0, 0, struct.pack(">I", updated) + b"u=1")
        client.read_until(lambda: all(s in client.answers and client.answers[s].headers
                                      for s in (later, urgent, updated)))
        client.window(0, 1_000_000)
        for stream in (first, later, urgent, updated):
            client.answer(stream)
        order = []
        for got in client.frames:
            if got.kind == DATA and got.stream in (later, urgent, updated) and \
                    got.stream not in order:
                order.append(got.stream)
        assert order == [urgent, updated, later]


# --- leaving ---

def test_a_stop_says_goodbye_and_serves_what_is_there(start, origin):
    """RFC 9113 6.8: GOAWAY twice; streams that are open are answered to their end."""
    go = threading.Event()

    def handler(request, conn):
        go.wait(PATIENCE)
        return "done"

    proxy = start(settings(origin(handler).url))
    with H2Client(proxy.port) as idle, H2Client(proxy.port) as busy:
        idle.ping()
        stream = busy.request()
        busy.ping()
        proxy.child.terminate()
        busy.read_until(lambda: busy.goaway)
        assert busy.goaway.last_stream == 0x7fffffff and busy.goaway.code == NO_ERROR
        late = busy.request("/late")
        busy.pong = [f for f in busy.frames if f.kind == 6 and not f.flags & 1]
        assert busy.pong
        go.set()
        assert busy.answer(stream).text == "done"
        assert busy.answer(late).text == "done"
        busy.send_frame(6, 1, 0, busy.pong[0].body)
        assert busy.read_to_end().last_stream == late
        assert idle.read_to_end().code == NO_ERROR
    assert proxy.end() == 0


def test_an_idle_connection_is_closed_with_goaway(start, origin):
    proxy = start(settings(origin().url, entry=", idle-timeout: 300ms"))
    with H2Client(proxy.port) as client:
        assert client.get().status == 200
        goaway = client.read_to_end()
        assert goaway.code == NO_ERROR and goaway.last_stream == 1


def test_a_connection_serves_as_many_requests_as_allowed(start, origin):
    proxy = start(settings(origin().url, entry=", requests-max: 3"))
    with H2Client(proxy.port) as client:
        streams = [client.request(f"/{i}") for i in range(3)]
        assert all(client.answer(s).status == 200 for s in streams)
        assert client.read_to_end().last_stream == streams[-1]


def test_a_reload_keeps_connections(start, origin):
    server = origin()
    proxy = start(settings(server.url))
    with H2Client(proxy.port) as client:
        assert client.get().status == 200
        assert proxy.try_reload(settings(server.url, entry=", body-max: 1MiB"))
        assert client.get().status == 200 and client.goaway is None


# --- hosts ---

def test_a_host_of_another_policy_is_misdirected(start, origin):
    """RFC 9113 9.1.2: coalesced requests are judged one by one."""
    server = origin()
    proxy = start(tls_settings(server.url) + f"  b.example: {{ to: '{server.url}', "
                  "tls: { min: '1.3', max: '1.3' } }\n")
    with H2Client(proxy.port, name="a.example") as client:
        assert client.get(host="a.example", scheme="https").status == 200
        assert client.get(host="b.example", scheme="https").status == 421
        assert client.get(host="a.example", scheme="https").status == 200


def test_counters_and_status_tell_of_it(start, origin):
    proxy = start(settings(origin().url))
    with H2Client(proxy.port) as client:
        assert client.settings is None
        assert client.get().status == 200
        assert client.settings[MAX_CONCURRENT_STREAMS] == 100
        client.request(fields=[(":method", "GET")])
        client.ping()
        said = json.dumps(proxy.ask(command="status"), separators=(",", ":"))
        assert '"connections that speak HTTP/2":1' in said and "h2-pseudo-missing" in said


def test_old_suites_are_not_for_http2(start, origin):
    """RFC 9113 9.2.2: where settings allow suites of TLS 1.2 without AEAD, those who come with one are
    served by HTTP/1.1."""
    ciphers = ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256")
    proxy = start(tls_settings(origin().url, tls=f"{{ ciphers: [{', '.join(ciphers)}] }}"))
    port = proxy.ports["websecure"]
    for args, protocol in ((("-tls1_2", "-cipher", ciphers[0]), "h2"),
                           (("-tls1_2", "-cipher", ciphers[1]), "http/1.1"), (("-tls1_3",), "h2")):
        is_done, said = s_client(port, "-alpn", "h2,http/1.1", *args)
        assert is_done and f"ALPN protocol: {protocol}" in said, (args, said)
    assert not s_client(port, "-alpn", "h2", "-tls1_2", "-cipher", ciphers[1])[0]
