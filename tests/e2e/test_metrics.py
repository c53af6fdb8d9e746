# SPDX-License-Identifier: Apache-2.0
"""metrics@internal as Prometheus reads it."""
import gzip
import http.client
import re
import ssl

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse_text

from harness import PATIENCE, Origin, Proxy, run, wait_until

OPEN = "application/openmetrics-text; version=1.0.0"
# As Prometheus 2.45 asks.
PROMETHEUS = (OPEN + ";q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
              "text/plain;version=0.0.4;q=0.3,*/*;q=0.2")


def settings(url, more=""):
    return f"""
entrypoints:
  web: {{ listen: "127.0.0.1:0" }}
  secure: {{ listen: "127.0.0.1:0", tls: on }}
metrics: "127.0.0.1:0"
filters:
  fixed: {{ respond: {{ body: hello, status: 203 }} }}
  'odd "name" \\': {{ deny: [127.0.0.0/8] }}
sites:
  app.example: {{ to: "{url}", entrypoints: [web] }}
  hello.example: {{ use: [fixed], redirect-to-https: off }}
  shut.example: {{ use: ['odd "name" \\'], to: "{url}", entrypoints: [web] }}
  gone.example: {{ to: "http://127.0.0.1:1", entrypoints: [web] }}
  metrics.example: {{ to: metrics@internal, entrypoints: [web] }}
{more}"""


def ask(port, host, path="/", method="GET", tls=False, **headers):
    """Status, headers and body of one request on a connection of its own."""
    if tls:
        context = ssl._create_unverified_context()
        client = http.client.HTTPSConnection("127.0.0.1", port, timeout=PATIENCE, context=context)
    else:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    client.request(method, path, headers={"Host": host, **headers})
    answer = client.getresponse()
    body = answer.read()
    client.close()
    return answer.status, answer.headers, body


def scrape(proxy, accept=PROMETHEUS):
    status, headers, body = ask(proxy.ports["metrics"], "any", "/metrics", Accept=accept)
    assert status == 200
    return headers, body.decode()


def samples(proxy):
    """{(name, labels): value}; the parser has found it to be well-formed."""
    found = {}
    for family in parse_open(scrape(proxy)[1]):
        for s in family.samples:
            key = (s.name, tuple(sorted(s.labels.items())))
            assert key not in found
            found[key] = s.value
    return found


def value(proxy, name, **labels):
    """The sum over all series that have these labels."""
    return sum(v for (n, of), v in samples(proxy).items()
               if n == name and labels.items() <= dict(of).items())


@pytest.fixture(scope="module")
def server():
    running = Origin()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def proxy(server, tmp_path_factory):
    running = Proxy(tmp_path_factory.mktemp("metrics") / "proxy", settings(server.url), workers=2)
    yield running
    running.stop()


@pytest.mark.parametrize("accept, kind, parse", [
    ("", "text/plain; version=0.0.4; charset=utf-8", parse_text),
    ("text/plain", "text/plain; version=0.0.4; charset=utf-8", parse_text),
    (PROMETHEUS, OPEN + "; charset=utf-8", parse_open),
])
def test_both_formats_are_well_formed(proxy, accept, kind, parse):
    headers, text = scrape(proxy, accept)
    assert headers["Content-Type"] == kind and headers["Cache-Control"] == "no-store"
    families = list(parse(text))
    assert len({f.name for f in families}) == len(families) > 40
    for family in families:
        assert family.documentation.endswith(".") and family.type != "unknown", family.name
        series = [(s.name, tuple(sorted(s.labels.items()))) for s in family.samples]
        assert len(set(series)) == len(series), family.name
    described = re.findall(r"^# (HELP|TYPE) (\S+)", text, re.M)
    assert len(set(described)) == len(described) == 2 * len(families)
    assert text.endswith("# EOF\n") == (parse is parse_open)


def test_what_is_told_is_what_the_reference_lists(proxy):
    listed = dict(re.findall(r"^\| `(\w+)` \| (\w+)", run("print", "metrics", check=0).stdout, re.M))
    told = {f.name: f.type for f in parse_open(scrape(proxy)[1])}
    suffix = {"counter": "_total", "info": "_info"}
    assert listed == {name + suffix.get(kind, ""): kind for name, kind in told.items()}


def test_requests_are_counted_by_route_method_and_status(proxy):
    requests = [("app.example", "GET", "2xx"), ("app.example", "POST", "2xx"),
                ("app.example", "BREW", "2xx"), ("hello.example", "GET", "2xx"),
                ("gone.example", "GET", "5xx"), ("nobody.example", "GET", "4xx")]

    def counts():
        every = samples(proxy)
        return [sum(v for (n, of), v in every.items() if n == "sallyport_requests_total" and
                    {"route": host.replace("nobody.example", ""), "status": status,
                     "method": method.replace("BREW", "other")}.items() <= dict(of).items())
                for host, method, status in requests]

    before = counts()
    for i, (host, method, _) in enumerate(requests):
        for _ in range(i + 1):
            ask(proxy.port, host, method=method)
    wait_until(lambda: counts() == [n + i + 1 for i, n in enumerate(before)], "the counts")
    route = {"route": "app.example", "site": "app.example"}
    assert value(proxy, "sallyport_request_duration_seconds_count", **route) == 6 + sum(before[:3])
    assert value(proxy, "sallyport_request_bytes_total", **route) > 6 * 30
    assert value(proxy, "sallyport_response_bytes_total", **route) > 6 * 30
    assert value(proxy, "sallyport_server_up", service="http://127.0.0.1:1") == 0


