# SPDX-License-Identifier: Apache-2.0
"""The root of the local CA for clients: printed, installed, removed."""
import pytest
from harness import run
from https import ENTRIES, curl, root_of


@pytest.fixture
def proxy(start, origin):
    made = start(f"{ENTRIES}sites: {{ a.example: '{origin(lambda request, conn: 'hello').url}' }}\n")
    root_of(made)
    return made


def updater(tmp_path, status=0):
    """Stands for the command that gathers what is in the folder: it leaves a mark."""
    script = tmp_path / "update"
    script.write_text(f"#!/bin/sh\necho ran >>{tmp_path}/mark\nexit {status}\n")
    script.chmod(0o755)
    return script


def test_what_is_printed_lets_curl_in(proxy, tmp_path):
    printed = tmp_path / "root.pem"
    printed.write_text(run("trust", "--state", proxy.state, check=0).stdout)
    status, said = curl(proxy, "https://a.example/", trust=printed)
    assert status == 0 and said.endswith("hello"), said


def test_the_root_is_installed_and_removed(proxy, tmp_path):
    folder = tmp_path / "authorities"
    folder.mkdir()
    where = ("--folder", folder, "--command", updater(tmp_path))
    said = run("trust", "--install", "--state", proxy.state, *where, check=0).stdout
    installed = folder / "sallyport-local-ca.crt"
    assert str(installed) in said
    assert installed.read_bytes() == root_of(proxy).read_bytes()
    assert installed.stat().st_mode & 0o777 == 0o644
    run("trust", "--install", "--state", proxy.state, *where, check=0)  # again: no harm
    assert run("trust", "--remove", "--quiet", *where, check=0).stdout == ""
    assert list(folder.iterdir()) == []
    assert (tmp_path / "mark").read_text() == "ran\n" * 3
    assert "isn't installed" in run("trust", "--remove", *where, check=1).stderr


def test_what_goes_wrong_is_told(proxy, tmp_path):
    assert "first run" in run("trust", "--state", tmp_path / "none", check=1).stderr
    said = run("trust", "--install", "--state", proxy.state, "--folder", tmp_path / "none",
               check=1).stderr
    assert "No such file" in said
    said = run("trust", "--install", "--state", proxy.state, "--folder", tmp_path, "--command",
               updater(tmp_path, status=1), check=1).stderr
    assert "failed" in said
    said = run("trust", "--install", "--state", proxy.state, "--folder", tmp_path, "--command",
               "no-such-command", check=1).stderr
    assert "ca-certificates" in said
    run("trust", "--install", "--remove", check=2)
    (tmp_path / "bad" / "ca").mkdir(parents=True)
    (tmp_path / "bad" / "ca" / "root.pem").write_text("nonsense")
    assert "can't be used" in run("trust", "--state", tmp_path / "bad", check=1).stderr
