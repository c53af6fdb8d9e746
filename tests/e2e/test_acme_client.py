# SPDX-License-Identifier: Apache-2.0
"""src/acme against Debian's pebble: accounts, orders, challenges, chains, revocation."""
import pytest

from authority import Driver, Pebble, make_key, openssl


@pytest.fixture
def pebble(tmp_path):
    running = []

    def go(**kwargs):
        authority = Pebble(tmp_path / f"pebble{len(running)}", **kwargs)
        running.append(authority)
        return authority

    yield go
    for authority in running:
        authority.stop()


@pytest.fixture
def driver():
    running = []

    def go(authority=None, key=None, **kwargs):
        client = Driver()
        running.append(client)
        if authority:
            client.done("new", directory=authority.url, ca=authority.ca, **kwargs)
        if key:
            client.done("account", key=key, contacts=["ops@example.com"])
        return client

    yield go
    for client in running:
        client.stop()


def names_of(chain):
    text = openssl("x509", "-noout", "-ext", "subjectAltName", stdin=chain)
    return sorted(part.split(":", 1)[1].strip() for part in text.split("\n", 1)[1].split(",")
                  if ":" in part)


def serial_of(chain):
    return openssl("x509", "-noout", "-serial", stdin=chain).strip().split("=")[1]


# --- directory and account ---

def test_the_directory_says_what_the_authority_wants(pebble, driver):
    client = driver(pebble())
    found = client.done("directory")
    assert found["terms"].startswith("data:") and found["needs_eab"] is False


def test_an_authority_with_an_unknown_certificate_is_refused(pebble, driver):
    authority = pebble()
    client = driver()
    client.done("new", directory=authority.url)
    assert client.fails("directory")["kind"] == "UNTRUSTED"


def test_an_authority_that_is_not_there_is_unreachable(driver):
    client = driver()
    client.done("new", directory="https://localhost:1/dir")
    problem = client.fails("directory")
    assert problem["kind"] == "UNREACHABLE" and problem["passing"]


@pytest.mark.parametrize("kind", ["p-256", "p-384", "rsa-2048"])
def test_an_account_is_made_once_and_found_again_by_its_key(pebble, driver, kind):
    authority, key = pebble(), make_key(kind)
    client = driver(authority)
    made = client.done("account", key=key, contacts=["ops@example.com"])
    assert made["is_new"] and made["contacts"] == ["mailto:ops@example.com"]
    other = driver(authority)
    found = other.done("account", key=key, only_existing=True)
    assert found["url"] == made["url"] and not found["is_new"]


def test_an_account_that_is_only_looked_for_is_not_made(pebble, driver):
    client = driver(pebble())
    problem = client.fails("account", key=make_key(), only_existing=True)
    assert problem["kind"] == "ACCOUNT_DOES_NOT_EXIST" and problem["status"] == 400


def test_without_the_terms_there_is_no_account(pebble, driver):
    client = driver(pebble())
    problem = client.fails("account", key=make_key(), agrees=False)
    assert "terms" in problem["detail"]


def test_contacts_are_changed(pebble, driver):
    client = driver(pebble(), make_key())
    client.done("contacts", contacts=["mailto:new@example.com", "second@example.com"])
    assert client.done("fetch")["contacts"] == ["mailto:new@example.com",
                                                "mailto:second@example.com"]


def test_a_contact_that_is_no_address_is_refused_in_the_authoritys_words(pebble, driver):
    client = driver(pebble())
    problem = client.fails("account", key=make_key(), contacts=["tel:123"])
    assert problem["kind"] in ("UNSUPPORTED_CONTACT", "INVALID_CONTACT")


def test_the_account_goes_to_another_key(pebble, driver):
    authority, old, new = pebble(), make_key(), make_key("rsa-2048")
    client = driver(authority, old)
    client.done("change-key", key=new)
    client.done("fetch")
    other = driver(authority)
    assert other.fails("account", key=old, only_existing=True)["kind"] == "ACCOUNT_DOES_NOT_EXIST"
    assert not other.done("account", key=new, only_existing=True)["is_new"]


def test_a_deactivated_account_is_of_no_use(pebble, driver):
    client = driver(pebble(), make_key())
    client.done("deactivate")
    assert client.fails("fetch")["kind"] == "UNAUTHORIZED"


