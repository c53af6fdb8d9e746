# SPDX-License-Identifier: Apache-2.0
"""How the settings file is read: YAML and its traps, secrets, places of errors, the JSON Schema."""
import json
import re
import resource

import jsonschema
import pytest
import yaml

from harness import run

SITE = "sites: { a.example: 'http://127.0.0.1:1' }\n"


@pytest.fixture
def check(tmp_path):
    """check(text) gives the finished command; text may be bytes."""
    def go(text, *args):
        (tmp_path / "s.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
        return run("check", "-c", tmp_path / "s.yaml", *args)
    return go


@pytest.fixture
def dump(tmp_path):
    def go(text):
        (tmp_path / "s.yaml").write_text(text)
        return run("print", "config", "-c", tmp_path / "s.yaml", check=0).stdout
    return go


# --- YAML ---

def test_anchors_aliases_and_merge_keys_work(dump):
    text = dump("""
services:
  one: &base { servers: "http://127.0.0.1:1", tries: 7, skip-time: 3s }
  two: { <<: *base, skip-time: 9s }
  three: { <<: [{ tries: 2, host: server }, *base] }
sites: { a.example: one, b.example: two, c.example: three }
""")
    two = text[text.index("  two:"):text.index("  three:")]
    three = text[text.index("  three:"):]
    assert "tries: 7" in two and "skip-time: 9s" in two
    assert "tries: 2" in three and "skip-time: 3s" in three and "host: server" in three


def test_an_alias_bomb_is_refused_at_once(check):
    bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12))
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = check(bomb)
    took = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    assert done.returncode == 1 and took < 3
    assert re.search("alias|too (many|large)|limit", done.stderr)


def test_deep_nesting_is_refused(check):
    done = check("sites: " + "[" * 100000)
    assert done.returncode == 1 and len(done.stderr) < 2000


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n", "{}\n"])
def test_an_empty_file_is_an_error_since_it_may_be_one_that_was_cut_off(check, text):
    done = check(text)
    assert done.returncode == 1 and ":1: error: the settings are empty" in done.stderr, done.stderr


def test_a_byte_order_mark_is_skipped(check):
    assert check(b"\xef\xbb\xbf" + SITE.encode()).returncode == 0


@pytest.mark.parametrize("text, place, what", [
    ("sites:\n\ta.example: x\n", r":2:", "tab"),
    ("workers: 2\nworkers: 3\n", r":2:1:", "twice|already|again|duplicate"),
    ("sites:\n  a.example: http://x\n  a.example: http://y\n", r":3:3:", "twice|already|again"),
    ("worker: 2\n", r":1:1:", "did you mean 'workers'"),
    ("sites: { a.example: { alias: [x], to: 'http://x' } }\n", r":1:23:", "did you mean 'aliases'"),
    ("qwertyuiop: 1\n", r":1:1:", "qwertyuiop"),
    ("- a\n- b\n", r":1:1:", "map"),
    ("just text\n", r":1:1:", "map"),
    ("sites: [a, b]\n", r":1:8:", "map"),
    ("sites: { a.example: *nothing }\n", r":1:21:", "nothing|alias|anchor"),
    ("a: 'unfinished\n", r":[12]:", "."),
    ("--- \nworkers: 1\n---\nworkers: 2\n", r":3:", "document"),
    ("drain-timeout: 5\n", r":1:16:", "duration"),
    ("drain-timeout: 99999999999999d\n", r":1:16:", "duration"),
    ("connections-max: 99999999999999999999\n", r":1:18:", "number"),
    ("log: { level: loud }\n", r":1:15:", "error, warn, info.* debug"),
    ("entrypoints: { web: { listen: ':80', x-forwarded: maybe } }\n", r":1:51:", "yes|true"),
    ("entrypoints: { web: { listen: ':80', trusted-proxies: [10.0.0.0/33] } }\n", r":1:56:",
     "network|address"),
    ("entrypoints: { a: ':81', b: ':81' }\n", r":1:29:", "'a' has this address already"),
    ("services: { a: {} }\n", r":1:", "servers"),
    ("filters: { f: { redirect: /x, respond: y } }\n", r":1:", "one of|both|single"),
    ("filters: { f: { unknown-kind: y } }\n", r":1:17:", "unknown-kind"),
])
def test_a_mistake_is_told_with_its_place_and_what_is_allowed(check, text, place, what):
    done = check(text)
    assert done.returncode == 1
    assert re.search(rf"s\.yaml{place}.* error: .*({what})", done.stderr), done.stderr


@pytest.mark.parametrize("text", [
    b"a: \xff\xfe\n", b"a: b\x00c\n", b"\xff\xfea\x00:\x00", b"%YAML 9\n", b"\x1b[2J: x\n",
    b"a: !!python/object:os.system x\n", b"? [complex]\n: x\n"])
def test_bytes_that_are_no_settings_are_refused_in_plain_words(check, text):
    done = check(text)
    assert done.returncode == 1 and done.stderr
    assert all(line.isprintable() for line in done.stderr.splitlines()), done.stderr


