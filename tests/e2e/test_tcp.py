# SPDX-License-Identifier: Apache-2.0
"""TCP routes: connections that pass through untouched, by the name in a ClientHello or by none."""
import hashlib
import json
import os
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest

from harness import IS_SANITIZED, PATIENCE, Listener, kill_and_wait, memory_kb, run, wait_until

ALERT_UNRECOGNIZED_NAME = b"\x15\x03\x03\x00\x02\x02\x70"


class Peer:
    """A TCP server that hands each connection to talk(sock) on a thread."""

    def __init__(self, talk, path=None):
        self.talk = talk
        self.listener = Listener(self._serve, path=path)
        self.port, self.stop = self.listener.port, self.listener.stop
        self.url = f"unix:{path}" if path else f"tcp://{self.listener.address}"

    @property
    def accepted(self):
        return self.listener.n_connections

    def _serve(self, sock):
        sock.settimeout(PATIENCE)
        try:
            self.talk(sock)
        except OSError:
            pass
        sock.close()


@pytest.fixture
def peer():
    running = []

    def go(talk, **kwargs):
        server = Peer(talk, **kwargs)
        running.append(server)
        return server

    yield go
    for server in running:
        server.stop()


def echo(sock):
    while data := sock.recv(65536):
        sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)


def named(name):
    def talk(sock):
        sock.sendall(name)
        while sock.recv(65536):
            pass
    return talk


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """(certificate, key, DER) of own.example, which no authority knows."""
    folder = tmp_path_factory.mktemp("own")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", folder / "key.pem", "-out",
                    folder / "cert.pem", "-subj", "/CN=own.example", "-days", "30", "-addext",
                    "subjectAltName=DNS:own.example,DNS:*.own.example"],
                   check=True, capture_output=True)
    pem = (folder / "cert.pem").read_text()
    return folder / "cert.pem", folder / "key.pem", ssl.PEM_cert_to_DER_cert(pem)


@pytest.fixture
def tls_peer(peer, certificate):
    """A TLS server that answers with the name it was asked for and what it reads."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate[:2])
    asked = []
    context.sni_callback = lambda sock, name, ctx: asked.append(name)

    def talk(sock):
        with context.wrap_socket(sock, server_side=True) as tls:
            while data := tls.recv(65536):
                tls.sendall(data)

    server = peer(talk)
    server.asked = asked
    return server


def connect(port, timeout=PATIENCE):
    sock = socket.create_connection(("127.0.0.1", port), timeout=timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def read_all(sock):
    data = b""
    try:
        while more := sock.recv(1 << 20):
            data += more
    except ConnectionResetError:
        pass
    return data


def exactly(sock, n):
    data = b""
    while len(data) < n:
        more = sock.recv(n - len(data))
        assert more, f"closed after {data!r}"
        data += more
    return data


def tls_client():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def hello_for(name, padding=0, record=1 << 14):
    """A ClientHello as Python's ssl sends it, with an extension for nothing, in records of at most so
    many bytes."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = tls_client().wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    message = bytearray(outgoing.read()[5:])
    if padding:
        extra = struct.pack(">HH", 0x7a7a, padding) + bytes(padding)  # RFC 8701
        at = 4 + 2 + 32
        at += 1 + message[at]
        at += 2 + int.from_bytes(message[at:at + 2], "big")
        at += 1 + message[at]
        n = int.from_bytes(message[at:at + 2], "big") + len(extra)
        message[at:at + 2] = n.to_bytes(2, "big")
        message += extra
        message[1:4] = (len(message) - 4).to_bytes(3, "big")
    pieces = [message[i:i + record] for i in range(0, len(message), record)]
    return b"".join(b"\x16\x03\x01" + struct.pack(">H", len(p)) + bytes(p) for p in pieces)


