# SPDX-License-Identifier: Apache-2.0
"""Certificate authorities for tests: Debian's pebble with its challenge server, and the driver of
the client."""
import json
import os
import queue
import signal
import socket
import ssl
import subprocess
import threading
import urllib.request
from pathlib import Path

from harness import BINARY, PATIENCE, Process, free_ports, wait_until

DRIVER = Path(BINARY).parent / "tests/tools/acme_driver"


def openssl(*args, stdin=None):
    return subprocess.run(["openssl", *map(str, args)], input=stdin, capture_output=True, text=True,
                          check=True, timeout=PATIENCE).stdout


def make_key(kind="p-256"):
    """A private key as PEM."""
    if kind == "rsa-2048":
        return openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
    return openssl("genpkey", "-algorithm", "EC", "-pkeyopt",
                   f"ec_paramgen_curve:{'P-384' if kind == 'p-384' else 'P-256'}")


def make_server_cert(folder):
    """A self-signed certificate for localhost: (certificate file, key file)."""
    cert, key = folder / "tls.pem", folder / "tls.key"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    return cert, key


class Pebble:
    """pebble and pebble-challtestsrv on loopback. Validation goes to http_port and tls_port, where
    the challenge server answers for the kinds in `serves`; all names are 127.0.0.1. dns: a name
    server's address instead of the challenge server's; blocked: names that are refused."""

    def __init__(self, folder, env=None, eab=None, strict=True, serves=("http-01", "tls-alpn-01", "dns-01"),
                 ports=None, dns=None, blocked=("blocked.example",)):
        folder.mkdir(parents=True, exist_ok=True)
        (self.port, self.management_port, self.http_port, self.tls_port, self.dns_port,
         self.chall_port) = free_ports(6)
        if ports:
            self.http_port, self.tls_port = ports
        self.serves = serves
        cert, key = make_server_cert(folder)
        self.ca = cert.read_text()
        self.ca_file = cert
        self.url = f"https://localhost:{self.port}/dir"
        config = {"listenAddress": f"127.0.0.1:{self.port}",
                  "managementListenAddress": f"127.0.0.1:{self.management_port}",
                  "certificate": str(cert), "privateKey": str(key),
                  "httpPort": self.http_port, "tlsPort": self.tls_port, "ocspResponderURL": "",
                  "domainBlocklist": list(blocked),
                  "externalAccountBindingRequired": eab is not None}
        if eab is not None:
            config["externalAccountMACKeys"] = eab
        (folder / "pebble.json").write_text(json.dumps({"pebble": config}))
        self.chall = Process([
            "pebble-challtestsrv", "-management", f"127.0.0.1:{self.chall_port}",
            "-http01", f"127.0.0.1:{self.http_port}" if "http-01" in serves else "", "-https01", "",
            "-tlsalpn01", f"127.0.0.1:{self.tls_port}" if "tls-alpn-01" in serves else "",
            "-dns01", f"127.0.0.1:{self.dns_port}" if "dns-01" in serves else "",
            "-defaultIPv6", ""])
        # A reuse of old proofs of 0 % is 1 % in truth: pebble asks whether a number below 100 is
        # greater. Each order after a first one for the same name may need no proof.
        settings = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0",
                    "PEBBLE_AUTHZREUSE": "0", **(env or {})}
        self.pebble = Process(["pebble", "-config", str(folder / "pebble.json"),
                               "-dnsserver", dns or f"127.0.0.1:{self.dns_port}",
                               *(["-strict"] if strict else [])],
                              env={**os.environ, **settings})
        wait_until(lambda: self._answers(self.port) and self._answers(self.chall_port), "pebble")

    @staticmethod
    def _answers(port):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    def manage(self, what, **values):
        """A call of the challenge server: add-http01, set-txt, add-a …"""
        request = urllib.request.Request(f"http://127.0.0.1:{self.chall_port}/{what}",
                                         json.dumps(values).encode())
        urllib.request.urlopen(request, timeout=PATIENCE).close()

    def asks(self, path):
        """The management interface of pebble: roots/0, cert-status-by-serial/…"""
        context = ssl.create_default_context(cadata=self.ca)
        url = f"https://localhost:{self.management_port}/{path}"
        with urllib.request.urlopen(url, timeout=PATIENCE, context=context) as answer:
            return answer.read().decode()

    def present(self, event):
        """Puts a challenge in place, as a solver would; nowhere where nobody serves it."""
        kind, name = event["kind"], event["name"]
        if kind not in self.serves:
            return
        if kind == "http-01":
            self.manage("add-http01", token=event["token"], content=event["key_authorization"])
        elif kind == "tls-alpn-01":
            self.manage("add-tlsalpn01", host=name, content=event["key_authorization"])
        else:
            self.manage("set-txt", host=event["txt_name"] + ".", value=event["txt_value"])

    def clean_up(self, event):
        kind = event["kind"]
        if kind not in self.serves:
            return
        if kind == "http-01":
            self.manage("del-http01", token=event["token"])
        elif kind == "tls-alpn-01":
            self.manage("del-tlsalpn01", host=event["name"])
        else:
            self.manage("clear-txt", host=event["txt_name"] + ".")

    def stop(self):
        self.pebble.end()
        self.chall.end()


class Driver:
    """acme_driver as a process; call() runs one call of the client."""

    def __init__(self):
        self.child = subprocess.Popen([DRIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        self.errors = []
        self.readers = [threading.Thread(target=self._read, daemon=True),
                        threading.Thread(target=self._read_errors, daemon=True)]
        for reader in self.readers:
            reader.start()
        self.events = []

    def _read(self):
        for line in self.child.stdout:
            self.lines.put(json.loads(line))
        self.lines.put(None)

    def _read_errors(self):
        self.errors.extend(self.child.stderr)

    def _send(self, value):
        self.child.stdin.write(json.dumps(value) + "\n")
        self.child.stdin.flush()

    def call(self, do, solver=None, on_event=None, **values):
        """The result's event. solver: has present(event), which may return a reason why not, and
        clean_up(event)."""
        self._send({"do": do, **values})
        self.events = []
        while True:
            event = self.lines.get(timeout=4 * PATIENCE)
            assert event is not None, "the driver has ended:\n" + "".join(self.errors)
            self.events.append(event)
            if on_event:
                on_event(event)
            if event["event"] == "result":
                return event
            if event["event"] in ("present", "settle"):
                act = getattr(solver, event["event"], None)
                why = act(event) if act else None
                self._send({"ok": why is None, "why": why or ""})
            elif event["event"] == "clean_up":
                solver.clean_up(event)

    def done(self, do, **values):
        result = self.call(do, **values)
        assert result["result"] == "done", result
        return result

    def fails(self, do, **values):
        """The problem."""
        result = self.call(do, **values)
        assert result["result"] == "failed", result
        return result["problem"]

    def fails_to_begin(self, directory, **values):
        """The kind of problem that a directory's address is by itself."""
        return self.fails("new", directory=directory, **values)["kind"]

    def steps(self):
        return [e["step"] for e in self.events if e["event"] == "step"]

    def presented(self):
        return [e["kind"] for e in self.events if e["event"] == "present"]

    def cancel(self):
        self.child.send_signal(signal.SIGTERM)

    def stop(self):
        self.child.stdin.close()
        code = self.child.wait(PATIENCE)
        for reader in self.readers:
            reader.join(PATIENCE)
        self.child.stdout.close()
        self.child.stderr.close()
        assert code == 0, "".join(self.errors)
