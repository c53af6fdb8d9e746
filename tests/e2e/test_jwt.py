# SPDX-License-Identifier: Apache-2.0
"""jwt: tokens of all algorithms, what is wrong with others, and keys from files and URLs."""
import json
import re
import threading
import time

import pytest

from harness import PATIENCE, Origin, Proxy, ok, run, wait_until
from http2 import H2Client
from tokens import Key, Secret, jwks, signed

ALGS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
SECRET = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

SETTINGS = """
filters:
  file: { jwt: { keys: jwks.json, headers: { X-User: sub, X-Roles: realm_access.roles, X-Level: level },
                 user-claim: preferred_username, realm: Lab } }
  pem: { jwt: { keys: key.pem } }
  secret: { jwt: { secret: "SECRET" } }
  strict: { jwt: { keys: jwks.json, issuer: [https://a.test, https://b.test], audience: [api, web],
                   algorithms: [ES256], leeway: 10s,
                   required: { scope: [read, write], realm_access.roles: admin, email_verified: true } } }
  typed: { jwt: { keys: jwks.json, token-type: at+jwt } }
  many: { jwt: { keys: many.json } }
  forever: { jwt: { keys: jwks.json, require-expiry: no } }
  places: { jwt: { keys: jwks.json, from: [authorization, "cookie:session", "query:token", "header:X-Jwt"],
                   strip: yes } }
sites:
  file.example: { use: file, to: "BACK" }
  pem.example: { use: pem, to: "BACK" }
  secret.example: { use: secret, to: "BACK" }
  strict.example: { use: strict, to: "BACK" }
  typed.example: { use: typed, to: "BACK" }
  many.example: { use: many, to: "BACK" }
  forever.example: { use: forever, to: "BACK" }
  places.example: { use: places, to: "BACK" }
  open.example: { to: "BACK" }
entrypoints: { web: { listen: "127.0.0.1:0", h2c: yes } }
access-log: { format: json }
"""


class World:
    def __init__(self, folder):
        self.keys = {alg: Key(alg, alg) for alg in ALGS}
        self.many = [Key("EdDSA", f"k{i}") for i in range(12)]
        self.back = Origin(lambda r, c: ok("served"))
        (folder / "proxy").mkdir()
        (folder / "proxy" / "jwks.json").write_text(jwks(*self.keys.values()))
        (folder / "proxy" / "many.json").write_text(jwks(*self.many))
        (folder / "proxy" / "key.pem").write_text(self.keys["ES256"].pem())
        settings = SETTINGS.replace("BACK", self.back.url).replace("SECRET", SECRET.decode())
        self.proxy = Proxy(folder / "proxy", settings)

    def get(self, host, token=None, path="/", more="", **kwargs):
        field = f"Authorization: Bearer {token}\r\n" if token else ""
        return self.proxy.get(path, host, headers=field + more, **kwargs)

    def stop(self):
        self.proxy.stop()
        self.back.stop()


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("jwt"))
    yield world
    world.stop()


@pytest.fixture
def world(running):
    running.back.requests.clear()
    while not running.back.seen.empty():
        running.back.seen.get()
    return running


@pytest.mark.parametrize("alg", ALGS)
def test_each_algorithm_passes_by_its_key_alone(world, alg):
    key = world.keys[alg]
    token = key.token(sub="ada")
    assert world.get("file.example", token).status == 200
    assert world.back.next_request().get("X-User") == "ada"
    assert world.get("file.example", token).status == 200  # once more: remembered
    head, claims, signature = token.split(".")
    other = Key(alg).token(header={"kid": alg}, sub="ada").split(".")
    flipped = signature[:10] + ("A" if signature[10] != "A" else "B") + signature[11:]
    for forged in (f"{head}.{claims}.{other[2]}", f"{head}.{other[1]}.{flipped}",
                   f"{head}.{claims}.{flipped}", f"{head}.{claims}.", f"{head}.{claims}"):
        answer = world.get("file.example", forged)
        assert answer.status == 401, forged
        assert 'error="invalid_token"' in answer.get("WWW-Authenticate")
    assert len(world.back.requests) == 2


def test_a_type_can_be_asked_for(world):
    """An ID token of the same issuer is no access token (RFC 8725 3.11)."""
    for typ, status in (("at+jwt", 200), ("application/AT+JWT", 200), ("JWT", 401), ("", 401), (None, 401)):
        token = world.keys["ES256"].token({"typ": typ}, sub="ada")
        assert world.get("typed.example", token).status == status, typ
    assert len(world.back.requests) == 2


def test_a_key_that_a_token_names_is_found_among_many(world):
    """Without a name, eight are tried."""
    for key in world.many:
        assert world.get("many.example", key.token(sub="ada")).status == 200
    for i, status in ((7, 200), (8, 401)):
        nameless = Key("EdDSA", private=world.many[i].private)
        assert world.get("many.example", nameless.token(sub="eve")).status == status


