# SPDX-License-Identifier: Apache-2.0
"""Commands that talk with the running proxy, against keepers that are played here: good ones, and
ones that say nonsense, half of it, or nothing."""
import array
import contextlib
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import threading

import pytest

from harness import BINARY, PATIENCE, Process, run, wait_until

FOREIGN = "doesn't answer as Sallyport does"
ANSWERING = ["status", "reload", "stop", "upgrade"]
STATUS = {
    "version": "9.9.9", "pid": 7, "uptime_s": 61, "control": "/c",
    "settings": {"source": "/x.yaml", "seq": 3, "in_force_since": "2026-01-01T00:00:00Z",
                 "last_reload": {"ok": True}},
    "entrypoints": [{"name": "web", "listen": ":80", "port": 80}],
    "gate": {"pid": 8, "uptime_s": 5, "restarts": 0, "state": "serving"}, "leaving": [],
    "report": {"workers": 1, "user": "nobody", "memory_kb": 1, "open_files": 2,
               "counters": {"connections accepted": 12, "never": 0},
               "services": [{"name": "app", "servers": [
                   {"url": "http://10.0.0.1:80", "weight": 1, "connections": 2, "idle": 1,
                    "addresses": [{"ip": "10.0.0.1", "state": "skipped", "failures": 3}]}]}]}}


class Keeper:
    """Listens on a control socket; answer(request, connection) gives the bytes or the objects to
    send back, or None when it has sent them itself."""

    def __init__(self, path, answer):
        self.path, self.answer, self.requests = path, answer, []
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(str(path))
        self.sock.listen()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            with conn, contextlib.suppress(OSError):
                conn.settimeout(PATIENCE)
                with conn.makefile("rb") as stream:
                    request = json.loads(stream.readline())
                self.requests.append(request)
                told = self.answer(request, conn)
                if isinstance(told, (dict, list)):
                    told = b"".join(json.dumps(x).encode() + b"\n" for x in
                                    (told if isinstance(told, list) else [told]))
                if told is not None:
                    conn.sendall(told)

    def stop(self):
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        self.thread.join(PATIENCE)


@pytest.fixture
def keeper(tmp_path):
    """keeper(answer, path) plays a keeper until the test's end."""
    running = []

    def go(answer, path=None):
        told = answer if callable(answer) else lambda request, conn: answer
        running.append(Keeper(path or tmp_path / "c.sock", told))
        return running[-1]

    yield go
    for one in running:
        one.stop()


@pytest.fixture(autouse=True)
def no_control_variable(monkeypatch):
    monkeypatch.delenv("SALLYPORT_CONTROL", raising=False)


# --- reload ---

def test_reload_tells_what_is_in_force(keeper):
    k = keeper([{"progress": "reading"}, {"ok": True, "seq": 7, "build_ms": 3, "took_ms": 5,
                                         "new_gate": False, "diagnostics": []}])
    done = run("reload", "--control", k.path, check=0)
    assert done.stdout == "settings 7 are in force (built in 3 ms)\n" and done.stderr == "reading\n"
    assert k.requests == [{"command": "reload"}]
    done = run("reload", "--quiet", "--control", k.path, check=0)
    assert done.stdout == "" and done.stderr == ""


