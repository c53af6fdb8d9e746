# SPDX-License-Identifier: Apache-2.0
"""Each filter, by what clients and servers see of it."""
import base64
import subprocess
import threading
import time

import pytest

from harness import ok, run


def site(filters, url=None, use="f"):
    return f"filters: {{ {filters} }}\nsites: {{ a.example: {{ use: [{use}]" + \
        (f", to: '{url}'" if url else "") + " } }\n"


def basic(user, password):
    return f"Authorization: Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}\r\n"


# --- redirect ---

def test_redirect_to_https_keeps_host_path_and_query(start):
    """S1-2: 301 to https, same host, path and query."""
    proxy = start(site("f: { redirect: { scheme: https } }"))
    for path in ["/", "/a/b", "/a%20b?x=1&y=%2F", "/a?", "/~u/;p"]:
        answer = proxy.get(path, host="a.example:8080")
        assert answer.status == 301
        assert answer.get("Location") == "https://a.example" + path
    assert proxy.get("/x", host="A.Example", method="POST",
                     headers="Content-Length: 0\r\n").status == 308


def test_challenges_are_kept_from_a_redirect_by_a_route(start, origin):
    """S1-3: a path of its own isn't redirected."""
    server = origin(lambda r, c: "token")
    proxy = start(f"""
filters: {{ https: {{ redirect: {{ scheme: https }} }} }}
sites: {{ a.example: {{ use: https }} }}
routes:
  - {{ match: "PathPrefix(`/.well-known/acme-challenge/`)", to: {server.url}, priority: 3000000 }}
""")
    assert proxy.get("/.well-known/acme-challenge/x", host="a.example").text == "token"
    assert proxy.get("/.well-known/other", host="a.example").status == 301


@pytest.mark.parametrize("to, path, location", [
    ('"https://www.example.com{path}{query}"', "/a?b=c", "https://www.example.com/a?b=c"),
    ('"https://www.example.com{path}{query}"', "/a", "https://www.example.com/a"),
    ('"{scheme}://{host}:{port}/new{path}"', "/a?b", "http://a.example:80/new/a"),
    ("/elsewhere", "/a?b", "/elsewhere"),
    ('"{path}"', "//evil.test/x", "/evil.test/x"),
])
def test_redirect_fills_in_its_pattern(start, to, path, location):
    proxy = start(site(f"f: {{ redirect: {to} }}"))
    answer = proxy.get(path, host="a.example")
    assert (answer.status, answer.get("Location")) == (301, location)


@pytest.mark.parametrize("settings, get, post", [
    ("permanent: no", 302, 307), ("code: 303", 303, 303), ("code: '308'", 308, 308)])
def test_redirect_has_the_code_it_is_told(start, settings, get, post):
    proxy = start(site(f"f: {{ redirect: {{ to: /x, {settings} }} }}"))
    assert proxy.get(host="a.example").status == get
    empty = "Content-Length: 0\r\n"
    assert proxy.get(host="a.example", method="POST", headers=empty).status == post


# --- headers ---

def test_headers_are_set_added_and_removed_both_ways(start, origin):
    """S4-11: Server, X-Powered-By and the like don't reach clients."""
    server = origin(lambda r, c: ok("x", "Server: Apache/2.4.1 (Debian)\r\nX-Powered-By: PHP/5\r\n"
                                    "x-aspnet-version: 4\r\nX-Keep: 1\r\nX-Many: a\r\n"
                                    "X-Many: b\r\nVia: inner\r\n"))
    proxy = start(site("""f: { headers: {
      request: { set: { X-From: proxy }, add: { X-More: two }, remove: [X-Secret, user-agent] },
      response: { remove: [Server, X-Powered-By, X-AspNet-Version, Via],
                  set: { X-Many: one, X-Frame-Options: DENY }, add: { X-Keep: "2" } } } }""",
                       server.url))
    answer = proxy.get(host="a.example", headers="X-Secret: s\r\nx-secret: t\r\nUser-Agent: u\r\n"
                       "X-From: client\r\nX-More: one\r\n")
    request = server.next_request()
    assert request.all("X-From") == ["proxy"] and request.all("X-More") == ["one", "two"]
    assert not request.all("X-Secret") and not request.all("User-Agent")
    for name in ["Server", "X-Powered-By", "X-AspNet-Version", "Via"]:
        assert answer.get(name) is None, name
    assert answer.all("X-Many") == ["one"] and answer.all("X-Keep") == ["1", "2"]
    assert answer.get("X-Frame-Options") == "DENY" and answer.text == "x"


