# SPDX-License-Identifier: Apache-2.0
"""Certificates for tests, made anew in each run by python3-cryptography: a stranger to the proxy's
own maker."""
import base64
import datetime
import hashlib
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _san(name):
    if "://" in name:
        return x509.UniformResourceIdentifier(name)
    if "@" in name:
        return x509.RFC822Name(name)
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Certificate:
    """A certificate with its key. Without an issuer it is self-signed. days: from, to; now is 0.
    usage: what it is for, an ExtendedKeyUsageOID."""

    def __init__(self, folder, names=(), issuer=None, is_ca=False, days=(-1, 30), title=None,
                 use_rsa=False, usage=None):
        title = title or (names[0] if names else "Test authority")
        self.key = rsa.generate_private_key(65537, 2048) if use_rsa else \
            ec.generate_private_key(ec.SECP256R1())
        self.subject = _name(title)
        now = datetime.datetime.utcnow().replace(microsecond=0)
        builder = (x509.CertificateBuilder().subject_name(self.subject)
                   .issuer_name(issuer.subject if issuer else self.subject)
                   .public_key(self.key.public_key())
                   .serial_number(x509.random_serial_number())
                   .not_valid_before(now + days[0] * DAY).not_valid_after(now + days[1] * DAY)
                   .add_extension(x509.BasicConstraints(is_ca, None), critical=True))
        if names:
            san = x509.SubjectAlternativeName([_san(name) for name in names])
            builder = builder.add_extension(san, critical=False)
        if usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        self.not_after = now + days[1] * DAY
        self.cert = builder.sign(issuer.key if issuer else self.key, hashes.SHA256())
        self.pem = self.cert.public_bytes(serialization.Encoding.PEM)
        self.key_pem = self.key.private_bytes(serialization.Encoding.PEM,
                                              serialization.PrivateFormat.PKCS8,
                                              serialization.NoEncryption())
        spki = self.key.public_key().public_bytes(serialization.Encoding.DER,
                                                  serialization.PublicFormat.SubjectPublicKeyInfo)
        self.pin = base64.b64encode(hashlib.sha256(spki).digest()).decode()
        folder.mkdir(parents=True, exist_ok=True)
        stem = f"{len(list(folder.iterdir()))}-{title.replace(' ', '-')}"
        self.file, self.key_file = folder / f"{stem}.pem", folder / f"{stem}.key"
        self.file.write_bytes(self.pem)
        self.key_file.write_bytes(self.key_pem)


class Authority(Certificate):
    def __init__(self, folder, title="Test authority", issuer=None):
        super().__init__(folder, is_ca=True, title=title, issuer=issuer)
        self.folder = folder

    def issue(self, *names, **kwargs):
        return Certificate(self.folder, names, issuer=self, **kwargs)

    def revoke(self, *certs, days=(-1, 30)):
        """A list of revoked certificates, as PEM."""
        now = datetime.datetime.utcnow().replace(microsecond=0)
        builder = (x509.CertificateRevocationListBuilder().issuer_name(self.subject)
                   .last_update(now + days[0] * DAY).next_update(now + days[1] * DAY))
        for cert in certs:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(cert.cert.serial_number)
                .revocation_date(now - DAY).build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
