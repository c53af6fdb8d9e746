# SPDX-License-Identifier: Apache-2.0
"""Accounts at authorities: shown, with other contacts, with another key, ended."""
import json
import shutil

import pytest
from authority import make_key
from harness import run, wait_until
from hostile import Authority
from issuing import SITE, acme, cert, issuer_of, orders_of, pebble, wait_issued  # noqa: F401

SLOW = {"PEBBLE_VA_NOSLEEP": "0", "PEBBLE_VA_SLEEPTIME": "3"}


def account(proxy, *words, stdin=None):
    """The command."""
    return run("account", *words, "--control", proxy.file.parent / "control.sock", stdin=stdin)


def shown(proxy):
    """What the authority says of the account."""
    done = account(proxy, "show", "test", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def folder(proxy):
    return proxy.state / "accounts/test"


def key_of(proxy):
    return (folder(proxy) / "key.pem").read_text()


def url_of(proxy):
    return json.loads((folder(proxy) / "meta.json").read_text())["url"]


def test_accounts_are_shown(acme):
    proxy, authority = acme(SITE)
    wait_issued(proxy, "app.example.com")
    of_authority = shown(proxy)
    assert of_authority["issuer"] == "test" and of_authority["status"] == "valid"
    assert of_authority["url"] == url_of(proxy)
    assert of_authority["contacts"] == ["mailto:ops@example.com"]
    kept = json.loads(account(proxy, "show", "--json").stdout)
    assert [(a["issuer"], a["contact"]) for a in kept] == [("test", "mailto:ops@example.com")]
    text = account(proxy, "show").stdout
    assert text.startswith("test\n  directory  " + authority.url) and url_of(proxy) in text
    assert "  status     valid" in account(proxy, "show", "test").stdout


def test_changed_contacts_are_sent_to_the_account(acme):
    """RFC 8555 7.3.2: at the reload, not with the next renewal."""
    proxy, _ = acme(SITE)
    wait_issued(proxy, "app.example.com")
    url = url_of(proxy)
    proxy.reload(proxy.settings.replace("email: ops@example.com", "email: new@example.com"), 2)
    proxy.wait_line("the account at test has the new contacts", proxy.err)
    assert shown(proxy)["contacts"] == ["mailto:new@example.com"] and url_of(proxy) == url
    proxy.reload(proxy.settings.replace("email: ops@example.com", "email: new@example.com"), 3)
    proxy.reload(proxy.settings.replace("ca:", "email: [a@example.com, b@example.com], ca:"), 4)
    proxy.wait_line("the account at test has the new contacts", proxy.err, 2)
    assert shown(proxy)["contacts"] == ["mailto:a@example.com", "mailto:b@example.com"]
    assert len([line for line in proxy.err if "has the new contacts" in line]) == 2  # once each


def test_contacts_that_cannot_be_sent_are_told_and_kept_for_later(acme, start):
    proxy, authority = acme(SITE)
    wait_issued(proxy, "app.example.com")
    authority.stop()
    settings = proxy.settings.replace("email: ops@example.com", "email: new@example.com")
    proxy.reload(settings, 2)
    proxy.wait_line("the account at test can't be changed: .*reached", proxy.err)
    assert json.loads((folder(proxy) / "meta.json").read_text())["contact"] == "mailto:ops@example.com"


def test_a_new_key_serves_the_same_account(acme):
    """RFC 8555 7.3.5."""
    proxy, _ = acme(SITE)
    wait_issued(proxy, "app.example.com")
    key, url = key_of(proxy), url_of(proxy)
    done = account(proxy, "roll-over", "test")
    assert (done.returncode, done.stdout) == (0, "test: the account has a new key\n"), done.stderr
    assert key_of(proxy) != key and url_of(proxy) == url
    assert not (folder(proxy) / "next.pem").exists()
    assert shown(proxy)["url"] == url
    assert cert(proxy, "renew", "app.example.com", "--force").returncode == 0
    assert len([line for line in proxy.err if "account at test (" in line]) == 1


def test_orders_under_way_end_before_the_key_changes(acme):
    proxy, authority = acme("log: { level: debug }\n" + SITE, env=SLOW)
    proxy.wait_line("waiting for the authority to look", proxy.err)
    assert account(proxy, "roll-over", "test").returncode == 0
    wait_issued(proxy, "app.example.com")
    proxy.wait_line("has a new key", proxy.err)
    texts = [line for line in proxy.err if "issued by" in line or "has a new key" in line]
    assert "issued by" in texts[0] and "has a new key" in texts[1]
    assert orders_of(authority) == 1


@pytest.mark.parametrize("took", [False, True], ids=["before-the-authority-knew", "after"])
def test_a_change_that_was_cut_off_loses_no_account(acme, start, took):
    """A kill between the next key's file and its end: which key is the account's, it is asked."""
    proxy, _ = acme(SITE)
    wait_issued(proxy, "app.example.com")
    old, url = key_of(proxy), url_of(proxy)
    new = make_key()
    if took:
        assert account(proxy, "roll-over", "test").returncode == 0
        new = key_of(proxy)
    assert proxy.end() == 0
    (folder(proxy) / "key.pem").write_text(old)
    (folder(proxy) / "next.pem").write_text(new)
    again = start(proxy.settings)
    again.state = proxy.state
    assert cert(again, "renew", "app.example.com", "--force").returncode == 0
    assert url_of(again) == url and not (folder(again) / "next.pem").exists()
    assert key_of(again) == (new if took else old)
    assert not [line for line in again.err if "account at test (" in line]


def test_an_account_is_ended_after_asking(acme):
    """RFC 8555 7.3.6; the next order makes another one."""
    proxy, _ = acme(SITE)
    wait_issued(proxy, "app.example.com")
    url = url_of(proxy)
    unasked = account(proxy, "deactivate", "test", stdin="")
    assert unasked.returncode == 1 and "--yes" in unasked.stderr
    assert shown(proxy)["status"] == "valid"
    done = account(proxy, "deactivate", "test", "--yes")
    assert (done.returncode, done.stdout) == (0, "test: the account is deactivated\n"), done.stderr
    assert not folder(proxy).exists()
    gone = account(proxy, "show", "test")
    assert gone.returncode == 1 and "there is no account at test yet" in gone.stderr
    assert account(proxy, "show").stdout == ""
    assert "Pebble" in issuer_of(proxy, "app.example.com")
    assert cert(proxy, "renew", "app.example.com", "--force").returncode == 0
    assert url_of(proxy) != url


def test_an_account_that_was_ended_elsewhere_is_told(acme, start):
    proxy, _ = acme(SITE)
    wait_issued(proxy, "app.example.com")
    shutil.copytree(proxy.state, proxy.state.parent / "saved", symlinks=True)
    assert account(proxy, "deactivate", "test", "--yes").returncode == 0
    assert proxy.end() == 0
    shutil.rmtree(proxy.state)
    (proxy.state.parent / "saved").rename(proxy.state)
    again = start(proxy.settings)
    failed = cert(again, "renew", "app.example.com", "--force")
    assert failed.returncode == 1 and "deactivated" in failed.stderr


def test_what_cannot_be_done_is_told(acme):
    proxy, _ = acme(SITE)
    wait_issued(proxy, "app.example.com")
    assert account(proxy, "roll-over").returncode == 2
    unknown = account(proxy, "roll-over", "nobody")
    assert unknown.returncode == 1 and "no such issuer" in unknown.stderr


def test_an_authority_without_key_changes_leaves_the_key(start, tmp_path):
    (tmp_path / "plain").mkdir()
    authority = Authority(tmp_path / "plain")
    try:
        proxy = start(f"state: {tmp_path}/state\nlog: {{ level: debug }}\n"
                      "entrypoints: { websecure: { listen: '127.0.0.1:0', tls: on } }\n"
                      f"issuers: {{ test: {{ acme: {{ directory: '{authority.base}/dir',"
                      f" ca: {authority.cert} }} }} }}\n" + SITE.replace("[hi]", "[]").replace(
                          "use: []", "to: 'http://127.0.0.1:1'"))
        proxy.state = tmp_path / "state"
        proxy.wait_line("test doesn't issue it", proxy.err)  # it knows of one challenge, for others
        wait_until(lambda: folder(proxy).exists(), "the account")
        key = key_of(proxy)
        failed = account(proxy, "roll-over", "test")
        assert failed.returncode == 1 and "no keyChange" in failed.stderr
        assert key_of(proxy) == key and not (folder(proxy) / "next.pem").exists()
    finally:
        authority.stop()