def test_headers_of_error_pages_are_changed_too(start):
    proxy = start(site("f: { headers: { response: { set: { X-A: b } } } }", "http://127.0.0.1:1"))
    answer = proxy.get(host="a.example")
    assert (answer.status, answer.get("X-A")) == (502, "b")


def test_fields_that_frame_messages_cannot_be_touched(tmp_path):
    for name in ["Content-Length", "transfer-encoding", "Connection", "Host:x", "a b"]:
        (tmp_path / "s.yaml").write_text(
            site(f"f: {{ headers: {{ response: {{ set: {{ '{name}': x }} }} }} }}", "http://a"))
        assert run("check", "-c", tmp_path / "s.yaml").returncode == 1, name
    (tmp_path / "s.yaml").write_text(
        site('f: { headers: { response: { set: { X-A: "b\\r\\nX-Evil: 1" } } } }', "http://a"))
    assert run("check", "-c", tmp_path / "s.yaml").returncode == 1


# --- respond ---

def test_respond_answers_without_a_server(start):
    proxy = start(site("""f: { respond: { status: 503, body: "Back at noon.\\n",
      headers: { Retry-After: "60", Content-Type: text/x } } }"""))
    answer = proxy.get(host="a.example")
    assert (answer.status, answer.text) == (503, "Back at noon.\n")
    assert answer.get("Retry-After") == "60" and answer.all("Content-Type") == ["text/x"]
    with proxy.connect() as client:
        head = client.exchange(b"HEAD / HTTP/1.1\r\nHost: a.example\r\n\r\n", "HEAD")
        assert head.get("Content-Length") == str(len("Back at noon.\n"))
        head = b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 100000\r\n\r\n"
        assert client.exchange(head + b"x" * 100000).status == 503


# --- prefixes ---

@pytest.mark.parametrize("filter, path, seen", [
    ("strip-prefix: /api", "/api/x?y", "/x?y"),
    ("strip-prefix: /api", "/api", "/"),
    ("strip-prefix: /api", "/apis", "/apis"),
    ("strip-prefix: [/a, /b]", "/b/c", "/c"),
    ("add-prefix: /v2", "/x?y", "/v2/x?y"),
    ("replace-path: /index.html", "/any/thing?q", "/index.html?q"),
    ("replace-path: { from: /app, to: /service/v2 }", "/app/x", "/service/v2/x"),
    ("replace-path: { from: /app, to: /service/v2 }", "/apps/x", "/apps/x"),
])
def test_prefix_filters_map_paths(start, origin, filter, path, seen):
    server = origin(lambda r, c: r.target)
    proxy = start(site(f"f: {{ {filter} }}", server.url))
    assert proxy.get(path, host="a.example").text == seen


@pytest.mark.parametrize("filter, path, location, back", [
    ("strip-prefix: /api", "/api/x", "/login", "/api/login"),
    ("add-prefix: /v2", "/x", "/v2/login", "/login"),
    ("replace-path: { from: /app, to: /v2 }", "/app/x", "/v2/login", "/app/login"),
])
def test_prefix_filters_map_locations_back(start, origin, filter, path, location, back):
    """S3-5: as filters."""
    server = origin(lambda r, c: ok("", f"Location: {location}\r\n", "302 Found"))
    proxy = start(site(f"f: {{ {filter} }}", server.url))
    assert proxy.get(path, host="a.example").get("Location") == back


# --- basic-auth ---

def htpasswd(*options):
    done = subprocess.run(["htpasswd", "-n", "-b", *options, "ada", "open sesame"],
                          capture_output=True, text=True, check=True)
    return done.stdout.strip()


def openssl(*options):
    done = subprocess.run(["openssl", "passwd", *options, "open sesame"], capture_output=True,
                          text=True, check=True)
    return "ada:" + done.stdout.strip()


def own(method):
    return run("hash-password", "-u", "ada", "-m", method, stdin="open sesame\n",
               check=0).stdout.strip()


HASHES = {
    "htpasswd-bcrypt": (lambda: htpasswd("-B", "-C", "5"), "$2y$"),
    "htpasswd-apr1": (lambda: htpasswd("-m"), "$apr1$"),
    "htpasswd-sha1": (lambda: htpasswd("-s"), "{SHA}"),
    "openssl-sha512": (lambda: openssl("-6"), "$6$"),
    "openssl-sha256": (lambda: openssl("-5"), "$5$"),
    "own-bcrypt": (lambda: own("bcrypt"), "$2y$"),
    "own-yescrypt": (lambda: own("yescrypt"), "$y$"),
    "own-sha512": (lambda: own("sha512"), "$6$"),
}


