# SPDX-License-Identifier: Apache-2.0
"""TLS to servers: who is believed, what a failure says and to whom, sessions, and that everything
that HTTP does goes through TLS unharmed."""
import json
import random
import re
import socket
import ssl
import threading

import pytest

from certificates import Authority, Certificate
from harness import PATIENCE, Nginx, Origin, is_refused, ok, run, wait_until

LARGE = random.Random(4).randbytes(10_000_000)


class TlsOrigin(Origin):
    """An Origin behind Python's TLS. before(sock): what happens before a handshake, or instead."""

    def __init__(self, handler=None, cert=None, before=None, client_ca=None, newest=None, **kwargs):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.set_alpn_protocols(["http/1.1"])
        if cert:
            self.use(cert)
        if client_ca:
            self.context.verify_mode = ssl.CERT_REQUIRED
            self.context.load_verify_locations(client_ca.file)
        if newest:
            self.context.maximum_version = newest
        self.context.sni_callback = lambda sock, name, _: self.names.append(name)
        self.names, self.handshakes, self.failures, self.resumed = [], [], [], []
        self.before = before
        super().__init__(handler, **kwargs)
        self.url = self.url.replace("http://", "https://")

    def use(self, cert):
        self.context.load_cert_chain(cert.file, cert.key_file)

    def _serve(self, sock):
        try:
            if self.before:
                self.before(sock)
            sock.settimeout(PATIENCE)
            tls = self.context.wrap_socket(sock, server_side=True)
        except OSError as error:
            self.failures.append(error)
            sock.close()
            return
        self.handshakes.append(tls)
        self.resumed.append(tls.session_reused)
        self.connections.append(tls)
        super()._serve(tls)


def end_tls(conn):
    """Closes with a close_notify, and doesn't wait for the other side's."""
    conn.sock.settimeout(0.0)
    try:
        conn.sock.unwrap()
    except (OSError, ValueError):  # the other side was faster
        pass
    conn.is_done = True


@pytest.fixture
def ca(tmp_path):
    return Authority(tmp_path / "pki")


@pytest.fixture
def tls_origin():
    running = []

    def go(handler=None, cert=None, **kwargs):
        running.append(TlsOrigin(handler, cert, **kwargs))
        return running[-1]

    yield go
    for server in running:
        server.stop()


def site(servers, tls="", more="", tail=""):
    """Settings of one site; tls: what its service says of it."""
    urls = [servers] if isinstance(servers, str) else servers
    return (f"sites: {{ test.example: app }}\nservices:\n  app:\n    servers: {json.dumps(urls)}\n"
            + (f"    tls: {{ {tls} }}\n" if tls else "") + more + tail)


# --- who is believed ---

def test_a_verified_server_is_asked_in_tls(start, tls_origin, ca):
    """S3-1, S2-5: re-encryption with verification; forwarding fields stay as they are."""
    server = tls_origin(cert=ca.issue("app.internal"))
    proxy = start(site(server.url, f"ca: {ca.file}, server-name: app.internal"))
    answer = proxy.get("/a?b=c", headers="X-Forwarded-For: 192.0.2.9\r\n")
    assert (answer.status, answer.text) == (200, "hello")
    request = server.next_request()
    assert (request.target, request.get("Host")) == ("/a?b=c", "test.example")
    assert request.get("X-Forwarded-Proto") == "http"
    assert request.get("X-Forwarded-For") == "127.0.0.1"
    assert server.names == ["app.internal"]
    assert server.handshakes[0].selected_alpn_protocol() == "http/1.1"
    assert server.handshakes[0].version() == "TLSv1.3"


def test_a_url_s_host_is_the_name_by_default(start, tls_origin, ca):
    """An address is looked for among the certificate's addresses, and isn't sent as SNI."""
    by_name, by_ip = tls_origin(cert=ca.issue("localhost")), tls_origin(cert=ca.issue("127.0.0.1"))
    proxy = start(f"authorities: {ca.file}\nsites:\n"
                  f"  name.example: https://localhost:{by_name.port}\n"
                  f"  ip.example: {by_ip.url}\n")
    assert proxy.get(host="name.example").status == 200
    assert proxy.get(host="ip.example").status == 200
    assert (by_name.names, by_ip.names) == (["localhost"], [None])


