"""How is the door reached on one box? Over its Unix socket, by whoever may open it."""

from pathlib import Path
from typing import Final

import httpx2

from serving.door.wire import DoorStatus

CONNECT_SECONDS: Final = 2.0


def door_client(socket: Path) -> httpx2.AsyncClient:
    """Return a client whose every request goes to this door. Share one per process; close it when the process ends."""
    transport = httpx2.AsyncHTTPTransport(
        uds=str(socket), trust_env=False, limits=httpx2.Limits(max_connections=None, max_keepalive_connections=32)
    )
    return httpx2.AsyncClient(transport=transport, base_url="http://door", trust_env=False)


async def read_door_status(socket: Path) -> DoorStatus | None:
    """Ask the door which hosted lanes are on; None when there is none, or none that makes sense."""
    async with door_client(socket) as client:
        try:
            response = await client.get("/status", timeout=CONNECT_SECONDS)
            return DoorStatus.model_validate_json(response.content)
        except (httpx2.HTTPError, ValueError):
            return None
