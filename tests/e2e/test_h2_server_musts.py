# SPDX-License-Identifier: Apache-2.0
"""What RFC 9113 says that a client MUST bear, do or leave, where a server of HTTP/2 that is in the right
sees it; test_http2_musts.py is the other side. What no client may ever send is checked by H2Origin for
each frame and each section of fields."""
import threading

import pytest
from certificates import Certificate
from h2_origin import H2Origin, frame
from harness import PATIENCE
from https import s_client

DATA, WINDOW = 0, 8
GET = "GET {} HTTP/1.1\r\nHost: test.example\r\n\r\n"


def number(n):
    return n.to_bytes(4, "big")


def shrink_table(stream):
    """The decoder raises for a block that doesn't obey, and the connection ends."""
    conn = stream.conn
    conn.settings(header_table=0)
    assert conn.acked.wait(PATIENCE)
    conn.decoder.max_allowed_table_size = 0
    stream.answer(b"shrunk")


def ping(stream):
    stream.conn.ping(b"abcdefgh")
    stream.conn.raw(frame(6, 1, 0, b"unasked!"))
    stream.conn.ping(b"12345678")
    stream.answer(b"%d" % stream.conn.pings.qsize())


def give_windows_late(stream):
    stream.conn.raw(frame(WINDOW, 0, stream.id, number(1)))
    stream.answer(b"late")
    stream.conn.raw(frame(WINDOW, 0, stream.id, number(1)))


def reset(stream):
    """Nothing but windows may come for the stream behind its RST_STREAM."""
    conn = stream.conn
    conn.ping()
    stream.reset(int(stream.path[7:]))
    conn.ping()
    n = len(conn.log)
    conn.ping()
    stream.after = [kind for kind, _, number in conn.log[n:] if number == stream.id]
    stream.done.set()


all_are_reset = threading.Barrier(12)


def send_late_data(stream):
    """All that the stream's window allows, as if it were on its way when the proxy has reset it."""
    conn = stream.conn
    stream.head(200, ("content-length", "1"))
    stream.send(b"xx")
    assert stream.was_reset.wait(PATIENCE)
    all_are_reset.wait(PATIENCE)  # nothing comes between what is late
    n = conn.take_window(None, stream.window)
    conn.raw(b"".join(frame(DATA, 0, stream.id, b"x" * min(16000, n - at))
                      for at in range(0, n, 16000)))
    stream.done.set()


def take_little(stream):
    """The window becomes negative, and then 10."""
    conn, got = stream.conn, 0
    while got < 65535:
        got += len(stream.incoming.get(timeout=PATIENCE))
    conn.settings(window=1000)
    assert conn.acked.wait(PATIENCE)
    conn.raw(frame(WINDOW, 0, 0, number(1 << 20)))
    conn.raw(frame(WINDOW, 0, stream.id, number(65535 - 1000 + 10)))
    got += len(stream.incoming.get(timeout=PATIENCE))
    conn.ping()
    stream.seen = got + sum(len(piece) for piece in stream.incoming.queue)
    conn.raw(frame(WINDOW, 0, stream.id, number(1 << 20)))
    n = got
    while piece := stream.incoming.get(timeout=PATIENCE):
        n += len(piece)
    stream.answer(b"%d" % n)
    stream.done.set()


ANSWERS = {"/shrink": shrink_table, "/ping": ping, "/late-windows": give_windows_late,
           "/late-data": send_late_data, "/little": take_little}


def handler(stream):
    stream.done = threading.Event()
    if stream.path.startswith("/reset/"):
        reset(stream)
    elif stream.path in ANSWERS:
        ANSWERS[stream.path](stream)
    else:
        stream.answer(stream.path.encode())


@pytest.fixture
def server():
    made = H2Origin(handler)
    yield made
    made.stop()


@pytest.fixture
def proxy(start, server):
    yield start(f"""
services: {{ app: {{ servers: ["{server.url}"] }} }}
routes: [ {{ match: "PathPrefix(`/`)", to: app }} ]
""")


def served_on_one(proxy, server):
    assert proxy.get("/fine").body == b"/fine"
    assert len(server.connections) == 1 and server.connections[0].goaway is None


def test_a_servers_smaller_table_is_obeyed(proxy, server):
    """4.3.1, 6.5.3."""
    assert proxy.get("/before").status == 200
    assert proxy.get("/shrink").body == b"shrunk"
    for _ in range(3):
        served_on_one(proxy, server)


