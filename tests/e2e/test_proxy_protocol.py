# SPDX-License-Identifier: Apache-2.0
"""Balancers that say by the PROXY protocol whose a connection is, and proxies that are trusted by lists."""
import json
import socket
import ssl
import struct
import subprocess

import pytest

from harness import PATIENCE, Client, Origin, Proxy, free_ports, wait_until
from https import context

V2 = b"\r\n\r\n\0\r\nQUIT\n"
CLIENT = "127.0.0.9"  # a client's address; balancers are at 127.0.0.1


def v1(source, port=4711):
    return f"PROXY TCP4 {source} 192.0.2.1 {port} 443\r\n".encode()


def v2(source, tlvs=b"", command=0x21):
    body = socket.inet_aton(source) + socket.inet_aton("192.0.2.1") + struct.pack(">HH", 4711, 443)
    return V2 + bytes([command, 0x11]) + struct.pack(">H", len(body + tlvs)) + body + tlvs


def settings(server, raw_port=1):
    return f"""
entrypoints:
  web: {{ listen: '127.0.0.1:0', proxy-protocol: [127.0.0.1] }}
  mixed: {{ listen: '127.0.0.1:0', proxy-protocol: {{ from: 127.0.0.1, others: accept }} }}
  safe: {{ listen: '127.0.0.1:0', tls: on, proxy-protocol: loopback }}
  raw: {{ listen: '127.0.0.1:0', protocol: tcp, proxy-protocol: {{ from: 127.0.0.1, timeout: 200ms }} }}
  trusting: {{ listen: '127.0.0.1:0', proxy-protocol: 127.0.0.1, trusted-proxies: [cloudflare] }}
access-log: {{ format: json }}
log: {{ level: debug }}
sites: {{ a.example: {{ to: '{server.url}', redirect-to-https: off }} }}
services: {{ raw: {{ servers: ['tcp://127.0.0.1:{raw_port}'], proxy-protocol: v1 }} }}
routes:
  - {{ match: "HostSNI(`*`)", entrypoints: [raw], to: raw }}
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """(proxy, server): what the server is told of the client is its answer."""
    def tell(request, conn):
        return json.dumps({n: v for n, v in request.headers})

    server = Origin(tell)
    server.raw = socket.create_server(("127.0.0.1", 0))
    server.raw.settimeout(PATIENCE)
    proxy = Proxy(tmp_path_factory.mktemp("proxy"), settings(server, server.raw.getsockname()[1]))
    yield proxy, server
    proxy.stop()
    server.stop()
    server.raw.close()


REQUEST = b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n%s\r\n"


def ask(port, header, fields=b"", source="127.0.0.1", pieces=False):
    """What the server was told."""
    with Client.__new__(Client) as client:
        client.sock = socket.create_connection(("127.0.0.1", port), PATIENCE, (source, 0))
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.buffer = b""
        for piece in [bytes([b]) for b in header] if pieces else [header]:
            client.send(piece)
        answer = client.exchange(REQUEST % fields)
        assert answer.status == 200
        return json.loads(answer.body)


def is_closed(port, data, source="127.0.0.1"):
    with socket.create_connection(("127.0.0.1", port), PATIENCE, (source, 0)) as sock:
        try:
            sock.sendall(data)
            return sock.recv(1) == b""
        except (ConnectionResetError, BrokenPipeError):
            return True


@pytest.mark.parametrize("header, pieces", [
    (v1("192.0.2.7"), False), (v1("192.0.2.7"), True), (v2("192.0.2.7"), False),
    (v2("192.0.2.7"), True), (v2("192.0.2.7", b"\x04\0\x02xx\xea\0\3abc"), False)])
def test_the_address_of_the_header_is_the_client_everywhere(told, header, pieces):
    """S2-6: by a header from a balancer that is known; for servers and the log."""
    proxy, _ = told
    got = ask(proxy.ports["web"], header, b"X-Forwarded-For: 6.6.6.6\r\n", pieces=pieces)
    assert got["X-Real-IP"] == got["X-Forwarded-For"] == "192.0.2.7"
    line = json.loads(proxy.wait_line(got["X-Request-Id"], proxy.out).string)
    assert line["client"] == "192.0.2.7"


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", v2("192.0.2.7", command=0x20)])
def test_a_health_check_of_the_balancer_has_its_own_address(told, header):
    assert ask(told[0].ports["web"], header)["X-Real-IP"] == "127.0.0.1"


@pytest.mark.parametrize("header", [
    b"", b"PROXY TCP4 192.0.2.7 192.0.2.1 4711\r\n", b"PROXY TCP4 ::1 ::1 1 2\r\n",
    v2("192.0.2.7", b"\3\0\4\0\0\0\0"), V2 + b"\x21\x11\xff\xff"])
def test_a_balancer_without_a_sound_header_is_refused(told, header):
    assert is_closed(told[0].ports["web"], header + REQUEST % b"")
    told[0].wait_line("PROXY protocol: from 127.0.0.1 at entrypoint web", told[0].err)


def test_strangers_are_refused_or_come_as_themselves(told):
    """S2-6: nobody else can choose an address."""
    proxy, _ = told
    assert is_closed(proxy.ports["web"], v1("192.0.2.7") + REQUEST % b"", source=CLIENT)
    assert is_closed(proxy.ports["web"], REQUEST % b"", source=CLIENT)
    assert ask(proxy.ports["mixed"], b"", source=CLIENT)["X-Real-IP"] == CLIENT
    assert ask(proxy.ports["mixed"], v1("192.0.2.7"))["X-Real-IP"] == "192.0.2.7"
    with Client.__new__(Client) as client:  # a header is no request
        client.sock = socket.create_connection(("127.0.0.1", proxy.ports["mixed"]), PATIENCE,
                                               (CLIENT, 0))
        client.buffer = b""
        assert client.exchange(v1("192.0.2.7") + REQUEST % b"").status == 400


def test_the_header_stands_before_tls(told):
    proxy, _ = told
    sock = socket.create_connection(("127.0.0.1", proxy.ports["safe"]), PATIENCE)
    sock.sendall(v2("192.0.2.8"))
    with context().wrap_socket(sock, server_hostname="a.example") as tls:
        tls.sendall(REQUEST % b"")
        answer = b""
        while data := tls.recv(65536):
            answer += data
    assert b'"X-Real-IP": "192.0.2.8"' in answer
    with socket.create_connection(("127.0.0.1", proxy.ports["safe"]), PATIENCE) as sock, \
            pytest.raises((ssl.SSLError, ConnectionError)):
        context().wrap_socket(sock, server_hostname="a.example")


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_curl_is_a_balancer(told, version):
    proxy, _ = told
    done = subprocess.run(["curl", "-sk", version, "--haproxy-protocol", "--resolve",
                           f"a.example:{proxy.ports['safe']}:127.0.0.1", "-w", "%{http_version}",
                           f"https://a.example:{proxy.ports['safe']}/"], capture_output=True,
                          text=True, timeout=PATIENCE, check=True)
    body, _, spoken = done.stdout.rpartition("}")
    assert json.loads(body + "}")["X-Real-IP"] == "127.0.0.1"
    assert spoken == {"--http1.1": "1.1", "--http2": "2"}[version]


def test_tcp_routes_hand_the_address_on(told):
    """S3-3: in by one header, out by another."""
    proxy, server = told
    with socket.create_connection(("127.0.0.1", proxy.ports["raw"]), PATIENCE) as sock:
        sock.sendall(v2("192.0.2.9") + b"first words")
        with server.raw.accept()[0] as got:
            got.settimeout(PATIENCE)
            data = b""
            while b"first words" not in data:
                data += got.recv(65536)
    assert data.startswith(b"PROXY TCP4 192.0.2.9 127.0.0.1 4711 ")


def test_one_that_sends_nothing_ends_in_time(told):
    assert is_closed(told[0].ports["raw"], b"PROXY TCP4 ")


def test_trusted_proxies_by_the_name_of_a_list(told):
    """S2-6: Cloudflare in front of a balancer: who comes from its networks may say whose request it
    is."""
    proxy, _ = told
    port = proxy.ports["trusting"]
    forwarded = b"X-Forwarded-For: 198.51.100.4\r\n"
    assert ask(port, v1("104.16.1.1"), forwarded)["X-Real-IP"] == "198.51.100.4"
    assert ask(port, v1("192.0.2.7"), forwarded)["X-Real-IP"] == "192.0.2.7"


@pytest.mark.parametrize("option", ["send-proxy", "send-proxy-v2", "send-proxy-v2 crc32c"])
def test_haproxy_is_a_balancer(told, tmp_path, option):
    """S2-6: HAProxy's own headers, with its checksum as well, over both kinds of entrypoints."""
    proxy, _ = told
    how = option.replace(" crc32c", " proxy-v2-options crc32c,unique-id,authority")
    for name, tls in [("web", ""), ("safe", " ssl verify none")]:
        port = free_ports(1)[0]
        conf = tmp_path / f"{name}.cfg"
        conf.write_text(f"""
defaults
  mode http
  timeout connect 30s
  timeout client 30s
  timeout server 30s
listen a
  bind 127.0.0.1:{port}
  server s 127.0.0.1:{proxy.ports[name]} {how}{tls}
""")
        with subprocess.Popen(["haproxy", "-db", "-f", conf], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as haproxy:
            try:
                wait_until(lambda: not probe(port), "haproxy")
                assert ask(port, b"", source=CLIENT)["X-Real-IP"] == CLIENT
            finally:
                haproxy.kill()


def probe(port):
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port))


