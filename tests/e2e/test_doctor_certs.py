# SPDX-License-Identifier: Apache-2.0
"""`doctor` and `cert doctor`: what usually breaks, before an authority is asked; with pebble, and
DNS that says what the test wants."""
import json
import os
import re
import socket
import subprocess
import threading

import pytest
from harness import BINARY, IS_SANITIZED, PATIENCE, run
from https import free_port
from issuing import SITE, acme, pebble, wait_issued  # noqa: F401
from nameserver import Script

NAME = "app.example.com"
HERE = {(NAME, "A"): ["127.0.0.1"]}


@pytest.fixture
def script():
    running = []

    def go(records):
        running.append(Script(records))
        return running[-1]

    yield go
    for server in running:
        server.stop()


@pytest.fixture
def served(acme, script):
    """served(records, sites, …): a proxy whose doctor asks DNS that has these records."""
    def go(records, sites=SITE, **kwargs):
        server = script(records)
        proxy, authority = acme(f"resolver: {{ servers: ['{server.address}'] }}\n" + sites, **kwargs)
        proxy.dns = server
        return proxy, authority
    return go


def findings(done, code=None):
    """{check: [(level, text, advice)]} of a run with --json."""
    assert done.stdout, done.stderr
    report, found = json.loads(done.stdout), {}
    for f in report["findings"]:
        assert f["level"] != "bad" or f.get("advice") or f["check"] == "settings", f
        found.setdefault(f["check"], []).append((f["level"], f["text"], f.get("advice", "")))
    assert report["is_fine"] == (done.returncode == 0)
    assert code is None or done.returncode == code, found
    return found


def ports_of(proxy):
    return ("--http-port", proxy.ports["web"], "--https-port", proxy.ports["websecure"])


def look(proxy, *words, code=None):
    done = run("cert", "doctor", *words, "--json", "--control", proxy.file.parent / "control.sock",
               "-c", proxy.file, *ports_of(proxy))
    return findings(done, code)


def levels(found, check):
    return [level for level, *_ in found[check]]


def test_all_is_well_and_it_is_known_why(served):
    """S2-3: address, CAA, and that it is this proxy that answers at both ports."""
    records = {**HERE, ("example.com", "CAA"): ['0 issue "pebble.letsencrypt.org"',
                                                '0 issue "other.example"']}
    proxy, _ = served(records)
    wait_issued(proxy, NAME)
    found = look(proxy, NAME, code=0)
    assert "127.0.0.1: this machine's" in found["a"][0][1]
    assert proxy.dns.address in found["a"][0][1], "how it is known"
    for check, text in (("port-80", "leads to this proxy"), ("port-443", "this proxy's certificate"),
                        ("clock", "within"), ("directory", "answers"), ("proxy", "serves"),
                        ("limit", "1 of 5 orders"), ("settings", "no errors")):
        assert found[check][0][0] == "ok" and text in found[check][0][1], found[check]
    assert found["caa"][0][0] == "note" and "records of example.com" in found["caa"][0][1]


@pytest.mark.parametrize("records, text, advice", [
    ({}, "neither A nor AAAA", "add an A record"),
    ({(NAME, "TXT"): ['"here"']}, "no such record, neither A nor AAAA", "add an A record"),
    ({(NAME, "A"): "SERVFAIL", (NAME, "AAAA"): "SERVFAIL"}, "lookup of app.example.com failed: "
     "the resolver can't find out, SERVFAIL", "name servers"),
    ({(NAME, "CNAME"): b"\x05other\x07example\xff\xff"}, "the answer is malformed", "name servers"),
    ({(NAME, "CNAME"): b"\x3f" + 63 * b"a"}, "the answer is malformed", "name servers"),
])
def test_a_missing_address_is_told_in_words(served, records, text, advice):
    """S0-27 S2-10: which name, which lookup, and what to do."""
    proxy, _ = served(records)
    found = look(proxy, NAME, code=1)
    bad = [f for f in found["a"] if f[0] == "bad"]
    assert bad and text in bad[0][1] and NAME in bad[0][1], found["a"]
    assert advice in bad[0][2]


def test_an_address_by_way_of_an_alias_is_found(served):
    proxy, _ = served({(NAME, "CNAME"): ["host.example.net."],
                       ("host.example.net", "A"): ["127.0.0.1"]})
    wait_issued(proxy, NAME)
    found = look(proxy, NAME, code=0)
    assert "by way of host.example.net" in found["a"][0][1]


