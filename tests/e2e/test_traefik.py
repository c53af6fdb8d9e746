# SPDX-License-Identifier: Apache-2.0
"""Traefik's static configuration and files, served by the real binary as Traefik's documentation has it."""
import json
import os
import re
import ssl
import stat
import subprocess
from pathlib import Path

import pytest
from certificates import Authority
from harness import BINARY, Client, Origin, Proxy, free_ports, ok, run, wait_until
from issuing import issuer_of, orders_of, pebble  # noqa: F401

# "u:secret", as `htpasswd -nB` prints it.
USER = "u:$2y$05$fFTvpmqLErU4P4VPJLcqtejgFG41OzCd9pAw6dT4YRXVM0vZ4QWlu"
FLAGS = ["--log.level=INFO", "--accesslog=true", "--entrypoints.web.address=127.0.0.1:0"]


def traefik(folder, *flags, files=None, **kwargs):
    """A proxy that was started as `sallyport traefik FLAG…`; files: names and texts in its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (files or {}).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Proxy(folder, "", args=["traefik", *flags], **kwargs)


@pytest.fixture(scope="module")
def servers():
    """Two servers that say who they are, and the request that they got."""
    def handler(name):
        return lambda request, conn: ok(json.dumps({
            "name": name, "path": request.target,
            "fields": {n.lower(): v for n, v in request.headers}}))

    both = [Origin(handler(name)) for name in ("a", "b")]
    yield both
    for server in both:
        server.stop()


def url(server):
    return f"http://127.0.0.1:{server.port}"


# What a configuration says, and what its requests are answered: host, path, more fields, status, and
# what is found in the answer (status line, fields and body as one text).
CONFIGURATIONS = {
    "a_site_behind_a_password": ("""
http:
  routers:
    app: { rule: "Host(`app.example`)", service: app, middlewares: [auth] }
  middlewares: { auth: { basicAuth: { users: ["%(user)s"] } } }
  services: { app: { loadBalancer: { servers: [{ url: "%(a)s" }] } } }
""", [("app.example", "/", "", 401, 'www-authenticate: Basic realm="traefik"'),
      ("app.example", "/", "Authorization: Basic dTp3cm9uZw==\r\n", 401, ""),
      ("other.example", "/", "", 404, "")]),
    "priorities_and_lengths_of_rules": ("""
http:
  routers:
    all: { rule: "PathPrefix(`/`)", service: b, priority: 1 }
    short: { rule: "Host(`app.example`)", service: b }
    long: { rule: "Host(`app.example`) && PathPrefix(`/api`)", service: a }
    first: { rule: "Path(`/api/b`)", service: b, priority: 100 }
  services:
    a: { loadBalancer: { servers: [{ url: "%(a)s" }] } }
    b: { loadBalancer: { servers: [{ url: "%(b)s" }] } }
""", [("app.example", "/x", "", 200, '"name": "b"'), ("app.example", "/api/x", "", 200, '"name": "a"'),
      ("app.example", "/api/b", "", 200, '"name": "b"'), ("x.example", "/", "", 200, '"name": "b"')]),
    "prefixes_are_stripped_and_added": ("""
http:
  routers:
    strip: { rule: "PathPrefix(`/strip`)", service: a, middlewares: [strip] }
    add: { rule: "PathPrefix(`/add`)", service: a, middlewares: [add] }
    replace: { rule: "PathPrefix(`/old`)", service: a, middlewares: [replace] }
    regex: { rule: "PathPrefix(`/v`)", service: a, middlewares: [regex] }
  middlewares:
    strip: { stripPrefix: { prefixes: ["/strip"] } }
    add: { addPrefix: { prefix: "/in" } }
    replace: { replacePathRegex: { regex: "^/old/(.*)", replacement: "/new/$1" } }
    regex: { stripPrefixRegex: { regex: ["/v[0-9]+"] } }
  services: { a: { loadBalancer: { servers: [{ url: "%(a)s" }] } } }
""", [("x.example", "/strip/x", "", 200, '"path": "/x"'), ("x.example", "/add/x", "", 200, '"path": "/in/add/x"'),
      ("x.example", "/old/x/y", "", 200, '"path": "/new/x/y"'),
      ("x.example", "/v12/x", "", 200, '"path": "/x"')]),
    "redirects": ("""