def settings(*routes, services="", entry="protocol: tcp", more=""):
    listed = "\n".join(f"  - {{ match: '{match}', to: '{to}' }}" for match, to in routes)
    return (f"entrypoints: {{ raw: {{ listen: '127.0.0.1:0', {entry} }} }}\n"
            f"routes:\n{listed}\n{services}\naccess-log: {{ format: json }}\n{more or 'drain-timeout: 5s'}")


ANY = "HostSNI(`*`)"


def log_line(proxy, pattern="", count=1):
    return json.loads(proxy.log_lines(pattern or "tcp", count)[count - 1])


def counter(proxy, name):
    """A counter of the gate that serves."""
    return proxy.ask(command="status")["status"]["report"]["counters"][name]


def test_the_server_may_speak_first(start, peer):
    """Mail and databases do. Nobody waits for the client's first byte."""
    proxy = start(settings((ANY, peer(named(b"220 mail.example ESMTP\r\n")).url)))
    began = time.monotonic()
    with connect(proxy.port) as client:
        assert exactly(client, 24) == b"220 mail.example ESMTP\r\n"
    assert time.monotonic() - began < 2  # TCP_DEFER_ACCEPT would hand it over after 5 s
    line = log_line(proxy)
    assert (line["scheme"], line["bytes-out"], line["end"]) == ("tcp", 24, "ok")


def test_an_entrypoint_may_become_one_for_tcp_and_back(start, peer, origin):
    """Servers that speak first needn't wait after a reload either."""
    http = f"sites: {{ test.example: '{origin().url}' }}\nentrypoints: {{ raw: '127.0.0.1:0' }}\n"
    mail = peer(named(b"220 hello\r\n"))
    proxy = start(http)
    port = proxy.port
    assert proxy.get().status == 200
    proxy.reload(settings((ANY, mail.url)), 2)
    with connect(port) as client:
        began = time.monotonic()
        assert exactly(client, 11) == b"220 hello\r\n"
        assert time.monotonic() - began < 2
        proxy.reload(http, 3)
        assert proxy.get(port=port).status == 200
        client.sendall(b"QUIT\r\n")  # it lives on
    wait_until(lambda: any('"ok"' in line and '"tcp"' in line for line in proxy.out), "its line")


def test_megabytes_pass_both_ways_unchanged(start, peer):
    """100 MB each way at once, with checksums."""
    size = 100 << 20
    block = os.urandom(1 << 20)
    sums = {}

    def send(sock):
        for i in range(size >> 20):
            sock.sendall(block[i:] + block[:i])
        sock.shutdown(socket.SHUT_WR)

    def receive(sock, who):
        digest, n = hashlib.sha256(), 0
        while data := sock.recv(1 << 20):
            digest.update(data)
            n += len(data)
        sums[who] = (n, digest.hexdigest())

    def talk(sock):
        sender = threading.Thread(target=send, args=(sock,))
        sender.start()
        receive(sock, "server")
        sender.join()

    wanted = hashlib.sha256()
    for i in range(size >> 20):
        wanted.update(block[i:] + block[:i])
    proxy = start(settings((ANY, peer(talk).url)))
    with connect(proxy.port) as client:
        sender = threading.Thread(target=send, args=(client,))
        sender.start()
        receive(client, "client")
        sender.join()
    wait_until(lambda: len(sums) == 2, "the server's sum")
    line = log_line(proxy)
    assert (line["bytes-in"], line["bytes-out"]) == (size, size)
    assert sums["client"] == sums["server"] == (size, wanted.hexdigest())


def test_the_end_of_one_side_leaves_the_other_open(start, peer):
    """Half-close, both ways."""
    def talk(sock):
        heard = read_all(sock)  # to the client's end
        sock.sendall(b"heard " + heard)

    def first(sock):
        sock.sendall(b"all I say")
        sock.shutdown(socket.SHUT_WR)
        heard.append(read_all(sock))

    heard = []
    for handler in talk, first:
        proxy = start(settings((ANY, peer(handler).url)))
        with connect(proxy.port) as client:
            if handler is talk:
                client.sendall(b"you")
                client.shutdown(socket.SHUT_WR)
                assert read_all(client) == b"heard you"
            else:
                assert read_all(client) == b"all I say"
                client.sendall(b"late")
                client.shutdown(socket.SHUT_WR)
                wait_until(lambda: heard == [b"late"], "the client's words")