def test_the_system_s_authorities_are_the_default(start, tls_origin, ca):
    """Nobody has signed this one that the system knows."""
    server = tls_origin(cert=ca.issue("127.0.0.1"))
    proxy = start(f"sites: {{ test.example: '{server.url}' }}\n")
    assert proxy.get().status == 502
    proxy.wait_line("signed by an unknown authority, Test authority", proxy.err)


@pytest.mark.parametrize("case, says", [
    ("name", "it has other.internal, 192.0.2.1; wanted app.internal"),
    ("no-name", "it has no name .*; wanted app.internal"),
    ("expired", r"expired on 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
    ("early", r"is not valid before 20\d\d-.*"),
    ("authority", "signed by an unknown authority, Somebody else"),
    ("self-signed", "it is self-signed"),
])
def test_what_is_wrong_is_told_to_the_log_alone(start, tls_origin, ca, tmp_path, case, says):
    cert = {
        "name": lambda: ca.issue("other.internal", "192.0.2.1"),
        "no-name": lambda: Certificate(tmp_path / "pki", (), issuer=ca, title="app.internal"),
        "expired": lambda: ca.issue("app.internal", days=(-9, -1)),
        "early": lambda: ca.issue("app.internal", days=(2, 9)),
        "authority": lambda: Authority(tmp_path / "b", "Somebody else").issue("app.internal"),
        "self-signed": lambda: Certificate(tmp_path / "c", ("app.internal",)),
    }[case]()
    server = tls_origin(cert=cert)
    proxy = start(site(server.url, f"ca: {ca.file}, server-name: app.internal")
                  + "\naccess-log: { format: json }\n")
    answer = proxy.get()
    assert answer.status == 502
    for word in ("internal", "certificate", "authority", "127.0.0.1:"):
        assert word not in answer.text
    line = proxy.wait_line(rf"certificate wasn't accepted: {says}; the pin of its key is (\S+)$",
                           proxy.err)
    assert line[1] == cert.pin
    assert "server-tls" in proxy.log_lines("502")[0]
    assert not server.requests


def test_a_pinned_key_is_believed_whatever_its_certificate_says(start, tls_origin, ca, tmp_path):
    appliance = Certificate(tmp_path / "pki", ("appliance",), days=(-9, -1), use_rsa=True)
    server = tls_origin(cert=appliance)
    proxy = start(site(server.url, f"pin: [{ca.pin}, {appliance.pin}]"))
    assert proxy.get().text == "hello"
    assert proxy.try_reload(site(server.url, f"pin: {ca.pin}"))
    assert proxy.get().status == 502
    line = proxy.wait_line(r"its key is not one of those in 'pin'; the pin of its key is (\S+)$",
                           proxy.err)
    assert line[1] == appliance.pin
    assert proxy.try_reload(site(server.url, f"pin: '{line[1]}'"))  # as the log says
    assert proxy.get().text == "hello"


def test_verification_can_be_off_and_check_warns(start, tls_origin, tmp_path):
    server = tls_origin(cert=Certificate(tmp_path / "pki", ("x",), days=(-9, -1)))
    settings = site(server.url, "verify: off")
    proxy = start(settings)
    assert proxy.get().text == "hello"
    done = run("check", "--config", proxy.file, check=0)
    assert re.search(r"yaml:5:\d+: warning: .*verify: off", done.stdout + done.stderr)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_client_certificate_is_shown_where_it_is_asked_for(start, tls_origin, ca, version):
    newest = ssl.TLSVersion.TLSv1_2 if version == "1.2" else None
    server = tls_origin(cert=ca.issue("127.0.0.1"), client_ca=ca, newest=newest)
    ours = ca.issue("proxy.internal", use_rsa=True)
    tls = f"ca: {ca.file}, cert: {ours.file}, key: {ours.key_file}"
    proxy = start(site(server.url, tls))
    assert proxy.get().text == "hello"
    subject = server.handshakes[0].getpeercert()["subject"]
    assert subject == ((("commonName", "proxy.internal"),),)
    assert proxy.try_reload(site(server.url, f"ca: {ca.file}"))
    assert proxy.get().status == 502
    # With TLS 1.3 the refusal comes behind the handshake, and a reset may overtake it.
    proxy.wait_line("alert|before an answer", proxy.err)
    assert server.failures


# --- protocols ---

def test_versions_have_bounds(start, tls_origin, ca):
    server = tls_origin(cert=ca.issue("127.0.0.1"), newest=ssl.TLSVersion.TLSv1_2)
    proxy = start(site(server.url, f"ca: {ca.file}"))
    assert proxy.get().text == "hello"
    assert server.handshakes[0].version() == "TLSv1.2"
    assert proxy.try_reload(site(server.url, f"ca: {ca.file}, min: '1.3'"))
    assert proxy.get().status == 502
    proxy.wait_line("refused the handshake: .*protocol version", proxy.err)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_sessions_are_resumed(start, tls_origin, ca, version):
    """A connection per request: all but the first are resumed, as the server sees it."""
    def answer(request, conn):
        conn.send(ok("hello", "Connection: close\r\n"))
        end_tls(conn)

    newest = ssl.TLSVersion.TLSv1_2 if version == "1.2" else None
    server = tls_origin(answer, cert=ca.issue("127.0.0.1"), newest=newest)
    proxy = start(site(server.url, f"ca: {ca.file}"))
    for _ in range(5):
        assert proxy.get().text == "hello"
    assert server.resumed == [False] + 4 * [True]
    status = json.dumps(proxy.ask(command="status"))
    assert '"tls": {"handshakes": 5, "resumed": 4}' in status


def test_connections_are_kept(start, tls_origin, ca):
    server = tls_origin(cert=ca.issue("127.0.0.1"))
    proxy = start(site(server.url, f"ca: {ca.file}"))
    for _ in range(20):
        assert proxy.get(method="POST", headers="Content-Length: 2\r\n", body=b"ab").status == 200
    assert (len(server.handshakes), len(server.requests)) == (1, 20)


def test_an_orderly_end_of_an_idle_connection_is_noticed(start, tls_origin, ca):
    has_answer, is_over = threading.Semaphore(0), threading.Semaphore(0)

    def answer(request, conn):
        conn.send(ok("hello"))
        assert has_answer.acquire(timeout=PATIENCE)
        conn.sock.unwrap()  # waits for the proxy's own end
        conn.is_done = True
        is_over.release()

    server = tls_origin(answer, cert=ca.issue("127.0.0.1"))
    proxy = start(site(server.url, f"ca: {ca.file}"))
    for i in range(5):
        assert proxy.get(method="POST", headers="Content-Length: 2\r\n", body=b"ab").status == 200
        assert server.n_connections == i + 1
        has_answer.release()
        assert is_over.acquire(timeout=PATIENCE)


# --- servers that speak no TLS, or not to the end ---

def hang_up(sock):
    sock.recv(1)
    raise ConnectionResetError("on purpose")


def talk_nonsense(sock):
    sock.recv(70_000)
    sock.sendall(b"220 mail.example ESMTP\r\n" * 20)
    raise ConnectionResetError("on purpose")


@pytest.mark.parametrize("before, says", [
    (hang_up, "the peer closed the connection in the handshake|the connection broke"),
    (talk_nonsense, "the peer broke the protocol: wrong version number"),
])
def test_failed_handshakes_are_told(start, tls_origin, ca, before, says):
    server = tls_origin(cert=ca.issue("127.0.0.1"), before=before)
    proxy = start(site(server.url, f"ca: {ca.file}"))
    assert proxy.get().status == 502
    proxy.wait_line(f"TLS with the server didn't come about: server 127.0.0.1:{server.port}: "
                    f"({says})", proxy.err)


def test_a_plain_server_is_not_taken_for_one_with_tls(start, origin, ca):
    server = origin(read_body=False)
    proxy = start(site(server.url.replace("http:", "https:"), f"ca: {ca.file}",
                       "    connect-timeout: 200ms\n"))
    assert proxy.get().status == 502
    assert not server.requests


def test_a_slow_handshake_ends_with_the_time_to_connect(start, tls_origin, ca):
    over = threading.Event()
    server = tls_origin(cert=ca.issue("127.0.0.1"), before=lambda sock: over.wait(PATIENCE))
    proxy = start(site(server.url, f"ca: {ca.file}", "    connect-timeout: 100ms\n"))
    assert proxy.get().status == 502
    proxy.wait_line("no TLS handshake in time", proxy.err)
    over.set()


def test_a_server_that_cant_be_believed_is_skipped(start, tls_origin, ca, tmp_path):
    """Requests go to those that can, and none is lost."""
    bad = tls_origin(cert=Certificate(tmp_path / "bad", ("127.0.0.1",)))
    good = tls_origin(cert=ca.issue("127.0.0.1"))
    proxy = start(site([bad.url, good.url], f"ca: {ca.file}"))
    for _ in range(10):
        assert proxy.get(method="POST", headers="Content-Length: 2\r\n", body=b"ab").status == 200
    assert (len(bad.requests), len(good.requests)) == (0, 10)
    assert bad.n_connections == 1
    proxy.wait_line("it is self-signed; .*; skipped for a while", proxy.err)


# --- what HTTP does ---

def nginx_tls(folder, cert, files):
    # The class lists "listen PORT": TLS listens beside it.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Nginx(folder, f"listen 127.0.0.1:{port} ssl; ssl_certificate {cert.file}; "
                   f"ssl_certificate_key {cert.key_file}; ssl_session_cache off;"
                   "location /in { return 200 $request_length; }", files)
    wait_until(lambda: not is_refused(port), "nginx")
    server.url = f"https://127.0.0.1:{port}"
    return server