http:
  routers:
    www: { rule: "Host(`www.example`)", service: noop@internal, middlewares: [bare] }
    tls: { rule: "Host(`tls.example`)", service: noop@internal, middlewares: [tls] }
    same: { rule: "Host(`same.example`)", service: a, middlewares: [same] }
  middlewares:
    bare: { redirectRegex: { regex: "^https?://www\\\\.example(:[0-9]+)?/(.*)", replacement: "https://bare.example/${2}", permanent: true } }
    tls: { redirectScheme: { scheme: https } }
    same: { redirectRegex: { regex: "^http://([^/]*)/(.*)", replacement: "http://$1/$2" } }
  services: { a: { loadBalancer: { servers: [{ url: "%(a)s" }] } } }
""", [("www.example", "/x?y=1", "", 301, "location: https://bare.example/x?y=1"),
      ("tls.example", "/x", "", 302, "location: https://tls.example/x"),
      ("same.example", "/x", "", 200, '"name": "a"')]),
    "fields_and_security": ("""
http:
  routers: { app: { rule: "Host(`app.example`)", service: a, middlewares: [sec, own] } }
  middlewares:
    sec: { headers: { stsSeconds: 31536000, frameDeny: true, contentTypeNosniff: true } }
    own: { headers: { customRequestHeaders: { X-Own: "1", X-Gone: "" }, customResponseHeaders: { X-Answer: "2" } } }
  services: { a: { loadBalancer: { servers: [{ url: "%(a)s" }] } } }
""", [("app.example", "/", "", 200, "strict-transport-security: max-age=31536000"),
      ("app.example", "/", "", 200, "x-frame-options: DENY"),
      ("app.example", "/", "", 200, "x-answer: 2"),
      ("app.example", "/", "", 200, '"x-own": "1"'),
      # Forwarding fields of strangers are dropped, and the server learns who it is.
      ("app.example", "/", "X-Forwarded-For: 9.9.9.9\r\n", 200, '"x-forwarded-for": "127.0.0.1"'),
      ("app.example", "/", "X-Forwarded-Proto: https\r\n", 200, '"x-forwarded-proto": "http"')]),
    "rules_of_version_2": ("""
http:
  routers:
    sub: { rule: "HostRegexp(`{sub:[a-z]+}.app.example`)", service: a }
    field: { rule: "HostHeader(`field.example`) && Headers(`X-A`, `1`)", service: b }
    path: { rule: "Host(`p.example`) && Path(`/p/{id:[0-9]+}`)", service: b }
  services:
    a: { loadBalancer: { servers: [{ url: "%(a)s" }] } }
    b: { loadBalancer: { servers: [{ url: "%(b)s" }] } }
""", [("x.app.example", "/", "", 200, '"name": "a"'), ("app.example", "/", "", 404, ""),
      ("field.example", "/", "X-A: 1\r\n", 200, '"name": "b"'), ("field.example", "/", "", 404, ""),
      ("p.example", "/p/12", "", 200, '"name": "b"'), ("p.example", "/p/x", "", 404, "")]),
    "who_may_come_and_how_often": ("""
http:
  routers:
    out: { rule: "Host(`out.example`)", service: a, middlewares: [office] }
    in: { rule: "Host(`in.example`)", service: a, middlewares: [here] }
    few: { rule: "Host(`few.example`)", service: a, middlewares: [few] }
  middlewares:
    office: { ipAllowList: { sourceRange: ["10.0.0.0/8"] } }
    here: { ipWhiteList: { sourceRange: ["127.0.0.1"] } }
    few: { rateLimit: { average: 1, period: 1h, burst: 1 } }
  services: { a: { loadBalancer: { servers: [{ url: "%(a)s" }] } } }
""", [("out.example", "/", "", 403, ""), ("in.example", "/", "", 200, ""),
      ("few.example", "/", "", 200, ""), ("few.example", "/", "", 429, "")]),
    "what_cant_be_had_answers_503": ("""
http:
  routers:
    gone: { rule: "Host(`gone.example`)", service: a, middlewares: [missing] }
    digest: { rule: "Host(`digest.example`) && PathPrefix(`/admin`)", service: a, middlewares: [digest] }
    rest: { rule: "Host(`digest.example`)", service: a }
  middlewares: { digest: { digestAuth: { users: ["a:b:c"] } } }
  services: { a: { loadBalancer: { servers: [{ url: "%(a)s" }] } } }