def test_servers_take_turns_and_one_that_is_down_is_passed_over(start, peer):
    """Weights, retries and skips are those of every service; Unix sockets serve as well."""
    heavy, light = peer(named(b"A")), peer(named(b"B"))
    gone = peer(echo)
    gone.stop()
    proxy = start(settings((ANY, "app"), services=(
        "services: { app: { servers: ["
        f"{{ url: '{heavy.url}', weight: 3 }}, '{light.url}', '{gone.url}'] }} }}")))
    got = []
    for _ in range(8):
        with connect(proxy.port) as client:
            got.append(exactly(client, 1))
    assert sorted(got) == [b"A"] * 6 + [b"B"] * 2
    lines = [json.loads(line) for line in proxy.log_lines("tcp", 8)]
    assert sorted(line["tries"] for line in lines) == [1] * 7 + [2]
    assert f"127.0.0.1:{heavy.port}" in [line["server"] for line in lines]


def test_a_unix_socket_serves_tcp_routes(start, peer, tmp_path):
    proxy = start(settings((ANY, peer(echo, path=tmp_path / "s").url)))
    with connect(proxy.port) as client:
        client.sendall(b"hello")
        assert exactly(client, 5) == b"hello"


def test_without_a_server_the_connection_is_closed_and_told(start, peer):
    gone = peer(echo)
    gone.stop()
    proxy = start(settings((ANY, gone.url)))
    with connect(proxy.port) as client:
        assert read_all(client) == b""
    line = log_line(proxy)
    assert line["end"] == "server-connect"
    assert "refused" in line["end-detail"]


def test_rules_of_addresses_need_no_byte(start, peer):
    proxy = start(settings((ANY + " && ClientIP(`127.0.0.0/8`)", peer(named(b"in")).url),
                           (ANY + " && ClientIP(`10.0.0.0/8`)", peer(named(b"out")).url)))
    with connect(proxy.port) as client:
        assert exactly(client, 2) == b"in"
    proxy.reload(settings((ANY + " && ClientIP(`10.0.0.0/8`)", peer(named(b"out")).url)), 2)
    with connect(proxy.port) as client:
        assert read_all(client) == b""
    assert log_line(proxy, "no-route")["end"] == "no-route"


def test_names_lead_to_servers_whose_own_certificates_are_shown(start, tls_peer, peer, certificate):
    """S3-2: the server's certificate reaches the client byte for byte; other names get an alert."""
    proxy = start(settings(("HostSNI(`own.example`) || HostSNI(`*.own.example`)", tls_peer.url),
                           ("HostSNIRegexp(`^db[0-9]+\\.example$`)", peer(named(b"db")).url)))
    for name in "own.example", "OWN.example", "a.own.example":
        with tls_client().wrap_socket(connect(proxy.port), server_hostname=name) as client:
            assert client.getpeercert(binary_form=True) == certificate[2]
            client.sendall(b"secret")
            assert client.recv(100) == b"secret"
    assert tls_peer.asked == ["own.example", "OWN.example", "a.own.example"]
    line = log_line(proxy)
    assert (line["host"], line["route"], line["end"]) == ("own.example", "route/1", "ok")
    with connect(proxy.port) as client:
        client.sendall(hello_for("db7.example"))
        assert exactly(client, 2) == b"db"
    for name in "other.example", "a.b.own.example", None:
        with connect(proxy.port) as client:
            client.sendall(hello_for(name))
            assert read_all(client) == ALERT_UNRECOGNIZED_NAME


def test_a_route_for_all_takes_names_that_nobody_else_does(start, peer):
    proxy = start(settings(("HostSNI(`a.example`)", peer(named(b"A")).url),
                           (ANY, peer(named(b"*")).url)))
    for name, wanted in ("a.example", b"A"), ("b.example", b"*"), (None, b"*"):
        with connect(proxy.port) as client:
            client.sendall(hello_for(name))
            assert exactly(client, 1) == wanted


