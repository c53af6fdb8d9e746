# SPDX-License-Identifier: Apache-2.0
"""Programs that are run when something has happened to a certificate."""
import json
import time
from pathlib import Path

import pytest
from certificates import Certificate
from harness import PATIENCE, run, wait_until
from issuing import (SITE, acme, cert, failed_renewals, pebble, serial_of,  # noqa: F401
                     wait_issued)

HOOK = """#!/usr/bin/env python3
import json, os, sys
seen = {k[10:]: v for k, v in os.environ.items() if k.startswith("SALLYPORT_")}
with open(%r, "a") as log:
    print(json.dumps({"args": sys.argv[1:], **seen}), file=log)
"""


@pytest.fixture
def hook(tmp_path):
    """hook(): a program that writes down how it was called; hook.calls(n): its first n calls."""
    log = tmp_path / "calls"

    def go(text=HOOK % str(log)):
        file = tmp_path / "hook"
        file.write_text(text)
        file.chmod(0o755)
        return file

    def calls(n):
        wait_until(lambda: log.exists() and log.read_text().count("\n") >= n, f"{n} calls")
        return [json.loads(line) for line in log.read_text().splitlines()]

    go.calls = calls
    return go


def test_a_program_is_run_after_a_certificate_was_issued_and_renewed(acme, hook):
    """S1-22: it is told which, and finds the files; its arguments see no shell."""
    proxy, _ = acme(f"hooks: {{ certificate-issued: [{hook()}, '$(id); x', second] }}\n" + SITE)
    wait_issued(proxy, "app.example.com")
    first = hook.calls(1)[0]
    assert first["args"] == ["$(id); x", "second"]
    assert (first["EVENT"], first["CERTIFICATE"], first["NAMES"], first["ISSUER"]) == (
        "issued", "app.example.com", "app.example.com", "test")
    assert first["ERROR"] == "" and first["NOT_AFTER"].endswith("Z")
    assert "BEGIN CERTIFICATE" in Path(first["CERT_FILE"]).read_text()
    assert "PRIVATE KEY" in Path(first["KEY_FILE"]).read_text()
    assert cert(proxy, "renew", "app.example.com", "--force").returncode == 0
    calls = hook.calls(2)
    assert len(calls) == 2 and calls[1]["EVENT"] == "renewed"
    assert calls[1]["CERT_FILE"] == first["CERT_FILE"]


def test_failure_is_told_once_until_it_works(acme, hook):
    """S1-23: an alarm, not one with each try."""
    proxy, authority = acme(f"hooks: {{ certificate-trouble: {hook()} }}\n"
                            "sites: { blocked.example: { use: [hi] }, a.example.com: { use: [hi] } }\n")
    wait_issued(proxy, "a.example.com")
    call = hook.calls(1)[0]
    assert (call["EVENT"], call["CERTIFICATE"]) == ("failed", "blocked.example")
    assert "forbidden by policy" in call["ERROR"]
    assert cert(proxy, "renew", "blocked.example", "--force").returncode == 1
    assert cert(proxy, "renew", "a.example.com", "--force").returncode == 0
    assert len(hook.calls(1)) == 1


def test_what_may_pass_is_told_when_it_does_not(acme, hook):
    """The third failure in a row is told."""
    proxy, authority = acme(f"hooks: {{ certificate-trouble: {hook()} }}\n" + SITE)
    wait_issued(proxy, "app.example.com")
    authority.manage("set-servfail", host="app.example.com")
    assert len(failed_renewals(proxy, "app.example.com", 3)) == 3
    assert len(hook.calls(1)) == 1
    assert hook.calls(1)[0]["EVENT"] == "failed"


