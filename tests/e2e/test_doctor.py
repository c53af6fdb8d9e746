# SPDX-License-Identifier: Apache-2.0
"""`doctor tls` against the proxy, nginx, OpenSSL's server, and what speaks no TLS."""
import json
import subprocess

import pytest
from certificates import Authority, Certificate
from harness import BINARY, PATIENCE, Process, is_refused, run, wait_until
from https import ENTRIES, free_port, root_of

NAME = "a.example"


@pytest.fixture
def ca(tmp_path):
    return Authority(tmp_path / "certificates")


@pytest.fixture
def serve():
    """serve(cert, *options) runs openssl s_server with them, and returns its port."""
    running = []

    def start_one(cert, *options):
        port = free_port()
        server = Process(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", cert.file,
                          "-key", cert.key_file, "-www", *map(str, options)])
        running.append(server)
        wait_until(lambda: not is_refused(port), "openssl s_server")
        return port

    yield start_one
    for server in running:
        server.end()


def look(port, *options, name=NAME):
    """(exit status, {check: [(level, text)]}); each check that is weak comes with advice."""
    done = run("doctor", "tls", f"{name}:{port}", "--to", "127.0.0.1", "--json", *options)
    assert done.stdout, done.stderr
    report, found = json.loads(done.stdout), {}
    for finding in report["findings"]:
        assert finding["level"] != "weak" or finding["advice"]
        found.setdefault(finding["check"], []).append((finding["level"], finding["text"]))
    assert report["is_fine"] == (done.returncode == 0)
    return done.returncode, found


def weak(found):
    return {check for check, list in found.items() if "weak" in [level for level, _ in list]}


def test_the_proxy_is_fine(start, origin, ca):
    """S3-10: as it is when nothing is set, with a certificate that is trusted."""
    cert = ca.issue(NAME, days=(-1, 60.5))
    proxy = start(f"{ENTRIES}sites:\n  {NAME}:\n    to: '{origin().url}'\n    hsts: on\n    tls: "
                  f"{{ certificates: [{{ cert: '{cert.file}', key: '{cert.key_file}' }}] }}\n")
    status, found = look(proxy.ports["websecure"], "--authority", ca.file, "--http-port",
                         proxy.ports["web"])
    assert weak(found) == set() and status == 0, found
    for check, text in (("tls-1.0", "refused"), ("tls-1.1", "refused"), ("tls-1.2", "accepted"),
                        ("tls-1.3", "accepted"), ("chosen", "TLSv1.3"), ("chosen", "X25519"),
                        ("hsts", "max-age="), ("redirect", "status 301"), ("expiry", "60 days"),
                        ("issuer", "Test authority"), ("key", "P-256"), ("ocsp", "not needed"),
                        ("compression", "off"), ("renegotiation", "refused"),
                        ("resumption", "are resumed")):
        assert text in found[check][0][1], (check, found[check])


def test_an_authority_that_is_not_trusted_is_weak(start, origin):
    proxy = start(f"{ENTRIES}sites: {{ {NAME}: '{origin().url}' }}\n")
    root = root_of(proxy)
    status, found = look(proxy.ports["websecure"])
    assert status == 1 and weak(found) == {"trust"}
    status, found = look(proxy.ports["websecure"], "--authority", root)
    assert status == 0 and found["hsts"][0][0] == "note", found
    said = run("doctor", "tls", f"{NAME}:{proxy.ports['websecure']}", check=1).stdout
    assert "weak  trust" in said and "-> " in said and "1 of" in said


def test_weak_settings_of_nginx_are_found(nginx, ca):
    """S3-10: old versions, suites without identity, without forward secrecy, in CBC mode."""
    cert, port = ca.issue(NAME, use_rsa=True), free_port()
    server = nginx(f"listen 127.0.0.1:{port} ssl; ssl_certificate {cert.file}; "
                   f"ssl_certificate_key {cert.key_file}; ssl_protocols TLSv1 TLSv1.1 TLSv1.2; "
                   "ssl_ciphers 'ALL:aNULL:@SECLEVEL=0'; ssl_prefer_server_ciphers on;")
    status, found = look(port, "--authority", ca.file, "--http-port", server.port)
    assert status == 1
    assert weak(found) == {"tls-1.0", "tls-1.1", "open-suites", "rsa-key-exchange", "cbc"}, found
    assert "refused" in found["redirect"][0][1]
    assert found["tls-1.3"] == [("note", "TLS 1.3 is refused")]
    assert "TLS_RSA_WITH" in found["rsa-key-exchange"][0][1]
    assert "TLSv1.2" in found["chosen"][0][1]


def test_renegotiation_by_clients_is_found(serve, ca):
    """S3-10: each costs the server more than the client."""
    cert = ca.issue(NAME)
    port = serve(cert, "-client_renegotiation")
    assert "renegotiation" in weak(look(port)[1])
    port = serve(cert)
    assert "renegotiation" not in weak(look(port)[1])


@pytest.mark.parametrize("days, is_weak, text", [
    ((-9, -1), True, "expired"), ((1, 9), True, "isn't valid yet"), ((-9, 9.5), True, "9 days"),
    ((-9, 90.5), False, "90 days")])
def test_expiry_is_told(serve, ca, days, is_weak, text):
    _, found = look(serve(ca.issue(NAME, days=days)), "--authority", ca.file)
    assert ("expiry" in weak(found)) == is_weak
    assert text in found["expiry"][0][1]


def test_certificates_that_do_not_fit_are_told(serve, ca, tmp_path):
    """S3-10: for another name, with a wrong chain, self-signed."""
    _, found = look(serve(ca.issue("b.example")), "--authority", ca.file)
    assert weak(found) == {"name", "cbc"}, found
    assert "b.example" in found["name"][0][1]
    other = Authority(tmp_path / "other", title="Other")
    wrong = tmp_path / "wrong.pem"
    wrong.write_bytes(other.pem)
    _, found = look(serve(ca.issue(NAME), "-cert_chain", wrong), "--authority", ca.file)
    assert "not in order" in found["chain"][0][1] and "chain" in weak(found)
    _, found = look(serve(Certificate(tmp_path / "self", [NAME])))
    assert "self-signed" in found["issuer"][0][1] and "trust" in weak(found)


def test_what_speaks_no_tls_is_told(nginx):
    status, found = look(nginx("").port)
    assert status == 1 and "handshake" in weak(found)
    said = run("doctor", "tls", f"{NAME}:{free_port()}", "--to", "127.0.0.1", check=1).stderr
    assert "nobody answers at 127.0.0.1" in said and "refused" in said


def test_the_command_line_is_checked(tmp_path):
    run("doctor", "tls", check=2)
    run("doctor", "tls", "a b", check=2)
    run("doctor", "tls", NAME, "--to", "example.com", check=2)
    run("doctor", "tls", NAME, "--http-port", "http", check=2)
    assert "No such file" in run("doctor", "tls", NAME, "--authority", tmp_path / "none",
                                 check=1).stderr


def test_nothing_else_is_needed(serve, ca):
    """S1-16: with an empty PATH as well."""
    port = serve(ca.issue(NAME))
    done = subprocess.run([BINARY, "doctor", "tls", f"{NAME}:{port}"], env={"PATH": ""},
                          capture_output=True, text=True, timeout=PATIENCE)
    assert "chosen" in done.stdout, done.stderr
    assert "no other program" in run("doctor", "--help", check=0).stdout