""", [("gone.example", "/", "", 503, ""), ("digest.example", "/admin/x", "", 503, ""),
      ("digest.example", "/x", "", 200, "")]),
    "services_of_services": ("""
http:
  routers:
    split: { rule: "Host(`split.example`)", service: split }
    backup: { rule: "Host(`backup.example`)", service: backup }
  services:
    a: { loadBalancer: { servers: [{ url: "%(a)s" }] } }
    dead: { loadBalancer: { servers: [{ url: "http://127.0.0.1:1" }] } }
    split: { weighted: { services: [{ name: a, weight: 1 }, { name: dead, weight: 0 }] } }
    backup: { failover: { service: dead, fallback: a } }
""", [("split.example", "/", "", 200, '"name": "a"'), ("backup.example", "/", "", 200, '"name": "a"')]),
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_configuration_does_what_it_says(name, servers, tmp_path):
    """S0-5 S0-16 S0-18 S0-20 S0-24: each request is answered as the configuration says."""
    text, requests = CONFIGURATIONS[name]
    values = {"a": url(servers[0]), "b": url(servers[1]), "user": USER}
    proxy = traefik(tmp_path, *FLAGS, "--providers.file.filename=dynamic.yml",
                    files={"dynamic.yml": text % values})
    try:
        for host, path, fields, status, found in requests:
            answer = proxy.get(path, host, fields)
            said = "\n".join(f"{n.lower()}: {v}" for n, v in answer.headers) + "\n" + answer.text
            assert (answer.status, found in said) == (status, True), f"{host}{path}: {said}"
    finally:
        assert proxy.stop() == 0


def printed(*args, cwd, env=None):
    done = subprocess.run([BINARY, "traefik", "print", *args], cwd=cwd, text=True, capture_output=True,
                          check=False, env={**os.environ, **(env or {})})
    assert done.returncode == 0, done.stderr
    return [line.split("  #")[0].rstrip() for line in done.stdout.splitlines()
            if line.strip() and not line.lstrip().startswith("#")]


def test_flags_files_and_variables_say_the_same(tmp_path):
    """S0-1 S0-2 S0-10 S0-11: in any letter case, and in YAML and TOML as well."""
    flags = ["--entrypoints.web.address=:80", "--entryPoints.WebSecure.address=:443", "--ping",
             "--entrypoints.web.http.redirections.entrypoint.to=websecure", "--accesslog",
             "--entrypoints.web.forwardedheaders.trustedips=10.0.0.0/8,127.0.0.1",
             "--LOG.LEVEL", "warn", "--certificatesresolvers.le.acme.email=ops@example.com",
             "--certificatesresolvers.le.acme.storage=/letsencrypt/acme.json",
             "--certificatesresolvers.le.acme.tlschallenge=true"]
    files = {
        "s.yml": """
entryPoints:
  web: { address: ":80", http: { redirections: { entryPoint: { to: websecure } } },
         forwardedHeaders: { trustedIPs: [10.0.0.0/8, 127.0.0.1] } }
  websecure: { address: ":443" }
ping: {}
accessLog: {}
log: { level: WARN }
certificatesResolvers:
  le: { acme: { email: ops@example.com, storage: /letsencrypt/acme.json, tlsChallenge: {} } }
""",
        "s.toml": """
[entryPoints.web]
  address = ":80"
  [entryPoints.web.http.redirections.entryPoint]
    to = "websecure"
  [entryPoints.web.forwardedHeaders]
    trustedIPs = ["10.0.0.0/8", "127.0.0.1"]
[entryPoints.websecure]
  address = ":443"
[ping]
[accessLog]
[log]
  level = "WARN"
[certificatesResolvers.le.acme]
  email = "ops@example.com"
  storage = "/letsencrypt/acme.json"
  [certificatesResolvers.le.acme.tlsChallenge]
