# SPDX-License-Identifier: Apache-2.0
"""Debian's knot as a name server that takes dynamic updates, and a resolver that asks it."""
import base64
import socket
import threading

import dns.exception
import dns.message
import dns.query
import dns.rdatatype
from harness import Process, free_ports, wait_until

SECRET = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


class Knot:
    """Authoritative for zones, a dict of names and their records. Every name of a zone is 127.0.0.1.
    The key `sallyport` may change `updated` zones (all of them)."""

    def __init__(self, folder, zones, algorithm="hmac-sha256", updated=None):
        folder.mkdir()
        self.port = free_ports(1)[0]
        self.address = f"127.0.0.1:{self.port}"
        sections = ""
        for zone, records in zones.items():
            (folder / f"{zone}.zone").write_text(
                f"$ORIGIN {zone}.\n$TTL 60\n@ SOA ns1 root 1 60 60 60 60\n@ NS ns1\n"
                f"ns1 A 127.0.0.1\n* A 127.0.0.1\n{records}")
            acl = "    acl: update\n" if updated is None or zone in updated else ""
            sections += (f"  - domain: {zone}\n    storage: {folder}\n    file: {zone}.zone\n{acl}"
                         "    zonefile-sync: -1\n    journal-content: none\n")
        (folder / "knot.conf").write_text(
            f"server:\n    rundir: {folder}\n    listen: 127.0.0.1@{self.port}\n"
            f"database:\n    storage: {folder}\n"
            "log:\n  - target: stderr\n    any: info\n"
            f"key:\n  - id: sallyport\n    algorithm: {algorithm}\n    secret: {SECRET}\n"
            "acl:\n  - id: update\n    key: sallyport\n    action: update\n"
            f"zone:\n{sections}")
        self.process = Process(["knotd", "-c", str(folder / "knot.conf")])
        wait_until(self._answers, "knot")

    def _answers(self):
        try:
            return self.ask("ns1.example.com", "SOA") is not None
        except (OSError, dns.exception.Timeout):
            return False

    def ask(self, name, kind):
        return dns.query.udp(dns.message.make_query(name, kind), "127.0.0.1", port=self.port,
                             timeout=2)

    def txt(self, name):
        """The TXT records of a name."""
        return [r.strings[0].decode() for rrset in self.ask(name, "TXT").answer
                if rrset.rdtype == dns.rdatatype.TXT for r in rrset]

    def stop(self):
        self.process.end()


class DatagramServer:
    """answer(query) gives the message to send back; None: nothing."""

    def __init__(self, answer):
        self.answer = answer
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.udp.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            wire, peer = self.udp.recvfrom(65535)
            if not wire:
                return
            answer = self.answer(dns.message.from_wire(wire))
            if answer:
                self.udp.sendto(answer.to_wire(), peer)

    def stop(self):
        self.udp.sendto(b"", self.udp.getsockname())
        self.thread.join()
        self.udp.close()


class Resolver(DatagramServer):
    """Follows aliases from zone to zone of one server, as those of authorities do."""

    def __init__(self, server):
        self.server = server
        super().__init__(self._answer)

    def _answer(self, query):
        answer = dns.message.make_response(query)
        name, kind = query.question[0].name, query.question[0].rdtype
        for _ in range(5):
            found = self.server.ask(name, kind).answer
            answer.answer += found
            aliases = [r for r in found if r.rdtype == dns.rdatatype.CNAME]
            if kind == dns.rdatatype.CNAME or not aliases or len(found) > len(aliases):
                break
            name = aliases[-1][0].target
        return answer


class Script(DatagramServer):
    """Answers with records = {("a.example", "A"): [...]}, by UDP. A value that is a text is an rcode:
    "SERVFAIL"; an alias that is bytes is sent as it is. Names that records don't have don't exist; "silent" gets no answer."""

    def __init__(self, records):
        self.records = {(name.lower(), kind): value for (name, kind), value in records.items()}
        self.asked = []
        super().__init__(self._answer)

    def _answer(self, query):
        answer = dns.message.make_response(query)
        question = query.question[0]
        name, kind = question.name.to_text().rstrip(".").lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        for _ in range(5):
            found = self.records.get((name, kind), [])
            alias = self.records.get((name, "CNAME"))
            if found == "silent":
                return None
            if isinstance(found, str):
                answer.set_rcode(dns.rcode.from_text(found))
                break
            if found:
                answer.answer.append(dns.rrset.from_text_list(name + ".", 60, "IN", kind, found))
            if found or not alias:
                break
            if isinstance(alias, bytes):
                answer.answer.append(dns.rrset.from_rdata(name + ".", 60, dns.rdata.GenericRdata(
                    dns.rdataclass.IN, dns.rdatatype.CNAME, alias)))
                break
            answer.answer.append(dns.rrset.from_text_list(name + ".", 60, "IN", "CNAME", alias))
            name = alias[0].rstrip(".").lower()
        if not any(known == name or known.endswith("." + name) for known, _ in self.records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer
