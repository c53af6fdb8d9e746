#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Lets testssl.sh (Debian's testssl.sh) look at a site with default settings, and at one with the
preset `modern`. Whatever it calls worse than fine is a finding, but for what ACCEPTED explains; newer
versions give a grade, which must be A or better. Ends with 1 when there was one.
"""
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from certificates import Authority  # noqa: E402
from harness import Proxy  # noqa: E402

NAME = "a.example"
FINE = ("OK", "INFO", "DEBUG", "WARN")  # WARN: the tool itself couldn't look
TIME_MAX_S = 900  # it takes minutes, and more on a busy machine
ACCEPTED = {
    # Mozilla's "intermediate" leaves the choice to clients: all that is offered is strong, and they
    # know whether they have AES in hardware.
    "cipher_order": "any order is good",
    # Of the certificate made here, and of a name that stands nowhere.
    "cert_revocation": "no public authority", "DNS_CAArecord": "no public name",
    "security_headers": "the page's own affair",
}


def settings(folder, preset):
    return ("entrypoints:\n  web: '127.0.0.1:0'\n  websecure: { listen: '127.0.0.1:0', tls: { "
            f"preset: {preset}, certificates: ['{folder}/ecdsa.pem', '{folder}/rsa.pem'] }} }}\n"
            "filters: { hi: { respond: { body: hi } } }\n"
            f"sites: {{ {NAME}: {{ use: [hi], hsts: on }} }}\n")


def look(port, authority, folder):
    """What testssl.sh says, as a list of findings."""
    report = folder / "report.json"
    report.unlink(missing_ok=True)
    subprocess.run(["testssl", "--quiet", "--color", "0", "--warnings", "off", "--ip=127.0.0.1",
                    f"--add-ca={authority.file}", f"--jsonfile={report}",
                    f"https://{NAME}:{port}/"], stdout=subprocess.DEVNULL, timeout=TIME_MAX_S,
                   check=False)
    return json.loads(report.read_text())


def judge(preset, said):
    """How many of them are worse than they may be."""
    n_bad = 0
    for finding in said:
        name, text, severity = finding["id"], finding["finding"], finding["severity"]
        name = name.split(" ")[0]  # without the number of the certificate
        is_bad = severity not in FINE and name not in ACCEPTED
        if name == "overall_grade":
            is_bad = not text.startswith("A")
            print(f"{preset}: grade {text}", flush=True)
        if severity == "WARN":
            print(f"{preset}: {name}: {text}", flush=True)
        if is_bad:
            print(f"FINDING {preset}: {severity} {name}: {text}", flush=True)
            n_bad += 1
    # So that a run that saw nothing isn't taken for a good one.
    seen = {finding["id"]: finding["finding"] for finding in said}
    for name, wanted in {"TLS1_3": "offered", "TLS1": "not offered", "cert_chain_of_trust": "passed",
                         "HSTS": "", "secure_client_renego": "not vulnerable"}.items():
        if not any(key.startswith(name) and text.startswith(wanted) for key, text in seen.items()):
            print(f"FINDING {preset}: nothing says '{name}: {wanted}'", flush=True)
            n_bad += 1
    return n_bad


def main():
    if not shutil.which("testssl"):
        print("testssl.sh isn't installed", file=sys.stderr)
        return 1
    n_bad = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        authority = Authority(folder / "made")
        for kind in ("ecdsa", "rsa"):
            made = authority.issue(NAME, days=(-1, 80), use_rsa=kind == "rsa")
            (folder / f"{kind}.pem").write_bytes(made.pem + made.key_pem)
        for preset in ("intermediate", "modern"):
            proxy = Proxy(folder / preset, settings(folder, preset))
            try:
                said = look(proxy.ports["websecure"], authority, folder)
            finally:
                proxy.stop()
            n_bad += judge(preset, said)
            print(f"{preset}: {len(said)} looked at", flush=True)
    print(f"testssl.sh: {n_bad} findings", flush=True)
    return 1 if n_bad else 0


if __name__ == "__main__":
    sys.exit(main())
