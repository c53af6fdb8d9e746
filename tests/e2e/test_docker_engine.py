# SPDX-License-Identifier: Apache-2.0
"""The same against real engines, Docker and Podman, with containers of busybox on the machine's network."""
import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from harness import Proxy, free_ports, wait_until
from real_engines import Docker, NoEngine, Podman

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not Path("/bin/busybox").exists(),
                                reason="needs root and busybox-static")


@pytest.fixture(scope="module", params=[Docker, Podman], ids=lambda kind: kind.__name__)
def engine(request):
    missing = [p for p in request.param.programs if not shutil.which(p)]
    if missing:
        pytest.skip(f"needs {missing[0]}")
    folder = Path(tempfile.mkdtemp(prefix="sallyport-engine-"))
    try:
        made = request.param(folder)
        yield made
        made.stop()
        assert str(folder) not in Path("/proc/self/mountinfo").read_text()
    except NoEngine as error:
        pytest.skip(f"containers can't be run here: {error}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def proxy(engine, tmp_path_factory):
    made = Proxy(tmp_path_factory.mktemp("proxy"), f"providers: {{ docker: '{engine.endpoint}' }}\n")
    yield made
    made.stop()


def wait_for(proxy, host, status):
    return wait_until(lambda: proxy.get(host=host).status == status, f"{status} from {host}")


def test_a_real_container_becomes_a_site(engine, proxy):
    """S0-3, S0-4, S0-22: a container comes, gets a replica, stops, comes back and is removed."""
    one, two = free_ports(2)
    labels = {"sallyport.site": "real.example"}
    engine.run("one", one, {**labels, "sallyport.to": one})
    wait_for(proxy, "real.example", 200)
    engine.run("two", two, {**labels, "sallyport.to": two})
    wait_until(lambda: len({proxy.get(host="real.example").text for _ in range(4)}) == 2, "both")
    got = Counter(proxy.get(host="real.example").text.strip() for _ in range(10))
    assert got == {"one": 5, "two": 5}
    engine.call("stop", "-t", "0", "one", "two")
    wait_for(proxy, "real.example", 503)
    engine.call("start", "one")
    wait_for(proxy, "real.example", 200)
    engine.remove("one")
    wait_for(proxy, "real.example", 503)
    engine.names.remove("one")


def test_health_of_a_real_container_counts(engine, proxy):
    [port] = free_ports(1)
    interval = "disable" if isinstance(engine, Podman) else "1s"
    engine.run("checked", port, {"sallyport.site": "checked.example", "sallyport.to": port},
               "--health-cmd=test -f /www/well", f"--health-interval={interval}",
               "--health-retries=1", "--health-timeout=20s")
    wait_for(proxy, "checked.example", 503)
    engine.call("exec", "checked", "/bin/busybox", "touch", "/www/well")
    engine.check_health("checked")
    wait_for(proxy, "checked.example", 200)
