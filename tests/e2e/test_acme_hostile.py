# SPDX-License-Identifier: Apache-2.0
"""src/acme against an authority that means harm, or is broken: whatever it sends, the answer is a
problem in time and within bounds."""
import base64
import json
import socket
import threading

import pytest

from authority import Driver, make_key
from harness import memory_kb
from hostile import Authority


class Nothing:
    present = clean_up = staticmethod(lambda event: None)


@pytest.fixture
def authority(tmp_path):
    server = Authority(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def client(authority):
    driver = Driver()
    driver.done("new", directory=f"{authority.base}/dir", ca=authority.ca, timeout_ms=2000)
    yield driver
    driver.stop()


def order(client, key=None, fails=True, **values):
    client.done("account", key=make_key())
    call = client.fails if fails else client.done
    return call("order", **{"names": ["a.example"], "key": key or make_key(),
                            "challenges": ["http-01"], "solver": Nothing, "timeout_ms": 3000,
                            **values})


def endless(start, more):
    def go(handler):
        handler.wfile.write(start)
        try:
            while True:
                handler.wfile.write(more)
        except OSError:
            pass
    return go


HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"


@pytest.mark.parametrize("answer, kind", [
    (endless(HEAD + b"\r\n{\"a\":\"", b"x" * 65536), "TOO_LARGE"),
    (endless(HEAD + b"\r\n", b"[" * 65536), "TOO_LARGE"),
    (endless(HEAD, b"X-Field: " + b"x" * 4000 + b"\r\n"), ("TOO_LARGE", "UNREACHABLE")),
    (endless(HEAD + b"X-Field: ", b"x" * 4000), ("TOO_LARGE", "UNREACHABLE")),
    (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), ("TIMEOUT", "UNREACHABLE", "TOO_LARGE")),
    ((200, {}, b"[" * 200000), "BAD_ANSWER"),
    ((200, {}, b'{"a":' * 50000 + b"1" + b"}" * 50000), "BAD_ANSWER"),
    ((200, {"Content-Encoding": "gzip"}, b"\x1f\x8b" + b"x" * 100), "BAD_ANSWER"),
    ((302, {"Location": "https://localhost/other"}, b""), "BAD_ANSWER"),
    ((200, {}, {"newNonce": 1, "newAccount": [], "newOrder": {}}), "BAD_ANSWER"),
], ids=["endless-json", "endless-brackets", "endless-fields", "endless-field", "endless-1xx",
        "brackets", "deep", "gzip", "redirect", "wrong-types"])
def test_a_directory_that_means_harm_ends_in_a_problem(authority, client, answer, kind):
    authority.answers["/dir"] = answer
    problem = client.fails("directory")
    assert problem["kind"] in kind
    assert memory_kb(client.child.pid) < 200_000
    assert [path for _, path, _ in authority.asked] == ["/dir"]


def test_a_server_that_drips_is_given_up(authority, client):
    held = threading.Event()

    def drip(handler):
        handler.wfile.write(HEAD + b"\r\n{")
        while not held.wait(0.05):
            try:
                handler.wfile.write(b" ")
            except OSError:
                return

    authority.answers["/dir"] = drip
    client.done("new", directory=f"{authority.base}/dir", ca=authority.ca, timeout_ms=500)
    assert client.fails("directory")["kind"] == "TIMEOUT"
    held.set()


@pytest.mark.parametrize("url", ["http://localhost:1/x", "file:///etc/passwd", "https://10.0.0.1/x",
                                 "https://[::1]/x", "https://intranet/x", "gopher://localhost/x",
                                 "https://user@localhost/x", "/relative"])
def test_an_address_that_is_not_allowed_is_not_followed(authority, client, url):
    authority.answers["/orders"] = (201, {"Location": url}, authority.order("pending"))
    authority.answers["/authz"] = (200, {}, authority.authorization(status="valid"))
    assert order(client)["kind"] == "FORBIDDEN_URL"
    authority.answers["/orders"] = (201, {"Location": f"{authority.base}/order"},
                                    authority.order("pending", authorizations=[url]))
    assert order(client)["kind"] == "FORBIDDEN_URL"


