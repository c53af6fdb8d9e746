# SPDX-License-Identifier: Apache-2.0
"""Certificates of clients: who comes in, and what servers are told of them."""
import base64
import datetime
import hashlib
import ssl
from urllib.parse import unquote

import pytest
from certificates import Authority
from cryptography.x509.oid import ExtendedKeyUsageOID
from harness import Client, run, wait_until
from http2 import END_HEADERS, END_STREAM, HEADERS, H2Client
from https import TlsClient, context, get

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
FIELDS = {"cert": "Client-Cert", "chain": "Client-Cert-Chain", "pem": "X-Pem",
          "subject": "X-Subject", "issuer": "X-Issuer", "names": "X-Names", "serial": "X-Serial",
          "fingerprint": "X-Fingerprint", "not-before": "X-From", "not-after": "X-Until",
          "verify": "X-Verify"}
TOLD = "{ " + ", ".join(f"{key}: {name}" for key, name in FIELDS.items()) + " }"


@pytest.fixture
def ca(tmp_path):
    return Authority(tmp_path / "certificates")


def settings(url, ca_file, auth="require", tls="", told=TOLD, top=""):
    """a.example wants certificates and tells its server of them; open.example does neither."""
    return (f"{top}entrypoints:\n  web: '127.0.0.1:0'\n"
            "  websecure: { listen: '127.0.0.1:0', tls: on }\n"
            f"filters:\n  who: {{ client-cert: {told} }}\n"
            f"sites:\n  a.example: {{ to: '{url}', use: [who], tls: {{ client-auth: {auth}, "
            f"client-ca: '{ca_file}'{tls} }} }}\n"
            f"  open.example: {{ to: '{url}', redirect-to-https: off }}\n")


def is_let_in(proxy, cert, version=ssl.TLSVersion.TLSv1_3):
    try:
        return get(proxy, "a.example", made=context(version=version, cert=cert)).status == 200
    except (ssl.SSLError, ConnectionError, EOFError):
        return False


def iso(time):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc9440(cert):
    return ":" + base64.b64encode(ssl.PEM_cert_to_DER_cert(cert.pem.decode())).decode() + ":"


# --- who comes in ---

@pytest.mark.parametrize("version", VERSIONS)
def test_only_good_certificates_come_in(start, origin, ca, tmp_path, version):
    """Signed by the authority, in time, and for clients; `request` asks, `require` insists."""
    server = origin()
    good = ca.issue("client")
    strangers = [
        Authority(tmp_path / "others", title="Another authority").issue("client"),
        Authority(tmp_path / "twins").issue("client"),  # an authority of the same name
        ca.issue("client", days=(-30, -1)), ca.issue("client", days=(1, 30)),
        ca.issue("client", usage=ExtendedKeyUsageOID.SERVER_AUTH)]
    proxy = start(settings(server.url, ca.file))
    assert is_let_in(proxy, good, version)
    assert is_let_in(proxy, ca.issue("client", usage=ExtendedKeyUsageOID.CLIENT_AUTH), version)
    assert not is_let_in(proxy, None, version)
    assert proxy.try_reload(settings(server.url, ca.file, auth="request"))
    assert is_let_in(proxy, good, version) and is_let_in(proxy, None, version)
    n_served = len(server.requests)
    for i, cert in enumerate(strangers):
        assert not is_let_in(proxy, cert, version), i
    assert len(server.requests) == n_served


def test_authorities_below_a_root_are_trusted_alone(start, origin, ca):
    """`client-ca` may be an intermediate; then its siblings' clients stay out."""
    ours, other = (Authority(ca.folder, title=title, issuer=ca) for title in ("Ours", "Other"))
    proxy = start(settings(origin().url, ours.file))
    assert is_let_in(proxy, ours.issue("client"))
    assert not is_let_in(proxy, other.issue("client"))
    assert not is_let_in(proxy, ca.issue("client"))


def test_revoked_certificates_stay_out(start, origin, ca, tmp_path):
    """Also by a session from before; a list that has expired refuses everybody."""
    crl, server = tmp_path / "clients.crl", origin()
    good, bad = ca.issue("good"), ca.issue("bad")
    tls = f", client-crl: '{crl}'"
    crl.write_bytes(ca.revoke())
    proxy = start(settings(server.url, ca.file, tls=tls))
    assert is_let_in(proxy, good) and is_let_in(proxy, bad)
    made = context(version=ssl.TLSVersion.TLSv1_2, cert=bad)
    session = handshake(proxy, made)[1]
    assert handshake(proxy, made, session)[0]
    crl.write_bytes(ca.revoke(bad))
    assert proxy.try_reload(settings(server.url, ca.file, tls=tls))
    assert is_let_in(proxy, good) and not is_let_in(proxy, bad)
    with pytest.raises((ssl.SSLError, ConnectionError, EOFError)):
        handshake(proxy, made, session)
    crl.write_bytes(ca.revoke(days=(-2, -1)))
    said = run("check", "--config", proxy.file)
    assert said.returncode == 0 and "list 1 has expired" in said.stderr
    assert proxy.try_reload(settings(server.url, ca.file, tls=tls))
    assert not is_let_in(proxy, good)
    crl.write_bytes(good.pem)
    said = run("check", "--config", proxy.file)
    assert said.returncode == 1 and "no list of revoked certificates" in said.stderr


