# SPDX-License-Identifier: Apache-2.0
"""gRPC from end to end: python3-grpcio on both sides, through HTTP/2 with clients and with servers, both
plainly and over TLS, where ALPN has to choose it."""
import threading
import time
from concurrent import futures

import pytest
from certificates import Certificate
from harness import PATIENCE, wait_until

grpc = pytest.importorskip("grpc")


class Echo(grpc.GenericRpcHandler):
    """Takes bytes; each method is one kind of call."""

    def __init__(self):
        self.cancelled, self.go = threading.Event(), threading.Event()

    def service(self, details):
        name = details.method.rsplit("/", 1)[1]
        if name == "Nothing":
            return None
        return getattr(grpc, {"One": "unary_unary_rpc_method_handler",
                              "Slow": "unary_unary_rpc_method_handler",
                              "Fail": "unary_unary_rpc_method_handler",
                              "Many": "unary_stream_rpc_method_handler",
                              "Wait": "unary_stream_rpc_method_handler",
                              "Sum": "stream_unary_rpc_method_handler",
                              "Both": "stream_stream_rpc_method_handler"}[name])(
            getattr(self, name.lower()))

    def one(self, request, context):
        context.set_trailing_metadata((("x-end", "42"),))
        return b"echo:" + request

    def slow(self, request, context):
        self.go.wait(PATIENCE)
        return request

    def fail(self, request, context):
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not today")

    def many(self, request, context):
        for i in range(int(request)):
            yield b"%d" % i

    def wait(self, request, context):
        context.add_callback(self.cancelled.set)
        yield b"first"
        self.go.wait(PATIENCE)

    def sum(self, requests, context):
        return b"%d" % sum(len(piece) for piece in requests)

    def both(self, requests, context):
        for piece in requests:
            yield piece.upper()


@pytest.fixture(scope="module")
def cert(tmp_path_factory):
    return Certificate(tmp_path_factory.mktemp("cert"), ["127.0.0.1", "grpc.example"])


@pytest.fixture(params=["plain", "tls"])
def echo(request, cert):
    handler = Echo()
    server = grpc.server(futures.ThreadPoolExecutor(8), [handler])
    handler.cert = cert if request.param == "tls" else None
    if handler.cert:
        credentials = grpc.ssl_server_credentials([(cert.key_pem, cert.pem)])
        handler.port = server.add_secure_port("127.0.0.1:0", credentials)
    else:
        handler.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    handler.server = server
    yield handler
    handler.go.set()
    server.stop(0).wait(PATIENCE)


def open_plain(start, echo):
    proxy = start("entrypoints: { web: { listen: '127.0.0.1:0', h2c: yes } }\n"
                  f"routes:\n  - {{ match: PathPrefix(`/`), to: 'h2c://127.0.0.1:{echo.port}' }}\n")
    return proxy, grpc.insecure_channel(f"127.0.0.1:{proxy.port}", [("grpc.enable_http_proxy", 0)])


def open_tls(start, echo):
    file, key = echo.cert.file, echo.cert.key_file
    proxy = start(f"""
entrypoints:
  websecure: {{ listen: '127.0.0.1:0', tls: {{ certificates: [{{ cert: {file}, key: {key} }}] }} }}
services: {{ echo: {{ servers: ['https://127.0.0.1:{echo.port}'], tls: {{ ca: {file} }} }} }}
routes:
  - {{ match: PathPrefix(`/`), to: echo }}
""")
    made = grpc.secure_channel(f"127.0.0.1:{proxy.ports['websecure']}",
                               grpc.ssl_channel_credentials(echo.cert.pem),
                               [("grpc.enable_http_proxy", 0),
                                ("grpc.ssl_target_name_override", "grpc.example")])
    return proxy, made


@pytest.fixture
def channel(start, echo):
    proxy, made = open_tls(start, echo) if echo.cert else open_plain(start, echo)
    made.proxy = proxy
    yield made
    made.close()


def test_a_unary_call(channel):
    call = channel.unary_unary("/test.Echo/One")
    answer, told = call.with_call(b"hello", timeout=PATIENCE)
    assert answer == b"echo:hello"
    assert ("x-end", "42") in [tuple(pair) for pair in told.trailing_metadata()]
    assert call(b"x" * 3_000_000, timeout=PATIENCE)[5:] == b"x" * 3_000_000
    channel.proxy.log_lines('"POST /test.Echo/One HTTP/2.0" 200', 2)


def test_all_streamings(channel):
    many = channel.unary_stream("/test.Echo/Many")(b"500", timeout=PATIENCE)
    assert [int(piece) for piece in many] == list(range(500))
    total = channel.stream_unary("/test.Echo/Sum")(iter([b"x" * 1000] * 300), timeout=PATIENCE)
    assert total == b"300000"


def test_both_ways_without_delay(channel):
    """Each message is answered before the next one is sent: nothing waits in a buffer."""
    ready, pieces = threading.Semaphore(0), [b"one", b"two", b"three"]

    def send():
        for piece in pieces:
            yield piece
            assert ready.acquire(timeout=PATIENCE)

    got = []
    for piece in channel.stream_stream("/test.Echo/Both")(send(), timeout=PATIENCE):
        got.append(piece)
        ready.release()
    assert got == [b"ONE", b"TWO", b"THREE"]


def test_errors_of_the_server_come_through(channel):
    with pytest.raises(grpc.RpcError) as error:
        channel.unary_unary("/test.Echo/Fail")(b"", timeout=PATIENCE)
    assert error.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert error.value.details() == "not today"
    with pytest.raises(grpc.RpcError) as error:
        channel.unary_unary("/test.Echo/Nothing")(b"", timeout=PATIENCE)
    assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_deadlines_hold(channel):
    began = time.monotonic()
    with pytest.raises(grpc.RpcError) as error:
        channel.unary_unary("/test.Echo/Slow")(b"", timeout=0.5)
    assert error.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - began < PATIENCE / 2


def test_a_cancelled_call_reaches_the_server(channel, echo):
    call = channel.unary_stream("/test.Echo/Wait")(b"", timeout=PATIENCE)
    assert next(call) == b"first"
    call.cancel()
    assert echo.cancelled.wait(PATIENCE)


def test_a_server_that_is_gone_is_unavailable(channel, echo):
    """The proxy's own errors are gRPC's: 14 for a server that can't be reached."""
    assert channel.unary_unary("/test.Echo/One")(b"a", timeout=PATIENCE) == b"echo:a"
    echo.server.stop(0).wait(PATIENCE)

    def is_told():  # not by the first call, when the port went a moment after the connection
        with pytest.raises(grpc.RpcError) as error:
            channel.unary_unary("/test.Echo/One")(b"", timeout=PATIENCE)
        assert error.value.code() == grpc.StatusCode.UNAVAILABLE
        return "skipped" in "\n".join(channel.proxy.err)

    wait_until(is_told, "the log line")
