# SPDX-License-Identifier: Apache-2.0
"""An engine's API, scripted: Docker's shapes of versions 1.24 to 1.5x and Podman's, bursts of events, and
all that a real engine can't be made to do."""
import json
import os
import re
import socket
import socketserver
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlparse

from harness import PATIENCE

# What `GET /version` says, cut to what is of interest.
DOCKER_27 = {"Platform": {"Name": "Docker Engine - Community"}, "Version": "27.3.1",
             "ApiVersion": "1.47", "MinAPIVersion": "1.24",
             "Components": [{"Name": "Engine", "Version": "27.3.1"}]}
DOCKER_1_12 = {"Version": "1.12.6", "ApiVersion": "1.24", "GitCommit": "78d1802", "Os": "linux"}
DOCKER_NEXT = {"Platform": {"Name": "Docker Engine"}, "Version": "31.0.0", "ApiVersion": "1.58",
               "MinAPIVersion": "1.44"}
PODMAN_4 = {"Platform": {"Name": "linux/amd64/debian-12"}, "Version": "4.3.1", "ApiVersion": "1.41",
            "MinAPIVersion": "1.24", "Components": [{"Name": "Podman Engine", "Version": "4.3.1"}]}


class Container:
    def __init__(self, number, name, labels, address, exposed, networks, mode, health):
        self.id = f"{number:064x}"
        self.name, self.labels, self.exposed = name, labels, exposed
        self.networks = {"bridge": address} if networks is None else networks
        self.mode, self.health, self.status = mode, health, "running"

    def inspect(self):
        running = self.status in ("running", "paused")
        state = {"Status": self.status, "Running": running, "Paused": self.status == "paused"}
        if self.health:
            state["Health"] = {"Status": self.health, "FailingStreak": 0, "Log": []}
        networks = {name: {"NetworkID": f"{hash(name) & 0xffffffff:064x}", "Aliases": None,
                           "IPAddress": address if running else "", "GlobalIPv6Address": ""}
                    for name, address in self.networks.items()}
        return {
            "Id": self.id, "Name": "/" + self.name, "Created": "2026-11-22T03:00:00.123456789Z",
            "State": state, "Image": "sha256:" + "ab" * 32,
            "Config": {"Image": "whoami:latest", "Labels": self.labels,
                       "Env": ["PATH=/usr/bin", "SECRET_TOKEN=do-not-tell"],
                       "ExposedPorts": {f"{p}/tcp": {} for p in self.exposed} or None},
            "HostConfig": {"NetworkMode": self.mode},
            "NetworkSettings": {"Ports": {f"{p}/tcp": None for p in self.exposed} if running else {},
                                "Networks": networks},
        }


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def address_string(self):
        return "unix"

    def answer(self, body, status=200):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response_only(status)
        self.send_header("Date", formatdate(usegmt=True))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        engine, url = self.server.engine, urlparse(self.path)
        path = re.sub(r"^/v1\.\d+", "", url.path)
        with engine.lock:
            engine.asked.append(self.path)
            override = engine.overrides.get(path)
        if override is not None:
            override(self)
        elif path in ("/_ping", "/version"):
            self.answer(b"OK" if path == "/_ping" else engine.version)
        elif path == "/events":
            engine.serve_events(self, parse_qs(url.query))
        elif path == "/containers/json":
            with engine.lock:
                running = [{"Id": c.id, "Names": ["/" + c.name], "State": c.status}
                           for c in engine.containers.values() if c.status == "running"]
            self.answer(running)
        else:
            found = re.fullmatch(r"/containers/([0-9a-f]+)/json", path)
            with engine.lock:
                container = engine.containers.get(found[1]) if found else None
                shape = container and container.inspect()
            self.answer(shape or {"message": "No such container"}, 200 if shape else 404)

    def send_error(self, *args, **kwargs):  # a method that nobody should use
        self.server.engine.asked.append(f"{self.command} {self.path}")
        self.close_connection = True


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass  # clients hang up, as tests want


class Engine:
    """Listens on a socket; run, stop and the others do what `docker` would, with its events."""

    def __init__(self, path, version=DOCKER_27):
        self.path, self.version = str(path), version
        self.lock = threading.RLock()
        self.containers, self.asked, self.overrides, self.events = {}, [], {}, []
        self.changed = threading.Condition(self.lock)
        self.n_started, self.cut, self.generation = 0, None, 0
        self.server = None
        self.start()

    def start(self):
        self.server = Server(self.path, Handler)
        self.server.engine = self
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02},
                         daemon=True).start()

    def down(self):
        """The engine is gone, and what it had open."""
        self.server.shutdown()
        self.server.server_close()
        os.unlink(self.path)
        self.hang_up()

    def hang_up(self):
        with self.changed:
            self.generation += 1
            self.changed.notify_all()

    # --- events ---

    def serve_events(self, handler, query):
        since = int(query.get("since", ["0"])[0])
        handler.send_response_only(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        with self.changed:
            at = next((i for i, e in enumerate(self.events) if e[0] >= since), len(self.events))
            generation = self.generation
        while True:
            with self.changed:
                while len(self.events) == at and self.generation == generation:
                    self.changed.wait(0.5)
                if self.generation != generation:
                    handler.close_connection = True
                    return
                new, at, cut = self.events[at:], len(self.events), self.cut
            data = b"".join(e[1] for e in new)
            size = cut or len(data)
            for i in range(0, len(data), size):
                piece = data[i:i + size]
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                handler.wfile.flush()

    def say(self, raw):
        """Sends bytes in the stream of events."""
        with self.changed:
            self.events.append((int(time.time()), raw))
            self.changed.notify_all()

    def event(self, action, container, kind="container", actor=None, **attributes):
        actor = {"ID": actor or container.id, "Attributes": attributes}
        self.say(json.dumps({"status": action, "id": container.id, "Type": kind, "Action": action,
                             "Actor": actor, "time": int(time.time())}).encode() + b"\n")

    # --- what people do ---

    def run(self, name, labels=None, address="127.0.0.1", exposed=(80,), networks=None,
            mode="bridge", health=None):
        with self.lock:
            self.n_started += 1
            c = Container(self.n_started, name, labels or {}, address, exposed, networks, mode,
                          health)
            self.containers[c.id] = c
        self.event("create", c)
        self.event("start", c)
        return c

    def stop(self, c):
        c.status = "exited"
        for action in ("kill", "die", "stop"):
            self.event(action, c)

    def restart(self, c):
        c.status = "running"
        self.event("start", c)

    def remove(self, c):
        with self.lock:
            del self.containers[c.id]
        self.event("destroy", c)

    def become(self, c, health):
        c.health = health
        self.event(f"health_status: {health}", c)

    def connect(self, c, network, address):
        c.networks[network] = address
        self.event("connect", c, kind="network", actor="f" * 64, container=c.id, name=network)

    def wait_asked(self, pattern, count=1):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with self.lock:
                if sum(bool(re.search(pattern, a)) for a in self.asked) >= count:
                    return
            time.sleep(0.005)
        raise AssertionError(f"nobody asked for {pattern}: {self.asked[-20:]}")
