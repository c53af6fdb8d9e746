# SPDX-License-Identifier: Apache-2.0
"""An engine at tcp://: TLS both ways, strangers on either side, and none at all."""
import socketserver
import ssl
import threading

import pytest

from certificates import Authority
from docker_api import Engine, Handler
from harness import Origin, Proxy, wait_until


class TcpServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, context):
        super().__init__(("127.0.0.1", 0), Handler)
        self.context = context

    def finish_request(self, request, client_address):
        if self.context:
            request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        pass  # clients without a certificate, as tests want


class TcpEngine(Engine):
    """Asks for a certificate of the authority, if there is one."""

    def __init__(self, ca=None, name="localhost"):
        self.context = None
        if ca:
            own = ca.issue(name)
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(own.file, own.key_file)
            self.context.load_verify_locations(cadata=ca.pem.decode())
            self.context.verify_mode = ssl.CERT_REQUIRED
        super().__init__("")

    def start(self):
        self.server = TcpServer(self.context)
        self.server.engine = self
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02},
                         daemon=True).start()

    def down(self):
        self.server.shutdown()
        self.server.server_close()
        self.hang_up()


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("engine-ca"))


@pytest.fixture
def try_engine(tmp_path):
    """try_engine(engine, tls) starts a proxy that follows it, and a container."""
    running = []

    def go(engine, tls=""):
        origin = Origin(lambda r, c: "hello")
        engine.run("web", {"sallyport.site": "web.example"}, exposed=(origin.port,))
        proxy = Proxy(tmp_path / "proxy", f"providers: {{ docker: {{ endpoint: "
                      f"'tcp://localhost:{engine.port}'{tls} }} }}\n")
        running.extend([proxy.stop, origin.stop, engine.down])
        return proxy

    yield go
    for stop in running:
        stop()


def tls_of(folder, ca, client):
    (folder / "ca.pem").write_bytes(ca.pem)
    text = f", tls: {{ ca: '{folder}/ca.pem'"
    if client:
        (folder / "client.pem").write_bytes(client.pem)
        (folder / "client.key").write_bytes(client.key_pem)
        text += f", cert: '{folder}/client.pem', key: '{folder}/client.key'"
    return text + " }"


def test_an_engine_is_followed_over_tls_both_ways(try_engine, ca, tmp_path):
    engine = TcpEngine(ca)
    proxy = try_engine(engine, tls_of(tmp_path, ca, ca.issue("proxy.internal")))
    wait_until(lambda: proxy.get(host="web.example").status == 200, "the site")
    wait_until(lambda: any("events" in a for a in engine.asked), "events")


def test_an_engine_is_followed_by_plain_tcp(try_engine):
    proxy = try_engine(TcpEngine())
    wait_until(lambda: proxy.get(host="web.example").status == 200, "the site")


@pytest.mark.parametrize("kind", ["no certificate", "a stranger's engine", "another name"])
def test_strangers_are_refused(try_engine, ca, tmp_path, kind):
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    engine = TcpEngine(ca, "elsewhere.internal" if kind == "another name" else "localhost")
    client = None if kind == "no certificate" else ca.issue("proxy.internal")
    proxy = try_engine(engine, tls_of(tmp_path, other if kind == "a stranger's engine" else ca,
                                      client))
    proxy.wait_line("docker: GET /version: ", proxy.err)
    assert proxy.get(host="web.example").status == 404
    assert engine.asked == []
