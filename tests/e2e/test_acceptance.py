# SPDX-License-Identifier: Apache-2.0
"""docs/acceptance.md says the truth: what is done has tests that carry the id, and names them all."""
import ast
import re

from harness import ROOT


def carried_ids():
    found = {}
    for path in sorted((ROOT / "tests" / "e2e").glob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for check in re.findall(r"\bS[0-4]-\d+\b", ast.get_docstring(node) or ""):
                    found.setdefault(check, set()).add(f"{path.name}::{node.name}")
    return found


def test_the_page_names_the_tests_of_each_check():
    rows = re.findall(r"^\| (S[0-4]-\d+) \| .* \| (done|later.*?) \| (.*) \|$",
                      (ROOT / "docs" / "acceptance.md").read_text(), re.M)
    found = carried_ids()
    assert len(rows) == len(set(row[0] for row in rows)) > 100
    assert set(found) <= set(row[0] for row in rows)
    for check, state, names in rows:
        assert set(re.findall(r"`([^`]+::[^`]+)`", names)) == found.get(check, set()), check
        assert state != "done" or check in found, f"{check} is done by no test"
