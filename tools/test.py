#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Builds in every way that is tested and runs all tests; ends with 'N passed, N failed'.

Steps, cheapest first:
  debug    gcc, assertions of debug builds: lint, unit, fuzz corpora, simulation
  asan     clang, address and undefined-behaviour sanitizers: unit, fuzz corpora, simulation, e2e
  tsan     clang, thread sanitizer: unit tests of what has threads, e2e of processes and logs
  release  gcc as shipped: simulation, e2e of what moves bytes
The simulation's scenarios run in the first two, and its random worlds in all three: 100, 300, 2000.
A step's name as argument runs that step alone.
"""
import json
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What the keeper and commands do beside the traffic, which waits for peers rather than for itself:
# tested with sanitizers, and not once more as shipped.
CONTROL_SIDE = ["acme", "cert_commands", "doctor", "on_demand", "import", "docker", "traefik",
                "command", "completion", "manual", "api", "top", "metrics", "tracing", "systemd", "docs",
                "masking", "log_targets", "operations"]
SANITIZED = ["--buildtype=debugoptimized", "-Db_lundef=false", "-Dwerror=true"]
STEPS = {
    "debug": {"cc": "gcc", "setup": ["--buildtype=debug", "-Dwerror=true"],
              "suites": ["lint", "unit", "fuzz"], "sim": ["--seeds", "100"], "e2e": []},
    "asan": {"cc": "clang", "setup": [*SANITIZED, "-Db_sanitize=address,undefined"],
             "suites": ["unit", "fuzz"], "sim": ["--seeds", "300", "--first", "1000"],
             "e2e": ["tests/e2e"]},
    "tsan": {"cc": "clang", "setup": [*SANITIZED, "-Db_sanitize=thread"],
             "suites": ["threads"], "sim": [],
             "e2e": ["tests/e2e/test_processes.py", "tests/e2e/test_logs.py",
                     "tests/e2e/test_drain.py", "tests/e2e/test_promises_reload.py"]},
    "release": {"cc": "gcc",
                "setup": ["--buildtype=debugoptimized", "-Db_lto=true", "-Dwerror=true"],
                "suites": [], "sim": ["--seeds", "2000", "world"],
                "e2e": ["tests/e2e", *(f"--ignore-glob=*/test_{name}*.py" for name in CONTROL_SIDE)]},
}
E2E_AT_ONCE = "4"  # they wait most of the time
UNSTEADY_MAX = 5   # failures of one step that are tried again
total = {"passed": 0, "failed": 0}


def say(text):
    print(f"== {text}", flush=True)


def results(path):
    """Name of a test, in pytest's form where it is pytest's, and whether it passed."""
    for case in ET.parse(path).getroot().iter("testcase"):
        bad = case.find("failure") is not None or case.find("error") is not None
        yield f"{case.get('classname')}::{case.get('name')}", not bad


def count(path, forgiven=()):
    """Adds the results of a JUnit file; tells the names of what failed."""
    for name, is_fine in results(path):
        is_fine |= name in forgiven
        total["passed" if is_fine else "failed"] += 1
        if not is_fine:
            print(f"FAILED {name}", flush=True)


def targets_of(folder, step):
    """What the step runs: to link everything in every way would take longer than the tests."""
    done = subprocess.run(["meson", "introspect", "--tests", "--targets", folder], capture_output=True,
                          text=True, check=True)
    found = json.loads(done.stdout)
    files = {str(Path(f).relative_to(folder)) for t in found["targets"] for f in t["filename"]
             if Path(f).is_relative_to(folder)}
    wanted = {"sallyport"}
    for test in found["tests"]:
        if {s.split(":")[-1] for s in test["suite"]} & set(step["suites"]):
            wanted |= {str(Path(arg).relative_to(folder)) for arg in test["cmd"]
                       if Path(arg).is_absolute() and Path(arg).is_relative_to(folder)}
    if step["sim"]:
        wanted.add("tests/sim/sim")
    if step["e2e"]:
        wanted |= {"tests/e2e/inject", "tests/tools/acme_driver"}
    return sorted(wanted & files)


def build(name, step):
    folder = ROOT / "build" / name
    env = dict(os.environ, CC=step["cc"])
    if not (folder / "build.ninja").exists():
        done = subprocess.run(["meson", "setup", folder, *step["setup"]], cwd=ROOT, env=env,
                              capture_output=True, text=True)
        if done.returncode:
            print(done.stdout[-4000:], done.stderr[-4000:])
            return False
    # First what an older folder doesn't know yet: tests that came since.
    subprocess.run(["ninja", "-C", folder, "build.ninja"], capture_output=True, check=False)
    done = subprocess.run(["ninja", "-C", folder, *targets_of(folder, step)], capture_output=True,
                          text=True)
    if done.returncode:
        print(done.stdout[-8000:])
    return done.returncode == 0


def run_meson(folder, suites):
    args = [arg for suite in suites for arg in ("--suite", suite)]
    report = folder / "meson-logs" / "testlog.junit.xml"
    report.unlink(missing_ok=True)
    done = subprocess.run(["meson", "test", "-C", folder, "--no-rebuild", "--print-errorlogs", *args],
                          capture_output=True, text=True)
    if done.returncode:
        print(done.stdout[-12000:])
    if report.exists():
        count(report)
    elif done.returncode:
        total["failed"] += 1


def run_sim(folder, args):
    """Counts its lines of TAP. Of what fails it tells everything: the seed, and its log of events."""
    done = subprocess.run([folder / "tests" / "sim" / "sim", *args], capture_output=True, text=True,
                          errors="replace")
    lines = done.stdout.splitlines()
    passed = sum(line.startswith("ok ") for line in lines)
    failed = sum(line.startswith("not ok ") for line in lines)
    total["passed"] += passed
    total["failed"] += max(failed, done.returncode != 0)
    if done.returncode:
        shown = [line for line in lines if not line.startswith("ok ")]
        print("\n".join(["FAILED simulation", *shown[-4000:]]), done.stderr[-8000:], flush=True)


def run_pytest(folder, report, args):
    report.unlink(missing_ok=True)
    env = dict(os.environ, SALLYPORT=str(folder / "sallyport"))
    done = subprocess.run(["/usr/bin/python3", "-m", "pytest", "-q", "--timeout=120",
                           f"--junitxml={report}", *args],
                          cwd=ROOT, env=env, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout[-12000:], done.stderr[-2000:], flush=True)
    return report.exists()


def unsteady_of(folder, report):
    """Those of the few that failed which pass twice alone: told loudly, since each is a fault of
    the test or of the program that only shows on a busy machine. Many failures are no accident."""
    failed = [name for name, is_fine in results(report) if not is_fine]
    if not 0 < len(failed) <= UNSTEADY_MAX:
        return set()
    files = {str(path.relative_to(ROOT).with_suffix("")).replace("/", "."): path
             for path in (ROOT / "tests/e2e").glob("*.py")}
    ids = {}
    for name in failed:
        module, test = name.split("::", 1)
        if module in files:
            ids[name] = f"{files[module]}::{test}"
    passed = set(ids)
    for _ in range(2):
        again = folder / "e2e-again.xml"
        if not passed or not run_pytest(folder, again, [ids[name] for name in sorted(passed)]):
            return set()
        passed &= {name for name, is_fine in results(again) if is_fine}
    for name in sorted(passed):
        print(f"UNSTEADY {name}: failed among the others, passed twice alone", flush=True)
    return passed


def run_e2e(folder, tests):
    report = folder / "e2e.xml"
    if run_pytest(folder, report, ["-n", E2E_AT_ONCE, *tests]):
        count(report, unsteady_of(folder, report))
    else:
        total["failed"] += 1


def main():
    wanted = sys.argv[1:] or list(STEPS)
    for name in wanted:
        step = STEPS[name]
        began = time.monotonic()
        say(f"{name}: building with {step['cc']}")
        if not build(name, step):
            say(f"{name}: does not build")
            total["failed"] += 1
            continue
        say(f"{name}: built in {time.monotonic() - began:.0f} s, testing")
        folder = ROOT / "build" / name
        if step["suites"]:
            run_meson(folder, step["suites"])
        if step["sim"]:
            run_sim(folder, step["sim"])
        if step["e2e"]:
            run_e2e(folder, step["e2e"])
        say(f"{name}: done after {time.monotonic() - began:.0f} s")
    print(f"{total['passed']} passed, {total['failed']} failed", flush=True)
    return 1 if total["failed"] or not total["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
