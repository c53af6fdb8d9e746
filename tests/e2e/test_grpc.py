# SPDX-License-Identifier: Apache-2.0
"""gRPC through the proxy: a server of grpcio behind it. The calls come over HTTP/1.1, chunk by chunk
with trailers, so that each message is seen when it comes; clients of grpcio are in
test_grpc_clients.py."""
import concurrent.futures
import struct
import threading

import grpc
import pytest

from harness import PATIENCE, is_refused

LOG = "access-log: { format: '{path} {status} {end} {end-detail}' }"


class Calls:
    """A server of grpcio; messages are bytes as they stand."""

    def __init__(self):
        self.cancelled, self.left_s = threading.Event(), []
        self.may_go, self.waiting = threading.Event(), threading.Event()
        handlers = {
            "Upper": grpc.unary_unary_rpc_method_handler(self.upper),
            "Count": grpc.unary_stream_rpc_method_handler(self.count),
            "Join": grpc.stream_unary_rpc_method_handler(self.join),
            "Echo": grpc.stream_stream_rpc_method_handler(self.echo),
            "Fail": grpc.unary_unary_rpc_method_handler(self.fail),
            "Wait": grpc.unary_unary_rpc_method_handler(self.wait),
        }
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
        self.server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("test.Calls", handlers),))
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()
        self.url = f"h2c://127.0.0.1:{self.port}"

    def upper(self, request, context):
        self.left_s.append(context.time_remaining())
        context.set_trailing_metadata((("x-sum", str(len(request))),))
        return request.upper()

    def count(self, request, context):
        for i in range(int(request)):
            yield b"%d" % i

    def join(self, requests, context):
        return b"+".join(requests)

    def echo(self, requests, context):
        for request in requests:
            yield b"got " + request

    def fail(self, request, context):
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no good")

    def wait(self, request, context):
        context.add_callback(self.cancelled.set)
        self.waiting.set()
        self.may_go.wait(PATIENCE)
        return b"late"

    def stop(self):
        self.may_go.set()
        self.server.stop(0).wait(PATIENCE)


@pytest.fixture
def calls():
    server = Calls()
    yield server
    server.stop()


def settings(url, service=""):
    return f"""
services: {{ app: {{ servers: ["{url}"], {service} }} }}
routes: [ {{ match: "PathPrefix(`/test.Calls`)", to: app }} ]
{LOG}
"""


def message(data):
    return b"\0" + struct.pack(">I", len(data)) + data


class Call:
    """One call as a client over HTTP/1.1 makes it."""

    def __init__(self, proxy, method, *fields):
        self.client = proxy.connect()
        self.client.send(f"POST /test.Calls/{method} HTTP/1.1\r\nHost: test.example\r\n"
                         "Content-Type: application/grpc\r\nTE: trailers\r\nConnection: TE\r\n"
                         + "".join(f"{field}\r\n" for field in fields)
                         + "Transfer-Encoding: chunked\r\n\r\n")
        self.buffer, self.trailers, self.is_ended = b"", {}, False

    def send(self, data):
        framed = message(data)
        self.client.send(b"%x\r\n%s\r\n" % (len(framed), framed))

    def end(self):
        self.client.send("0\r\n\r\n")

    def head(self):
        answer = self.client.read_head()
        self.status = answer.status
        self.fields = {name.lower(): value for name, value in answer.headers}
        self.is_ended = "transfer-encoding" not in self.fields
        return self

    def _more(self):
        size = int(self.client.read_until(b"\r\n"), 16)
        if size:
            self.buffer += self.client.read_exactly(size)
            assert self.client.read_exactly(2) == b"\r\n"
            return
        while (line := self.client.read_until(b"\r\n")) != b"\r\n":
            name, _, value = line.decode().partition(":")
            self.trailers[name.lower()] = value.strip()
        self.is_ended = True

    def read(self):
        """The next message; None at the end, with the trailers."""
        while not self.is_ended and (len(self.buffer) < 5 or
                                     len(self.buffer) < 5 + struct.unpack(">I", self.buffer[1:5])[0]):
            self._more()
        if not self.buffer:
            return None
        n = struct.unpack(">I", self.buffer[1:5])[0]
        piece, self.buffer = self.buffer[5:5 + n], self.buffer[5 + n:]
        return piece

    def code(self):
        """The call's code, wherever it stands."""
        return int((self.fields if "grpc-status" in self.fields else self.trailers)["grpc-status"])


