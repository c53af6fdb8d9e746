# SPDX-License-Identifier: Apache-2.0
"""Several authorities in order: the next is asked when one fails, each with its own back-off."""
import json

import pytest
from harness import run
from hostile import Authority
from issuing import (SITE, cert, failed_renewals, issuer_of, kill_all, orders_of,  # noqa: F401
                     pebble, serial_of, two_acmes, wait_issued)

SLOW = {"env": {"PEBBLE_VA_NOSLEEP": "0", "PEBBLE_VA_SLEEPTIME": "1"}}


def order_of(proxy, site="app.example.com"):
    orders = proxy.ask(command="status")["status"]["orders"]
    return next(o for o in orders if o["id"] == site)


def errors_of(proxy):
    return {i["issuer"]: i["last_error"] for i in order_of(proxy)["issuers"]}


def stop_resolving(authority):
    authority.manage("set-servfail", host="app.example.com")


def resolve_again(authority):
    authority.manage("clear-servfail", host="app.example.com")


def test_the_second_signs_while_the_first_is_down_and_is_kept(two_acmes, start):
    """S0-26: a directory where nobody listens; a restart orders nothing anew."""
    proxy, first, second = two_acmes("")
    first.stop()
    settings = proxy.settings + SITE
    proxy.reload(settings, 2)
    wait_issued(proxy, "app.example.com", issuer="second")
    assert orders_of(second) == 1
    errors = errors_of(proxy)
    assert errors["first"] and errors["second"] is None
    listed = json.loads(cert(proxy, "list", "--json").stdout)
    assert [c["issuer"] for c in listed if c["source"] == "store"] == ["second"]
    shown = cert(proxy, "list").stdout
    assert "first: " + errors["first"] in shown and "second" in shown
    serial = serial_of(proxy, "app.example.com")
    assert proxy.end() == 0
    again = start(settings)
    assert serial_of(again, "app.example.com") == serial
    assert errors_of(again)["first"] == errors["first"]  # it is known from before
    assert orders_of(second) == 1


def test_the_second_signs_what_the_first_refuses(two_acmes):
    proxy, first, second = two_acmes(SITE, first={"blocked": ["app.example.com"]})
    wait_issued(proxy, "app.example.com", issuer="second")
    assert "forbidden by policy" in errors_of(proxy)["first"]
    assert orders_of(first) == 1 and orders_of(second) == 1


def test_a_rate_limit_is_waited_for_by_its_authority_alone(two_acmes, tmp_path):
    """S0-26: Retry-After is obeyed, while the next authority is asked at once."""
    (tmp_path / "limiting").mkdir()
    limiting = Authority(tmp_path / "limiting")
    limiting.answers["/orders"] = (429, {"Retry-After": "86400"}, {
        "type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many for now"})
    try:
        proxy, first, _ = two_acmes("")
        settings = proxy.settings.replace(first.url, limiting.base + "/dir") \
            .replace(str(first.ca_file), str(limiting.cert)) + SITE
        proxy.reload(settings, 2)
        wait_issued(proxy, "app.example.com", issuer="second")
        of_first, of_second = order_of(proxy)["issuers"]
        assert "too many for now" in of_first["last_error"]
        assert of_first["not_before"] > of_first["last_failure"][:10] + "T23:59"
        assert of_second["not_before"] is None and of_second["failures"] == 0
    finally:
        limiting.stop()


def test_a_renewal_begins_with_the_first_again(two_acmes):
    proxy, first, second = two_acmes("")
    stop_resolving(first)
    proxy.reload(proxy.settings + SITE, 2)
    wait_issued(proxy, "app.example.com", issuer="second")
    resolve_again(first)
    assert cert(proxy, "renew", "app.example.com", "--force").returncode == 0
    wait_issued(proxy, "app.example.com", issuer="first")
    assert errors_of(proxy) == {"first": None, "second": None}
    assert orders_of(second) == 1


def test_a_renewal_that_is_asked_for_goes_on_with_the_next(two_acmes):
    proxy, first, second = two_acmes(SITE)
    wait_issued(proxy, "app.example.com", issuer="first")
    stop_resolving(first)
    assert cert(proxy, "renew", "app.example.com", "--force").returncode == 0
    wait_issued(proxy, "app.example.com", issuer="second")
    stop_resolving(second)
    [failed] = failed_renewals(proxy, "app.example.com")
    assert "first: " in failed and "second: " in failed


