#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""No function is longer than 70 lines. The code is clang-formatted: a body stands between a line
that is "{" and a line that is "}"."""
import pathlib
import re
import sys

MAX_LINES = 70
NAME = re.compile(r"(\w+)\(")


def functions(lines):
    """Yields (name, line number of the head, lines from the head to the closing brace)."""
    head = opened = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            opened = number
        elif line == "}" and opened:
            name = NAME.search(lines[head - 1]) if head else None
            yield name[1] if name else "?", head or opened, number - (head or opened) + 1
            head = opened = None
        elif opened is None:
            if line and line[0] not in " \t#/})" and "(" in line:
                head = number
            elif not line:
                head = None


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    n_failed = 0
    for folder in ("src", "tests/sim"):
        for path in sorted((root / folder).rglob("*.[ch]")):
            for name, number, length in functions(path.read_text().splitlines()):
                if length > MAX_LINES:
                    print(f"{path}:{number}: {name}() has {length} lines, {MAX_LINES} are allowed")
                    n_failed += 1
    return n_failed > 0


sys.exit(main())