def test_nginx_is_a_balancer(told, tmp_path):
    """Its stream module."""
    proxy, _ = told
    port = free_ports(1)[0]
    conf = tmp_path / "nginx.conf"
    conf.write_text(f"""
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off; pid {tmp_path}/pid; error_log stderr warn; worker_processes 1; user root;
events {{ worker_connections 64; }}
stream {{ server {{ listen 127.0.0.1:{port}; proxy_pass 127.0.0.1:{proxy.ports["web"]};
                    proxy_protocol on; }} }}
""")
    with subprocess.Popen(["nginx", "-p", tmp_path, "-c", conf], stderr=subprocess.DEVNULL) as nginx:
        try:
            wait_until(lambda: not probe(port), "nginx")
            assert ask(port, b"", source=CLIENT)["X-Real-IP"] == CLIENT
        finally:
            nginx.terminate()
            nginx.wait(PATIENCE)


def test_reload_changes_who_sends_headers(start, origin):
    """Connections that are there stay what they are."""
    server = origin(lambda r, c: r.get("X-Real-IP"))
    proxy = start(settings(server), workers=1)
    with Client(proxy.ports["web"]) as kept:
        kept.send(v1("192.0.2.7"))
        request = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
        assert kept.exchange(request).text == "192.0.2.7"
        proxy.reload(settings(server).replace("proxy-protocol: [127.0.0.1]", "h2c: off"), 2)
        assert kept.exchange(request).text == "192.0.2.7"
    assert proxy.get(host="a.example", port=proxy.ports["web"]).text == "127.0.0.1"


def test_an_unknown_list_is_an_error_that_says_where_to_put_it(start, tmp_path):
    proxy = start("entrypoints: { web: { listen: '127.0.0.1:0', trusted-proxies: [cloudfare] } }\n"
                  "sites: { a.example: { use: [] } }\n", expect_start=False)
    proxy.wait_line(r"trusted-proxies\[0\]: the list 'cloudfare' can't be used: there is no such "
                    r"list: neither /etc/sallyport/lists/cloudfare\.txt nor", proxy.err)
