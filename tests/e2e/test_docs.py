# SPDX-License-Identifier: Apache-2.0
"""What the documents show works: every YAML example loads, and fits the JSON Schema."""
import json
import re
import shlex

import jsonschema
import pytest
import yaml

import mmdb
from certificates import Authority
from harness import ROOT, run
from tokens import Key, jwks

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guide").glob("*.md"))]
EXAMPLES = [(f"{page.name}-{i + 1}", text) for page in PAGES for i, text in
            enumerate(re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.S | re.M))]
HTPASSWD = "ada:$2y$10$oxW40Z7Vh16MLWCmIV8d.epZiwhzbmmY4u/85WhC526wYFN.gI2ge\n"
# What a page shows behind a prompt, or in a line of an indented block.
COMMANDS = sorted({line.split("#")[0].split("<")[0].strip() for page in PAGES for line in
                   re.findall(r"^(?:\$ |    )(?:sudo |setpriv .* )?(sallyport .*)$",
                              page.read_text(), re.M)})


@pytest.fixture(scope="module")
def schema():
    schema = json.loads(run("print", "settings", "--as=json-schema", check=0).stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """What examples name: {file: content}."""
    ca = Authority(tmp_path_factory.mktemp("pki"))
    client = ca.issue("proxy.internal")
    return {"htpasswd": HTPASSWD.encode(), "internal-ca.pem": ca.pem, "client.pem": client.pem,
            "client.key": client.key_pem, "clients-ca.pem": ca.pem, "app.pem": client.pem,
            "app.key": client.key_pem, "both-in-one.pem": client.pem + client.key_pem,
            "eab.key": b"MTIzNDU2Nzg", "dns.key": b"MTIzNDU2Nzg=", "scanners.txt": b"203.0.113.0/24\n",
            "GeoLite2-Country.mmdb": mmdb.database({"192.0.2.0/24": mmdb.country("DE")}),
            "GeoLite2-ASN.mmdb": mmdb.database({"192.0.2.0/24": mmdb.system(64496)}),
            "partner.pem": client.pem, "jwks.json": jwks(Key("ES256")).encode(),
            "collector.secret": b"Bearer 0123456789abcdef\n",
            "token.secret": b"0123456789abcdef0123456789abcdef\n"}


A_SERVICE = "sites: { a.example: a }"


@pytest.mark.parametrize("text", [t for _, t in EXAMPLES], ids=[n for n, _ in EXAMPLES])
def test_examples_of_the_documents_load_and_fit_the_schema(text, schema, files, tmp_path,
                                                           monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "sallyport.yaml").write_text(text)
    done = run("check")
    assert done.returncode == 0, done.stderr
    errors = [e.message for e in schema.iter_errors(yaml.safe_load(text))]
    assert not errors


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_of_the_documents_exist_with_their_options(line):
    name, *words = shlex.split(line.rstrip("& "))[1:]
    if name == "traefik":  # what follows is Traefik's
        words = []
    known = run("help", check=0).stdout if name.startswith("-") else \
        run(name, "--help", check=0).stdout
    for word in words:
        if word.startswith("-"):
            assert re.search(rf"(^|[ ,]){re.escape(word.split('=')[0])}\b", known, re.M), word


def test_the_schema_refuses_what_check_refuses(schema, tmp_path):
    for text in ["entrypoint: {}", "workers: 3x", "sites: { a.example: { bogus: 1 } }",
                 "entrypoints: { web: { listen: ':80', encoded-slash: sometimes } }",
                 *(f"{A_SERVICE}\nservices: {{ a: {kinds} }}" for kinds in [
                     "{ balance: first }", "{ servers: 'http://10.0.0.1', failover: [b] }",
                     "{ split: [{ service: b }], failover: [b] }"])]:
        file = tmp_path / "bad.yaml"
        file.write_text(text)
        assert run("check", "-c", file).returncode == 1, text
        assert list(schema.iter_errors(yaml.safe_load(text))), text


def test_the_schema_takes_what_check_takes(schema, tmp_path):
    for kinds in ["{ servers: 'http://10.0.0.1' }", "'http://10.0.0.1'", "{ failover: [b] }",
                  "{ split: [{ service: b }] }", "{ may-be-empty: yes }",
                  "{ servers: 'http://10.0.0.1', may-be-empty: yes }"]:
        text = f"{A_SERVICE}\nservices: {{ a: {kinds}, b: 'http://10.0.0.2' }}"
        file = tmp_path / "good.yaml"
        file.write_text(text)
        done = run("check", "-c", file)
        assert done.returncode == 0, text + done.stderr
        assert not list(schema.iter_errors(yaml.safe_load(text))), text


def test_the_file_of_defaults_loads_as_it_is_printed(tmp_path):
    file = tmp_path / "defaults.yaml"
    file.write_text(run("print", "settings", "--as=yaml", check=0).stdout)
    done = run("check", "-c", file)
    assert done.returncode == 0, done.stderr


def test_the_committed_reference_is_what_the_binary_prints():
    for page, words in {"settings.md": ["settings"], "commands.md": ["commands"],
                        "settings.schema.json": ["settings", "--as=json-schema"],
                        "refusals.md": ["refusals"], "ends.md": ["ends"], "api.md": ["api"],
                        "access-log-fields.md": ["access-log-fields"]}.items():
        wanted = (ROOT / "docs" / "reference" / page).read_text()
        assert run("print", *words, check=0).stdout == wanted, f"{page}: run 'make docs'"
