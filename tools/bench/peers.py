# SPDX-License-Identifier: Apache-2.0
"""The contestants, each as a process with one worker pinned to core 0, and the load."""
import os
import re
import socket
import subprocess
import time
from pathlib import Path

PROXY_CPU, LOAD_CPU = "0", "1"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_port(port, process):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"ended: {process.args}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise SystemExit(f"doesn't listen: {process.args}")


def family(pid):
    """A process and all below it."""
    pids = [pid]
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                pids += family(int(child))
    except (FileNotFoundError, ProcessLookupError):
        pass
    return pids


def cpu_ns(pids):
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    return total


def private_bytes(pids):
    """Memory that is these processes' own."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith(("Private_Clean", "Private_Dirty")):
                total += int(line.split()[1]) * 1024
    return total


def make_certificate(folder):
    """A self-made one for a key of P-256 (cert.pem, cert.pem.key, both.pem), and what every client's
    OpenSSL offers, so that all contestants speak the same."""
    cert, key = folder / "cert.pem", folder / "cert.pem.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj",
                    "/CN=bench.example", "-addext", "subjectAltName=DNS:bench.example",
                    "-addext", "basicConstraints=critical,CA:TRUE", "-out", cert, "-keyout", key],
                   check=True, capture_output=True)
    (folder / "both.pem").write_text(cert.read_text() + key.read_text())
    (folder / "openssl.cnf").write_text("""openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = offer