def test_a_nonce_or_location_cannot_add_fields(authority, client):
    def inject(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nReplay-Nonce: a\"},\"x\":{\r\n"
                            b"Content-Length: 0\r\nConnection: close\r\n\r\n")
    authority.answers["/dir"] = (200, {"Replay-Nonce": "a\"},{\""}, authority.usual("/dir")[2])
    authority.answers["/nonce"] = inject
    problem = client.fails("account", key=make_key())
    assert problem["kind"] == "BAD_ANSWER" and "nonce" in problem["detail"]


@pytest.mark.parametrize("status", [429, 403])
def test_a_rate_limit_comes_with_its_time(authority, client, status):
    authority.answers["/orders"] = (status, {"Retry-After": "3600"}, {
        "type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many certificates"})
    client.done("account", key=make_key())
    got = client.call("order", names=["a.example"], key=make_key(), challenges=["http-01"],
                      solver=Nothing)
    assert got["result"] == "rate-limited" and got["problem"]["retry_after"] == 3600
    assert got["problem"]["detail"] == "too many certificates"


def test_a_certificate_that_belongs_is_taken(authority, client):
    key = make_key()
    authority.chain = authority.certificate(key)
    got = order(client, key, fails=False)
    assert got["chain"].encode() == authority.chain


@pytest.mark.parametrize("make", [
    lambda a, key: b"",
    lambda a, key: b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    lambda a, key: key.encode(),
    lambda a, key: a.certificate(make_key()),
    lambda a, key: a.certificate(key, names="DNS:b.example"),
    lambda a, key: a.certificate(key, names="IP:10.0.0.1"),
    lambda a, key: a.certificate(key) + a.certificate(make_key()),
    lambda a, key: a.certificate(key) * 17,
], ids=["empty", "rubbish", "a-key", "another-key", "another-name", "an-address", "no-chain",
        "too-many"])
def test_a_certificate_that_does_not_belong_is_not_taken(authority, client, make):
    key = make_key()
    authority.chain = make(authority, key)
    assert order(client, key)["kind"] == "WRONG_CERTIFICATE"


def test_a_gigantic_chain_is_not_read_to_its_end(authority, client):
    authority.answers["/cert"] = endless(HEAD + b"\r\n", authority.certificate(make_key()))
    assert order(client)["kind"] == "TOO_LARGE"


def test_an_order_that_is_never_done_has_an_end(authority, client):
    authority.answers["/order"] = (200, {}, authority.order("processing"))
    authority.answers["/finalize"] = (200, {"Retry-After": "1"}, authority.order("processing"))
    problem = order(client, timeout_ms=300)
    assert problem["kind"] == "TIMEOUT"


def test_a_proof_for_a_foreign_name_is_not_given(authority, client):
    authority.answers["/orders"] = (201, {"Location": f"{authority.base}/order"},
                                    authority.order("pending"))
    authority.answers["/authz"] = (200, {}, authority.authorization(
        identifier={"type": "dns", "value": "bank.example"}))
    problem = order(client)
    assert problem["kind"] == "BAD_ANSWER" and "wasn't asked for" in problem["detail"]
    assert client.presented() == []


def test_a_token_that_is_a_path_is_not_presented(authority, client):
    authority.answers["/orders"] = (201, {"Location": f"{authority.base}/order"},
                                    authority.order("pending"))
    authority.answers["/authz"] = (200, {}, authority.authorization(
        challenges=[{"type": "http-01", "url": f"{authority.base}/chall", "status": "pending",
                     "token": "../../../../../../../../etc/passwd"}]))
    problem = order(client)
    assert "token" in problem["detail"] and client.presented() == []


def test_an_order_with_more_authorizations_than_names_is_refused(authority, client):
    authority.answers["/orders"] = (201, {"Location": f"{authority.base}/order"},
                                    authority.order("pending", authorizations=[
                                        f"{authority.base}/authz"] * 10000))
    authority.answers["/authz"] = (200, {}, authority.authorization(status="valid"))
    assert order(client)["kind"] == "BAD_ANSWER"
    assert "/authz" not in [path for _, path, _ in authority.asked]