def test_nginx_with_tls_serves_and_takes_large_bodies(start, ca, tmp_path):
    server = nginx_tls(tmp_path / "nginx", ca.issue("127.0.0.1"), {"large.bin": LARGE})
    try:
        proxy = start(site(server.url, f"ca: {ca.file}"))
        with proxy.connect() as client:
            for _ in range(3):
                client.send("GET /large.bin HTTP/1.1\r\nHost: test.example\r\n\r\n")
                assert client.read_answer().body == LARGE
        status = proxy.ask(command="status")
        assert server.url in json.dumps(status)
    finally:
        server.stop()


def test_large_bodies_go_both_ways(start, tls_origin, ca):
    server = tls_origin(lambda request, conn: ok(request.body), cert=ca.issue("127.0.0.1"))
    proxy = start(site(server.url, f"ca: {ca.file}"))
    with proxy.connect() as client:
        for frame in ("length", "chunks"):
            head = "POST / HTTP/1.1\r\nHost: test.example\r\n"
            if frame == "length":
                client.send(head + f"Content-Length: {len(LARGE)}\r\n\r\n")
                client.send(LARGE)
            else:
                client.send(head + "Transfer-Encoding: chunked\r\n\r\n")
                for at in range(0, len(LARGE), 500_000):
                    piece = LARGE[at:at + 500_000]
                    client.send(b"%x\r\n" % len(piece) + piece + b"\r\n")
                client.send("0\r\n\r\n")
            assert client.read_answer().body == LARGE
    assert len(server.handshakes) == 1


