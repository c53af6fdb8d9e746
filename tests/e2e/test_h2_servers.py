# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 with servers: exchanges share connections, everything of HTTP passes, failures stay with
the exchange that they belong to. What hostile servers send is in test_h2_hostile_servers.py."""
import os
import select
import shutil
import socket
import subprocess
import threading

import pytest

from certificates import Certificate
from h2_origin import H2Origin
from harness import PATIENCE, run, wait_until
from http2 import END_HEADERS, END_STREAM, HEADERS, H2Client

LOG = "access-log: { format: '{method} {path} {status} {end} {end-detail}' }"
CANCEL, REFUSED_STREAM, INTERNAL_ERROR = 8, 7, 2
GET = "GET {} HTTP/1.1\r\nHost: test.example\r\n\r\n"


@pytest.fixture
def h2_origin():
    running = []

    def go(handler=None, **kwargs):
        server = H2Origin(handler, **kwargs)
        running.append(server)
        return server

    yield go
    for server in running:
        server.stop()


def settings(*urls, service=""):
    servers = ", ".join(f'"{url}"' for url in urls)
    return f"""
services: {{ app: {{ servers: [{servers}], {service} }} }}
routes: [ {{ match: "PathPrefix(`/`)", to: app }} ]
{LOG}
"""


# --- what passes ---

def test_a_head_as_large_as_clients_may_send_passes(start, h2_origin):
    server = h2_origin()
    proxy = start("entrypoints: { web: { listen: '127.0.0.1:0', head-max: 256KiB } }\n"
                  + settings(server.url))
    value = "v" * 40000
    fields = "".join(f"X-{i}: {i}{value}\r\n" for i in range(4))
    assert proxy.get("/", headers=fields).status == 200
    assert server.next_request()["x-3"] == f"3{value}"


def test_a_request_becomes_pseudo_headers_and_lower_case_fields(start, h2_origin):
    server = h2_origin()
    proxy = start(settings(server.url))
    answer = proxy.get("/a/b?c=d", headers="Cookie: a=1; b=2\r\nX-Mixed-Case: v\r\nTE: trailers\r\n"
                                           "Connection: x-hop\r\nX-Hop: no\r\n")
    assert (answer.status, answer.body) == (200, b"hello")
    request = server.next_request()
    assert request.fields[:4] == [(":method", "GET"), (":scheme", "http"),
                                  (":authority", "test.example"), (":path", "/a/b?c=d")]
    names = [name for name, _ in request.fields]
    assert all(name == name.lower() for name in names)
    assert request["x-mixed-case"] == "v" and request["cookie"] == "a=1; b=2"
    assert request["te"] == "trailers"
    assert request["x-forwarded-for"] == "127.0.0.1"
    assert not {"host", "connection", "x-hop", "transfer-encoding"} & set(names)


def test_exchanges_share_one_connection(start, h2_origin):
    together = threading.Barrier(20, timeout=PATIENCE)

    def handler(stream):
        together.wait()
        stream.answer(stream.path.encode())

    server = h2_origin(handler)
    proxy = start(settings(server.url))
    answers = {}

    def ask(i):
        answers[i] = proxy.get(f"/{i}").body

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert answers == {i: f"/{i}".encode() for i in range(20)}
    assert len(server.connections) == 1
    ids = sorted(stream.id for stream in server.requests)
    assert ids == list(range(1, 40, 2))


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body_have_none(start, h2_origin, status):
    fields = [("content-length", "5")] if status == 304 else []
    server = h2_origin(lambda stream: stream.head(status, *fields, end=True))
    proxy = start(settings(server.url))
    with proxy.connect() as client:
        for _ in range(2):
            answer = client.exchange(GET.format("/"))
            assert (answer.status, answer.body) == (status, b"")


def test_the_answer_to_head_keeps_its_length_and_has_no_body(start, h2_origin):
    server = h2_origin(lambda stream: stream.head(200, ("content-length", "5"), end=True))
    proxy = start(settings(server.url))
    answer = proxy.get(method="HEAD")
    assert (answer.status, answer.get("Content-Length"), answer.body) == (200, "5", b"")


@pytest.mark.parametrize("framing", ["Content-Length: 200000\r\n", "Transfer-Encoding: chunked\r\n"])
def test_request_bodies_arrive_whole(start, h2_origin, framing):
    data = os.urandom(200000)
    server = h2_origin(lambda stream: stream.answer(stream.body()))
    proxy = start(settings(server.url))
    body = data if "Length" in framing else b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data)
    answer = proxy.get(method="POST", headers=framing, body=body)
    assert answer.body == data
    assert server.next_request()["content-length"] == ("200000" if "Length" in framing else None)


def test_trailers_pass_both_ways(start, h2_origin):
    def handler(stream):
        body = stream.body()
        stream.answer(body, fields=[("trailer", "x-sum")],
                      trailers=[("x-sum", dict(stream.trailers)["x-request-sum"])])

    proxy = start(settings(h2_origin(handler).url))
    with proxy.connect() as client:
        answer = client.exchange("POST / HTTP/1.1\r\nHost: test.example\r\nTE: trailers\r\n"
                                 "Connection: TE\r\nTransfer-Encoding: chunked\r\n"
                                 "Trailer: X-Request-Sum\r\n\r\n3\r\nabc\r\n0\r\n"
                                 "X-Request-Sum: 42\r\n\r\n")
    assert answer.body == b"abc"
    assert [(name.lower(), value) for name, value in answer.trailers] == [("x-sum", "42")]


@pytest.mark.parametrize("ends", ["with the body", "with trailers", "afterwards"])
def test_what_comes_behind_a_known_length_passes(start, h2_origin, ends):
    server = h2_origin(lambda stream: stream.answer(stream.body()))
    proxy = start("entrypoints: { web: { listen: '127.0.0.1:0', h2c: yes } }\n"
                  + settings(server.url))
    with H2Client(proxy.port) as client:
        stream = client.request("/", method="POST", end=False, more=[("content-length", "3")])
        client.data(stream, b"abc", end=ends == "with the body")
        request = server.next_request()
        if ends == "with trailers":
            client.send_frame(HEADERS, END_HEADERS | END_STREAM, stream,
                              client.encoder.encode([("x-sum", "42")]))
        elif ends == "afterwards":
            client.data(stream, b"", end=True)
        answer = client.answer(stream)
    assert (answer.status, answer.body, request["content-length"]) == (200, b"abc", "3")
    assert request.trailers == ([("x-sum", "42")] if ends == "with trailers" else [])


def test_interim_answers_come_before_the_final_one(start, h2_origin):
    def handler(stream):
        stream.head(103, ("link", "</style.css>"))
        stream.answer()

    proxy = start(settings(h2_origin(handler).url))
    with proxy.connect() as client:
        answer = client.exchange(GET.format("/"))
    assert [i.status for i in answer.interim] == [103]
    assert answer.interim[0].get("Link") == "</style.css>"
    assert answer.body == b"hello"


def test_a_body_waits_for_the_servers_100(start, h2_origin):
    may_go = threading.Event()

    def handler(stream):
        assert stream["expect"] == "100-continue"
        assert may_go.wait(PATIENCE)
        stream.head(100)
        stream.answer(stream.body())

    server = h2_origin(handler)
    proxy = start(settings(server.url))
    with proxy.connect() as client:
        client.send("POST / HTTP/1.1\r\nHost: test.example\r\nContent-Length: 4\r\n"
                    "Expect: 100-continue\r\n\r\n")
        stream = server.next_request()
        assert stream.incoming.empty()
        may_go.set()
        assert client.read_head().status == 100
        client.send("body")
        assert client.read_answer().body == b"body"


def test_pieces_of_both_bodies_flow_at_once(start, h2_origin):
    """Server-sent events, long polls, streams both ways: each piece arrives before the next one is
    sent."""
    def handler(stream):
        stream.head(200)
        while piece := stream.read():
            stream.send(b"got " + piece)
        stream.send(b"bye", end=True)

    proxy = start(settings(h2_origin(handler).url))
    with proxy.connect() as client:
        client.send("POST / HTTP/1.1\r\nHost: test.example\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert client.read_head().status == 200
        for i in range(10):
            client.send(f"2\r\np{i}\r\n")
            assert client.read_exactly(11) == b"6\r\ngot p%d\r\n" % i
        client.send("0\r\n\r\n")
        assert client.read_until(b"0\r\n\r\n") == b"3\r\nbye\r\n0\r\n\r\n"


def test_an_early_answer_ends_the_upload(start, h2_origin):
    def handler(stream):
        stream.answer(b"no", status=413)

    server = h2_origin(handler)
    proxy = start(settings(server.url))
    with proxy.connect() as client:
        client.send("POST / HTTP/1.1\r\nHost: test.example\r\nContent-Length: 1000000\r\n\r\nbegin")
        answer = client.read_answer()
    assert (answer.status, answer.body) == (413, b"no")
    stream = server.next_request()
    assert stream.was_reset.wait(PATIENCE) and stream.reset_code == CANCEL
    assert proxy.get().status == 413
    assert len(server.connections) == 1


# --- windows ---

def test_a_server_that_takes_nothing_holds_up_its_own_upload_alone(start, h2_origin):
    def handler(stream):
        if stream.path == "/stuck":
            stream.was_reset.wait(PATIENCE)
            return
        stream.answer()

    server = h2_origin(handler, gives_windows=False, settings={"window": 1000})
    proxy = start(settings(server.url, service="body-timeout: 1s, answer-timeout: 10s"))
    with proxy.connect() as stuck:
        stuck.send("POST /stuck HTTP/1.1\r\nHost: test.example\r\nContent-Length: 100000\r\n\r\n")
        stuck.send(b"x" * 100000)
        assert server.next_request().path == "/stuck"
        assert proxy.get("/other").body == b"hello"
        assert stuck.read_answer().status == 504
    proxy.log_lines("POST /stuck 504 server-timeout .*takes no more of the request's body")


def test_a_slow_client_delays_nobody_and_holds_a_window(start, h2_origin):
    sent = []

    def handler(stream):
        if stream.path != "/large":
            stream.answer()
            return
        stream.head(200)
        for _ in range(2000):
            stream.send(b"y" * 16384)
            sent.append(16384)
        stream.send(end=True)

    server = h2_origin(handler)
    proxy = start(settings(server.url))
    with proxy.connect() as slow:
        slow.send("GET /large HTTP/1.0\r\n\r\n")
        assert server.next_request().path == "/large"
        for _ in range(30):
            assert proxy.get("/small").body == b"hello"
        assert len(server.connections) == 1
        assert sum(sent) < 2000 * 16384
        slow.read_head()
        pieces = [slow.buffer]
        while piece := slow.sock.recv(1 << 20):
            pieces.append(piece)
    assert b"".join(pieces) == b"y" * 2000 * 16384


def test_large_answers_of_nghttpd_are_the_same(start, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    data = os.urandom(5_000_000)
    (root / "large").write_bytes(data)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([shutil.which("nghttpd") or "nghttpd", "--no-tls", "-d", root,
                               "-a", "127.0.0.1", str(port)], stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: _listens(port), "nghttpd")
        proxy = start(settings(f"h2c://127.0.0.1:{port}"))
        bodies = {}
        threads = [threading.Thread(target=lambda i=i: bodies.update({i: proxy.get("/large").body}))
                   for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert list(bodies.values()) == [data] * 4
        answer = proxy.get("/large", method="POST", headers=f"Content-Length: {len(data)}\r\n",
                           body=data)
        assert answer.body == data
    finally:
        server.terminate()
        server.wait(PATIENCE)


def _listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# --- ends ---

def test_a_client_that_goes_cancels_its_stream(start, h2_origin):
    server = h2_origin(lambda stream: stream.was_reset.wait(PATIENCE))
    proxy = start(settings(server.url))
    client = proxy.connect()
    client.send(GET.format("/"))
    stream = server.next_request()
    client.reset()
    assert stream.was_reset.wait(PATIENCE) and stream.reset_code == CANCEL
    proxy.log_lines("client-gone")


def test_no_answer_in_time_is_504_and_cancels(start, h2_origin):
    server = h2_origin(lambda stream: stream.was_reset.wait(PATIENCE))
    proxy = start(settings(server.url, service="answer-timeout: 200ms"))
    assert proxy.get().status == 504
    stream = server.next_request()
    assert stream.was_reset.wait(PATIENCE) and stream.reset_code == CANCEL


@pytest.mark.parametrize("method,headers,body", [
    ("GET", "", b""), ("POST", "Content-Length: 4\r\n", b"body"), ("PATCH", "", b"")])
def test_a_refused_stream_is_sent_again(start, h2_origin, method, headers, body):
    refused = []

    def handler(stream):
        if not refused:
            refused.append(stream)
            stream.reset(REFUSED_STREAM)
            return
        stream.answer(stream.body() if body else b"fine")

    proxy = start(settings(h2_origin(handler).url))
    answer = proxy.get(method=method, headers=headers, body=body)
    assert (answer.status, answer.body) == (200, body or b"fine")


def test_a_server_that_refuses_for_ever_is_502(start, h2_origin):
    server = h2_origin(lambda stream: stream.reset(REFUSED_STREAM))
    proxy = start(settings(server.url))
    assert proxy.get().status == 502
    assert len(server.requests) <= 10
    proxy.log_lines("GET / 502 server-gone .*REFUSED_STREAM")


def test_streams_above_the_last_of_goaway_are_sent_again_elsewhere(start, h2_origin):
    """RFC 9113 6.8: what isn't above it is finished on the old connection."""
    first, second = threading.Event(), threading.Event()

    def handler(stream):
        if stream.conn is server.connections[0] and stream.path == "/first":
            first.set()
            assert second.wait(PATIENCE)
            stream.answer(b"old connection")
        elif stream.conn is server.connections[0]:
            stream.conn.leave(1)
            second.set()
        else:
            stream.answer(b"new connection")

    server = h2_origin(handler)
    proxy = start(settings(server.url))
    with proxy.connect() as one, proxy.connect() as two:
        one.send(GET.format("/first"))
        assert first.wait(PATIENCE)
        two.send("POST /second HTTP/1.1\r\nHost: test.example\r\nContent-Length: 1\r\n\r\nx")
        assert two.read_answer().body == b"new connection"
        assert one.read_answer().body == b"old connection"
    assert len(server.connections) == 2
    assert server.connections[0].ended.wait(PATIENCE)


