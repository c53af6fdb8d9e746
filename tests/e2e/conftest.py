# SPDX-License-Identifier: Apache-2.0
"""Fixtures: the real binary, real servers, real clients; all on loopback, on ports of the kernel's."""
import pytest

from harness import Nginx, Origin, Proxy
from load import Backend, Load


@pytest.fixture
def start(tmp_path):
    """start(settings, …) runs a proxy until the test's end."""
    running = []

    def go(settings, **kwargs):
        proxy = Proxy(tmp_path / f"proxy{len(running)}", settings, **kwargs)
        running.append(proxy)
        return proxy

    yield go
    for proxy in running:
        proxy.stop()


@pytest.fixture
def origin():
    """origin(handler) runs a server whose handler answers raw requests."""
    running = []

    def go(handler=None, **kwargs):
        server = Origin(handler, **kwargs)
        running.append(server)
        return server

    yield go
    for server in running:
        server.stop()


@pytest.fixture
def nginx(tmp_path):
    """nginx(config) runs Debian's nginx with the lines inside of its server block."""
    running = []

    def go(config="", files=None):
        server = Nginx(tmp_path / f"nginx{len(running)}", config, files or {})
        running.append(server)
        return server

    yield go
    for server in running:
        server.stop()


@pytest.fixture
def backend():
    """The servers of a load."""
    server = Backend()
    yield server
    server.kill()


@pytest.fixture
def load():
    """load(port, …) runs clients; what they lost is for the test to judge."""
    running = []

    def go(port, *args, **kwargs):
        clients = Load(port, *args, **kwargs)
        running.append(clients)
        return clients.start()

    yield go
    for clients in running:
        clients.stop()