def test_an_early_answer_reaches_the_client(start, tls_origin, ca):
    def refuse(request, conn):
        conn.send(ok("too large", "Connection: close\r\n", "413 Content Too Large"))
        conn.is_done = True

    server = tls_origin(refuse, cert=ca.issue("127.0.0.1"), read_body=False)
    proxy = start(site(server.url, f"ca: {ca.file}"))
    with proxy.connect() as client:
        client.send("POST / HTTP/1.1\r\nHost: test.example\r\nContent-Length: 100000\r\n\r\n")
        assert client.read_answer().status == 413


def test_clients_may_leave_in_the_middle(start, tls_origin, ca):
    def answer(request, conn):
        if request.method == "POST":
            conn.sock.recv(1)  # never comes, as a byte of it isn't sent
        elif request.target == "/large":
            conn.send(ok(LARGE))
        return None if request.target == "/large" else "hello"

    server = tls_origin(answer, cert=ca.issue("127.0.0.1"), read_body=False)
    proxy = start(site(server.url, f"ca: {ca.file}"))
    for head in ("POST / HTTP/1.1\r\nHost: test.example\r\nContent-Length: 10\r\n\r\n",
                 "GET /large HTTP/1.1\r\nHost: test.example\r\n\r\n"):
        for leave in ("close", "reset"):
            client = proxy.connect()
            client.send(head)
            server.next_request()
            getattr(client, leave)()
    for _ in range(3):
        assert proxy.get().text == "hello"


