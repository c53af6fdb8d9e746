# SPDX-License-Identifier: Apache-2.0
"""Metrics of connections, bytes, sessions, tries, limits and the process move as what they count does."""
import socket
import ssl

import pytest

from harness import PATIENCE, Origin, Proxy, ok, wait_until
from test_metrics import ask, samples, value

SETTINGS = """
entrypoints:
  web: {{ listen: "127.0.0.1:0" }}
  secure: {{ listen: "127.0.0.1:0", tls: on }}
metrics: "127.0.0.1:0"
workers: 2
filters: {{ pack: {{ compress: {{ min-size: 1 }} }} }}
sites: {{ a.example: {{ to: app, use: [pack], redirect-to-https: off }} }}
services: {{ app: {{ servers: ["http://127.0.0.1:1", "{url}"], balance: first, skip-time: 0s }} }}
"""


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    origin = Origin(lambda request, conn: ok("x" * 1000, "Content-Type: text/plain\r\n"))
    running = Proxy(tmp_path_factory.mktemp("values") / "proxy", SETTINGS.format(url=origin.url))
    yield running
    running.stop()
    origin.stop()


def grows(proxy, name, by, do, **labels):
    """What is done makes the sum larger, by so much at least."""
    before = value(proxy, name, **labels)
    do()
    wait_until(lambda: value(proxy, name, **labels) >= before + by, f"{name} to grow by {by}")


# The metric, by how much a request makes it larger, its labels.
@pytest.mark.parametrize("name, by, labels", [
    ("sallyport_connections_accepted_total", 1, {}),
    ("sallyport_received_bytes_total", 30, {}),
    ("sallyport_sent_bytes_total", 1000, {}),
    ("sallyport_duration_seconds_count", 1, {}),
    ("sallyport_retries_total", 1, {"route": "a.example"}),
    ("sallyport_server_failures_total", 1, {"server": "http://127.0.0.1:1"}),
    ("sallyport_server_requests_total", 1, {"service": "app"}),
])
def test_a_request_counts(proxy, name, by, labels):
    grows(proxy, name, by, lambda: ask(proxy.port, "a.example"), **labels)


def test_packed_answers_count(proxy):
    grows(proxy, "sallyport_compressed_answers_total", 1,
          lambda: ask(proxy.port, "a.example", **{"Accept-Encoding": "gzip"}))


def test_resumed_and_failed_handshakes_count(proxy):
    context = ssl._create_unverified_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # whose session is there with the handshake

    def connect(session=None):
        with socket.create_connection(("127.0.0.1", proxy.ports["secure"]), PATIENCE) as plain, \
                context.wrap_socket(plain, server_hostname="a.example", session=session) as tls:
            assert tls.session_reused == (session is not None)
            return tls.session

    session = connect()
    grows(proxy, "sallyport_tls_resumptions_total", 1, lambda: connect(session))

    def distrust():
        with socket.create_connection(("127.0.0.1", proxy.ports["secure"]), PATIENCE) as plain, \
                pytest.raises(ssl.SSLCertVerificationError):
            ssl.create_default_context().wrap_socket(plain, server_hostname="a.example")

    grows(proxy, "sallyport_tls_handshake_failures_total", 1, distrust)


def test_open_connections_and_the_process_are_told(proxy):
    with socket.create_connection(("127.0.0.1", proxy.port), PATIENCE) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: nobody.example\r\n\r\n")
        client.recv(100)
        wait_until(lambda: value(proxy, "sallyport_connections_open", entrypoint="web") >= 1, "it")
    assert value(proxy, "process_resident_memory_bytes") > 1 << 20
    assert value(proxy, "process_cpu_seconds_total") > 0
    assert value(proxy, "process_max_fds") > 10
    workers = {dict(labels)["worker"] for name, labels in samples(proxy)
               if name == "sallyport_worker_lag_seconds"}
    assert len(workers) == 2
    assert len([1 for name, _ in samples(proxy)
                if name == "sallyport_worker_longest_turn_seconds"]) == 2
