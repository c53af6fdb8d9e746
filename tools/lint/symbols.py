#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads the undefined symbols of each layer's library: who may call what of the C library.
Usage: symbols.py BUILD_DIR"""
import fnmatch
import pathlib
import re
import subprocess
import sys

EVERYWHERE_FORBIDDEN = """strcpy strcat sprintf vsprintf gets atoi atol atoll strtol strtoll strtoul
    strtoull sscanf strtok system popen alloca gmtime localtime ctime asctime rand srand""".split()
HEAP = "malloc calloc realloc reallocarray free posix_memalign aligned_alloc strdup strndup".split()
SYSTEM = """socket accept accept4 connect bind listen read readv write writev recv recvfrom recvmsg
    send sendto sendmsg sendfile splice epoll_* poll ppoll select clock_gettime clock_nanosleep
    gettimeofday time nanosleep usleep sleep open openat close pipe pipe2 fork execve* mmap munmap
    getaddrinfo getrandom eventfd timerfd_* signalfd kill waitpid syscall""".split()
# glibc's names for the fortified and the dated versions of a function.
ALIAS = re.compile(r"^__(?:isoc\d\d_)?(\w+?)(?:_chk)?$")
# Layers that may use a family, and single exceptions with their reasons.
OWNERS = [(HEAP, {"base"}), (SYSTEM, {"rt"})]
EXCEPTIONS = {
    ("base", "write"): "a panic reports on stderr",
    ("keeper", "*"): "the control process opens files, sockets and processes by its nature",
    ("certs", "*"): "certificates in files; part of the control process, which has no loop of rt",
    ("acme", "*"): "a blocking client on a thread of the keeper's",
    ("discover", "close"): "the engine process takes over one descriptor, its order",
    ("discover", "poll"): "it waits for that before there is anything else to wait for",
    ("discover", "getaddrinfo"): "it resolves the engine's name once, before its sandbox",
    ("cli", "*"): "commands work with files and terminals",
}


def is_excepted(layer, symbol):
    return any(layer == l and fnmatch.fnmatch(symbol, s) for l, s in EXCEPTIONS)


def complaint(layer, symbol):
    if symbol in EVERYWHERE_FORBIDDEN:
        return "nobody may call it"
    for family, owners in OWNERS:
        is_member = any(fnmatch.fnmatch(symbol, pattern) for pattern in family)
        if is_member and layer not in owners and not is_excepted(layer, symbol):
            return f"only {', '.join(sorted(owners))} may call it"
    return None


def main():
    n_failed = 0
    for path in sorted(pathlib.Path(sys.argv[1]).glob("src/*/lib*.a")):
        text = subprocess.run(["nm", "--undefined-only", "-A", path], capture_output=True,
                              text=True, check=True).stdout
        for member, symbol in re.findall(r":(\S+?):\s+U (\w+)", text):
            why = complaint(path.parent.name, ALIAS.sub(r"\1", symbol))
            if why:
                print(f"{path}:{member}: {symbol}: {why}")
                n_failed += 1
    return n_failed > 0


sys.exit(main())