def test_a_client_hello_may_come_in_any_pieces(start, peer):
    """One byte at a time, in records of one byte, and larger than a segment or a record."""
    def talk(sock):
        got.append(read_all(sock))
        sock.sendall(b"!")

    got = []
    proxy = start(settings(("HostSNI(`a.example`)", peer(talk).url)))
    whole = hello_for("a.example")
    cases = [[whole[i:i + 1] for i in range(len(whole))],
             [hello_for("a.example", record=1)],
             [hello_for("a.example", padding=6000, record=1000)],
             [hello_for("a.example", padding=15000, record=16)],  # 15 KiB, in 20 KiB of records
             [whole, b"and then data"],
             [whole[:100], whole[100:] + b"at once"]]
    for pieces in cases:
        got.clear()
        with connect(proxy.port) as client:
            for piece in pieces:
                client.sendall(piece)
                if len(pieces) > 3:
                    time.sleep(0.0005)
            client.shutdown(socket.SHUT_WR)
            assert exactly(client, 1) == b"!"
        assert got == [b"".join(pieces)]


def test_what_is_no_client_hello_is_closed_unheard(start, peer):
    server = peer(echo)
    proxy = start(settings(("HostSNI(`a.example`)", server.url),
                           entry="protocol: tcp, head-timeout: 300ms"))
    with connect(proxy.port) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        assert read_all(client).startswith(b"HTTP/1.1 400 ")
    with connect(proxy.port) as client:
        client.sendall(b"\0\0\0\1 no TLS at all")
        assert read_all(client) == b""
    with connect(proxy.port) as client:  # larger than any limit
        client.sendall(hello_for("a.example", padding=40000))
        assert server.accepted == 0 and b"HTTP" not in read_all(client)
    for slow in b"", hello_for("a.example")[:50]:
        began = time.monotonic()
        with connect(proxy.port) as client:
            client.sendall(slow)
            assert read_all(client) == b""
        assert 0.2 < time.monotonic() - began < 5
    assert server.accepted == 0


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_servers_are_told_the_client_by_a_proxy_header(start, peer, version):
    """S3-3: the client's address, with PROXY v1 or v2; before what the client has sent."""
    def talk(sock):
        got.append(sock.recv(65536))
        sock.sendall(b"hello")
        got.append(read_all(sock))

    got = []
    proxy = start(settings((ANY, "app"), services=(
        f"services: {{ app: {{ servers: '{peer(talk).url}', proxy-protocol: {version} }} }}")))
    with connect(proxy.port) as client:
        here, there = client.getsockname()[1], client.getpeername()[1]
        assert exactly(client, 5) == b"hello"
        client.sendall(b"data")
        client.shutdown(socket.SHUT_WR)
        read_all(client)
    if version == "v1":
        header = f"PROXY TCP4 127.0.0.1 127.0.0.1 {here} {there}\r\n".encode()
    else:
        header = (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes([127, 0, 0, 1] * 2)
                  + struct.pack(">HH", here, there))
    assert got == [header, b"data"]
    assert log_line(proxy)["bytes-in"] == 4