def test_a_reset_stream_is_502_and_its_connection_serves_on(start, h2_origin):
    def handler(stream):
        if stream.path == "/bad":
            stream.reset(INTERNAL_ERROR)
        else:
            stream.answer()

    server = h2_origin(handler)
    proxy = start(settings(server.url, service="tries: 1"))
    assert proxy.get("/bad").status == 502
    assert proxy.get("/good").status == 200
    assert len(server.connections) == 1
    proxy.log_lines("GET /bad 502 server-gone .*reset the stream: INTERNAL_ERROR")


def test_a_reset_in_the_body_breaks_the_answer(start, h2_origin):
    has_begun = threading.Event()

    def handler(stream):
        stream.head(200)
        stream.send(b"begin")
        assert has_begun.wait(PATIENCE)
        stream.reset(INTERNAL_ERROR)

    proxy = start(settings(h2_origin(handler).url))
    with proxy.connect() as client:
        client.send(GET.format("/"))
        assert client.read_head().status == 200
        has_begun.set()
        assert not client.read_to_end().endswith(b"0\r\n\r\n")
    proxy.log_lines("server-gone")


def test_an_idle_connection_that_has_died_costs_repeatable_requests_nothing(start, h2_origin):
    def handler(stream):
        if stream.path == "/last":
            stream.conn.close()
        else:
            stream.answer()

    server = h2_origin(handler)
    proxy = start(settings(server.url))
    assert proxy.get("/").status == 200
    with proxy.connect() as client:
        client.send(GET.format("/last"))
        assert client.read_answer().status == 502  # on the old one, then on new ones
    assert proxy.get("/").status == 200
    assert proxy.get("/last", method="POST", headers="Content-Length: 0\r\n").status == 502
    assert [s["x"] for s in server.requests if s[":method"] == "POST"] == [None]  # once


