# SPDX-License-Identifier: Apache-2.0
"""Engines that run containers for real: Debian's docker.io and podman, each with data and a socket of its own,
and an image made of busybox-static."""
import os
import shutil
import subprocess
from pathlib import Path

from harness import PATIENCE, Process, wait_until


class NoEngine(Exception):
    """What an engine or a first container of it says where neither may run, as in many a container."""


class RealEngine:
    """Serves containers on the machine's network, without rules for packets."""

    def __init__(self, folder):
        self.folder, self.names, self.daemon = folder, [], None
        try:
            self.start()
            self.make_image()
            self.call("run", "--rm", "--network=host", "tiny", "/bin/busybox", "true")
        except (AssertionError, subprocess.TimeoutExpired) as error:
            self.stop()
            raise NoEngine(str(error).strip().splitlines()[-1]) from error

    def make_image(self):
        root = self.folder / "root"
        (root / "bin").mkdir(parents=True)
        (root / "www").mkdir()
        shutil.copy("/bin/busybox", root / "bin")
        (root / "bin" / "sh").symlink_to("busybox")
        packed = subprocess.run(["tar", "-C", root, "-c", "."], capture_output=True, check=True)
        self.call("import", "-", "tiny", stdin=packed.stdout)

    def call(self, *args, stdin=None):
        done = subprocess.run([*self.client, *map(str, args)], input=stdin, capture_output=True,
                              env=self.env, timeout=PATIENCE * 2)
        if done.returncode != 0:
            raise AssertionError(f"{self.client[0]} {args[0]}: {done.stderr.decode()}")
        return done.stdout.decode()

    def run(self, name, port, labels, *options):
        """A container that serves its name at a port of the machine's."""
        flags = [f"--label={key}={value}" for key, value in labels.items()]
        self.names.append(name)
        self.call("run", "-d", "--name", name, "--network=host", *flags, *options, "tiny", "/bin/sh",
                  "-c", f"echo {name} > /www/index.html && "
                        f"exec /bin/busybox httpd -f -p 127.0.0.1:{port} -h /www")

    def remove(self, *names):
        self.call("rm", "-f", *self.at_once, *names)

    def stop(self):
        if self.names:
            self.remove(*self.names)
        if self.daemon:
            self.daemon.end()
        # Engines leave layers of images and networks mounted; what lies below comes first.
        left = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()
                if line.split()[4].startswith(f"{self.folder}/")]
        for place in reversed(left):
            subprocess.run(["umount", place], check=True, timeout=PATIENCE)


class Docker(RealEngine):
    programs, at_once = ("dockerd", "docker"), ()

    def start(self):
        socket = f"unix://{self.folder}/docker.sock"
        self.env, self.endpoint = None, socket
        self.client = ["/usr/bin/docker", "-H", socket]
        self.daemon = Process([
            "dockerd", "--data-root", f"{self.folder}/data", "--exec-root", f"{self.folder}/exec",
            "--pidfile", f"{self.folder}/pid", "--host", socket,
            "--storage-driver", "vfs", "--iptables=false", "--ip6tables=false", "--bridge=none"])
        self.daemon.wait_line("API listen on", self.daemon.err)

    def check_health(self, name):
        """It checks by itself."""


class Podman(RealEngine):
    programs, at_once = ("podman",), ("-t", "0")

    def start(self):
        # Limits that a test machine may not allow to be raised; no systemd, which may not be there; and
        # not crun, which wants one version of cgroups alone.
        (self.folder / "containers.conf").write_text(
            '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n'
            '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\nruntime = "runc"\n')
        socket = f"unix://{self.folder}/podman.sock"
        self.env = {**os.environ, "CONTAINERS_CONF": f"{self.folder}/containers.conf"}
        self.endpoint = socket
        self.client = ["podman", "--remote", "--url", socket]
        self.daemon = Process([
            "podman", "--root", f"{self.folder}/data", "--runroot", f"{self.folder}/run",
            "--tmpdir", f"{self.folder}/tmp", "--storage-driver", "vfs",
            "system", "service", "--time=0", socket], env=self.env)
        wait_until((self.folder / "podman.sock").exists, "Podman's socket")

    def check_health(self, name):
        """Timers of systemd would do it."""
        subprocess.run([*self.client, "healthcheck", "run", name], env=self.env, timeout=PATIENCE * 2,
                       capture_output=True)