def test_many_errors_are_bounded(check):
    done = check("".join(f"bogus{i}: 1\n" for i in range(5000)))
    assert done.returncode == 1 and done.stderr.count("\n") < 1010
    assert "and 4000 more" in done.stderr and "5000 errors" in done.stderr


# --- secrets and files ---

HASH = "ada:$2y$10$oxW40Z7Vh16MLWCmIV8d.epZiwhzbmmY4u/85WhC526wYFN.gI2ge"


def auth(user):
    return f"filters: {{ f: {{ basic-auth: ['{user}'] }} }}\nsites: {{ a.example: {{ use: f }} }}\n"


def test_secrets_come_from_files_and_variables(check, tmp_path, monkeypatch):
    (tmp_path / "user").write_text(HASH + "\n")
    monkeypatch.setenv("SALLYPORT_TEST_USER", HASH)
    assert check(auth(f"file:{tmp_path}/user")).returncode == 0
    assert check(auth("env:SALLYPORT_TEST_USER")).returncode == 0
    for missing in [f"file:{tmp_path}/none", "env:SALLYPORT_TEST_NONE"]:
        done = check(auth(missing))
        assert done.returncode == 1 and re.search(r"s\.yaml:1:\d+: error", done.stderr)
    monkeypatch.chdir(tmp_path)
    assert check(auth("file:user")).returncode == 0


def test_secrets_serve_as_if_written_there(start, tmp_path):
    (tmp_path / "user").write_text(HASH + "\n")
    proxy = start(auth(f"file:{tmp_path}/user"))
    assert proxy.get(host="a.example").status == 401


# --- JSON Schema ---

@pytest.fixture(scope="module")
def schema():
    text = run("print", "settings", "--as=json-schema", check=0).stdout
    return jsonschema.Draft202012Validator(json.loads(text))


FITS = [
    "workers: 3", "workers: auto", "user: root", "drain-timeout: 1m30s", "access-log: off",
    "access-log: { format: json, redact: [a] }", "access-log: /tmp/x.log", "log: { level: debug }",
    "entrypoints: { web: ':80', b: { listen: '[::1]:81', body-max: 4MiB } }",
    "entrypoints: { web: { listen: ':80', trusted-proxies: [10.0.0.0/8, '::1'] } }",
    "entrypoints: { web: { listen: ':80', trusted-proxies: 10.0.0.1 } }",
    "sites: { a.example: 'http://x' }", "sites: { a.example: ['http://x', 'http://y'] }",
    "sites: { a.example: { to: 'http://x', aliases: b.example, strip: /a, replace: /b } }",
    "services: { a: 'http://x' }", "services: { a: ['http://x', { url: 'http://y', weight: 3 }] }",
    "services: { a: { servers: unix:/run/x.sock, connect-timeout: 50ms, tries: 2 } }",
    "filters: { f: { redirect: { scheme: https, code: '308' } } }",
    "filters: { f: { headers: { response: { set: { A: b }, remove: Server } } } }",
    "filters: { f: { respond: hi } }", "filters: { f: { strip-prefix: [/a, /b] } }",
    "routes: { match: 'Path(`/x`)', to: 'http://x' }", "resolver: { servers: [127.0.0.1] }",
]
UNFIT = [
    "workers: '0'", "workers: x", "bogus: 1", "drain-timeout: 5", "drain-timeout: soon",
    "connections-max: 3", "connections-max: many", "log: { level: loud }", "log: { bogus: 1 }",
    "log: loud", "entrypoints: { web: {} }", "entrypoints: [':80']",
    "entrypoints: { web: { listen: ':80', fields-max: 1000 } }",
    "entrypoints: { web: { listen: ':80', encoded-slash: sometimes } }",
    "entrypoints: { web: { listen: ':80', via: 'two words' } }",
    "sites: { a.example: { bogus: 1 } }", "sites: { a.example: { routes: [{ to: 'http://x' }] } }",
    "services: { a: { servers: 'http://x', balance: magic } }",
    "services: { a: { servers: [{ weight: 1 }] } }",
    "services: { a: { servers: [{ url: 'http://x', weight: 1001 }] } }",
    "filters: { f: {} }", "filters: { f: { bogus: 1 } }",
    "filters: { f: { respond: a, redirect: /b } }",
    "filters: { f: { respond: { status: 99 } } }", "filters: { f: { redirect: { code: 200 } } }",
    "routes: [{ to: 'http://x' }]",
]


@pytest.mark.parametrize("text", FITS)
def test_schema_and_check_accept(check, schema, text):
    done = check(text)
    assert done.returncode == 0, done.stderr
    assert not [e.message for e in schema.iter_errors(yaml.safe_load(text))]


@pytest.mark.parametrize("text", UNFIT)
def test_schema_and_check_refuse(check, schema, text):
    assert check(text).returncode == 1
    assert list(schema.iter_errors(yaml.safe_load(text)))
