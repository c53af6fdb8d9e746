# SPDX-License-Identifier: Apache-2.0
"""What the service manager is told, what the unit allows, what `make install` installs; and the unit
itself under a real systemd."""
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness import BINARY, PATIENCE, ROOT, Client, Process, run, wait_until
from systemd_guest import Guest, Unable

GET = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
BUILD = Path(BINARY).parent
IS_SANITIZED = b"__sanitizer" in Path(BINARY).read_bytes()


def respond(text):
    return ("filters: { answer: { respond: { status: 200, body: '%s' } } }\n"
            "routes: [{ match: 'PathRegexp(`^/`)', use: [answer] }]\n" % text)


# --- the protocol, told to a socket of ours ---

class Manager:
    """Listens in the service manager's place."""

    def __init__(self, address):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.sock.settimeout(PATIENCE)
        self.sock.bind(address)
        self.senders = set()

    def hear(self):
        data, extra, _, _ = self.sock.recvmsg(4096, socket.CMSG_SPACE(12))
        self.senders.add(int.from_bytes(extra[0][2][:4], "little"))
        return dict(line.split("=", 1) for line in data.decode().split("\n"))

    def wait_for(self, name):
        """The next message with that variable; those before it are forgotten, but pings and texts."""
        while True:
            message = self.hear()
            if name in message:
                return message
            assert set(message) <= {"WATCHDOG", "STATUS"}, message


@pytest.fixture
def manager(tmp_path, monkeypatch):
    path = tmp_path / "notify"
    monkeypatch.setenv("NOTIFY_SOCKET", str(path))
    manager = Manager(str(path))
    yield manager
    manager.sock.close()


def test_ready_is_said_when_requests_are_served_and_not_before(manager, start):
    proxy = start(respond("hi"), expect_start=False)
    message = manager.wait_for("READY")
    port = int(proxy.wait_line(r"entrypoint web: listening on .*:(\d+)$", proxy.err)[1])
    with Client(port) as client:
        assert client.exchange(GET).text == "hi"
    assert message["READY"] == "1"
    assert manager.senders == {proxy.child.pid}


def test_an_abstract_name_does_as_well(start, monkeypatch):
    name = f"sallyport-test-{os.getpid()}"
    monkeypatch.setenv("NOTIFY_SOCKET", "@" + name)
    manager = Manager("\0" + name)
    start(respond("hi"))
    manager.wait_for("READY")
    manager.sock.close()


def test_settings_with_errors_are_never_ready(manager, tmp_path):
    (tmp_path / "bad.yaml").write_text("entrypoint: {}")
    run("run", "-c", tmp_path / "bad.yaml", check=1)
    manager.sock.settimeout(0)
    with pytest.raises(BlockingIOError):
        while True:
            assert "READY" not in manager.hear()


def test_a_reload_is_told_from_its_beginning_to_its_end(manager, start):
    proxy = start(respond("one"))
    manager.wait_for("READY")
    proxy.reload(respond("two"), 2)
    message = manager.wait_for("RELOADING")
    assert message["RELOADING"] == "1" and int(message["MONOTONIC_USEC"]) > 0
    assert manager.wait_for("READY")["READY"] == "1"
    assert proxy.get(host="a.example").text == "two"


def test_a_reload_that_fails_ends_as_well(manager, start):
    proxy = start(respond("one"))
    manager.wait_for("READY")
    proxy.write("entrypoint: {}")
    proxy.child.send_signal(signal.SIGHUP)
    manager.wait_for("RELOADING")
    manager.wait_for("READY")
    assert proxy.get(host="a.example").text == "one"


def test_stopping_is_said_before_the_end(manager, start):
    proxy = start(respond("one"))
    manager.wait_for("READY")
    proxy.child.send_signal(signal.SIGTERM)
    assert manager.wait_for("STOPPING")["STOPPING"] == "1"
    assert proxy.stop() == 0


