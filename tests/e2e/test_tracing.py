# SPDX-License-Identifier: Apache-2.0
"""Traces: context goes on to servers, and spans reach a collector in OpenTelemetry's shape."""
import http.client
import json
import re
import signal
import socket
import threading
import time

import jsonschema
import pytest

from certificates import Authority
from harness import PATIENCE, Origin, ok, run, wait_until
from test_metrics import ask, value
from test_tls_servers import TlsOrigin

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
HEX = {n: {"type": "string", "pattern": f"^(?!0*$)[0-9a-f]{{{n}}}$"} for n in (16, 32)}
NANOS = {"type": "string", "pattern": "^[1-9][0-9]{18}$"}
ATTRIBUTES = {"type": "array", "items": {
    "type": "object", "required": ["key", "value"], "additionalProperties": False, "properties": {
        "key": {"type": "string", "pattern": "^[a-z][a-z._]+$"},
        "value": {"oneOf": [
            {"type": "object", "required": ["stringValue"], "additionalProperties": False,
             "properties": {"stringValue": {"type": "string"}}},
            {"type": "object", "required": ["intValue"], "additionalProperties": False,
             "properties": {"intValue": {"type": "string", "pattern": "^[0-9]+$"}}}]}}}}


def one(name, value, *more):
    """An object with a list of one item under a name."""
    return {"type": "object", "required": [name, *more],
            "properties": {name: {"type": "array", "minItems": 1, "items": value}}}


# opentelemetry-proto 1.x, in the JSON of OTLP.
SHAPE = one("resourceSpans", {**one("scopeSpans", {**one("spans", {
    "type": "object", "additionalProperties": False,
    "required": ["traceId", "spanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano"],
    "properties": {"traceId": HEX[32], "spanId": HEX[16], "parentSpanId": HEX[16],
                   "name": {"type": "string", "minLength": 1}, "kind": {"enum": [2, 3]},
                   "startTimeUnixNano": NANOS, "endTimeUnixNano": NANOS, "attributes": ATTRIBUTES,
                   "status": {"type": "object", "additionalProperties": False,
                              "properties": {"code": {"const": 2}}}}})})})


class Collector(TlsOrigin):
    """Takes spans; statuses: what its first answers are. Without a certificate it speaks plain."""

    def __init__(self, cert=None, statuses=()):
        self.is_plain = cert is None
        self.statuses = list(statuses)
        self.refused = []
        self.asked_at = []
        self.tokens = set()
        self.spans = []
        super().__init__(self.take, cert)
        if self.is_plain:
            self.url = self.url.replace("https://", "http://")

    def _serve(self, sock):
        (Origin if self.is_plain else TlsOrigin)._serve(self, sock)

    def take(self, request, conn):
        self.asked_at.append(time.monotonic())
        self.tokens.add(request.get("Authorization"))
        assert (request.method, request.target) == ("POST", "/v1/traces")
        assert request.get("Content-Type") == "application/json"
        batch = json.loads(request.body)
        jsonschema.validate(batch, SHAPE)
        [resource] = batch["resourceSpans"]
        assert flat(resource["resource"])["service.name"] == "edge"
        if self.statuses:
            status = self.statuses.pop(0)
            self.refused.append(status)
            more = "Retry-After: 2\r\n" if status == 429 else ""
            return ok("", more, status=f"{status} No")
        self.spans += resource["scopeSpans"][0]["spans"]
        return ok("{}")

    def wait(self, path):
        """The span of the request for a path."""
        def find():
            return [s for s in self.spans if flat(s).get("url.path") == path]
        [span] = wait_until(find, f"the span of {path}")
        return span

    def below(self, span, n):
        """The spans of so many tries at servers, in their order."""
        def find():
            found = [s for s in self.spans if s.get("parentSpanId") == span["spanId"]]
            return found if len(found) >= n else None
        tries = wait_until(find, f"{n} tries")
        assert len(tries) == n and {s["kind"] for s in tries} == {3}
        assert {s["traceId"] for s in tries} == {span["traceId"]}
        return tries


def flat(item):
    return {a["key"]: next(iter(a["value"].values())) for a in item["attributes"]}


def settings(server, to, more="", services=""):
    return f"""
tracing: {{ to: "{to}", name: edge, {more} }}
sites: {{ a.example: "{server.url}", gone.example: "http://127.0.0.1:1" }}
access-log: {{ format: "TRACE {{path}} {{trace-id}}" }}
metrics: "127.0.0.1:0"
entrypoints: {{ web: "127.0.0.1:0" }}
{services}"""


