# SPDX-License-Identifier: Apache-2.0
"""Network namespaces on a bridge, with links of a set rate: a small cluster on one machine.

Every rank has a namespace with one veth interface; their other ends are ports of a bridge in a
namespace of its own, so nothing is added to the machine's own network. tbf limits both ends of each
pair: what a rank sends and what it receives. Addresses are the namespaces' own.
"""

import os
import shutil
import signal
import subprocess

PREFIX = "optinc-net"
INTERFACE = "link0"
SUBNET = "10.77.0"


class LinksError(Exception):
    """The namespaces cannot be made here; the text says why."""


def _run(*command, check=True):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if check and done.returncode != 0:
        raise LinksError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def _existing():
    """Namespaces of this harness by any process: (name, process id)."""
    for line in _run("ip", "netns", "list").splitlines():
        name = line.split()[0] if line else ""
        parts = name.split("-")
        if name.startswith(PREFIX + "-") and len(parts) == 4 and parts[2].isdigit():
            yield name, int(parts[2])


def _alive(process_id):
    return os.path.exists(f"/proc/{process_id}")


def _delete(name):
    for process_id in _run("ip", "netns", "pids", name, check=False).split():
        try:
            os.kill(int(process_id), signal.SIGKILL)  # in our namespace, so started by us
        except ProcessLookupError:
            pass
    _run("ip", "netns", "delete", name, check=False)


class Links:
    """`with Links(4, 1_000_000_000) as links:` the namespaces exist within the block."""

    def __init__(self, ranks, bits_per_second, queue_bytes=4 << 20):
        if not 2 <= ranks <= 200:
            raise LinksError(f"{ranks} ranks: 2 to 200 were expected")
        self.ranks = [f"{PREFIX}-{os.getpid()}-{rank}" for rank in range(ranks)]
        self.switch = f"{PREFIX}-{os.getpid()}-switch"
        self._rate = bits_per_second
        self._queue = queue_bytes

    @property
    def subnet(self):
        return f"{SUBNET}.0/24"

    def address(self, rank):
        return f"{SUBNET}.{rank + 1}"

    def __enter__(self):
        if os.geteuid() != 0:
            raise LinksError("network namespaces need root")
        for program in ("ip", "tc", "unshare"):
            if not shutil.which(program):
                raise LinksError(f"the program {program} is not here (iproute2, util-linux)")
        try:
            for name, process_id in _existing():
                if not _alive(process_id):
                    _delete(name)  # of a run that was killed
            self._make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception):
        for name, process_id in list(_existing()):
            if process_id == os.getpid():
                _delete(name)

    def _make(self):
        for name in [self.switch] + self.ranks:
            _run("ip", "netns", "add", name)
            _run("ip", "-n", name, "link", "set", "lo", "up")
        _run("ip", "-n", self.switch, "link", "add", "bridge0", "type", "bridge")
        _run("ip", "-n", self.switch, "addr", "add", f"{SUBNET}.254/24", "dev", "bridge0")
        _run("ip", "-n", self.switch, "link", "set", "bridge0", "up")
        for rank, name in enumerate(self.ranks):
            port = f"port{rank}"
            _run("ip", "-n", self.switch, "link", "add", port, "type", "veth", "peer", "name",
                 INTERFACE, "netns", name)
            _run("ip", "-n", self.switch, "link", "set", port, "master", "bridge0", "up")
            _run("ip", "-n", name, "addr", "add", f"{self.address(rank)}/24", "dev", INTERFACE)
            _run("ip", "-n", name, "link", "set", INTERFACE, "up")
            self._limit(self.switch, port)
            self._limit(name, INTERFACE)

    def _limit(self, namespace, interface):
        burst = max(128 << 10, self._rate // 8 // 1000)  # a millisecond, and a whole GSO packet
        _run("tc", "-n", namespace, "qdisc", "add", "dev", interface, "root", "tbf", "rate",
             f"{self._rate}bit", "burst", str(burst), "limit", str(self._queue + burst))