def test_the_watchdog_hears_in_time_while_the_gate_dies_and_settings_change(manager, start,
                                                                            monkeypatch):
    limit_s = 10 if IS_SANITIZED else 2
    monkeypatch.setenv("WATCHDOG_USEC", str(limit_s * 1000000))
    proxy = start(respond("one"))
    manager.sock.settimeout(limit_s)  # recvmsg fails when a sign is late
    n_signs = 0
    for seq in range(2, 5):
        os.kill(proxy.gate_pid(), signal.SIGKILL)
        proxy.reload(respond(f"of {seq}"), seq)
        while "WATCHDOG" not in manager.hear():
            pass
        n_signs += 1
    assert n_signs == 3 and manager.senders == {proxy.child.pid}


def test_without_a_watchdog_nobody_is_pinged(manager, start):
    start(respond("one")).stop()
    manager.sock.settimeout(0)
    with pytest.raises(BlockingIOError):
        while True:
            assert "WATCHDOG" not in manager.hear()


def test_the_gate_does_not_know_the_manager(manager, start, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    proxy = start(respond("one"))
    for turn in range(2):  # the first gate, and one that the keeper starts later
        names = [line.split(b"=")[0] for line in
                 Path(f"/proc/{proxy.gate_pid()}/environ").read_bytes().split(b"\0")]
        assert b"NOTIFY_SOCKET" not in names and b"WATCHDOG_USEC" not in names
        os.kill(proxy.gate_pid(), signal.SIGKILL)
        assert proxy.get(host="a.example").text == "one"


def test_both_processes_have_the_name_of_the_program(start):
    proxy = start(respond("one"))
    for pid in [proxy.child.pid, proxy.gate_pid()]:
        assert Path(f"/proc/{pid}/comm").read_text() == "sallyport\n"


def test_an_upgrade_keeps_the_main_process_and_is_ready_again(manager, start):
    proxy = start(respond("one"))
    manager.wait_for("READY")
    run("upgrade", "--control", proxy.file.parent / "control.sock", BINARY, check=0)
    manager.wait_for("RELOADING")
    manager.wait_for("READY")
    assert manager.senders == {proxy.child.pid}
    assert proxy.get(host="a.example").text == "one"


# --- what is installed ---

@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The tree of `make install DESTDIR=`, and the list that `make uninstall` works with."""
    tree = tmp_path_factory.mktemp("installed")
    tree.chmod(0o755)
    log = BUILD / "meson-logs" / "install-log.txt"
    with open(BUILD / "meson-logs" / "install.lock", "w") as lock:  # others may install, too
        fcntl.flock(lock, fcntl.LOCK_EX)
        old = log.read_bytes() if log.exists() else None
        subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", tree],
                       check=True, capture_output=True)
        new = log.read_text()
        log.unlink()
        if old is not None:  # or the next `make uninstall` would look for this tree
            log.write_bytes(old)
    return tree, new


def prefix_of(tree):
    binary = next(tree.rglob("bin/sallyport"))
    return "/" + str(binary.parent.parent.relative_to(tree))


def unit_text(tree, kind="system"):
    return (tree / prefix_of(tree)[1:] / "lib/systemd" / kind / "sallyport.service").read_text()


def test_everything_is_installed_where_others_look_for_it(installed):
    tree, _ = installed
    prefix = tree / prefix_of(tree)[1:]
    for path in ["bin/sallyport", "lib/systemd/system/sallyport.service",
                 "lib/systemd/user/sallyport.service", "lib/sysusers.d/sallyport.conf",
                 "lib/tmpfiles.d/sallyport.conf", "share/man/man1/sallyport.1*",
                 "share/bash-completion/completions/sallyport", "share/zsh/*/_sallyport",
                 "share/doc/sallyport/guide/operate.md", "share/doc/sallyport/examples/sallyport.yaml",
                 "share/sallyport/settings.schema.json"]:
        assert list(prefix.glob(path)), path
    assert not (tree / "etc").exists()  # no settings that nobody has written
    done = subprocess.run([prefix / "bin/sallyport", "version"], capture_output=True, text=True)
    assert done.returncode == 0 and (ROOT / "VERSION").read_text().strip() in done.stdout
    shown = f"{prefix_of(tree)}/bin/sallyport"
    assert f"ExecStart={shown} run" in unit_text(tree)
    assert f"ExecStart={shown} run" in unit_text(tree, "user")


def test_uninstalling_leaves_no_file(installed, tmp_path):
    tree, log = installed
    copy = tmp_path / "copy"
    shutil.copytree(tree, copy, symlinks=True)
    for line in log.splitlines():  # what `ninja uninstall` does with it
        if line.startswith("#"):
            continue
        path = Path(line.replace(str(tree), str(copy), 1))
        assert str(path).startswith(str(copy)), line
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    assert not [p for p in copy.rglob("*") if not p.is_dir()]


def test_the_example_is_fine_and_names_only_what_there_is(installed):
    tree, _ = installed
    example = next(tree.rglob("examples/sallyport.yaml"))
    assert "0 warnings" in run("check", "-c", example, check=0).stdout


# --- the unit on paper ---

def analyze(*args):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze isn't installed")
    return subprocess.run(["systemd-analyze", "--no-pager", *map(str, args)], capture_output=True,
                          text=True, env=dict(os.environ, SYSTEMD_COLORS="0"), timeout=PATIENCE)


@pytest.fixture
def unit(installed, tmp_path):
    """unit(kind): the unit's file, with this binary."""
    tree, _ = installed

    def write(kind):
        file = tmp_path / kind / "sallyport.service"
        file.parent.mkdir()
        file.write_text(unit_text(tree, kind).replace(f"{prefix_of(tree)}/bin/sallyport", BINARY))
        return file
    return write


@pytest.mark.parametrize("kind", ["system", "user"])
def test_systemd_finds_nothing_wrong_with_the_unit(unit, kind):
    done = analyze("verify", "--man=no", f"--{kind}", unit(kind))
    said = [line for line in (done.stdout + done.stderr).splitlines() if "sallyport" in line]
    assert not said and (done.returncode == 0 or kind == "user"), done.stderr


def test_systemd_calls_the_exposure_ok(unit):
    done = analyze("security", "--offline=true", "--threshold=20", unit("system"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"exposure level for sallyport\.service: [01]\.\d OK", done.stdout)


def two_users_drop_in():
    page = (ROOT / "docs/decisions/0006-keeper-without-root.md").read_text()
    block = re.search(r"^    \[Service\]\n(?:    .*\n)+", page, re.M)[0]
    return re.sub("^    ", "", block, flags=re.M)


def test_root_with_two_users_as_the_decision_shows_is_ok_too(unit):
    file = unit("system")
    lines = two_users_drop_in().removeprefix("[Service]\n")
    file.write_text(file.read_text().replace("[Install]", lines + "[Install]"))
    done = analyze("security", "--offline=true", "--threshold=25", file)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "OK" in done.stdout


def expand(name):
    """The calls of a filter's word: a group has a line for each of its calls and groups."""
    if not name.startswith("@"):
        return {name}
    words = [line.split("#")[0].strip() for line in
             analyze("syscall-filter", name).stdout.splitlines()[1:]]
    return set().union(*(expand(word) for word in words if word))


def allowed_calls(text):
    allowed = expand("@default")
    for line in re.findall(r"^SystemCallFilter=(.*)$", text, re.M):
        calls = set().union(*(expand(word) for word in line.lstrip("~").split()))
        allowed = allowed - calls if line.startswith("~") else allowed | calls
    return allowed | expand("@default")


@pytest.fixture
def public_binary():
    """A copy of the binary in a folder that every user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="sallyport-"))
    folder.chmod(0o755)
    shutil.copy(BINARY, folder / "sallyport")
    (folder / "sallyport").chmod(0o755)
    yield folder / "sallyport"
    shutil.rmtree(folder)


AS_NOBODY = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]


def can_trace():
    return shutil.which("strace") and subprocess.run(["strace", "-o", "/dev/null", "true"],
                                                     capture_output=True).returncode == 0


@pytest.mark.skipif(IS_SANITIZED, reason="a sanitizer makes calls of its own")
@pytest.mark.parametrize("kind", ["system", "user"])
def test_the_unit_allows_every_system_call_that_a_run_makes(installed, public_binary, kind):
    """Start, requests, status, reload, a killed gate, an upgrade, the end: each call is in the filter."""
    if not can_trace():
        pytest.skip("strace can't work here")
    if os.geteuid() != 0:
        pytest.skip("needs root to become nobody")
    allowed = allowed_calls(unit_text(installed[0], kind))
    folder = public_binary.parent
    folder.chmod(0o777)
    log, file, control = folder / "calls", folder / "s.yaml", folder / "control.sock"

    def settings(text):
        file.write_text(f"entrypoints: {{ web: '127.0.0.1:0' }}\naccess-log: {folder}/access.log\n"
                        f"control: {{ socket: {control} }}\n" + respond(text))
    settings("one")
    proxy = Process([*AS_NOBODY, "strace", "-f", "-I2", "-qq", "-e", "signal=none", "-o", log,
                     public_binary, "run", "-c", file], cwd=folder)
    try:
        port = int(proxy.wait_line(r"entrypoint web: listening on .*:(\d+)$", proxy.err)[1])
        proxy.wait_line("settings 1 are in force", proxy.err)

        def get(wanted):
            with Client(port) as client:
                assert client.exchange(GET).text == wanted
        get("one")
        status = json.loads(run("status", "--control", control, "--json", check=0).stdout)
        status = status.get("status", status)
        settings("two")
        run("reload", "--control", control, check=0)
        get("two")
        os.kill(status["gate"]["pid"], signal.SIGKILL)
        get("two")
        run("upgrade", "--control", control, public_binary, check=0)
        get("two")
        run("stop", "--control", control, check=0)
        proxy.child.wait(PATIENCE)
    finally:
        proxy.end()
    used = set(re.findall(r"^\d+ +(?:<\.\.\. )?(\w+)(?:\(| resumed)", log.read_text(), re.M))
    assert len(used) > 30 and {"accept4", "capset", "writev"} <= used  # the log has both processes
    assert used <= allowed, used - allowed


# --- an ordinary user ---

def test_an_ordinary_user_runs_it_on_high_ports_with_control_and_status(public_binary):
    if os.geteuid() != 0:
        pytest.skip("needs root to become nobody")
    folder = public_binary.parent
    runtime = folder / "runtime"
    runtime.mkdir()
    shutil.chown(runtime, "nobody", "nogroup")
    env = {k: v for k, v in os.environ.items() if k != "SALLYPORT_CONTROL"}
    env["XDG_RUNTIME_DIR"] = str(runtime)
    file = folder / "sallyport.yaml"
    file.write_text("entrypoints: { web: '127.0.0.1:0' }\n" + respond("one"))

    def command(*args, user="nobody", group="nogroup"):
        return subprocess.run(["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups",
                               public_binary, *args], capture_output=True, text=True, cwd=folder,
                              env=env, timeout=PATIENCE)
    proxy = Process([*AS_NOBODY, public_binary, "run"], cwd=folder, env=env)
    try:
        port = int(proxy.wait_line(r"entrypoint web: listening on .*:(\d+)$", proxy.err)[1])
        proxy.wait_line("settings 1 are in force", proxy.err)
        with Client(port) as client:
            assert client.exchange(GET).text == "one"
        control = runtime / "sallyport/control.sock"
        assert control.stat().st_mode & 0o777 == 0o600
        assert control.parent.stat().st_mode & 0o777 == 0o700
        done = command("status", "--json")
        assert done.returncode == 0, done.stderr
        assert str(port) in done.stdout
        file.write_text(file.read_text().replace("one", "two"))
        assert command("reload").returncode == 0
        with Client(port) as client:
            assert client.exchange(GET).text == "two"
        assert command("status", user="daemon", group="daemon").returncode == 1
        run("status", "--control", control, check=0)  # root may look
        done = command("stop")
        assert done.returncode == 0, done.stderr
        assert proxy.child.wait(PATIENCE) == 0
    finally:
        proxy.end()


PRETENDER = """\
#!/usr/bin/python3
import socket
s = socket.socket(socket.AF_UNIX)
s.connect("{control}")
try:
    s.sendall(b'{{"command":"status"}}\\n')
    said = s.recv(100)
except OSError:
    said = b""
open("{answer}", "wb").write(said)
"""


def test_no_child_of_the_keeper_can_command_it(start, tmp_path):
    """A gate may have the keeper's user. Here a binary that is tried for an upgrade plays it."""
    proxy = start(respond("one"))
    control, answer = proxy.file.parent / "control.sock", tmp_path / "answer"
    pretender = tmp_path / "pretender"
    pretender.write_text(PRETENDER.format(control=control, answer=answer))
    pretender.chmod(0o755)
    done = run("upgrade", "--control", control, pretender, check=1)
    assert "doesn't say that it is sallyport" in done.stderr
    assert answer.read_bytes() == b""
    run("status", "--control", control, check=0)


# --- the unit under a real systemd ---

SETTINGS = "sandbox: require\naccess-log: /var/log/sallyport/access.log\n"
DROP_IN = """\
[Service]
WatchdogSec=3
StandardError=append:/run/sallyport.err
StandardOutput=append:/run/sallyport.err
"""


@pytest.fixture(scope="module")
def guest(installed, tmp_path_factory):
    """A machine on which sallyport is installed as the guide says."""
    if IS_SANITIZED:
        pytest.skip("sanitizers and the unit's limits don't go together")
    guest = None
    try:
        guest = Guest(tmp_path_factory.mktemp("guest"), installed[0])
        guest.write("/etc/systemd/system/sallyport.service.d/test.conf", DROP_IN)
        guest.write("/etc/sallyport/sallyport.yaml", SETTINGS + respond("one"))
        guest.boot()
    except Unable as e:
        if guest:
            guest.end()
        pytest.skip(str(e))
    yield guest
    guest.end()


@pytest.fixture
def service(guest):
    """The service, started."""
    guest.write("/etc/sallyport/sallyport.yaml", SETTINGS + respond("one"))
    guest.run("systemctl", "reset-failed", "sallyport", check=None)
    done = guest.run("systemctl", "restart", "sallyport", check=None)
    assert done.returncode == 0, done.stderr + (guest.root / "run/sallyport.err").read_text()
    return guest


def main_pid(guest):
    return guest.show("sallyport", "MainPID")


def gate_pid(guest):
    pid = main_pid(guest)
    return (guest.root / f"proc/{pid}/task/{pid}/children").read_text().split()[-1]


def test_the_service_starts_serves_port_80_and_is_not_root(service):
    """S1-14: a service of its own user, with the one capability that ports below 1024 need."""
    assert service.get("http://127.0.0.1/") == "one"
    assert service.show("sallyport", "ActiveState") == "active"
    for pid in [main_pid(service), gate_pid(service)]:
        status = service.run("cat", f"/proc/{pid}/status").stdout
        uid = service.run("id", "-u", "sallyport").stdout.strip()
        assert re.search(rf"^Uid:\t{uid}\t{uid}\t{uid}\t{uid}$", status, re.M)
        assert "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status
    assert re.search("^CapEff:\t0+$", status, re.M)  # the gate's
    assert '"GET / HTTP/1.1" 200' in service.run("cat", "/var/log/sallyport/access.log").stdout
    err = (service.root / "run/sallyport.err").read_text()
    assert not re.search(" (warn|error) ", err), err


def test_a_reload_through_systemd_answers_whether_it_worked(service):
    """S1-14: systemctl reload."""
    pid = main_pid(service)
    service.write("/etc/sallyport/sallyport.yaml", SETTINGS + respond("two"))
    service.run("systemctl", "reload", "sallyport")
    assert service.get("http://127.0.0.1/") == "two"
    service.write("/etc/sallyport/sallyport.yaml", "entrypoint: {}")
    service.run("systemctl", "reload", "sallyport", check=1)
    assert service.get("http://127.0.0.1/") == "two"
    assert service.show("sallyport", "ActiveState") == "active" and main_pid(service) == pid


def test_the_commands_find_the_service_without_being_told(service):
    done = service.run("sallyport", "status", "--json")
    assert json.loads(done.stdout)


def test_settings_with_errors_fail_the_start_and_say_so(service):
    service.write("/etc/sallyport/sallyport.yaml", "entrypoint: {}")
    service.run("systemctl", "restart", "sallyport", check=1)
    assert "entrypoint" in (service.root / "run/sallyport.err").read_text()


def test_the_unit_outlives_the_death_of_a_gate(service):
    pid, gate = main_pid(service), gate_pid(service)
    service.run("kill", "-9", gate)
    assert service.get("http://127.0.0.1/") == "one"
    assert main_pid(service) == pid and gate_pid(service) != gate
    assert service.show("sallyport", "NRestarts") == "0"


def test_an_upgrade_stays_the_same_service(service):
    pid, gate = main_pid(service), gate_pid(service)
    service.run("sallyport", "upgrade")
    assert service.get("http://127.0.0.1/") == "one"
    assert main_pid(service) == pid and service.show("sallyport", "ActiveState") == "active"
    wait_until(lambda: gate_pid(service) != gate, "another gate")


def test_a_keeper_that_hangs_is_replaced_by_the_watchdog(service):
    pid = main_pid(service)
    service.run("kill", "-STOP", pid)
    wait_until(lambda: main_pid(service) not in (pid, "0"), "another keeper")
    wait_until(lambda: service.get("http://127.0.0.1/") == "one", "an answer")
    assert service.show("sallyport", "NRestarts") == "1"


def test_the_service_stops_in_order(service):
    service.run("systemctl", "stop", "sallyport")
    assert service.show("sallyport", "ActiveState") == "inactive"
    assert service.show("sallyport", "Result") == "success"
    assert not (service.root / "run/sallyport").exists()


def test_root_with_two_users_serves_under_systemd_too(guest):
    """The other way, as the decision shows it."""
    drop_in = "/etc/systemd/system/sallyport.service.d/two-users.conf"
    guest.write(drop_in, two_users_drop_in())
    guest.write("/etc/sallyport/sallyport.yaml", "user: sallyport\n" + SETTINGS + respond("two"))
    guest.run("systemctl", "daemon-reload")
    try:
        guest.run("systemctl", "restart", "sallyport")
        assert guest.get("http://127.0.0.1/") == "two"
        status = json.loads(guest.run("sallyport", "status", "--json").stdout)
        keeper, gate = status["pid"], status["gate"]["pid"]
        uid = guest.run("id", "-u", "sallyport").stdout.strip()
        assert "Uid:\t0\t0" in guest.run("cat", f"/proc/{keeper}/status").stdout
        assert f"Uid:\t{uid}\t{uid}" in guest.run("cat", f"/proc/{gate}/status").stdout
        guest.run("kill", "-9", str(gate))
        assert guest.get("http://127.0.0.1/") == "two"
        guest.run("systemctl", "stop", "sallyport")
        assert guest.show("sallyport", "Result") == "success"
    finally:
        (guest.root / drop_in[1:]).unlink()
        guest.run("systemctl", "daemon-reload")


USER_MANAGER = """\
[Service]
Type=notify
User=daemon
Delegate=yes
RuntimeDirectory=user-of-daemon
Environment=XDG_RUNTIME_DIR=/run/user-of-daemon XDG_CONFIG_HOME=/etc/config-of-daemon
ExecStart=/lib/systemd/systemd --user --unit=nothing.target
"""


def test_the_unit_for_users_serves_on_a_high_port(guest):
    """Under a manager of an ordinary user's own."""
    guest.write("/usr/lib/systemd/system/user-manager.service", USER_MANAGER)
    guest.write("/etc/config-of-daemon/systemd/user/nothing.target", "[Unit]\nDescription=nothing\n")
    settings = "entrypoints: { web: ':8080' }\n" + respond("%s")
    guest.write("/etc/config-of-daemon/sallyport/sallyport.yaml", settings % "one")
    guest.run("systemctl", "daemon-reload")
    guest.run("systemctl", "start", "user-manager")

    def as_user(*args):
        return guest.run("setpriv", "--reuid=daemon", "--regid=daemon", "--clear-groups", "env",
                         "XDG_RUNTIME_DIR=/run/user-of-daemon", *args).stdout
    try:
        as_user("systemctl", "--user", "start", "sallyport")
        assert guest.get("http://127.0.0.1:8080/") == "one"
        guest.write("/etc/config-of-daemon/sallyport/sallyport.yaml", settings % "two")
        as_user("systemctl", "--user", "reload", "sallyport")
        assert guest.get("http://127.0.0.1:8080/") == "two"
        assert json.loads(as_user("sallyport", "status", "--json"))["settings"]["seq"] == 2
        as_user("systemctl", "--user", "stop", "sallyport")
        assert as_user("systemctl", "--user", "show", "-P", "Result",
                       "sallyport").strip() == "success"
    finally:
        guest.run("systemctl", "stop", "user-manager", check=None)