def test_reload_prints_diagnostics_as_check_does(keeper, tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text("wrokers: 2\nentrypoints: { web: ':80' }\nroutes: [{ match: 'nonsense', to: x }]\n")
    checked = run("check", "-c", file, check=1).stderr.splitlines()
    messages = json.loads(run("check", "--json", "-c", file, check=1).stdout)["messages"]
    k = keeper({"ok": False, "error": "the settings have errors", "diagnostics": messages})
    told = run("reload", "--control", k.path, check=1).stderr.splitlines()
    assert told == checked[:-1] + ["sallyport: the settings have errors"] and len(told) >= 3


def test_reload_shows_warnings_when_all_is_well(keeper):
    k = keeper({"ok": True, "seq": 2, "build_ms": 1, "new_gate": True, "diagnostics": [
        {"severity": "warning", "source": "/x.yaml", "line": 3, "column": 5, "text": "odd"}]})
    done = run("reload", "--control", k.path, check=0)
    assert done.stdout == "settings 2 are in force (built in 1 ms, by a new gate)\n"
    assert done.stderr == "/x.yaml:3:5: warning: odd\n"


@pytest.mark.parametrize("command", ["reload", "upgrade"])
@pytest.mark.parametrize("is_fine", [True, False])
def test_the_answer_is_printed_as_json(keeper, command, is_fine):
    answer = {"ok": is_fine, "error": "no", "new": [1, "\u00b7"]}
    k = keeper([{"progress": "x"}, answer])
    done = run(command, "--json", "--control", k.path, check=0 if is_fine else 1)
    assert json.loads(done.stdout) == answer


# --- stop ---

def test_stop_waits_until_the_proxy_has_ended(keeper):
    end = threading.Event()

    def answer(request, conn):
        conn.sendall(b'{"ok":true}\n{"progress":"2 exchanges left"}\n')
        end.wait(PATIENCE)

    k = keeper(answer)
    child = subprocess.Popen([BINARY, "stop", "--control", k.path], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
    assert child.stderr.readline() == "2 exchanges left\n"
    assert child.poll() is None
    end.set()
    out, err = child.communicate(timeout=PATIENCE)
    assert child.returncode == 0 and re.fullmatch(r"stopped after [\d.]+ m?s\n", out), out + err
    assert k.requests == [{"command": "stop", "now": False}]


def test_stop_now_says_so(keeper):
    k = keeper({"ok": True})
    run("stop", "--now", "--control", k.path, check=0)
    assert k.requests == [{"command": "stop", "now": True}]


def test_a_refused_stop_is_a_failure(keeper):
    k = keeper({"ok": False, "error": "not\x1b[2Jnow"})
    done = run("stop", "--control", k.path, check=1)
    assert done.stderr == "sallyport: not?[2Jnow\n" and done.stdout == ""


# --- upgrade ---

def test_upgrade_sends_the_whole_path_of_a_binary(keeper, tmp_path, monkeypatch):
    k = keeper([{"progress": "starting 1.1"}, {"ok": True, "from": "1.0", "to": "1.1"}])
    done = run("upgrade", "--control", k.path, check=0)
    assert done.stdout == "upgraded from 1.0 to 1.1\n" and done.stderr == "starting 1.1\n"
    (tmp_path / "new").symlink_to("/bin/true")
    monkeypatch.chdir(tmp_path)
    run("upgrade", "./new", "--control", k.path, check=0)
    assert k.requests == [{"command": "upgrade"},
                          {"command": "upgrade", "binary": os.path.realpath("/bin/true")}]


@pytest.mark.parametrize("name", ["nowhere", "plain", "."])
def test_upgrade_to_what_cannot_be_run_asks_nobody(keeper, tmp_path, name):
    (tmp_path / "plain").write_text("x")
    k = keeper({"ok": True})
    done = run("upgrade", tmp_path / name, "--control", k.path, check=1)
    assert "can't be run" in done.stderr and k.requests == []


# --- status ---

def test_status_for_people_and_for_programs(keeper):
    k = keeper({"ok": True, "status": STATUS})
    text = run("status", "--control", k.path, check=0).stdout
    assert text.startswith("sallyport 9.9.9, process 7, up 1 min 1 s\n")
    assert "connections accepted  12" in text and "never" not in text
    assert "    http://10.0.0.1:80  skipped at 10.0.0.1 after 3 failures  2 connections, 1 idle" in text
    assert json.loads(run("status", "--json", "--control", k.path, check=0).stdout) == STATUS


@pytest.mark.parametrize("answer", [{"ok": True}, {"ok": True, "status": 7}])
def test_an_answer_without_status_is_a_failure(keeper, answer):
    k = keeper(answer)
    assert "no status" in run("status", "--control", k.path, check=1).stderr


# --- explain --running ---

def test_explain_by_running_settings_needs_them(keeper):
    for told, said in [({"ok": True, "seq": 1}, "can't be used"),
                       ({"ok": False, "error": "not yet"}, "not yet")]:
        k = keeper(lambda request, conn, told=told: told, None)
        done = run("explain", "--running", "--control", k.path, "a.example", check=1)
        assert said in done.stderr
        k.stop()
        k.path.unlink()


@pytest.mark.parametrize("content, seals", [
    (b"", 15), (b"nonsense" * 100, 15), (b"unsealed" * 100, 0)])
def test_a_descriptor_with_nonsense_in_it_is_refused(keeper, content, seals):
    def answer(request, conn):
        fd = os.memfd_create("x", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.write(fd, content)
        if seals:
            import fcntl
            fcntl.fcntl(fd, 1033, seals)  # F_ADD_SEALS
        conn.sendmsg([b'{"ok":true,"seq":1,"source":"/x"}\n'],
                     [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
        os.close(fd)

    k = keeper(answer)
    done = run("explain", "--running", "--control", k.path, "a.example", check=1)
    assert "can't be used by this version" in done.stderr


# --- keepers that aren't ---

NONSENSE = {
    "nothing": (b"", "hung up without an answer"),
    "half": (b'{"ok":tr', "broke off"),
    "an empty line": (b"\n", FOREIGN),
    "another protocol": (b"220 mail.example ESMTP\r\n", FOREIGN),
    "a list": (b"[]\n", FOREIGN),
    "no verdict": (b'{"fine":true}\n', FOREIGN),
    "a number": (b'{"ok":1}\n', FOREIGN),
    "two verdicts": (b'{"ok":true,"ok":false}\n', FOREIGN),
    "a step that is a number": (b'{"progress":7}\n', FOREIGN),
    "steps alone": (b'{"progress":"x"}\n', "hung up without an answer"),
    "binary": (b"\xff\xfe\0\n", FOREIGN),
    "depth": (b'{"a":' * 5000 + b"\n", FOREIGN),
}


@pytest.mark.parametrize("command", ANSWERING)
@pytest.mark.parametrize("answer, said", NONSENSE.values(), ids=NONSENSE.keys())
def test_nonsense_is_told_as_such(keeper, command, answer, said):
    k = keeper(answer)
    done = run(command, "--control", k.path, check=1)
    assert said in done.stderr and str(k.path) in done.stderr and done.stdout == ""


def test_an_answer_without_end_is_cut_off(keeper):
    def answer(request, conn):
        for _ in range(70):
            conn.sendall(b"x" * (1 << 20))

    k = keeper(answer)
    assert "doesn't answer as" in run("status", "--control", k.path, check=1).stderr


def test_a_large_answer_in_small_pieces_is_read_whole(keeper):
    def answer(request, conn):
        data = json.dumps({"ok": True, "status": {"x": "y" * 3_000_000}}).encode() + b"\n"
        conn.sendall(b'{"progress":"on')
        conn.sendall(b'e"}\n{"progress":"two"}\n' + data[:5])
        conn.sendall(data[5:])

    k = keeper(answer)
    done = run("status", "--json", "--control", k.path, check=0)
    assert len(json.loads(done.stdout)["x"]) == 3_000_000 and done.stderr == "one\ntwo\n"


def test_a_no_without_a_reason_is_told(keeper):
    k = keeper({"ok": False})
    assert "says no" in run("reload", "--control", k.path, check=1).stderr


def test_silence_ends(keeper):
    end = threading.Event()
    k = keeper(lambda request, conn: end.wait(PATIENCE) and None)
    done = run("status", "--control", k.path, check=1)
    end.set()
    assert "doesn't answer in time" in done.stderr


# --- which socket ---

@pytest.mark.parametrize("command", ANSWERING + ["explain"])
def test_nothing_running_is_told_with_what_to_do(tmp_path, command):
    path = tmp_path / "none.sock"
    words = ["--running", "a.example"] if command == "explain" else []
    for state in ["absent", "left behind", "no socket"]:
        if state == "left behind":
            sock = socket.socket(socket.AF_UNIX)
            sock.bind(str(path))
            sock.close()
        elif state == "no socket":
            path.unlink()
            path.write_text("")
        done = run(command, *words, "--control", path, check=1)
        assert f"nothing is running with the control socket {path}; start it" in done.stderr
        assert "--control" in done.stderr


def test_the_option_comes_before_the_variable_before_the_file(keeper, tmp_path, monkeypatch):
    ks = {name: keeper({"ok": True, "seq": i, "build_ms": 0}, tmp_path / name)
          for i, name in enumerate(["option", "variable", "file"])}
    settings = tmp_path / "sallyport.yaml"
    settings.write_text(f"control: {{ socket: {ks['file'].path} }}\nbroken: [all, over]\n")
    words = ["reload", "--config", settings]
    assert "settings 2 are" in run(*words, check=0).stdout
    monkeypatch.setenv("SALLYPORT_CONTROL", str(ks["variable"].path))
    assert "settings 1 are" in run(*words, check=0).stdout
    assert "settings 0 are" in run(*words, "--control", ks["option"].path, check=0).stdout
    monkeypatch.setenv("SALLYPORT_CONTROL", "")
    assert "settings 2 are" in run(*words, check=0).stdout
    monkeypatch.chdir(tmp_path)
    assert "settings 2 are" in run("reload", check=0).stdout, "./sallyport.yaml"


def test_a_file_that_turns_the_socket_off_is_told(tmp_path):
    settings = tmp_path / "s.yaml"
    settings.write_text("control: off\n")
    done = run("status", "-c", settings, check=1)
    assert "control: off" in done.stderr and str(settings) in done.stderr


def test_a_file_that_is_no_yaml_is_mentioned(tmp_path):
    settings = tmp_path / "s.yaml"
    settings.write_text("control: {\n")
    err = run("status", "-c", settings, "--control", tmp_path / "x", check=1).stderr
    assert "YAML" not in err and "s.yaml" not in err, "it doesn't matter here"
    if os.geteuid() == 0 and os.path.exists("/run/sallyport/control.sock"):
        pytest.skip("a proxy is running on this machine")
    err = run("status", "-c", settings, check=1).stderr
    assert "nothing is running" in err and "s.yaml:" in err


def test_the_socket_of_a_file_with_broken_yaml_is_found(keeper, tmp_path):
    k = keeper({"ok": False, "error": "broken"})
    settings = tmp_path / "s.yaml"
    settings.write_text(f"sites: [\ncontrol:\n  socket: {k.path}\nroutes: {{\n")
    assert run("reload", "-c", settings, check=1).stderr == "sallyport: broken\n"


def test_a_path_too_long_for_a_socket_is_told():
    assert "too long" in run("status", "--control", "/" + "x" * 200, check=1).stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become others")
def test_other_users_are_kept_apart(keeper, tmp_path):
    """An ordinary user gets no permission, and doesn't believe in another user's socket."""
    for folder in [tmp_path, *list(tmp_path.parents)[:-2]]:
        folder.chmod(folder.stat().st_mode | 0o055)
    closed = keeper({"ok": True}, tmp_path / "closed")
    closed.path.chmod(0o600)
    child = subprocess.run([BINARY, "status", "--control", closed.path], user=65534, group=65534,
                           extra_groups=[], capture_output=True, text=True, timeout=PATIENCE)
    assert child.returncode == 1 and "no permission" in child.stderr
    script = ("import socket, sys, os, time\n"
              "s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); os.chmod(sys.argv[1], 0o777)\n"
              "s.listen(); print('on', flush=True)\nwhile True: s.accept()\n")
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    other = subprocess.Popen(["/usr/bin/python3", "-c", script, folder / "s"], user=12345,
                             group=12345, extra_groups=[], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "on\n"
        child = subprocess.run([BINARY, "status", "--control", folder / "s"], user=65534,
                               group=65534, extra_groups=[], capture_output=True, text=True,
                               timeout=PATIENCE)
        assert child.returncode == 1 and "another user's process (uid 12345)" in child.stderr
    finally:
        other.kill()
        other.communicate()


# --- terminals ---

def test_a_terminal_sees_how_long_it_takes(keeper):
    end = threading.Event()

    def answer(request, conn):
        conn.sendall(b'{"ok":true}\n')
        end.wait(PATIENCE)

    k = keeper(answer)
    leader, follower = pty.openpty()
    child = subprocess.Popen([BINARY, "stop", "--control", k.path], stdout=subprocess.DEVNULL,
                             stderr=follower)
    os.close(follower)
    seen = b""

    def counts():
        nonlocal seen
        if select.select([leader], [], [], 0.05)[0]:
            seen += os.read(leader, 4096)
        return "waiting for running exchanges … 1 s".encode() in seen

    wait_until(counts, "the count of seconds")
    end.set()
    assert child.wait(PATIENCE) == 0
    os.close(leader)


def test_an_interrupted_command_ends(keeper):
    end = threading.Event()
    k = keeper(lambda request, conn: end.wait(PATIENCE) and None)
    # A shell's job in the background would be started with the signal ignored.
    child = subprocess.Popen([BINARY, "reload", "--control", k.path],
                             preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    wait_until(lambda: k.requests, "the request")
    child.send_signal(signal.SIGINT)
    assert child.wait(PATIENCE) == -signal.SIGINT
    end.set()


# --- the real one ---

LIVE = """filters: {{ tidy: {{ headers: {{ response: {{ remove: [Server] }} }} }} }}
services: {{ app: {{ servers: ["{url}", {{ url: "http://127.0.0.1:1", weight: 2 }}] }} }}
sites: {{ a.example: {{ to: app, use: [tidy], aliases: [b.example] }} }}
"""


def control_of(proxy):
    return ["--control", proxy.file.parent / "control.sock"]


def test_the_running_proxy_is_watched_and_changed(start, origin):
    """S4: status, reload and explain against the real keeper."""
    proxy = start(LIVE.format(url=origin().url))
    statuses = [proxy.get(host="a.example").status for _ in range(6)]
    assert 200 in statuses
    text = run("status", *control_of(proxy), check=0).stdout
    assert re.match(rf"sallyport \S+, process {proxy.child.pid}, up ", text)
    for part in [r"settings +1 from \S*sallyport\.yaml, in force since \d{4}-\d\d-\d\d .* UTC \(",
                 r"gate +serving, process \d+", r"\nentrypoints\n +web +127\.0\.0\.1:0 +port \d+",
                 r"\nsites\n +a\.example +to app +also b\.example\n",
                 r"\nservices\n +app\n +http://127\.0\.0\.1:\d+ +weight 1 +up",
                 r"\n +http://127\.0\.0\.1:1 +weight 2 +skipped at 127\.0\.0\.1 after \d",
                 r"\ncounters\n(.*\n)* +connections accepted +\d+\n"]:
        assert re.search(part, text), (part, text)
    status = json.loads(run("status", "--json", *control_of(proxy), check=0).stdout)
    assert status["pid"] == proxy.child.pid and status["settings"]["seq"] == 1

    proxy.write(LIVE.format(url=origin().url).replace("b.example", "c.example"))
    done = run("reload", *control_of(proxy), check=0)
    assert re.fullmatch(r"settings 2 are in force \(built in \d+ ms\)\n", done.stdout)
    assert "also c.example" in run("status", *control_of(proxy), check=0).stdout

    proxy.write("wrokers: 3\n" + LIVE.format(url="nonsense://"))
    done = run("reload", *control_of(proxy), check=1)
    checked = run("check", "--config", proxy.file, check=1)
    assert done.stderr.splitlines()[:-1] == checked.stderr.splitlines()[:-1] and done.stdout == ""
    text = run("status", *control_of(proxy), check=0).stdout
    assert re.search(r"settings +2 .*\n +the last reload failed at .* ago\): ", text), text


def test_explain_by_the_settings_in_force_shows_the_servers_states(start, origin):
    proxy = start(LIVE.format(url=origin().url))
    for _ in range(6):
        proxy.get(host="a.example")
    proxy.write("broken: [")  # doesn't matter
    done = run("explain", "--running", *control_of(proxy), f"http://b.example:{proxy.port}/x", check=0)
    for part in [r"^  settings  1 from ", r"\n  arrives   entrypoint web\n",
                 r"\n  takes     a\.example ", r"\n  filter    tidy \(headers\)",
                 r"\n  service   app\n  server    http://127\.0\.0\.1:\d+ +weight 1 +up at ",
                 r"\n  server    http://127\.0\.0\.1:1 +weight 2 +skipped at 127\.0\.0\.1 after \d"]:
        assert re.search(part, done.stdout), (part, done.stdout)
    done = run("explain", *control_of(proxy), "nobody.example", check=1)
    assert "no route matches" in done.stdout


def test_secrets_stay_masked_when_settings_travel(start, monkeypatch):
    monkeypatch.setenv("THE_SECRET", "u:$2y$04$aaaaaaaaaaaaaaaaaaaaaOeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee")
    proxy = start("filters: { f: { basic-auth: 'env:THE_SECRET' } }\n"
                  "sites: { a.example: { to: 'http://127.0.0.1:1', use: f } }")
    monkeypatch.delenv("THE_SECRET")
    done = run("explain", "--running", *control_of(proxy), "a.example", check=0)
    assert "filter    f (basic-auth)" in done.stdout and "aaaa" not in done.stdout + done.stderr


def test_stop_ends_the_proxy(start):
    proxy = start(LIVE.format(url="http://127.0.0.1:1"))
    assert run("stop", *control_of(proxy), check=0).stdout.startswith("stopped after ")
    assert proxy.child.wait(PATIENCE) == 0
    assert "nothing is running" in run("status", *control_of(proxy), check=1).stderr


def test_stop_now_breaks_off_what_stop_waits_for(start, origin):
    """S4: a slow answer keeps 'stop' waiting, and 'stop --now' ends it."""
    hold = threading.Event()
    proxy = start(LIVE.format(url=origin(lambda request, conn: hold.wait(PATIENCE) and "late").url)
                  .replace(', { url: "http://127.0.0.1:1", weight: 2 }', ""))
    with proxy.connect() as client:
        client.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        wait_until(lambda: "exchanges begun" in run("status", *control_of(proxy)).stdout, "it")
        waiting = subprocess.Popen([BINARY, "stop", *control_of(proxy)], stdout=subprocess.PIPE,
                                   text=True)
        proxy.wait_line("stopping", proxy.err)
        assert waiting.poll() is None
        run("stop", "--now", *control_of(proxy), check=0)
        assert waiting.wait(PATIENCE) == 0
        waiting.communicate()
    hold.set()
    assert proxy.child.wait(PATIENCE) == 0


def test_upgrade_keeps_the_process_and_tells_versions(start, origin):
    proxy = start(LIVE.format(url=origin().url))
    version = run("version", check=0).stdout.split()[1]
    done = run("upgrade", *control_of(proxy), check=0)
    assert done.stdout == f"upgraded from {version} to {version}\n" and proxy.child.poll() is None
    done = run("upgrade", "/bin/true", *control_of(proxy), check=1)
    assert "doesn't say that it is sallyport" in done.stderr
    assert proxy.get(host="a.example").status in (200, 502)


def test_a_proxy_without_a_file_has_a_control_socket_only_when_told(tmp_path):
    words = ["proxy", "--from", "127.0.0.1:0", "--to", ":1"]
    for control in [[], ["--control", tmp_path / "c"]]:
        proxy = Process([BINARY, *map(str, words + control)])
        try:
            proxy.wait_line("are in force", proxy.err)
            assert (tmp_path / "c").exists() == bool(control)
            if control:
                assert "serving" in run("status", *control, check=0).stdout
        finally:
            proxy.end()
    assert not (tmp_path / "c").exists()
