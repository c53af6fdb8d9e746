# SPDX-License-Identifier: Apache-2.0
"""The command `cert` with the running proxy and pebble as the authority."""
import json
import re
import ssl
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from harness import BINARY, PATIENCE, run, wait_until
from issuing import (SITE, acme, cert, certificate_of, failed_renewals, issuer_of,  # noqa: F401
                     orders_of, pebble, serial_of, wait_issued)

SLOW = {"PEBBLE_VA_NOSLEEP": "0", "PEBBLE_VA_SLEEPTIME": "1"}


def shown(proxy, name):
    return json.loads(cert(proxy, "show", name, "--json").stdout)


@pytest.mark.parametrize("action", ["request", "renew", "revoke", "forget", "show", "export"])
def test_without_a_name_the_usage_is_told_with_an_example(action):
    """S1-15 S1-25: what is missing, and how it looks; the status is 2."""
    done = run("cert", action, check=2)
    assert f"sallyport cert {action} app.example.com" in done.stderr and not done.stdout
    one_too_many = run("cert", action, "a", "b") if action != "request" else None
    assert not one_too_many or one_too_many.returncode == 2


def test_a_request_tells_its_steps_and_does_nothing_twice(acme):
    """S1-17 S1-18 S1-21: progress while it waits, no prompt, and no order that isn't due."""
    proxy, authority = acme(SITE, env=SLOW)
    done = cert(proxy, "request", "app.example.com", stdin="")
    assert done.returncode == 0 and done.stdout == "app.example.com: done\n", done.stderr
    wait_until(lambda: "Pebble" in issuer_of(proxy, "app.example.com"), "the certificate")
    again = cert(proxy, "request", "app.example.com")
    assert again.returncode == 0 and "due for renewal on 20" in again.stdout
    assert orders_of(authority) == 1
    for n in range(2, 5):
        steps = cert(proxy, "request", "app.example.com", "--force").stderr
        if "proof in place" in steps:  # see PEBBLE_AUTHZREUSE
            break
    for step in ("ordered: https://", "proof in place: app.example.com", "proven: app.example.com",
                 "certificate received"):
        assert step in steps
    forced = cert(proxy, "request", "app.example.com", "--force", "--quiet")
    assert (forced.returncode, forced.stdout, forced.stderr) == (0, "", "")
    assert orders_of(authority) == n + 1