def test_a_server_that_takes_no_more_is_given_up(start, tls_origin, ca):
    over = threading.Event()

    def sit(request, conn):
        over.wait(PATIENCE)

    server = tls_origin(sit, cert=ca.issue("127.0.0.1"), read_body=False)
    proxy = start(site(server.url, f"ca: {ca.file}", "    body-timeout: 300ms\n"))
    with proxy.connect() as client:
        client.send("POST / HTTP/1.1\r\nHost: test.example\r\n"
                    f"Content-Length: {len(LARGE)}\r\n\r\n")
        sender = threading.Thread(target=send_what_goes, args=(client, LARGE))
        sender.start()
        assert client.read_answer().status == 504
    over.set()
    sender.join()


def send_what_goes(client, data):
    try:
        client.send(data)
    except OSError:
        pass


def test_tunnels_go_through_tls(start, tls_origin, ca):
    def upgrade(request, conn):
        conn.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\n"
                  b"Connection: upgrade\r\n\r\nearly ")
        while data := conn.sock.recv(65536):
            conn.send(data)
        conn.is_done = True

    server = tls_origin(upgrade, cert=ca.issue("127.0.0.1"))
    proxy = start(site(server.url, f"ca: {ca.file}"))
    with proxy.connect() as client:
        client.send("GET / HTTP/1.1\r\nHost: test.example\r\nUpgrade: echo\r\n"
                    "Connection: upgrade\r\n\r\n")
        assert client.read_head().status == 101
        assert client.read_exactly(6) == b"early "
        for size in (1, 5000, 300_000):
            data = LARGE[:size]
            sender = threading.Thread(target=client.send, args=(data,))
            sender.start()
            assert client.read_exactly(size) == data
            sender.join()


@pytest.mark.parametrize("framing", ["close", "length", "chunks"])
@pytest.mark.parametrize("is_cut", [False, True])
def test_a_cut_is_not_an_end(start, tls_origin, ca, framing, is_cut):
    """RFC 8446 6.1: without close_notify, nobody knows whether that was all."""
    heads = {"close": "Connection: close", "length": "Content-Length: 11",
             "chunks": "Transfer-Encoding: chunked"}
    bodies = {"close": b"hello world", "length": b"hello world"[:5 if is_cut else 11],
              "chunks": b"b\r\nhello world\r\n" + (b"" if is_cut else b"0\r\n\r\n")}

    def answer(request, conn):
        conn.send(f"HTTP/1.1 200 OK\r\n{heads[framing]}\r\n\r\n".encode() + bodies[framing])
        if is_cut:
            assert has_begun.wait(PATIENCE)
            conn.is_done = True  # the socket is closed without a word of TLS
        else:
            end_tls(conn)

    has_begun = threading.Event()
    server = tls_origin(answer, cert=ca.issue("127.0.0.1"))
    proxy = start(site(server.url, f"ca: {ca.file}"))
    with proxy.connect() as client:
        client.send("GET / HTTP/1.1\r\nHost: test.example\r\n\r\n")
        if not is_cut:
            assert client.read_answer().text == "hello world"
            return
        client.read_head()
        has_begun.set()
        assert b"0\r\n\r\n" not in client.read_to_end()  # the last chunk
    proxy.wait_line("in the middle of the answer's body", proxy.err)


