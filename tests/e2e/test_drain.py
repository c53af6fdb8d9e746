# SPDX-License-Identifier: Apache-2.0
"""Connections leave without loss: at a stop, and when their entrypoint is removed.

What is lost is a request that was sent on a connection on which the proxy had said nothing of an end,
and that got no answer. A refused connection is none: the client goes elsewhere."""
import random
import socket
import threading
import time

import pytest

from harness import PATIENCE, Client, ok

BODY = "x" * 3000
REQUEST = b"GET /%d HTTP/1.1\r\nHost: test.example\r\n\r\n"


class Clients:
    """Threads that each ask again and again, on connections kept as long as the proxy keeps them."""

    def __init__(self, port, kinds):
        self.port, self.is_over = port, False
        self.lost, self.answered, self.refused = [], 0, 0
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.live, args=(kind, i), daemon=True)
                        for kind, n in kinds.items() for i in range(n)]
        for thread in self.threads:
            thread.start()

    def live(self, kind, seed):
        rand = random.Random(seed)
        while not self.is_over:
            try:
                began = time.monotonic()
                client = Client(self.port)
                client.began, client.is_heard, client.is_late = began, False, False
            except OSError:  # refused, or not heard any more
                with self.lock:
                    self.refused += 1
                return
            try:
                kind(self, client, rand)
            finally:
                client.close()

    def say(self, client, data):
        """Who was silent this long after connecting may be reset: a removed socket's last accepts
        are over 200 ms after it was told to refuse new ones, and that is to be refused."""
        client.send(data)
        client.is_late |= not client.is_heard and time.monotonic() - client.began > 0.1
        client.is_heard = True

    def lose(self, client, data, e):
        if isinstance(e, (ConnectionResetError, BrokenPipeError)) and client.is_late:
            return
        with self.lock:
            self.lost.append(f"{time.monotonic():.3f} {data[:30]!r}: {e!r}")

    def ask(self, client, data, n_answers=1):
        """True: the connection is kept."""
        try:
            self.say(client, data)
            for _ in range(n_answers):
                answer = client.read_answer()
                client.is_late = False
                assert answer.status == 200 and answer.text == BODY
                with self.lock:
                    self.answered += 1
                if answer.get("Connection") == "close":
                    # An orderly end: what we sent beyond it was visibly not served.
                    assert client.read_to_end() == b""
                    return False
        except (OSError, EOFError, AssertionError) as e:
            self.lose(client, data, e)
            return False
        return True

    def is_ended(self, client, is_new):
        """Whether the proxy has closed an idle connection: then nobody sends on it. One that waited
        to be accepted when the listening socket closed is reset, which is to be refused."""
        client.sock.setblocking(False)
        try:
            return client.sock.recv(1) == b""
        except BlockingIOError:
            return False
        except ConnectionResetError as e:
            if not is_new:
                self.lost.append(repr(e))
            return True
        finally:
            client.sock.settimeout(PATIENCE)

    def keeps(self, client, rand):
        is_new = True
        while (not self.is_over and not self.is_ended(client, is_new) and
               self.ask(client, REQUEST % 1)):
            is_new = False
            time.sleep(rand.random() * 0.02)

    def keeps_busy(self, client, rand):
        while not self.is_over and self.ask(client, REQUEST % 2):
            pass

    def comes_once(self, client, rand):
        self.ask(client, REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") % 3)

    def pipelines(self, client, rand):
        while not self.is_over and self.ask(client, REQUEST % 4 * 5, 5):
            pass

    def sends_in_pieces(self, client, rand):
        data = REQUEST % 5
        while not self.is_over:
            try:
                for at in range(0, len(data) - 4, 10):
                    self.say(client, data[at:min(at + 10, len(data) - 4)])
                    time.sleep(0.002)
            except OSError as e:
                self.lose(client, data, e)
                return
            if not self.ask(client, data[-4:]):
                return

    def uploads(self, client, rand):
        while not self.is_over:
            head = (b"POST /6 HTTP/1.1\r\nHost: test.example\r\nContent-Length: 20000\r\n"
                    b"Expect: 100-continue\r\n\r\n")
            try:
                self.say(client, head)
                if rand.random() < 0.5:
                    assert client.read_head().status == 100
                for _ in range(10):
                    client.send(b"u" * 2000)
                    time.sleep(0.002)
            except (OSError, EOFError) as e:
                self.lose(client, head, e)
                return
            if not self.ask(client, b""):
                return

    def end(self):
        self.is_over = True
        for thread in self.threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        assert self.lost == []


ALL = {Clients.keeps: 12, Clients.keeps_busy: 2, Clients.comes_once: 4, Clients.pipelines: 2,
       Clients.sends_in_pieces: 4, Clients.uploads: 4}


def answer(request, conn):
    if request.get("Expect"):
        conn.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        conn.read_request_body(request)
    time.sleep(random.random() * 0.01)
    return ok(BODY)


def wait_answers(clients, n):
    deadline = time.monotonic() + PATIENCE
    while clients.answered < n and time.monotonic() < deadline:
        time.sleep(0.01)
    assert clients.answered >= n and clients.lost == []


@pytest.mark.parametrize("round_", range(3))
def test_a_stop_loses_no_request_of_any_kind_of_client(start, origin, round_):
    proxy = start(f"sites: {{ test.example: '{origin(answer).url}' }}\ndrain-timeout: 20s\n", workers=2)
    clients = Clients(proxy.port, ALL)
    wait_answers(clients, 300)
    proxy.child.terminate()
    assert proxy.child.wait(PATIENCE) == 0
    clients.end()
    assert clients.refused == len(clients.threads)


def test_removing_an_entrypoint_loses_no_request_and_leaves_the_others_alone(start, origin):
    site = f"sites: {{ test.example: '{origin(answer).url}' }}\n"
    both = site + "entrypoints: { web: '127.0.0.1:0', other: '127.0.0.1:0' }\n"
    proxy = start(both, workers=2)
    stays = proxy.connect("web")
    stays.send(REQUEST % 0)
    assert stays.read_answer().text == BODY
    for seq in range(2, 8, 2):
        clients = Clients(proxy.ports["other"], ALL)
        wait_answers(clients, 200)
        proxy.reload(site + "entrypoints: { web: '127.0.0.1:0' }\n", seq)
        for thread in clients.threads:
            thread.join(PATIENCE)
        clients.end()
        assert clients.refused == len(clients.threads)
        proxy.reload(both, seq + 1)
    stays.send(REQUEST % 0)
    assert stays.read_answer().get("Connection") is None


def test_a_stop_serves_one_more_request_of_a_connection_that_was_idle(start, origin):
    proxy = start(f"sites: {{ test.example: '{origin().url}' }}\n")
    client = proxy.connect()
    assert client.exchange(REQUEST % 0).text == "hello"
    proxy.child.terminate()
    with pytest.raises(OSError):
        while True:  # until the stop has begun
            socket.create_connection(("127.0.0.1", proxy.port), 0.5).close()
    client.send(REQUEST % 0)
    last = client.read_answer()
    assert (last.text, last.get("Connection")) == ("hello", "close")
    client.send(REQUEST % 0)  # too late, and told so in an orderly way
    assert client.read_to_end() == b""
    client.close()
    assert proxy.child.wait(PATIENCE) == 0


def test_a_stop_does_not_wait_for_idle_connections(start, origin):
    proxy = start(f"sites: {{ test.example: '{origin().url}' }}\n")
    idle = [proxy.connect() for _ in range(20)]
    for client in idle:
        assert client.exchange(REQUEST % 0).text == "hello"
    began = time.monotonic()
    proxy.child.terminate()
    assert proxy.child.wait(PATIENCE) == 0
    assert time.monotonic() - began < 5  # of thirty for exchanges
    assert all(client.is_closed() for client in idle)
