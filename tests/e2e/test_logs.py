# SPDX-License-Identifier: Apache-2.0
"""Access log and error log: what they say, what they hide, that they hold up nobody."""
import base64
import json
import os
import re
import signal
import stat
import subprocess
import time

import pytest

from harness import BINARY, Client, ok, wait_until

GET = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"


def log(format, more=""):
    return f"access-log: {{ format: '{format}'{more} }}\n"


def to(server, more=""):
    return f"services: {{ app: {{ servers: '{server.url}'{more} }} }}\n" \
           "sites: { a.example: app }\n"


# --- forms ---

def test_common_and_combined_look_as_those_of_apache(start, origin):
    server = origin(lambda r, c: "hello")
    fields = "Referer: http://r.example/\r\nUser-Agent: curl/8\r\n"
    date = r"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\]"
    proxy = start(log("common") + to(server))
    proxy.get("/a?b=c", host="a.example", headers=fields)
    line, = proxy.log_lines()
    assert re.fullmatch(rf'127\.0\.0\.1 - - {date} "GET /a\?b=c HTTP/1\.1" 200 5', line), line
    proxy.reload(log("combined") + to(server), 2)
    proxy.get("/a?b=c", host="a.example", headers=fields)
    line = proxy.log_lines(count=2)[1]
    assert re.fullmatch(rf'127\.0\.0\.1 - - {date} "GET /a\?b=c HTTP/1\.1" 200 5 '
                        r'"http://r\.example/" "curl/8"', line), line


def test_json_has_every_field_and_plausible_times(start, origin):
    """S1-1: client, entrypoint, server, timers, status, bytes, reason of termination."""
    def handler(request, conn):
        time.sleep(0.05)  # the server's share of the time
        return ok("x" * 1000)
    server = origin(handler)
    proxy = start(log("json") + to(server))
    proxy.get("/p/../a%20b?q=1", host="A.example:80", method="POST", body=b"12345",
              headers="Content-Length: 5\r\nReferer: r\r\nUser-Agent: u\r\n")
    entry = json.loads(proxy.log_lines()[0])
    expected = {"client": "127.0.0.1", "peer": "127.0.0.1", "method": "POST", "scheme": "http",
                "host": "a.example", "target": "/p/../a%20b?q=1", "path": "/a%20b",
                "version": "HTTP/1.1", "referer": "r", "user-agent": "u", "status": 200,
                "bytes-in": 5, "bytes-out": 1000, "entrypoint": "web", "route": "a.example",
                "service": "app", "server": server.address, "tries": 1, "reused": 0, "end": "ok"}
    assert {k: entry.get(k) for k in expected} == expected
    assert entry["wire-in"] > 5 and entry["wire-out"] > 1000
    assert entry["request-id"] == server.requests[0].get("X-Request-Id")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", entry["time"])
    assert 45 <= entry["ms-server"] <= entry["ms-total"] < 5000
    for name in ["ms-head", "ms-filters", "ms-connect", "ms-body"]:
        assert 0 <= entry[name] <= entry["ms-total"], name
    parts = sum(entry["ms-" + n] for n in ["head", "filters", "connect", "server", "body"])
    assert parts <= entry["ms-total"] + 1
    table = subprocess.run([BINARY, "print", "access-log-fields"], capture_output=True, text=True)
    names = set(re.findall(r"`\{([a-z-]+)\}`", table.stdout)) - {"date", "request"}
    assert names - set(entry) <= {"user", "end-detail"}, "absent only where there is nothing to say"


def test_own_format_has_fields_and_literals(start, origin):
    server = origin(lambda r, c: ok("x", "X-Back: b\r\n"))
    proxy = start(log("[{method}] {host}{path} -> {status} {service} {header:X-One} "
                      "{answer-header:x-back} {header:None} 100%") + to(server))
    proxy.get("/p", host="a.example", headers="X-One: 1 2\r\n")
    assert proxy.log_lines() == ["[GET] a.example/p -> 200 app 1 2 b - 100%"]


def test_off_writes_nothing_and_reload_turns_it_on(start, origin):
    server = origin()
    proxy = start("access-log: off\n" + to(server))
    proxy.get(host="a.example")
    proxy.reload(log("{path}") + to(server), 2)
    proxy.get("/seen", host="a.example")
    assert proxy.log_lines() == ["/seen"]
    proxy.reload("access-log: off\n" + to(server), 3)
    proxy.get("/unseen", host="a.example")
    proxy.reload(log("{path}") + to(server), 4)
    proxy.get("/again", host="a.example")
    assert proxy.log_lines("again") and proxy.out == ["/seen", "/again"]