class Stranger:
    """Another server at a port of its own."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            with conn:
                conn.recv(65536)
                conn.sendall(b"HTTP/1.1 404 Not Found\r\nServer: stranger/1.0\r\n"
                             b"Content-Length: 0\r\nConnection: close\r\n\r\n")

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(PATIENCE)


def test_a_name_that_leads_elsewhere_is_told(served):
    """S2-10 S1-29: another server answers there; a token that only this proxy has proves it."""
    proxy, _ = served(HERE)
    stranger = Stranger()
    try:
        done = run("cert", "doctor", NAME, "--json", "--control", proxy.file.parent / "control.sock",
                   "-c", proxy.file, "--http-port", stranger.port, "--https-port", free_port())
    finally:
        stranger.stop()
    found = findings(done, 1)
    level, text, advice = found["port-80"][0]
    assert level == "bad" and "another server answers: status 404, stranger/1.0" in text
    assert "point the name's A and AAAA records" in advice and "cert forget" in advice
    level, text, advice = found["port-443"][0]
    assert level == "bad" and "nobody answers" in text and "firewall" in advice


@pytest.mark.parametrize("records, level, text", [
    ({("example.com", "CAA"): ['0 issue "other.example"']}, "bad", "only others may sign"),
    ({("example.com", "CAA"): ['0 issue ";"']}, "bad", "nobody may sign"),
    ({(NAME, "CAA"): ['0 issue "pebble.test"'], ("example.com", "CAA"): ['0 issue ";"']}, "ok", ""),
    ({("example.com", "CAA"): ['128 future "x"']}, "bad", "no authority knows"),
    ({("example.com", "CAA"): "SERVFAIL"}, "bad", "can't be found out at example.com"),
    ({("com", "CAA"): ['0 issuewild ";"']}, "ok", ""),
])
def test_caa_is_climbed_and_decides(served, hostile_directory, records, level, text):
    """RFC 8659: the nearest of the name and its parents that has records."""
    proxy, authority = served({**HERE, **records}, issuer="")
    directory = hostile_directory(authority, ["pebble.test"])
    settings = proxy.settings.replace(authority.url, directory)
    file = proxy.file.parent / "other.yaml"
    file.write_text(settings)
    done = run("cert", "doctor", NAME, "--json", "--control", proxy.file.parent / "none.sock",
               "-c", file, *ports_of(proxy))
    found = findings(done)
    assert found["caa"][0][0] == level and text in found["caa"][0][1], found["caa"]
    assert ("example.com", "CAA") in proxy.dns.asked or (NAME, "CAA") in records


@pytest.fixture
def hostile_directory(tmp_path):
    """A directory that names CAA domains, as pebble's doesn't: served with pebble's own certificate."""
    import http.server
    import ssl
    running = []

    def go(authority, caa):
        body = json.dumps({"newNonce": authority.url, "newAccount": authority.url,
                           "newOrder": authority.url, "revokeCert": authority.url,
                           "keyChange": authority.url,
                           "meta": {"caaIdentities": caa}}).encode()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.ca_file, str(authority.ca_file).replace(".pem", ".key"))
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        running.append((server, thread))
        return f"https://localhost:{server.server_port}/dir"

    yield go
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE)


def test_a_dry_run_orders_nothing(served):
    proxy, authority = served({})
    proxy.wait_line("settings 1 are in force", proxy.err)
    done = run("cert", "request", "other.example.com", "--dry-run", "--json", "--control",
               proxy.file.parent / "control.sock", "-c", proxy.file, *ports_of(proxy))
    found = findings(done, 1)
    assert "other.example.com has no address" in found["a"][0][1]
    assert not any(p.name.startswith("other") for p in proxy.state.glob("orders/*"))


def test_an_authority_that_is_down_and_a_failed_order_are_told(served):
    proxy, authority = served(HERE, sites="sites: { blocked.example: { use: [hi] } }\n")
    proxy.wait_line("test doesn't issue it", proxy.err)
    authority.stop()
    found = look(proxy, code=1)
    assert "forbidden by policy" in found["order"][0][1] and "cert request" in found["order"][0][2]
    assert levels(found, "directory") == ["bad"] and "clock" not in found


def test_a_wildcard_needs_dns(served):
    proxy, _ = served({}, sites="sites: { '*.w.example.com': { use: [hi] } }\n")
    found = look(proxy, "*.w.example.com", code=1)
    assert levels(found, "challenge") == ["bad"] and "dns-01" in found["challenge"][0][2]
    assert "port-80" not in found and "a" not in found


