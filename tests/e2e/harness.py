# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests share: the proxy as a process, origins, raw clients."""
import errno
import json
import os
import queue
import random
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
# Absolute: proxies run in folders of their own.
BINARY = os.path.abspath(os.environ.get("SALLYPORT", ROOT / "build" / "release" / "sallyport"))
os.environ["SALLYPORT_DATA"] = str(ROOT / "packaging")  # it needn't be installed
PATIENCE = 30  # seconds that anything may take before a test fails
IS_SANITIZED = any(mark in Path(BINARY).read_bytes() for mark in (b"__asan_init", b"__tsan_init"))


def wait_until(condition, what="the condition"):
    """Polls for an event that can't be waited for otherwise."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.005)
    raise AssertionError(f"{what} didn't come within {PATIENCE} s")


def run(*args, stdin=None, check=None):
    """Runs a command of the binary to its end."""
    done = subprocess.run([BINARY, *map(str, args)], input=stdin, capture_output=True, text=True,
                          timeout=PATIENCE)
    if check is not None:
        assert done.returncode == check, done.stdout + done.stderr
    return done


def memory_kb(pid):
    """What a process keeps in memory."""
    return int(re.search(r"VmRSS:\s*(\d+)", Path(f"/proc/{pid}/status").read_text())[1])


def descriptors(pid):
    """What a process has open: {descriptor: what it is}. One that leaves no core dump shows it to root
    alone."""
    if os.geteuid() != 0:
        pytest.skip("only root may see what others have open")
    found = {}
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found[int(link.name)] = os.readlink(link)
        except FileNotFoundError:  # closed since
            pass
    return found


def free_ports(n):
    """Ports for what can't take one of the kernel's. They are below those that clients are given, so
    that no connection of anybody's gets one before it is listened to."""
    first_of_clients = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    found = set()
    while len(found) < n:
        port = random.SystemRandom().randrange(10000, max(first_of_clients, 20000))
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
                found.add(port)
            except OSError:  # somebody has it
                pass
    return list(found)


def is_refused(port, host="127.0.0.1"):
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == errno.ECONNREFUSED


def kill_and_wait(pid):
    """kill -9; afterwards its connections are closed."""
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), f"the end of process {pid}")


class Process:
    """A child whose output is read line by line as it comes."""

    def __init__(self, args, cwd=None, env=None, stdin=subprocess.DEVNULL):
        self.child = subprocess.Popen(args, cwd=cwd, env=env, stdin=stdin,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                      errors="replace")
        self.out, self.err = [], []
        self.changed = threading.Condition()
        self.readers = [threading.Thread(target=self._read, args=pair, daemon=True)
                        for pair in ((self.child.stdout, self.out), (self.child.stderr, self.err))]
        for reader in self.readers:
            reader.start()

    def _read(self, stream, lines):
        for line in stream:
            with self.changed:
                lines.append(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.changed.notify_all()

    def wait_line(self, pattern, lines, count=1, since=0):
        """The match of the count-th line with the pattern, now or to come. since: lines to skip."""
        deadline = time.monotonic() + PATIENCE
        with self.changed:
            while True:
                found = [m for m in (re.search(pattern, line) for line in lines[since:]) if m]
                if len(found) >= count:
                    return found[count - 1]
                if self.child.poll() is not None and not any(r.is_alive() for r in self.readers):
                    raise AssertionError(f"ended with {self.child.returncode} before {pattern!r}:\n"
                                         + "\n".join(self.err[-40:]))
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"no line {pattern!r} in:\n" + "\n".join(lines[-40:]))
                self.changed.wait(min(left, 0.5))

    def end(self, sig=signal.SIGTERM):
        if self.child.poll() is None:
            self.child.send_signal(sig)
        try:
            self.child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise
        for reader in self.readers:
            reader.join(PATIENCE)
        self.child.stdout.close()
        self.child.stderr.close()
        return self.child.returncode