def parent_of(request):
    [value] = [v for n, v in request.headers if n.lower() == "traceparent"]
    m = re.fullmatch("00-([0-9a-f]{32})-([0-9a-f]{16})-(0[01])", value)
    return m[1], m[2], m[3] == "01"


@pytest.fixture
def collector():
    running = []

    def go(*args, **kwargs):
        running.append(Collector(*args, **kwargs))
        return running[-1]

    yield go
    for server in running:
        server.stop()


def test_a_trace_begins_here_and_goes_on_to_the_server(start, origin, collector):
    server, to = origin(), collector()
    proxy = start(settings(server, to.url))
    # Strangers decide nothing, not even by a flag.
    ask(proxy.port, "a.example", "/new", traceparent=f"00-{TRACE}-{SPAN}-01", tracestate="a=1",
        **{"User-Agent": 'a"b'})
    request = server.next_request()
    trace, span, is_sampled = parent_of(request)
    assert trace != TRACE and is_sampled and request.get("tracestate") is None
    told = to.wait("/new")
    assert (told["traceId"], told["name"], told["kind"]) == (trace, "GET", 2)
    assert "parentSpanId" not in told and told["status"] == {}
    [asked] = to.below(told, 1)
    assert (asked["spanId"], asked["name"], asked["status"]) == (span, "GET", {})
    assert flat(asked) == {"http.request.method": "GET", "http.response.status_code": "200",
                           "server.address": "127.0.0.1", "server.port": str(server.port),
                           "sallyport.service": server.url}
    begins, ends = ("startTimeUnixNano", "endTimeUnixNano")
    assert int(told[begins]) <= int(asked[begins]) <= int(asked[ends]) <= int(told[ends])
    assert int(told["startTimeUnixNano"]) <= int(told["endTimeUnixNano"])
    about = flat(told)
    assert about["http.request.method"] == "GET" and about["http.response.status_code"] == "200"
    assert about["server.address"] == "a.example" and about["client.address"] == "127.0.0.1"
    assert about["user_agent.original"] == 'a"b' and about["sallyport.route"] == "a.example"
    assert about["network.protocol.version"] == "1.1" and "url.query" not in about
    proxy.wait_line(f"^TRACE /new {trace}$", proxy.out)

    ask(proxy.port, "gone.example", "/bad?secret=1", method="BREW")
    told = to.wait("/bad")
    about = flat(told)
    assert told["status"] == {"code": 2} and about["error.type"] == "server-connect"
    assert about["http.request.method"] == "_OTHER"
    [asked] = to.below(told, 1)
    assert asked["status"] == {"code": 2} and flat(asked)["error.type"] == "server-connect"
    assert "http.response.status_code" not in flat(asked)
    wait_until(lambda: value(proxy, "sallyport_spans_total", result="sent") == 4, "the count")


def test_each_try_at_a_server_is_a_span_that_the_server_is_told(start, origin, collector):
    busy = origin(lambda request, conn: ok("no", status="503 Busy"))
    server, to = origin(), collector()
    proxy = start(f"""
tracing: {{ to: "{to.url}", name: edge }}
entrypoints: {{ web: "127.0.0.1:0" }}
sites: {{ a.example: app }}
services:
  app:
    servers: ["{busy.url}", "{server.url}"]
    balance: first
    tries: 2
    retries: {{ when: [503] }}
""")
    ask(proxy.port, "a.example", "/twice")
    first, second = to.below(to.wait("/twice"), 2)
    for told, asked, status in ((first, busy, "503"), (second, server, "200")):
        trace, span, is_sampled = parent_of(asked.next_request())
        assert (told["traceId"], told["spanId"], is_sampled) == (trace, span, True)
        assert flat(told)["server.port"] == str(asked.port)
        assert flat(told)["http.response.status_code"] == status
    assert first["status"] == {"code": 2} and flat(first)["error.type"] == "503"
    assert second["status"] == {} and flat(second)["http.request.resend_count"] == "1"
    assert "http.request.resend_count" not in flat(first)
    assert to.wait("/twice")["status"] == {}


