# SPDX-License-Identifier: Apache-2.0
"""How TLS is spoken with clients, over reloads and the deaths of gates."""
import shutil
import ssl
import subprocess
import threading

import pytest
from certificates import Authority
from harness import BINARY, IS_SANITIZED, PATIENCE, Client, kill_and_wait, run, wait_until
from https import ENTRIES, TlsClient, context, curl, free_port, get, root_of, s_client

LOG = "access-log: { format: '{status} {tls-version} {tls-cipher} {tls-name}' }\n"


@pytest.fixture
def ca(tmp_path):
    return Authority(tmp_path / "certificates")


def site(url, more="", tls="on", top=""):
    return (f"{top}entrypoints:\n  websecure: {{ listen: '127.0.0.1:0', tls: {tls} }}\n"
            f"sites:\n  a.example: {{ to: '{url}'{more} }}\n")


# --- redirect and HSTS ---

def test_plain_requests_are_redirected(start, origin):
    """S1-2, S3-9: 301 for GET and HEAD, 308 otherwise; same host, path, query; the port of TLS."""
    server, port = origin(), free_port()
    proxy = start(f"entrypoints:\n  web: '127.0.0.1:0'\n  websecure: {{ listen: '127.0.0.1:{port}', "
                  f"tls: on }}\nsites:\n  a.example: '{server.url}'\n"
                  f"  b.example: {{ to: '{server.url}', redirect-to-https: off }}\n"
                  f"  c.example: {{ to: '{server.url}', tls: off }}\n")
    for method, status in (("GET", 301), ("HEAD", 301), ("POST", 308), ("DELETE", 308)):
        answer = proxy.get("/x/%20y?q=1&r", host="a.example", method=method)
        assert answer.status == status
        assert answer.get("Location") == f"https://a.example:{port}/x/%20y?q=1&r"
        assert answer.get("Strict-Transport-Security") is None
    assert server.requests == []
    assert proxy.get(host="b.example").status == 200
    assert proxy.get(host="c.example").status == 200
    assert get(proxy, "b.example").status == 200
    assert get(proxy, "c.example").status == 404
    said = run("explain", "--config", proxy.file, "http://a.example/x").stdout
    assert "redirect-to-https" in said and "301" in said
    assert "passes on" in run("explain", "--config", proxy.file, "https://a.example/x").stdout


def test_hsts_waits_for_a_public_certificate(start, origin, ca):
    """S3-9: a browser that remembers it could not come back to a certificate of the local CA."""
    cert, server = ca.issue("a.example"), origin()
    hsts = ", hsts: { max-age: 60d, include-subdomains: on }"
    proxy = start(site(server.url, hsts))
    assert get(proxy, "a.example").get("Strict-Transport-Security") is None
    tls = f", tls: {{ certificates: [{{ cert: '{cert.file}', key: '{cert.key_file}' }}] }}"
    assert proxy.try_reload(site(server.url, hsts + tls))
    value = "max-age=5184000; includeSubDomains"
    assert get(proxy, "a.example", trust=ca.file).get("Strict-Transport-Security") == value


# --- versions, ciphers, groups ---

def test_old_versions_are_refused(start, origin):
    """S3-6: TLS 1.2 and 1.3 by default, older ones never; min and max for a site."""
    proxy = start(site(origin().url, top="", more="") + f"  new.example: {{ to: '{origin().url}', "
                  "tls: { min: '1.3' } }\n" f"  old.example: {{ to: '{origin().url}', "
                  "tls: { max: '1.2' } }\n")
    for name, version, is_spoken in (
            ("a.example", "-tls1_2", True), ("a.example", "-tls1_3", True),
            ("new.example", "-tls1_2", False), ("new.example", "-tls1_3", True),
            ("old.example", "-tls1_2", True), ("old.example", "-tls1_3", False)):
        assert s_client(proxy.port, version, name=name)[0] == is_spoken, (name, version)
    for version in ("-tls1", "-tls1_1"):
        assert not s_client(proxy.port, version, "-cipher", "ALL:@SECLEVEL=0")[0]


