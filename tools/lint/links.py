#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each relative link in a Markdown file leads to a file or folder that is there, and to a
heading of it when it names one."""
import pathlib
import re
import sys

FENCED = re.compile(r"^```.*?^```", re.M | re.S)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.*)$", re.M)
SKIPPED_FOLDERS = {"build", ".git"}


def anchors(path):
    """The names of a page's headings, as forges make them."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            for heading in HEADING.findall(path.read_text())}


def complaint(page, link):
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    if not target.exists():
        return f"there is no {target}"
    if anchor and target.suffix == ".md" and anchor not in anchors(target):
        return f"{target} has no heading '{anchor}'"
    return None


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    pages = [p for p in sorted(root.rglob("*.md"))
             if not SKIPPED_FOLDERS & set(p.relative_to(root).parts)]
    n_failed = 0
    for page in pages:
        # A fence is replaced by its line ends, so that the numbers of lines stay.
        text = FENCED.sub(lambda fence: "\n" * fence[0].count("\n"), page.read_text())
        for number, line in enumerate(text.splitlines(), 1):
            for link in LINK.findall(line):
                why = None if re.match(r"[a-z]+:", link) else complaint(page, link)
                if why:
                    print(f"{page}:{number}: {why}")
                    n_failed += 1
    return n_failed > 0


sys.exit(main())