def test_each_backs_off_by_itself_when_all_fail(two_acmes):
    """S0-26: no authority is asked again before its time, and the site serves."""
    proxy, first, second = two_acmes("")
    stop_resolving(first)
    stop_resolving(second)
    proxy.reload(proxy.settings + SITE, 2)
    proxy.wait_line("second doesn't issue it", proxy.err)
    order = order_of(proxy)
    assert order["state"] == "waiting" and order["issuer"] == "first"
    assert all(i["failures"] == 1 and i["not_before"] for i in order["issuers"])
    assert orders_of(first) + orders_of(second) <= 4  # one for each kind of challenge
    assert issuer_of(proxy, "app.example.com")


def test_a_kill_during_the_seconds_order_places_no_other(two_acmes, start):
    proxy, first, second = two_acmes("",
                                     more="log: { level: debug }\nissuer: [first, second]\n",
                                     second=SLOW)
    stop_resolving(first)
    settings = proxy.settings + SITE
    proxy.reload(settings, 2)
    proxy.wait_line("second is asked next", proxy.err)
    proxy.wait_line("waiting for the authority to look", proxy.err, 2)
    before = orders_of(first)
    kill_all(proxy)
    again = start(settings)
    wait_issued(again, "app.example.com", issuer="second")
    assert orders_of(second) == 1 and orders_of(first) == before


def test_a_site_has_an_order_of_its_own(two_acmes):
    """A single name stays valid, and the default is the first issuer of all."""
    proxy, _, _ = two_acmes(
        "sites:\n  a.example.com: { use: [hi] }\n"
        "  b.example.com: { use: [hi], tls: { issuer: second } }\n"
        "  c.example.com: { use: [hi], tls: { issuer: [second, first] } }\n"
        "  d.example.com: { use: [hi], tls: { issuer: local } }\n", more="")
    for site, issuer in (("a", "first"), ("b", "second"), ("c", "second")):
        wait_issued(proxy, f"{site}.example.com", issuer=issuer)
    assert "Pebble" not in issuer_of(proxy, "d.example.com")
    proxy.reload(proxy.settings.replace("state:", "issuer: local\nstate:", 1), 2)
    ids = {o["id"] for o in proxy.ask(command="status")["status"]["orders"]}
    assert ids == {"b.example.com", "c.example.com"}


def test_revoking_goes_to_who_signed(two_acmes):
    proxy, first, second = two_acmes("")
    stop_resolving(first)
    proxy.reload(proxy.settings + SITE, 2)
    wait_issued(proxy, "app.example.com", issuer="second")
    serial = serial_of(proxy, "app.example.com")
    assert cert(proxy, "revoke", "app.example.com", "--yes").returncode == 0
    assert json.loads(second.asks(f"cert-status-by-serial/{serial:x}"))["Status"] == "Revoked"


@pytest.mark.parametrize("value, error", [
    ("[first, nobody]", "1:17: error: there is no issuer 'nobody'"),
    ("[first, local]", "1:17: error: local stands alone"),
    ("[first, first]", "1:17: error: 'first' is there already"),
])
def test_a_list_that_makes_no_sense_is_told_with_its_place(tmp_path, value, error):
    file = tmp_path / "s.yaml"
    file.write_text(f"issuer: {value}\nissuers: {{ first: {{ acme: {{}} }} }}\n"
                    "sites: { a.example.com: 'http://127.0.0.1:1' }\n")
    done = run("check", "-c", file)
    assert done.returncode == 1 and error in done.stderr


def test_an_issuer_has_a_name_that_a_folder_can_have(tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text("issuers:\n  LE: { acme: {} }\n  local: { acme: {} }\n"
                    "sites: { a.example.com: 'http://127.0.0.1:1' }\n")
    done = run("check", "-c", file)
    assert done.returncode == 1
    assert "2:3: error: 'LE' is no name for an issuer" in done.stderr
    assert "3:3: error: local is the local CA" in done.stderr