def test_who_asks_while_it_is_ordered_waits_for_the_same_order(acme):
    proxy, authority = acme(SITE, env=SLOW)
    proxy.wait_line("settings 1 are in force", proxy.err)
    commands = [subprocess.Popen([BINARY, "cert", "request", "app.example.com", "--control",
                                  str(proxy.file.parent / "control.sock")],
                                 stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for command in commands:
        said = command.communicate(timeout=PATIENCE * 4)[0]
        assert command.returncode == 0, said
    assert orders_of(authority) == 1


def test_a_request_that_fails_has_the_authoritys_words(acme):
    """S1-18: exit status 1, and why; whatever has failed before, it is tried at once."""
    proxy, authority = acme("sites: { blocked.example: { use: [hi] } }\n")
    proxy.wait_line("test doesn't issue it", proxy.err)
    for _ in range(2):
        done = cert(proxy, "request", "blocked.example")
        assert done.returncode == 1 and "forbidden by policy" in done.stderr
        assert "check its spelling" in done.stderr, "a next step"
    as_json = json.loads(cert(proxy, "request", "blocked.example", "--json").stdout)
    assert as_json["ok"] is False and "forbidden by policy" in as_json["error"]
    assert as_json["action"] == "request" and as_json["name"] == "blocked.example"


def test_names_outside_the_settings_can_be_requested(acme):
    """One certificate for all of them, as the options say; it is exported and revoked by its name."""
    proxy, authority = acme(SITE)
    wait_issued(proxy, "app.example.com")
    done = cert(proxy, "request", "Mail.example.com", "imap.example.com", "--issuer", "test",
                "--key-type", "p-384", "--challenge", "http-01")
    assert done.returncode == 0, done.stderr
    bundle = run("cert", "export", "mail.example.com", "--bundle", "--state", proxy.state).stdout
    leaf = x509.load_pem_x509_certificate(bundle.encode())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {"mail.example.com", "imap.example.com"}
    assert leaf.public_key().curve.name == "secp384r1"
    [about] = shown(proxy, "mail.example.com")
    assert about["issuer"] == "test" and not about.get("used_by") and "plan" not in about
    assert "nobody renews it" in cert(proxy, "show", "mail.example.com").stdout
    done = cert(proxy, "revoke", "mail.example.com", "--yes")
    assert done.returncode == 0, done.stderr
    status = json.loads(authority.asks(f"cert-status-by-serial/{leaf.serial_number:x}"))
    assert status["Status"] == "Revoked"
    assert cert(proxy, "show", "mail.example.com").returncode == 1


def test_requests_that_make_no_sense_are_refused(acme):
    proxy, _ = acme("sites: { app.example.com: { use: [hi] }, b.example.com: { use: [hi] } }\n")
    for words, why in ((["app.example.com", "--issuer", "test"], "the settings say how"),
                       (["app.example.com", "b.example.com"], "one of them at a time"),
                       (["x.example.com", "--issuer", "nobody"], "no such issuer"),
                       (["no name.example"], "no host's name")):
        done = cert(proxy, "request", *words)
        assert done.returncode == 1 and why in done.stderr, done.stderr
    assert cert(proxy, "request", "x.example.com", "--key-type", "dsa").returncode == 2


def test_show_tells_everything_of_one(acme):
    """Names, issuer, serial, validity, key, chain, fingerprints, files, plan, who uses it."""
    proxy, _ = acme("sites: { app.example.com: { aliases: [www.example.com], use: [hi] } }\n")
    wait_issued(proxy, "app.example.com")
    wait_until(lambda: shown(proxy, "www.example.com")[0]["plan"]["state"] == "waiting", "the plan")
    [about] = shown(proxy, "www.example.com")
    served = certificate_of(proxy, "app.example.com")
    assert about["id"] == "app.example.com" and about["state"] == "valid"
    assert about["names"] == ["app.example.com", "www.example.com"]
    assert int(about["serial"], 16) == served.serial_number
    assert about["sha256"] == served.fingerprint(hashes.SHA256()).hex()
    assert about["key"] == "ECDSA P-256" and len(about["chain"]) == 2
    assert about["chain"][0]["issuer"] == about["chain"][1]["subject"]
    assert about["used_by"] == ["app.example.com"] and about["directory"].startswith("https://")
    assert about["order"].startswith("https://") and len(about["issued_lately"]) == 1
    assert str(proxy.state / "certs/app.example.com/cert.pem") in about["files"]
    assert about["plan"]["due"] > about["not_before"]
    assert about["renewal"]["by"] in ("authority", "lifetime")
    text = cert(proxy, "show", "app.example.com").stdout
    for pattern in (r"app\.example\.com, from an authority", r"names +app\.example\.com, www\.",
                    r"valid until +20.* \(in \d+ d", rf"SHA-256 +{about['sha256']}",
                    r"key +ECDSA P-256", r"chain +.* <- .*Pebble", r"used by +app\.example\.com",
                    r"renewal +20.*(by its lifetime|window)", r"next +(waiting|ordering)"):
        assert re.search(pattern, text), (pattern, text)
    assert "PRIVATE" not in text


def test_show_tells_of_failures_in_full(acme):
    """S1-23: the last error with its next step, how often, and what answers meanwhile."""
    proxy, _ = acme("sites: { blocked.example: { use: [hi] } }\n")
    proxy.wait_line("test doesn't issue it", proxy.err)
    stored, local = shown(proxy, "blocked.example")
    assert stored["state"] == "missing" and stored["orders"][0]["failures"] >= 1
    assert "check its spelling" in stored["orders"][0]["last_error"]
    assert stored["plan"]["why"] == "there is none yet"
    assert local["source"] == "local-ca" and local["state"] == "valid"
    text = cert(proxy, "show", "blocked.example").stdout
    assert re.search(r"failures +\d+ in a row", text) and "from the local CA" in text


def test_show_knows_files_and_who_uses_them(acme, tmp_path):
    pem = tmp_path / "own.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", pem, "-out",
                    tmp_path / "cert", "-days", "9", "-subj", "/CN=own", "-addext",
                    "subjectAltName=DNS:own.example.com"], check=True, capture_output=True)
    pem.write_text(pem.read_text() + (tmp_path / "cert").read_text())
    pem.chmod(0o600)
    proxy, _ = acme("sites: { own.example.com: { use: [hi], tls: { certificates: "
                    f"[{{ cert: '{pem}' }}] }} }} }}\n")
    [about] = shown(proxy, "own.example.com")
    assert about["source"] == "file" and about["files"] == [str(pem)]
    assert about["used_by"] == ["own.example.com"]
    assert cert(proxy, "show", "nobody.example").returncode == 1


def test_export_writes_a_bundle_for_other_software(acme, tmp_path):
    """S1-24: chain alone, with its key, and as a file that only its owner reads."""
    proxy, _ = acme(SITE)
    wait_issued(proxy, "app.example.com")
    state = ("--state", proxy.state)
    chain = run("cert", "export", "app.example.com", *state).stdout
    assert chain.count("BEGIN CERTIFICATE") == 2 and "PRIVATE KEY" not in chain
    to = tmp_path / "bundle.pem"
    to.write_text("old")
    to.chmod(0o644)
    done = run("cert", "export", "app.example.com", "--bundle", "--to", to, *state)
    assert (done.returncode, done.stdout) == (0, "")
    assert to.stat().st_mode & 0o777 == 0o600 and to.read_text().startswith(chain)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(to)
    nowhere = run("cert", "export", "app.example.com", "--to", tmp_path / "none" / "x", *state)
    assert nowhere.returncode == 1 and "can't be written" in nowhere.stderr