def test_a_connection_without_a_sign_of_life_is_given_up(start, h2_origin):
    dead = []

    def handler(stream):
        if stream.conn in dead:
            return
        stream.answer()

    server = h2_origin(handler, answers_pings=False)
    proxy = start(settings(server.url, service="connect-timeout: 500ms, answer-timeout: 20s"))
    assert proxy.get().status == 200
    dead.append(server.connections[0])
    threading.Event().wait(2.2)  # so long it must have been silent
    assert proxy.get().status == 200
    assert len(server.connections) == 2
    assert server.connections[0].pings.get(timeout=PATIENCE)


def test_idle_connections_are_closed_with_goaway(start, h2_origin):
    server = h2_origin()
    proxy = start(settings(server.url, service="idle-timeout: 100ms"))
    assert proxy.get().status == 200
    conn = server.connections[0]
    assert conn.ended.wait(PATIENCE)
    assert conn.goaway[:2] == (0, 0)


# --- limits ---

def test_the_servers_limit_of_streams_opens_more_connections(start, h2_origin):
    all_here = threading.Barrier(6, timeout=PATIENCE)

    def handler(stream):
        if stream.path == "/all":
            all_here.wait()
        stream.answer()

    server = h2_origin(handler, settings={"streams": 2})
    proxy = start(settings(server.url))
    assert proxy.get().status == 200
    statuses = []
    threads = [threading.Thread(target=lambda: statuses.append(proxy.get("/all").status))
               for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert statuses == [200] * 6
    per_conn = [max((s for s in server.requests if s.conn is c), key=lambda s: s.id).id
                for c in server.connections]
    assert len(server.connections) >= 3 and per_conn


def test_full_connections_make_requests_wait_and_a_full_queue_is_503(start, h2_origin):
    may_go = threading.Event()

    def handler(stream):
        assert may_go.wait(PATIENCE)
        stream.answer()

    server = h2_origin(handler, settings={"streams": 1})
    proxy = start(settings(server.url, service="connections-max: 1, queue-max: 1"))
    with proxy.connect() as first, proxy.connect() as second, proxy.connect() as third:
        first.send(GET.format("/first"))
        assert server.next_request().path == "/first"
        second.send(GET.format("/second"))
        third.send(GET.format("/third"))
        refused, _, _ = select.select([second.sock, third.sock], [], [], PATIENCE)
        assert len(refused) == 1  # whichever came later
        may_go.set()
        answers = [client.read_answer().status for client in (first, second, third)]
    assert answers[0] == 200 and sorted(answers[1:]) == [200, 503]
    assert len(server.connections) == 1


# --- TLS ---

def tls(server, cert, http=""):
    return settings(server.url, service=f"tls: {{ ca: '{cert.file}' }}, {http}")


@pytest.fixture(scope="module")
def cert(tmp_path_factory):
    return Certificate(tmp_path_factory.mktemp("cert"), ["127.0.0.1"])


def test_alpn_chooses_http_2(start, h2_origin, cert):
    server = h2_origin(cert=cert)
    proxy = start(tls(server, cert))
    for _ in range(3):
        assert proxy.get().body == b"hello"
    assert server.next_request()[":scheme"] == "https"
    assert len(server.connections) == 1


def test_a_burst_before_the_first_connection_shares_it(start, h2_origin, cert):
    server = h2_origin(cert=cert)
    # A slow machine isn't a slow server.
    proxy = start(tls(server, cert, "connect-timeout: 30s"))
    statuses = []
    threads = [threading.Thread(target=lambda: statuses.append(proxy.get().status))
               for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert statuses == [200] * 10
    assert len(server.connections) == 1


def test_http_2_alone_refuses_a_server_without_it(start, h2_origin, cert):
    server = h2_origin(cert=cert, alpn=["http/1.1"])
    proxy = start(tls(server, cert, "http: 2"))
    assert proxy.get().status == 502
    proxy.log_lines("server-tls .*(HTTP/2|protocol)")


@pytest.mark.parametrize("http,speaks", [("", "HTTP/2.0"), ("http: 2", "HTTP/2.0"),
                                         ("http: 1.1", "HTTP/1.1"), ("http: auto", "HTTP/2.0")])
def test_nginx_speaks_what_the_setting_says(start, nginx, cert, http, speaks):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    nginx(f"listen 127.0.0.1:{port} ssl http2; ssl_certificate {cert.file}; "
          f"ssl_certificate_key {cert.key_file}; return 200 $server_protocol;")
    proxy = start(settings(f"https://127.0.0.1:{port}",
                           service=f"tls: {{ ca: '{cert.file}' }}, {http}"))
    for _ in range(2):
        assert proxy.get().text == speaks


HTTP_1_1_REQUIRED = 13


@pytest.mark.parametrize("refuse", [lambda stream: stream.reset(HTTP_1_1_REQUIRED),
                                    lambda stream: stream.conn.leave(0, HTTP_1_1_REQUIRED)])
def test_a_server_that_asks_for_http_1_gets_it(start, h2_origin, cert, refuse):
    """RFC 9113 7: the request is repeated by HTTP/1.1, and the next ones begin with that."""
    server = h2_origin(refuse, cert=cert, alpn=["h2", "http/1.1"])
    proxy = start(tls(server, cert))
    for method in ("POST", "GET"):
        answer = proxy.get(method=method, headers="Content-Length: 4\r\n", body=b"body")
        assert (answer.status, answer.text) == (200, f"{method} by HTTP/1.1")
    assert len(server.requests) == 1
    proxy.wait_line("it gets HTTP/1.1 where the settings leave the choice", proxy.err)


def test_a_server_of_http_2_alone_that_asks_for_http_1_is_502(start, h2_origin):
    server = h2_origin(lambda stream: stream.reset(HTTP_1_1_REQUIRED))
    proxy = start(settings(server.url))
    assert proxy.get().status == 502
    proxy.log_lines("GET / 502 server-protocol .*HTTP_1_1_REQUIRED")
    assert len(server.requests) == 1


def test_settings_that_contradict_the_url_are_errors(start, tmp_path):
    for text, said in (("servers: ['h2c://127.0.0.1:1'], http: 1.1", "speaks HTTP/2, but"),
                       ("servers: ['tcp://127.0.0.1:1'], http: 2", "TCP routes speak none")):
        file = tmp_path / "bad.yaml"
        file.write_text(f"services: {{ app: {{ {text} }} }}\n"
                        "entrypoints: { web: '127.0.0.1:0' }\n")
        assert said in run("check", "--config", file, check=1).stderr
