# SPDX-License-Identifier: Apache-2.0
"""A certificate authority whose every answer a test chooses."""
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from authority import make_server_cert, openssl


class Authority:
    """An ACME server whose every answer a test can replace: answers[path] = function(handler), or
    (status, headers, body). It checks nothing."""

    def __init__(self, folder):
        self.cert, self.key = make_server_cert(folder)
        self.ca = self.cert.read_text()
        self.folder, self.answers, self.asked, self.n_nonces = folder, {}, [], 0
        self.chain = b""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def serve(self):
                size = int(self.headers.get("Content-Length") or 0)
                self.sent = json.loads(self.rfile.read(size)) if size else None
                outer.asked.append((self.command, self.path, dict(self.headers)))
                answer = outer.answers.get(self.path) or outer.usual(self.path)
                if callable(answer):
                    answer(self)
                    self.close_connection = True
                    return
                status, headers, body = answer
                outer.reply(self, status, headers, body)

            do_GET = do_POST = do_HEAD = serve

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.base = f"https://localhost:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def reply(self, handler, status, headers, body):
        self.n_nonces += 1
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        for name, value in {"Replay-Nonce": f"n{self.n_nonces}", **headers}.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body)

    def usual(self, path):
        """An authority that gives anything to anybody."""
        url = self.base
        return {
            "/dir": (200, {}, {"newNonce": f"{url}/nonce", "newAccount": f"{url}/account",
                               "newOrder": f"{url}/orders", "revokeCert": f"{url}/revoke",
                               "renewalInfo": f"{url}/ari"}),
            "/nonce": (200, {}, b""),
            "/account": (201, {"Location": f"{url}/account/1"}, {"status": "valid"}),
            "/orders": (201, {"Location": f"{url}/order"}, self.order("ready")),
            "/order": (200, {}, self.order("valid")),
            "/finalize": (200, {}, self.order("valid")),
            "/cert": (200, {"Content-Type": "application/pem-certificate-chain"}, self.chain),
        }.get(path, (404, {}, {"type": "urn:ietf:params:acme:error:malformed", "detail": "404"}))

    def order(self, status, **more):
        return {"status": status, "authorizations": [f"{self.base}/authz"],
                "finalize": f"{self.base}/finalize", "certificate": f"{self.base}/cert", **more}

    def authorization(self, **more):
        token = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
        return {"status": "pending", "identifier": {"type": "dns", "value": "a.example"},
                "challenges": [{"type": "http-01", "url": f"{self.base}/chall", "token": token,
                                "status": "pending"}], **more}

    def certificate(self, key, names="DNS:a.example"):
        file = self.folder / "leaf.key"
        file.write_text(key)
        return openssl("req", "-x509", "-key", file, "-days", "9", "-subj", "/CN=a.example",
                       "-addext", f"subjectAltName={names}").encode()

    def stop(self):
        self.http.shutdown()
        self.http.server_close()