def handshake(proxy, made, session=None):
    """(resumed, a session for the next one, the answer)."""
    with TlsClient(proxy.ports["websecure"], "a.example", made=made, session=session) as client:
        answer = client.exchange("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        return client.sock.session_reused, client.sock.session, answer


@pytest.mark.parametrize("version", VERSIONS)
def test_an_expired_certificate_resumes_no_session(start, origin, ca, version):
    """What a ticket holds isn't verified again, so its end is looked at."""
    proxy = start(settings(origin().url, ca.file))
    cert = ca.issue("client", days=(-1, 10 / 86400))
    made = context(version=version, cert=cert)
    session = handshake(proxy, made)[1]
    end = cert.not_after + datetime.timedelta(seconds=1)  # whole seconds count, of a coarse clock
    wait_until(lambda: datetime.datetime.utcnow() > end, "the end of the certificate")
    with pytest.raises((ssl.SSLError, ConnectionError, EOFError)):
        handshake(proxy, made, session)


# --- what servers are told ---

@pytest.mark.parametrize("version", VERSIONS)
def test_servers_are_told_of_certificates(start, origin, ca, version):
    """Every field, and the same ones when the session is resumed."""
    server = origin()
    middle = Authority(ca.folder, title="Middle", issuer=ca)
    cert = middle.issue("client.example", "ann@a.example", "spiffe://a.example/x,y")
    cert.file.write_bytes(cert.pem + middle.pem)
    proxy = start(settings(server.url, ca.file))
    made, session = context(version=version, cert=cert), None
    for is_second in (False, True, True):
        is_resumed, session, answer = handshake(proxy, made, session)
        assert is_resumed == is_second and answer.status == 200
        told = {key: server.requests[-1].get(name) for key, name in FIELDS.items()}
        assert told["cert"] == rfc9440(cert) and told["chain"] == rfc9440(middle)
        assert unquote(told["pem"]) == cert.pem.decode()
        assert told["subject"] == "CN=client.example" and told["issuer"] == "CN=Middle"
        assert told["names"] == "DNS:client.example,email:ann@a.example,URI:spiffe://a.example/x%2Cy"
        assert int(told["serial"], 16) == cert.cert.serial_number
        der = ssl.PEM_cert_to_DER_cert(cert.pem.decode())
        assert told["fingerprint"] == hashlib.sha256(der).hexdigest()
        assert told["not-before"] == iso(cert.cert.not_valid_before)
        assert told["not-after"] == iso(cert.cert.not_valid_after)
        assert told["verify"] == "SUCCESS"


def test_by_default_it_is_rfc_9440(start, origin, ca):
    server, cert = origin(), ca.issue("client")
    proxy = start(settings(server.url, ca.file, auth="request", told="{}"))
    assert is_let_in(proxy, cert)
    assert server.requests[-1].get("Client-Cert") == rfc9440(cert)
    assert server.requests[-1].get("Client-Cert-Chain") is None
    assert is_let_in(proxy, None)
    assert server.requests[-1].get("Client-Cert") is None


def test_clients_cannot_say_it_themselves(start, origin, ca):
    """However it is spelled, at every entrypoint, on every route, with or without a certificate."""
    server, cert = origin(), ca.issue("client")
    proxy = start(settings(server.url, ca.file, auth="request"))
    forged = "".join(f"{spelled}: forged\r\n" for name in FIELDS.values()
                     for spelled in (name, name.replace("-", "_"), name.upper(),
                                     name.lower().replace("-", "_", 1)))
    assert proxy.get(host="open.example", headers=forged, port=proxy.ports["web"]).status == 200
    get(proxy, "open.example", headers=forged)
    get(proxy, "a.example", headers=forged)
    get(proxy, "a.example", headers=forged, made=context(cert=cert))
    get(proxy, "a.example", headers="Connection: client-cert, x-verify\r\n",
        made=context(cert=cert))
    assert len(server.requests) == 5
    assert not any(value == "forged" for request in server.requests
                   for _, value in request.headers)
    for request, verdict in zip(server.requests, (None, None, "NONE", "SUCCESS", "SUCCESS")):
        assert request.get("X-Verify") == verdict
        assert (request.get("Client-Cert") is not None) == (verdict == "SUCCESS")


def test_trailers_cannot_say_it_either(start, origin, ca):
    server = origin()
    proxy = start(settings(server.url, ca.file))
    with Client(proxy.ports["web"]) as client:
        answer = client.exchange(
            "POST / HTTP/1.1\r\nHost: open.example\r\nTransfer-Encoding: chunked\r\n\r\n"
            "1\r\nx\r\n0\r\nX_Subject: forged\r\nClient-Cert: forged\r\nX_Forwarded_For: 9.9.9.9\r\n"
            "X-Kept: yes\r\n\r\n")
    assert answer.status == 200
    assert server.requests[-1].trailers == [("X-Kept", "yes")]
    forged = [("x_subject", "forged"), ("client-cert", "forged"), ("x_forwarded_for", "9.9.9.9"),
              ("x-kept", "yes")]
    with H2Client(proxy.ports["websecure"], "open.example") as client:
        stream = client.request(method="POST", host="open.example", end=False)
        client.data(stream, b"x")
        client.send_frame(HEADERS, END_STREAM | END_HEADERS, stream, client.encoder.encode(forged))
        assert client.answer(stream).status == 200
    assert server.requests[-1].trailers == [("x-kept", "yes")]


def test_the_access_log_names_clients(start, origin, ca):
    log = "access-log: { format: '{status} {tls-client-subject} {tls-client-serial}' }\n"
    cert = ca.issue("client")
    proxy = start(settings(origin().url, ca.file, auth="request", top=log))
    assert is_let_in(proxy, cert) and is_let_in(proxy, None)
    lines = [line.split() for line in proxy.log_lines("^200 ", 2)]
    assert lines[0][1] == "CN=client" and int(lines[0][2], 16) == cert.cert.serial_number
    assert lines[1][1] == "-"
