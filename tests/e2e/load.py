#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A load of real clients that counts what is lost, and the servers behind the proxy.

A client follows HTTP: after `Connection: close`, or an orderly close between two requests, it
connects anew. Everything else that keeps an exchange from its right end is a loss: a connection
refused or reset, a close in the middle of an answer, a request without an answer, a wrong byte,
settings that were no longer in force when the request began. Each loss tells what and when.

Run as a program, this is the server: load.py [PORT WEBSOCKET-PORT]. It tells its ports in one line.
"""
import asyncio
import collections
import dataclasses
import hashlib
import random
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

import websockets

PATIENCE = 60  # seconds that one step may take before it is a loss
BLOCK = hashlib.shake_256(b"sallyport").digest(1 << 20)
HTTP_HOST, WS_HOST = "load.example", "ws.example"


def body_of(number, n):
    """n bytes that only this number has."""
    start = number * 7919 % len(BLOCK)
    block = BLOCK[start:] + BLOCK[:start]
    return (block * (n // len(block) + 1))[:n]


# --- the servers ---

class Backend:
    """The server as a process of its own: it can be killed, and started again on its ports."""

    def __init__(self):
        self.ports = []
        self.start()

    def start(self):
        args = [sys.executable, __file__, *map(str, self.ports)]
        self.process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        line = self.process.stdout.readline()
        assert line, "the server didn't start"
        self.ports = [int(port) for port in line.split()]
        self.url, self.ws_url = (f"http://127.0.0.1:{port}" for port in self.ports)

    def kill(self):
        self.process.kill()
        self.process.communicate()

    def sites(self, use="", words=""):
        """The two sites of the load, as lines of `sites`. words: more of each."""
        use = (f"use: {use}, " if use else "") + words
        return (f"  {HTTP_HOST}: {{ {use}to: '{self.url}' }}\n"
                f"  {WS_HOST}: {{ {use}to: '{self.ws_url}' }}\n")


async def read_head(reader):
    """The first line and the fields; None when nothing more comes."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head[:-4].split("\r\n")
    return first, {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}


async def read_body(reader, fields):
    if fields.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(fields.get("content-length", 0)))
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readuntil(b"\r\n")
    return body


async def answer_download(writer, number, n):
    """Odd numbers come in chunks."""
    data = body_of(number, n)
    if number % 2 == 0:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % n)
        writer.write(data)
        await writer.drain()
        return
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for at in range(0, n, 50_000):
        piece = data[at:at + 50_000]
        writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        await writer.drain()
    writer.write(b"0\r\n\r\n")


async def serve_http(reader, writer):
    """/down/NUMBER/BYTES, /up/NUMBER, /echo (an upgrade)."""
    try:
        while request := await read_head(reader):
            parts = request[0].split(" ")[1].strip("/").split("/")
            body = await read_body(reader, request[1])
            if parts[0] == "down":
                await answer_download(writer, int(parts[1]), int(parts[2]))
            elif parts[0] == "up":
                text = hashlib.sha256(body).hexdigest().encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
            else:
                writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                             b"Upgrade: echo\r\n\r\n")
                while data := await reader.read(65536):
                    writer.write(data)
                    await writer.drain()
                break
    except (OSError, EOFError):
        pass
    finally:
        writer.close()


async def serve_ws(ws, *_):
    try:
        async for message in ws:
            await ws.send(message)
    except websockets.ConnectionClosed:
        pass