# --- settings ---

def test_new_authorities_take_effect_with_a_reload(start, tls_origin, tmp_path):
    """The file's content counts: kept connections of the old ones aren't used any more."""
    old, new = Authority(tmp_path / "old"), Authority(tmp_path / "new")
    file = tmp_path / "ca.pem"
    file.write_bytes(old.pem)
    server = tls_origin(cert=old.issue("127.0.0.1"))
    proxy = start(site(server.url, f"ca: {file}"))
    assert proxy.get().status == 200
    server.use(new.issue("127.0.0.1"))
    assert proxy.get().status == 200  # on the kept connection
    file.write_bytes(new.pem)
    assert proxy.try_reload()
    assert proxy.get().status == 200
    assert (len(server.handshakes), len(server.failures)) == (2, 0)
    file.write_bytes(old.pem)
    assert proxy.try_reload()
    assert proxy.get().status == 502
    file.write_bytes(b"nonsense")
    assert not proxy.try_reload()
    proxy.wait_line(r"ca\.pem: it holds no certificate", proxy.err)


def test_changes_of_tls_under_load_lose_nothing(start, tls_origin, ca):
    """Clients, sessions and connections of settings that go are given up by all workers."""
    server = tls_origin(cert=ca.issue("127.0.0.1", "app.internal"))
    variants = [site(server.url, f"ca: {ca.file}{more}") for more in
                ("", ", server-name: app.internal", ", max: '1.2'", f", pin: {ca.pin}")]
    proxy = start(variants[0], workers=2)
    is_over = threading.Event()
    statuses = []

    def ask():
        while not is_over.is_set():
            statuses.append(proxy.get().status)

    clients = [threading.Thread(target=ask) for _ in range(4)]
    for client in clients:
        client.start()
    for i in range(1, 13):
        assert proxy.try_reload(variants[i % 3])
    is_over.set()
    for client in clients:
        client.join()
    assert set(statuses) == {200} and len(statuses) > 12
    assert proxy.try_reload(variants[3])  # a pin that the server hasn't
    assert proxy.get().status == 502


@pytest.mark.parametrize("tls, says", [
    ("ca: /nonexistent.pem", "nonexistent.pem"),
    ("pin: abc", "is not a pin"),
    ("min: '1.3', max: '1.2'", "'min' is newer than 'max'"),
    ("server-name: 'a b'", "server-name"),
    ("key: KEY", "'key' needs 'cert'"),
    ("cert: CERT", "no private key"),
    ("verify: off, pin: PIN", "contradicts"),
    ("verfy: off", "did you mean"),
])
def test_wrong_settings_are_errors_with_their_place(tmp_path, ca, tls, says):
    for word, value in (("CERT", ca.file), ("KEY", ca.key_file), ("PIN", ca.pin)):
        tls = tls.replace(word, str(value))
    file = tmp_path / "sallyport.yaml"
    file.write_text(site("https://app.internal", tls))
    done = run("check", "--config", file)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert re.search(rf"sallyport.yaml:5:\d+: .*{re.escape(says)}", said), said


def test_tls_for_plain_servers_is_told_to_do_nothing(tmp_path):
    file = tmp_path / "sallyport.yaml"
    file.write_text(site("http://app.internal", "min: '1.3'"))
    done = run("check", "--config", file, check=0)
    assert "'tls' does nothing" in done.stdout + done.stderr


def test_explain_shows_servers_with_tls(tmp_path, ca):
    file = tmp_path / "sallyport.yaml"
    file.write_text(site("https://app.internal:8443", f"ca: {ca.file}"))
    done = run("explain", "--config", file, "http://test.example/", check=0)
    assert "https://app.internal:8443" in done.stdout