"""}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    variables = {}
    for flag in " ".join(flags).replace("LEVEL warn", "LEVEL=warn").split(" "):
        name, _, value = flag[2:].partition("=")
        variables["TRAEFIK_" + name.upper().replace(".", "_")] = value or "true"
    by_flags = printed(*flags, cwd=tmp_path)
    assert printed("--configFile=s.yml", cwd=tmp_path) == by_flags
    assert printed("--configfile", "s.toml", cwd=tmp_path) == by_flags
    assert printed(cwd=tmp_path, env=variables) == by_flags
    text = "\n".join(by_flags)
    assert 'listen: ":443"' in text and "/letsencrypt/sallyport" in text and "level: warn" in text


@pytest.mark.parametrize("flags, error", [
    (["--entrypoint.web.address=:80"], "'entrypoint' here: did you mean 'entryPoints'"),
    (["--providers.consul=true"], "providers.consul: there are the providers docker and file"),
    (["--experimental.http3"], "experimental: there are no plugins"),
    (["--entrypoints.web.http3", "--entrypoints.web.address=:443"], "entryPoints.http3: there is no HTTP/3 yet"),
    (["--entrypoints.dns.address=:53/udp"], "UDP isn't served"),
    (["--certificatesresolvers.le.acme.dnschallenge.provider=cloudflare"], "'cloudflare' isn't there"),
    (["--certificatesresolvers.le.acme.email=a@b.example"], "it needs tlsChallenge"),
    (["--providers.file.filename=x.yml", "--providers.file.directory=y"], "give it filename or directory"),
    (["--providers.docker.constraints=x"], "providers.docker.constraints=x: error: the rule ends"),
    (["--configfile=s.yml", "--api"], "beside --configFile other flags count for nothing"),
    (["word"], "expected a flag"),
])
def test_what_isnt_supported_stops_it_with_its_name(tmp_path, flags, error):
    """S0-11: an unknown flag stops start with a message naming it."""
    (tmp_path / "s.yml").write_text("api: {}\n")
    done = subprocess.run([BINARY, "traefik", *flags], cwd=tmp_path, text=True, capture_output=True,
                          check=False, timeout=60)
    assert done.returncode == 1 and error in done.stderr


def test_check_names_a_disabled_router(tmp_path):
    """S0-18: a middleware that doesn't exist."""
    (tmp_path / "d.yml").write_text(
        "http:\n  routers: { r: { rule: 'Host(`a`)', service: s, middlewares: [gone] } }\n"
        "  services: { s: { loadBalancer: { servers: [{ url: 'http://127.0.0.1:1' }] } } }\n")
    done = run("traefik", "check", "--entrypoints.web.address=:80",
               f"--providers.file.filename={tmp_path / 'd.yml'}", check=1)
    assert "d.yml:2:64: error: the router 'r@file' is disabled: there is no middleware 'gone@file'" \
        in done.stderr


def test_a_disabled_router_is_listed_with_the_reason(servers, tmp_path):
    """In our form and in Traefik's; its requests get 503, and no wider router has them."""
    proxy = traefik(tmp_path, *FLAGS, "--api", "--providers.file.filename=d.yml", files={"d.yml": f"""
http:
  routers:
    off: {{ rule: "Host(`a`) && PathPrefix(`/x`)", service: s, middlewares: [gone] }}
    on: {{ rule: "Host(`a`)", service: s }}
    api: {{ rule: "Host(`api`)", service: api@internal }}
  services: {{ s: {{ loadBalancer: {{ servers: [{{ url: "{url(servers[0])}" }}] }} }} }}
"""})
    try:
        assert [proxy.get(path, "a").status for path in ("/", "/x", "/x/y")] == [200, 503, 503]
        told = {r["name"]: r for r in json.loads(proxy.get("/api/http/routers", "api").body)}
        assert told["on@file"]["status"] == "enabled" and "error" not in told["on@file"]
        assert told["off@file"]["status"] == "disabled"
        assert told["off@file"]["error"] == ["there is no middleware 'gone@file'"]
        asked = json.loads(proxy.get("/api/http/routers?status=disabled", "api").body)
        assert [r["name"] for r in asked] == ["off@file"]
        ours = json.loads(proxy.get("/api/v1/routes/off@file", "api").body)
        assert ours["enabled"] is False and ours["error"] == "there is no middleware 'gone@file'"
        assert json.loads(proxy.get("/api/overview", "api").body)["http"]["routers"]["errors"] == 1
        providers = json.loads(proxy.get("/api/v1/providers", "api").body)
        assert providers["file"]["seq"] == 1
    finally:
        assert proxy.stop() == 0