def test_a_servers_pings_are_answered(proxy, server):
    """6.7: with the same bytes; an answer isn't answered."""
    assert proxy.get("/ping").body == b"0"
    served_on_one(proxy, server)


def test_windows_of_a_server_may_come_behind_the_end(proxy, server):
    """6.9: of our side, and of both."""
    assert proxy.get("/late-windows").body == b"late"
    served_on_one(proxy, server)


@pytest.mark.parametrize("code", [0, 2, 8, 0xfefe, 0xffffffff])
def test_a_servers_resets_are_not_answered(proxy, server, code):
    """5.1, 5.4.2, 6.4, 7: no RST_STREAM for one, no frame behind it, whatever its code."""
    with proxy.connect() as client:
        client.send(f"POST /reset/{code} HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000000\r\n\r\n")
        client.send(b"x" * 100000)
        stream = server.next_request()
        assert client.read_head().status == 502
    assert stream.done.wait(PATIENCE)
    assert stream.reset_code is None and stream.after == []
    served_on_one(proxy, server)


def test_late_data_of_a_server_is_read_over(proxy, server):
    """5.1, 5.4.2, 6.9: what comes for streams that were reset ends nothing, however much it is."""
    def get():
        with proxy.connect() as client:
            client.send(GET.format("/late-data"))
            client.read_head()

    served_on_one(proxy, server)
    threads = [threading.Thread(target=get) for _ in range(all_are_reset.parties)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    streams = [stream for stream in server.requests if stream.path == "/late-data"]
    assert all(stream.done.wait(PATIENCE) for stream in streams)
    server.connections[0].ping()
    served_on_one(proxy, server)


def test_a_servers_window_may_shrink_below_nothing(proxy, server):
    """6.9.2: not one byte is sent before it is positive again."""
    with proxy.connect() as client:
        client.send("POST /little HTTP/1.1\r\nHost: a.example\r\nContent-Length: 200000\r\n\r\n")
        sender = threading.Thread(target=client.send, args=(b"x" * 200000,))
        sender.start()
        stream = server.next_request()
        assert client.read_answer().body == b"200000"
        sender.join(PATIENCE)
    assert stream.done.wait(PATIENCE) and stream.seen == 65545


def test_options_of_the_server_itself(start, server):
    """8.3.1: the path is '*', whatever version it comes by and goes on with."""
    proxy = start(f"""
entrypoints: {{ web: {{ listen: "127.0.0.1:0", h2c: yes }} }}
services: {{ app: {{ servers: ["{server.url}"] }} }}
sites: {{ test.example: {{ to: app }} }}
""")
    with proxy.connect() as client:
        assert client.exchange("OPTIONS * HTTP/1.1\r\nHost: test.example\r\n\r\n").body == b"*"
    assert server.next_request()[":method"] == "OPTIONS"


SUITE = "ECDHE-RSA-AES128-GCM-SHA256"


def test_the_suite_that_everybody_has(start, tmp_path):
    """9.2.1, 9.2.2: TLS 1.2 with TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 and P-256, on both sides."""
    cert = Certificate(tmp_path / "certs", ["a.example", "127.0.0.1"], use_rsa=True)
    server = H2Origin(lambda stream: stream.answer(stream.conn.sock.cipher()[0].encode()), cert=cert)
    server.context.maximum_version = 0x0303
    server.context.set_ciphers(SUITE)
    server.context.set_ecdh_curve("prime256v1")
    proxy = start(f"""
entrypoints:
  web: {{ listen: "127.0.0.1:0" }}
  websecure: {{ listen: "127.0.0.1:0", tls: {{ certificates: [{{ cert: {cert.file}, key: {cert.key_file} }}] }} }}
services: {{ app: {{ servers: ["{server.url}"], tls: {{ ca: {cert.file} }}, http: "2" }} }}
sites: {{ a.example: {{ to: app, redirect-to-https: off }} }}
""")
    with proxy.connect("web") as client:
        got = client.exchange("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        assert got.status == 200 and got.body == SUITE.encode()
    is_done, said = s_client(proxy.ports["websecure"], "-alpn", "h2", "-tls1_2", "-cipher", SUITE,
                             "-curves", "P-256")
    assert is_done and "ALPN protocol: h2" in said and SUITE in said, said
    server.stop()
