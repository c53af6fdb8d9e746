# SPDX-License-Identifier: Apache-2.0
"""Traefik's labels: the compose file of guide S0 as it stands, against a scripted engine, with pebble as
the authority."""
import json
import ssl
from pathlib import Path

import pytest
from docker_api import Engine
from harness import Client, Origin, Proxy, free_ports, ok, wait_until
from issuing import issuer_of, orders_of, pebble  # noqa: F401

HTPASSWD = "u:$$2y$$05$$fFTvpmqLErU4P4VPJLcqtejgFG41OzCd9pAw6dT4YRXVM0vZ4QWlu"

# The labels of the guide, as Compose hands them over ("$$" is "$" then; both are taken).
DASHBOARD = {
    "traefik.enable": "true",
    "traefik.http.routers.traefik.entrypoints": "websecure",
    "traefik.http.routers.traefik.rule": "Host(`traefik.example.com`)",
    "traefik.http.routers.traefik.tls": "true",
    "traefik.http.routers.traefik.tls.certresolver": "le",
    "traefik.http.routers.traefik.service": "api@internal",
    "traefik.http.routers.traefik.middlewares": "authtraefik",
    "traefik.http.middlewares.authtraefik.basicauth.users": HTPASSWD,
}
WHOAMI = {
    "traefik.enable": "true",
    "traefik.http.routers.whoami.rule": "Host(`whoami.example.com`)",
    "traefik.http.routers.whoami.entrypoints": "websecure",
    "traefik.http.routers.whoami.tls": "true",
    "traefik.http.routers.whoami.tls.certresolver": "le",
    "traefik.http.routers.whoami.service": "whoami",
    "traefik.http.routers.whoami.priority": "100",
}


class World:
    """The proxy of the guide's compose file; each container's server is one that says its name."""

    def __init__(self, folder, authority, ports):
        self.origins = []
        self.engine = Engine(folder / "docker.sock")
        self.storage = folder / "letsencrypt" / "acme.json"
        self.storage.parent.mkdir()
        self.flags = [
            # The guide's, but for addresses, the authority and the socket, which are the test's.
            "--api", "--log.level=INFO", "--accesslog=true", "--providers.docker",
            f"--providers.docker.endpoint=unix://{folder}/docker.sock",
            "--providers.docker.exposedByDefault=false",
            f"--entrypoints.web.address=127.0.0.1:{ports[0]}",
            f"--entrypoints.websecure.address=127.0.0.1:{ports[1]}",
            "--entrypoints.websecure.http.tls=true",
            f"--entrypoints.db.address=127.0.0.1:{ports[2]}",
            "--certificatesresolvers.le.acme.email=ops@example.com",
            f"--certificatesresolvers.le.acme.storage={self.storage}",
            "--certificatesresolvers.le.acme.tlschallenge=true",
            f"--certificatesresolvers.le.acme.caserver={authority.url}",
            f"--certificatesresolvers.le.acme.cacertificates={authority.ca_file}",
            "--providers.file.filename=file.yml"]
        self.authority, self.folder, self.ports = authority, folder, ports
        (folder / "proxy").mkdir()
        (folder / "proxy" / "file.yml").write_text(
            "http:\n  middlewares: { add: { addPrefix: { prefix: /file } } }\n"
            "  routers: { file: { rule: 'Host(`file.example.com`)', service: whoami@docker, "
            "entryPoints: [web], priority: 7 } }\n")
        self.start()

    def start(self):
        self.proxy = Proxy(self.folder / "proxy", "", args=["traefik", *self.flags])

    def run(self, name, labels, say=None, **more):
        origin = Origin(lambda request, conn: ok(json.dumps({
            "name": say or name, "path": request.target,
            "fields": {n.lower(): v for n, v in request.headers}})))
        self.origins.append(origin)
        more = {"exposed": (origin.port,), **more}
        return self.engine.run(name, labels, **more)

    def get(self, host, path="/", headers="", tls=True):
        port = self.proxy.ports["websecure" if tls else "web"]
        if not tls:
            return self.proxy.get(path, host, headers, port=port)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        client = Client(port)
        with context.wrap_socket(client.sock, server_hostname=host) as client.sock:
            return client.exchange(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}"
                                   "Connection: close\r\n\r\n".encode(), "GET")

    def wait_for(self, host, status=200, **kwargs):
        wait_until(lambda: self.get(host, **kwargs).status == status, f"{status} from {host}")
        return self.get(host, **kwargs)

    def stop(self):
        self.proxy.stop()
        for origin in self.origins:
            origin.stop()
        self.engine.down()


@pytest.fixture
def world(tmp_path, pebble):  # noqa: F811
    ports = free_ports(3)
    authority = pebble(ports=ports[:2], serves=("dns-01",))
    made = World(tmp_path, authority, ports)
    yield made
    made.stop()