[offer]
MinProtocol = TLSv1.3
Ciphersuites = TLS_AES_128_GCM_SHA256
Groups = X25519
""")
    return cert


def client_environment(cert):
    return {**os.environ, "OPENSSL_CONF": str(cert.parent / "openssl.cnf")} if cert else None


def wrk(port, path, connections, seconds, script=None, headers=(), cert=None):
    """Runs wrk, over TLS with a certificate; gives (requests, errors, requests per second)."""
    args = ["taskset", "-c", LOAD_CPU, "wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s"]
    for header in headers:
        args += ["-H", header]
    if script:
        args += ["-s", str(script)]
    out = subprocess.run([*args, f"http{'s' if cert else ''}://127.0.0.1:{port}{path}"], check=True,
                         capture_output=True, text=True, env=client_environment(cert)).stdout
    requests = int(re.search(r"(\d+) requests in", out)[1])
    rate = float(re.search(r"Requests/sec:\s*([\d.]+)", out)[1])
    errors = sum(int(n) for n in re.findall(r"Non-2xx or 3xx responses: (\d+)", out))
    socket_errors = re.search(r"connect (\d+), read (\d+), write (\d+), timeout (\d+)", out)
    if socket_errors:
        errors += sum(map(int, socket_errors.groups()))
    return requests, errors, rate


def h2load(port, path, connections, streams, seconds):
    """Requests that were answered with 2xx, and their rate. Anything else ends the run."""
    out = subprocess.run(["taskset", "-c", LOAD_CPU, "h2load", "-c", str(connections), "-m",
                          str(streams), "-D", str(seconds), f"https://127.0.0.1:{port}{path}"],
                         check=True, capture_output=True, text=True).stdout
    counts = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored", out)
    rate = re.search(r"([\d.]+) req/s", out)
    if not counts or int(counts[1]) == 0 or int(counts[2]) or "Application protocol: h2" not in out:
        raise SystemExit(f"h2load: {out}")
    return int(counts[1]), float(rate[1])


class Process:
    def launch(self, args, cpu=PROXY_CPU):
        self.process = subprocess.Popen(["taskset", "-c", cpu, *map(str, args)],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_port(self.port, self.process)
        except BaseException:
            self.stop()
            raise

    def pids(self):
        return family(self.process.pid)

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


NGINX_HEAD = """daemon off; pid {folder}/pid; error_log /dev/null; worker_processes 1; user root;
events {{ worker_connections 12000; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 1h; client_max_body_size 0;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; sendfile on; tcp_nodelay on;
"""


def nginx_tls(cert):
    return f"ssl_certificate {cert}; ssl_certificate_key {cert}.key; ssl_protocols TLSv1.3;"


# Where an origin listens: as many servers of one service, in one process.
ORIGIN_IPS = [f"127.0.0.{i}" for i in range(1, 5)]


class Origin(Process):
    """nginx with files; POST to /upload is read and answered with a few bytes. /1k comes from memory:
    the load must have more to give than the proxies take, or the fastest one pays for sleeping."""

    def __init__(self, folder, files, cert):
        folder = folder / "origin"
        folder.mkdir()
        for name, data in files.items():
            (folder / name).write_bytes(data)
        self.port, self.tls_port, sink = free_port(), free_port(), free_port()
        self.h2_port = free_port()
        listen = " ".join(f"listen {ip}:{self.port} backlog=4096;" for ip in ORIGIN_IPS)
        (folder / "conf").write_text(NGINX_HEAD.format(folder=folder) + f"""
  server {{ listen 127.0.0.1:{sink}; location / {{ return 200 "ok"; }} }}
  server {{ {listen}
    listen 127.0.0.1:{self.tls_port} ssl backlog=4096; root {folder};
    listen 127.0.0.1:{self.h2_port} http2 backlog=4096;
    {nginx_tls(cert)}
    location = /1k {{ default_type text/plain; return 200 "{'x' * 1024}"; }}
    location /upload {{ client_body_buffer_size 128k; proxy_pass http://127.0.0.1:{sink}; }} }}
}}
""")
        self.launch(["nginx", "-p", folder, "-c", folder / "conf"], LOAD_CPU)


class Nginx(Process):
    name = "nginx"

    def __init__(self, folder, origin, binary, cert=None, origin_cert=None, http2=False,
                 origin_h2=False, gzip=None, **_):
        self.port = free_port()
        # Its only way to speak HTTP/2 with servers: one stream at a time on a connection.
        way = "grpc" if origin_h2 else "proxy"
        scheme = ("grpc" if origin_h2 else "http") + ("s" if origin_cert else "")
        version = "" if origin_h2 else 'proxy_http_version 1.1; proxy_set_header Connection "";'
        buffering = "" if origin_h2 else "proxy_request_buffering off;"
        listen = f"{self.port} ssl{' http2' if http2 else ''}" if cert else self.port
        tls = nginx_tls(cert) if cert else ""
        if gzip:
            tls += f"gzip on; gzip_comp_level {gzip}; gzip_proxied any;"
        if origin_cert:
            tls += f"""proxy_ssl_protocols TLSv1.3; proxy_ssl_name bench.example;
    proxy_ssl_server_name on; proxy_ssl_verify on; proxy_ssl_trusted_certificate {origin_cert};"""
        (folder / "conf").write_text(NGINX_HEAD.format(folder=folder) + f"""
  upstream origin {{ server 127.0.0.1:{origin}; keepalive 1024; keepalive_requests 100000000; }}
  server {{ listen 127.0.0.1:{listen} backlog=4096;
    {tls}
    location / {{ {way}_pass {scheme}://origin; {version}
      {way}_set_header Host $host;
      {way}_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      {way}_set_header X-Forwarded-Proto $scheme; {way}_set_header X-Real-IP $remote_addr;
      {buffering} }} }}
}}
""")
        self.launch(["nginx", "-p", folder, "-c", folder / "conf"])


class Haproxy(Process):
    name = "haproxy"

    def __init__(self, folder, origin, binary, cert=None, origin_cert=None, http2=False,
                 origin_h2=False, **_):
        self.port = free_port()
        h2 = "proto h2" if origin_h2 else ""
        tls = f"ssl crt {cert.parent}/both.pem ssl-min-ver TLSv1.3 curves X25519" if cert else ""
        tls += " alpn h2,http/1.1" if http2 else ""
        server_tls = (f"ssl verify required ca-file {origin_cert} sni str(bench.example) "
                      "ssl-min-ver TLSv1.3" if origin_cert else "")
        (folder / "conf").write_text(f"""
global
  nbthread 1
  maxconn 10500
  no strict-limits
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  option splice-auto
  option forwardfor
  http-reuse always
frontend web
  bind 127.0.0.1:{self.port} backlog 4096 {tls}
  default_backend origin
backend origin
  server one 127.0.0.1:{origin} {server_tls} {h2}
""")
        self.launch(["haproxy", "-q", "-f", folder / "conf"])


class H2o(Process):
    name = "h2o"

    def __init__(self, folder, origin, binary, cert=None, **_):
        self.port = free_port()
        ssl = f"""
  ssl:
    certificate-file: {cert}
    key-file: {cert}.key""" if cert else ""
        (folder / "conf").write_text(f"""
num-threads: 1
user: root
max-connections: 12000
listen:
  host: 127.0.0.1
  port: {self.port}{ssl}
http1-request-timeout: 3600
proxy.timeout.keepalive: 60000
hosts:
  default:
    paths:
      "/":
        proxy.reverse.url: "http://127.0.0.1:{origin}"
""")
        self.launch(["h2o", "-m", "worker", "-c", folder / "conf"])


class Sallyport(Process):
    name = "sallyport"

    def __init__(self, folder, origin, binary, log=None, sites=0, workers=1, cert=None,
                 origin_cert=None, http2=False, origin_h2=False, gzip=None, filters="", use="[]",
                 trusted="[]", balance=None):
        self.port = free_port()
        tls = (f", http2: {'yes' if http2 else 'no'}, tls: {{ min: '1.3', certificates: [{{ cert: {cert}, key: {cert}.key }}] }}"
               if cert else "")
        url = f"{'h2c' if origin_h2 else 'http'}://127.0.0.1:{origin}"
        service = ""
        if origin_cert:
            url = "origin"
            service = f"""services:
  origin: {{ servers: ["https://127.0.0.1:{origin}"],
             tls: {{ ca: {origin_cert}, server-name: bench.example }} }}
"""
        if balance:
            url = "origin"
            servers = ", ".join(f"http://{ip}:{origin}" for ip in ORIGIN_IPS)
            service = f"""services:
  origin: {{ servers: [{servers}], balance: {balance} }}
"""
        access_log = f"{{ path: {folder}/access.log, format: {log} }}" if log else "off"
        names = "".join(f"  site{i}.example: http://127.0.0.1:{origin}\n" for i in range(sites))
        if gzip:
            filters, use = f"pack: {{ compress: {{ codings: [gzip], gzip-level: {gzip} }} }}", "[pack]"
        routes = f"sites:\n{names}" if sites else f"""routes:
  - {{ match: PathPrefix(`/`), use: {use}, to: "{url}" }}
filters: {{ {filters} }}
{service}"""
        (folder / "conf.yaml").write_text(f"""
workers: {workers}
user: root
state: {folder}/state
access-log: {access_log}
entrypoints: {{ web: {{ listen: "127.0.0.1:{self.port}", idle-timeout: 1h, trusted-proxies: {trusted}{tls} }} }}
{routes}""")
        # A second worker has the load's core, as far as the load leaves it.
        cpu = PROXY_CPU if workers == 1 else f"{PROXY_CPU},{LOAD_CPU}"
        self.launch([binary, "run", "-c", folder / "conf.yaml"], cpu)


PEERS = {"sallyport": Sallyport, "nginx": Nginx, "haproxy": Haproxy, "h2o": H2o}
