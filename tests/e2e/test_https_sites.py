# SPDX-License-Identifier: Apache-2.0
"""Which certificate a name gets: from files and folders, by SNI, and from the local CA."""
import ssl

import pytest
from certificates import Authority
from harness import Origin, run, wait_until
from https import ENTRIES, cert_of, get, is_refused, root_of, s_client


@pytest.fixture
def ca(tmp_path):
    return Authority(tmp_path / "certificates")


def settings(url, names, tls="on", more=""):
    sites = "".join(f"  '{name}': {{ to: '{url}'{more} }}\n" for name in names)
    return f"entrypoints:\n  websecure: {{ listen: '127.0.0.1:0', tls: {tls} }}\nsites:\n{sites}"


def pem_of(folder, name, cert):
    """Puts certificate and key into one file of a folder, at once."""
    new = folder / f".{name}.new"
    new.write_bytes(cert.pem + cert.key_pem)
    new.rename(folder / f"{name}.pem")


def test_sites_get_certificates_of_the_local_ca(start, origin):
    """S0-2, S2-5: HTTPS outside, HTTP inside, and the server is told."""
    server = origin()
    proxy = start(ENTRIES + f"sites:\n  a.example: '{server.url}'\n  b.example: '{server.url}'\n")
    for host in ("a.example", "b.example"):
        answer = get(proxy, host, "/x?y=1", trust=root_of(proxy))
        assert (answer.status, answer.text) == (200, "hello")
        request = server.requests[-1]
        assert request.get("X-Forwarded-Proto") == "https"
        assert request.get("Host") == host
    assert oct(proxy.state.stat().st_mode & 0o777) == "0o700"
    for path in proxy.state.rglob("*.key"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_names_of_free_routes_get_certificates_of_the_local_ca(start, origin):
    """Without a site, the names in a rule are enough."""
    server = origin()
    proxy = start(ENTRIES + "routes:\n"
                  f"  - {{ match: 'Host(`a.example`) && Path(`/x`)', to: '{server.url}' }}\n"
                  f"  - {{ match: 'Host(`b.example`) || Host(`*.c.example`)', to: '{server.url}' }}\n")
    for host in ("a.example", "b.example", "x.c.example"):
        assert get(proxy, host, "/x", trust=root_of(proxy)).status == 200
    ids = [c["id"] for c in proxy.ask(command="status")["status"]["certificates"]]
    assert ids == ["a.example", "b.example", "_wildcard.c.example"]


def test_a_local_ca_is_kept(start, origin):
    """Clients that trust it go on to do so when the proxy starts anew."""
    server = origin()
    text = ENTRIES + f"sites: {{ a.example: '{server.url}' }}\n"
    first = start(text)
    root = root_of(first)
    before = root.read_bytes()
    first.end()
    again = start(text + f"state: '{first.state}'\n")
    assert root.read_bytes() == before
    assert get(again, "a.example", trust=root).status == 200


def test_names_choose_certificates(start, origin, ca):
    """S0-2: by the server name; what no certificate has gets the default."""
    exact, wild, fallback = ca.issue("a.w.example"), ca.issue("*.w.example"), ca.issue("d.example")
    files = ", ".join(f"{{ cert: '{c.file}', key: '{c.key_file}'{more} }}" for c, more in
                      ((exact, ""), (wild, ""), (fallback, ", default: on")))
    proxy = start(settings(origin().url, ["a.w.example", "*.w.example", "d.example"],
                           f"{{ certificates: [{files}] }}"))
    for name, cert in (("a.w.example", exact), ("A.W.Example", exact), ("b.w.example", wild),
                       ("d.example", fallback), ("x.b.w.example", fallback),
                       ("unknown.example", fallback), (None, fallback)):
        assert cert_of(proxy, name) == cert.pem, name


def test_strict_sni_refuses_other_names(start, origin, ca):
    cert = ca.issue("a.example")
    proxy = start(settings(origin().url, ["a.example"], f"{{ strict-sni: on, certificates: "
                           f"[{{ cert: '{cert.file}', key: '{cert.key_file}' }}] }}"))
    assert get(proxy, "a.example", trust=ca.file).status == 200
    assert is_refused(proxy, "unknown.example")
    assert is_refused(proxy, None)
    is_done, said = s_client(proxy.port, name="unknown.example")
    assert not is_done and "unrecognized name" in said


def test_ecdsa_and_rsa_stand_side_by_side(start, origin, ca):
    """The client's offer chooses."""
    ecdsa, rsa = ca.issue("a.example"), ca.issue("a.example", use_rsa=True)
    files = ", ".join(f"{{ cert: '{c.file}', key: '{c.key_file}' }}" for c in (ecdsa, rsa))
    proxy = start(settings(origin().url, ["a.example"], f"{{ certificates: [{files}] }}"))
    for sigalgs, cert in (("ECDSA+SHA256", ecdsa), ("RSA-PSS+SHA256", rsa),
                          ("ECDSA+SHA256:RSA-PSS+SHA256", ecdsa)):
        is_done, said = s_client(proxy.port, "-sigalgs", sigalgs)
        assert is_done and cert.pem.decode().strip() in said, sigalgs


def test_a_folder_is_watched(start, origin, ca, tmp_path):
    """S1-4: bundles are chosen by SNI; new, changed and removed ones count, a broken one harms no
    other."""
    folder = tmp_path / "folder"
    folder.mkdir()
    names = ["a.example", "b.example", "c.example"]
    a, b = ca.issue("a.example"), ca.issue("b.example")
    pem_of(folder, "a", a)
    (folder / "broken.pem").write_text("nothing of use\n")
    proxy = start(settings(origin().url, names, f"{{ certificates: ['{folder}/'] }}"))
    assert cert_of(proxy, "a.example") == a.pem
    proxy.wait_line(r"broken\.pem", proxy.err)
    assert cert_of(proxy, "b.example") != b.pem
    pem_of(folder, "b", b)
    wait_until(lambda: cert_of(proxy, "b.example") == b.pem, "the new certificate")
    newer = ca.issue("a.example", days=(-1, 60))
    pem_of(folder, "a", newer)
    wait_until(lambda: cert_of(proxy, "a.example") == newer.pem, "the changed certificate")
    (folder / "b.pem").unlink()
    wait_until(lambda: cert_of(proxy, "b.example") != b.pem, "the end of the removed certificate")
    (folder / "a.pem").write_bytes(newer.pem)  # without its key: the one before stays
    proxy.wait_line(r"a\.pem: it holds no private key", proxy.err)
    assert cert_of(proxy, "a.example") == newer.pem
    assert get(proxy, "c.example").status == 200
    certificates = {c["id"]: c for c in proxy.ask(command="status")["status"]["certificates"]}
    assert certificates[str(folder / "broken.pem")]["error"]
    assert certificates["c.example"]["source"] == "local-ca"


def test_an_empty_folder_still_starts(start, origin, tmp_path):
    """S1-5: no certificate yet is no reason not to listen."""
    folder = tmp_path / "empty"
    folder.mkdir()
    proxy = start(settings(origin().url, ["a.example"], f"{{ certificates: ['{folder}'] }}"))
    assert get(proxy, "a.example", trust=root_of(proxy)).status == 200


def test_files_go_before_the_local_ca(start, origin, ca):
    cert = ca.issue("a.example", "www.a.example")
    tls = f", tls: {{ certificates: [{{ cert: '{cert.file}', key: '{cert.key_file}' }}] }}"
    server = origin()
    proxy = start(settings(server.url, ["a.example"], more=", aliases: [www.a.example]" + tls))
    assert cert_of(proxy, "a.example") == cert_of(proxy, "www.a.example") == cert.pem
    ids = [c["id"] for c in proxy.ask(command="status")["status"]["certificates"]]
    assert ids == [str(cert.file)]


def test_check_finds_what_is_wrong_with_certificates(ca, tmp_path):
    """S3-4: a wrong pair, an expired one, one without its intermediate; with file and line."""
    good, other = ca.issue("a.example"), ca.issue("b.example")
    expired = ca.issue("a.example", days=(-30, -1))
    file = tmp_path / "settings.yaml"

    def check(cert, key):
        text = settings("http://127.0.0.1:1", ["a.example"],
                        f"{{ certificates: [{{ cert: '{cert}', key: '{key}' }}] }}")
        file.write_text(text)
        done = run("check", "--config", file)
        return done.returncode, done.stderr

    status, said = check(good.file, other.key_file)
    assert status == 1 and f"{file}:2:" in said and "error" in said
    status, said = check(tmp_path / "none.pem", good.key_file)
    assert status == 1 and "none.pem" in said
    status, said = check(expired.file, expired.key_file)
    assert status == 0 and "warning" in said and "expired" in said
    status, said = check(good.file, good.key_file)
    assert status == 0 and "intermediate" in said
    file.write_text(settings("http://127.0.0.1:1", ["a.example"], "{ ciphers: [RC4-MD5] }"))
    done = run("check", "--config", file)
    assert done.returncode == 1 and "RC4-MD5" in done.stderr


def test_a_broken_certificate_stops_a_reload(start, origin, ca):
    cert, other = ca.issue("a.example"), ca.issue("b.example")
    text = settings(origin().url, ["a.example"], "{ certificates: [{ cert: '%s', key: '%s' }] }")
    proxy = start(text % (cert.file, cert.key_file))
    assert not proxy.try_reload(text % (cert.file, other.key_file))
    assert cert_of(proxy, "a.example") == cert.pem
    assert proxy.try_reload(text % (other.file, other.key_file))
    wait_until(lambda: cert_of(proxy, "a.example") != cert.pem, "the new certificate")


def test_new_sites_have_their_certificates_at_once(start, origin):
    """A reload that adds a site is in force with its certificate, not before it."""
    server = origin()
    proxy = start(settings(server.url, ["a.example"]))
    for i in range(5):
        assert proxy.try_reload(settings(server.url, ["a.example", f"n{i}.example"]))
        assert get(proxy, f"n{i}.example", trust=root_of(proxy)).status == 200


def test_keys_are_told_to_nobody(start, origin, ca):
    """A key is in no log, no status, no dump, and not in what the gate keeps as settings."""
    cert = ca.issue("a.example")
    proxy = start(settings(origin().url, ["a.example"], "{ certificates: [{ cert: '%s', key: '%s' "
                           "}] }" % (cert.file, cert.key_file)) + "log: { level: debug }\n")
    assert get(proxy, "a.example", trust=ca.file).status == 200
    status = str(proxy.ask(command="status"))
    dump = run("print", "settings", "--config", proxy.file, "--as=dump").stdout
    keys = [line for path in [cert.key_file, *proxy.state.rglob("*.key")]
            for line in path.read_text().splitlines() if "--" not in line]
    proxy.stop()
    for text in ("\n".join(proxy.err + proxy.out), status, dump):
        assert "PRIVATE KEY" not in text
        assert not any(line in text for line in keys)


def test_one_site_asks_for_client_certificates(start, origin, ca):
    """Another site of the same entrypoint doesn't, and doesn't lead there."""
    client = ca.issue("client")
    server = Origin()
    proxy = start("entrypoints:\n  websecure: { listen: '127.0.0.1:0', tls: on }\nsites:\n"
                  f"  open.example: '{server.url}'\n  closed.example: {{ to: '{server.url}', tls: "
                  f"{{ client-auth: require, client-ca: '{ca.file}' }} }}\n")
    assert get(proxy, "open.example").status == 200
    with pytest.raises((ssl.SSLError, ConnectionError, EOFError)):
        get(proxy, "closed.example")
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    made.load_cert_chain(client.file, client.key_file)
    assert get(proxy, "closed.example", made=made).status == 200
    assert get(proxy, "closed.example", name="open.example").status == 421
    server.stop()
