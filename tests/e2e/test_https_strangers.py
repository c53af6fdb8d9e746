# SPDX-License-Identifier: Apache-2.0
"""Clients of other makers, and what the protocol allows them: curl, openssl s_client, GnuTLS, and
handshakes in pieces."""
import re
import shutil
import socket
import ssl
import subprocess

import pytest
from certificates import Authority
from harness import PATIENCE, Client, run, wait_until
from https import TlsClient, context, curl, get, root_of, s_client

REQUEST = "GET /{} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"
needs_gnutls = pytest.mark.skipif(not shutil.which("gnutls-cli"), reason="there is no gnutls-cli")


def settings(url, tls="on"):
    return (f"entrypoints:\n  websecure: {{ listen: '127.0.0.1:0', tls: {tls} }}\n"
            f"sites:\n  a.example: '{url}'\n")


@pytest.fixture
def ca(tmp_path):
    return Authority(tmp_path / "certificates")


# --- GnuTLS ---

def gnutls(proxy, *args, request=REQUEST.format("")):
    done = subprocess.run(["gnutls-cli", "--sni-hostname", "a.example", "--verify-hostname",
                           "a.example", "--x509cafile", root_of(proxy), "-p", str(proxy.port),
                           *map(str, args), "127.0.0.1"], input=request, capture_output=True,
                          text=True, timeout=PATIENCE)
    return done.stdout + done.stderr


@needs_gnutls
@pytest.mark.parametrize("version", ["TLS1.2", "TLS1.3"])
def test_gnutls_agrees(start, origin, version):
    """Versions, ALPN, resumption."""
    proxy = start(settings(origin().url))
    spoken = ("--priority", f"NORMAL:-VERS-ALL:+VERS-{version}")
    said = gnutls(proxy, *spoken, "--alpn", "http/1.1")
    assert "200 OK" in said and f"({version}-X.509)" in said or f"({version})" in said, said
    assert re.search(r"Application protocol: http/1\.1", said)
    assert "*** This is a resumed session" in gnutls(proxy, *spoken, "--resume")
    assert "200 OK" not in gnutls(proxy, *spoken, "--alpn", "smtp")


@needs_gnutls
def test_gnutls_shows_its_certificate(start, origin, ca):
    server, cert = origin(), ca.issue("client")
    proxy = start(settings(server.url, f"{{ client-auth: require, client-ca: '{ca.file}' }}"))
    own = ("--x509certfile", cert.file, "--x509keyfile", cert.key_file)
    for version in ("TLS1.2", "TLS1.3"):
        spoken = ("--priority", f"NORMAL:-VERS-ALL:+VERS-{version}")
        assert "200 OK" in gnutls(proxy, *spoken, *own)
        assert "200 OK" not in gnutls(proxy, *spoken)


# --- curl ---

def test_curl_agrees(start, origin, ca):
    """Versions, ALPN, client certificates."""
    server, cert = origin(lambda request, conn: "hello"), ca.issue("client")
    proxy = start(settings(server.url))
    root = root_of(proxy)
    for args in (["--tlsv1.3"], ["--tls-max", "1.2"], ["--http1.1"], ["--no-alpn"], ["--http2"]):
        status, said = curl(proxy, "https://a.example/", *args, trust=root)
        assert status == 0 and said.endswith("hello"), (args, said)
    assert curl(proxy, "https://a.example/", "--tls-max", "1.1", trust=root)[0] == 35
    assert proxy.try_reload(settings(server.url, f"{{ client-auth: require, client-ca: "
                                     f"'{ca.file}' }}"))
    own = ["--cert", str(cert.file), "--key", str(cert.key_file)]
    assert curl(proxy, "https://a.example/", *own, trust=root)[1].endswith("hello")
    assert curl(proxy, "https://a.example/", trust=root)[0] != 0


# --- OpenSSL ---

class Interactive:
    """openssl s_client with its commands."""

    def __init__(self, proxy, *args):
        self.child = subprocess.Popen(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{proxy.port}", "-servername",
             "a.example", *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, bufsize=0)
        self.said = b""

    def wait(self, pattern):
        while not re.search(pattern, self.said):
            data = self.child.stdout.read(4096)
            assert data, self.said
            self.said += data
        at = re.search(pattern, self.said).end()
        self.said = self.said[at:]

    def say(self, text):
        self.child.stdin.write(text.encode())

    def read_all(self):
        return self.said + self.child.stdout.read()

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.child.kill()
        self.child.communicate()


def test_keys_are_updated(start, origin):
    """RFC 8446 4.6.3: by the client, and at its wish by us."""
    server = origin(lambda request, conn: "hello")
    proxy = start(settings(server.url))
    with Interactive(proxy, "-tls1_3") as client:
        client.wait(rb"Verify return code[^-]*---\n")
        for i, command in enumerate("kKkK"):
            client.say(command + "\n")
            client.wait(rb"KEYUPDATE")
            client.say(f"GET /{i} HTTP/1.1\r\nHost: a.example\r\n\r\n")
            client.wait(rb"hello")
    assert [request.target for request in server.requests] == ["/0", "/1", "/2", "/3"]


def test_renegotiation_is_refused(start, origin):
    """RFC 5746 or not: a client can't begin a second handshake on its connection."""
    server = origin(lambda request, conn: "hello")
    proxy = start(settings(server.url))
    with Interactive(proxy, "-tls1_2") as client:
        client.wait(rb"Compression: NONE")
        client.wait(rb"Verify return code[^-]*---\n")
        client.say("R\n")
        client.wait(rb"RENEGOTIATING")
        assert b"no renegotiation" in client.read_all()
    assert get(proxy, "a.example").status == 200