def test_ciphers_are_modern_and_can_be_chosen(start, origin):
    """S3-7: by default only AEAD with forward secrecy; lists of ciphers, suites and groups."""
    server = origin()
    proxy = start(site(server.url))
    for cipher in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"):
        assert s_client(proxy.port, "-tls1_2", "-cipher", cipher)[0], cipher
    for cipher in ("AES128-SHA", "AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256"):
        assert not s_client(proxy.port, "-tls1_2", "-cipher", cipher)[0], cipher
    assert proxy.try_reload(site(server.url, tls="{ suites: [TLS_AES_256_GCM_SHA384], ciphers: "
                                 "[ECDHE-ECDSA-AES256-GCM-SHA384], groups: [P-384] }"))
    is_done, said = s_client(proxy.port, "-tls1_3")
    assert is_done and "TLS_AES_256_GCM_SHA384" in said
    assert not s_client(proxy.port, "-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256")[0]
    assert not s_client(proxy.port, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256")[0]
    assert s_client(proxy.port, "-groups", "P-384")[0]
    assert not s_client(proxy.port, "-groups", "X25519")[0]
    assert not proxy.try_reload(site(server.url, tls="{ groups: [P-999] }"))


def test_peers_agree(start, origin):
    """S0-2: curl, OpenSSL, Python, and GnuTLS where it is there."""
    proxy = start(site(origin(lambda request, conn: "hello").url))
    root = root_of(proxy)
    status, said = curl(proxy, "https://a.example/", trust=root)
    assert status == 0 and " 200" in said and said.endswith("hello")
    status, said = curl(proxy, "https://b.example/", trust=root)
    assert status == 60, said  # for another name
    is_done, said = s_client(proxy.port, "-CAfile", root, "-verify_return_error",
                             "-verify_hostname", "a.example")
    assert is_done and "Verify return code: 0 (ok)" in said
    assert get(proxy, "a.example", trust=root).text == "hello"
    if shutil.which("gnutls-cli"):
        done = subprocess.run(["gnutls-cli", "--x509cafile", root, "--sni-hostname", "a.example",
                               "--verify-hostname", "a.example", "-p", str(proxy.port),
                               "127.0.0.1"], input="GET / HTTP/1.1\r\nHost: a.example\r\n"
                              "Connection: close\r\n\r\n", capture_output=True, text=True,
                              timeout=PATIENCE)
        assert "200 OK" in done.stdout, done.stdout + done.stderr


# --- resumption ---

def handshake(proxy, made, session=None, name="a.example"):
    """(resumed, a session for the next one); a request, as tickets come behind the handshake."""
    with TlsClient(proxy.ports["websecure"], name, made=made, session=session) as client:
        client.exchange(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n")
        return client.sock.session_reused, client.sock.session


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed(start, origin, version):
    """S3-8: by every worker, after reloads, after the death of a gate, and by its successor."""
    server = origin()
    proxy = start(site(server.url), workers=2)
    made = context(root_of(proxy), version)
    is_resumed, session = handshake(proxy, made)
    assert not is_resumed
    for _ in range(8):  # the kernel spreads them over the workers
        is_resumed, session = handshake(proxy, made, session)
        assert is_resumed
    assert proxy.try_reload(site(server.url, ", hsts: on"))
    is_resumed, session = handshake(proxy, made, session)
    assert is_resumed, "after a reload"
    kill_and_wait(proxy.gate_pid())
    is_resumed, session = handshake(proxy, made, session)
    assert is_resumed, "by the next gate"
    assert proxy.try_reload(site(server.url, top="connections-max: 1000\n"))
    is_resumed, session = handshake(proxy, made, session)
    assert is_resumed, "by another gate for new settings"
    assert proxy.ask(command="upgrade", binary=BINARY)["ok"]
    is_resumed, session = handshake(proxy, made, session)
    assert is_resumed, "after an upgrade"
    assert proxy.try_reload(site(server.url, tls="{ tickets: off }"))
    assert not handshake(proxy, made, session)[0]


def test_sessions_belong_to_their_site(start, origin):
    """S3-8: a session from one site opens no other."""
    server = origin()
    proxy = start(ENTRIES + f"sites:\n  a.example: '{server.url}'\n  b.example: '{server.url}'\n")
    made = context(version=ssl.TLSVersion.TLSv1_3)
    session = handshake(proxy, made)[1]
    assert handshake(proxy, made, session)[0]
    assert not handshake(proxy, made, session, "b.example")[0]


# --- one connection, one name ---

def test_another_host_on_a_connection_is_misdirected(start, origin, ca):
    """RFC 9110 15.5.20: with another certificate 421, with the same one it's served."""
    both, server = ca.issue("a.example", "b.example"), origin()
    proxy = start(f"entrypoints:\n  websecure: {{ listen: '127.0.0.1:0', tls: {{ certificates: "
                  f"[{{ cert: '{both.file}', key: '{both.key_file}' }}] }} }}\nsites:\n"
                  + "".join(f"  {name}.example: '{server.url}'\n" for name in "abc"))
    assert get(proxy, "b.example", name="a.example").status == 200
    assert get(proxy, "c.example", name="a.example").status == 421
    assert get(proxy, "a.example", name="c.example").status == 421
    with TlsClient(proxy.port, "a.example") as client:  # it goes on for its own name
        for host, status in (("c.example", 421), ("a.example", 200)):
            answer = client.exchange(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
            assert answer.status == status


# --- what goes wrong ---

def test_changed_bytes_close_the_connection(start, origin):
    """S3-12: a record that was changed on its way never becomes a request."""
    server = origin()
    proxy = start(site(server.url))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context().wrap_bio(incoming, outgoing, server_hostname="a.example")
    with Client(proxy.port) as client:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                client.send(outgoing.read())
                incoming.write(client.sock.recv(65536))
        client.send(outgoing.read())
        tls.write(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        record = bytearray(outgoing.read())
        record[-20] ^= 1
        client.send(bytes(record))
        client.read_to_end()
    assert server.requests == []
    assert get(proxy, "a.example").status == 200


def test_plain_http_on_a_tls_port_is_told(start, origin):
    proxy = start(site(origin().url))
    with Client(proxy.port) as client:
        answer = client.exchange("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
    assert answer.status == 400 and "https" in answer.text


def test_slow_handshakes_end(start, origin):
    proxy = start(site(origin().url, tls="{ handshake-timeout: 300ms }"))
    with Client(proxy.port) as client:
        client.send(b"\x16\x03\x01")
        assert client.is_closed()
    with Client(proxy.port) as client:
        assert client.is_closed()
    assert get(proxy, "a.example").status == 200


def test_the_access_log_tells_of_tls(start, origin):
    proxy = start(site(origin().url, top=LOG))
    get(proxy, "a.example", made=context(version=ssl.TLSVersion.TLSv1_2))
    version, cipher, name = proxy.log_lines("^200 ")[0].split()[1:]
    assert (version, name) == ("TLSv1.2", "a.example") and cipher.startswith("ECDHE-ECDSA-")


# --- promises under load ---

class Load:
    """Clients over TLS, half of them with a connection for each request. losses: what went wrong."""

    def __init__(self, port, trust, n=8):
        self.losses, self.n_done, self.is_over = [], 0, False
        self.port, self.made = port, context(trust)
        self.threads = [threading.Thread(target=self._run, args=(i,), daemon=True)
                        for i in range(n)]
        for thread in self.threads:
            thread.start()

    def _run(self, i):
        client = None
        while not self.is_over:
            try:
                client = client or TlsClient(self.port, "a.example", made=self.made)
                answer = client.exchange("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
                if answer.status != 200 or answer.text != "hello":
                    self.losses.append(f"{answer.status} {answer.text}")
                self.n_done += 1
                if i % 2 == 0 or (answer.get("Connection") or "") == "close":
                    client.close()
                    client = None
            except (OSError, EOFError) as error:
                self.losses.append(repr(error))
                client = None

    def stop(self):
        self.is_over = True
        for thread in self.threads:
            thread.join(PATIENCE)


def test_reloads_under_tls_lose_nothing(start, origin, ca):
    """Settings, certificates, gates and the program change, and no client notices."""
    server, cert = origin(), ca.issue("a.example")
    trust = cert.file.parent / "both.pem"
    proxy = start(site(server.url), workers=2)
    trust.write_bytes(root_of(proxy).read_bytes() + ca.pem)
    clients = Load(proxy.port, trust)
    tls = f", tls: {{ certificates: [{{ cert: '{cert.file}', key: '{cert.key_file}' }}] }}"
    for turn in range(6 if IS_SANITIZED else 24):
        more = tls if turn % 3 == 1 else f", aliases: [n{turn}.example]"
        top = f"connections-max: {1000 + turn}\n" if turn % 6 == 5 else ""
        assert proxy.try_reload(site(server.url, more, top=top))
        assert turn % 8 != 7 or proxy.ask(command="upgrade", binary=BINARY)["ok"]
        before = clients.n_done
        wait_until(lambda: clients.n_done > before + 20 or clients.losses, "requests")
    clients.stop()
    assert clients.losses == [] and clients.n_done > 100


def test_a_dead_gate_comes_back_with_certificates(start, origin):
    proxy = start(site(origin().url), workers=2)
    root = root_of(proxy)
    for _ in range(3):
        kill_and_wait(proxy.gate_pid())
        assert get(proxy, "a.example", trust=root).status == 200


def test_proxy_speaks_https_without_settings(start, origin):
    """S0-2: `sallyport proxy --tls`, with the local CA."""
    server, port = origin(), free_port()
    proxy = start("", args=["proxy", "--from", f"a.example:{port}", "--to", server.url, "--tls"],
                  expect_start=False)
    proxy.wait_settings(1)
    proxy.read_ports()
    assert proxy.ports == {"websecure": port}
    assert get(proxy, "a.example", trust=root_of(proxy)).text == "hello"
