# SPDX-License-Identifier: Apache-2.0
"""Clients of TLS entrypoints: Python's, curl, openssl s_client, GnuTLS."""
import re
import ssl
import subprocess

from harness import PATIENCE, Client, free_ports, wait_until

ENTRIES = "entrypoints:\n  web: '127.0.0.1:0'\n  websecure: { listen: '127.0.0.1:0', tls: on }\n"


def free_port():
    return free_ports(1)[0]


def root_of(proxy):
    """The certificate of the proxy's own authority, which clients are to trust."""
    root = proxy.state / "ca" / "root.pem"
    wait_until(root.exists, "the local CA")
    return root


def context(trust=None, version=None, cert=None):
    """trust: a PEM file; without one nothing is verified. version: the only one that is spoken.
    cert: the client's."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = trust is not None
    made.verify_mode = ssl.CERT_REQUIRED if trust else ssl.CERT_NONE
    if trust:
        made.load_verify_locations(trust)
    if version:
        made.minimum_version = made.maximum_version = version
    if cert:
        made.load_cert_chain(cert.file, cert.key_file)
    return made


class TlsClient(Client):
    """A raw client behind TLS. name: None sends none."""

    def __init__(self, port, name, trust=None, made=None, session=None):
        super().__init__(port)
        try:
            self.sock = (made or context(trust)).wrap_socket(self.sock, server_hostname=name,
                                                             session=session)
        except Exception:
            self.sock.close()
            raise

    @property
    def cert(self):
        return ssl.DER_cert_to_PEM_cert(self.sock.getpeercert(binary_form=True)).encode()


def get(proxy, host, path="/", headers="", name="", method="GET", **kwargs):
    """One exchange on a connection of its own; name: the server name if it's not the host's."""
    with TlsClient(proxy.ports["websecure"], name or host, **kwargs) as client:
        return client.exchange(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{headers}"
                               "Connection: close\r\n\r\n", method)


def cert_of(proxy, name, **kwargs):
    """The certificate that a client is shown, as PEM."""
    with TlsClient(proxy.ports["websecure"], name, **kwargs) as client:
        return client.cert


def is_refused(proxy, name, **kwargs):
    try:
        cert_of(proxy, name, **kwargs)
    except (ssl.SSLError, ConnectionError, EOFError):
        return True
    return False


def s_client(port, *args, name="a.example"):
    """What openssl s_client says of a handshake: (it succeeded, all of it)."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername",
                           name, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=PATIENCE)
    said = done.stdout + done.stderr
    return "Cipher is (NONE)" not in said and re.search("Cipher is ", said) is not None, said


def curl(proxy, url, *args, trust=None):
    """curl with the names of the URL at the proxy's ports: (exit status, output)."""
    trusted = ["--cacert", str(trust)] if trust else ["--insecure"]
    done = subprocess.run(["curl", "--silent", "--show-error", "--include", *trusted,
                           "--connect-to", f"::127.0.0.1:{proxy.ports['websecure']}", *args, url],
                          capture_output=True, text=True, timeout=PATIENCE)
    return done.returncode, done.stdout + done.stderr
