# SPDX-License-Identifier: Apache-2.0
"""Who may pass, by what is known of address, request and time; lists that change while they are used."""
import datetime
import os
import socket

import pytest

import mmdb
from harness import PATIENCE, Client, Origin, Proxy, run, wait_until
from http2 import H2Client

TRUSTED = "entrypoints: { web: { listen: '127.0.0.1:0', h2c: on, trusted-proxies: loopback } }\n"


def site(filters, more=""):
    return TRUSTED + f"""
filters: {{ f: {filters}, here: {{ respond: {{ status: 200 }} }} }}
sites: {{ a.example: {{ use: [f, here] }} }}
{more}"""


def ask(proxy, client="192.0.2.1", path="/", method="GET", headers=""):
    return proxy.get(path, host="a.example", method=method,
                     headers=f"X-Forwarded-For: {client}\r\n{headers}").status


@pytest.fixture
def databases(tmp_path):
    """(countries, systems): files, and the settings that name them."""
    countries, systems = tmp_path / "country.mmdb", tmp_path / "asn.mmdb"
    countries.write_bytes(mmdb.database({"192.0.2.0/24": mmdb.country("DE"),
                                         "198.51.100.0/24": mmdb.country("FR"),
                                         "2001:db8::/32": mmdb.country("DE")}))
    systems.write_bytes(mmdb.database({"192.0.2.0/25": mmdb.system(64496),
                                       "192.0.2.128/25": mmdb.system(4200000001)}, 28))
    return countries, systems, f"geo: {{ country: {countries}, asn: {systems} }}\n"


def test_countries_and_systems_decide(start, databases):
    """S4-8: by country and autonomous system."""
    proxy = start(site("{ allow: { countries: [de], asns: [AS64496, 4200000001, 64499] } }",
                       databases[2]))
    assert ask(proxy, "192.0.2.1") == ask(proxy, "192.0.2.200") == 200
    assert ask(proxy, "198.51.100.1") == 403  # France
    assert ask(proxy, "2001:db8::1") == 403  # of no system
    assert ask(proxy, "203.0.113.1") == 403  # of no country


@pytest.mark.parametrize("filters, refused, passed", [
    ("{ deny: { countries: [FR] } }", [{"client": "198.51.100.9"}],
     [{"client": "192.0.2.1"}, {"client": "203.0.113.1"}]),
    ("{ deny: { countries: [unknown] } }", [{"client": "203.0.113.1"}], [{"client": "2001:db8::7"}]),
    ("{ deny: { countries: [FR], methods: [POST, PUT], paths: [/login, /admin/] } }",
     [{"client": "198.51.100.9", "method": "PUT", "path": "/admin"},
      {"client": "198.51.100.9", "method": "POST", "path": "/login/x"}],
     [{"client": "198.51.100.9", "path": "/login"},
      {"client": "198.51.100.9", "method": "PUT", "path": "/administration"},
      {"client": "192.0.2.1", "method": "PUT", "path": "/admin"}]),
    ("{ deny: { headers: { User-Agent: '(?i)badbot', Accept: '^$' } } }",
     [{"headers": "User-Agent: x BadBot/1\r\nAccept:\r\n"}],
     [{"headers": "User-Agent: x BadBot/1\r\n"}, {"headers": "User-Agent: ok\r\nAccept:\r\n"}]),
    ("{ allow: { addresses: [private, 192.0.2.0/24], methods: [GET] } }",
     [{"method": "DELETE"}, {"client": "203.0.113.1"}], [{}, {"client": "10.1.2.3"}]),
])
def test_conditions_of_all_kinds_have_to_be_met(start, databases, filters, refused, passed):
    """S4-8: by address, country, method, path and header, combined."""
    proxy = start(site(filters, databases[2]))
    assert [ask(proxy, **one) for one in refused] == [403] * len(refused)
    assert [ask(proxy, **one) for one in passed] == [200] * len(passed)


