"""Three machines on one box: network namespaces for the private node, the door and a provider, joined by virtual cables.

The private node has a cable to the provider, plugged in and up, as a machine in the same rack would; what it lacks is an address and a
route on it. The door has both. So what the private node's end of that cable has sent is a count, not an opinion.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

PROVIDER_ADDRESS: Final = "10.77.1.2"
_DOOR_ADDRESS: Final = "10.77.1.1"


@dataclass(frozen=True)
class Rack:
    """The names of the namespaces, and of the ends of the two cables that lead to the provider."""

    private: str
    door: str
    provider: str
    private_cable: str = "to-provider"
    door_cable: str = "to-provider"

    @staticmethod
    def inside(namespace: str, command: Sequence[str]) -> list[str]:
        """Return a command that runs another one in a namespace. It becomes that other one: same process, same parent."""
        return ["ip", "netns", "exec", namespace, *command]

    def packets_sent(self, namespace: str) -> int:
        """Return how many packets a machine has put on its cable to the provider, by the kernel's own counter."""
        read = self.inside(namespace, ["cat", "/sys/class/net/to-provider/statistics/tx_packets"])
        return int(subprocess.run(read, check=True, capture_output=True, text=True).stdout)


def why_not() -> str | None:
    """Return why no namespaces can be made here; None when they can."""
    if shutil.which("ip") is None:
        return "the program `ip` (Debian's iproute2) is not installed"
    name = f"lane-probe-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True, text=True)
    if made.returncode != 0:
        return f"network namespaces are not permitted here ({made.stderr.strip()})"
    subprocess.run(["ip", "netns", "del", name], check=True)
    return None


@contextmanager
def rack() -> Iterator[Rack]:
    """Put up three machines and two cables; take them down again."""
    names = [f"lane-{os.getpid()}-{role}" for role in ("private", "door", "provider")]
    made = Rack(*names)
    try:
        for name in names:
            _ip("netns", "add", name)
            # Neighbour discovery would send packets of its own.
            _run(Rack.inside(name, ["sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6"]))
            _ip("-n", name, "link", "set", "lo", "up")
        for name, far_end in ((made.private, "private"), (made.door, "door")):
            cable = ("type", "veth", "peer", "name", far_end, "netns", made.provider)
            _ip("-n", name, "link", "add", "to-provider", *cable)
            _ip("-n", name, "link", "set", "to-provider", "up")
            _ip("-n", made.provider, "link", "set", far_end, "up")
        _ip("-n", made.door, "address", "add", f"{_DOOR_ADDRESS}/24", "dev", "to-provider")
        _ip("-n", made.provider, "address", "add", f"{PROVIDER_ADDRESS}/24", "dev", "door")
        yield made
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def _ip(*arguments: str) -> None:
    _run(["ip", *arguments])


def _run(command: Sequence[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)