def test_without_a_proxy_it_works_as_far_as_it_goes(script, pebble, tmp_path):
    server, authority = script({}), pebble()
    file = tmp_path / "s.yaml"
    state = tmp_path / "state"
    state.mkdir(mode=0o755)
    state.chmod(0o755)
    taken = socket.create_server(("127.0.0.1", 0))
    file.write_text(f"state: {state}\nemail: a@b.example\nentrypoints: {{ web: "
                    f"'127.0.0.1:{taken.getsockname()[1]}', websecure: {{ listen: "
                    f"'127.0.0.1:{free_port()}', tls: on }} }}\n"
                    f"resolver: {{ servers: ['{server.address}'] }}\n"
                    f"issuers: {{ test: {{ acme: {{ directory: '{authority.url}', ca: "
                    f"{authority.ca_file} }} }} }}\nsites: {{ {NAME}: 'http://127.0.0.1:1' }}\n")
    with taken:
        done = run("doctor", "--json", "-c", file, "--control", tmp_path / "none.sock")
    found = findings(done, 1)
    assert levels(found, "proxy") == ["note"] and levels(found, "settings") == ["ok"]
    assert levels(found, "state") == ["weak"] and "mode 755" in found["state"][0][1]
    assert "chmod 700" in found["state"][0][2]
    taken_port, free = found["port"]
    assert taken_port[0] == "bad" and f"process {os.getpid()}" in taken_port[1]
    assert free[0] == "ok" and "is free" in free[1]
    assert {"open-files", "sandbox", "disk", "directory", "clock", "a", "caa"} <= set(found)


def test_doctor_alone_looks_at_everything(served):
    """S1-16: the machine, the proxy, the names; without any other program."""
    proxy, _ = served(HERE)
    wait_issued(proxy, NAME)
    done = subprocess.run([BINARY, "doctor", "--control", str(proxy.file.parent / "control.sock"),
                           "-c", str(proxy.file), *map(str, ports_of(proxy))], env={"PATH": ""},
                          capture_output=True, text=True, timeout=PATIENCE)
    for pattern in (r"^ok +programs +no other program is needed$", r"^this machine$",
                    r"^ok +port +web: this proxy listens at port \d+$", r"^ok +port-80 ",
                    rf"^{re.escape(NAME)}$", r"^ok +state ", r" checks"):
        assert re.search(pattern, done.stdout, re.M), (pattern, done.stdout)
    assert done.returncode == 0 or IS_SANITIZED, done.stdout


def test_settings_with_errors_are_findings(tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text("sites: { a.example: { to: nobody } }\n")
    done = run("doctor", "--json", "-c", file, "--control", tmp_path / "none.sock")
    found = findings(done, 1)
    assert levels(found, "settings") == ["bad"] and "s.yaml:1:" in found["settings"][0][1]


def test_an_address_that_the_internet_does_not_reach_is_told(script, tmp_path):
    """With an authority out there; the authority itself is not to be found, which is told as well."""
    server = script({(NAME, "A"): ["127.0.0.2"]})
    file = tmp_path / "s.yaml"
    file.write_text(f"state: {tmp_path}/state\nemail: a@b.example\n"
                    f"resolver: {{ servers: ['{server.address}'] }}\n"
                    "issuers: { out: { acme: { directory: 'https://acme.invalid/dir' } } }\n"
                    f"sites: {{ {NAME}: 'http://127.0.0.1:1' }}\n")
    found = findings(run("cert", "doctor", "--json", "-c", file, "--control", tmp_path / "none.sock",
                         "--http-port", free_port(), "--https-port", free_port()), 1)
    assert "127.0.0.2 isn't reachable from the internet" in found["a"][0][1]
    assert "public address" in found["a"][0][2] and levels(found, "directory") == ["bad"]
    assert "nobody answers at 127.0.0.2" in found["port-80"][0][1]


def test_listeners_are_listed(served):
    """S2-3: who listens where others can reach; the proxy's own are told apart."""
    proxy, _ = served(HERE)
    with socket.create_server(("0.0.0.0", 0)) as open_to_all:
        port = open_to_all.getsockname()[1]
        done = run("doctor", "ports", "--json", "--control", proxy.file.parent / "control.sock",
                   "-c", proxy.file)
    found = findings(done)
    mine = [f for f in found["listens"] if f"port {port}:" in f[1]]
    assert mine and mine[0][0] == "note" and f"process {os.getpid()}" in mine[0][1]
    assert "127.0.0.1" in mine[0][2] and not any("127.0.0.1 port" in f[1] for f in found["listens"])
    assert "a" not in found


def test_the_command_line_is_checked():
    run("doctor", "--http-port", "0", check=2)
    run("cert", "doctor", "--https-port", "x", check=2)
    run("doctor", "nonsense", check=2)