# Fields; whether the trace goes on, is recorded, with which state.
CONTEXTS = [
    ({"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "a=1,b=2"}, True, True, "a=1,b=2"),
    ({"traceparent": f"00-{TRACE}-{SPAN}-00", "tracestate": "a=1"}, True, False, "a=1"),
    ({"traceparent": f"cc-{TRACE}-{SPAN}-01-later"}, True, True, None),
    ({"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "A=1"}, True, True, None),
    ({"traceparent": f"00-{TRACE.upper()}-{SPAN}-01", "tracestate": "a=1"}, False, True, None),
    ({"traceparent": f"ff-{TRACE}-{SPAN}-01"}, False, True, None),
    ({"tracestate": "a=1"}, False, True, None),
]


def test_the_context_of_those_who_are_believed_goes_on(start, origin, collector):
    server, to = origin(), collector()
    proxy = start(settings(server, to.url, "parents: all"))
    for i, (fields, is_taken, is_sampled, state) in enumerate(CONTEXTS):
        ask(proxy.port, "a.example", f"/{i}", **fields)
        request = server.next_request()
        trace, span, flag = parent_of(request)
        assert (trace == TRACE) == is_taken and span != SPAN and flag == is_sampled
        assert request.get("tracestate") == state
    to.wait(f"/{len(CONTEXTS) - 1}")  # in order: those before are there
    told = [(flat(s)["url.path"], s.get("parentSpanId")) for s in to.spans if s["kind"] == 2]
    assert told == [(f"/{i}", SPAN if is_taken else None)
                    for i, (_, is_taken, is_sampled, _) in enumerate(CONTEXTS) if is_sampled]


def test_what_is_not_sampled_is_passed_on_and_not_told(start, origin, collector):
    server, to = origin(), collector()
    proxy = start(settings(server, to.url, "sample: 0%"))
    ask(proxy.port, "a.example")
    assert not parent_of(server.next_request())[2]
    proxy.stop()  # which sends what waits
    assert to.requests == []


def test_a_collector_in_trouble_is_asked_again_and_one_that_refuses_is_not(start, origin, collector):
    """And later, where it says when; it gets the fields that it asks for, whose values are shown nowhere."""
    server, to = origin(), collector(statuses=[503, 429])
    proxy = start(settings(server, to.url, "headers: { Authorization: Bearer of-the-collector }"))
    ask(proxy.port, "a.example", "/late")
    to.wait("/late")
    assert to.refused == [503, 429]
    assert to.asked_at[2] - to.asked_at[1] >= 2
    assert to.tokens == {"Bearer of-the-collector"}
    told = run("print", "config", "-c", proxy.file).stdout
    assert "Authorization" in told and "of-the-collector" not in told
    to.statuses.append(400)
    ask(proxy.port, "a.example", "/lost")
    wait_until(lambda: value(proxy, "sallyport_spans_total", result="failed") == 2, "the refusal")
    assert value(proxy, "sallyport_spans_total", result="sent") == 2
    assert [flat(s)["url.path"] for s in to.spans if s["kind"] == 2] == ["/late"]


def test_spans_go_by_tls_and_before_the_end(start, origin, collector, tmp_path):
    ca = Authority(tmp_path / "ca")
    cert = ca.issue("collector.example")
    server, to = origin(), collector(cert)
    proxy = start(settings(server, "traces", services=f"""
services:
  traces: {{ servers: ["{to.url}"], tls: {{ ca: "{ca.file}", server-name: collector.example }} }}
"""))
    ask(proxy.port, "a.example", "/last")
    server.next_request()
    proxy.child.send_signal(signal.SIGTERM)
    to.wait("/last")


def is_refused(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_collector_that_does_not_answer_is_not_waited_for_at_the_end(start, origin):
    is_over = threading.Event()

    def hang(request, conn):
        assert is_over.wait(PATIENCE)
        conn.close()

    server, to = origin(), origin(hang)
    proxy = start(settings(server, to.url) + "\nworkers: 1\n")
    client = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=PATIENCE)
    for i in range(80):  # several batches
        client.request("GET", f"/{i:01000}", headers={"Host": "a.example", "User-Agent": "x" * 900})
        assert client.getresponse().read() == b"hello"
    client.close()
    to.next_request()
    proxy.child.send_signal(signal.SIGTERM)
    wait_until(lambda: is_refused(proxy.port), "the end's beginning")
    is_over.set()
    assert proxy.child.wait(PATIENCE) == 0
    assert len(to.requests) == 1  # and tries no other batch