def test_an_algorithm_never_goes_with_a_key_of_another_type(world):
    """No `none`, and no public key as a secret (RFC 8725 3.1)."""
    rs, es = world.keys["RS256"], world.keys["ES256"]
    for alg in ("none", "None", "NONE", ""):
        for signature in (b"", b"x"):
            token = signed({"alg": alg}, {"sub": "ada"}, lambda data: signature)
            assert world.get("file.example", token).status == 401, alg
    for secret in (rs.pem().encode(), es.pem().encode(), jwks(rs).encode(), b""):
        for kid in ("RS256", None):
            token = Secret("HS256", secret, kid).token(sub="ada")
            assert world.get("file.example", token).status == 401
            assert world.get("pem.example", token).status == 401
    # An RSA key signs for ES256, and the other way round.
    assert world.get("file.example", rs.token(header={"alg": "ES256"})).status == 401
    assert world.get("file.example", es.token(header={"alg": "RS256"})).status == 401
    assert world.get("secret.example", rs.token(sub="ada")).status == 401
    assert not world.back.requests


def test_keys_as_pem_and_secrets_work_too(world):
    assert world.get("pem.example", world.keys["ES256"].token(sub="ada")).status == 200
    for alg in ("HS256", "HS384", "HS512"):
        assert world.get("secret.example", Secret(alg, SECRET).token(sub="ada")).status == 200
        assert world.get("secret.example", Secret(alg, SECRET[:-1]).token()).status == 401


def test_without_a_token_the_client_is_asked_for_one(world):
    answer = world.get("file.example")
    assert (answer.status, answer.get("WWW-Authenticate")) == (401, 'Bearer realm="Lab"')
    assert world.get("file.example", more="Authorization: Basic YTpi\r\n").status == 401
    assert "filter file denied (no token)" in world.proxy.log_lines("no token")[0]


def test_times_are_held_with_the_leeway(world):
    key, now = world.keys["ES256"], int(time.time())
    good = dict(iss="https://a.test", aud="api", scope="read", realm_access={"roles": ["admin"]},
                email_verified=True)
    cases = [({}, 200, ""), ({"exp": now + 60.5}, 200, ""), ({"nbf": now - 5, "iat": now}, 200, ""),
             ({"exp": now - 3600}, 401, "expired"), ({"exp": now - 12}, 401, "expired"),
             ({"nbf": now + 600}, 401, "not valid yet"), ({"iat": now + 600}, 401, "not valid yet"),
             ({"exp": "tomorrow"}, 401, "invalid"), ({"exp": None}, 401, "invalid"),
             ({"exp": 10**30}, 401, "invalid")]
    for claims, status, said in cases:
        answer = world.get("strict.example", key.token(**{**good, **claims}))
        assert answer.status == status, claims
        assert said in (answer.get("WWW-Authenticate") or "")
    assert world.get("forever.example", key.token(exp=None)).status == 200


def test_issuer_audience_and_claims_are_required(world):
    key = world.keys["ES256"]
    good = dict(iss="https://b.test", aud=["other", "web"], scope="openid write",
                realm_access={"roles": ["user", "admin"]}, email_verified=True)
    assert world.get("strict.example", key.token(**good)).status == 200
    for claims, status in (({"iss": "https://c.test"}, 401), ({"iss": None}, 401),
                           ({"aud": "others"}, 401), ({"aud": None}, 401),
                           ({"iss": ["https://a.test"]}, 401), ({"scope": "openid"}, 403),
                           ({"scope": "writer"}, 403), ({"realm_access": {}}, 403),
                           ({"realm_access": {"roles": "administrator"}}, 403),
                           ({"email_verified": False}, 403), ({"email_verified": None}, 403)):
        answer = world.get("strict.example", key.token(**{**good, **claims}))
        assert answer.status == status, claims
        error = "insufficient_scope" if status == 403 else "invalid_token"
        assert f'error="{error}"' in answer.get("WWW-Authenticate")
        assert "test" not in answer.text
    # Another algorithm than is allowed here.
    assert world.get("strict.example", world.keys["RS256"].token(**good)).status == 401