def test_a_name_that_moved_away_is_told_after_some_failures(acme):
    """S1-29: its renewal fails and fails; the status says what that means, and to forget it."""
    proxy, authority = acme(SITE)
    wait_issued(proxy, "app.example.com")
    authority.manage("add-a", host="app.example.com", addresses=["127.0.0.2"])
    said = failed_renewals(proxy, "app.example.com", 3)
    assert ["no longer points here" in text for text in said] == [False, False, True], said
    assert "3 failures in a row" in said[-1]
    [order] = proxy.ask(command="status")["status"]["orders"]
    assert "app.example.com no longer points here" in order["last_error"]
    assert "'sallyport cert forget app.example.com'" in order["last_error"]
    assert "no longer points here" in cert(proxy, "list").stdout
    assert "Pebble" in issuer_of(proxy, "app.example.com"), "the old one serves on"


# --- without a running proxy ---

def alone(proxy, *words, code=0, stdin=None):
    done = run("cert", *words, "-c", proxy.file, stdin=stdin)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_the_state_folder_is_enough_to_look_and_forget(acme):
    """S1-24 S1-27: list, show, export, forget alone; the same forms as with a proxy."""
    proxy, _ = acme(SITE)
    wait_issued(proxy, "app.example.com")
    with_proxy = shown(proxy, "app.example.com")[0]
    assert proxy.end() == 0
    assert re.search(r"app\.example\.com +store +test +valid", alone(proxy, "list").stdout)
    about = json.loads(alone(proxy, "show", "app.example.com", "--json").stdout)[0]
    assert {k: about[k] for k in ("serial", "sha256", "files", "order", "used_by")} == \
        {k: with_proxy[k] for k in ("serial", "sha256", "files", "order", "used_by")}
    assert "BEGIN CERTIFICATE" in alone(proxy, "export", "app.example.com").stdout
    alone(proxy, "forget", "app.example.com", code=1, stdin="")
    alone(proxy, "forget", "app.example.com", "--yes")
    assert not (proxy.state / "certs/app.example.com").exists()
    assert alone(proxy, "show", "app.example.com", code=1).stderr


def test_orders_and_revocations_run_a_proxy_for_the_occasion(acme, start):
    """S1-18: alone at the settings' ports; the site uses the certificate at its next start."""
    proxy, authority = acme("sites: { app.example.com: { aliases: [www.example.com], use: [hi] } }\n")
    wait_issued(proxy, "app.example.com")
    first = serial_of(proxy, "app.example.com")
    assert proxy.end() == 0
    assert "due for renewal" in alone(proxy, "request", "www.example.com").stdout
    assert "--force" in alone(proxy, "renew", "app.example.com", code=1).stderr
    done = alone(proxy, "renew", "www.example.com", "--force")
    assert "proven: app.example.com" in done.stderr and "done" in done.stdout
    alone(proxy, "request", "mail.example.com")
    again = start(proxy.settings)
    assert "Pebble" in issuer_of(again, "app.example.com")
    second = serial_of(again, "app.example.com")
    assert second != first and orders_of(authority) == 3
    assert "done" in cert(again, "revoke", "mail.example.com", "--yes").stdout
    assert again.end() == 0
    alone(proxy, "revoke", "app.example.com", "--yes")
    status = json.loads(authority.asks(f"cert-status-by-serial/{second:x}"))
    assert status["Status"] == "Revoked"


def test_a_state_folder_that_a_proxy_uses_is_left_alone(acme):
    """Nobody writes there beside it; looking is fine."""
    proxy, _ = acme(SITE)
    wait_issued(proxy, "app.example.com")
    other = proxy.file.parent / "other.yaml"
    other.write_text(f"state: {proxy.state}\ncontrol: {{ socket: {proxy.file.parent}/none.sock }}\n"
                     "sites: { app.example.com: 'http://127.0.0.1:1' }\n")
    done = run("cert", "forget", "app.example.com", "--yes", "-c", other, check=1)
    assert "a proxy that can't be asked uses this state folder" in done.stderr
    assert "valid" in run("cert", "list", "-c", other, check=0).stdout
    assert (proxy.state / "certs/app.example.com").exists()


def test_what_is_imported_is_in_use_at_once(acme, tmp_path):
    """A running proxy is told."""
    proxy, _ = acme("sites: { blocked.example: { use: [hi] } }\n")
    proxy.wait_line("test doesn't issue it", proxy.err)
    live = tmp_path / "letsencrypt/live/blocked.example"
    live.mkdir(parents=True)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", live / "privkey.pem", "-out",
                    live / "fullchain.pem", "-days", "60", "-subj", "/CN=Elsewhere", "-addext",
                    "subjectAltName=DNS:blocked.example"], check=True, capture_output=True)
    done = run("cert", "import", tmp_path / "letsencrypt", "-c", proxy.file)
    assert done.returncode == 0 and "1 certificate" in done.stdout, done.stdout + done.stderr
    wait_until(lambda: "Elsewhere" in issuer_of(proxy, "blocked.example"), "the imported one")