def test_nginx_believes_the_proxy_header(start, nginx, certificate):
    """S3-3: pass-through with PROXY v2 to a real server, which sees the client and its TLS."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    cert, key, der = certificate
    nginx(f"listen 127.0.0.1:{port} ssl proxy_protocol; ssl_certificate {cert}; "
          f"ssl_certificate_key {key}; set_real_ip_from 127.0.0.1; "
          "location / { return 200 \"$proxy_protocol_addr:$proxy_protocol_port $ssl_server_name "
          "$proxy_protocol_server_port\"; }")
    proxy = start(settings(("HostSNI(`own.example`)", "app"), services=(
        f"services: {{ app: {{ servers: 'tcp://127.0.0.1:{port}', proxy-protocol: v2 }} }}")))
    sock = connect(proxy.port)
    mine = sock.getsockname()[1]
    with tls_client().wrap_socket(sock, server_hostname="own.example") as client:
        assert client.getpeercert(binary_form=True) == der
        client.sendall(b"GET / HTTP/1.0\r\nHost: own.example\r\n\r\n")
        assert read_all(client).endswith(f"127.0.0.1:{mine} own.example {proxy.port}".encode())
    done = subprocess.run(["curl", "-sk", "--resolve", f"own.example:{proxy.port}:127.0.0.1",
                           f"https://own.example:{proxy.port}/"], capture_output=True, text=True,
                          timeout=PATIENCE)
    assert done.stdout.startswith("127.0.0.1:") and "own.example" in done.stdout


def test_idle_connections_hold_next_to_nothing(start, peer):
    """No fiber and no buffer of 16 KiB: a thousand cost less than two MiB."""
    n = 1000
    proxy = start(settings((ANY, peer(lambda sock: sock.recv(1)).url)))
    pid, clients = proxy.gate_pid(), []

    def more(by):
        clients.extend(connect(proxy.port) for _ in range(by))
        wait_until(lambda: counter(proxy, "tunnels open now") == len(clients), "all tunnels")

    more(50)  # what connecting takes at once is kept for the next ones
    before = memory_kb(pid)
    for _ in range(n // 50):
        more(50)
    print("bytes of a connection:", (memory_kb(pid) - before) * 1024 // n)
    assert IS_SANITIZED or memory_kb(pid) - before < 2 * 1024
    assert counter(proxy, "exchanges running now") == 0
    for client in clients:
        client.close()
    wait_until(lambda: counter(proxy, "tunnels open now") == 0, "their ends")


def test_connections_end_idle_and_by_the_limit_of_a_drain(start, peer):
    proxy = start(settings((ANY, peer(echo).url), entry="protocol: tcp, tunnel-timeout: 1s"))
    with connect(proxy.port) as client:
        assert read_all(client) == b""
    assert log_line(proxy)["end-detail"] == "idle"
    proxy = start(settings((ANY, peer(echo).url), more="drain-timeout: 500ms"))
    with connect(proxy.port) as client:
        client.sendall(b"x")
        assert exactly(client, 1) == b"x"
        proxy.end()
        assert read_all(client) == b""
    assert json.loads(proxy.out[-1])["end"] == "shutdown"


def test_connections_live_through_a_reload_and_a_drain(start, peer):
    first, second = peer(echo), peer(named(b"new"))
    proxy = start(settings((ANY, first.url)))
    with connect(proxy.port) as client:
        client.sendall(b"x")
        assert exactly(client, 1) == b"x"
        proxy.reload(settings((ANY, second.url)), 2)
        client.sendall(b"y")
        assert exactly(client, 1) == b"y"
        with connect(proxy.port) as other:
            assert exactly(other, 3) == b"new"
        proxy.child.terminate()
        proxy.wait_line("stop", proxy.err)
        client.sendall(b"z")
        assert exactly(client, 1) == b"z"
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == b""
    assert proxy.end() == 0


def test_the_limit_of_connections_holds(start, peer):
    """S3-3: limits by connection still apply."""
    proxy = start(settings((ANY, peer(named(b"in")).url), more="connections-max: 16"))
    clients = [connect(proxy.port) for _ in range(16)]
    for client in clients:
        assert exactly(client, 2) == b"in"
    with connect(proxy.port) as one_more:
        assert read_all(one_more) == b""
    clients.pop().close()
    wait_until(lambda: counter(proxy, "connections open now") == 15, "room")
    with connect(proxy.port) as one_more:
        assert exactly(one_more, 2) == b"in"


def test_a_gate_that_dies_takes_only_its_own_connections(start, peer):
    proxy = start(settings((ANY, peer(echo).url)))
    with connect(proxy.port) as client:
        client.sendall(b"x")
        assert exactly(client, 1) == b"x"
        kill_and_wait(proxy.gate_pid())
        assert read_all(client) == b""
    with connect(proxy.port) as client:
        client.sendall(b"x")
        assert exactly(client, 1) == b"x"


def test_terminated_sites_and_passed_names_share_a_port(start, tls_peer, origin, certificate):
    """S3-2: one :443 for both; what nobody takes gets the certificate of the terminating side."""
    proxy = start(settings(("HostSNI(`own.example`)", tls_peer.url),
                           entry="tls: on", more=f"sites: {{ site.example: '{origin().url}' }}\n")
                  .replace("match:", "passthrough: on, match:"))
    with tls_client().wrap_socket(connect(proxy.port), server_hostname="own.example") as client:
        assert client.getpeercert(binary_form=True) == certificate[2]
        client.sendall(b"secret")
        assert client.recv(100) == b"secret"
    for name, status in ("site.example", b" 200 "), ("other.example", b" 404 "), (None, b" 404 "):
        with tls_client().wrap_socket(connect(proxy.port), server_hostname=name) as client:
            assert client.getpeercert(binary_form=True) != certificate[2]
            client.sendall(f"GET / HTTP/1.1\r\nHost: {name or 'x.example'}\r\n"
                           "Connection: close\r\n\r\n".encode())
            assert status in read_all(client)
    assert tls_peer.asked == ["own.example"]


@pytest.mark.parametrize("more, says", [
    ("use: [login]", "nothing can be done to the requests in them"),
    ("strip: /app", "nothing can be done to the requests in them"),
    ("match: 'HostSNI(`a.example`) && PathPrefix(`/api`)'", "TCP routes see no requests"),
    ("to: 'http://10.0.0.1'", "has servers for HTTP"),
    ("passthrough: off", "needs 'passthrough: on'"),
    ("entrypoints: [web]", "is for plain HTTP"),
])
def test_what_needs_requests_is_refused_on_a_passed_route(tmp_path, more, says):
    """S3-3: filters and matchers of requests are a clear error in the settings, with its place."""
    words = {"match": "'HostSNI(`a.example`)'", "to": "'tcp://10.0.0.1:443'", "passthrough": "on",
             "entrypoints": "[secure]"}
    words |= [more.split(": ", 1)]
    file = tmp_path / "sallyport.yaml"
    file.write_text("entrypoints: { web: ':80', secure: { listen: ':443', tls: on } }\n"
                    "filters: { login: { basic-auth: { users: [] } } }\n"
                    "routes:\n  - " + "\n    ".join(f"{k}: {v}" for k, v in words.items()) + "\n")
    done = run("check", "-c", file)
    assert done.returncode == 1
    said = [line for line in done.stderr.splitlines() if says in line]
    assert said and "sallyport.yaml:" in said[0], done.stderr


def test_explain_tells_the_way_of_a_connection(tmp_path):
    file = tmp_path / "sallyport.yaml"
    file.write_text("entrypoints: { raw: { listen: ':5432', protocol: tcp },"
                    " secure: { listen: ':443', tls: on } }\n"
                    "routes:\n"
                    "  - { match: HostSNI(`a.example`), passthrough: on, entrypoints: [secure],"
                    " to: 'tcp://10.0.0.1:443' }\n"
                    "  - { match: HostSNI(`*`), entrypoints: [raw], to: 'tcp://10.0.0.2:5432' }\n")
    for url, status, texts in [
            ("tls://A.example", 0, ["by TLS as a.example", "takes     route/1", "10.0.0.1:443"]),
            ("tls://b.example:443", 0, ["TLS ends here"]),
            ("tcp://:5432", 0, ["without being read", "takes     route/2", "10.0.0.2:5432"]),
            ("tcp://:x", 2, [])]:
        done = run("explain", "-c", file, url, check=status)
        for text in texts:
            assert text in done.stdout
    assert "2 routes" in run("check", "-c", file, check=0).stdout
