#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each header compiles alone: whoever includes it needs to include nothing before it."""
import concurrent.futures
import os
import pathlib
import subprocess
import sys

COMMAND = ["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-fsyntax-only", "-Wall", "-Wextra", "-Werror",
           "-Wno-unused-function", "-x", "c", "-"]


def check(root, path):
    run = subprocess.run(COMMAND + [f"-I{root / 'src'}", f"-I{root / 'tests'}"],
                         input=f'#include "{path.resolve()}"\n', capture_output=True, text=True)
    return f"{path}:1: does not compile alone\n{run.stderr}" if run.returncode else None


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    paths = [p for folder in ("src", "tests") for p in sorted((root / folder).rglob("*.h"))]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = [text for text in pool.map(lambda path: check(root, path), paths) if text]
    print("\n".join(found), end="")
    return len(found) > 0


sys.exit(main())
