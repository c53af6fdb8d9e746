# SPDX-License-Identifier: Apache-2.0
"""dns-01 by dynamic update: src/acme/dns_* against a name server of dnspython's, and as a solver for
pebble."""
import base64
import socket
import struct
import threading

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.tsig
import pytest

from authority import Driver, Pebble, make_key
from harness import PATIENCE

SECRET = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
ZONE = dns.name.from_text("example.com")
NAME, VALUE = "_acme-challenge.www.example.com", "a" * 43


def both_sockets():
    """TCP and UDP on one port of the kernel's."""
    while True:
        tcp = socket.create_server(("127.0.0.1", 0))
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            udp.bind(tcp.getsockname())
            return tcp, udp
        except OSError:  # somebody else's
            tcp.close()
            udp.close()


class NameServer:
    """Authoritative for example.com, with dynamic updates signed by the key "k"; it answers all
    other names with an address."""

    def __init__(self, algorithm="hmac-sha256", secret=SECRET, behave=None):
        self.key = dns.tsig.Key("k", secret, algorithm)
        self.txt = {}
        self.updates = []
        self.behave = behave or (lambda wire, by_tcp: wire)
        self.tcp, self.udp = both_sockets()
        self.address = "127.0.0.1:%d" % self.udp.getsockname()[1]
        for run in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=run, daemon=True).start()

    def _serve_udp(self):
        while True:
            try:
                wire, peer = self.udp.recvfrom(65535)
            except OSError:
                return
            if not wire:  # shut down
                return
            answer = self.behave(self._answer(wire), False)
            if answer:
                self.udp.sendto(answer, peer)

    def _serve_tcp(self):
        while True:
            try:
                conn, _ = self.tcp.accept()
            except OSError:
                return
            with conn, conn.makefile("rb") as stream:
                size = struct.unpack("!H", stream.read(2))[0]
                answer = self.behave(self._answer(stream.read(size)), True)
                if answer:
                    conn.sendall(struct.pack("!H", len(answer)) + answer)

    def _answer(self, wire):
        try:
            query = dns.message.from_wire(wire, keyring={self.key.name: self.key})
        except (dns.tsig.BadSignature, dns.message.UnknownTSIGKey):
            # RFC 8945 5.2: NOTAUTH, unsigned.
            return wire[:2] + struct.pack("!HHHHH", 0xa800 | dns.rcode.NOTAUTH, 0, 0, 0, 0)
        answer = dns.message.make_response(query)
        if query.opcode() == dns.opcode.UPDATE:
            self._update(query, answer)
        else:
            self._look_up(query.question[0], answer)
        return answer.to_wire()

    def _update(self, query, answer):
        if not query.had_tsig:
            answer.set_rcode(dns.rcode.REFUSED)
            return
        if query.zone[0].name != ZONE:
            answer.set_rcode(dns.rcode.NOTAUTH)
            return
        for rrset in query.update:
            name = rrset.name.to_text().rstrip(".")
            value = rrset[0].strings[0].decode()
            removes = rrset.deleting == dns.rdataclass.NONE
            self.updates.append(("remove" if removes else "add", name, value))
            held = self.txt.setdefault(name, [])
            held.remove(value) if removes else held.append(value)

    def _look_up(self, question, answer):
        name = question.name.to_text().rstrip(".")
        answer.flags |= dns.flags.AA
        kind = dns.rdatatype.to_text(question.rdtype)
        found = {"A": [] if name.startswith("_") else ["127.0.0.1"],
                 "NS": ["ns1.example.com."] if question.name == ZONE else [],
                 "TXT": self.txt.get(name, [])}.get(kind, [])
        if kind == "CNAME" and name == "_acme-challenge.alias.test":
            found = [NAME + "."]
        if found:
            answer.answer.append(dns.rrset.from_text_list(question.name, 60, "IN", kind, found))
        elif question.name.is_subdomain(ZONE):
            answer.authority.append(dns.rrset.from_text(
                ZONE, 60, "IN", "SOA", "ns1.example.com. root.example.com. 1 60 60 60 60"))

    def stop(self):
        for sock in (self.udp, self.tcp):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()


@pytest.fixture
def server():
    running = []

    def go(*args, **kwargs):
        running.append(NameServer(*args, **kwargs))
        return running[-1]

    yield go
    for one in running:
        one.stop()


@pytest.fixture
def driver():
    client = Driver()
    yield client
    client.stop()


def update(driver, server, **values):
    values = {"server": server.address, "key_name": "k", "secret": SECRET, "name": NAME,
              "algorithm": "hmac-sha256", "value": VALUE, **values}
    result = driver.call("dns-update", **values)
    return result["err"], result["why"]


@pytest.mark.parametrize("tcp", [False, True])
@pytest.mark.parametrize("algorithm", ["hmac-sha256", "hmac-sha384", "hmac-sha512"])
def test_a_record_is_put_in_and_taken_out(driver, server, algorithm, tcp):
    zone = server(algorithm)
    assert update(driver, zone, algorithm=algorithm, tcp=tcp)[0] == "ok"
    assert update(driver, zone, algorithm=algorithm, tcp=tcp, value="b" * 43)[0] == "ok"
    assert zone.txt[NAME] == [VALUE, "b" * 43]
    assert update(driver, zone, algorithm=algorithm, tcp=tcp, remove=True)[0] == "ok"
    assert zone.txt[NAME] == ["b" * 43]


