# SPDX-License-Identifier: Apache-2.0
"""WebSockets with the `websockets` library at both ends."""
import asyncio
import threading

import pytest

websockets = pytest.importorskip("websockets")


class Server:
    """A WebSocket server in a thread of its own. What it sends back is what it gets; some texts
    are orders."""

    def __init__(self):
        self.ready = threading.Event()
        self.loop = asyncio.new_event_loop()
        self.closed = []
        self.headers = []
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        assert self.ready.wait(30)

    def _run(self):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._main())

    async def _main(self):
        self.ended = asyncio.Event()
        async with websockets.serve(self._serve, "127.0.0.1", 0, max_size=None,
                                    subprotocols=["chat"]) as server:
            self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            self.ready.set()
            await self.ended.wait()

    async def _serve(self, ws, *_):
        self.headers.append(dict(ws.request_headers))
        try:
            async for message in ws:
                if message == "close 4001":
                    await ws.close(4001, "as you wish")
                else:
                    await ws.send(message)
        except websockets.ConnectionClosed:
            pass
        self.closed.append((ws.close_code, ws.close_reason))

    def stop(self):
        self.loop.call_soon_threadsafe(self.ended.set)
        self.thread.join(30)


@pytest.fixture
def server():
    running = Server()
    yield running
    running.stop()


def site(server):
    return (f"sites: {{ test.example: '{server.url}' }}\n"
            "access-log: { format: '{path} {status} {end}' }")


def connect(proxy, path="/ws", **kwargs):
    return websockets.connect(f"ws://test.example{path}", host="127.0.0.1", port=proxy.port,
                              max_size=None, open_timeout=30, **kwargs)


def test_messages_of_all_sizes_go_both_ways(start, server):
    """S2-8: WebSocket applications work without a switch."""
    proxy = start(site(server))

    async def talk():
        async with connect(proxy, subprotocols=["chat"]) as ws:
            assert ws.subprotocol == "chat"
            for message in ("", "hello", "ä" * 1000, b"\0\xff" * 40000, b"x" * 5_000_000):
                await ws.send(message)
                assert await ws.recv() == message
            for i in range(300):
                await ws.send(str(i))
            assert [await ws.recv() for _ in range(300)] == [str(i) for i in range(300)]

    asyncio.run(talk())
    assert server.headers[0]["host"] == "test.example"
    assert server.headers[0]["x-forwarded-for"] == "127.0.0.1"
    proxy.log_lines("^/ws 101 ok$")


def test_pings_are_answered_by_the_other_end(start, server):
    proxy = start(site(server))

    async def talk():
        async with connect(proxy, ping_interval=None) as ws:
            for i in range(20):
                await asyncio.wait_for(await ws.ping(f"{i}"), 30)

    asyncio.run(talk())


def test_close_codes_reach_the_other_end(start, server):
    proxy = start(site(server))

    async def talk():
        async with connect(proxy) as ws:
            await ws.close(4321, "enough")
        async with connect(proxy) as ws:
            await ws.send("close 4001")
            with pytest.raises(websockets.ConnectionClosed):
                await ws.recv()
            assert (ws.close_code, ws.close_reason) == (4001, "as you wish")

    asyncio.run(talk())
    proxy.log_lines("^/ws 101 ok$", 2)
    assert server.closed[0] == (4321, "enough")


def test_a_refused_handshake_is_the_server_s_answer(start, server, origin):
    plain = origin(lambda r, c: b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
    proxy = start(f"sites: {{ test.example: '{plain.url}' }}")

    async def talk():
        with pytest.raises(websockets.InvalidStatusCode) as refused:
            async with connect(proxy):
                pass
        assert refused.value.status_code == 401

    asyncio.run(talk())


def test_connections_survive_reloads(start, server):
    """S2-8: open connections go on working across reloads."""
    proxy = start(site(server))

    async def talk():
        async with connect(proxy) as ws:
            for seq in (2, 3, 4):
                await asyncio.to_thread(proxy.reload, site(server) + f"\n# {seq}\n", seq)
                await ws.send(f"still {seq}")
                assert await ws.recv() == f"still {seq}"
            async with connect(proxy) as second:
                await second.send("new")
                assert await second.recv() == "new"

    asyncio.run(talk())


def test_fifty_at_once(start, server):
    proxy = start(site(server))

    async def one(n):
        async with connect(proxy, f"/{n}") as ws:
            for i in range(10):
                await ws.send(f"{n} {i}")
                assert await ws.recv() == f"{n} {i}"

    async def all_of_them():
        await asyncio.gather(*(one(n) for n in range(50)))

    asyncio.run(all_of_them())
    assert len(proxy.log_lines(r"^/\d+ 101 ok$", 50)) == 50