def test_a_log_file_is_made_for_its_owner_and_opened_anew_by_reload(start, origin, tmp_path):
    path = tmp_path / "access.log"
    server = origin()
    settings = log("{path}", f", path: {path}") + to(server)
    proxy = start(settings)
    proxy.get("/one", host="a.example")
    wait_until(lambda: path.read_text() == "/one\n", "the first line")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.rename(tmp_path / "access.log.1")
    proxy.reload(settings, 2)
    proxy.get("/two", host="a.example")
    wait_until(lambda: path.exists() and path.read_text() == "/two\n", "the new file")
    assert (tmp_path / "access.log.1").read_text() == "/one\n"


def test_a_log_file_that_cannot_be_opened_is_an_error(tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text("user: root\nentrypoints: { web: '127.0.0.1:0' }\n"
                    f"access-log: {tmp_path}/nowhere/access.log\n")
    done = subprocess.run([BINARY, "run", "-c", file], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and re.search(r"s\.yaml:3:\d+: .*No such file", done.stderr)


# --- what it hides ---

def test_secrets_in_queries_and_fields_are_written_as_stars(start, origin):
    proxy = start(log("{target} {request} {referer} {header:Authorization} {header:cookie} "
                      "{header:X-My} {header:Referer} {answer-header:Set-Cookie}") +
                  to(origin(lambda r, c: ok("", "Set-Cookie: sid=hush\r\n"))))
    proxy.get("/x?a=1&token=hush&%74oken=hush&PassWord=hush&b", host="a.example",
              headers="Authorization: Bearer hush\r\nCookie: a=hush\r\nX-My: shown\r\n"
                      "Referer: http://r.example/?code=hush&z=1\r\n")
    line, = proxy.log_lines()
    assert "hush" not in line
    assert line.startswith("/x?a=1&token=***&%74oken=***&PassWord=***&b GET /x?a=1&token=***")
    assert "http://r.example/?code=***&z=1 *** *** shown" in line


def test_what_is_redacted_is_a_setting(start, origin):
    proxy = start(log("{target}", ", redact: [mine]") + to(origin()))
    proxy.get("/?mine=x&token=y", host="a.example")
    assert proxy.log_lines() == ["/?mine=***&token=y"]


def test_the_request_id_is_one_in_page_field_log_and_server(start, origin):
    server = origin()
    proxy = start(log("{request-id} {status}") + to(server))
    for host, status in [("a.example", 200), ("b.example", 404)]:
        answer = proxy.get(host=host)
        assert answer.status == status
        ident = answer.get("X-Request-Id")
        proxy.log_lines(f"^{ident} {status}$")
        if status == 200:
            assert server.requests[-1].get("X-Request-Id") == ident
        else:
            assert ident in answer.text


EVIL = ["/a%0d%0aGET", "/%1b[31mred", "/%22quoted%22", "/%00"]


def test_no_byte_of_a_client_makes_a_line_or_an_escape_of_its_own(start, origin):
    """Line breaks, terminal escapes and quotes in paths, fields and user names."""
    server = origin()
    user = subprocess.run(["htpasswd", "-nb", "-B", "-C", "4", "ada", "x"], capture_output=True,
                          text=True).stdout.strip()
    for format in ["combined", "json",
                   "{target} {path} {user} {header:X-Evil} {user-agent} {trail}"]:
        proxy = start(log(format) + "filters: { f: { basic-auth: '" + user + "' } }\n"
                      f"sites: {{ a.example: {{ to: '{server.url}', "
                      "routes: [{ match: 'PathPrefix(`/auth`)', use: f }] } }\n")
        n = 0
        for path in EVIL:
            for value in ["x", 'a"b\\', "caf\xe9\xff", "\xc2\x9b31m\xe2\x80\xa8", "\t tab"]:
                try:
                    proxy.get(path, host="a.example",
                              headers=f"User-Agent: {value}\r\nX-Evil: {value}\r\n")
                except (EOFError, ConnectionResetError):
                    pass
                n += 1
        evil_user = base64.b64encode(b"eve\r\n\x1b[2J\"x:y").decode()
        proxy.get("/auth", host="a.example", headers=f"Authorization: Basic {evil_user}\r\n")
        n += 1
        with proxy.connect() as client:  # bytes that no request may have
            client.send(b"GET /\x1b[31m\"\xff HTTP/1.1\r\nHost: a.example\r\n\r\n")
            client.read_answer()
        n += 1
        lines = proxy.log_lines(count=n)
        assert len(lines) == n
        for line in lines + proxy.err:
            # JSON may hold UTF-8, but nothing that steers a terminal.
            assert line.isprintable() and (line.isascii() or format == "json"), repr(line)
            if format == "json" and line in lines:
                assert isinstance(json.loads(line), dict)
            if format == "combined" and line in lines:
                assert re.fullmatch(r'\S+ \S+ \S+ \[[^]]+\] "(?:[^"\\]|\\.)*" \d+ \S+ '
                                    r'"(?:[^"\\]|\\.)*" "(?:[^"\\]|\\.)*"', line), line


# --- why it ended ---

def ends(proxy, count=1):
    return proxy.log_lines(count=count)[count - 1]


def test_each_way_to_end_has_its_word(start, origin):
    """S1-1: the reason of termination."""
    answers = {"/hang": lambda r, c: c.sock.recv(1) and None, "/gone": lambda r, c: c.close(),
               "/junk": lambda r, c: b"junk\r\n\r\n",
               "/cut": lambda r, c: (c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"),
                                     c.close())[1]}
    server = origin(lambda r, c: answers[r.target](r, c) if r.target in answers else "fine")
    proxy = start(log("{end} {status} {tries} {trail}") + f"""
entrypoints: {{ web: {{ listen: "127.0.0.1:0", head-timeout: 200ms, body-max: 10 }} }}
filters: {{ no: {{ respond: {{ status: 403 }} }} }}
services:
  app: {{ servers: '{server.url}', answer-timeout: 200ms }}
  dead: {{ servers: "http://127.0.0.1:1" }}
  none: {{ servers: [{{ url: "http://127.0.0.1:1", weight: 0 }}] }}
sites:
  a.example: {{ to: app, routes: [{{ match: "Path(`/no`)", use: "no" }}] }}
  dead.example: dead
  none.example: none
""".replace("no: {", '"no": {', 1))
    n = 0

    def expect(end, status, raw=None, **kwargs):
        nonlocal n
        n += 1
        if raw is not None:
            with proxy.connect() as client:
                client.send(raw)
                try:
                    client.read_answer()
                except (EOFError, ConnectionResetError):
                    pass
        else:
            try:
                proxy.get(**kwargs)
            except (EOFError, ConnectionResetError):
                pass
        line = ends(proxy, n)
        assert line.startswith(f"{end} {status} "), line
        return line

    post = {"method": "POST", "headers": "Content-Length: 0\r\n", "host": "a.example"}
    assert "route matched (a.example)" in expect("ok", 200, host="a.example")
    expect("no-route", 404, host="b.example")
    expect("filtered", 403, path="/no", host="a.example")
    expect("server-connect", 502, host="dead.example")
    expect("no-server", 503, host="none.example")
    expect("server-timeout", 504, path="/hang", **post)
    expect("server-gone", 502, path="/gone", **post)
    expect("server-protocol", 502, path="/junk", **post)
    expect("server-gone", 200, path="/cut", **post)
    expect("client-protocol", 400, raw=b"GET / HTTP/1.1\r\nHost : a.example\r\n\r\n")
    expect("client-limit", 413,
           raw=b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 11\r\n\r\n")
    expect("client-timeout", 408, raw=b"GET / HTTP/1.1\r\nHost: a.exam")


def test_a_client_that_leaves_is_told(start, origin):
    server = origin(lambda r, c: c.sock.recv(1) and None)
    proxy = start(log("{end} {path}") + to(server))
    client = proxy.connect()
    client.send(GET.replace(b"/ ", b"/left ", 1))
    server.next_request()
    client.reset()
    assert proxy.log_lines() == ["client-gone /left"]


def test_the_trail_tells_route_filters_and_servers(start, origin):
    server = origin()
    proxy = start(log("{trail}") + f"""
filters:
  tidy: {{ headers: {{ response: {{ remove: [Server] }} }} }}
  cut: {{ strip-prefix: /x }}
services: {{ app: {{ servers: ["http://127.0.0.1:1", "{server.url}"] }} }}
sites: {{ a.example: {{ use: [tidy, cut], to: app }} }}
""")
    proxy.get("/x/y", host="a.example")
    proxy.get("/x/y", host="a.example")
    lines = proxy.log_lines(count=2)
    for line in lines:
        at = [line.find(word) for word in ["a.example", "cut", server.address]]
        assert -1 < at[0] < at[1] < at[2], line
    assert any("127.0.0.1:1 " in line or "127.0.0.1:1," in line or "refused" in line
               for line in lines), lines


# --- the error log ---

def test_the_error_log_has_levels_and_two_forms(start):
    settings = "sites: { a.example: 'http://127.0.0.1:1' }\n"
    proxy = start("log: { format: json, level: info }\n" + settings, expect_start=False)
    wait_until(lambda: any("are in force" in line for line in proxy.err))
    assert any("listening on" in line for line in proxy.err)
    for line in proxy.err:
        entry = json.loads(line)
        assert entry["level"] in ("error", "warn", "info", "debug") and entry["time"], entry
    proxy = start("log: { level: error }\n" + settings, expect_start=False)
    wait_until(lambda: proxy.gate_pid())
    proxy.write("bogus: 1\n")
    proxy.child.send_signal(signal.SIGHUP)
    proxy.wait_line("error keeper: .*bogus", proxy.err)
    assert not any(" warn " in line for line in proxy.err)


def test_a_failure_is_in_the_error_log_with_the_id_of_the_page(start):
    proxy = start("sites: { a.example: 'http://127.0.0.1:1' }\n")
    answer = proxy.get("/p", host="a.example")
    line = proxy.wait_line(answer.get("X-Request-Id"), proxy.err).string
    assert "warn" in line and "502" in line and "a.example/p" in line and "127.0.0.1:1" in line


def test_what_servers_do_wrong_is_a_warning_and_what_strangers_do_is_not(start, origin):
    def answer(_, conn):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        conn.close()
    broken = origin(answer)
    proxy = start(f"sites: {{ a.example: '{broken.url}' }}\n")
    for head in (b"GET / HTTP/2.0\r\nHost: a.example\r\n\r\n",
                 b"POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: odd\r\n\r\n"):
        with proxy.connect() as client:
            client.send(head)
            assert client.read_answer().status in (505, 501)
    with proxy.connect() as client:
        client.send(b"GET /cut HTTP/1.1\r\nHost: a.example\r\n\r\n")
        assert client.read_to_end().endswith(b"half")
    proxy.wait_line("warn .*a.example/cut: 200, the server closed", proxy.err)
    assert not any(re.search(": (505|501), ", line) for line in proxy.err)


# --- never in the way ---

def test_a_stuck_log_holds_up_no_request_and_what_is_dropped_is_counted(tmp_path):
    """Standard output is a pipe that nobody reads."""
    file = tmp_path / "s.yaml"
    file.write_text("entrypoints: { web: '127.0.0.1:0' }\nuser: root\nworkers: 1\n" +
                    log("{path} " + "x" * 400) +
                    "filters: { f: { respond: hi } }\nsites: { a.example: { use: f } }\n")
    reader, writer = os.pipe()
    errors = open(tmp_path / "err", "w+")
    child = subprocess.Popen([BINARY, "run", "-c", file], stdout=writer, stderr=errors,
                             stdin=subprocess.DEVNULL)
    os.close(writer)
    try:
        wait_until(lambda: "are in force" in (tmp_path / "err").read_text(), "the start")
        text = (tmp_path / "err").read_text()
        port = int(re.search(r"listening on .*:(\d+)", text)[1])
        with Client(port) as client:
            burst = GET * 100
            for _ in range(60):  # 6000 lines of 400 bytes: far beyond pipe and memory of the log
                client.send(burst)
                for _ in range(100):
                    assert client.read_answer().text == "hi"
        # Then it is read: lines are whole, and how many are missing is said.
        n = 0
        tail = b""
        os.set_blocking(reader, False)

        def drained():
            nonlocal n, tail
            try:
                data = os.read(reader, 1 << 20)
            except BlockingIOError:
                return "lines were lost" in (tmp_path / "err").read_text()
            lines = (tail + data).split(b"\n")
            tail = lines.pop()
            assert all(line == b"/ " + b"x" * 400 for line in lines)
            n += len(lines)
            return False
        wait_until(drained, "word of dropped lines")
        wait_until(lambda: n + sum(map(int, re.findall(
            r"(\d+) log lines were lost", (tmp_path / "err").read_text()))) == 6000,
            "word of each of them")
        assert n < 6000
    finally:
        child.terminate()
        os.set_blocking(reader, True)
        while os.read(reader, 1 << 20):
            pass
        assert child.wait(30) == 0
        os.close(reader)
        errors.close()