EAB = {"kid-1": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"}


def test_an_external_account_is_bound(pebble, driver):
    client = driver(pebble(eab=EAB))
    client.done("account", key=make_key(), eab_kid="kid-1", eab_key=EAB["kid-1"])


def test_an_external_account_that_is_missing_or_wrong_is_told(pebble, driver):
    client = driver(pebble(eab=EAB))
    assert client.fails("account", key=make_key())["kind"] == "EXTERNAL_ACCOUNT_REQUIRED"
    wrong = client.fails("account", key=make_key(), eab_kid="kid-1", eab_key="AAAA")
    assert wrong["status"] >= 400
    assert client.fails("account", key=make_key(), eab_kid="kid-1",
                        eab_key="not base64!")["kind"] == "BAD_INPUT"


# --- orders ---

@pytest.mark.parametrize("kind", ["http-01", "tls-alpn-01", "dns-01"])
def test_a_certificate_by_each_kind_of_challenge(pebble, driver, kind):
    authority = pebble()
    client = driver(authority, make_key())
    got = client.done("order", names=["a.example.com", "b.example.com"], key=make_key(),
                      challenges=[kind], solver=authority)
    assert names_of(got["chain"]) == ["a.example.com", "b.example.com"]
    assert got["chain"].count("BEGIN CERTIFICATE") == 2
    assert client.presented() == [kind, kind]
    assert [e["event"] for e in client.events].count("clean_up") == 2
    assert client.steps()[0] == "ordered" and client.steps()[-1] == "certificate received"


@pytest.mark.parametrize("kind", ["p-256", "p-384", "rsa-2048"])
def test_a_certificate_for_each_kind_of_key(pebble, driver, kind):
    authority = pebble()
    client = driver(authority, make_key())
    client.done("order", names=["a.example.com"], key=make_key(kind), challenges=["http-01"],
                solver=authority)


def test_a_wildcard_and_its_parent_are_proven_in_dns(pebble, driver):
    authority = pebble()
    client = driver(authority, make_key())
    got = client.done("order", names=["*.example.com", "example.com"], key=make_key(),
                      challenges=["http-01", "dns-01"], solver=authority)
    assert names_of(got["chain"]) == ["*.example.com", "example.com"]
    assert sorted(client.presented()) == ["dns-01", "http-01"]


def test_a_wildcard_without_dns_is_told_before_anything_is_tried(pebble, driver):
    authority = pebble()
    client = driver(authority, make_key())
    problem = client.fails("order", names=["*.example.com"], key=make_key(),
                           challenges=["http-01", "tls-alpn-01"], solver=authority)
    assert problem["kind"] == "NO_CHALLENGE" and "dns-01" in problem["next"]
    assert client.presented() == []


@pytest.mark.parametrize("kind", ["http-01", "tls-alpn-01"])
def test_an_ip_address_gets_a_certificate(pebble, driver, kind):
    authority = pebble()
    client = driver(authority, make_key())
    # The challenge server knows addresses by their name in the reverse zone (RFC 8738 6).
    got = client.call("order", names=["127.0.0.1"], key=make_key(),
                      challenges=["dns-01", kind], solver=authority)
    if kind == "http-01":
        assert got["result"] == "done" and names_of(got["chain"]) == ["127.0.0.1"]
    assert client.presented() == [kind]


def test_half_of_all_nonces_refused_is_no_trouble(pebble, driver):
    authority = pebble(env={"PEBBLE_WFE_NONCEREJECT": "50"})
    client = driver(authority, make_key())
    client.done("order", names=[f"n{i}.example.com" for i in range(8)], key=make_key(),
                challenges=["http-01"], solver=authority)


def test_an_authority_that_takes_its_time_is_waited_for(pebble, driver):
    authority = pebble(env={"PEBBLE_VA_NOSLEEP": "0", "PEBBLE_VA_SLEEPTIME": "2"})
    client = driver(authority, make_key())
    client.done("order", names=["a.example.com"], key=make_key(), challenges=["http-01"],
                solver=authority)


def test_names_that_are_proven_already_are_not_proven_again(pebble, driver):
    authority = pebble(env={"PEBBLE_AUTHZREUSE": "100"})
    client = driver(authority, make_key())
    client.done("order", names=["a.example.com"], key=make_key(), challenges=["http-01"],
                solver=authority)
    client.done("order", names=["a.example.com", "b.example.com"], key=make_key(),
                challenges=["http-01"], solver=authority)
    assert client.presented() == ["http-01"] and "already proven" in client.steps()


def test_a_kind_that_fails_falls_to_the_next(pebble, driver):
    authority = pebble(serves=("http-01", "dns-01"))  # nobody answers for tls-alpn-01
    client = driver(authority, make_key())
    client.done("order", names=["a.example.com"], key=make_key(),
                challenges=["tls-alpn-01", "http-01"], solver=authority)
    assert client.presented() == ["tls-alpn-01", "http-01"]
    assert client.steps().count("ordered") == 2 and "not proven" in client.steps()


def test_a_kind_that_cannot_be_presented_falls_to_the_next_in_the_same_order(pebble, driver):
    authority = pebble()

    class NoDns:
        clean_up = authority.clean_up

        @staticmethod
        def present(event):
            return "no such zone" if event["kind"] == "dns-01" else authority.present(event)

    client = driver(authority, make_key())
    client.done("order", names=["a.example.com"], key=make_key(),
                challenges=["dns-01", "http-01"], solver=NoDns)
    assert client.steps().count("ordered") == 1
    problem = client.fails("order", names=["b.example.com"], key=make_key(),
                           challenges=["dns-01"], solver=NoDns)
    assert problem["kind"] == "NOT_PRESENTED" and "no such zone" in problem["detail"]


def test_proofs_that_do_not_settle_fall_to_the_next_kind(pebble, driver):
    authority = pebble()

    class SlowDns:
        present, clean_up = authority.present, authority.clean_up
        kinds = []

        @classmethod
        def settle(cls, event):
            cls.kinds.append(event["n"])
            return "the zone's servers don't have it" if len(cls.kinds) == 1 else None

    client = driver(authority, make_key())
    client.done("order", names=["a.example.com"], key=make_key(),
                challenges=["dns-01", "http-01"], solver=SlowDns)
    assert client.presented() == ["dns-01", "http-01"]
    assert client.steps().count("ordered") == 1


def test_a_closed_port_is_told_in_words(pebble, driver):
    authority = pebble(serves=("dns-01",))
    client = driver(authority, make_key())
    problem = client.fails("order", names=["a.example.com"], key=make_key(),
                           challenges=["http-01"], solver=authority)
    assert problem["kind"] == "CONNECTION" and problem["name"] == "a.example.com"
    assert "port 80 of a.example.com" in problem["next"]
    assert [e["event"] for e in client.events].count("clean_up") == 1


def test_another_server_behind_the_name_is_told_in_words(pebble, driver):
    authority = pebble()

    class Wrong:
        clean_up = authority.clean_up

        @staticmethod
        def present(event):
            authority.present({**event, "key_authorization": "something else"})

    client = driver(authority, make_key())
    problem = client.fails("order", names=["a.example.com"], key=make_key(),
                           challenges=["http-01"], solver=Wrong)
    assert problem["kind"] in ("UNAUTHORIZED", "INCORRECT_RESPONSE")
    assert "answered" in problem["next"]


def test_several_failures_are_told_by_name(pebble, driver):
    authority = pebble(serves=("dns-01",))
    client = driver(authority, make_key())
    problem = client.fails("order", names=["a.example.com", "b.example.com"], key=make_key(),
                           challenges=["http-01"], solver=authority)
    assert problem["kind"] == "COMPOUND"
    assert [s["name"] for s in problem["subs"]] == ["a.example.com", "b.example.com"]


@pytest.mark.parametrize("at", ["ordered", "proof in place", "waiting for the authority to look",
                                "proven", "waiting for the certificate", "certificate received"])
def test_an_order_that_was_left_is_taken_up_again(pebble, driver, at):
    authority = pebble(env={"PEBBLE_VA_NOSLEEP": "0", "PEBBLE_VA_SLEEPTIME": "2"})
    account, key, urls = make_key(), make_key(), []
    client = driver(authority, account)

    def watch(event):
        if event.get("step") == "ordered":
            urls.append(event["detail"])

    def die(event):
        watch(event)
        if event.get("step") == at:
            client.child.kill()

    with pytest.raises((AssertionError, OSError)):
        client.call("order", names=["a.example.com"], key=key, challenges=["http-01"],
                    solver=authority, on_event=die)
        assert False, "it was killed too late"
    client.stop = lambda: None
    other = driver(authority, account)
    other.done("order", names=["a.example.com"], key=key, challenges=["http-01"],
               solver=authority, order=urls[0], on_event=watch)
    assert len(urls) == 1, "no second order"
    # It is valid now: the certificate is there for whoever has its key.
    other.done("order", names=["a.example.com"], key=key, challenges=["http-01"],
               solver=authority, order=urls[0])
    assert other.presented() == []


def test_an_order_for_another_key_is_not_taken_up_again(pebble, driver):
    authority = pebble()
    client = driver(authority, make_key())
    urls = []

    def watch(event):
        if event.get("step") == "ordered":
            urls.append(event["detail"])

    client.done("order", names=["a.example.com"], key=make_key(), challenges=["http-01"],
                solver=authority, on_event=watch)
    client.done("order", names=["a.example.com"], key=make_key(), challenges=["http-01"],
                solver=authority, order=urls[0], on_event=watch)
    assert len(urls) == 2


def test_a_cancelled_order_ends_at_once_and_cleans_up(pebble, driver):
    authority = pebble(env={"PEBBLE_VA_NOSLEEP": "0", "PEBBLE_VA_SLEEPTIME": "60"})
    client = driver(authority, make_key())

    def cancel(event):
        if event.get("step") == "waiting for the authority to look":
            client.cancel()

    got = client.call("order", names=["a.example.com"], key=make_key(), challenges=["http-01"],
                      solver=authority, on_event=cancel)
    assert got["result"] == "cancelled"
    assert [e["event"] for e in client.events].count("clean_up") == 1


def test_an_order_has_a_deadline(pebble, driver):
    authority = pebble(env={"PEBBLE_VA_NOSLEEP": "0", "PEBBLE_VA_SLEEPTIME": "60"})
    client = driver(authority, make_key())
    problem = client.fails("order", names=["a.example.com"], key=make_key(), timeout_ms=300,
                           challenges=["http-01"], solver=authority)
    assert problem["kind"] == "TIMEOUT"


def test_a_chain_is_chosen_by_its_issuer(pebble, driver):
    authority = pebble(env={"PEBBLE_ALTERNATE_ROOTS": "2"})
    client = driver(authority, make_key())
    wanted = openssl("x509", "-noout", "-subject", "-nameopt", "multiline",
                     stdin=authority.asks("roots/2"))
    wanted = wanted.rsplit("=", 1)[1].strip()
    got = client.done("order", names=["a.example.com"], key=make_key(), challenges=["http-01"],
                      solver=authority, preferred=wanted)
    assert got["issuer"] == wanted and got["preferred"]
    other = client.done("order", names=["a.example.com"], key=make_key(), challenges=["http-01"],
                        solver=authority, preferred="Nobody Root")
    assert not other["preferred"]


def test_a_profile_that_is_not_there_is_told_before_the_order(pebble, driver):
    authority = pebble()
    client = driver(authority, make_key())
    problem = client.fails("order", names=["a.example.com"], key=make_key(), profile="shortlived",
                           challenges=["http-01"], solver=authority)
    assert problem["kind"] == "INVALID_PROFILE" and "ordered" not in client.steps()


def test_a_name_that_the_authority_refuses_is_told(pebble, driver):
    authority = pebble()
    client = driver(authority, make_key())
    problem = client.fails("order", names=["blocked.example"], key=make_key(),
                           challenges=["http-01"], solver=authority)
    assert problem["kind"] == "REJECTED_IDENTIFIER"


# --- revocation and renewal information ---

@pytest.mark.parametrize("by_certificate", [False, True])
def test_a_certificate_is_revoked_with_a_reason(pebble, driver, by_certificate):
    authority, key = pebble(), make_key()
    client = driver(authority, make_key())
    got = client.done("order", names=["a.example.com"], key=key, challenges=["http-01"],
                      solver=authority)
    by = {"key": key} if by_certificate else {}
    client.done("revoke", cert=got["chain"], reason="key-compromise", **by)
    status = authority.asks(f"cert-status-by-serial/{serial_of(got['chain'])}")
    assert '"Revoked"' in status and '"Reason": 1' in status
    client.done("revoke", cert=got["chain"], **by)  # again: it is done


def test_renewal_information_that_is_not_offered_is_told(pebble, driver):
    client = driver(pebble())
    assert client.fails("renewal", id="AAAA.BBBB")["kind"] == "UNSUPPORTED"
