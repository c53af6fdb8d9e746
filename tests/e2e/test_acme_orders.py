# SPDX-License-Identifier: Apache-2.0
"""Orders that are disturbed: by ends of the process, by authorities, hooks and disks."""
import json
import os
import pty
import re
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest
from harness import BINARY, IS_SANITIZED, PATIENCE, wait_until
from issuing import (SITE, acme, cert, issuer_of, kill_all, orders_of, pebble,  # noqa: F401
                     serial_of, wait_issued)

DEBUG = "log: { level: debug }\n"
EAB = {"kid-1": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"}

# The order's steps; from the first one on its address is known.
STEPS = ["ordered", "proof in place", "waiting for the authority to look", "proven",
         "waiting for the certificate", "certificate received"]


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_in_the_midst_of_an_order_places_no_second_one(acme, start, step):
    """S0-12: kill -9 after each step; the next process takes the order up, unless the authority has
    looked while nobody was there, and so ended it."""
    slow = {"PEBBLE_VA_NOSLEEP": "0", "PEBBLE_VA_SLEEPTIME": "1"}
    proxy, authority = acme(DEBUG + SITE, env=slow)
    proxy.wait_line(rf"certificate app\.example\.com: {step}", proxy.err)
    kill_all(proxy)
    again = start(proxy.settings)
    wait_until(lambda: "Pebble" in issuer_of(again, "app.example.com"), "the certificate")
    said = authority.pebble.out + authority.pebble.err
    assert orders_of(authority) == 1 + sum("set INVALID by completed challenge" in s for s in said)


@pytest.mark.parametrize("line", ["settings 1 are in force", "new account at", "issued by test"])
def test_a_kill_before_and_after_an_order_does_no_harm(acme, start, line):
    proxy, authority = acme(SITE)
    proxy.wait_line(line, proxy.err)
    kill_all(proxy)
    again = start(proxy.settings)
    wait_until(lambda: "Pebble" in issuer_of(again, "app.example.com"), "the certificate")
    assert orders_of(authority) <= 2


def test_traces_of_an_order_that_was_done_are_not_taken_for_one(acme, start):
    """Killed between the certificate and the end of its order: a renewal is a new certificate."""
    slow = {"PEBBLE_VA_NOSLEEP": "0", "PEBBLE_VA_SLEEPTIME": "2"}
    proxy, authority = acme(DEBUG + SITE, env=slow)
    proxy.wait_line("certificate app.example.com: waiting for the authority", proxy.err)
    shutil.copytree(proxy.state / "orders", proxy.state / "kept", symlinks=True)
    wait_issued(proxy, "app.example.com")
    first = serial_of(proxy, "app.example.com")
    assert proxy.end() == 0
    shutil.rmtree(proxy.state / "orders")
    (proxy.state / "kept").rename(proxy.state / "orders")
    again = start(proxy.settings)
    assert cert(again, "renew", "app.example.com", "--force").returncode == 0
    assert orders_of(authority) == 2
    wait_until(lambda: serial_of(again, "app.example.com") != first, "another certificate")


def test_an_upgrade_in_the_midst_of_an_order_places_no_second_one(acme):
    """The next binary takes it up."""
    slow = {"PEBBLE_VA_NOSLEEP": "0", "PEBBLE_VA_SLEEPTIME": "3"}
    proxy, authority = acme(DEBUG + SITE, env=slow)
    proxy.wait_line("waiting for the authority", proxy.err)
    assert proxy.ask(command="upgrade")["ok"]
    wait_until(lambda: "Pebble" in issuer_of(proxy, "app.example.com"), "the certificate")
    assert orders_of(authority) == 1


def test_a_stop_does_not_wait_for_an_order(acme):
    slow = {"PEBBLE_VA_NOSLEEP": "0", "PEBBLE_VA_SLEEPTIME": "60"}
    proxy, _ = acme(DEBUG + SITE, env=slow)
    proxy.wait_line("waiting for the authority", proxy.err)
    began = time.monotonic()
    assert proxy.end() == 0
    assert time.monotonic() - began < PATIENCE / 3


@pytest.mark.skipif(IS_SANITIZED, reason="keys by the hundred")
@pytest.mark.timeout(400)
def test_two_hundred_sites_get_their_certificates(acme):
    """S1-20: an order each."""
    names = [f"s{i}.example.com" for i in range(200)]
    proxy, authority = acme("sites:\n" + "".join(f"  {n}: {{ use: [hi] }}\n" for n in names))
    for name in names:
        wait_issued(proxy, name)
    assert orders_of(authority) == 200


def test_an_account_of_the_authoritys_own_is_used(acme, tmp_path):
    key = tmp_path / "eab.key"
    key.write_text(EAB["kid-1"])
    key.chmod(0o600)
    proxy, _ = acme(SITE, eab=EAB, issuer=f"eab: {{ kid: kid-1, key: 'file:{key}' }}")
    wait_issued(proxy, "app.example.com")


def test_a_missing_account_is_told_with_what_to_do(acme):
    proxy, _ = acme(SITE, eab=EAB)
    proxy.wait_line("test doesn't issue it: .*key id and the HMAC key", proxy.err)
    assert issuer_of(proxy, "app.example.com")


# --- hooks ---

HOOK = """#!/usr/bin/env python3
import json, sys, urllib.request
action, name, txt_name, value = sys.argv[1:]
what = "set-txt" if action == "set" else "clear-txt"
body = json.dumps({{"host": txt_name + ".", "value": value}}).encode()
urllib.request.urlopen("http://127.0.0.1:{port}/" + what, body)
with open("{log}", "a") as log:
    print(action, name, txt_name, file=log)
"""
WILDCARD = "sites: { '*.w.example.com': { use: [hi] } }\n"


def hook_setting(hook, text):
    hook.write_text(text)
    hook.chmod(0o755)
    return f"challenges: [dns-01], dns-hook: {hook}, dns-wait: 0s"


def test_a_wildcard_is_proven_by_a_hook(acme, tmp_path):
    log = tmp_path / "hook.log"
    proxy, _ = acme(WILDCARD, issuer=lambda authority: hook_setting(
        tmp_path / "hook", HOOK.format(port=authority.chall_port, log=log)))
    proxy.wait_line(r"certificate _wildcard\.w\.example\.com: issued by test", proxy.err)
    wait_until(lambda: "Pebble" in issuer_of(proxy, "any.w.example.com"), "the new certificate")
    assert log.read_text().splitlines() == ["set w.example.com _acme-challenge.w.example.com",
                                            "clear w.example.com _acme-challenge.w.example.com"]


def test_a_hook_that_fails_is_told_with_its_words(acme, tmp_path):
    proxy, _ = acme(WILDCARD, issuer=lambda _: hook_setting(
        tmp_path / "hook", "#!/bin/sh\nprintf 'no such\\nzone\\033[1m\\377\\n' >&2; exit 3\n"))
    proxy.wait_line(r"doesn't issue it: .*no such zone\?\[1m\?", proxy.err)
    assert "no such zone?[1m?" in json.dumps(proxy.ask(command="status"))


def test_a_hook_that_hangs_ends_with_the_proxy(acme, tmp_path):
    pids = tmp_path / "pids"
    proxy, _ = acme(WILDCARD, issuer=lambda _: hook_setting(
        tmp_path / "hook", f"#!/bin/sh\nsleep 1000 & echo $$ $! >> {pids}\nwait\n"))
    wait_until(lambda: pids.exists() and pids.read_text().endswith("\n"), "the hook")
    began = time.monotonic()
    assert proxy.end() == 0
    assert time.monotonic() - began < PATIENCE / 2
    for pid in pids.read_text().split():
        wait_until(lambda pid=pid: not is_running(pid), "the hook's end")


def is_running(pid):
    try:
        return not re.search(r"State:\s*Z", Path(f"/proc/{pid}/status").read_text())
    except FileNotFoundError:
        return False


# --- disks ---

def test_without_a_place_for_state_sites_serve_and_it_is_told(acme, tmp_path):
    (tmp_path / "state").write_text("a file stands in its place")
    proxy, authority = acme(SITE)
    proxy.wait_line("no certificate can be ordered", proxy.err)
    assert issuer_of(proxy, "app.example.com")
    assert orders_of(authority) == 0


def test_a_disk_that_fails_leads_to_no_order_after_another(acme):
    """S0-26: nothing is ordered whose key can't be kept, and tries back off."""
    proxy, authority = acme(SITE)
    wait_issued(proxy, "app.example.com")
    shutil.rmtree(proxy.state / "orders")
    done = cert(proxy, "renew", "app.example.com", "--force")
    assert done.returncode == 1 and "state folder" in done.stderr
    proxy.wait_line("doesn't issue it", proxy.err)
    for _ in range(3):
        proxy.ask(command="status")
    failures = [line for line in proxy.err if "doesn't issue it" in line]
    assert len(failures) == 1 and orders_of(authority) == 1
    assert "Pebble" in issuer_of(proxy, "app.example.com")


def test_what_waits_and_why_is_in_the_status(acme):
    """S0-26: shown where operators look."""
    proxy, _ = acme("sites: { blocked.example: { use: [hi] } }\n")
    proxy.wait_line("test doesn't issue it", proxy.err)
    status = json.dumps(proxy.ask(command="status"))
    assert "blocked.example" in status and "last_error" in status


def test_a_site_that_changes_while_its_order_runs_gets_another(acme):
    """Names that came while an order was under way are ordered afterwards."""
    slow = {"PEBBLE_VA_NOSLEEP": "0", "PEBBLE_VA_SLEEPTIME": "2"}
    proxy, authority = acme(DEBUG + SITE, env=slow)
    proxy.wait_line("waiting for the authority", proxy.err)
    proxy.reload(proxy.settings.replace("app.example.com: { use",
                                        "app.example.com: { aliases: [b.example.com], use"), 2)
    wait_issued(proxy, "app.example.com", 2)
    wait_until(lambda: "Pebble" in issuer_of(proxy, "b.example.com"), "the second certificate")
    assert orders_of(authority) == 2


# --- what operators see ---

def test_a_renewal_fails_no_handshake(acme):
    """S0-25: clients come all the time while the certificate is exchanged, and see one or the other."""
    proxy, _ = acme(SITE)
    wait_issued(proxy, "app.example.com")
    first = serial_of(proxy, "app.example.com")
    seen, must_stop, failures = set(), threading.Event(), []

    def handshakes():
        while not must_stop.is_set():
            try:
                seen.add(serial_of(proxy, "app.example.com"))
            except OSError as error:
                failures.append(error)

    client = threading.Thread(target=handshakes)
    client.start()
    try:
        assert cert(proxy, "renew", "app.example.com", "--force").returncode == 0
        wait_until(lambda: seen - {first}, "the new certificate")
    finally:
        must_stop.set()
        client.join()
    assert not failures and len(seen) == 2 and first in seen


def test_a_name_that_dns_does_not_have_is_told(acme):
    """S0-27: which name, and that it was its lookup."""
    def without_dns(authority):
        authority.manage("set-servfail", host="app.example.com")
        return ""
    proxy, _ = acme(SITE, issuer=without_dns)
    proxy.wait_line(r"doesn't issue it: app\.example\.com: .*(SERVFAIL|lookup|[Cc]ould not)",
                    proxy.err)


def test_the_http_challenge_needs_no_server_behind(acme):
    """S1-18: proven while the site's server is down; the command says what came of it."""
    proxy, _ = acme("sites: { app.example.com: 'http://127.0.0.1:1', blocked.example: { use: [hi] } }",
                    issuer="challenges: [http-01]")
    wait_issued(proxy, "app.example.com")
    for name in ("cert.pem", "key.pem"):
        file = proxy.state / "certs/app.example.com" / name
        assert file.stat().st_mode & 0o777 == 0o600
    assert cert(proxy, "renew", "app.example.com", "--force").returncode == 0
    refused = cert(proxy, "renew", "blocked.example", "--force")
    assert refused.returncode == 1 and "forbidden by policy" in refused.stderr


def test_forgetting_asks_on_a_terminal(acme):
    """S1-26: only y goes on."""
    proxy, _ = acme(SITE)
    wait_issued(proxy, "app.example.com")
    for answer in (b"n\n", b"\n", b"maybe\n", b"y\n"):
        master, slave = pty.openpty()
        command = subprocess.Popen(
            [BINARY, "cert", "forget", "app.example.com", "--control",
             str(proxy.file.parent / "control.sock")],
            stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        os.write(master, answer)
        assert command.wait(PATIENCE) == 0
        os.close(master)
        if answer != b"y\n":
            assert (proxy.state / "certs/app.example.com").exists()
    wait_issued(proxy, "app.example.com", 2)  # the site still wants one
