"""May this machine read from the source now? In a cluster a few may at a time, replicas and `lane models fetch` counted together.

A machine of no cluster, or of one whose Ray does not answer (it is being set up, say), reads at once: nobody could be asked.
"""

import threading
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

from rich.console import Console

from cli.model_folders import say
from cli.nodes import SLASH, enter_ray
from models.weights.slots import LEASE_SECONDS

AT_ONCE: Final = 4
"""As a replica's start (`serving.private.weights.WeightsPolicy`); whoever comes first in a cluster settles the number."""
_ASK_AGAIN_SECONDS: Final = 1.0


class Places(Protocol):
    """Whoever gives out the places: the cluster's keeper."""

    def ask(self, holder: str) -> bool:
        """Give `holder` a place, or let it keep its own; False: ask again."""
        ...

    def give_back(self, holder: str) -> None:
        """Take `holder`'s place back."""
        ...


@contextmanager
def place_at_source(holder: str, root: Path = SLASH) -> Generator[None]:
    """Hold one of the cluster's places while weights are read; wait for it first. `root`: below which this node's files lie."""
    from cluster.nodes.errors import NotSetUp, RayRefused
    from cluster.nodes.ray_cluster import connected

    try:
        address, own = enter_ray(root)
    except (NotSetUp, OSError):  # No node of a cluster, or one whose files are not ours to read.
        yield
        return
    from serving.private.weights import ClusterPlaces

    with ExitStack() as stack:
        try:
            stack.enter_context(connected(address, own))
            stack.enter_context(held(ClusterPlaces(AT_ONCE), holder))
        except RayRefused as error:
            say(f"reading without asking the cluster for a place at the source: {error}")
        yield


@contextmanager
def held(places: Places, holder: str, ask_again_seconds: float = _ASK_AGAIN_SECONDS) -> Generator[None]:
    """Wait for a place, keep it by asking again, and give it back. Whoever dies gives it back by saying nothing."""
    if not places.ask(holder):
        with Console(stderr=True).status("waiting for a place at the source: other machines are reading from it"):
            while not places.ask(holder):
                time.sleep(ask_again_seconds)
    over = threading.Event()

    def renew() -> None:
        while not over.wait(LEASE_SECONDS / 3):
            with suppress(Exception):  # A keeper that is gone takes nothing from who is reading already.
                places.ask(holder)

    renewing = threading.Thread(target=renew, daemon=True)
    renewing.start()
    try:
        yield
    finally:
        over.set()
        renewing.join()
        with suppress(Exception):
            places.give_back(holder)
