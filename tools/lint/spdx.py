#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every source file states its licence in its first line, or in its second below a "#!"."""
import pathlib
import sys

SUFFIXES = {".c", ".h", ".S", ".py", ".sh", ".js", ".css"}
NAMES = {"meson.build"}
FOLDERS = ["src", "tests", "tools", "web", "packaging"]
LINE = "SPDX-License-Identifier: Apache-2.0"


def is_licensed(path):
    lines = path.read_text(errors="replace").splitlines()[:2]
    if lines and lines[0].startswith("#!"):
        lines = lines[1:]
    return bool(lines) and LINE in lines[0]


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    paths = [p for folder in FOLDERS for p in sorted((root / folder).rglob("*")) if p.is_file()]
    paths = [p for p in paths if p.suffix in SUFFIXES or p.name in NAMES]
    missing = [p for p in paths if "corpus" not in p.parts and not is_licensed(p)]
    for path in missing:
        print(f"{path}:1: the SPDX line is missing")
    return len(missing) > 0


sys.exit(main())
