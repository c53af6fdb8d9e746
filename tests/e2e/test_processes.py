# SPDX-License-Identifier: Apache-2.0
"""Keeper and gate: reload, crash, stop, privileges, workers; nothing is lost on the way."""
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

from harness import BINARY, Client, Process, ok, run, wait_until

GET = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
IS_SANITIZED = any(mark in Path(BINARY).read_bytes() for mark in (b"__asan_init", b"__tsan_init"))


def to(server):
    return f"sites: {{ a.example: '{server.url}' }}\n"


def respond(text):
    return f"filters: {{ f: {{ respond: '{text}' }} }}\nsites: {{ a.example: {{ use: f }} }}\n"


def status_of(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return dict(re.findall(r"^(\w+):\s*(.*)$", text, re.M))


def kill_gate(proxy):
    """Kills the gate and waits until it is gone."""
    pid = proxy.gate_pid()
    os.kill(pid, signal.SIGKILL)
    return pid


def in_flight():
    """A handler that tells when half an answer is sent, and sends the rest when told."""
    halves = {"begun": threading.Event(), "go": threading.Event()}

    def handler(request, conn):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
        halves["begun"].set()
        halves["go"].wait()
        conn.send(b"half")
    return handler, halves


# --- a gate that dies ---

def test_keeper_and_gate_are_two_processes(start):
    proxy = start(respond("hi"))
    gate = proxy.gate_pid()
    assert gate and gate != proxy.child.pid
    assert status_of(gate)["NoNewPrivs"] == "1"
    assert "gate" in Path(f"/proc/{gate}/cmdline").read_text()


def test_a_killed_gate_is_started_again_on_the_same_sockets(start):
    """S4-19: a crashed gate restarts without losing listeners; connections wait and are served."""
    proxy = start(respond("hi"))
    port = proxy.port
    gate = kill_gate(proxy)
    began = time.monotonic()
    with Client(port) as client:  # connects while there may be no gate
        assert client.exchange(GET).text == "hi"
    took = time.monotonic() - began
    assert took < (5 if IS_SANITIZED else 1), took
    assert proxy.gate_pid() not in (gate, None)
    proxy.wait_line(r"the gate died \(signal 9, Killed\)", proxy.err)


def test_only_exchanges_in_flight_are_lost_with_a_gate(start, origin):
    """S4-19: what was under way ends, everything else goes on; several times in a row."""
    handler, halves = in_flight()
    server = origin(lambda r, c: handler(r, c) if r.target == "/slow" else "quick")
    proxy = start(to(server))
    for turn in range(3):
        lost = proxy.connect()
        lost.send(GET.replace(b"/ ", b"/slow ", 1))
        assert halves["begun"].wait(30)
        halves["begun"].clear()
        kill_gate(proxy)
        assert proxy.get(host="a.example").text == "quick"
        with pytest.raises((EOFError, ConnectionResetError)):
            lost.read_answer()
        lost.close()
    halves["go"].set()
    # A gate that died can be reloaded as any other.
    proxy.reload(respond("new"), 2)
    assert proxy.get(host="a.example").text == "new"


def test_a_gate_that_dies_while_settings_are_offered_leaves_those_in_force(start):
    proxy = start(respond("old"))
    for i in range(5):
        proxy.write(respond("old") +
                    f"entrypoints: {{ web: '127.0.0.1:0', e{i}: '127.0.0.1:0' }}\n")
        proxy.child.send_signal(signal.SIGHUP)
        kill_gate(proxy) if proxy.gate_pid() else None
        assert wait_until(lambda: proxy.get(host="a.example").text == "old", "an answer")
        wait_until(lambda: proxy.gate_pid())


def test_the_gate_leaves_when_the_keeper_is_killed(start):
    proxy = start(respond("hi"))
    gate = proxy.gate_pid()
    proxy.child.kill()
    proxy.child.wait()
    wait_until(lambda: not Path(f"/proc/{gate}").exists() or status_of(gate)["State"][0] == "Z",
               "the gate's end")


def test_a_gate_that_cannot_start_ends_the_keeper(tmp_path):
    """No endless restarts of what never served: here the gate gets no memory for its work."""
    file = tmp_path / "s.yaml"
    file.write_text("entrypoints: { web: '127.0.0.1:0' }\nuser: root\nworkers: 200\n" +
                    respond("x"))
    if IS_SANITIZED:
        pytest.skip("sanitizers need more address space than is left here")
    done = subprocess.run(["prlimit", f"--as={64 << 20}", BINARY, "run", "-c", file],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert "the gate died" in done.stderr and "giving up" in done.stderr, done.stderr


# --- reload ---

def test_reload_changes_routes_servers_and_entrypoints(start, origin):
    one, two = origin(lambda r, c: "one"), origin(lambda r, c: "two")
    proxy = start(to(one))
    assert proxy.get(host="a.example").text == "one"
    assert proxy.get(host="b.example").status == 404
    web = proxy.port

    proxy.reload(to(two).replace("}", f", b.example: '{one.url}' }}"), 2)
    assert proxy.port == web, "an entrypoint that stays keeps its socket"
    assert proxy.get(host="a.example").text == "two"
    assert proxy.get(host="b.example").text == "one"

    proxy.reload(to(two) + "entrypoints: { web: '127.0.0.1:0', more: '127.0.0.1:0' }\n", 3)
    more = proxy.ports["more"]
    assert proxy.get(host="a.example", port=more).text == "two"
    assert proxy.get(host="b.example").status == 404

    proxy.reload(to(one) + "entrypoints: { more: '127.0.0.1:0' }\n", 4)
    assert proxy.get(host="a.example", port=more).text == "one"
    wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", web)) != 0, "the closed entrypoint")


def test_a_connection_lives_through_a_reload_and_uses_the_new_settings(start):
    proxy = start(respond("old"))
    with proxy.connect() as client:
        assert client.exchange(GET).text == "old"
        proxy.reload(respond("new"), 2)
        assert client.exchange(GET).text == "new"


def test_a_broken_file_changes_nothing_and_is_told(start):
    proxy = start(respond("old"))
    proxy.write("filters: { f: { respond: new } }\nsites: { a.example: { use: g } }\nbogus: 1\n")
    proxy.child.send_signal(signal.SIGHUP)
    proxy.wait_line("the old ones stay in force", proxy.err)
    text = "\n".join(proxy.err)
    assert re.search(r"sallyport\.yaml:2:\d+: error: .*'g'", text)
    assert re.search(r"sallyport\.yaml:3:1: error: .*bogus", text)
    assert proxy.get(host="a.example").text == "old"
    # So does an entrypoint that can't be opened; what it would have opened beside it is closed.
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        taken = held.getsockname()[1]
        proxy.write(respond("new") + "entrypoints: { web: '127.0.0.1:0', "
                    f"extra: '127.0.0.1:0', bad: '127.0.0.1:{taken}' }}\n")
        proxy.child.send_signal(signal.SIGHUP)
        proxy.wait_line("the old ones stay in force", proxy.err, 2)
        proxy.wait_line(f"'bad' can't listen on 127.0.0.1:{taken}.*another program", proxy.err)
    extra = int(re.search(r"entrypoint extra: listening on .*:(\d+)", "\n".join(proxy.err))[1])
    assert socket.socket().connect_ex(("127.0.0.1", extra)) != 0
    assert proxy.get(host="a.example").text == "old"
    proxy.reload(respond("new"), 2)
    assert proxy.get(host="a.example").text == "new"


def test_a_download_and_its_route_live_through_a_reload(start, origin):
    handler, halves = in_flight()
    proxy = start(to(origin(handler)))
    with proxy.connect() as client:
        client.send(GET)
        assert halves["begun"].wait(30)
        proxy.reload(respond("new"), 2)
        proxy.reload("entrypoints: { other: '127.0.0.1:0' }\n" + respond("new"), 3)
        halves["go"].set()
        assert client.read_answer().body == b"halfhalf"


def test_a_hundred_reloads_under_load_lose_nothing(start, origin):
    server = origin(lambda r, c: "a" * 2000)
    settings = [f"sites: {{ a.example: '{server.url}', s{i}.example: '{server.url}' }}\n"
                for i in range(2)]
    proxy = start(settings[0], workers=2)
    counts, failures, stop = [], [], threading.Event()

    def load(reconnects):
        n = 0
        try:
            client = proxy.connect()
            while not stop.is_set():
                answer = client.exchange(GET)
                assert answer.status == 200 and len(answer.body) == 2000
                n += 1
                if reconnects:
                    client.close()
                    client = proxy.connect()
            client.close()
        except Exception as e:  # told below: a thread's exception would be lost
            failures.append(repr(e))
        counts.append(n)

    threads = [threading.Thread(target=load, args=(i == 3,)) for i in range(4)]
    for thread in threads:
        thread.start()
    rss = {}
    try:
        for seq in range(2, 102):
            proxy.reload(settings[seq % 2], seq)
            if seq in (30, 101):
                rss[seq] = int(status_of(proxy.gate_pid())["VmRSS"].split()[0])
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures and min(counts) > 0
    if not IS_SANITIZED:
        assert rss[101] < rss[30] + 2048, rss


def test_what_is_asked_for_while_settings_are_on_their_way_is_not_forgotten(start):
    proxy = start(respond("0"))
    for i in range(1, 11):
        proxy.write(respond(str(i)))
        proxy.child.send_signal(signal.SIGHUP)
    wait_until(lambda: proxy.get(host="a.example").text == "10", "the last settings")


# --- stop ---

def test_stop_lets_running_exchanges_finish_and_refuses_new_ones(start, origin):
    handler, halves = in_flight()
    proxy = start(to(origin(handler)), workers=2)
    idle = proxy.connect()
    idle.send(b"GET / HTTP/1.1\r\nHost: b.example\r\n\r\n")
    idle.read_answer()
    with proxy.connect() as client:
        client.send(GET)
        assert halves["begun"].wait(30)
        proxy.child.send_signal(signal.SIGTERM)
        assert idle.is_closed(), "an idle connection is closed at once"
        wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", proxy.port)) != 0,
                   "closed ports")
        assert proxy.child.poll() is None
        halves["go"].set()
        assert client.read_answer().body == b"halfhalf"
        assert client.is_closed()
    assert proxy.child.wait(30) == 0
    idle.close()


def test_stop_waits_only_for_the_drain_time_out(start, origin):
    handler, halves = in_flight()
    proxy = start("drain-timeout: 200ms\n" + to(origin(handler)))
    with proxy.connect() as client:
        client.send(GET)
        assert halves["begun"].wait(30)
        proxy.child.send_signal(signal.SIGTERM)
        with pytest.raises((EOFError, ConnectionResetError)):
            client.read_answer()
    assert proxy.child.wait(30) == 0
    proxy.wait_line("closing 1 connections", proxy.err)
    halves["go"].set()


def test_a_second_signal_stops_at_once(start, origin):
    handler, halves = in_flight()
    proxy = start(to(origin(handler)))
    with proxy.connect() as client:
        client.send(GET)
        assert halves["begun"].wait(30)
        proxy.child.send_signal(signal.SIGINT)
        proxy.wait_line("stopping", proxy.err)
        proxy.child.send_signal(signal.SIGINT)
        proxy.child.wait(10)
    halves["go"].set()


# --- privileges and ports ---

def test_the_gate_runs_as_an_ordinary_user(start):
    """S4-19: parsers run in an unprivileged process."""
    if os.geteuid() != 0:
        pytest.skip("only root has anything to drop")
    proxy = start("user: nobody\n" + respond("hi"), workers=2)
    assert proxy.get(host="a.example").text == "hi"
    gate = proxy.gate_pid()
    status = status_of(gate)
    groups = Path(f"/proc/{gate}/status").read_text()
    nobody = subprocess.run(["id", "-u", "nobody"], capture_output=True, text=True).stdout.strip()
    assert status["Uid"].split() == [nobody] * 4 and re.search(r"^Groups:[ \t]*$", groups, re.M)
    assert int(status["CapEff"], 16) == 0 and int(status["CapPrm"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    for task in Path(f"/proc/{gate}/task").iterdir():
        text = (task / "status").read_text()
        assert f"Uid:\t{nobody}\t{nobody}" in text and "NoNewPrivs:\t1" in text, task
    # And so does the next one, on a port that was opened as root.
    kill_gate(proxy)
    assert proxy.get(host="a.example").text == "hi"
    assert status_of(proxy.gate_pid())["Uid"].split() == [nobody] * 4


def test_an_unknown_user_is_an_error_of_the_settings(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    file = tmp_path / "s.yaml"
    file.write_text("entrypoints: { web: '127.0.0.1:0' }\nuser: nobody-of-this-name\n")
    for command in ["check", "run"]:
        done = run(command, "-c", file)
        assert done.returncode == 1
        assert "s.yaml:2:7" in done.stderr and "no user 'nobody-of-this-name'" in done.stderr
        assert "panic" not in done.stderr


def test_a_port_in_use_is_an_error_with_advice(start, tmp_path):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        file = tmp_path / "s.yaml"
        port = held.getsockname()[1]
        file.write_text(f"user: root\nentrypoints: {{ web: '127.0.0.1:{port}' }}\n")
        done = run("run", "-c", file)
    assert done.returncode == 1
    assert "s.yaml:2:" in done.stderr and "another program listens there" in done.stderr


def test_a_second_proxy_does_not_share_the_ports_of_the_first(start, tmp_path):
    """SO_REUSEPORT is for our own workers: two programs that share a port by mistake would each
    get half of the connections."""
    proxy = start(respond("first"), workers=2)
    file = tmp_path / "s.yaml"
    file.write_text(f"user: root\nentrypoints: {{ web: '127.0.0.1:{proxy.port}' }}\n")
    done = run("run", "-c", file)
    assert done.returncode == 1 and "another program listens there" in done.stderr, done.stderr
    assert proxy.get(host="a.example").text == "first"


@pytest.fixture
def public_binary():
    """A copy of the binary in a folder that every user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="sallyport-"))
    folder.chmod(0o755)
    shutil.copy(BINARY, folder / "sallyport")
    (folder / "sallyport").chmod(0o755)
    yield folder / "sallyport"
    shutil.rmtree(folder)


def as_nobody(binary, settings):
    return subprocess.run(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", binary,
                           "run", "-c", "-"], input=settings, capture_output=True, text=True,
                          timeout=30)


def test_a_privileged_port_as_an_ordinary_user_is_an_error_with_advice(public_binary):
    if os.geteuid() != 0:
        pytest.skip("needs root to become nobody")
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 79:
        pytest.skip("this machine lets everybody listen there")
    done = as_nobody(public_binary, "entrypoints: { web: '127.0.0.1:79' }\n")
    assert done.returncode == 1
    assert "Permission denied" in done.stderr and "need root or CAP_NET_BIND_SERVICE" in done.stderr


# --- workers, standard input, limits ---

def test_requests_are_spread_over_workers_and_all_live_through_kill_and_reload(start):
    proxy = start(respond("hi"), workers=2)

    def busy():
        """CPU time of the gate's threads named worker N."""
        times = {}
        for task in Path(f"/proc/{proxy.gate_pid()}/task").iterdir():
            name = (task / "comm").read_text().strip()
            if name.startswith("worker"):
                switches = re.findall(r"voluntary_ctxt_switches:\s*(\d+)",
                                      (task / "status").read_text())
                times[name] = sum(map(int, switches))
        return times

    for turn in range(2):
        before = busy()
        assert len(before) == 2
        for _ in range(40):
            assert proxy.get(host="a.example").text == "hi"
        after = busy()
        assert all(after[name] > before[name] + 3 for name in before), (before, after)
        proxy.reload(respond("hi"), 2 + turn)
        kill_gate(proxy)
        assert proxy.get(host="a.example").text == "hi"
        proxy.wait_line("settings .* are in force on 2 workers", proxy.err, 3 + 2 * turn)


def test_settings_can_come_from_standard_input():
    settings = "entrypoints: { web: '127.0.0.1:0' }\nuser: root\n" + respond("piped")
    reader, writer = os.pipe()
    os.write(writer, settings.encode())
    os.close(writer)
    proxy = Process([BINARY, "run", "-c", "-"], stdin=reader)
    os.close(reader)
    try:
        proxy.wait_line("are in force", proxy.err)
        port = int(proxy.wait_line(r"entrypoint web: listening on .*:(\d+)$", proxy.err)[1])
        with Client(port) as client:
            assert client.exchange(GET).text == "piped"
            proxy.child.send_signal(signal.SIGHUP)  # it can't be read anew: the settings stay
            proxy.wait_line("standard input", proxy.err)
            assert client.exchange(GET).text == "piped"
    finally:
        assert proxy.end() == 0


def test_beyond_connections_max_the_longest_idle_one_makes_room(start):
    proxy = start("connections-max: 16\n" + respond("hi"))
    clients = [proxy.connect() for _ in range(16)]
    for client in clients:
        assert client.exchange(GET).text == "hi"
    with proxy.connect() as one_more:
        assert one_more.exchange(GET).text == "hi"
        assert clients[0].is_closed()
        for client in clients[1:]:
            assert client.exchange(GET).text == "hi"
    for client in clients:
        client.close()


def test_beyond_connections_max_without_an_idle_one_the_new_is_refused(start, origin):
    go = threading.Event()

    def handler(request, conn):
        go.wait()
        return ok("late")
    server = origin(handler)
    proxy = start("connections-max: 16\n" + to(server))
    clients = [proxy.connect() for _ in range(16)]
    for client in clients:
        client.send(GET)
    wait_until(lambda: len(server.requests) == 16, "sixteen requests")
    with proxy.connect() as one_more:
        one_more.send(GET)
        assert one_more.is_closed() or one_more.read_answer().status == 503
    go.set()
    assert [client.read_answer().text for client in clients] == ["late"] * 16
    for client in clients:
        client.close()


def test_proxy_needs_no_file(origin):
    """proxy --from NAME:PORT --to URL, in the forms that --help tells."""
    server = origin(lambda r, c: "served")
    for to_form in [server.url, server.address, f":{server.port}"]:
        child = Process([BINARY, "proxy", "--from", "a.example:0", "--to", to_form, "--access-log"])
        try:
            port = int(child.wait_line(r"entrypoint web: listening on .*:(\d+)$", child.err)[1])
            child.wait_line("are in force", child.err)
            with Client(port) as client:
                assert client.exchange(GET).text == "served"
                assert client.exchange(GET.replace(b"a.ex", b"b.ex")).status == 404
            child.wait_line('"GET / HTTP/1.1" 200', child.out)
        finally:
            assert child.end() == 0