def test_windows_of_time_decide(start):
    """S4-8: by time."""
    day = (datetime.datetime.utcnow() + datetime.timedelta(days=3)).strftime("%a")
    proxy = start(TRUSTED + f"""
filters:
  always: {{ allow: {{ times: ["00:00-24:00"] }} }}
  another-day: {{ allow: {{ times: [{day}], time-zone: utc }} }}
  here: {{ respond: {{ status: 200 }} }}
sites:
  a.example: {{ use: [always, here] }}
  b.example: {{ use: [another-day, here] }}
""")
    assert proxy.get(host="a.example").status == 200
    assert proxy.get(host="b.example").status == 403


def test_a_new_database_counts_without_a_reload(start, databases):
    proxy = start(site("{ deny: { countries: [FR] } }", databases[2]))
    assert ask(proxy, "192.0.2.1") == 200
    new = databases[0].with_suffix(".new")
    new.write_bytes(mmdb.database({"192.0.2.0/24": mmdb.country("FR")}, 32))
    new.rename(databases[0])
    wait_until(lambda: ask(proxy, "192.0.2.1") == 403, "the new database")
    assert ask(proxy, "198.51.100.1") == 200
    new.write_bytes(databases[0].read_bytes()[:-40])
    new.rename(databases[0])
    proxy.wait_line(r"country\.mmdb: its description is damaged", proxy.err)
    assert ask(proxy, "192.0.2.1") == 403


def test_a_list_that_changes_counts_without_a_reload_and_a_bad_one_does_not(start, tmp_path):
    """S2-4: the list of who may come is edited while it is in use; half a line harms nobody."""
    office = tmp_path / "office.txt"
    office.write_text("192.0.2.0/24\n")
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "partners.txt").write_text("198.51.100.1\n")
    text = site(f"{{ allow: {{ addresses: [partners], files: [{office}] }} }}", f"lists: {lists}\n")
    proxy = start(text)
    assert [ask(proxy, c) for c in ["192.0.2.1", "198.51.100.1", "203.0.113.1"]] == [200, 200, 403]
    proxy.write("this: is not what settings look like\n")  # nobody has asked for it yet
    with open(office, "a") as file:
        file.write("203.0.113.1 # a new one\n")
    wait_until(lambda: ask(proxy, "203.0.113.1") == 200, "the longer list")
    office.write_text("192.0.2.0/24\n203.0.113\n")
    proxy.wait_line(r"office\.txt:2: the line is neither an address nor", proxy.err)
    assert ask(proxy, "203.0.113.1") == 200
    new = tmp_path / "new"
    new.write_text("192.0.2.7\n")
    os.rename(new, office)
    wait_until(lambda: ask(proxy, "203.0.113.1") == 403, "the shorter list")
    (lists / "partners.txt").write_text("198.51.100.2\n")
    wait_until(lambda: ask(proxy, "198.51.100.2") == 200, "the list with a name")
    assert not any("this" in line for line in proxy.err)


def test_an_empty_list_means_nobody(start, tmp_path):
    """Not everybody, whatever stands beside it."""
    (tmp_path / "empty").write_text("# nobody yet\n")
    for kind, wanted in [("deny", 200), ("allow", 403)]:
        for names in [f"addresses: ['file:{tmp_path}/empty']", f"files: [{tmp_path}/empty]"]:
            proxy = start(site(f"{{ {kind}: {{ {names}, methods: [GET] }} }}"))
            assert ask(proxy) == wanted


@pytest.mark.parametrize("settings, why", [
    ("f: { deny: { countries: [DE] } }", "countries need a database"),
    ("f: { deny: { asns: [1] } }", "autonomous systems need a database"),
    ("f: { deny: { asns: [x] } }", "'x' is no autonomous system"),
    ("f: { deny: { countries: [Germany] } }", "'Germany' is no country"),
    ("f: { deny: { times: [Monday 8-9] } }", "is no window of time"),
    ("f: { deny: { headers: { A: '(' } } }", "is no regular expression"),
    ("f: { deny: { status: 404 } }", "name what is meant"),
])
def test_conditions_that_make_no_sense_are_errors(tmp_path, settings, why):
    file = tmp_path / "s.yaml"
    file.write_text(f"filters: {{ {settings} }}\nsites: {{ a.example: {{ use: [f] }} }}\n")
    done = run("check", "--config", file)
    assert done.returncode == 1 and why in done.stderr, done.stderr


