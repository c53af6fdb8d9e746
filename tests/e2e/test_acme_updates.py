# SPDX-License-Identifier: Apache-2.0
"""dns-01 by dynamic updates, with a real name server."""
import json

import pytest
from cryptography import x509
from harness import run, wait_until
from issuing import (acme, certificate_of, issuer_of, kill_all, orders_of,  # noqa: F401
                     pebble)
from nameserver import SECRET, Knot, Resolver

WILDCARD = "sites: { '*.w.example.com': { use: [hi], aliases: [w.example.com] } }\n"
TXT_NAME = "_acme-challenge.w.example.com"


@pytest.fixture
def knot(tmp_path):
    running = []

    def go(zones=None, **kwargs):
        running.append(Knot(tmp_path / f"knot{len(running)}", zones or {"example.com": ""}, **kwargs))
        return running[-1]

    def resolver(server):
        running.insert(0, Resolver(server))
        return running[0]

    go.resolver = resolver
    yield go
    for server in running:
        server.stop()


def setting(server, more="", secret=SECRET, algorithm="hmac-sha256"):
    return (f"challenges: [dns-01], dns-resolver: '{server.address}',"
            f" dns-servers: ['{server.address}'], dns-update: {{ server: '{server.address}',"
            f" key: {{ name: sallyport, algorithm: {algorithm}, secret: '{secret}' }} }}{more}")


@pytest.mark.parametrize("algorithm", ["hmac-sha256", "hmac-sha512"])
def test_a_wildcard_and_its_parent_are_proven_by_updates(acme, knot, algorithm):
    """Both need a record at one name; afterwards neither is left."""
    server = knot(algorithm=algorithm)
    proxy, _ = acme(WILDCARD, issuer=setting(server, algorithm=algorithm), dns=server.address)
    proxy.wait_line(r"certificate _wildcard\.w\.example\.com: issued by test", proxy.err)
    wait_until(lambda: "Pebble" in issuer_of(proxy, "any.w.example.com"), "the new certificate")
    names = certificate_of(proxy, "any.w.example.com").extensions.get_extension_for_class(
        x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    assert sorted(names) == ["*.w.example.com", "w.example.com"]
    assert server.txt(TXT_NAME) == []


def test_an_alias_is_followed_into_its_zone(acme, knot):
    """_acme-challenge is delegated by CNAME to a zone that alone may be changed."""
    server = knot({"example.com": "_acme-challenge.w CNAME w.proofs.example.net.\n",
                   "example.net": "", "proofs.example.net": ""}, updated=["proofs.example.net"])
    resolver = knot.resolver(server)
    settings = setting(server).replace(f"dns-resolver: '{server.address}'",
                                       f"dns-resolver: '{resolver.address}'")
    proxy, _ = acme(WILDCARD, issuer=settings, dns=resolver.address)
    proxy.wait_line(r"certificate _wildcard\.w\.example\.com: issued by test", proxy.err)
    assert server.txt("w.proofs.example.net") == []


def test_a_kill_while_the_record_is_there_places_no_second_order(acme, knot, start):
    """The order is taken up; the authority may have seen the record meanwhile."""
    server = knot()
    slow = {"PEBBLE_VA_NOSLEEP": "0", "PEBBLE_VA_SLEEPTIME": "2"}
    proxy, authority = acme("log: { level: debug }\n" + WILDCARD, issuer=setting(server),
                            dns=server.address, env=slow)
    proxy.wait_line("waiting for the authority to look", proxy.err, 2)
    assert len(server.txt(TXT_NAME)) == 2
    kill_all(proxy)
    assert len(server.txt(TXT_NAME)) == 2
    again = start(proxy.settings)
    again.wait_line(r"certificate _wildcard\.w\.example\.com: issued by test", again.err)
    assert orders_of(authority) == 1


def test_the_authority_is_told_when_all_name_servers_have_it(acme, knot):
    """A second server that never gets the record: nothing is asked of the authority, and why is told."""
    server, behind = knot(), knot()
    proxy, authority = acme(WILDCARD, dns=server.address, issuer=setting(
        server, ", dns-wait: 3s").replace(f"['{server.address}']",
                                          f"['{server.address}', '{behind.address}']"))
    proxy.wait_line(f"doesn't issue it: .*1 of 2 name servers don't have the TXT record of {TXT_NAME} "
                    f"yet, such as {behind.address}", proxy.err)
    assert not [line for line in authority.pebble.out if "POST /chalZ/" in line]
    assert server.txt(TXT_NAME) == []


def test_a_key_that_the_server_refuses_is_told(acme, knot):
    """S0-27: which server, and what it says."""
    server = knot()
    other = SECRET.replace("M", "N", 1)
    proxy, _ = acme(WILDCARD, issuer=setting(server, secret=other), dns=server.address)
    proxy.wait_line(f"doesn't issue it: .*name server {server.address} refuses the update: NOTAUTH, "
                    "key: BADSIG", proxy.err)
    assert other not in json.dumps(proxy.ask(command="status")) + "".join(proxy.err)


def test_a_name_server_that_is_down_leads_to_the_next_challenge(acme, knot):
    """The order of preference: dns-01 can't be done, http-01 can."""
    server = knot()
    settings = setting(server).replace("[dns-01]", "[dns-01, http-01]")
    server.stop()
    proxy, _ = acme("sites: { app.example.com: { use: [hi] } }\n", issuer=settings)
    proxy.wait_line(r"certificate app\.example\.com: issued by test", proxy.err)


def test_the_secret_comes_from_a_file_and_is_never_shown(acme, knot, tmp_path):
    server = knot()
    file = tmp_path / "dns.key"
    file.write_text(SECRET + "\n")
    file.chmod(0o600)
    proxy, _ = acme(WILDCARD, issuer=setting(server, secret=f"file:{file}"), dns=server.address)
    proxy.wait_line(r"certificate _wildcard\.w\.example\.com: issued by test", proxy.err)
    assert SECRET not in run("print", "config", "-c", proxy.file).stdout
    shown = run("check", "-c", proxy.file, "--dump")
    assert SECRET not in shown.stdout + shown.stderr


@pytest.mark.parametrize("issuer, error", [
    ("challenges: [dns-01]", "dns-01 needs 'dns-update' or 'dns-hook'"),
    ("dns-hook: /bin/true, dns-update: { server: ns1.example.com }",
     "'dns-hook' and 'dns-update' do the same"),
    ("dns-update: { server: 'a b' }", "'a b' is no name server"),
    ("dns-update: { server: ns1.example.com, key: { name: k } }", "secret"),
    ("dns-update: { zone: example.com }", "server"),
])
def test_settings_that_make_no_sense_are_told(tmp_path, issuer, error):
    file = tmp_path / "s.yaml"
    file.write_text(f"issuers: {{ le: {{ acme: {{ {issuer} }} }} }}\n"
                    "sites: { a.example.com: 'http://127.0.0.1:1' }\n")
    done = run("check", "-c", file)
    assert done.returncode == 1 and "s.yaml:1:" in done.stderr and error in done.stderr, done.stderr