def ask(proxy, method, data=b"x", *fields):
    call = Call(proxy, method, *fields)
    call.send(data)
    call.end()
    return call.head()


def test_a_unary_call_gets_its_answer_and_its_trailers(start, calls):
    proxy = start(settings(calls.url))
    call = ask(proxy, "Upper", b"hello")
    assert (call.status, call.read(), call.read()) == (200, b"HELLO", None)
    assert call.trailers["grpc-status"] == "0" and call.trailers["x-sum"] == "5"


def test_a_stream_of_the_server_arrives_message_by_message(start, calls):
    proxy = start(settings(calls.url))
    call = ask(proxy, "Count", b"100")
    got = []
    while (piece := call.read()) is not None:
        got.append(int(piece))
    assert got == list(range(100)) and call.code() == 0


def test_a_stream_of_the_client_is_joined(start, calls):
    proxy = start(settings(calls.url))
    call = Call(proxy, "Join")
    for i in range(20):
        call.send(b"%d" % i)
    call.end()
    assert call.head().read() == b"+".join(b"%d" % i for i in range(20))
    assert call.read() is None and call.code() == 0


def test_both_streams_flow_at_once(start, calls):
    proxy = start(settings(calls.url))
    call = Call(proxy, "Echo")
    call.send(b"0")
    call.head()
    assert call.read() == b"got 0"
    for i in range(1, 20):
        call.send(b"%d" % i)
        assert call.read() == b"got %d" % i
    call.end()
    assert call.read() is None and call.code() == 0


def test_an_error_of_the_server_is_passed_on(start, calls):
    call = ask(start(settings(calls.url)), "Fail")
    assert call.status == 200 and call.read() is None
    assert call.code() == grpc.StatusCode.INVALID_ARGUMENT.value[0]


def test_a_deadline_is_passed_on_and_bounds_the_call(start, calls):
    proxy = start(settings(calls.url))
    assert ask(proxy, "Upper", b"a", "grpc-timeout: 60S").read() == b"A"
    assert 30 < calls.left_s[0] <= 60
    call = ask(proxy, "Wait", b"x", "grpc-timeout: 300m")
    assert call.status == 200
    call.read()
    assert call.code() == grpc.StatusCode.DEADLINE_EXCEEDED.value[0]
    assert calls.cancelled.wait(PATIENCE)


def test_a_client_that_goes_cancels_the_call(start, calls):
    proxy = start(settings(calls.url))
    call = Call(proxy, "Wait")
    call.send(b"x")
    call.end()
    assert calls.waiting.wait(PATIENCE)
    call.client.reset()
    assert calls.cancelled.wait(PATIENCE)


@pytest.mark.parametrize("method,end,code", [
    ("Upper", "server-connect", grpc.StatusCode.UNAVAILABLE)])
def test_a_server_that_cant_be_reached_is_unavailable(start, calls, method, end, code):
    proxy = start(settings(calls.url, "connect-timeout: 1s"))
    calls.stop()
    assert is_refused(calls.port)
    call = ask(proxy, method)
    assert (call.status, call.code()) == (200, code.value[0])
    assert call.fields["content-type"] == "application/grpc"
    assert "502 Bad Gateway, request " in call.fields["grpc-message"]
    proxy.log_lines(f"/test.Calls/{method} 200 {end}")


def test_no_route_is_unimplemented(start, calls):
    proxy = start(settings(calls.url).replace("PathPrefix(`/test.Calls`)", "Path(`/x`)"))
    assert ask(proxy, "Upper").code() == grpc.StatusCode.UNIMPLEMENTED.value[0]


def test_a_server_of_http_1_is_no_server_for_grpc_and_the_log_says_so(start, origin, calls):
    server = origin()
    proxy = start(settings(server.url))
    assert ask(proxy, "Upper").code() == grpc.StatusCode.UNAVAILABLE.value[0]
    assert not server.requests
    proxy.log_lines("server-protocol .*gRPC needs HTTP/2.*h2c://")


def test_many_calls_share_a_connection(start, calls):
    proxy = start(settings(calls.url))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda i: ask(proxy, "Upper", b"m%d" % i).read(), range(100)))
    assert done == [b"M%d" % i for i in range(100)]