def test_the_guides_compose_file_works_as_it_stands(world):
    """S0-3 S0-4 S0-6 S0-7 S0-12 S0-14 S0-15 S0-16 S0-19 S0-20 S0-24: from the labels to whoami's answer
    over HTTPS, with a certificate that lives through a restart."""
    world.run("traefik", DASHBOARD)
    c = world.run("whoami", WHOAMI)
    answer = world.wait_for("whoami.example.com", headers="X-Forwarded-For: 9.9.9.9\r\n")
    said = json.loads(answer.text)
    assert said["name"] == "whoami" and said["fields"]["x-forwarded-for"] == "127.0.0.1"
    assert said["fields"]["x-forwarded-proto"] == "https"
    assert world.get("whoami.example.com", tls=False).status == 404
    for name in ("whoami.example.com", "traefik.example.com"):
        world.proxy.wait_line(f"certificate {name}: issued by le", world.proxy.err)
        wait_until(lambda: "Pebble" in issuer_of(world.proxy, name), "the certificate")
    # The API behind its password; nobody else reaches it.
    assert world.get("traefik.example.com", "/api/http/routers").status == 401
    answer = world.get("traefik.example.com", "/api/rawdata", "Authorization: Basic dTp3cm9uZw==\r\n")
    assert answer.status == 401
    assert answer.get("WWW-Authenticate").startswith('Basic realm="traefik"')
    assert world.get("other.example.com", "/api/rawdata").status == 404
    orders = orders_of(world.authority)
    assert orders == 2 and world.proxy.stop() == 0
    world.start()
    world.wait_for("whoami.example.com")
    assert "Pebble" in issuer_of(world.proxy, "whoami.example.com")
    assert orders_of(world.authority) == orders
    world.engine.stop(c)
    world.wait_for("whoami.example.com", 503)


def test_labels_make_routers_services_and_middlewares(world):
    """S0-11 S0-18 S0-20 S0-21 S0-22 S0-23: replicas, ports, health, mistakes, other providers."""
    labels = {
        "Traefik.Enable": "TRUE",
        "traefik.http.routers.app.rule": "Host(`app.example.com`)",
        "traefik.http.routers.app.entryPoints": "web",
        "traefik.http.routers.app.Middlewares": "strip, add@file",
        "traefik.http.middlewares.strip.stripPrefix.prefixes": "/a,/b",
        "traefik.http.services.app.loadbalancer.passhostheader": "false",
    }
    world.run("app-1", labels, "one")
    assert json.loads(world.wait_for("app.example.com", path="/b/x", tls=False).text)["path"] == "/file/x"
    world.run("app-2", labels, "two")
    wait_until(lambda: {json.loads(world.get("app.example.com", tls=False).text)["name"]
                        for _ in range(4)} == {"one", "two"}, "answers of both replicas")
    # A mistake of one router's disables it alone.
    world.run("bad", {"traefik.enable": "true",
                      "traefik.http.routers.bad.rule": "Host(`bad.example.com`)",
                      "traefik.http.routers.bad.middlewares": "gone",
                      "traefik.http.routers.good.rule": "Host(`good.example.com`)"})
    world.wait_for("good.example.com", tls=False)
    assert world.get("bad.example.com", tls=False).status == 503
    world.proxy.wait_line("container bad, label traefik.http.routers.bad.middlewares: error: the router "
                          "'bad@docker' is disabled: there is no middleware 'gone@docker'",
                          world.proxy.err)
    # A label of version 1, files of the proxy's, and a container that isn't exposed.
    world.run("old", {"traefik.enable": "true", "traefik.frontend.rule": "Host:old.example.com"})
    world.run("thief", {"traefik.enable": "true",
                        "traefik.http.routers.thief.rule": "Host(`thief.example.com`)",
                        "traefik.http.routers.thief.middlewares": "t",
                        "traefik.http.middlewares.t.basicauth.usersfile": "/etc/passwd"})
    world.run("hidden", {"traefik.http.routers.h.rule": "Host(`hidden.example.com`)"})
    world.proxy.wait_line("label traefik.frontend.rule: error: it is of Traefik 1", world.proxy.err)
    world.proxy.wait_line("a label can't name files of the proxy", world.proxy.err)
    world.wait_for("thief.example.com", 503, tls=False)
    assert world.get("hidden.example.com", tls=False).status == 404
    # Health, and a router of a file's that leads to a container's service.
    c = world.run("whoami", {"traefik.enable": "true", "traefik.http.services.whoami.loadbalancer": "true",
                             "traefik.http.routers.w.rule": "Host(`w.example.com`)"}, health="starting")
    assert world.wait_for("w.example.com", 503, tls=False).get("Retry-After")
    world.engine.become(c, "healthy")
    world.wait_for("w.example.com", tls=False)
    assert world.get("file.example.com", tls=False).status == 200


def test_tcp_labels_take_an_entrypoint_for_themselves(world):
    origin = Origin(lambda request, conn: "the database")
    world.origins.append(origin)
    world.engine.run("db", {"traefik.enable": "true",
                            "traefik.tcp.routers.db.rule": "HostSNI(`*`)",
                            "traefik.tcp.routers.db.entrypoints": "db",
                            "traefik.tcp.services.db.loadbalancer.server.port": str(origin.port)})

    def answers():
        try:
            return world.proxy.get("/x", "any", port=world.ports[2]).text == "the database"
        except (OSError, EOFError, ValueError):
            return False

    wait_until(answers, "the database's answer")