def test_protocols_are_chosen(start, origin):
    """RFC 7301: ours, none where none is offered, and a refusal where nothing is shared."""
    proxy = start(settings(origin().url))
    said = s_client(proxy.port, "-alpn", "unknown,http/1.1")[1]
    assert "ALPN protocol: http/1.1" in said
    assert "No ALPN negotiated" in s_client(proxy.port)[1]
    is_done, said = s_client(proxy.port, "-alpn", "unknown")
    assert not is_done and "no application protocol" in said


def test_the_hybrid_group_is_first_where_there_is_one(start, origin):
    """X25519MLKEM768 is OpenSSL 3.5's."""
    groups = subprocess.run(["openssl", "list", "-kem-algorithms"], capture_output=True, text=True,
                            check=False).stdout
    if "X25519MLKEM768" not in groups:
        pytest.skip("the installed OpenSSL has no X25519MLKEM768")
    proxy = start(settings(origin().url))
    is_done, said = s_client(proxy.port)
    assert is_done and "X25519MLKEM768" in said


# --- handshakes in pieces ---

def handshake_by(proxy, made, write):
    """Python's TLS over memory, whose bytes go out by write(client, data); an answer's text."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = made.wrap_bio(incoming, outgoing, server_hostname="a.example")
    tls_answer = b""
    with Client(proxy.port) as client:
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                write(client, outgoing.read())
                incoming.write(client.sock.recv(65536))
        write(client, outgoing.read())
        tls.write(REQUEST.format("").encode())
        write(client, outgoing.read())
        while True:
            try:
                piece = tls.read(65536)
                if not piece:
                    return tls_answer
                tls_answer += piece
            except ssl.SSLWantReadError:
                data = client.sock.recv(65536)
                if not data:
                    return tls_answer
                incoming.write(data)
            except ssl.SSLZeroReturnError:
                return tls_answer


def byte_by_byte(client, data):
    for i in range(len(data)):
        client.send(data[i:i + 1])


def in_small_records(client, data):
    """Handshake messages in records of 50 bytes (RFC 8446 5.1); other records as they are."""
    while data:
        kind, version, n = data[0], data[1:3], int.from_bytes(data[3:5], "big")
        body, data = data[5:5 + n], data[5 + n:]
        size = 50 if kind == 22 else n
        for at in range(0, n, size):
            piece = body[at:at + size]
            client.send(bytes([kind]) + version + len(piece).to_bytes(2, "big") + piece)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("write", [byte_by_byte, in_small_records])
def test_first_messages_come_in_pieces(start, origin, version, write):
    """However it is split; a large one, as with post-quantum shares, too."""
    proxy = start(settings(origin(lambda request, conn: "hello").url))
    root = root_of(proxy)
    for n_protocols in (1, 40):
        made = context(root, version)
        made.set_alpn_protocols(["http/1.1"] + ["x" * 60 + str(i) for i in range(n_protocols)])
        assert b"200 OK" in handshake_by(proxy, made, write)


# --- sessions and policies ---

@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_opens_nothing_that_asks_for_more(start, origin, ca, version):
    """A session from before the site wanted certificates is none any more."""
    server = origin()
    proxy = start(settings(server.url))
    made = context(version=version)

    def visit(session=None):
        with TlsClient(proxy.port, "a.example", made=made, session=session) as client:
            client.exchange("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
            return client.sock.session_reused, client.sock.session

    session = visit()[1]
    assert visit(session)[0]
    auth = f"client-auth: require, client-ca: '{ca.file}'"
    assert proxy.try_reload(settings(server.url, f"{{ {auth} }}"))
    n_served = len(server.requests)
    with pytest.raises((ssl.SSLError, ConnectionError, EOFError)):
        visit(session)
    assert len(server.requests) == n_served
    assert proxy.try_reload(settings(server.url))
    assert visit(session)[0]  # the same policy as at first


@pytest.mark.parametrize("tls, text", [
    ("preset: moderne", "modern"), ("min: '1.1'", "1.2"), ("min: '1.3', max: '1.2'", "newer"),
    ("preset: modern, max: '1.2'", "modern"), ("ciphers: [TLS_AES_128_GCM_SHA256]", "suites"),
    ("ciphers: [NULL-SHA]", "NULL-SHA"), ("suites: [AES]", "TLS_AES_256_GCM_SHA384"),
    ("groups: [X448, P-1]", "P-1"), ("client-auth: require", "client-ca"),
    ("client-auth: maybe", "request"), ("strict-sni: perhaps", "strict-sni")])
def test_check_refuses_what_nobody_speaks(tmp_path, tls, text):
    """Wrong names are errors with a place, not the default."""
    file = tmp_path / "settings.yaml"
    file.write_text(settings("http://127.0.0.1:1", f"{{ {tls} }}"))
    done = run("check", "--config", file)
    assert done.returncode == 1 and f"{file}:2:" in done.stderr and text in done.stderr


def test_modern_is_tls_13_alone(start, origin):
    proxy = start(settings(origin().url, "{ preset: modern }"))
    assert s_client(proxy.port, "-tls1_3")[0]
    assert not s_client(proxy.port, "-tls1_2")[0]
    assert not proxy.try_reload(settings("http://127.0.0.1:1", "{ min: '1.4' }"))
    wait_until(lambda: get(proxy, "a.example").status == 200, "the settings from before")
