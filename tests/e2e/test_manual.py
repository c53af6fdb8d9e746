# SPDX-License-Identifier: Apache-2.0
"""The manual pages: whole, and as groff and mandoc want them."""
import re
import shutil
import subprocess

import pytest

from harness import PATIENCE, ROOT, run

PAGES = ["commands", "settings"]


def page(which):
    return run("print", "man", which, check=0).stdout


def rendered(which):
    done = subprocess.run(["groff", "-man", "-Tutf8", "-P-bcou", "-rLL=200n"], input=page(which),
                          capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0
    return re.sub(r"\s+", " ", done.stdout.replace("\u2010\n", "").replace("\u2010", "-"))


@pytest.mark.parametrize("which", PAGES)
@pytest.mark.parametrize("tool", [["groff", "-man", "-ww", "-z"], ["mandoc", "-Tlint"]])
def test_the_pages_are_faultless(which, tool):
    assert shutil.which(tool[0]), f"{tool[0]} is needed: tools/install-deps test"
    done = subprocess.run(tool, input=page(which), capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0 and done.stdout + done.stderr == ""


@pytest.mark.parametrize("which", PAGES)
def test_a_page_is_ascii_without_leftovers_of_markdown(which):
    text = page(which)
    assert text.isascii() and "](" not in text and "\\(ga\\(ga" not in text
    assert not re.search(r"(?<!\*)\*\*(?!\*)", text)


def test_every_command_and_option_is_in_the_page():
    text = rendered("commands")
    names = re.findall(r"^## sallyport (\S+)", run("print", "commands", check=0).stdout, re.M)
    assert len(names) >= 13
    for name in names:
        assert f" {name} sallyport {name}" in text, name
        for option in re.findall(r"--[a-z-]+", run(name, "--help", check=0).stdout):
            assert option in text, (name, option)
    for chapter in ["EXIT STATUS", "SIGNALS", "FILES", "ENVIRONMENT", "EXAMPLES", "SEE ALSO"]:
        assert f" {chapter} " in text, chapter


def test_every_setting_is_in_the_page():
    text = page("settings")
    keys = re.findall(r"^### `(?:\S+\.)?([a-z0-9-]+)`$", run("print", "settings", check=0).stdout, re.M)
    assert len(keys) > 80
    for key in keys:
        assert ".TP\n\\fB" + key.replace("-", "\\-") + "\\fR\n" in text, key


def test_the_examples_of_the_settings_page_load(tmp_path):
    examples = page("settings").split(".SH EXAMPLES\n")[1].split(".SH FILES")[0]
    texts = re.findall(r"^\.EX\n(.*?)^\.EE$", examples, re.S | re.M)
    assert len(texts) == 2
    (tmp_path / "users").write_text("ada:$2y$10$oxW40Z7Vh16MLWCmIV8d.epZiwhzbmmY4u/85WhC526wYFN.gI2ge")
    for text in texts:
        for roff, char in [("\\-", "-"), ("\\(dq", '"'), ("\\(ga", "`"), ("/etc/sallyport", str(tmp_path))]:
            text = text.replace(roff, char)
        (tmp_path / "s.yaml").write_text(text)
        run("check", "-c", tmp_path / "s.yaml", check=0)


def test_the_default_page_is_that_of_the_commands():
    assert run("print", "man", check=0).stdout == page("commands")


def test_the_committed_pages_are_what_the_binary_prints():
    for which, file in zip(PAGES, ["sallyport.1", "sallyport.yaml.5"]):
        assert (ROOT / "docs" / "man" / file).read_text() == page(which), "run 'make docs'"
