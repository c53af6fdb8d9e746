#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every src/LAYER/FILE.c has tests/unit/LAYER/test_FILE.c, or a line "src/LAYER/FILE.c: reason" in
tests/UNTESTED."""
import pathlib
import sys


def read_reasons(path):
    reasons = {}
    for number, line in enumerate(path.read_text().splitlines() if path.exists() else [], 1):
        if line and not line.startswith("#"):
            name, _, reason = line.partition(":")
            reasons[name.strip()] = (number, reason.strip())
    return reasons


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    untested = root / "tests/UNTESTED"
    reasons, n_failed = read_reasons(untested), 0
    for path in sorted((root / "src").rglob("*.c")):
        name = path.relative_to(root).as_posix()
        test = root / "tests/unit" / path.relative_to(root / "src").with_name(f"test_{path.name}")
        number, reason = reasons.pop(name, (0, ""))
        if test.exists() and number:
            print(f"{untested}:{number}: {name} has a test now")
        elif not test.exists() and not reason:
            print(f"{path}:1: no {test}, and no reason in {untested}")
        else:
            continue
        n_failed += 1
    for name, (number, _) in reasons.items():
        print(f"{untested}:{number}: there is no {name}")
    return n_failed + len(reasons) > 0


sys.exit(main())
