# SPDX-License-Identifier: Apache-2.0
"""Keys stay out of core dumps: keeper and gate are ended by a signal that leaves one, with every limit
off, and the same search finds the keys once dumps are allowed to a process again."""
import os
import pwd
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from certificates import Authority
from harness import BINARY, IS_SANITIZED, wait_until
from https import get, root_of
from test_sandbox import inject

PR_GET_DUMPABLE, PR_SET_DUMPABLE = 3, 4
NO_LIMIT = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
EAB = "c2hhbGwtbm90LWJlLXNlZW4taW4tYW55LWR1bXA"

pytestmark = [
    pytest.mark.skipif(IS_SANITIZED, reason="sanitizers make no dumps, and read their own memory"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may raise limits and trace"),
]


def cores(*folders):
    return [file for folder in folders for file in Path(folder).glob("core*") if file.is_file()]


def unlimited(pid):
    resource.prlimit(pid, resource.RLIMIT_CORE, NO_LIMIT)
    Path(f"/proc/{pid}/coredump_filter").write_text("0x3f")


def needs_dumps(folder):
    """Where no process leaves one in its folder, there is nothing to look at."""
    folder.mkdir()
    dying = "import os, resource as r; r.setrlimit(r.RLIMIT_CORE, (-1, -1)); os.abort()"
    subprocess.run([sys.executable, "-c", dying], cwd=folder, check=False)
    if not cores(folder):
        pytest.skip("this machine puts core dumps elsewhere")


def secrets_of(cert):
    """A key in each form in which it may be somewhere: as text, as DER, as OpenSSL's number."""
    number = cert.key.private_numbers().private_value.to_bytes(32, "big")
    return {"text": cert.key_pem.splitlines()[1], "number": number, "reversed": number[::-1]}


def owner(pid):
    """Of a process's memory in /proc: root while no dump may be made of it."""
    return os.stat(f"/proc/{pid}/mem").st_uid


def found_in(file, wanted):
    content = file.read_bytes()
    return {name for name, secret in wanted.items() if secret in content}


@pytest.fixture
def served(start, origin, tmp_path):
    """A proxy with a key of a file's, one of its own CA's, and one for accounts."""
    needs_dumps(tmp_path / "elsewhere")
    cert = Authority(tmp_path / "certificates").issue("a.example")
    server = origin()
    proxy = start("entrypoints:\n  websecure: { listen: '127.0.0.1:0', tls: { certificates: "
                  f"[{{ cert: '{cert.file}', key: '{cert.key_file}' }}] }} }}\n"
                  "issuers: { test: { acme: { directory: 'https://127.0.0.1:1/dir', "
                  f"eab: {{ kid: kid-1, key: {EAB} }} }} }} }}\n"
                  f"sites:\n  a.example: '{server.url}'\n"
                  f"  b.example: {{ to: '{server.url}', tls: {{ issuer: local }} }}\n")
    root_of(proxy)
    assert get(proxy, "a.example").status == 200
    return proxy, {**secrets_of(cert), "eab": EAB.encode()}


def test_neither_keeper_nor_gate_leaves_a_dump(served):
    proxy, _ = served
    keeper, gate = proxy.child.pid, proxy.gate_pid()
    folders = {os.readlink(f"/proc/{pid}/cwd") for pid in (keeper, gate)}
    assert inject(keeper, ("prctl", PR_GET_DUMPABLE, 0, 0, 0, 0)) == [0]
    for pid in (keeper, gate):
        unlimited(pid)
    os.kill(gate, signal.SIGSEGV)
    wait_until(lambda: gate not in proxy.gate_pids() and proxy.gate_pids(), "the next gate")
    os.kill(keeper, signal.SIGSEGV)
    proxy.child.wait()
    assert cores(*folders) == []


def test_a_user_of_its_own_and_an_upgrade_change_nothing(start, origin):
    """What decides is reset by the kernel when the user changes and when a program is executed."""
    server = origin()
    proxy = start("user: nobody\nentrypoints:\n  websecure: { listen: '127.0.0.1:0', tls: on }\n"
                  f"sites:\n  a.example: '{server.url}'\n")
    assert get(proxy, "a.example").status == 200
    assert pwd.getpwuid(os.stat(f"/proc/{proxy.gate_pid()}").st_uid).pw_name == "nobody"
    assert owner(proxy.gate_pid()) == 0
    assert proxy.ask(command="upgrade", binary=BINARY)["ok"]
    assert inject(proxy.child.pid, ("prctl", PR_GET_DUMPABLE, 0, 0, 0, 0)) == [0]
    assert owner(proxy.gate_pid()) == 0


def test_the_keys_would_be_found(served):
    """The control: allowed to, the keeper leaves a dump that holds them."""
    proxy, secrets = served
    keeper = proxy.child.pid
    folder = os.readlink(f"/proc/{keeper}/cwd")
    unlimited(keeper)
    assert inject(keeper, ("prctl", PR_SET_DUMPABLE, 1, 0, 0, 0)) == [0]
    os.kill(keeper, signal.SIGSEGV)
    proxy.child.wait()
    dumped = cores(folder)
    assert len(dumped) == 1 and found_in(dumped[0], secrets) >= {"text", "eab"}
    dumped[0].unlink()