def test_files_of_a_folder_are_watched(servers, tmp_path):
    folder = tmp_path / "conf"
    folder.mkdir()
    route = ("http:\n  routers: {{ {0}: {{ rule: 'Host(`{0}.example`)', service: {0} }} }}\n"
             "  services: {{ {0}: {{ loadBalancer: {{ servers: [{{ url: '{1}' }}] }} }} }}\n")
    (folder / "a.yml").write_text(route.format("a", url(servers[0])))
    proxy = traefik(tmp_path / "p", *FLAGS, f"--providers.file.directory={folder}")
    try:
        assert [proxy.get(host=f"{n}.example").status for n in "ab"] == [200, 404]
        (folder / "b.toml").write_text(
            "[http.routers.b]\nrule = 'Host(`b.example`)'\nservice = \"b\"\n"
            f"[[http.services.b.loadBalancer.servers]]\nurl = \"{url(servers[1])}\"\n")
        wait_until(lambda: proxy.get(host="b.example").status == 200, "the new file's router")
        before = len(proxy.err)
        (folder / "a.yml").write_text("http: [\n")
        proxy.wait_line("the old ones stay in force", proxy.err, since=before)
        assert [proxy.get(host=f"{n}.example").status for n in "ab"] == [200, 200]
        (folder / "a.yml").unlink()
        wait_until(lambda: proxy.get(host="a.example").status == 404, "the end of the first router")
    finally:
        assert proxy.stop() == 0


def test_plain_requests_are_redirected_where_the_entrypoint_says_so(servers, tmp_path):
    """S0-15: and only there; without a router by TLS there is nothing either."""
    http, https = free_ports(2)
    proxy = traefik(tmp_path, "--log.level=INFO", f"--entrypoints.web.address=127.0.0.1:{http}",
                    f"--entrypoints.other.address=127.0.0.1:0",
                    f"--entrypoints.websecure.address=127.0.0.1:{https}",
                    "--entrypoints.websecure.http.tls=true",
                    "--entrypoints.web.http.redirections.entrypoint.to=websecure",
                    "--providers.file.filename=d.yml", files={"d.yml": f"""
http:
  routers: {{ r: {{ rule: "Host(`a.example`)", service: s, entryPoints: [websecure] }} }}
  services: {{ s: {{ loadBalancer: {{ servers: [{{ url: "{url(servers[0])}" }}] }} }} }}
"""})
    try:
        answer = proxy.get("/x?y", "a.example", port=proxy.ports["web"])
        assert (answer.status, answer.get("location")) == (301, f"https://a.example:{https}/x?y")
        assert proxy.get("/", "a.example", port=proxy.ports["other"]).status == 404
    finally:
        assert proxy.stop() == 0


def test_options_of_tls_by_name_hold_for_the_names_of_their_routers(servers, tmp_path):
    """Versions and clients' certificates; and by a connection for another name nobody gets around them."""
    authority = Authority(tmp_path / "authority")
    client = authority.issue("a client")
    proxy = traefik(tmp_path / "p", "--log.level=INFO", "--entrypoints.websecure.address=127.0.0.1:0",
                    "--entrypoints.websecure.http.tls=true", "--providers.file.filename=d.yml",
                    files={"d.yml": f"""
http:
  routers:
    plain: {{ rule: "Host(`plain.example`)", service: s }}
    modern: {{ rule: "Host(`modern.example`)", service: s, tls: {{ options: modern }} }}
    mtls: {{ rule: "Host(`mtls.example`)", service: s, tls: {{ options: mtls@file }} }}
  services: {{ s: {{ loadBalancer: {{ servers: [{{ url: "{url(servers[0])}" }}] }} }} }}
tls:
  options:
    modern: {{ minVersion: VersionTLS13 }}
    mtls:
      clientAuth: {{ caFiles: ["{authority.file}"], clientAuthType: RequireAndVerifyClientCert }}
"""})

    def status(name, host=None, version=ssl.TLSVersion.TLSv1_3, cert=None):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.maximum_version = version
        if cert:
            context.load_cert_chain(cert.file, cert.key_file)
        with Client(proxy.ports["websecure"]) as conn:
            try:
                conn.sock = context.wrap_socket(conn.sock, server_hostname=name)
                return conn.exchange(f"GET / HTTP/1.1\r\nHost: {host or name}\r\nConnection: close\r\n\r\n").status
            except (OSError, EOFError, AssertionError):
                return "refused"
    old = ssl.TLSVersion.TLSv1_2
    try:
        assert [status("plain.example"), status("plain.example", version=old)] == [200, 200]
        assert [status("modern.example"), status("modern.example", version=old)] == [200, "refused"]
        assert [status("mtls.example"), status("mtls.example", cert=client)] == ["refused", 200]
        assert [status("plain.example", host=h) for h in ("modern.example", "mtls.example")] == [421, 421]
    finally:
        assert proxy.stop() == 0