def test_a_certificate_that_expires_is_told(start, hook, tmp_path):
    """From a file, too: whoever renews it has forgotten. One that has time left isn't told."""
    old = Certificate(tmp_path / "certs", ["old.example.com"], days=(-80, 5))
    new = Certificate(tmp_path / "certs", ["new.example.com"], days=(-1, 80))
    files = ", ".join(f"{{ cert: {c.file}, key: {c.key_file} }}" for c in (old, new))
    proxy = start(f"state: {tmp_path}/state\nhooks: {{ certificate-trouble: {hook()} }}\n"
                  "entrypoints: { websecure: { listen: '127.0.0.1:0',"
                  f" tls: {{ certificates: [{files}] }} }} }}\n"
                  "sites: { old.example.com: 'http://127.0.0.1:1' }\n")
    call = hook.calls(1)[0]
    assert (call["EVENT"], call["CERT_FILE"], call["NAMES"]) == (
        "expiring", str(old.file), "old.example.com")
    proxy.wait_line(r"certificate .*old\.example\.com\.pem expires in [45] days", proxy.err)
    assert len(hook.calls(1)) == 1
    assert not [line for line in proxy.err if "new" in line and "expires" in line]


def test_what_a_hook_prints_and_how_it_fails_is_logged(acme, hook):
    program = hook("#!/bin/sh\necho copied to $SALLYPORT_CERTIFICATE\nexit ${CODE:-3}\n")
    proxy, _ = acme(f"hooks: {{ certificate-issued: {program} }}\n" + SITE)
    proxy.wait_line(f"error .*hook {program} .certificate app.example.com issued. failed: "
                    "copied to app.example.com", proxy.err)
    program.write_text("#!/bin/sh\necho copied\n")
    assert cert(proxy, "renew", "app.example.com", "--force").returncode == 0
    proxy.wait_line(f"info .*hook {program} .certificate app.example.com renewed.: copied", proxy.err)


def test_a_hook_that_hangs_is_killed_and_holds_up_nothing(acme, hook, tmp_path):
    pid = tmp_path / "pid"
    program = hook(f"#!/bin/sh\necho $$ > {pid}\nsleep 1000\n")
    proxy, _ = acme(f"hooks: {{ certificate-issued: {program}, timeout: 2s }}\n"
                    "sites: { a.example.com: { use: [hi] }, b.example.com: { use: [hi] } }\n")
    wait_issued(proxy, "a.example.com")
    wait_issued(proxy, "b.example.com")
    assert proxy.ask(command="status")["ok"]
    assert serial_of(proxy, "a.example.com")
    proxy.wait_line(f"hook {program} .* failed", proxy.err, 2)
    wait_until(lambda: not Path(f"/proc/{pid.read_text().strip()}").exists(), "the hook's end")


def test_a_hook_that_hangs_does_not_hold_up_the_end(acme, hook, tmp_path):
    pid = tmp_path / "pid"
    proxy, _ = acme("hooks: { certificate-issued: "
                    + str(hook(f"#!/bin/sh\necho $$ > {pid}\nsleep 1000\n")) + ", timeout: 1h }\n" + SITE)
    wait_until(lambda: pid.exists() and pid.read_text().endswith("\n"), "the hook")
    began = time.monotonic()
    assert proxy.end() == 0
    assert time.monotonic() - began < PATIENCE / 2
    wait_until(lambda: not Path(f"/proc/{pid.read_text().strip()}").exists(), "the hook's end")


def test_a_hook_that_cannot_be_run_is_told_beforehand(tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text("hooks: { certificate-issued: /nowhere/program }\n"
                    "sites: { a.example.com: 'http://127.0.0.1:1' }\n")
    done = run("check", "-c", file)
    assert done.returncode == 0
    assert "1:30: warning: the hook '/nowhere/program' can't be run: No such file" in done.stderr
    file.write_text("hooks: { certificate-issued: logger }\n"
                    "sites: { a.example.com: 'http://127.0.0.1:1' }\n")
    done = run("check", "-c", file)
    assert done.returncode == 1 and "give its absolute path" in done.stderr
