# SPDX-License-Identifier: Apache-2.0
"""What the guides that the project grew from do with certificates, end to end."""
import re
import threading

from authority import Driver, make_key
from certificates import Authority
from harness import PATIENCE, ROOT, free_ports, run, wait_until
from https import TlsClient, curl, get, root_of
from issuing import SITE, acme, issuer_of, pebble, wait_issued  # noqa: F401
from test_tls_servers import TlsOrigin

PATH = "/.well-known/acme-challenge/"
HTTP_01 = "challenges: [http-01]"


def test_challenges_are_answered_on_both_ports(pebble, start, origin, tmp_path):
    """S1-3: while an order runs, the token's answer is there by HTTP and by HTTPS, and no redirect."""
    answers = {}
    has_started = threading.Event()

    def relay(request, conn):
        """Stands where the authority looks, and asks the proxy at both ports."""
        assert has_started.wait(PATIENCE)
        by_http = proxy.get(request.target, "app.example.com")
        by_https = get(proxy, "app.example.com", request.target)
        answers[request.target] = [(a.status, a.text) for a in (by_http, by_https)]
        return by_https.text

    validated = origin(relay, read_body=False)
    authority = pebble(ports=(validated.port, free_ports(1)[0]), serves=("dns-01",))
    proxy = start(f"entrypoints: {{ web: '127.0.0.1:0', websecure: {{ listen: '127.0.0.1:0',"
                  f" tls: on }} }}\nemail: ops@example.com\nissuers: {{ test: {{ acme: {{ directory:"
                  f" '{authority.url}', ca: {authority.ca_file}, {HTTP_01} }} }} }}\n"
                  "filters: { hi: { respond: { body: hi } } }\n" + SITE)
    has_started.set()
    wait_issued(proxy, "app.example.com")
    assert answers
    for target, (by_http, by_https) in answers.items():
        token = target.removeprefix(PATH)
        assert by_http == by_https and by_http[0] == 200 and by_http[1].startswith(token + ".")
        # The order is over: the path is like any other again, and by HTTP redirected to HTTPS.
        wait_until(lambda: get(proxy, "app.example.com", target).text == "hi", "the answer's end")
    assert proxy.get("/other", "app.example.com").status == 301


def test_validators_come_in_any_order_and_no_server_hears_of_them(acme, origin):
    """S1-12: two servers behind one name; whoever asks for the proof is answered here."""
    servers = [origin(), origin()]
    urls = ", ".join(f"'{server.url}'" for server in servers)
    proxy, authority = acme(f"sites: {{ app.example.com: {{ to: [{urls}] }} }}\n", issuer=HTTP_01)
    wait_issued(proxy, "app.example.com")
    looked = [line for line in proxy.out if PATH in line]
    assert looked and all('" 200 ' in line for line in looked)
    for _ in range(2):
        assert get(proxy, "app.example.com").text == "hello"
    seen = [request.target for server in servers for request in server.requests]
    assert seen == ["/", "/"]


class LocalClient(Driver):
    """Another ACME client on this machine, which answers at a port of its own, as certbot does."""

    def __init__(self, authority, origin):
        super().__init__()
        self.proofs = {}
        self.server = origin(lambda request, conn: self.proofs.get(request.target))
        self.done("new", directory=authority.url, ca=authority.ca)
        self.done("account", key=make_key(), contacts=["ops@example.com"])

    def present(self, event):
        self.proofs[PATH + event["token"]] = event["key_authorization"]

    def clean_up(self, event):
        del self.proofs[PATH + event["token"]]