def test_certificates_come_by_a_resolver_and_stay(pebble, servers, tmp_path):
    """S0-6 S0-7 S0-8 S0-14: one order, for the router's host alone; kept beside acme.json."""
    http, tls = free_ports(2)
    authority = pebble(ports=(http, tls), serves=("dns-01",))
    storage = tmp_path / "letsencrypt" / "acme.json"
    storage.parent.mkdir()
    storage.write_text("{}")
    storage.chmod(0o644)
    flags = ["--log.level=INFO", f"--entrypoints.web.address=127.0.0.1:{http}",
             f"--entrypoints.websecure.address=127.0.0.1:{tls}", "--entrypoints.websecure.http.tls",
             "--certificatesresolvers.le.acme.email=ops@example.com",
             f"--certificatesresolvers.le.acme.storage={storage}",
             "--certificatesresolvers.le.acme.tlschallenge=true",
             f"--certificatesresolvers.le.acme.caserver={authority.url}",
             f"--certificatesresolvers.le.acme.cacertificates={authority.ca_file}",
             "--providers.file.filename=d.yml"]
    files = {"d.yml": f"""
http:
  routers:
    app: {{ rule: "Host(`app.example.com`)", service: s, entryPoints: [websecure], tls: {{ certResolver: le }} }}
    own: {{ rule: "Host(`own.example.com`)", service: s, entryPoints: [websecure], tls: {{}} }}
  services: {{ s: {{ loadBalancer: {{ servers: [{{ url: "{url(servers[0])}" }}] }} }} }}
"""}
    proxy = traefik(tmp_path / "p", *flags, files=files)
    try:
        proxy.wait_line("certificate app.example.com: issued by le", proxy.err)
        wait_until(lambda: "Pebble" in issuer_of(proxy, "app.example.com"), "the certificate")
        assert "Pebble" not in issuer_of(proxy, "own.example.com")
        assert stat.S_IMODE(storage.stat().st_mode) == 0o600
        assert any("it has the mode 600 now" in line for line in proxy.err)
        meta = next(Path(storage.parent).glob("sallyport/accounts/le/meta.json"))
        assert json.loads(meta.read_text())["contact"] == "mailto:ops@example.com"
    finally:
        assert proxy.stop() == 0
    again = traefik(tmp_path / "p", *flags)
    try:
        assert "Pebble" in issuer_of(again, "app.example.com")
        assert orders_of(authority) == 1
    finally:
        assert again.stop() == 0


def test_only_errors_are_logged_unless_somebody_asks_for_more(servers, tmp_path):
    """S0-10: --log.level=ERROR, and a line in the common format for each request."""
    (port,) = free_ports(1)
    proxy = traefik(tmp_path, f"--entrypoints.web.address=127.0.0.1:{port}", "--log.level=ERROR",
                    "--accesslog=true", "--providers.file.filename=d.yml", expect_start=False,
                    files={"d.yml": f"""
http:
  routers: {{ r: {{ rule: "Host(`a.example`)", service: s }} }}
  services: {{ s: {{ loadBalancer: {{ servers: [{{ url: "{url(servers[0])}" }}] }} }} }}
"""})
    try:
        def answers():
            try:
                return proxy.get("/x", "a.example", port=port).status == 200
            except OSError:
                return False

        wait_until(answers, "an answer")
        line = proxy.log_lines("GET /x")[0]
        assert re.search(r'^127\.0\.0\.1 - - \[.*\] "GET /x HTTP/1\.1" 200 \d+ "-" "-" - "r@file" ".*" [\d.]+ms$',
                         line), line
        assert not proxy.err
    finally:
        assert proxy.stop() == 0
