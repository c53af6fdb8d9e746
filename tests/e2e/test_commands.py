# SPDX-License-Identifier: Apache-2.0
"""The command line: what it says, and with which exit status."""
import json
import re

import pytest

from harness import BINARY, Client, Process, run

COMMANDS = ["run", "proxy", "check", "reload", "stop", "upgrade", "status", "explain", "print",
            "whoami", "hash-password", "version", "help"]

BROKEN = """\
wrokers: 2
workers: many
connections-max: 3
entrypoints: { web: { listen: "80" } }
services:
  app: { servers: ["ftp://x"], connect-timeout: 5 parsecs }
filters:
  f: { redirect: { to: "javascript:alert(1)" } }
sites:
  a.example: { use: [ghost], to: app }
  "not a host": http://127.0.0.1:1
routes:
  - { match: "Path(`/x`", to: nowhere }
"""
# Where each of them is, and a word that says what.
FAULTS = [(1, 1, "wrokers.*workers"), (2, 10, "many"), (3, 18, "16"), (4, 31, "80"),
          (6, 20, "ftp"), (6, 49, "parsecs"), (8, 24, "javascript"), (10, 22, "ghost"),
          (11, 3, "not a host"), (13, None, "rule|\\)|parenthes"), (13, None, "nowhere")]

FINE = """\
entrypoints:
  { web: "127.0.0.1:8080", inner: { listen: "127.0.0.1:8081", trusted-proxies: [10.0.0.0/8] } }
filters:
  login: { basic-auth: ["ada:$2y$10$oxW40Z7Vh16MLWCmIV8d.epZiwhzbmmY4u/85WhC526wYFN.gI2ge"] }
  tidy: { headers: { response: { remove: [Server] } } }
services: { app: "http://10.0.0.1:80" }
sites:
  a.example:
    to: app
    use: [tidy]
    routes:
      - { match: "PathPrefix(`/admin`) && ClientIP(`10.1.0.0/16`)", use: [login], to: app }
      - { match: "Method(`PUT`) && Header(`X-Key`, `k`)", name: writes, to: "http://10.0.0.8" }
  inner.example: { to: app, entrypoints: [inner] }
"""


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "s.yaml"
        path.write_text(text)
        return path
    return write


# --- check ---

def test_check_tells_every_error_with_its_place(file):
    """One file broken in ten ways and more: all are told at once."""
    done = run("check", "-c", file(BROKEN), check=1)
    for line, column, what in FAULTS:
        place = rf"s\.yaml:{line}:{column or '[0-9]+'}: error: .*({what})"
        assert re.search(place, done.stderr), (place, done.stderr)
    assert re.search(rf"\b{len(re.findall(': error:', done.stderr))} errors", done.stderr)
    assert done.stdout == ""


def test_check_as_json_has_the_same(file):
    done = run("check", "-c", file(BROKEN), "--json", check=1)
    result = json.loads(done.stdout)
    assert result["ok"] is False and result["errors"] == len(result["messages"]) >= 11
    for line, column, what in FAULTS:
        assert any(m["line"] == line and column in (None, m["column"]) and
                   re.search(what, m["text"]) and m["severity"] == "error" and
                   m["source"].endswith("s.yaml") for m in result["messages"]), (line, what)
    assert json.loads(run("check", "-c", file(FINE), "--json", check=0).stdout) == {
        "ok": True, "errors": 0, "messages": []}


def test_check_of_a_fine_file_says_what_is_in_it(file):
    done = run("check", "-c", file(FINE), check=0)
    assert "fine: 2 entrypoints, 4 routes, 0 warnings" in done.stdout and done.stderr == ""
    assert run("check", "-q", "-c", file(FINE), check=0).stdout == ""


def test_check_of_a_file_that_is_not_there(tmp_path):
    done = run("check", "-c", tmp_path / "none.yaml", check=1)
    assert "none.yaml" in done.stderr and "No such file" in done.stderr


@pytest.mark.parametrize("routes", [
    "[{ match: 'Path(`/x`) && Path(`/y`)', use: f }]",
    "[{ match: 'PathPrefix(`/x`)', use: f }, { match: 'PathPrefix(`/x`)', use: f, name: twice }]",
    "[{ match: 'Path(`/`)', priority: 5, use: f }, { match: 'Path(`/`)', use: f, priority: 4 }]",
    "[{ match: 'Host(`a.example`) && Host(`b.example`)', use: f }]",
])
def test_check_warns_of_routes_that_can_never_match(file, routes):
    """S4-18: rules that can never match."""
    text = f"filters: {{ f: {{ respond: x }} }}\nroutes: {routes}\n"
    done = run("check", "-c", file(text), check=0)
    assert re.search(r"s\.yaml:2:\d+: warning: .* can never match", done.stderr), done.stderr


