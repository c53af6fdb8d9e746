# SPDX-License-Identifier: Apache-2.0
"""The same against a real engine: Debian's docker.io, with containers of busybox on the machine's network."""
import os
import shutil
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from harness import PATIENCE, Process, Proxy, free_ports, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("dockerd")
                                or not Path("/bin/busybox").exists(),
                                reason="needs root, docker.io and busybox-static")


class NoEngine(Exception):
    """What dockerd or a first container of it says where neither may run, as in many a container."""


class Docker:
    """An engine of its own: its data, its socket, no bridge and no rules for packets."""

    def __init__(self, folder):
        self.folder, self.names = folder, []
        self.daemon = Process([
            "dockerd", "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec",
            "--pidfile", f"{folder}/pid", "--host", f"unix://{folder}/docker.sock",
            "--storage-driver", "vfs", "--iptables=false", "--ip6tables=false", "--bridge=none"])
        try:
            self.daemon.wait_line("API listen on", self.daemon.err)
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
        done = subprocess.run(["/usr/bin/docker", "-H", f"unix://{self.folder}/docker.sock",
                               *map(str, args)], input=stdin, capture_output=True,
                              timeout=PATIENCE * 2)
        if done.returncode != 0:
            raise AssertionError(f"docker {args[0]}: {done.stderr.decode()}")
        return done.stdout.decode()

    def run(self, name, port, labels, *options):
        """A container that serves its name at a port of the machine's."""
        flags = [f"--label={key}={value}" for key, value in labels.items()]
        self.names.append(name)
        self.call("run", "-d", "--name", name, "--network=host", *flags, *options, "tiny", "/bin/sh",
                  "-c", f"echo {name} > /www/index.html && "
                        f"exec /bin/busybox httpd -f -p 127.0.0.1:{port} -h /www")

    def stop(self):
        if self.names:
            self.call("rm", "-f", *self.names)
        self.daemon.end()
        # The network of the machine, which the daemon leaves mounted.
        subprocess.run(["umount", self.folder / "exec" / "netns" / "default"], check=True,
                       timeout=PATIENCE)


@pytest.fixture(scope="module")
def docker():
    folder = Path(tempfile.mkdtemp(prefix="sallyport-dockerd-"))
    try:
        engine = Docker(folder)
        yield engine
        engine.stop()
    except NoEngine as error:
        pytest.skip(f"containers can't be run here: {error}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def proxy(docker, tmp_path_factory):
    made = Proxy(tmp_path_factory.mktemp("proxy"),
                 f"providers: {{ docker: 'unix://{docker.folder}/docker.sock' }}\n")
    yield made
    made.stop()


def wait_for(proxy, host, status):
    return wait_until(lambda: proxy.get(host=host).status == status, f"{status} from {host}")


def test_a_real_container_becomes_a_site(docker, proxy):
    """S0-3, S0-4, S0-22: a container comes, gets a replica, stops, comes back and is removed."""
    one, two = free_ports(2)
    labels = {"sallyport.site": "real.example"}
    docker.run("one", one, {**labels, "sallyport.to": one})
    wait_for(proxy, "real.example", 200)
    docker.run("two", two, {**labels, "sallyport.to": two})
    wait_until(lambda: len({proxy.get(host="real.example").text for _ in range(4)}) == 2, "both")
    got = Counter(proxy.get(host="real.example").text.strip() for _ in range(10))
    assert got == {"one": 5, "two": 5}
    docker.call("stop", "-t", "0", "one", "two")
    wait_for(proxy, "real.example", 503)
    docker.call("start", "one")
    wait_for(proxy, "real.example", 200)
    docker.call("rm", "-f", "one")
    wait_for(proxy, "real.example", 503)
    docker.names.remove("one")


def test_health_of_a_real_container_counts(docker, proxy):
    [port] = free_ports(1)
    docker.run("checked", port, {"sallyport.site": "checked.example", "sallyport.to": port},
               "--health-cmd=test -f /www/well", "--health-interval=1s", "--health-retries=1",
               "--health-timeout=20s")
    wait_for(proxy, "checked.example", 503)
    docker.call("exec", "checked", "/bin/busybox", "touch", "/www/well")
    wait_for(proxy, "checked.example", 200)
