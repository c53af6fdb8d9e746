# SPDX-License-Identifier: Apache-2.0
"""Certificates by ACME with the real proxy and pebble as the authority."""
import json
import os
import re
import signal
import stat
from pathlib import Path

import pytest
from cryptography import x509
from harness import IS_SANITIZED, run, wait_until
from issuing import (SITE, acme, cert, certificate_of, issuer_of, orders_of, pebble,  # noqa: F401
                     serial_of, wait_issued)


@pytest.mark.parametrize("kind", ["http-01", "tls-alpn-01"])
def test_a_site_gets_its_certificate_by_itself(acme, kind):
    """S0-6 S0-8 S0-9 S0-14: the local CA's certificate first, then the authority's."""
    proxy, authority = acme(SITE, issuer=f"challenges: [{kind}]")
    wait_issued(proxy, "app.example.com")
    names = certificate_of(proxy, "app.example.com").extensions.get_extension_for_class(
        x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["app.example.com"]
    assert orders_of(authority) == 1
    key = next(proxy.state.glob("accounts/test/key.pem"))
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(proxy.state.stat().st_mode) == 0o700
    assert json.loads(next(proxy.state.glob("accounts/test/meta.json")).read_text())["contact"] \
        == "mailto:ops@example.com"


def test_a_restart_and_a_killed_gate_order_nothing_anew(acme, start, tmp_path):
    """S0-7 S0-12: the certificate is kept, and no other order is made."""
    proxy, _ = acme(SITE)
    wait_issued(proxy, "app.example.com")
    os.kill(proxy.gate_pid(), signal.SIGKILL)
    wait_until(lambda: "Pebble" in issuer_of(proxy, "app.example.com"), "the same certificate")
    serial = sorted(p.read_text() for p in proxy.state.glob("certs/app.example.com/meta.json"))
    assert proxy.end() == 0
    again = start(proxy.settings)
    assert "Pebble" in issuer_of(again, "app.example.com")
    assert serial == sorted(p.read_text() for p in again_state(proxy))
    assert not [line for line in again.err if "issued by" in line]


def again_state(proxy):
    return proxy.state.glob("certs/app.example.com/meta.json")


@pytest.mark.skipif(IS_SANITIZED, reason="keys by the dozen")
def test_twenty_sites_while_nonces_are_rejected(acme):
    names = [f"s{i}.example.com" for i in range(20)]
    proxy, _ = acme("sites:\n" + "".join(f"  {n}: {{ use: [hi] }}\n" for n in names),
                    env={"PEBBLE_WFE_NONCEREJECT": "50"})
    for name in names:
        wait_issued(proxy, name)


def test_one_name_that_fails_does_not_hold_up_the_others_and_says_why(acme):
    """S1-20 S0-26: blocked.example is refused by the authority; the other one is issued."""
    proxy, _ = acme("sites: { a.example.com: { use: [hi] }, blocked.example: { use: [hi] } }\n")
    wait_issued(proxy, "a.example.com")
    proxy.wait_line("certificate blocked.example: test doesn't issue it: .*blocked", proxy.err)
    assert "Pebble" not in issuer_of(proxy, "blocked.example")


def test_without_the_authority_sites_serve_and_it_is_tried_again_later(acme, pebble):
    """S0-26: ACME is down."""
    proxy, authority = acme(SITE)
    wait_issued(proxy, "app.example.com")
    authority.stop()
    more = proxy.settings.replace("app.example.com:", "b.example.com: { use: [hi] }, app.example.com:")
    proxy.reload(more, 2)
    proxy.wait_line("certificate b.example.com: test doesn't issue it", proxy.err)
    assert "Pebble" in issuer_of(proxy, "app.example.com")
    assert issuer_of(proxy, "b.example.com")


def test_names_that_no_authority_serves_are_the_local_cas(acme):
    proxy, _ = acme("sites: { app.test: { use: [hi] }, a.example.com: { use: [hi] } }\n")
    wait_issued(proxy, "a.example.com")
    assert "Pebble" not in issuer_of(proxy, "app.test")


def test_names_of_free_routes_get_their_certificates_too(acme):
    """The first issuer's, or that of the route's own words."""
    proxy, _ = acme("routes:\n  - { match: 'Host(`app.example.com`)', use: [hi] }\n"
                    "  - { match: 'Host(`b.example.com`)', tls: { issuer: local }, use: [hi] }\n")
    wait_issued(proxy, "app.example.com")
    assert "Pebble" not in issuer_of(proxy, "b.example.com")


def test_an_unknown_issuer_is_an_error_with_its_place(tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text("sites:\n  a.example.com:\n    tls: { issuer: nobody }\n    to: http://127.0.0.1:1\n")
    done = run("check", "-c", file)
    assert done.returncode == 1 and "s.yaml:3:20: error: there is no issuer 'nobody'" in done.stderr


# --- the command ---

def test_renewal_needs_force_before_its_time_and_is_in_use_at_once(acme):
    """S1-19 S1-21 S1-22: a new certificate without a restart, not on a whim, and not too often."""
    proxy, _ = acme(SITE)
    wait_issued(proxy, "app.example.com")
    first = serial_of(proxy, "app.example.com")
    early = cert(proxy, "renew", "app.example.com")
    assert early.returncode == 1 and "isn't due yet; --force" in early.stderr
    done = cert(proxy, "renew", "app.example.com", "--force")
    assert done.returncode == 0, done.stderr
    wait_until(lambda: serial_of(proxy, "app.example.com") != first, "the new certificate")
    for _ in range(3):
        assert cert(proxy, "renew", "app.example.com", "--force").returncode == 0
    burst = cert(proxy, "renew", "app.example.com", "--force")
    assert burst.returncode == 1 and "too many" in burst.stderr


def test_quiet_prints_nothing_and_list_shows_what_there_is(acme):
    """S1-23."""
    proxy, _ = acme(SITE)
    wait_issued(proxy, "app.example.com")
    done = cert(proxy, "renew", "app.example.com", "--force", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    shown = cert(proxy, "list").stdout
    assert re.search(r"app\.example\.com +store +test +valid", shown), shown
    listed = json.loads(cert(proxy, "list", "--json").stdout)
    assert listed[0]["id"] == "app.example.com" and listed[0]["issuer"] == "test"


def test_revoking_tells_the_authority_and_the_site_gets_another(acme):
    """S1-27: revoke."""
    proxy, authority = acme(SITE)
    wait_issued(proxy, "app.example.com")
    first = serial_of(proxy, "app.example.com")
    done = cert(proxy, "revoke", "app.example.com", "--yes", "--reason", "superseded")
    assert done.returncode == 0, done.stderr
    status = json.loads(authority.asks(f"cert-status-by-serial/{first:x}"))
    assert status["Status"] == "Revoked" and status["Reason"] == 4
    wait_issued(proxy, "app.example.com", 2)
    wait_until(lambda: serial_of(proxy, "app.example.com") != first, "the new certificate")


def test_forgetting_asks_and_then_takes_the_files_away(acme, start):
    """S1-17 S1-25 S1-26 S1-27 S1-28: forget, once no site wants it any more."""
    proxy, _ = acme("sites: { app.example.com: { use: [hi] }, b.example.com: { use: [hi] } }\n")
    wait_issued(proxy, "app.example.com")
    wait_issued(proxy, "b.example.com")
    assert cert(proxy, "forget").returncode == 2
    unasked = cert(proxy, "forget", "app.example.com", stdin="")
    assert unasked.returncode == 1 and "--yes" in unasked.stderr
    assert (proxy.state / "certs/app.example.com").exists()
    proxy.reload(proxy.settings.replace("app.example.com: { use: [hi] }, ", ""), 2)
    assert cert(proxy, "forget", "app.example.com", "--yes").returncode == 0
    assert not (proxy.state / "certs/app.example.com").exists()
    assert cert(proxy, "forget", "app.example.com", "--yes").returncode == 1


def test_export_prints_chain_and_key_in_one(acme):
    """S1-24."""
    proxy, _ = acme(SITE)
    wait_issued(proxy, "app.example.com")
    done = run("cert", "export", "app.example.com", "--bundle", "--state", proxy.state)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("BEGIN CERTIFICATE") == 2 and done.stdout.count("PRIVATE KEY") == 2
    assert run("cert", "export", "other.example.com", "--state", proxy.state).returncode == 1


def memory_has(pid, *texts):
    """Which of the texts are in the memory of a process."""
    found = set()
    with open(f"/proc/{pid}/mem", "rb") as mem:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            bounds, flags = line.split()[:2]
            if "r" not in flags or line.endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]")):
                continue
            first, last = (int(n, 16) for n in bounds.split("-"))
            mem.seek(first)
            try:
                piece = mem.read(last - first)
            except OSError:
                continue
            found |= {text for text in texts if text.encode() in piece}
    return found


@pytest.mark.skipif(IS_SANITIZED, reason="a sanitizer's shadow is terabytes")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look into others' memory")
def test_the_gate_is_not_given_the_keys_of_accounts(start, tmp_path):
    key = "c2hhbGwtbm90LWJlLXNlZW4taW4tdGhlLWdhdGU"
    proxy = start(f"state: {tmp_path}/state\n"
                  "entrypoints: { web: '127.0.0.1:0', websecure: { listen: '127.0.0.1:0', tls: on } }\n"
                  "issuers: { test: { acme: { directory: 'https://127.0.0.1:1/dir',"
                  f" eab: {{ kid: kid-1, key: {key} }} }} }} }}\n"
                  "sites: { app.example.com: http://127.0.0.1:1 }\n")
    assert memory_has(proxy.gate_pid(), key, "app.example.com") == {"app.example.com"}
    assert key in memory_has(proxy.child.pid, key)