def check_auth(proxy, server):
    right = proxy.get(host="a.example", headers=basic("ada", "open sesame"))
    assert right.status == 200
    request = server.next_request()
    assert request.get("Authorization") is None
    for headers in ["", basic("ada", "wrong"), basic("eve", "open sesame"), basic("ada", ""),
                    "Authorization: Basic !!!\r\n", "Authorization: Bearer x\r\n",
                    "Authorization: Basic YWRh\r\n"]:
        answer = proxy.get(host="a.example", headers=headers)
        assert answer.status == 401, headers
        assert answer.get("WWW-Authenticate").startswith('Basic realm="')
    assert len(server.requests) == 1


@pytest.mark.parametrize("name", HASHES)
def test_basic_auth_takes_every_kind_of_hash(start, origin, name):
    """S0-16: 401 without or with wrong credentials, 200 with the right ones. S0-17: lines of
    htpasswd and of hash-password are accepted unchanged."""
    make, mark = HASHES[name]
    line = make()
    assert line.startswith("ada:" + mark)
    server = origin()
    proxy = start(site(f"f: {{ basic-auth: {{ users: ['{line}'] }} }}", server.url))
    check_auth(proxy, server)


def test_basic_auth_reads_a_file_of_htpasswd(start, origin, tmp_path):
    """S0-17: a file as htpasswd -B writes it."""
    file = tmp_path / "users"
    subprocess.run(["htpasswd", "-c", "-b", "-B", file, "ada", "open sesame"], check=True,
                   capture_output=True)
    server = origin()
    proxy = start(site(f"f: {{ basic-auth: {{ users-file: {file} }} }}", server.url))
    check_auth(proxy, server)


def test_hash_for_compose_is_the_same_with_doubled_dollars(start, origin):
    """S0-16: $$ from compose equals $."""
    line = run("hash-password", "-u", "ada", "--compose", stdin="open sesame\n",
               check=0).stdout.strip()
    assert line.startswith("ada:$$2y$$10$$") and "$" not in line.replace("$$", "")
    server = origin()
    proxy = start(site(f"f: {{ basic-auth: '{line.replace('$$', '$')}' }}", server.url))
    check_auth(proxy, server)


def test_basic_auth_tells_servers_and_logs_who_it_is(start, origin):
    server = origin()
    proxy = start("access-log: { format: 'user={user} end={end}' }\n" + site(
        f"f: {{ basic-auth: {{ users: '{htpasswd('-B', '-C', '4')}', user-header: X-User, "
        "strip: no, realm: Staff } }", server.url))
    headers = basic("ada", "open sesame") + "X-User: root\r\n"
    assert proxy.get(host="a.example", headers=headers).status == 200
    request = server.next_request()
    assert request.all("X-User") == ["ada"] and request.get("Authorization").startswith("Basic ")
    proxy.log_lines("user=ada end=ok")
    assert 'realm="Staff"' in proxy.get(host="a.example").get("WWW-Authenticate")
    proxy.log_lines("user=- end=filtered")


def test_who_guesses_passwords_has_to_wait(start, origin):
    """429 with Retry-After beyond the limit of wrong passwords, while who was let in before
    goes on, and a reload forgets nothing."""
    server = origin(lambda r, c: "in")
    settings = site(f"f: {{ basic-auth: {{ users: '{htpasswd('-B', '-C', '4')}', failures: 1/h, "
                    "failures-burst: 5 } }", server.url)
    proxy = start(settings, workers=2)
    good, bad = basic("ada", "open sesame"), basic("ada", "wrong")
    assert proxy.get(host="a.example", headers=good).status == 200
    seen = []
    guessers = [threading.Thread(target=lambda i=i: seen.append(
        proxy.get(host="a.example", headers=basic("ada", f"wrong {i}")).status)) for i in range(20)]
    for guesser in guessers:
        guesser.start()
    for guesser in guessers:
        guesser.join()
    assert sorted(seen) == [401] * 5 + [429] * 15  # exactly, over all workers
    assert proxy.get(host="a.example", headers=good).status == 200
    assert proxy.try_reload(settings + "log: { level: debug }\n")
    answer = proxy.get(host="a.example", headers=bad)
    assert answer.status == 429 and 0 < int(answer.get("Retry-After")) <= 3600