# --- explain ---

def explain(path, *args, check=0):
    return run("explain", "-c", path, *args, check=check).stdout


def test_explain_shows_why_this_route_and_not_the_others(file):
    path = file(FINE)
    text = explain(path, "http://A.example:8080/admin/../x?y=1")
    assert "arrives   entrypoint web" in text
    assert "request   GET a.example /x?y=1 from 192.0.2.1" in text
    assert re.search(r"not +a\.example/1 .*\n.*s\.yaml:12, priority \d+; .*PathPrefix.* is false",
                     text)
    assert re.search(r"not +writes .*\n.*s\.yaml:13, .*Method.* is false \(GET\)", text)
    assert re.search(r"takes +a\.example +Host\(`a\.example`\)\n", text)
    assert re.search(r"filter +tidy \(headers\).*\n +service +app", text)


def test_explain_says_by_which_versions_of_http_a_request_may_come(file):
    path = file("entrypoints:\n  web: 127.0.0.1:8080\n  calls: { listen: '127.0.0.1:8081', h2c: yes }\n"
                "  websecure: { listen: '127.0.0.1:8443', tls: {} }\n"
                "  old: { listen: '127.0.0.1:8444', tls: {}, http2: no }\n"
                "sites: { a.example: { redirect-to-https: no, to: 'http://127.0.0.1:9' } }\n")
    for url, shown in [("http://a.example:8080/", "web"),
                       ("http://a.example:8081/",
                        "calls, by HTTP/1.1, or HTTP/2 without asking (h2c)"),
                       ("https://a.example:8443/", "websecure, by HTTP/2 (ALPN) or HTTP/1.1"),
                       ("https://a.example:8444/", "old")]:
        assert f"arrives   entrypoint {shown}\n" in explain(path, url)


def test_explain_takes_method_fields_address_and_entrypoint(file):
    path = file(FINE)
    text = explain(path, "-X", "PUT", "-H", "X-Key: k", "http://a.example/")
    assert re.search(r"takes +writes", text) and re.search(r"service +http://10\.0\.0\.8", text)
    assert not re.search(r"takes +writes", explain(path, "-X", "PUT", "http://a.example/"))
    text = explain(path, "--from", "10.1.2.3", "http://a.example/admin")
    assert re.search(r"takes +a\.example/1", text)
    assert re.search(r"filter +tidy .*\n +filter +login \(basic-auth\)", text)
    assert "404" in explain(path, "http://inner.example/", check=1)
    assert "entrypoint inner" in explain(path, "http://inner.example:8081/")
    text = explain(path, "--entrypoint", "inner", "--from", "10.9.9.9", "-H",
                   "X-Forwarded-For: 10.1.0.7", "http://a.example/admin")
    assert "from 10.1.0.7 (told by a trusted proxy)" in text
    assert re.search("takes +a.example/1", text)


def test_explain_says_what_would_be_refused(file):
    path = file(FINE)
    assert re.search(r"answer +404", explain(path, "http://nobody.example/", check=1))
    assert re.search(r"refused +400", explain(path, "http://a.example/%00", check=1))


@pytest.mark.parametrize("args", [
    ["http://a.example/", "--from", "nonsense"], ["http://a.example/", "--entrypoint", "nowhere"],
    ["http://a.example/", "-H", "no colon"], [], ["http://a.example/", "two"]])
def test_explain_with_wrong_words_is_a_usage_error(file, args):
    done = run("explain", "-c", file(FINE), *args)
    assert done.returncode == 2 and done.stderr.startswith("sallyport:"), done.stdout + done.stderr


def test_explain_tells_the_errors_of_a_broken_file(file):
    done = run("explain", "-c", file(BROKEN), "http://a.example/", check=1)
    assert "ghost" in done.stderr


# --- print ---

@pytest.mark.parametrize("what", ["settings", "commands", "access-log-fields", "refusals", "ends",
                                  "api"])
def test_print_has_every_table(what):
    assert run("print", what, check=0).stdout.startswith("# ")


