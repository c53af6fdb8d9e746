# SPDX-License-Identifier: Apache-2.0
"""A proxy whose sites get certificates from pebble: fixtures and what tests ask it."""
import re
import signal
import socket
import ssl
from pathlib import Path

import pytest
from authority import Pebble
from cryptography import x509
from harness import free_ports, run, wait_until


@pytest.fixture
def pebble(tmp_path):
    running = []

    def go(proxy=None, **kwargs):
        authority = Pebble(tmp_path / f"pebble{len(running)}", **kwargs)
        running.append(authority)
        return authority

    yield go
    for authority in running:
        authority.stop()


@pytest.fixture
def acme(start, pebble, tmp_path):
    """acme(sites, …): a proxy whose sites get certificates from a pebble that validates here.
    issuer: more settings of the issuer, or a function that makes them of the pebble."""
    def go(sites, env=None, issuer="", **kwargs):
        http, tls = free_ports(2)
        authority = pebble(ports=(http, tls), serves=("dns-01",), env=env, **kwargs)
        state = tmp_path / "state"
        more = issuer(authority) if callable(issuer) else issuer
        settings = (f"state: {state}\n"
                    f"entrypoints: {{ web: '127.0.0.1:{http}',"
                    f" websecure: {{ listen: '127.0.0.1:{tls}', tls: on }} }}\n"
                    f"email: ops@example.com\n"
                    f"issuers: {{ test: {{ acme: {{ directory: '{authority.url}',"
                    f" ca: {authority.ca_file}{', ' + more if more else ''} }} }} }}\n"
                    "filters: { hi: { respond: { body: hi } } }\n" + sites)
        proxy = start(settings)
        proxy.settings, proxy.state = settings, state
        return proxy, authority
    return go


@pytest.fixture
def two_acmes(start, pebble, tmp_path):
    """two_acmes(sites, more="", …): a proxy that knows two pebbles, `first` and `second`; first and
    second: more arguments of theirs. Its settings begin with `more`."""
    def go(sites, more="issuer: [first, second]\n", first=None, second=None):
        http, tls = free_ports(2)
        both = [pebble(ports=(http, tls), serves=("dns-01",), **(each or {}))
                for each in (first, second)]
        issuers = "".join(f"  {name}: {{ acme: {{ directory: '{a.url}', ca: {a.ca_file} }} }}\n"
                          for name, a in zip(("first", "second"), both))
        settings = (f"{more}state: {tmp_path}/state\n"
                    f"entrypoints: {{ web: '127.0.0.1:{http}',"
                    f" websecure: {{ listen: '127.0.0.1:{tls}', tls: on }} }}\n"
                    f"issuers:\n{issuers}filters: {{ hi: {{ respond: {{ body: hi }} }} }}\n" + sites)
        proxy = start(settings)
        proxy.settings, proxy.state = settings, tmp_path / "state"
        return proxy, *both
    return go


def certificate_of(proxy, name):
    """What the proxy shows for a name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", proxy.ports["websecure"]), 30) as sock, \
            context.wrap_socket(sock, server_hostname=name) as tls:
        return x509.load_der_x509_certificate(tls.getpeercert(True))


def issuer_of(proxy, name):
    """Who signed it."""
    return certificate_of(proxy, name).issuer.rfc4514_string()


def serial_of(proxy, name):
    return certificate_of(proxy, name).serial_number


def cert(proxy, *words, stdin=None):
    """The command."""
    return run("cert", *words, "--control", proxy.file.parent / "control.sock", stdin=stdin)


def orders_of(authority):
    """How many orders were placed."""
    lines = authority.pebble.out + authority.pebble.err
    return sum("POST /order-plz" in line for line in lines)


def kill_all(proxy):
    """kill -9 to the keeper; its gate ends by itself."""
    gate = proxy.gate_pid()
    proxy.end(signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{gate}").exists(), "the gate's end")


def wait_issued(proxy, site, count=1, issuer="test"):
    proxy.wait_line(rf"certificate {re.escape(site)}: issued by {issuer}", proxy.err, count)
    wait_until(lambda: "Pebble" in issuer_of(proxy, site), "the new certificate")


def failed_renewals(proxy, site, n=1):
    """What n renewals said that failed in a row, the authority being unable to prove the site. Some
    don't fail: see PEBBLE_AUTHZREUSE."""
    said, by_old_proof = [], 0
    while len(said) < n:
        done = cert(proxy, "renew", site, "--force")
        if done.returncode == 0:
            said, by_old_proof = [], by_old_proof + 1
            assert by_old_proof < 4, done.stderr
        else:
            assert done.returncode == 1, done.stderr
            said.append(done.stderr)
    return said


SITE = "sites: { app.example.com: { use: [hi] } }\n"
