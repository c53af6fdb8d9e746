#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The last 50 commits of HEAD have the form of CONTRIBUTING.md: "area: imperative, lower case" in at
most 72 characters, an empty line, and a body that says why."""
import pathlib
import re
import subprocess
import sys

N_COMMITS = 50
SUBJECT_MAX = 72
SKIPPED = 77
# The first word may be a name that has capitals of its own (TLS, SipHash), but not "Add".
SUBJECT = re.compile(r"[a-z0-9][a-z0-9_./+-]*(?:, [a-z0-9_./+-]+)*: (?![A-Z][a-z]+\b)\S.*[^.]$")


def complaints(message):
    lines = message.rstrip("\n").split("\n")
    if not SUBJECT.match(lines[0]):
        yield "the subject is not of the form 'area: imperative lower case', without a full stop"
    if len(lines[0]) > SUBJECT_MAX:
        yield f"the subject has {len(lines[0])} characters, {SUBJECT_MAX} are allowed"
    if len(lines) < 3 or lines[1] or not lines[2]:
        yield "there is no body behind an empty line"


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else "."
    if not (pathlib.Path(root) / ".git").exists():
        return SKIPPED
    log = subprocess.run(["git", "-C", root, "log", "--no-merges", f"-{N_COMMITS}", "-z",
                          "--format=%h%n%B"], capture_output=True, text=True, check=True).stdout
    n_failed = 0
    for entry in filter(None, log.split("\0")):
        commit, _, message = entry.partition("\n")
        for why in complaints(message):
            print(f"{commit}:1: {why}: {message.splitlines()[0] if message else ''}")
            n_failed += 1
    return n_failed > 0


sys.exit(main())