def test_servers_get_claims_and_nothing_that_clients_say(world):
    token = world.keys["ES256"].token(sub="ada", realm_access={"roles": ["a", "b"]}, level=7,
                                      preferred_username="ada.l")
    forged = "X-User: root\r\nx_user: root\r\nX-ROLES: admin\r\n"
    assert world.get("file.example", token, "/claims", forged).status == 200
    served = world.back.next_request()
    assert served.all("X-User") == ["ada"] and served.all("X-Roles") == ["a,b"]
    assert served.all("X-Level") == ["7"] and not [n for n, _ in served.headers if "_" in n]
    assert served.get("Authorization") == f"Bearer {token}"
    assert '"ada.l"' in world.proxy.log_lines('"/claims"')[0]
    # What a claim lacks, or can't be a field, isn't there; a line end never gets through.
    token = world.keys["ES256"].token(sub="ada\r\nX-Roles: admin", level=None)
    assert world.get("file.example", token, more=forged).status == 200
    served = world.back.next_request()
    assert not served.all("X-User") and not served.all("X-Roles")
    assert world.get("open.example", more=forged).status == 200
    assert not world.back.next_request().all("X-User")


def test_a_token_is_taken_from_its_places_and_out_of_them(world):
    token = world.keys["ES256"].token(sub="ada")
    cases = [("/p?a=1", f"Authorization: Bearer {token}\r\nCookie: a=b\r\n", "/p?a=1", "a=b"),
             ("/p?a=1", f"Cookie: a=b; session={token}; c=d\r\n", "/p?a=1", "a=b; c=d"),
             ("/p", f"Cookie: session={token}\r\n", "/p", None),
             (f"/p?a=1&token={token}&b=2", "", "/p?a=1&b=2", None),
             (f"/p?token={token}", "", "/p", None), ("/p", f"X-Jwt: {token}\r\n", "/p", None)]
    for path, fields, target, cookie in cases:
        assert world.get("places.example", path=path, more=fields).status == 200, fields
        served = world.back.next_request()
        assert (served.target, served.get("Cookie")) == (target, cookie)
        assert token not in str(served.headers) + served.target
    field = f"Authorization: Bearer {token}\r\n"
    answer = world.get("places.example", more=field + field)
    assert (answer.status, 'error="invalid_request"' in answer.get("WWW-Authenticate")) == (400, True)
    for path, more in (("/p", f"Cookie: session={token}; session=x\r\n"),
                       (f"/p?token={token}&token=x", "")):
        assert world.get("places.example", path=path, more=more).status == 400


@pytest.mark.parametrize("header", [{"crit": ["b64"], "b64": False}, {"crit": []}, {"enc": "A128GCM"},
                                    {"zip": "DEF"}, {"kid": 7}, {"alg": ["ES256"]}])
def test_tokens_of_a_kind_that_is_not_known_are_refused(world, header):
    assert world.get("forever.example", world.keys["ES256"].token(header=header)).status == 401


def test_nonsense_is_refused_in_every_form(world):
    good = world.keys["ES256"].token(sub="ada")
    for text in ("x", "..", "a.b.c", "e30.e30.e30", good + ".x", good + "=", good[:-4] + "!!!!",
                 "." + good, "x" * 20000, good.replace(".", " "), "\xff\xfe.\xff.\xff"):
        assert world.get("file.example", text).status == 401, text[:40]
    assert not world.back.requests


def test_clients_of_http2_and_upgrades_are_asked_too(world):
    token = world.keys["EdDSA"].token(sub="ada")
    with H2Client(world.proxy.ports["web"]) as client:
        assert client.get("/", "file.example").status == 401
        answer = client.get("/", "file.example", more=[("authorization", f"Bearer {token}")])
        assert answer.status == 200
    assert world.back.next_request().get("X-User") == "ada"


# --- keys from a URL ---

class Issuer:
    """A server with a JWK set that changes."""

    def __init__(self, *keys):
        self.keys, self.answer = keys, None
        self.server = Origin(lambda r, c: self.answer or ok(jwks(*self.keys)))

    def settings(self, back, more=""):
        return (f"filters: {{ f: {{ jwt: {{ jwks-url: '{self.server.url}/realms/a/certs?x=1' {more} }} }} }}\n"
                f"sites: {{ a.example: {{ use: f, to: '{back.url}' }} }}\n")


def ask(proxy, token):
    return proxy.get(host="a.example", headers=f"Authorization: Bearer {token}\r\n").status


@pytest.fixture
def issuers():
    made = []

    def go(*keys):
        made.append(Issuer(*keys))
        return made[-1]
    yield go
    for issuer in made:
        issuer.server.stop()


