# SPDX-License-Identifier: Apache-2.0
"""Commands, their words and options, what they print, and their exit statuses."""
import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from harness import BINARY, PATIENCE, Process, descriptors, run, wait_until

FINE, FAILED, USAGE = 0, 1, 2
SETTINGS = """
user: root
access-log: off
entrypoints: { web: "127.0.0.1:0" }
sites:
  a.example: { use: [login], to: "http://127.0.0.1:1" }
filters:
  login: { basic-auth: { users: ["u:$2y$04$aaaaaaaaaaaaaaaaaaaaaOeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"] } }
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "sallyport.yaml"
    path.write_text(SETTINGS)
    return path


@pytest.mark.parametrize("words, text", [
    ([], "usage: sallyport COMMAND"),
    (["rum"], "did you mean 'run'"),
    (["check", "--confg=x"], "did you mean '--config'"),
    (["check", "-c"], "--config needs a value"),
    (["check", "one"], "one word too many"),
    (["explain"], "explain needs URL"),
    (["help", "nothing"], "there is no command"),
    (["print", "nothing"], "allowed are settings"),
    (["print", "settings", "--as=nothing"], "allowed are markdown"),
    (["proxy"], "needs --to"),
    (["whoami", "--listen", "nowhere"], "not an address to listen on"),
    (["hash-password", "-m", "md5"], "allowed are bcrypt"),
    (["hash-password", "-u", "a:b"], "has no ':'"),
])
def test_a_wrong_command_line_ends_with_2_and_says_how_it_is_right(words, text):
    done = run(*words)
    assert done.returncode == USAGE
    assert text in done.stdout + done.stderr


@pytest.mark.parametrize("words", [["--help"], ["help"], ["check", "--help"], ["help", "check"],
                                   ["version"], ["--version"]])
def test_help_and_version_are_printed(words):
    done = run(*words, check=FINE)
    assert "sallyport" in done.stdout and done.stderr == ""


def test_check_tells_what_there_is(file):
    assert "1 entrypoint, 1 route, 0 warnings" in run("check", "-c", file, check=FINE).stdout
    assert run("check", "-q", "-c", file, check=FINE).stdout == ""


def test_check_tells_every_error_for_people_and_for_programs(file):
    file.write_text(SETTINGS + "sitez: {}\nroutes: [{ match: nonsense, to: nowhere }]\n")
    done = run("check", "-c", file, check=FAILED)
    assert len(re.findall(r"sallyport\.yaml:\d+:\d+: error: ", done.stderr)) >= 2
    told = json.loads(run("check", "--json", "-c", file, check=FAILED).stdout)
    assert not told["ok"] and told["errors"] == len(told["messages"]) >= 2


@pytest.mark.parametrize("words, status, text", [
    (["a.example/x"], FINE, "takes     a.example"),
    (["http://b.example/"], FAILED, "no route matches"),
    (["http://a.example/%00"], FAILED, "refused   400"),
    (["http://a.example:99999/"], FAILED, "refused   400"),
    ([""], USAGE, "is not a URL"),
    (["/"], USAGE, "is not a URL"),
    (["ftp://a.example/"], USAGE, "is not a URL"),
    (["http://bücher.example/x"], FAILED, "GET xn--bcher-kva.example /x"),
    (["http://a b/"], USAGE, "is not a URL"),
    (["-X", "G ET", "http://a.example/"], USAGE, "is not a method"),
    (["-X", "", "http://a.example/"], USAGE, "is not a method"),
    (["-H", "no colon", "http://a.example/"], USAGE, "'Name: value'"),
    (["-H", "a b: c", "http://a.example/"], USAGE, "'Name: value'"),
    (["-H", "a: b\r\nc: d", "http://a.example/"], USAGE, "'Name: value'"),
    (["--from", "1.2.3.4:80", "http://a.example/"], USAGE, "is not an IP address"),
    (["--entrypoint", "none", "http://a.example/"], USAGE, "no entrypoint 'none'; those of the settings: web"),
])
def test_explain_tells_the_way_of_a_request(file, words, status, text):
    done = run("explain", "-c", file, *words)
    assert done.returncode == status
    assert text in done.stdout + done.stderr


def test_printed_settings_mask_secrets(file):
    done = run("print", "config", "-c", file, check=FINE)
    assert "a.example" in done.stdout and "$2y$04$" not in done.stdout


def test_output_that_cannot_be_written_is_a_failure():
    with open("/dev/full", "w") as full:
        done = subprocess.run([BINARY, "print", "settings"], stdout=full, stderr=subprocess.PIPE,
                              text=True, timeout=PATIENCE)
    assert done.returncode == FAILED and "No space left" in done.stderr


@pytest.mark.parametrize("method, prefix", [("bcrypt", "$2y$"), ("yescrypt", "$y$"),
                                            ("sha512", "$6$")])
def test_passwords_are_hashed_from_a_pipe(method, prefix):
    done = run("hash-password", "-u", "me", "-m", method, stdin="secret\n", check=FINE)
    assert done.stdout.startswith(f"me:{prefix}") and "secret" not in done.stdout
    assert run("hash-password", stdin="\n").returncode == FAILED


@pytest.mark.parametrize("source, at", [
    ("127.0.0.1:0", r"127\.0\.0\.1:\d+"),
    ("[::1]:0", r"\[::1\]:\d+"),
    (":0", r":\d+"),
    ("a.example:0", r":\d+"),
])
def test_proxy_listens_where_it_is_told(source, at):
    proxy = Process([BINARY, "proxy", "--from", source, "--to", ":1"])
    try:
        found = proxy.wait_line(r"listening on (\S+)", proxy.err)
        assert re.fullmatch(at, found[1]), found[1]
    finally:
        proxy.end()


@pytest.mark.parametrize("source, text", [
    ("host:notaport", "':notaport' is not an address to listen on"),
    (":99999", "is not an address to listen on"),
    ("a b:0", "'a b' is not a host name"),
])
def test_proxy_says_what_is_wrong_with_its_words(source, text):
    done = run("proxy", "--from", source, "--to", ":1")
    assert done.returncode == FAILED and text in done.stderr


def test_run_works_without_any_standard_descriptor(file):
    """A socket that takes the number of standard error would get the log."""
    done = subprocess.run(["sh", "-c", f"exec '{BINARY}' check -c '{file}' <&- >&- 2>&-"],
                          timeout=PATIENCE)
    assert done.returncode == FINE
    child = subprocess.Popen(["sh", "-c", f"exec '{BINARY}' run -c '{file}' <&- >&- 2>&-"])
    try:
        proc = Path(f"/proc/{child.pid}")
        gate = wait_until(lambda: (proc / f"task/{child.pid}/children").read_text(), "the gate")
        for pid in (child.pid, gate.strip()):
            opened = descriptors(int(pid))
            assert {opened[n] for n in range(3)} == {"/dev/null"}
    finally:
        child.send_signal(signal.SIGTERM)
        assert child.wait(PATIENCE) == FINE


@pytest.mark.skipif(Path("/etc/sallyport/sallyport.yaml").exists(), reason="there are settings")
@pytest.mark.parametrize("words", [["run"], ["check"], ["explain", "http://a.example/"],
                                   ["print", "config"]])
def test_without_any_settings_file_it_says_what_to_do(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run(*words, check=FAILED)
    assert "neither ./sallyport.yaml nor /etc/sallyport/sallyport.yaml" in done.stderr
    assert "--config" in done.stderr and "sallyport proxy --to" in done.stderr
    # A file that was named speaks for itself.
    assert "neither" not in run(*words, "-c", "none.yaml", check=FAILED).stderr