def test_the_zone_may_be_given(driver, server):
    assert update(driver, server(), zone="example.com")[0] == "ok"
    err, why = update(driver, server(), zone="www.example.com")
    assert err == "nothing can serve this now" and "NOTAUTH" in why


def test_a_key_that_the_server_does_not_have_is_told(driver, server):
    err, why = update(driver, server(secret=base64.b64encode(b"x" * 32).decode()))
    assert err == "nothing can serve this now" and "NOTAUTH" in why
    err, why = update(driver, server(), key_name="other")
    assert "NOTAUTH" in why


def test_without_a_key_an_update_is_refused_by_the_server(driver, server):
    err, why = update(driver, server(), key_name="")
    assert "REFUSED" in why


def test_a_secret_that_is_not_base64_is_told(driver, server):
    err, why = update(driver, server(), secret="$$$")
    assert err == "the text is malformed" and "base64" in why


def unsigned(wire, _):
    return wire[:2] + b"\xa8\0" + b"\0" * 8


def flipped(wire, _):
    """Another byte in the signature."""
    return wire[:-20] + bytes([wire[-20] ^ 1]) + wire[-19:]


@pytest.mark.parametrize("forge, said", [(unsigned, "isn't signed"), (flipped, "signature is wrong")])
def test_an_answer_that_the_key_did_not_sign_is_not_believed(driver, server, forge, said):
    err, why = update(driver, server(behave=forge), zone="example.com")
    assert err == "the peer broke the protocol" and said in why


def test_an_answer_to_another_question_is_left_lying(driver, server):
    def other_id(wire, _):
        return bytes([wire[0] ^ 1]) + wire[1:]
    err, why = update(driver, server(behave=other_id), zone="example.com", timeout_ms=200)
    assert err == "the time ran out" and "doesn't answer" in why


def test_an_answer_that_is_cut_is_asked_for_by_tcp(driver, server):
    def cut(wire, by_tcp):
        return wire if by_tcp else wire[:2] + bytes([wire[2] | 2]) + wire[3:]
    zone = server(behave=cut)
    zone.txt[NAME] = [VALUE]
    result = driver.call("dns-view", servers=[zone.address], name=NAME, value=VALUE)
    assert result["err"] == "ok"


def test_all_servers_of_a_zone_are_waited_for(driver, server):
    first, second = server(), server()
    first.txt[NAME] = [VALUE]
    servers = [first.address, second.address]
    result = driver.call("dns-view", servers=servers, name=NAME, value=VALUE, timeout_ms=2000)
    assert result["err"] == "the time ran out"
    assert "1 of 2 name servers don't have" in result["why"] and second.address in result["why"]
    threading.Timer(0.1, lambda: second.txt.update({NAME: ["old", VALUE]})).start()
    assert driver.call("dns-view", servers=servers, name=NAME, value=VALUE,
                       timeout_ms=PATIENCE * 1000)["err"] == "ok"


def test_an_alias_is_followed(driver, server):
    zone = server()
    zone.txt[NAME] = [VALUE]
    # The zone's server is at port 53, where nobody is: that it was found is in the reason.
    result = driver.call("dns-view", resolver=zone.address, name="_acme-challenge.alias.test",
                         value=VALUE, timeout_ms=300)
    assert NAME in result["why"]


def test_a_server_that_is_silent_does_not_stop_the_others(driver, server):
    silent = server(behave=lambda wire, by_tcp: None)
    zone = server()
    zone.txt[NAME] = [VALUE]
    result = driver.call("dns-view", servers=[silent.address, zone.address], name=NAME,
                         value=VALUE, timeout_ms=20000)
    assert result["err"] == "ok"


class Updates:
    """A solver as the keeper will be: update, then wait for the zone's servers."""

    def __init__(self, helper, zone):
        self.helper, self.zone, self.shown = helper, zone, []

    def present(self, event):
        self.shown.append(event)
        err, why = update(self.helper, self.zone, name=event["txt_name"], value=event["txt_value"])
        return None if err == "ok" else why

    def settle(self, _):
        for event in self.shown:
            result = self.helper.call("dns-view", servers=[self.zone.address],
                                      name=event["txt_name"], value=event["txt_value"])
            if result["err"] != "ok":
                return result["why"]
        return None

    def clean_up(self, event):
        update(self.helper, self.zone, name=event["txt_name"], value=event["txt_value"],
               remove=True)


def test_a_wildcard_is_proven_by_updates(tmp_path, driver, server):
    zone = server()
    pebble = Pebble(tmp_path, dns=zone.address)
    client = Driver()
    try:
        client.done("new", directory=pebble.url, ca=pebble.ca)
        client.done("account", key=make_key())
        client.done("order", names=["*.example.com", "example.com"], key=make_key(),
                    challenges=["dns-01"], solver=Updates(driver, zone))
        kinds = [kind for kind, _, _ in zone.updates]
        assert kinds == ["add", "add", "remove", "remove"]
        assert zone.txt["_acme-challenge.example.com"] == []
    finally:
        client.stop()
        pebble.stop()