def test_an_authority_that_is_slow_all_the_time_does_not_outlast_the_deadline(authority, client):
    names = [f"n{i}.example" for i in range(50)]
    asked = []

    def slow(handler):
        asked.append(1)
        threading.Event().wait(0.05)
        name = names[int(handler.path.rsplit("/", 1)[1])]
        authority.reply(handler, 200, {}, authority.authorization(
            status="valid", identifier={"type": "dns", "value": name}))

    urls = [f"{authority.base}/authz/{i}" for i in range(50)]
    authority.answers.update({f"/authz/{i}": slow for i in range(50)})
    authority.answers["/orders"] = (201, {"Location": f"{authority.base}/order"},
                                    authority.order("pending", authorizations=urls))
    problem = order(client, names=names, timeout_ms=300)
    assert problem["kind"] == "TIMEOUT" and len(asked) < 50


def test_renewal_information_is_fetched_without_an_account(authority, client):
    authority.answers["/ari/AAAA.BBBB"] = (200, {"Retry-After": "21600"}, {
        "suggestedWindow": {"start": "2026-01-02T04:00:00Z", "end": "2026-01-03T04:00:00Z"},
        "explanationURL": "https://ca.example/incident"})
    got = client.done("renewal", id="AAAA.BBBB")
    assert got["end"] - got["start"] == 86400 and got["retry_after"] == 21600
    assert got["explanation"] == "https://ca.example/incident"


def test_a_renewal_names_what_it_replaces(authority, client):
    key, sent = make_key(), []

    def replaced(handler):
        sent.append(handler.sent["payload"])
        if len(sent) == 1:
            authority.reply(handler, 409, {}, {
                "type": "urn:ietf:params:acme:error:alreadyReplaced", "detail": "by another"})
        else:
            authority.reply(handler, *authority.usual("/orders"))

    authority.answers["/orders"] = replaced
    authority.chain = authority.certificate(key)
    order(client, key, fails=False, replaces="AAAA.BBBB")
    payloads = [json.loads(base64.urlsafe_b64decode(s + "=" * (-len(s) % 4))) for s in sent]
    assert payloads[0]["replaces"] == "AAAA.BBBB" and "replaces" not in payloads[1]


def test_a_profile_of_the_directory_is_asked_for(authority, client):
    key, sent = make_key(), []
    status, fields, directory = authority.usual("/dir")
    meta = {"profiles": {"classic": "as ever", "shortlived": "six days"}}
    authority.answers["/dir"] = (status, fields, {**directory, "meta": meta})

    def look(handler):
        sent.append(handler.sent["payload"])
        authority.reply(handler, *authority.usual("/orders"))

    authority.answers["/orders"] = look
    authority.chain = authority.certificate(key)
    order(client, key, fails=False, profile="shortlived")
    assert b'"profile":"shortlived"' in base64.urlsafe_b64decode(sent[0] + "==")
    problem = order(client, key, profile="other")
    assert problem["kind"] == "INVALID_PROFILE" and "classic, shortlived" in problem["detail"]
    assert len(sent) == 1


def test_every_request_says_who_asks(authority, client):
    client.done("account", key=make_key())
    assert all(headers["User-Agent"].startswith("sallyport/") for _, _, headers in authority.asked)
    assert all(headers["Content-Type"] == "application/jose+json"
               for method, _, headers in authority.asked if method == "POST")


def test_http_is_for_loopback_tests_alone(client):
    assert client.fails_to_begin("http://127.0.0.1:1/dir") == "BAD_INPUT"
    client.done("new", directory="http://127.0.0.1:1/dir", allow_http=True)
    assert client.fails("directory")["kind"] == "UNREACHABLE"
    assert client.fails_to_begin("http://ca.example/dir", allow_http=True) == "BAD_INPUT"


def test_the_environments_proxy_is_not_used(authority, client, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        monkeypatch.setenv("https_proxy", "http://127.0.0.1:%d" % proxy.getsockname()[1])
        other = Driver()
        other.done("new", directory=f"{authority.base}/dir", ca=authority.ca)
        other.done("directory")
        other.stop()
