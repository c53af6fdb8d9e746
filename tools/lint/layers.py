#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A layer includes itself and what src/LAYERS lists before it; nothing beside or above."""
import pathlib
import re
import sys

INCLUDE = re.compile(r'\s*#\s*include\s+"([^"]+)"')


def read_ranks(path):
    ranks = {}
    for rank, line in enumerate(path.read_text().splitlines()):
        for name in [] if line.startswith("#") else line.split():
            ranks[name] = rank
    return ranks


def complaint(layer, target, ranks):
    first = target.split("/")[0]
    if "/" not in target or first not in ranks:
        return f'"{target}" does not begin with a layer of src/LAYERS'
    if first != layer and ranks[first] >= ranks[layer]:
        where = "beside" if ranks[first] == ranks[layer] else "above"
        return f'{layer} includes "{target}", which stands {where} it'
    return None


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    ranks = read_ranks(root / "src/LAYERS")
    n_failed = 0
    for folder in sorted(p for p in (root / "src").iterdir() if p.is_dir()):
        if folder.name not in ranks:
            print(f"{folder}:1: the folder is no layer of src/LAYERS")
            n_failed += 1
            continue
        for path in sorted(folder.rglob("*.[ch]")):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                found = INCLUDE.match(line)
                why = found and complaint(folder.name, found[1], ranks)
                if why:
                    print(f"{path}:{number}: {why}")
                    n_failed += 1
    return n_failed > 0


sys.exit(main())
