# SPDX-License-Identifier: Apache-2.0
"""TLS 1.3: the same certificate (P-256), suite (AES-128-GCM) and group (X25519) for all, OpenSSL of the
system on both sides. Handshakes are counted by tls_load.c, which is compiled on the way."""
import socket
import ssl
import subprocess
from pathlib import Path

from peers import LOAD_CPU, client_environment, cpu_ns

IDLE_CONNECTIONS = 2_000
RESUMED_MIN = 0.99  # of the connections that offer a ticket


def build_load(folder):
    binary = folder / "tls_load"
    if not binary.exists():
        subprocess.run(["cc", "-O2", Path(__file__).parent / "tls_load.c", "-o",
                        binary, "-lssl", "-lcrypto"], check=True)
    return binary


def handshakes(load, proxy, mode, seconds, cert):
    """CPU microseconds per connection with one handshake and one request, and connections per
    second."""
    before = cpu_ns(proxy.pids())
    out = subprocess.run(["taskset", "-c", LOAD_CPU, load, str(proxy.port), mode, str(seconds)],
                         check=True, capture_output=True, text=True,
                         env=client_environment(cert)).stdout
    used = cpu_ns(proxy.pids()) - before
    connections, resumed, took = (float(word) for word in out.split())
    share = resumed / connections
    if mode == "new" and resumed or mode == "resumed" and share < RESUMED_MIN:
        raise SystemExit(f"{proxy.name}: {share:.0%} of the handshakes were resumed, not '{mode}'")
    return used / connections / 1000, connections / took


def opener(cert, protocol="http/1.1"):
    """For idle.measure: makes TLS of a connected socket."""
    context = ssl.create_default_context(cafile=cert)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols([protocol])

    def wrap(sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return context.wrap_socket(sock, server_hostname="bench.example")
    return wrap
