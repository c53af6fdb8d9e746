#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/internals/http2-musts.md tells the truth: each test that a row names is there, each section of
a case in the tables of tests is in a row that names its test, and no row is without a test."""
import pathlib
import re
import sys

PAGE = "docs/internals/http2-musts.md"
ROW = re.compile(r"^\| (\d[^|]*) \| [^|]+ \| [cs, ]+ \| (.*) \|$", re.M)
# The tables of cases, and the test that goes through each.
TABLES = [
    ("test_http2_frames.py", "CONNECTION_ERRORS", r'^    \("([\d.]+)", "',
     "test_a_connection_error_ends_the_connection"),
    ("test_http2_frames.py", "MALFORMED", r'^    \("([\d.]+)", "',
     "test_a_malformed_request_is_refused"),
    ("test_h2_hostile_servers.py", "MALFORMED", r'^    "([\d.]+) ',
     "test_what_breaks_the_protocol_is_refused"),
    ("test_h2_hostile_servers.py", "AFTER_THE_HEAD", r'^    "([\d.]+) ',
     "test_what_breaks_the_protocol_behind_the_head_cuts_the_answer"),
]
OTHER_RFCS = {"15.2", "9110"}  # sections of RFC 9110 in the tables of servers' sins


def cases(text, table, pattern):
    body = re.search(rf"^{table} = [\[{{]\n(.*?)^[\]}}]", text, re.M | re.S)
    return set(re.findall(pattern, body[1], re.M)) - OTHER_RFCS if body else set()


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    tests = root / "tests" / "e2e"
    named, complaints = {}, []
    for sections, cell in ROW.findall((root / PAGE).read_text()):
        found = re.findall(r"`([^`:]+)::([^`]+)`", cell)
        if not found:
            complaints.append(f"{sections}: no test")
        for section in sections.split(", "):
            named.setdefault(section, set()).update(found)
    for name, test in sorted(set().union(*named.values())):
        path = tests / name
        if not path.exists() or not re.search(rf"^def {test}\(", path.read_text(), re.M):
            complaints.append(f"there is no {name}::{test}")
    for name, table, pattern, test in TABLES:
        found = cases((tests / name).read_text(), table, pattern)
        if not found:
            complaints.append(f"{name}: no table {table}")
        complaints += [f"{section}: {name}::{test} has a case, and no row names it"
                       for section in sorted(found) if (name, test) not in named.get(section, set())]
    for complaint in complaints:
        print(f"{PAGE}: {complaint}")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