def test_slow_hashes_hold_up_nobody_else(start, origin):
    """S0-16: while several passwords are checked by a slow hash, others of the same worker are
    answered at once."""
    users = [htpasswd("-B", "-C", "12").replace("ada", f"user{i}", 1) for i in range(2)]
    server = origin()
    proxy = start(f"""
filters: {{ login: {{ basic-auth: {{ users: {users} }} }}, quick: {{ respond: quick }} }}
sites: {{ a.example: {{ use: login, to: '{server.url}' }}, b.example: {{ use: quick }} }}
""")
    with proxy.connect() as quick:
        quick.exchange(b"GET / HTTP/1.1\r\nHost: b.example\r\n\r\n")  # connected and warm
        statuses = []
        logins = [threading.Thread(target=lambda i=i: statuses.append(proxy.get(
            host="a.example", headers=basic(f"user{i % 2}", f"wrong {i}")).status))
            for i in range(8)]
        for login in logins:
            login.start()
        took = []
        while any(login.is_alive() for login in logins):
            began = time.monotonic()
            assert quick.exchange(b"GET / HTTP/1.1\r\nHost: b.example\r\n\r\n").text == "quick"
            took.append(time.monotonic() - began)
            time.sleep(0.01)
        for login in logins:
            login.join()
    assert statuses == [401] * 8
    # One check takes 200 ms and more here; a stalled worker would show all of it.
    assert len(took) > 10 and sorted(took)[len(took) // 2] < 0.05, sorted(took)[-5:]
    assert sum(took) < 0.5 * len(took) * 0.2, sorted(took)[-5:]


def test_a_password_is_checked_slowly_once(start, origin):
    server = origin()
    proxy = start(site(f"f: {{ basic-auth: '{htpasswd('-B', '-C', '12')}' }}", server.url))
    began = time.monotonic()
    assert proxy.get(host="a.example", headers=basic("ada", "open sesame")).status == 200
    first = time.monotonic() - began
    began = time.monotonic()
    for _ in range(10):
        assert proxy.get(host="a.example", headers=basic("ada", "open sesame")).status == 200
    assert (time.monotonic() - began) / 10 < first / 2


def test_a_line_that_is_no_hash_is_an_error_that_does_not_show_it(tmp_path):
    (tmp_path / "s.yaml").write_text(site("f: { basic-auth: ['ada:plain secret', 'nothing'] }"))
    done = run("check", "-c", tmp_path / "s.yaml")
    assert done.returncode == 1 and done.stderr.count("error") >= 2
    assert "secret" not in done.stderr


def test_filters_run_in_the_order_of_use(start, origin):
    server = origin(lambda r, c: r.target)
    both = "a: { strip-prefix: /x }, b: { add-prefix: /y }"
    proxy = start(site(both, server.url, use="a, b"))
    assert proxy.get("/x/1", host="a.example").text == "/y/1"
    proxy.reload(site(both, server.url, use="b, a"), 2)
    assert proxy.get("/x/1", host="a.example").text == "/y/x/1"


# --- allow, deny ---

def test_lists_of_addresses_say_who_may_pass(start, tmp_path):
    """S4-8: the client counts, as a trusted proxy names it."""
    listed = tmp_path / "scanners.txt"
    listed.write_text("# found in logs\n192.0.2.0/28 ; all of it\r\n\n2001:db8:bad::/48\n")
    settings = f"""
entrypoints: {{ web: {{ listen: "127.0.0.1:0", trusted-proxies: [127.0.0.1] }} }}
filters:
  office: {{ allow: [192.0.2.0/24, "2001:db8::/32"] }}
  scanners: {{ deny: {{ files: ["{listed}"], status: 404 }} }}
  hello: {{ respond: hello }}
sites: {{ a.example: {{ use: [scanners, office, hello] }} }}
"""
    proxy = start(settings)

    def status(client):
        return proxy.get(host="a.example", headers=f"X-Forwarded-For: {client}\r\n").status

    for client, wanted in [("192.0.2.16", 200), ("192.0.2.15", 404), ("198.51.100.1", 403),
                           ("2001:db8::1", 200), ("2001:db8:bad::1", 404), ("::1", 403)]:
        assert status(client) == wanted, client
    listed.write_text("192.0.2.16\n")
    assert proxy.ask(command="reload")["ok"]
    assert (status("192.0.2.16"), status("192.0.2.15")) == (404, 200)
    listed.write_text("192.0.2.16\nexample.com\n")
    answer = proxy.ask(command="reload")
    assert not answer["ok"] and "scanners.txt:2: the line is neither" in str(answer)
    assert status("192.0.2.16") == 404


def test_who_is_refused_is_in_the_log_with_the_reason(start):
    proxy = start("access-log: { format: json }\nfilters: { here: { deny: 127.0.0.1 } }\n"
                  "sites: { a.example: { use: here, to: 'http://127.0.0.1:9' } }\n")
    answer = proxy.get(host="a.example")
    assert answer.status == 403 and "list" not in answer.text and "127" not in answer.text
    line = proxy.wait_line(".*403.*", proxy.out)[0]
    assert "filtered" in line and "filter here: the request is on the list" in line, line


# --- rate-limit ---

def counts(proxy, n, headers=""):
    """Statuses of n requests, each on a connection of its own: they reach all workers."""
    seen = {}
    for _ in range(n):
        status = proxy.get(host="a.example", headers=headers).status
        seen[status] = seen.get(status, 0) + 1
    return seen


LIMITED = "filters: {{ f: {{ rate-limit: {} }}, hello: {{ respond: hello }} }}\n" \
          "sites: {{ a.example: {{ use: [f, hello] }} }}\nworkers: 4\n"


def test_all_workers_count_together_and_exactly(start):
    """S4-12: what is beyond gets 429 and Retry-After."""
    proxy = start(LIMITED.format("{ rate: 1/d, burst: 37 }"))
    assert counts(proxy, 60) == {200: 37, 429: 23}
    answer = proxy.get(host="a.example")
    assert 86300 < int(answer.get("Retry-After")) <= 86400
    assert answer.get("RateLimit-Policy") == f'"f";q=37;w={37 * 86400}'
    assert answer.get("RateLimit").startswith('"f";r=0;t=')


def test_a_reload_forgets_nobody(start):
    proxy = start(LIMITED.format("{ rate: 1/d, burst: 5 }"))
    assert counts(proxy, 10) == {200: 5, 429: 5}
    proxy.write(LIMITED.format("{ rate: 1/d, burst: 8 }"))
    assert proxy.ask(command="reload")["ok"]
    assert counts(proxy, 10) == {200: 3, 429: 7}
    proxy.write(LIMITED.format("{ rate: 1/d, burst: 8 }").replace("f:", "g:").replace("[f", "[g"))
    assert proxy.ask(command="reload")["ok"]
    assert counts(proxy, 9) == {200: 8, 429: 1}, "a filter of another name counts anew"


def test_keys_tell_clients_apart(start):
    """S4-12: by header and method here."""
    proxy = start(LIMITED.format("{ rate: 1/d, burst: 2, key: ['header:X-Api-Key', method] }"))
    for key in ["a", "b"]:
        assert counts(proxy, 3, f"X-Api-Key: {key}\r\n") == {200: 2, 429: 1}
    assert proxy.get(host="a.example", method="HEAD", headers="X-Api-Key: a\r\n").status == 200
    assert counts(proxy, 3) == {200: 2, 429: 1}, "those without one share a limit"


def test_what_is_beyond_the_rate_waits_for_its_turn(start):
    proxy = start(LIMITED.format("{ rate: 10/s, delay: 300ms }"))
    proxy.get(host="a.example")
    began = time.monotonic()
    with proxy.connect() as client:
        for _ in range(3):
            client.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
            assert client.read_answer().status == 200
    assert time.monotonic() - began >= 0.25
    clients = [proxy.connect() for _ in range(20)]
    for client in clients:
        client.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
    statuses = [client.read_answer().status for client in clients]
    for client in clients:
        client.close()
    assert 2 <= statuses.count(200) < 20 and statuses.count(200) + statuses.count(429) == 20


def test_a_client_that_goes_while_it_waits_is_no_request(start, origin):
    server = origin(lambda r, c: "late")
    proxy = start(f"filters: {{ f: {{ rate-limit: {{ rate: 1/m, delay: 60s }} }} }}\n"
                  f"access-log: {{ format: json }}\n"
                  f"sites: {{ a.example: {{ use: f, to: '{server.url}' }} }}\n")
    assert proxy.get(host="a.example").status == 200
    with proxy.connect() as client:
        client.send(b"GET /gone HTTP/1.1\r\nHost: a.example\r\n\r\n")
        client.reset()
    assert "client-gone" in proxy.wait_line(".*/gone.*", proxy.out)[0]


def test_a_dry_run_tells_what_it_would_do(start):
    proxy = start("access-log: { format: json }\n" + LIMITED.format("{ rate: 1/d, dry-run: yes }"))
    assert counts(proxy, 3) == {200: 3}
    assert "would have denied" in proxy.wait_line(".*would have denied.*", proxy.out)[0]