async def serve(port=0, ws_port=0):
    http = await asyncio.start_server(serve_http, "127.0.0.1", port, limit=1 << 20, backlog=512)
    ws = await websockets.serve(serve_ws, "127.0.0.1", ws_port, max_size=None)
    print(http.sockets[0].getsockname()[1], ws.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # until our parent ends


# --- the clients ---

def request_for(number, n, fields=""):
    return f"GET /down/{number}/{n} HTTP/1.1\r\nHost: {HTTP_HOST}\r\n{fields}\r\n".encode()


class Wrong(Exception):
    """An answer that isn't the one asked for."""


@dataclasses.dataclass(eq=False)
class Flight:
    """An exchange under way, or a tunnel as long as it is open."""
    kind: str
    began: float
    is_idempotent: bool = True
    is_first: bool = True  # on its connection
    is_sent: bool = False
    n_received: int = 0
    turn: int = 0  # of the settings that were in force when it began
    cert: int = 0  # of the certificates that were
    why: str = ""  # it was lost
    ended: float = 0.0


class Wire:
    """A connection that is read strictly. A socket, not a stream: whether the peer has closed is
    asked of the kernel in the moment before a request is sent."""

    def __init__(self, loop, port, receive_bytes=0):
        self.loop, self.buffer, self.n_received = loop, b"", 0
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_bytes:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.address = ("127.0.0.1", port)
        self.n_requests = 0

    def der(self):
        """The certificate that it was shown, if it was shown one."""
        return None

    async def open(self):
        await self.loop.sock_connect(self.sock, self.address)

    def close(self):
        self.sock.close()

    def is_over(self):
        """Whether the peer closed it while it was idle."""
        if self.buffer:
            raise Wrong(f"bytes that nobody asked for: {self.buffer[:100]!r}")
        try:
            data = self.sock.recv(100, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        if data:
            raise Wrong(f"bytes that nobody asked for: {data!r}")
        return True

    async def send(self, data):
        await self.loop.sock_sendall(self.sock, data)

    async def more(self, at_most=65536):
        data = await self.loop.sock_recv(self.sock, at_most)
        if not data:
            raise EOFError("closed" if self.n_received == 0 else "closed in the middle")
        self.n_received += len(data)
        self.buffer += data

    async def read_until(self, mark):
        while mark not in self.buffer:
            await self.more()
        at = self.buffer.index(mark) + len(mark)
        piece, self.buffer = self.buffer[:at], self.buffer[at:]
        return piece

    async def read_exactly(self, n):
        while len(self.buffer) < n:
            await self.more()
        piece, self.buffer = self.buffer[:n], self.buffer[n:]
        return piece

    # What readers of streams are called there.
    readuntil, readexactly = read_until, read_exactly

    async def read_answer(self):
        """Status, fields, body."""
        first, fields = await read_head(self)
        status = int(first.split(" ")[1])
        return status, fields, b"" if status == 101 else await read_body(self, fields)


class TlsWire(Wire):
    """The same over TLS. The end of a connection is close_notify; any other is a cut, unless nothing
    was under way."""

    def __init__(self, loop, port, tls, receive_bytes=0, session=None):
        super().__init__(loop, port, receive_bytes)
        self.is_ragged = False  # ended without close_notify, between two exchanges
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = tls.wrap_bio(self.incoming, self.outgoing, server_hostname=HTTP_HOST,
                                session=session)

    def der(self):
        return None if self.tls.session_reused else self.tls.getpeercert(binary_form=True)

    async def _flush(self):
        if self.outgoing.pending:
            await self.loop.sock_sendall(self.sock, self.outgoing.read())

    async def _feed(self):
        data = await self.loop.sock_recv(self.sock, 65536)
        if not data:
            raise EOFError("closed without close_notify")
        self.incoming.write(data)

    async def open(self):
        await super().open()
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._flush()
                await self._feed()
        await self._flush()

    def is_over(self):
        if self.buffer:
            raise Wrong(f"bytes that nobody asked for: {self.buffer[:100]!r}")
        while True:
            try:
                data = self.tls.read(100)
                if data:
                    raise Wrong(f"bytes that nobody asked for: {data!r}")
                return True
            except ssl.SSLZeroReturnError:
                return True
            except ssl.SSLWantReadError:
                pass
            try:
                data = self.sock.recv(65536)
            except BlockingIOError:
                return False
            if not data:
                self.is_ragged = True
                return True
            self.incoming.write(data)  # tickets, or the end

    async def send(self, data):
        self.tls.write(data)
        await self._flush()

    async def more(self, at_most=65536):
        while True:
            try:
                data = self.tls.read(at_most)
                break
            except ssl.SSLZeroReturnError:
                data = b""
                break
            except ssl.SSLWantReadError:
                await self._feed()
        if not data:
            raise EOFError("closed" if self.n_received == 0 else "closed in the middle")
        self.n_received += len(data)
        self.buffer += data


class Load:
    """Clients in a thread of their own. kinds: how many there are of each. turn: answers to
    requests that begin from now on must have X-Turn of at least this, if they have one at all; an
    answer that ends its connection may come from a gate that is leaving. tls: (port, context) for
    those that speak it. certs, cert: the certificates as DER, in order, and which of them, or a
    later one, handshakes that begin from now on must be shown."""

    KINDS = {"keep": 6, "fresh": 3, "post": 2, "slow": 3, "pair": 2, "trickle": 1, "ws": 3,
             "echo": 2}
    TLS_KINDS = {"tls_keep": 4, "tls_fresh": 3, "tls_post": 2, "tls_slow": 2, "wss": 3, "keep": 2,
                 "ws": 1}
    TUNNELS = ("ws", "wss", "echo")
    SLOW_BYTES, SLOW_RATE = 400_000, 150_000  # per second
    BODY_MAX = 200_000

    def __init__(self, port, kinds=None, slow_bytes=SLOW_BYTES, body_max=BODY_MAX, tls=None):
        default = self.TLS_KINDS if tls else self.KINDS
        self.port, self.kinds = port, dict(default if kinds is None else kinds)
        self.tls_port, self.tls = tls or (0, None)
        self.certs, self.cert, self.n_resumed, self.session = [], 0, 0, None
        self.n_ragged = 0  # connections of TLS that ended between two exchanges without close_notify
        self.slow_bytes, self.body_max = slow_bytes, body_max
        self.done, self.lost, self.flights = collections.Counter(), [], set()
        self.reconnects = self.refused = self.last_answers = 0
        self.is_leaving = False  # the proxy was told to stop: a connection refused is no loss
        self.turn, self.marks = 0, []
        self.began = time.monotonic()
        self.is_stopping = False
        self.thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    # Called from other threads.

    def start(self):
        self.thread.start()
        deadline = time.monotonic() + PATIENCE
        while any(self.done[kind] == 0 for kind in self.kinds if "slow" not in kind):
            assert time.monotonic() < deadline, f"the load doesn't come up: {self}\n{self.told()}"
            time.sleep(0.01)
        return self

    def stop(self):
        """Lets what is under way finish."""
        self.is_stopping = True
        self.thread.join(2 * PATIENCE)
        assert not self.thread.is_alive(), f"the load doesn't end: {self.flights}"
        return self

    def mark(self, text):
        """Notes an event; a loss tells which one was last."""
        self.marks.append((time.monotonic(), text))

    def told(self, losses=None):
        """What was lost, as text."""
        losses = self.lost if losses is None else losses
        lines = [self._tell(flight) for flight in losses[:15]]
        return "\n".join([f"{len(losses)} lost", *lines])

    def _tell(self, f):
        last = max((m for m in self.marks if m[0] <= f.ended), default=(self.began, "the start"))
        where = "the first request" if f.is_first else "a later request"
        return (f"{f.kind} at {f.ended - self.began:.3f} s, {f.ended - last[0]:.3f} s after "
                f"{last[1]}, begun {f.ended - f.began:.3f} s before: {f.why}; {where} of its "
                f"connection, {'' if f.is_sent else 'not '}sent, {f.n_received} bytes came, "
                f"{'' if f.is_idempotent else 'not '}repeatable")

    def check(self):
        """Nothing was lost, and every kind of client did something."""
        assert not self.lost, self.told()
        idle = [kind for kind in self.kinds if self.done[kind] == 0]
        assert not idle, f"these did nothing: {idle}"

    def __str__(self):
        return (f"{sum(self.done.values())} exchanges {dict(self.done)}, {len(self.lost)} lost, "
                f"{self.reconnects} orderly reconnects")

    # In the load's thread.

    async def _run(self):
        self.loop = asyncio.get_running_loop()
        clients = [getattr(self, f"_{kind.removeprefix('tls_')}")(random.Random(f"{kind}{i}"), kind)
                   for kind, n in self.kinds.items() for i in range(n)]
        await asyncio.gather(*clients)

    async def _lose(self, flight, error):
        flight.why = repr(error) if str(error) else type(error).__name__
        flight.ended = time.monotonic()
        # The listening socket may close while a connection stands, but connect() hasn't told yet.
        is_cut_early = isinstance(error, ConnectionResetError) and flight.is_first and not flight.is_sent
        is_refused = isinstance(error, ConnectionRefusedError) or (self.is_leaving and is_cut_early)
        self.refused += is_refused
        if not (is_refused and self.is_leaving):
            self.lost.append(flight)
        await asyncio.sleep(0.02)  # no storm while something is down

    def _new_wire(self, kind, receive_bytes=0):
        """Those of TLS resume the last session that was given, if a client of kind "tls_fresh"."""
        if not kind.startswith("tls_"):
            return Wire(self.loop, self.port, receive_bytes)
        session = self.session if kind == "tls_fresh" else None
        return TlsWire(self.loop, self.tls_port, self.tls, receive_bytes, session)

    def _judge_cert(self, flight, wire):
        der = wire.der()
        if der and self.certs and self.certs.index(der) < flight.cert:
            raise Wrong(f"certificate {self.certs.index(der)} when {flight.cert} was in force")

    async def _exchange(self, kind, wire, work, is_idempotent=True, receive_bytes=0):
        """One exchange on the wire, or on a new one if that is over. work(wire, flight) sends,
        checks and says whether the connection may be used again. Gives the wire for the next one,
        or None."""
        flight = Flight(kind, time.monotonic(), is_idempotent, turn=self.turn, cert=self.cert)
        self.flights.add(flight)
        try:
            if wire and wire.is_over():
                wire.close()
                self.n_ragged += getattr(wire, "is_ragged", False)
                wire, self.reconnects = None, self.reconnects + 1
            if not wire:
                wire = self._new_wire(kind, receive_bytes)
                async with asyncio.timeout(PATIENCE):
                    await wire.open()
                self._judge_cert(flight, wire)
            flight.is_first, wire.n_received = wire.n_requests == 0, 0
            wire.n_requests += 1
            async with asyncio.timeout(PATIENCE):
                is_kept = await work(wire, flight)
            self.done[kind] += 1
        except (OSError, EOFError, ValueError, TypeError, TimeoutError, Wrong) as error:
            is_kept = False
            flight.n_received = wire.n_received if wire else 0
            await self._lose(flight, error)
        finally:
            self.flights.discard(flight)
        if is_kept:
            return wire
        if wire:
            wire.close()
        return None

    def _judge(self, flight, answer, expected):
        """Whether the connection goes on. Raises Wrong."""
        status, fields, body = answer
        is_last = fields.get("connection", "").lower() == "close"
        self.last_answers += is_last
        if status != 200:
            raise Wrong(f"status {status}")
        if body != expected:
            raise Wrong(f"a wrong byte among {len(body)}, {len(expected)} expected")
        turn = int(fields.get("x-turn", flight.turn))
        if turn < flight.turn and not is_last:
            raise Wrong(f"settings {turn} when {flight.turn} were in force")
        return not is_last

    async def _get(self, wire, flight, number, n, fields=""):
        await wire.send(request_for(number, n, fields))
        flight.is_sent = True
        return self._judge(flight, await wire.read_answer(), body_of(number, n))

    async def _keep(self, rng, kind):
        wire = None
        while not self.is_stopping:
            number, n = rng.randrange(1 << 20), rng.choice((0, 100, 3000, 40_000))
            wire = await self._exchange(kind, wire, lambda w, f: self._get(w, f, number, n))
            await asyncio.sleep(rng.random() * 0.02)
        if wire:
            wire.close()

    async def _fresh(self, rng, kind):
        while not self.is_stopping:
            number = rng.randrange(1 << 20)
            fields = rng.choice(("", "Connection: close\r\n"))
            wire = await self._exchange(kind, None, lambda w, f: self._get_fresh(w, f, number, fields))
            if wire:
                wire.close()
            await asyncio.sleep(rng.random() * 0.02)

    async def _get_fresh(self, wire, flight, number, fields):
        is_kept = await self._get(wire, flight, number, 500, fields)
        if isinstance(wire, TlsWire):
            self.n_resumed += wire.tls.session_reused
            self.session = wire.tls.session
        return is_kept

    async def _post(self, rng, kind):
        wire = None
        while not self.is_stopping:
            number, n = rng.randrange(1 << 20), rng.randrange(self.body_max)
            wire = await self._exchange(kind, wire, lambda w, f: self._put(w, f, number, n),
                                        is_idempotent=False)
            await asyncio.sleep(rng.random() * 0.02)
        if wire:
            wire.close()

    async def _put(self, wire, flight, number, n):
        """Odd numbers go in chunks. The body comes in pieces with pauses between them."""
        data, is_chunked = body_of(number, n), number % 2
        framing = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {n}"
        head = f"POST /up/{number} HTTP/1.1\r\nHost: {HTTP_HOST}\r\n{framing}\r\n\r\n".encode()
        await wire.send(head)
        flight.is_sent = True
        for at in range(0, n, 64_000):
            piece = data[at:at + 64_000]
            await wire.send(b"%x\r\n%s\r\n" % (len(piece), piece) if is_chunked else piece)
            await asyncio.sleep(0.005)
        if is_chunked:
            await wire.send(b"0\r\n\r\n")
        expected = hashlib.sha256(data).hexdigest().encode()
        return self._judge(flight, await wire.read_answer(), expected)

    async def _slow(self, rng, kind):
        """Takes its bytes in sips, through a small window."""
        async def sip(wire, flight):
            await wire.send(request_for(number, n))
            flight.is_sent = True
            while wire.n_received < n:
                await wire.more(8192)
                await asyncio.sleep(8192 / self.SLOW_RATE)
            return self._judge(flight, await wire.read_answer(), body_of(number, n))

        wire = None
        while not self.is_stopping:
            number, n = rng.randrange(1 << 20), self.slow_bytes + rng.randrange(1000)
            wire = await self._exchange(kind, wire, sip, receive_bytes=16384)
        if wire:
            wire.close()

    async def _trickle(self, rng, kind):
        """Sends its request a few bytes at a time."""
        async def drip(wire, flight):
            request = request_for(number, 5000, "X-Slow: yes\r\n")
            for at in range(0, len(request), 10):
                await wire.send(request[at:at + 10])
                flight.is_sent = True
                await asyncio.sleep(0.05)
            return self._judge(flight, await wire.read_answer(), body_of(number, 5000))

        wire = None
        while not self.is_stopping:
            number = rng.randrange(1 << 20)
            wire = await self._exchange(kind, wire, drip)
        if wire:
            wire.close()

    async def _pair(self, rng, kind):
        """Two requests in one write. An answer that ends the connection leaves the second one
        unserved, which its client may send again."""
        async def both(wire, flight):
            numbers = [rng.randrange(1 << 20) for _ in range(2)]
            await wire.send(b"".join(request_for(number, 700) for number in numbers))
            flight.is_sent, flight.turn = True, 0  # a gate that leaves says so in the last answer
            for number in numbers:
                answer = await wire.read_answer()
                if not self._judge(flight, answer, body_of(number, 700)):
                    return False
            return True

        wire = None
        while not self.is_stopping:
            wire = await self._exchange(kind, wire, both)
            await asyncio.sleep(rng.random() * 0.04)
        if wire:
            wire.close()

    async def _echo(self, rng, kind):
        """An upgraded connection that stays open."""
        async def stay(wire, flight):
            await wire.send(f"GET /echo HTTP/1.1\r\nHost: {HTTP_HOST}\r\nConnection: Upgrade\r\n"
                            "Upgrade: echo\r\n\r\n".encode())
            flight.is_sent = True
            status = (await wire.read_answer())[0]
            if status != 101:
                raise Wrong(f"status {status}")
            while not self.is_stopping:
                data = body_of(rng.randrange(1 << 20), rng.randrange(1, 5000))
                async with asyncio.timeout(PATIENCE):
                    await wire.send(data)
                    if await wire.read_exactly(len(data)) != data:
                        raise Wrong("a wrong byte in an echo")
                self.done[kind] += 1
                await asyncio.sleep(rng.random() * 0.05)
            return False

        await self._tunnels(kind, stay)

    async def _tunnels(self, kind, stay):
        """Opens a tunnel again and again; as a flight it lives as long as it is open."""
        while not self.is_stopping:
            flight = Flight(kind, time.monotonic(), is_idempotent=False)
            wire = Wire(self.loop, self.tls_port if kind == "wss" else self.port)
            self.flights.add(flight)
            try:
                await wire.open()
                await stay(wire, flight)
            except (OSError, EOFError, ValueError, TypeError, TimeoutError, Wrong,
                    websockets.WebSocketException) as error:
                flight.n_received = wire.n_received
                await self._lose(flight, error)
            finally:
                self.flights.discard(flight)
                wire.close()

    async def _ws(self, rng, kind):
        """A WebSocket that stays open."""
        tls = {"ssl": self.tls, "server_hostname": WS_HOST} if kind == "wss" else {}

        async def stay(wire, flight):
            ws = await websockets.connect(f"{kind}://{WS_HOST}/", sock=wire.sock, max_size=None,
                                          open_timeout=PATIENCE, close_timeout=PATIENCE, **tls)
            flight.is_sent = True
            while not self.is_stopping:
                data = body_of(rng.randrange(1 << 20), rng.randrange(1, 5000))
                async with asyncio.timeout(PATIENCE):
                    await ws.send(data)
                    if await ws.recv() != data:
                        raise Wrong("a wrong byte in a WebSocket's message")
                self.done[kind] += 1
                await asyncio.sleep(rng.random() * 0.05)
            await ws.close()
            if ws.close_code != 1000:
                raise Wrong(f"the WebSocket was closed with {ws.close_code}")

        await self._tunnels(kind, stay)

    async def _wss(self, rng, kind):
        await self._ws(rng, kind)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(serve(*map(int, sys.argv[1:])))
