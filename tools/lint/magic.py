#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The values of the *_MAGIC macros are unique: two types never pass for one another."""
import pathlib
import re
import sys

MAGIC = re.compile(r"#define\s+(\w+_MAGIC)\s+\(?(0[xX][0-9a-fA-F]+|\d+)[uUlL]*\)?")


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    seen, n_failed = {}, 0
    for path in sorted((root / "src").rglob("*.[ch]")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            found = MAGIC.match(line)
            if not found:
                continue
            value = int(found[2], 0)
            if value in seen:
                print(f"{path}:{number}: {found[1]} has the value of {seen[value]}")
                n_failed += 1
            seen.setdefault(value, found[1])
    return n_failed > 0


sys.exit(main())