class Proxy(Process):
    """`sallyport run` with settings as YAML text. Entry points listen on 127.0.0.1:0; ports[name] is
    what the kernel chose, port that of the first one."""

    def __init__(self, folder, settings, expect_start=True, workers=1, args=None):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        self.file = folder / "sallyport.yaml"
        self.workers = workers
        self.state = folder / "state"
        self.write(settings)
        super().__init__([BINARY, *(args or ["run", "--config", str(self.file)])], cwd=folder,
                         env={**os.environ, "STATE_DIRECTORY": str(self.state)})
        self.ports = {}
        if expect_start:
            self.wait_settings(1)
            self.read_ports()

    def write(self, settings):
        if "entrypoints:" not in settings:
            settings += "\nentrypoints: { web: '127.0.0.1:0' }\n"
        if "workers:" not in settings:
            settings += f"\nworkers: {self.workers}\n"
        if "control:" not in settings:
            settings += f"\ncontrol: {{ socket: '{self.file.parent / 'control.sock'}' }}\n"
        if "user:" not in settings and os.geteuid() == 0:
            settings += "\nuser: root\n"
        new = self.file.with_suffix(".new")
        new.write_text(settings)
        new.rename(self.file)

    def read_ports(self):
        for line in list(self.err):
            m = re.search(r"entrypoint (\S+): listening on .*:(\d+)$", line)
            if m:
                self.ports[m[1]] = int(m[2])
        self.port = next(iter(self.ports.values()))

    def wait_settings(self, seq):
        self.wait_line(rf"settings {seq} are in force", self.err)

    def reload(self, settings, seq):
        """Writes new settings and waits until they are in force."""
        self.write(settings)
        self.child.send_signal(signal.SIGHUP)
        self.wait_settings(seq)
        self.read_ports()

    def try_reload(self, settings=None, by_signal=False):
        """Asks for a reload, of new settings if given; whether it worked. When this returns, what
        was logged about it is there."""
        if settings is not None:
            self.write(settings)
        before = len(self.err)
        end = r"settings \d+ are in force|the old ones stay in force"
        if by_signal:
            self.child.send_signal(signal.SIGHUP)
        elif (answer := self.ask(command="reload"))["ok"]:
            end = f"settings {answer['seq']} are in force"
        else:  # a changed file may have led to others meanwhile
            end = "the old ones stay in force"
        said = self.wait_line(end, self.err, since=before)
        self.read_ports()
        return "are in force" in said[0]

    def reopen_logs(self):
        before = len(self.err)
        self.child.send_signal(signal.SIGUSR1)
        self.wait_line("log files are opened anew", self.err, since=before)

    def gate_pids(self):
        """The gates, oldest first: those that leave, and the one that serves or starts."""
        pid = self.child.pid
        return [int(child) for child in
                Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def gate_pid(self):
        return next(reversed(self.gate_pids()), None)

    def ask(self, **request):
        """The last line of the control socket's answer."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(PATIENCE)
            sock.connect(str(self.file.parent / "control.sock"))
            sock.sendall(json.dumps(request).encode() + b"\n")
            answer = {}
            for line in sock.makefile():
                answer = json.loads(line)
                if "ok" in answer:
                    break
        return answer

    def log_lines(self, pattern="", count=1):
        """Waits for count access log lines with the pattern; gives them."""
        self.wait_line(pattern, self.out, count)
        return [line for line in self.out if re.search(pattern, line)]

    def stop(self):
        """Ends it at once, by a second signal: end() alone lets it finish."""
        if self.child.stdout.closed:
            return self.child.returncode
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            # Two that come together would be one.
            wait_until(lambda: not self._has_pending(signal.SIGTERM), "an answer to SIGTERM")
        status = self.end()
        for line in self.err:
            assert not re.search("(Address|Leak|Thread)Sanitizer|runtime error:|panic", line), \
                "\n".join(self.err[-60:])
        return status

    def _has_pending(self, sig):
        """Whether a signal was sent that it hasn't seen."""
        try:
            status = Path(f"/proc/{self.child.pid}/status").read_text()
        except FileNotFoundError:
            return False
        return self.child.poll() is None and any(
            int(mask, 16) >> (sig - 1) & 1 for mask in
            re.findall(r"^(?:Shd|Sig)Pnd:\s*([0-9a-f]+)$", status, re.M))

    def connect(self, entrypoint=None):
        return Client(self.ports[entrypoint] if entrypoint else self.port)

    def get(self, path="/", host="test.example", headers="", method="GET", body=b"", port=None):
        """One exchange on a connection of its own."""
        with Client(port or self.port) as client:
            return client.exchange(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{headers}"
                                   "Connection: close\r\n\r\n".encode("latin-1") + body, method)


class Answer:
    def __init__(self, status, reason, version, headers, body, trailers=()):
        self.status, self.reason, self.version = status, reason, version
        self.headers, self.body, self.trailers = headers, body, list(trailers)

    def get(self, name):
        values = self.all(name)
        return values[0] if values else None

    def all(self, name):
        return [v for n, v in self.headers if n.lower() == name.lower()]

    @property
    def text(self):
        return self.body.decode("latin-1")


class Client:
    """A raw HTTP/1.1 client that sends what it is told and reads strictly."""

    def __init__(self, port, host="127.0.0.1"):
        self.sock = socket.create_connection((host, port), timeout=PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def reset(self):
        """Closes with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def _more(self):
        data = self.sock.recv(65536)
        if not data:
            raise EOFError("closed" + (f" after {self.buffer[:200]!r}" if self.buffer else ""))
        self.buffer += data

    def read_until(self, mark):
        while mark not in self.buffer:
            self._more()
        at = self.buffer.index(mark) + len(mark)
        piece, self.buffer = self.buffer[:at], self.buffer[at:]
        return piece

    def read_exactly(self, n):
        while len(self.buffer) < n:
            self._more()
        piece, self.buffer = self.buffer[:n], self.buffer[n:]
        return piece

    def read_to_end(self):
        while True:
            data = self.sock.recv(65536)
            if not data:
                break
            self.buffer += data
        piece, self.buffer = self.buffer, b""
        return piece

    def is_closed(self):
        """Waits for the other side's close; what comes before it is an error."""
        try:
            return self.buffer == b"" and self.sock.recv(1) == b""
        except ConnectionResetError:
            return True

    def read_head(self):
        head = self.read_until(b"\r\n\r\n").decode("latin-1")
        first, *lines = head[:-4].split("\r\n")
        version, status, reason = (first.split(" ", 2) + [""])[:3]
        headers = []
        for line in lines:
            name, colon, value = line.partition(":")
            assert colon and name == name.strip(), line
            headers.append((name, value.strip(" \t")))
        return Answer(int(status), reason, version, headers, b"")

    def read_answer(self, method="GET"):
        """The next final answer; interim ones are in .interim."""
        interim = []
        answer = self.read_head()
        while 100 <= answer.status < 200 and answer.status != 101:
            interim.append(answer)
            answer = self.read_head()
        answer.interim = interim
        if method == "HEAD" or answer.status in (101, 204, 304):
            return answer
        if (answer.get("Transfer-Encoding") or "").lower() == "chunked":
            answer.body, answer.trailers = self._read_chunks()
        elif answer.get("Content-Length") is not None:
            answer.body = self.read_exactly(int(answer.get("Content-Length")))
        else:
            answer.body = self.read_to_end()
        return answer

    def _read_chunks(self):
        body, trailers = b"", []
        while True:
            size = int(self.read_until(b"\r\n").split(b";")[0], 16)
            if size == 0:
                break
            body += self.read_exactly(size)
            assert self.read_exactly(2) == b"\r\n"
        while (line := self.read_until(b"\r\n")) != b"\r\n":
            name, _, value = line.decode("latin-1").partition(":")
            trailers.append((name, value.strip()))
        return body, trailers

    def exchange(self, data, method="GET"):
        self.send(data)
        return self.read_answer(method)


class Request:
    """What an Origin got."""

    def __init__(self, method, target, version, headers, connection):
        self.method, self.target, self.version = method, target, version
        self.headers, self.connection = headers, connection
        self.body = b""

    def get(self, name):
        values = self.all(name)
        return values[0] if values else None

    def all(self, name):
        return [v for n, v in self.headers if n.lower() == name.lower()]


class Listener:
    """Listens on loopback and gives each connection to serve(sock) on a thread of its own, which
    closes it. path: a Unix socket. address: where to listen instead of a port of the kernel's."""

    def __init__(self, serve, family=socket.AF_INET, path=None, address=None):
        self.serve = serve
        self.n_connections = 0
        self.port = None
        if path:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.bind(str(path))
            os.chmod(path, 0o777)
            self.address = str(path)
        else:
            self.sock = socket.socket(family)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.sock.bind(address or ("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
            host, self.port = self.sock.getsockname()[:2]
            host = f"[{host}]" if family == socket.AF_INET6 else host
            self.address = f"{host}:{self.port}"
        self.sock.listen(512)
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            self.n_connections += 1
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def stop(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()
        self.thread.join(PATIENCE)


class Origin:
    """A threaded server on raw sockets. handler(request, conn) answers by conn.send; what it returns
    (bytes, or a text as the body of a 200) is sent too. Requests are kept in .requests. address:
    where to listen instead of a port of the kernel's."""

    def __init__(self, handler=None, family=socket.AF_INET, path=None, read_body=True,
                 address=None):
        self.handler = handler or (lambda request, conn: "hello")
        self.read_body = read_body
        self.requests = []
        self.seen = queue.Queue()
        self.connections = []
        self.listener = Listener(self._serve, family, path, address)
        self.address, self.port = self.listener.address, self.listener.port
        self.url = f"unix:{path}" if path else f"http://{self.address}"

    @property
    def n_connections(self):
        return self.listener.n_connections

    def _serve(self, sock):
        self.connections.append(sock)
        conn = OriginConn(sock)
        try:
            while True:
                request = conn.read_request(self.read_body)
                if request is None:
                    break
                self.requests.append(request)
                self.seen.put(request)
                answer = self.handler(request, conn)
                if isinstance(answer, str):
                    answer = ok(answer)
                if answer is not None:
                    conn.send(answer)
                if conn.is_done:
                    break
        except (OSError, EOFError):
            pass
        finally:
            sock.close()

    def next_request(self):
        return self.seen.get(timeout=PATIENCE)

    def stop(self):
        self.listener.stop()
        for sock in self.connections:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def ok(body="", headers="", status="200 OK"):
    """An answer as bytes with Content-Length."""
    data = body.encode() if isinstance(body, str) else body
    return (f"HTTP/1.1 {status}\r\nContent-Length: {len(data)}\r\n{headers}\r\n").encode() + data


class OriginConn(Client):
    def __init__(self, sock):
        self.sock = sock
        sock.settimeout(PATIENCE)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.is_done = False

    def close(self):
        self.is_done = True
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def read_request(self, read_body=True):
        try:
            head = self.read_until(b"\r\n\r\n").decode("latin-1")
        except (EOFError, OSError):
            return None
        first, *lines = head[:-4].split("\r\n")
        method, target, version = first.split(" ")
        headers = [(n, v.strip(" \t")) for n, _, v in (line.partition(":") for line in lines)]
        request = Request(method, target, version, headers, self)
        if read_body and not request.get("Expect"):
            self.read_request_body(request)
        return request

    def read_request_body(self, request):
        if (request.get("Transfer-Encoding") or "").lower() == "chunked":
            request.body, request.trailers = self._read_chunks()
        elif request.get("Content-Length"):
            request.body = self.read_exactly(int(request.get("Content-Length")))


class Nginx:
    """Debian's nginx as an origin. Files are served from its root."""

    def __init__(self, folder, config, files):
        folder.mkdir(parents=True)
        root = folder / "root"
        root.mkdir()
        for name, data in files.items():
            (root / name).write_bytes(data)
        self.port = free_ports(1)[0]
        (folder / "nginx.conf").write_text(f"""
daemon off; pid {folder}/pid; error_log stderr warn; worker_processes 1; user root;
events {{ worker_connections 512; }}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  types {{ text/html html; text/plain txt; }}
  client_max_body_size 0;
  server {{ listen 127.0.0.1:{self.port}; root {root}; {config} }}
}}
""")
        self.log = folder / "access.log"
        self.process = subprocess.Popen(["nginx", "-p", folder, "-c", folder / "nginx.conf"],
                                        stderr=subprocess.PIPE, text=True)
        wait_until(self._listens, "nginx")
        self.url = f"http://127.0.0.1:{self.port}"

    def _listens(self):
        assert self.process.poll() is None, self.process.stderr.read()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.process.stderr.close()
