# SPDX-License-Identifier: Apache-2.0
"""Promises of issues 3 and 4: what holds of plain connections holds of those that speak TLS, and a
certificate is replaced under load without anybody's notice but by its bytes."""
import signal
import time

import pytest
from certificates import Authority
from cryptography.hazmat.primitives.serialization import Encoding
from harness import BINARY, IS_SANITIZED, wait_until
from https import TlsClient, cert_of, context
from load import HTTP_HOST, WS_HOST
from test_promises_crash import Kill, LIVED_WELL_S

N_RELOADS = 40 if IS_SANITIZED else 300
N_RENEWALS = 50
N_UPGRADES = 2 if IS_SANITIZED else 6
N_KILLS = 3 if IS_SANITIZED else 10
TUNNELS_MAX = "drain-timeout: 10m\n"  # the load's tunnels stay open to its end
POLICIES = ["", ", preset: modern", ", groups: [P-256]", ", tickets: off", ", strict-sni: on"]


class Site:
    """Certificates of the load's names, each with its number, in one file that is watched."""

    def __init__(self, folder):
        self.folder = folder
        self.authority = Authority(folder / "made")
        self.file = folder / "site.pem"
        self.certs = []
        self.renew()

    def renew(self):
        """Another certificate, whole from one moment to the next."""
        made = self.authority.issue(HTTP_HOST, WS_HOST)
        new = self.folder / "new.pem"
        new.write_bytes(made.pem + made.key_pem)
        new.chmod(0o600)
        new.rename(self.file)
        self.certs.append(made.cert.public_bytes(Encoding.DER))
        return made.pem

    def settings(self, backend, turn=0, tls="", top="workers: 2\n"):
        return (f"access-log: off\n{TUNNELS_MAX}{top}"
                "entrypoints:\n  web: '127.0.0.1:0'\n  websecure: { listen: '127.0.0.1:0', "
                f"tls: {{ certificates: ['{self.file}']{tls} }} }}\n"
                f"filters:\n  turn: {{ headers: {{ response: {{ set: {{ X-Turn: '{turn}' }} }} }} }}\n"
                f"sites:\n{backend.sites('turn', 'redirect-to-https: off, ')}")

    def load(self, load, proxy):
        """Clients of both kinds."""
        return load(proxy.ports["web"], tls=(proxy.ports["websecure"],
                                             context(self.authority.file)))


def check_all(clients):
    """Nothing was lost, and whoever was told to go was told so."""
    clients.stop().check()
    assert clients.n_ragged == 0


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def turn_of(proxy, site):
    with TlsClient(proxy.ports["websecure"], HTTP_HOST, site.authority.file) as client:
        answer = client.exchange(f"GET /down/1/10 HTTP/1.1\r\nHost: {HTTP_HOST}\r\n\r\n")
    return int(answer.get("X-Turn"))


def test_a_certificate_is_renewed_fifty_times_under_load(start, backend, load, site):
    """S1-22, S0-25: a file is replaced, nothing else is done: no connection is lost, and from the
    moment on that one client is shown the new certificate, every handshake is."""
    proxy = start(site.settings(backend))
    clients = site.load(load, proxy)
    clients.certs = site.certs
    for number in range(1, N_RENEWALS + 1):
        clients.mark(f"renewal {number}")
        pem = site.renew()
        wait_until(lambda: cert_of(proxy, HTTP_HOST) == pem, f"certificate {number}")
        # Workers change one after the other, and whoever is connected already may be shown the old.
        if all(cert_of(proxy, HTTP_HOST) == pem for _ in range(4)):
            clients.cert = number
    check_all(clients)
    assert clients.n_resumed > 0 and clients.cert == N_RENEWALS
    print(f"{N_RENEWALS} renewals; {clients}; {clients.n_resumed} sessions resumed")


def test_reloads_under_load_lose_no_connection_of_tls(start, backend, load, site):
    """S3-8: settings of TLS change among others; nothing is lost, and each is in force at once."""
    proxy = start(site.settings(backend))
    clients = site.load(load, proxy)
    for turn in range(1, N_RELOADS + 1):
        clients.mark(f"reload {turn}")
        text = site.settings(backend, turn, POLICIES[turn % len(POLICIES)])
        assert proxy.try_reload(text, by_signal=turn % 2 == 0), "\n".join(proxy.err[-20:])
        clients.turn = turn
        assert turn_of(proxy, site) == turn
    check_all(clients)
    print(f"{N_RELOADS} reloads; {clients}; {clients.n_resumed} sessions resumed")


def test_upgrades_and_other_gates_under_load_lose_no_connection_of_tls(start, backend, load, site):
    """S3-8: another binary, another number of workers; sessions are resumed by the next gate."""
    proxy = start(site.settings(backend))
    clients = site.load(load, proxy)
    for turn in range(1, N_UPGRADES + 1):
        clients.mark(f"upgrade {turn}")
        assert proxy.ask(command="upgrade", binary=BINARY)["ok"]
        before = clients.n_resumed
        wait_until(lambda: clients.n_resumed > before, "a session that is resumed")
        clients.mark(f"other workers {turn}")
        assert proxy.try_reload(site.settings(backend, turn, top=f"workers: {1 + turn % 2}\n"))
        clients.turn = turn
        assert turn_of(proxy, site) == turn
    check_all(clients)
    wait_until(lambda: len(proxy.gate_pids()) == 1, "the old gates' end")
    print(f"{N_UPGRADES} upgrades; {clients}; {clients.n_resumed} sessions resumed")


def test_a_gate_that_is_killed_loses_only_what_is_in_flight_over_tls(start, backend, load, site):
    """S3-8: the next gate resumes sessions of the one that died, and shows the same certificate."""
    proxy = start(site.settings(backend))
    clients = site.load(load, proxy)
    kills = []
    for turn in range(N_KILLS):
        time.sleep(LIVED_WELL_S)
        before = clients.n_resumed
        clients.mark(f"kill {turn}")
        kills.append(Kill(proxy))
        wait_until(lambda: clients.n_resumed > before, "a session that is resumed by the next gate")
    clients.stop()
    unexplained = [f for f in clients.lost if not any(kill.explains(f) for kill in kills)]
    assert not unexplained, clients.told(unexplained)
    assert clients.refused == 0 and clients.lost
    print(f"{N_KILLS} kills; {clients}; {clients.n_resumed} sessions resumed")


def test_a_stop_under_load_lets_exchanges_over_tls_finish(start, backend, load, site):
    """Whoever is left is told so by close_notify; nothing but tunnels is cut, and they at the limit."""
    text = site.settings(backend).replace(TUNNELS_MAX, "drain-timeout: 3s\n")
    proxy = start(text)
    clients = load(proxy.ports["web"], slow_bytes=100_000,
                   tls=(proxy.ports["websecure"], context(site.authority.file)))
    wait_until(lambda: clients.done["tls_slow"] >= 2, "slow downloads")
    clients.is_leaving = True
    clients.mark("SIGTERM")
    proxy.child.send_signal(signal.SIGTERM)
    assert proxy.child.wait(60) == 0
    clients.stop()
    assert {f.kind for f in clients.lost} <= set(clients.TUNNELS), clients.told()