def test_print_config_shows_origins_and_masks_secrets(file, tmp_path):
    (tmp_path / "user").write_text("eve:$5$salt$ZKAYqaUE8I7D/WMhFe4SpTB2JCGgJFaXu.HNJbZVX5C\n")
    text = FINE.replace("- {", "- {", 1) + "workers: 3\n"
    text = text.replace('basic-auth: ["', f'basic-auth: ["file:{tmp_path / "user"}", "')
    done = run("print", "config", "-c", file(text), check=0)
    assert re.search(r"^workers: 3 +# .*s\.yaml:15$", done.stdout, re.M), done.stdout
    assert re.search(r"^drain-timeout: 30s +# default$", done.stdout, re.M)
    assert re.search(r"^    listen: 127\.0\.0\.1:8080 +# .*s\.yaml:2$", done.stdout, re.M)
    for secret in ["oxW40Z7Vh16", "$2y$", "ZKAYqaUE8I7D", "$5$salt"]:
        assert secret not in done.stdout + done.stderr


def test_print_of_something_else_is_a_usage_error():
    for args in [["bogus"], ["settings", "--as=xml"], [], ["settings", "more"], ["completion"],
                 ["completion", "fish"], ["man", "nothing"]]:
        done = run("print", *args)
        assert done.returncode == 2 and done.stdout == ""


# --- whoami ---

def test_whoami_tells_what_reached_it():
    server = Process([BINARY, "whoami", "--listen", "127.0.0.1:0", "--name", "blue"])
    try:
        port = int(server.wait_line(r"listening on port (\d+)", server.out)[1])
        with Client(port) as client:
            text = client.exchange(b"GET /a?b HTTP/1.1\r\nHost: x.example\r\nX-One: 1\r\n\r\n").text
            assert text.startswith("Name: blue\nRemoteAddr: 127.0.0.1:")
            assert "GET /a?b HTTP/1.1\nHost: x.example\n" in text and "X-One: 1\n" in text
            assert client.exchange(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
                                   ).status == 200
    finally:
        server.end()


def test_whoami_shows_what_a_proxy_adds(start):
    """S0-24: servers see the true client; what strangers claim is dropped."""
    server = Process([BINARY, "whoami", "--listen", "127.0.0.1:0"])
    try:
        port = server.wait_line(r"listening on port (\d+)", server.out)[1]
        proxy = start(f"sites: {{ a.example: 'http://127.0.0.1:{port}' }}")
        text = proxy.get(host="a.example", headers="X-Forwarded-For: 6.6.6.6\r\n"
                         "X-Real-IP: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n").text
        for line in ["X-Forwarded-For: 127.0.0.1\n", "X-Real-IP: 127.0.0.1\n",
                     "X-Forwarded-Proto: http\n", "X-Forwarded-Host: a.example\n"]:
            assert line in text, text
        assert "6.6.6.6" not in text
    finally:
        server.end()


# --- the rest ---

@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command_is_there(command):
    text = run(command, "--help", check=0).stdout
    assert f"sallyport {command}" in text
    assert run("help", command, check=0).stdout == text
    assert command in run("--help", check=0).stdout
    assert f"sallyport {command}" in run("print", "commands", check=0).stdout


def test_version_is_one_line():
    text = run("version", check=0).stdout
    assert re.fullmatch(r"sallyport \d+\.\d+\.\d+\S*\n", text)
    assert run("--version", check=0).stdout == text
    assert json.loads(run("version", "--json", check=0).stdout) == {"version": text.split()[1]}


@pytest.mark.parametrize("args, near", [
    (["chekc"], "check"), (["explian", "x"], "explain"), (["check", "--jsno"], "--json"),
    (["run", "--confg", "x"], "--config"), (["help", "verzion"], "version")])
def test_a_slip_of_the_finger_is_a_usage_error_with_a_suggestion(args, near):
    done = run(*args)
    assert done.returncode == 2 and f"did you mean '{near}'" in done.stderr, done.stderr


@pytest.mark.parametrize("args", [
    [], ["check", "word"], ["check", "--config"], ["proxy"], ["hash-password", "-m", "md5"],
    ["whoami", "--listen", "nonsense"], ["version", "-x"], ["print"],
    ["hash-password", "-u", "a:b"]])
def test_a_wrong_command_line_is_exit_status_two(args):
    done = run(*args, stdin="")
    assert done.returncode == 2, done.stdout + done.stderr


def test_hash_password_needs_a_password():
    assert run("hash-password", stdin="").returncode == 1
    assert run("hash-password", stdin="\n").returncode == 1
    one, two = (run("hash-password", stdin="x", check=0).stdout for _ in range(2))
    assert one.startswith("$2y$10$") and one != two, "salted"


def test_output_that_cannot_be_written_is_a_failure():
    import subprocess
    with open("/dev/full", "w") as full:
        done = subprocess.run([BINARY, "print", "settings"], stdout=full, stderr=subprocess.PIPE,
                              text=True)
    assert done.returncode == 1 and "No space left" in done.stderr
