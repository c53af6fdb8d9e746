# SPDX-License-Identifier: Apache-2.0
"""Secrets of the settings are shown nowhere: each has a mark, and all outputs are looked through."""
import json
import re
import signal

import pytest

from harness import Proxy, run

# Fits all that secrets have to be: base64, the end of a bcrypt hash, long enough to sign.
FILL = "0" * 40


def mark(name):
    return f"Mark{name}{FILL}"[:40]


def user(name):
    return "ann:$2y$10$" + f"oxW40Z7Vh16MLWCmIV8d.e{mark(name)}"[:53]


# Each setting whose kind is a secret: by its name in the reference.
SECRETS = {
    "eab.key": mark("Eab"),
    "tsig.secret": mark("Tsig"),
    "tracing-field.value": mark("Collector"),
    "basic-auth-user.user": user("User"),
    "jwt.secret": mark("Jwt") * 2,
}

# With them, what is one by its name or its form.
SETTINGS = f"""
entrypoints: {{ web: "127.0.0.1:0" }}
metrics: "127.0.0.1:0"
access-log: {{ format: json }}
tracing:
  to: "http://127.0.0.1:1"
  headers: {{ X-Collector: {SECRETS["tracing-field.value"]} }}
issuers:
  own:
    acme:
      directory: "https://127.0.0.1:1/directory"
      eab: {{ kid: kid-1, key: {SECRETS["eab.key"]} }}
      challenges: [dns-01]
      dns-update:
        server: "127.0.0.1:1"
        key: {{ name: us., secret: {SECRETS["tsig.secret"]} }}
filters:
  user: {{ basic-auth: {{ users: ["{SECRETS["basic-auth-user.user"]}"] }} }}
  token: {{ jwt: {{ secret: {SECRETS["jwt.secret"]} }} }}
  fields:
    headers: {{ request: {{ set: {{ X-Api-Key: {mark("Set")}, X-Other: "Bearer {mark("Bearer")}" }} }} }}
  answer: {{ respond: {{ status: 401, headers: {{ X-Auth: {mark("Respond")} }} }} }}
  agents: {{ deny: {{ headers: {{ X-Token: {mark("Deny")} }} }} }}
sites:
  user.example: {{ use: [agents, user, fields], to: app }}
  token.example: {{ use: token, to: app }}
  answer.example: {{ use: answer, to: app }}
  api.example: api@internal
services:
  app:
    servers: ["http://127.0.0.1:1"]
    health: {{ path: "/ready?token={mark("Query")}", headers: {{ Authorization: {mark("Health")} }} }}
"""


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    running = Proxy(tmp_path_factory.mktemp("masking") / "proxy", SETTINGS)
    yield running
    running.stop()


def look(where, text):
    found = re.search(r".{0,60}Mark[A-Z]\w+.{0,20}", text)
    assert not found, f"{where} shows a secret: {found[0]}"


def test_every_secret_setting_is_looked_for():
    rows, section = set(), None
    for line in run("print", "settings", check=0).stdout.splitlines():
        if line.startswith("### "):
            section = line[4:].strip("` ")
        elif section and re.match(r"secret\b.* · takes effect", line):
            rows.add(section)
    assert rows == set(SECRETS)


def test_no_path_of_the_api_shows_secrets(proxy):
    def read(path):
        answer = proxy.get(path, host="api.example")
        assert answer.status == 200, path
        look(path, answer.text)
        return answer.text

    for view in json.loads(read("/api/v1")):
        read(view["path"])
    for name in ("filters", "services.app", "issuers", "tracing", "sites"):
        path = f"/api/v1/settings/{name}"
        look(path, proxy.get(path, host="api.example").text)
    for path in ("rawdata", "overview", "entrypoints", "http/routers", "http/services",
                 "http/middlewares", "http/middlewares/user@file"):
        read(f"/api/{path}")
    assert '"***"' in read("/api/v1/settings")


def test_no_command_shows_secrets(proxy):
    control = ["--control", proxy.file.parent / "control.sock"]
    file = ["-c", proxy.file]
    for args in (["print", "config", *file], ["check", *file], ["status", *control],
                 ["status", "--json", *control],
                 ["errors", *control], ["top", "--json", *control],
                 ["explain", "http://user.example/", *file],
                 ["explain", "http://answer.example/", *file],
                 ["explain", "http://token.example/", *file],
                 ["api", "/api/v1/settings", *control], ["api", "/api/v1/routes", *control]):
        done = run(*args, check=0)
        look(args[:3], done.stdout + done.stderr)


def test_no_log_line_and_no_metric_shows_secrets(proxy):
    for host in ("user.example", "token.example", "answer.example"):
        proxy.get("/", host=host, headers="Authorization: Bearer a.b.c\r\n")
    proxy.wait_line("answer.example", proxy.out)
    proxy.child.send_signal(signal.SIGHUP)
    proxy.wait_settings(2)
    look("the error log", "\n".join(proxy.err))
    look("the access log", "\n".join(proxy.out))


# What is wrong with a secret or around it.
FAULTS = [
    ("filters: {{ a: {{ basic-auth: {{ users: ['{0}'] }} }} }}", "no colon"),
    ("filters: {{ a: {{ basic-auth: {{ users: ['ann:{0}'] }} }} }}", "no hash"),
    ("filters: {{ a: {{ basic-auth: {{ users: '{0}' }} }} }}", "a text"),
    ("filters: {{ a: {{ jwt: {{ secret: {0:.20} }} }} }}", "too short"),
    ("filters: {{ a: {{ jwt: {{ secret: [{0}] }} }} }}", "a list"),
    ("filters: {{ a: {{ jwt: {{ secret: {{ {0}: 1 }} }} }} }}", "a map"),
    ("filters: {{ a: {{ jwt: {0} }} }}", "no map"),
    ("filters: {{ a: {{ jwt: {{ secret: '{0}{0}', secret: '{0}{0}' }} }} }}", "twice"),
    ("tracing: {{ to: 'http://127.0.0.1:1', headers: {{ A: \"{0}\\n\" }} }}", "a line's end"),
    ("tracing: {{ to: 'http://127.0.0.1:1', headers: {{ A: [{0}] }} }}", "a list"),
    ("tracing: {{ to: 'http://127.0.0.1:1', headers: {{ Host: {0} }} }}", "ours"),
    ("issuers: {{ a: {{ acme: {{ eab: {0} }} }} }}", "no map"),
    ("issuers: {{ a: {{ acme: {{ dns-update: {{ server: a, key: {{ name: a, secret: [{0}] }} }} }} }} }}",
     "a list"),
    ("issuers: {{ a: {{ acme: {{ dns-update: {{ server: a, key: {0} }} }} }} }}", "no map"),
]


@pytest.mark.parametrize("text", [f for f, _ in FAULTS],
                         ids=[f"{i}: {what}" for i, (_, what) in enumerate(FAULTS)])
def test_no_error_about_a_secret_shows_it(tmp_path, text):
    file = tmp_path / "s.yaml"
    file.write_text("sites: { a.example: 'http://127.0.0.1:1' }\n" + text.format(mark("Fault")) + "\n")
    done = run("check", "-c", file, check=1)
    assert "error" in done.stderr
    look("check", done.stdout + done.stderr)
