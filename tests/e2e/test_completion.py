# SPDX-License-Identifier: Apache-2.0
"""Completion of the command line, by the real shells."""
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time

import pytest

from harness import BINARY, PATIENCE, ROOT, run

COMMANDS = ["run", "proxy", "check", "reload", "stop", "upgrade", "status", "explain", "cert",
            "account", "api", "errors", "top", "ban", "pin", "server", "trust", "doctor", "print", "import",
            "traefik", "whoami", "hash-password", "version", "help"]
SETTINGS = """\
entrypoints: { web: ':80', inner: ':81' }
bogus: here
sites: { a.example: 'http://x', b.example: 'http://x', "$(touch broken)": 'http://x' }
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sallyport.yaml").write_text(SETTINGS)
    (tmp_path / "other.yaml").write_text("entrypoints: { other: ':80' }\n")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sallyport").symlink_to(BINARY)
    (tmp_path / "bash").write_text(run("print", "completion", "bash", check=0).stdout)
    (tmp_path / "_sallyport").write_text(run("print", "completion", "zsh", check=0).stdout)
    return tmp_path


def env(folder):
    return {**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}", "LC_ALL": "C.UTF-8",
            "HOME": str(folder), "TERM": "dumb"}


CASES = [
    ([""], {*COMMANDS, "--help", "--version"}),
    (["re"], {"reload"}),
    (["s"], {"stop", "status", "server"}),
    (["check", "--"], {"--config", "--json", "--quiet", "--help"}),
    (["check", "--j"], {"--json"}),
    (["print", ""], {"settings", "config", "commands", "access-log-fields", "refusals", "ends", "api",
                     "man", "metrics", "completion"}),
    (["print", "completion", ""], {"bash", "zsh"}),
    (["print", "man", "s"], {"settings"}),
    (["print", "settings", "--as", ""], {"markdown", "json-schema", "yaml"}),
    (["print", "--as", "yaml", "se"], {"settings"}),
    (["hash-password", "-m", "b"], {"bcrypt"}),
    (["explain", "-X", "P"], {"POST", "PUT", "PATCH"}),
    (["explain", "--entrypoint", ""], {"web", "inner"}),
    (["explain", "-c", "other.yaml", "--entrypoint", ""], {"other"}),
    (["explain", "a"], {"a.example"}),
    (["explain", "-X", "PUT", "b."], {"b.example"}),
    (["help", "wh"], {"whoami"}),
]


# --- bash ---

def in_bash(folder, words):
    """What bash's completion function offers for the last word."""
    script = ("source ./bash; COMP_WORDS=(sallyport \"$@\"); COMP_CWORD=$#; _sallyport; "
              "printf '%s\\n' \"${COMPREPLY[@]}\"")
    done = subprocess.run(["bash", "-c", script, "bash", *words], cwd=folder, env=env(folder),
                          capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return set(done.stdout.split("\n")) - {""}


@pytest.mark.parametrize("words, offered", CASES, ids=[" ".join(w) for w, _ in CASES])
def test_bash_offers(folder, words, offered):
    assert in_bash(folder, words) == offered


@pytest.mark.parametrize("words, offered", [
    (["print", "settings", "--as", "=", "y"], {"yaml"}),
    (["print", "settings", "--as", "="], {"markdown", "json-schema", "yaml"}),
    (["explain", "--config", "=", "other.yaml", "--entrypoint", ""], {"other"}),
    (["check", "--config", "=", "oth"], {"other.yaml"}),
])
def test_bash_splits_words_at_the_equals_sign(folder, words, offered):
    assert in_bash(folder, words) == offered


def test_bash_offers_files_and_expands_no_name(folder):
    assert in_bash(folder, ["check", "-c", "o"]) == {"other.yaml"}
    assert in_bash(folder, ["upgrade", "bin/"]) == {"bin/sallyport"}
    assert in_bash(folder, ["explain", "$"]) == {"$(touch broken)"}
    assert not (folder / "broken").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_bash_offers_every_option_of_the_help(folder, command):
    wanted = set(re.findall(r"^  (?:-., )?(--[a-z-]+)", run(command, "--help", check=0).stdout, re.M))
    assert in_bash(folder, [command, "--"]) == wanted | {"--help"}


# --- zsh ---

class Zsh:
    """An interactive zsh with completion, on a terminal of its own."""

    def __init__(self, folder):
        pid, self.fd = pty.fork()
        if pid == 0:
            os.chdir(folder)
            os.execvpe("zsh", ["zsh", "-f", "-i"], env(folder))
        self.pid = pid
        self.run("PROMPT='#ready#'; unsetopt prompt_cr prompt_sp zle_bracketed_paste; LISTMAX=999; "
                 "stty rows 200 cols 200")
        self.run(f"fpath=({folder} $fpath); autoload -Uz compinit; compinit -u -D")

    def read_until(self, mark):
        seen, deadline = "", time.monotonic() + PATIENCE
        while mark not in seen:
            assert time.monotonic() < deadline, f"no {mark!r} in {seen!r}"
            if select.select([self.fd], [], [], 0.5)[0]:
                seen += os.read(self.fd, 65536).decode(errors="replace")
        return seen

    def run(self, line):
        """What is printed until the line editor is there again: before, keys mean other things."""
        os.write(self.fd, f" {line}; echo do''ne\n".encode())
        return self.read_until("done\r\n#ready#")

    def offers(self, words):
        """What stands below the line after the key that lists all choices."""
        os.write(self.fd, f"sallyport {' '.join(words)}".encode() + b"\x04")
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.run("\x15 true"))

    def stop(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


@pytest.fixture
def zsh(folder):
    assert shutil.which("zsh"), "zsh is needed: tools/install-deps test"
    shell = Zsh(folder)
    yield shell
    shell.stop()


def test_the_scripts_parse(folder):
    for command in [["bash", "-n", "bash"], ["zsh", "-n", "_sallyport"]]:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0 and done.stderr == ""


def test_zsh_offers_the_same(zsh):
    for words, offered in CASES:
        if words[-1] not in ("", "--"):
            continue
        text = zsh.offers(words)
        for word in offered if words != [""] else COMMANDS:  # there, options come after a '-'
            assert re.search(rf"(?:^|\s){re.escape(word)}(?:\s|$)", text), (words, word, text)
        if words != [""]:
            assert "whoami" not in text and "command not found" not in text, text


def test_zsh_says_what_commands_and_options_do(zsh):
    text = zsh.offers([""])
    assert re.search(r"reload +-- Let the running proxy read its settings anew", text), text
    text = zsh.offers(["check", "--"])
    assert re.search(r"--json +-- Print the result", text), text


def test_the_committed_scripts_are_what_the_binary_prints(folder):
    packaged = ROOT / "packaging" / "completion"
    assert (packaged / "sallyport.bash").read_text() == (folder / "bash").read_text()
    assert (packaged / "_sallyport").read_text() == (folder / "_sallyport").read_text()