def test_challenges_are_passed_to_a_local_client(acme, origin, tmp_path):
    """S1-11: a route passes the authority's questions to an ACME client at a port of this machine; names
    that Sallyport looks after itself get their answers as ever."""
    client = None
    [port] = free_ports(1)
    proxy, authority = acme(
        "sites: { app.example.com: { use: [hi] }, other.example.com: { use: [hi], tls: { issuer: local"
        " } } }\n"
        f"routes: [{{ match: 'PathPrefix(`{PATH}`)', entrypoints: [web], priority: 3000000,"
        f" to: 'http://127.0.0.1:{port}' }}]\n", issuer=HTTP_01)
    wait_issued(proxy, "app.example.com")
    client = LocalClient(authority, lambda handler: origin(handler, address=("127.0.0.1", port)))
    try:
        chain = client.done("order", names=["other.example.com"], key=make_key(),
                            challenges=["http-01"], solver=client)["chain"]
    finally:
        client.stop()
    assert "BEGIN CERTIFICATE" in chain
    assert client.server.requests
    assert all(request.target.startswith(PATH) for request in client.server.requests)
    assert proxy.get("/", "other.example.com").status == 301


def test_each_route_chooses_http_or_https_to_its_server(start, origin, tmp_path):
    """S3-1: terminated once, sent on plainly here and in TLS there, the server's certificate verified."""
    ca = Authority(tmp_path / "pki")
    plain = origin(lambda r, c: "plain " + r.get("X-Forwarded-Proto"))
    sealed = TlsOrigin(lambda r, c: "sealed " + r.get("X-Forwarded-Proto"), ca.issue("127.0.0.1"))
    stranger = TlsOrigin(lambda r, c: "stranger", Authority(tmp_path / "x").issue("127.0.0.1"))
    try:
        proxy = start("entrypoints: { websecure: { listen: '127.0.0.1:0', tls: on } }\n"
                      f"authorities: {ca.file}\n"
                      f"sites:\n  a.example:\n    to: {plain.url}\n    routes:\n"
                      f"      - {{ match: PathPrefix(`/sealed`), to: '{sealed.url}' }}\n"
                      f"      - {{ match: PathPrefix(`/strange`), to: '{stranger.url}' }}\n")
        trust = root_of(proxy)
        assert get(proxy, "a.example", trust=trust).text == "plain https"
        assert get(proxy, "a.example", "/sealed", trust=trust).text == "sealed https"
        assert get(proxy, "a.example", "/strange", trust=trust).status == 502
        assert not stranger.requests and sealed.handshakes
    finally:
        sealed.stop()
        stranger.stop()


def first_settings_of(page):
    return re.search(r"^```yaml\n(.*?)^```", (ROOT / "docs/guide" / page).read_text(), re.S | re.M)[1]


def test_the_first_page_about_https_can_be_followed(start, origin, tmp_path):
    """S3-13: its first settings, and what it shows step by step: check, run, trust, curl, the
    redirect, doctor."""
    server = origin()
    web, websecure = free_ports(2)
    text = first_settings_of("https.md").replace('":80"', f"'127.0.0.1:{web}'").replace(
        '":443"', f"'127.0.0.1:{websecure}'").replace("http://127.0.0.1:3000", server.url)
    assert server.url in text and str(websecure) in text
    file = tmp_path / "s.yaml"
    file.write_text(text)
    assert "fine" in run("check", "-c", file, check=0).stdout
    proxy = start(text)
    root = tmp_path / "root.pem"
    root_of(proxy)
    root.write_text(run("trust", "--state", proxy.state, check=0).stdout)
    code, said = curl(proxy, "https://app.example.com/", trust=root)
    assert code == 0 and said.endswith("hello"), said
    moved = proxy.get("/a?b", "app.example.com", port=web)
    assert moved.status == 301 and moved.get("Location").startswith("https://app.example.com")
    said = run("doctor", "tls", f"app.example.com:{websecure}", "--to", "127.0.0.1", "--authority",
               root, check=0).stdout
    assert "nothing weak" in said


def test_a_name_and_an_address_are_enough(start, origin):
    """S2-11: no file at all; both are said on the command line, TLS included."""
    server, [port] = origin(), free_ports(1)
    proxy = start("", args=["proxy", "--from", f"a.example:{port}", "--to", server.url, "--tls"],
                  expect_start=False)
    proxy.wait_settings(1)
    with TlsClient(port, "a.example", root_of(proxy)) as client:
        assert client.exchange("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").text == "hello"