def test_keys_are_fetched_once_for_all(start, origin, issuers):
    key = Key("RS256", "one")
    issuer, back = issuers(key), origin(lambda r, c: "served")
    proxy = start(issuer.settings(back), workers=2)
    token, seen = key.token(sub="ada"), []
    threads = [threading.Thread(target=lambda: seen.append(ask(proxy, token))) for _ in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(PATIENCE)
    assert seen == [200] * 12
    assert [r.target for r in issuer.server.requests] == ["/realms/a/certs?x=1"]
    assert issuer.server.requests[0].get("Authorization") is None
    assert issuer.server.requests[0].get("Host") == issuer.server.address
    # A reload forgets nothing.
    assert proxy.try_reload(issuer.settings(back, ", realm: Other"))
    assert ask(proxy, token) == 200 and len(issuer.server.requests) == 1


def test_a_new_key_is_fetched_when_a_token_names_it_and_not_for_each(start, origin, issuers):
    old, new = Key("ES256", "old"), Key("ES256", "new")
    issuer = issuers(old)
    proxy = start(issuer.settings(origin(lambda r, c: "served")))
    assert ask(proxy, old.token()) == 200
    issuer.keys = (new,)
    assert ask(proxy, new.token()) == 200 and ask(proxy, old.token()) == 401
    for i in range(5):  # anybody can name keys that don't exist
        assert ask(proxy, Key("ES256", f"stranger{i}").token()) == 401
    assert len(issuer.server.requests) == 2


def test_the_last_good_keys_stay_while_the_url_is_down(start, origin, issuers):
    key = Key("EdDSA", "one")
    issuer = issuers(key)
    proxy = start(issuer.settings(origin(lambda r, c: "served"), ", refresh: 1s"))
    assert ask(proxy, key.token()) == 200
    for i, (answer, why) in enumerate(((ok("", "", "500 Internal Server Error"), "the answer is 500"),
                                       (ok("nonsense"), "there is no value"))):
        issuer.answer = answer
        before = len(proxy.err)
        wait_until(lambda: ask(proxy, key.token()) == 200 and
                   any(why in line for line in proxy.err[before:]), "a failed refresh")
        assert ask(proxy, key.token()) == 200


def test_without_any_keys_nobody_passes(start, origin, issuers):
    """Fail closed: 503, not 401, and keys are used as soon as they are there."""
    key = Key("EdDSA", "one")
    issuer = issuers(key)
    issuer.answer = ok('{"keys":[]}')
    back = origin(lambda r, c: "served")
    proxy = start(issuer.settings(back))
    assert ask(proxy, key.token()) == 503
    proxy.wait_line("filter f: no keys from .*: no key in it is of a kind", proxy.err)
    assert ask(proxy, key.token()) == 503 and not back.requests
    assert len(issuer.server.requests) == 1  # not asked for each
    issuer.answer = None
    wait_until(lambda: ask(proxy, key.token()) == 200, "the keys")


def test_a_secret_never_comes_from_a_url(start, origin, issuers):
    """Who can read the set could sign."""
    secret = Secret("HS256", SECRET, "s")
    issuer = issuers()
    issuer.answer = ok(json.dumps({"keys": [{"kty": "oct", "kid": "s", "k": "MDEy" * 16}]}))
    proxy = start(issuer.settings(origin(lambda r, c: "served")))
    assert ask(proxy, Key("EdDSA").token()) == 503
    assert ask(proxy, secret.token()) == 401


@pytest.mark.parametrize("settings, said", [
    ("{ realm: x }", "jwt needs 'keys', 'jwks-url' or 'secret'"),
    ("{ secret: short }", "less than 32 bytes"),
    ("{ jwks-url: 'ftp://a' }", ""), ("{ jwks-url: a }", "is no URL"),
    (f"{{ secret: {'x' * 32}, algorithms: none }}", "'none' is no algorithm"),
    (f"{{ secret: {'x' * 32}, from: cookie }}", "is no place for a token"),
    (f"{{ secret: {'x' * 32}, headers: {{ Authorization: sub }} }}", "has a meaning of its own"),
    ("{ keys: nonsense.txt }", "has no public key and no certificate"),
])
def test_mistakes_are_told_with_their_place(tmp_path, settings, said):
    nonsense = tmp_path / "nonsense.txt"
    nonsense.write_text("nonsense")
    settings = settings.replace("nonsense.txt", str(nonsense))
    file = tmp_path / "s.yaml"
    file.write_text(f"filters:\n  f:\n    jwt: {settings}\n"
                    "sites: { a.example: { use: f, to: 'http://10.0.0.2' } }\n")
    done = run("check", "-c", file, check=1)
    out = done.stdout + done.stderr
    assert re.search(r"s\.yaml:3:\d+: error: .*" + re.escape(said), out)
    assert "short" not in out.replace("a short text", "")


def test_explain_says_what_is_asked_for(tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text(f"filters: {{ f: {{ jwt: {{ secret: {'x' * 32}, headers: {{ X-A: a, X-B: b }} }} }} }}\n"
                    "sites: { a.example: { use: f, to: 'http://10.0.0.2' } }\n")
    done = run("explain", "-c", file, "http://a.example/", check=0)
    assert "asks for a signed token (keys given: 1); servers get: X-A, X-B" in done.stdout
    assert "xxx" not in done.stdout
