# SPDX-License-Identifier: Apache-2.0
"""What a browser makes of us: Debian's chromium, without a screen. `make browser-test` installs it and
runs this; else the test is skipped where it isn't there, as it is some hundred megabytes.
"""
import base64
import hashlib
import json
import os
import shutil
import subprocess
import threading

import pytest
from harness import PATIENCE, ok
from test_http2_websocket import GUID

BROWSER = shutil.which("chromium")
N_SCRIPTS = 60
N_EVENTS = 5
UPLOAD_BYTES = 3_000_000
NAME = "page.example"

PAGE = """<!doctype html><title>page</title><body>
%(scripts)s
<script>
const report = { loaded: window.loaded, events: [], echoes: [] };
function events() {
    return new Promise((done, fail) => {
        const source = new EventSource("/events");
        source.onmessage = e => {
            report.events.push(e.data);
            if (report.events.length == %(n_events)d) { source.close(); done(); }
        };
        source.onerror = () => fail("the events broke");
    });
}
function socket() {
    return new Promise((done, fail) => {
        const socket = new WebSocket("wss://" + location.host + "/chat");
        socket.onopen = () => { socket.send("one"); socket.send("two"); };
        socket.onmessage = e => {
            report.echoes.push(e.data);
            if (report.echoes.length == 2) { socket.close(); done(); }
        };
        socket.onerror = () => fail("the socket broke");
    });
}
async function upload() {
    const body = new Uint8Array(%(upload)d).map((_, i) => i %% 251);
    const answer = await fetch("/upload", { method: "POST", body: body });
    report.upload = await answer.text();
}
async function run() {
    try { await Promise.all([events(), socket(), upload()]); } catch (e) { report.error = String(e); }
    report.protocols = performance.getEntriesByType("navigation")
        .concat(performance.getEntriesByType("resource"))
        .map(e => [new URL(e.name).pathname, e.nextHopProtocol]);
    await fetch("/report", { method: "POST", body: JSON.stringify(report) });
}
performance.setResourceTimingBufferSize(1000);
window.onload = run;
</script>
"""


class Site:
    """The servers behind the page, all of HTTP/1.1."""

    def __init__(self):
        self.report = None
        self.has_report = threading.Event()

    def __call__(self, request, conn):
        path = request.target.split("?")[0]
        serve = {"/": self.page, "/events": self.events, "/chat": self.chat,
                 "/upload": self.upload, "/report": self.take_report}.get(path)
        if serve:
            return serve(request, conn)
        if path.startswith("/script/"):
            return ok("window.loaded = (window.loaded || 0) + 1;\n", "Content-Type: text/javascript\r\n")
        return ok("nothing", status="404 Not Found")

    def page(self, _request, _conn):
        scripts = "\n".join(f'<script src="/script/{i}.js"></script>' for i in range(N_SCRIPTS))
        return ok(PAGE % {"scripts": scripts, "n_events": N_EVENTS, "upload": UPLOAD_BYTES},
                  "Content-Type: text/html\r\n")

    def events(self, _request, conn):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                  b"Transfer-Encoding: chunked\r\n\r\n")
        for i in range(N_EVENTS):
            event = b"data: %d\n\n" % i
            conn.send(b"%x\r\n%s\r\n" % (len(event), event))
        self.has_report.wait(PATIENCE)  # the browser ends it

    def chat(self, request, conn):
        key = request.get("Sec-WebSocket-Key").encode()
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
        conn.send((f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                   f"Sec-WebSocket-Accept: {accept}\r\n\r\n").encode())
        conn.is_done = True
        while True:  # RFC 6455 5.2: short masked frames, as the page sends them
            opcode, length = conn.read_exactly(2)
            mask, length = conn.read_exactly(4), length & 127
            text = bytes(b ^ mask[i % 4] for i, b in enumerate(conn.read_exactly(length)))
            conn.send(bytes([opcode, length]) + text)
            if opcode & 15 == 8:  # close
                return None

    def upload(self, request, _conn):
        is_right = request.body == (bytes(range(251)) * (UPLOAD_BYTES // 251 + 1))[:UPLOAD_BYTES]
        return ok(f"{len(request.body)} {is_right}")

    def take_report(self, request, _conn):
        self.report = json.loads(request.body)
        self.has_report.set()
        return ok()


@pytest.mark.skipif(not BROWSER, reason="chromium isn't installed: make browser-test does that")
def test_a_page_comes_over_http2_with_all_that_it_does(start, origin, tmp_path):
    """Chromium: many sub-resources, server-sent events, a WebSocket (RFC 8441) and an upload, all on
    one connection."""
    site = Site()
    server = origin(site)
    proxy = start("entrypoints:\n  websecure: { listen: '127.0.0.1:0', tls: on }\n"
                  "access-log: { format: json }\n"
                  f"sites:\n  {NAME}: '{server.url}'\n")
    port = proxy.ports["websecure"]
    browser = subprocess.Popen(
        [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-quic",
         "--disable-background-networking", "--disable-component-update", "--no-proxy-server",
         "--disable-dev-shm-usage", "--ignore-certificate-errors",
         f"--user-data-dir={tmp_path}/browser", f"--host-resolver-rules=MAP {NAME} 127.0.0.1",
         f"https://{NAME}:{port}/"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(tmp_path / "browser.log", "wb"),
        env={**os.environ, "HOME": str(tmp_path)}, start_new_session=True)
    try:
        site.has_report.wait(4 * PATIENCE)  # it takes a while to start on a busy machine
        assert site.report, (tmp_path / "browser.log").read_text()[-3000:]
    finally:
        browser.terminate()
        try:
            browser.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            browser.kill()
            browser.wait(PATIENCE)
    check_report(site.report)
    check_log(proxy)


def check_report(report):
    assert "error" not in report, report
    assert report["loaded"] == N_SCRIPTS
    assert report["events"] == [str(i) for i in range(N_EVENTS)]
    assert report["echoes"] == ["one", "two"]
    assert report["upload"] == f"{UPLOAD_BYTES} True"
    assert len(report["protocols"]) >= N_SCRIPTS + 2
    assert {protocol for _, protocol in report["protocols"]} == {"h2"}, report["protocols"]


def check_log(proxy):
    """Everything was HTTP/2, and came from one port; the WebSocket, which no entry tells of, too."""
    proxy.log_lines('"/chat"')
    proxy.log_lines('"/report"')
    lines = [json.loads(line) for line in proxy.log_lines()]
    assert {line["version"] for line in lines} == {"HTTP/2.0"}, lines
    assert len({line["peer-port"] for line in lines}) == 1