def test_both_lists_count_in_the_order_of_use_and_a_route_is_an_exception(start, origin):
    """S4-6: the list of whom nobody wants and that of who may come, in the order that `explain` shows; an
    exception is for one path and one argument alone."""
    back = origin(lambda request, conn: "served")
    proxy = start(TRUSTED + f"""
filters:
  unwanted: {{ deny: {{ addresses: [192.0.2.66], status: 404 }} }}
  people: {{ allow: {{ addresses: [192.0.2.0/24] }} }}
sites:
  a.example:
    routes:
      - {{ match: "Path(`/hook`) && Query(`by`, `partner`)", use: [unwanted], to: "{back.url}" }}
      - {{ match: "PathPrefix(`/`)", use: [unwanted, people], to: "{back.url}" }}
""")
    stranger, unwanted = "203.0.113.1", "192.0.2.66"  # that one is on both lists: the first decides
    assert [ask(proxy, c) for c in ("192.0.2.1", stranger, unwanted)] == [200, 403, 404]
    asked = [("/hook?by=partner", 200), ("/hook?by=other", 403), ("/hook", 403), ("/hook/x?by=partner", 403)]
    assert [(path, ask(proxy, stranger, path)) for path, _ in asked] == asked
    assert ask(proxy, unwanted, "/hook?by=partner") == 404
    assert len(back.requests) == 2

    def explained(path):
        shown = run("explain", "--config", proxy.file, "--from", "192.0.2.1", f"http://a.example:80{path}", check=0)
        return [line.split()[1] for line in shown.stdout.splitlines() if line.startswith("  filter")]
    assert explained("/x") == ["unwanted", "people"]
    assert explained("/hook?by=partner") == ["unwanted"]


def test_explain_says_which_condition_decides(tmp_path, databases):
    file = tmp_path / "s.yaml"
    file.write_text(site("{ allow: { countries: [FR] } }", databases[2]))
    done = run("explain", "--config", file, "--from", "192.0.2.1", "http://a.example:80/")
    assert "answers this request 403: its country isn't listed" in done.stdout


UPGRADE = ("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")


@pytest.mark.parametrize("path", ["/admin", "/%61dmin", "//admin", "/x/../admin", "/admin;x", "/;/admin",
                                  "/x/..;/admin", "/%2fadmin", "/x%2f..%2fadmin", "/\\admin", "/%5cadmin",
                                  "http://a.example/admin"])
def test_no_spelling_gets_round_a_list(guarded, path):
    """S4-7: as requests, upgrades and extended CONNECT, of both versions of HTTP."""
    n = len(guarded.server.requests)
    for host in ["a.example", "b.example"]:  # deny, allow
        for headers in ["", UPGRADE]:
            assert guarded.get(path.replace("a.example", host), host=host,
                               headers=headers).status in (400, 403)
        with H2Client(guarded.port) as client:
            plain = client.fields(path, host)
            tunnel = [(":method", "CONNECT"), (":protocol", "websocket"), *plain[1:],
                      ("sec-websocket-version", "13")]
            for fields in [plain, tunnel]:
                answer = client.answer(client.request(fields=fields, end=fields is plain))
                assert answer.status in (400, 403)
    assert len(guarded.server.requests) == n
    assert guarded.get("/public/a%20b", host="a.example").status == 200
    assert guarded.get("/public/a%20b", host="b.example").status == 200


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    server = Origin()
    proxy = Proxy(tmp_path_factory.mktemp("guarded"), f"""
entrypoints: {{ web: {{ listen: '127.0.0.1:0', h2c: on }} }}
filters:
  no-admin: {{ deny: {{ paths: [/admin] }} }}
  public: {{ allow: {{ paths: [/public] }} }}
sites:
  a.example: {{ use: [no-admin], to: '{server.url}' }}
  b.example: {{ use: [public], to: '{server.url}' }}
""")
    proxy.server = server
    yield proxy
    proxy.stop()
    server.stop()
