# SPDX-License-Identifier: Apache-2.0
"""`pin: first-use`: the key that a server shows first is kept, and another one is an alarm."""
import json
import os
import signal
import ssl
import threading

import pytest
from certificates import Certificate
from harness import PATIENCE, run, wait_until
from test_tls_servers import ca, site, tls_origin  # noqa: F401


@pytest.fixture
def appliances(tmp_path):
    """Self-signed certificates, for names that nobody asks for."""
    def go():
        return Certificate(tmp_path / "appliances", ("appliance",), days=(-9, -1))
    return go


def name_of(server):
    return f"127.0.0.1:{server.port}"


def pins(proxy):
    return {p["server"]: p for p in proxy.ask(command="status")["status"]["pins"]}


def pin_command(proxy, *words):
    return run("pin", *words, "--control", proxy.file.parent / "control.sock")


def settings(server, more=""):
    return site(server.url, "pin: first-use", "    skip-time: 0\n    idle-max: 0\n    connect-timeout: 20s\n") + more


@pytest.fixture
def changed(start, tls_origin, appliances):
    """(proxy, server, the first certificate, the second): the first is learnt, the second shown."""
    first, second = appliances(), appliances()
    server = tls_origin(cert=first)
    proxy = start(settings(server))
    assert proxy.get().status == 200
    server.use(second)
    return proxy, server, first, second


def test_the_first_key_is_learnt_and_another_one_is_refused(start, tls_origin, appliances):
    first, second = appliances(), appliances()
    server = tls_origin(cert=first)
    proxy = start(settings(server, "access-log: { format: json }\n"))
    assert proxy.get().status == 200
    proxy.wait_line(rf"server {name_of(server)}: its key is learnt on first use: "
                    + first.pin.replace("+", r"\+"), proxy.err)
    assert proxy.get().status == 200
    server.use(second)
    answer = proxy.get()
    assert answer.status == 502 and "pin" not in answer.text
    assert len(server.requests) == 2
    proxy.wait_line(rf"server {name_of(server)} shows another key than on its first use: pin "
                    + second.pin.replace("+", r"\+"), proxy.err)
    line = json.loads(proxy.log_lines("502")[0])
    assert "server-tls" in json.dumps(line)
    proxy.wait_line(rf"its key has changed since its first use; .*learnt was .*"
                    rf"sallyport pin forget {name_of(server)}", proxy.err)
    known = pins(proxy)[name_of(server)]
    assert (known["pin"], known["refused"], known["refused_pin"]) == (first.pin, 1, second.pin)
    server.use(first)
    assert proxy.get().status == 200


def test_a_key_stays_learnt_when_processes_end(start, changed):
    proxy, server, first, _ = changed
    gate = proxy.gate_pid()
    os.kill(gate, signal.SIGKILL)
    wait_until(lambda: proxy.gate_pid() not in (None, gate), "another gate")
    assert proxy.get().status == 502
    assert proxy.ask(command="upgrade")["ok"]
    assert proxy.get().status == 502
    assert proxy.end() == 0
    again = start(settings(server, f"state: '{proxy.state}'\n"))
    assert again.get().status == 502
    assert pins(again)[name_of(server)]["pin"] == first.pin
    server.use(first)
    assert again.get().status == 200


def test_a_forgotten_key_makes_room_for_the_next(changed):
    proxy, server, first, second = changed
    assert proxy.get().status == 502
    listed = pin_command(proxy, "list")
    assert listed.returncode == 0 and first.pin in listed.stdout
    assert "refused 1 connection with another key" in listed.stdout and second.pin in listed.stdout
    assert json.loads(pin_command(proxy, "list", "--json").stdout)[0]["server"] == name_of(server)
    unknown = pin_command(proxy, "forget", "10.0.0.1:443")
    assert unknown.returncode == 1 and "no key of this server was learnt" in unknown.stderr
    done = pin_command(proxy, "forget", name_of(server))
    assert done.returncode == 0 and "the next key that it shows is learnt" in done.stdout
    assert proxy.get().status == 200
    assert pins(proxy)[name_of(server)]["pin"] == second.pin
    server.use(first)
    assert proxy.get().status == 502


def test_two_workers_that_see_two_keys_at_once_believe_one(start, tls_origin, appliances):
    """The first one that the keeper hears of; whoever sees the other is refused."""
    contexts = []
    for cert in (appliances(), appliances()):
        contexts.append(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        contexts[-1].load_cert_chain(cert.file, cert.key_file)
    server = tls_origin(cert=appliances())
    left, together = list(contexts), threading.Barrier(2)

    def choose(sock, name, context):
        sock.context = left.pop()
        try:
            together.wait(1)  # one worker opens one connection, and then the next
        except threading.BrokenBarrierError:
            pass

    server.context.sni_callback = choose
    proxy = start(settings(server), workers=2)
    statuses = []
    threads = [threading.Thread(target=lambda: statuses.append(proxy.get().status))
               for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(statuses) == [200, 502]
    assert pins(proxy)[name_of(server)]["refused"] == 1


def test_a_damaged_file_believes_nobody(start, tls_origin, appliances, tmp_path):
    server = tls_origin(cert=appliances())
    proxy = start(settings(server))
    assert proxy.get().status == 200
    assert proxy.end() == 0
    (proxy.state / "pins").write_text("nonsense\n")
    again = start(settings(server, f"state: '{proxy.state}'\n"))
    again.wait_line("keys that were learnt on first use can't be read.*makes no sense", again.err)
    assert again.get().status == 502
    assert (proxy.state / "pins").read_text() == "nonsense\n"


def test_check_knows_what_goes_together(tmp_path):
    cases = {"pin: [first-use, YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=]": "'first-use' stands alone",
             "pin: first-use, verify: off": "contradicts 'verify: off'",
             "pin: first-used": "or first-use"}
    for tls, says in cases.items():
        file = tmp_path / "s.yaml"
        file.write_text(site("https://10.0.0.9", tls))
        done = run("check", "-c", file)
        assert done.returncode == 1 and says in done.stderr, done.stderr