def test_decisions_of_filters_are_counted(proxy):
    for _ in range(3):
        assert ask(proxy.port, "shut.example")[0] == 403
    assert ask(proxy.port, "hello.example")[0] == 203
    wait_until(lambda: value(proxy, "sallyport_filtered_requests_total",
                             filter='odd "name" \\', status="4xx") == 3, "what was denied")
    assert value(proxy, "sallyport_filtered_requests_total", filter="fixed", status="2xx") >= 1
    assert value(proxy, "sallyport_request_ends_total", end="filtered") >= 4


def test_refusals_have_their_reason(proxy):
    before = value(proxy, "sallyport_refused_requests_total", protocol="HTTP/1")
    with http.client.socket.create_connection(("127.0.0.1", proxy.port), PATIENCE) as client:
        client.sendall(b"GET / HTTP/1.1\nHost: a\n\n")
        assert b" 400 " in client.recv(100)
    wait_until(lambda: value(proxy, "sallyport_refused_requests_total",
                             protocol="HTTP/1") == before + 1, "the count")
    assert value(proxy, "sallyport_refused_requests_total", reason="bare-lf") >= 1


def test_handshakes_and_certificates_are_told(proxy):
    before = value(proxy, "sallyport_tls_handshakes_total", version="1.3")
    assert ask(proxy.ports["secure"], "hello.example", tls=True)[0] == 203
    wait_until(lambda: value(proxy, "sallyport_tls_handshakes_total",
                             version="1.3") == before + 1, "the count")
    expiry = value(proxy, "sallyport_certificate_not_after_timestamp_seconds",
                   certificate="hello.example", signer="local")
    assert expiry > value(proxy, "process_start_time_seconds")


def test_it_is_packed_for_those_who_take_it(proxy):
    _, headers, body = ask(proxy.ports["metrics"], "any", "/metrics", Accept=OPEN,
                           **{"Accept-Encoding": "gzip"})
    assert headers["Content-Encoding"] == "gzip" and "Accept-Encoding" in headers["Vary"]
    assert len(list(parse_open(gzip.decompress(body).decode()))) > 40


def test_nothing_else_is_there_and_others_are_refused(proxy, start, origin):
    assert ask(proxy.ports["metrics"], "app.example")[0] == 404
    assert ask(proxy.ports["metrics"], "any", "/metrics", "POST")[0] == 405
    status, _, body = ask(proxy.ports["metrics"], "any", "/metrics", "HEAD")
    assert (status, body) == (200, b"")
    assert ask(proxy.port, "any", "/metrics")[0] == 404
    assert b"sallyport_build_info" in ask(proxy.port, "metrics.example")[2]
    other = start('metrics: { listen: "127.0.0.1:0", from: [10.9.9.9] }\n')
    assert ask(other.ports["metrics"], "any", "/metrics")[0] == 403


def test_check_warns_of_metrics_that_strangers_can_read(tmp_path):
    """S4-18"""
    file = tmp_path / "sallyport.yaml"
    file.write_text("sites: { a.example: metrics@internal }\n")
    told = run("check", "--config", file, check=0).stderr
    assert re.search(r"sallyport.yaml:1:21: warning: whoever reaches the entrypoint 'web' can read "
                     r"'metrics@internal' by the route 'a.example'; put a filter", told)
    file.write_text("sites: { a.example: { use: [lan], to: metrics@internal } }\n"
                    "filters: { lan: { allow: [10.0.0.0/8] } }\n")
    assert "warning" not in run("check", "--config", file, check=0).stderr


def test_counters_go_on_over_reloads(server, start):
    proxy = start(settings(server.url), workers=2)
    for host in ("app.example", "hello.example"):
        ask(proxy.port, host)
    wait_until(lambda: value(proxy, "sallyport_requests_total", status="2xx", method="GET",
                             site="app.example") == 1, "the first count")
    before = samples(proxy)
    more = "  new.example: { use: [fixed], redirect-to-https: off }\n"
    assert proxy.try_reload(settings(server.url, more))
    assert not proxy.try_reload(settings(server.url, "  bad.example: nowhere\n"))
    ask(proxy.port, "app.example")
    ask(proxy.port, "new.example")
    wait_until(lambda: value(proxy, "sallyport_requests_total", site="app.example") == 2,
               "the second count")
    wait_until(lambda: value(proxy, "sallyport_requests_total", site="new.example") == 1,
               "the new site's count")
    after = samples(proxy)
    for (name, labels), n in before.items():
        if re.search(r"_(total|count|sum|bucket)$", name):
            assert after[name, labels] >= n, (name, labels)
    assert value(proxy, "sallyport_reloads_total", result="ok") == 2
    assert value(proxy, "sallyport_reloads_total", result="failed") == 1
    assert value(proxy, "sallyport_last_reload_ok") == 0
