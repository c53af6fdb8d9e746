# SPDX-License-Identifier: Apache-2.0
"""A systemd of our own as process 1 of namespaces: the machine's file system below an overlay that
forgets, no network but a loopback, and no unit but stubs and what a test brings. So the unit runs as
it will, hardening and all, also where systemd isn't process 1."""
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from harness import PATIENCE, wait_until

TARGETS = ["sysinit", "basic", "shutdown", "umount", "network-online", "nss-lookup", "sockets",
           "timers", "paths", "slices", "local-fs", "multi-user"]

# $1: a folder on this side. Ends as systemd; before that a failure means that it can't be done here.
SETUP = r"""
set -eu
mount -t tmpfs tmpfs "$1/fs"
mkdir "$1/fs/upper" "$1/fs/work" "$1/fs/root"
cd "$1/fs/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/fs/upper,workdir=$1/fs/work" .
cd "$1/fs/root"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount --bind proc/sys proc/sys
mount -o remount,ro,bind proc/sys
mount -t tmpfs tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do
    touch dev/$name
    mount --bind /dev/$name dev/$name
done
ln -s pts/ptmx dev/ptmx
rm -rf etc/systemd/system usr/lib/systemd/system-generators usr/lib/systemd/system
rm -rf etc/systemd/system-generators usr/lib/systemd/system-environment-generators
mkdir -p etc/systemd usr/lib/systemd/system
cp -r "$1/tree/." .
mkdir old
pivot_root . old
umount -l old
systemd-sysusers
systemd-tmpfiles --create --prefix=/etc/sallyport
exec env -i container=other PATH=/usr/local/bin:/usr/sbin:/usr/bin /lib/systemd/systemd --system \
    --unit=multi-user.target --log-target=null --show-status=no
"""


class Unable(Exception):
    """This machine has no room for a guest; says why."""


def make_cgroup():
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, kind = line.partition(" - ")
        if kind.startswith("cgroup2 "):
            folder = Path(fields.split()[4], f"sallyport-test-{os.getpid()}")
            try:
                folder.mkdir()
            except OSError as e:
                raise Unable(f"no control group: {e}") from e
            return folder
    raise Unable("no cgroup2 is mounted")


class Guest:
    def __init__(self, folder, installed):
        """installed: a tree of files to lay over this machine's, as of `make install DESTDIR=`."""
        if os.geteuid() != 0:
            raise Unable("needs root")
        if not Path("/lib/systemd/systemd").exists():
            raise Unable("systemd isn't installed")
        self.folder = folder
        (folder / "fs").mkdir()
        shutil.copytree(installed, folder / "tree", symlinks=True)
        for name in TARGETS:
            self.write(f"/usr/lib/systemd/system/{name}.target",
                       f"[Unit]\nDescription={name}\nDefaultDependencies=no\n")
        self.cgroup = make_cgroup()
        self.child = None

    def write(self, path, text):
        """A file of the guest, before or while it runs."""
        target = (self.root if getattr(self, "child", None) else self.folder / "tree") / path[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        new = target.with_name(target.name + ".new")
        new.write_text(text)
        new.rename(target)

    def boot(self):
        join = self.cgroup / "cgroup.procs"
        self.child = subprocess.Popen(
            ["sh", "-c", f"echo $$ > {join} && exec setpriv --pdeathsig KILL "
             "unshare --mount --pid --fork --uts --cgroup "
             '--net --ipc --kill-child --propagation private bash -c "$0" setup "$1"',
             SETUP, str(self.folder)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            wait_until(lambda: self.child.poll() is not None or self._is_up(), "the guest")
        except AssertionError as e:
            raise Unable("systemd doesn't come up here") from e
        if self.child.poll() is not None:
            raise Unable(self.child.stdout.read().strip()[-300:])

    def _is_up(self):
        children = Path(f"/proc/{self.child.pid}/task/{self.child.pid}/children").read_text()
        if not children.split():
            return False
        self.pid = int(children.split()[0])
        self.root = Path(f"/proc/{self.pid}/root")
        try:
            return self.pid and (self.root / "run/systemd/private").is_socket()
        except OSError:
            return False

    def run(self, *args, check=0):
        """Runs a command inside."""
        done = subprocess.run(["nsenter", "-t", str(self.pid), "--mount", "--pid", "--uts",
                               "--cgroup", "--net", "--ipc", "--root", "--wd", "--", *args],
                              capture_output=True, text=True, timeout=PATIENCE)
        if check is not None:
            assert done.returncode == check, (args, done.stdout + done.stderr)
        return done

    def get(self, url):
        return self.run("curl", "-s", "--max-time", "10", url, check=None).stdout

    def show(self, unit, prop):
        return self.run("systemctl", "show", "-P", prop, unit).stdout.strip()

    def end(self):
        if self.child and self.child.poll() is None:
            self.child.send_signal(signal.SIGKILL)
            self.child.wait()
            self.child.stdout.close()
        deadline = time.monotonic() + 5
        while self.cgroup.exists() and time.monotonic() < deadline:
            for folder in sorted(self.cgroup.rglob("*/"), reverse=True):
                remove(folder)
            remove(self.cgroup)
            time.sleep(0.01)


def remove(folder):
    """A control group's folder goes when its last process has."""
    try:
        folder.rmdir()
    except OSError:
        pass
