# SPDX-License-Identifier: Apache-2.0
"""Signed tokens, and the keys they are signed by, made with Debian's python3-cryptography."""
import base64
import hashlib
import hmac
import json
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CURVES = {"ES256": (ec.SECP256R1, "P-256", 32), "ES384": (ec.SECP384R1, "P-384", 48),
          "ES512": (ec.SECP521R1, "P-521", 66)}
HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(n, size=None):
    return b64(n.to_bytes(size or (n.bit_length() + 7) // 8, "big"))


class Key:
    """A key for an algorithm, with a name of its own."""

    def __init__(self, alg, kid=None, private=None):
        self.alg, self.kid = alg, kid
        self.private = self._make() if private is None else private

    def _make(self):
        if self.alg[:2] in ("RS", "PS"):
            return rsa.generate_private_key(65537, 2048)
        if self.alg in CURVES:
            return ec.generate_private_key(CURVES[self.alg][0]())
        return ed25519.Ed25519PrivateKey.generate()

    def pem(self):
        return self.private.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def jwk(self, **more):
        public = self.private.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            numbers = public.public_numbers()
            jwk = {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
        elif isinstance(public, ec.EllipticCurvePublicKey):
            numbers, (_, name, size) = public.public_numbers(), CURVES[self.alg]
            jwk = {"kty": "EC", "crv": name, "x": number(numbers.x, size),
                   "y": number(numbers.y, size)}
        else:
            raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
            jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64(raw)}
        if self.kid:
            jwk["kid"] = self.kid
        return {**jwk, **more}

    def sign(self, data):
        digest = HASHES[self.alg[2:]]() if self.alg != "EdDSA" else None
        if self.alg.startswith("RS"):
            return self.private.sign(data, padding.PKCS1v15(), digest)
        if self.alg.startswith("PS"):
            return self.private.sign(data, padding.PSS(padding.MGF1(digest), digest.digest_size),
                                     digest)
        if self.alg in CURVES:
            size = CURVES[self.alg][2]
            r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(digest)))
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")
        return self.private.sign(data)

    def token(self, header=None, **claims):
        head = {"alg": self.alg, "typ": "JWT", **({"kid": self.kid} if self.kid else {}),
                **(header or {})}
        return signed(head, claims, self.sign)


class Secret(Key):
    def __init__(self, alg, secret, kid=None):
        super().__init__(alg, kid, private=secret)

    def sign(self, data):
        return hmac.new(self.private, data, getattr(hashlib, "sha" + self.alg[2:])).digest()


def signed(head, claims, sign):
    """exp: in an hour, unless it is given; None leaves a claim out."""
    claims = {"exp": int(time.time()) + 3600, **claims}
    claims = {name: value for name, value in claims.items() if value is not None}
    text = b64(json.dumps(head).encode()) + "." + b64(json.dumps(claims).encode())
    return text + "." + b64(sign(text.encode()))


def jwks(*keys):
    return json.dumps({"keys": [key.jwk() for key in keys]})
