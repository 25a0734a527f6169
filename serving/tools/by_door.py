"""How does the router have a tool called over HTTP? It signs a permit for the exact call and hands both to the door, as for a body."""

import hashlib
import secrets
from collections.abc import Callable
from typing import Final

import httpx2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from router.bundle.files import ToolFile
from router.errors import ToolFailed, ToolTimeout
from router.permit import Permit, sign
from router.tools import ToolUse
from serving.door.tool_guard import OUTSIDE, body_of, lane_of
from serving.door.tool_wire import JSON, decode
from serving.door.wire import LANE_HEADER, PERMIT_HEADER
from serving.tools.box import Answer

PERMIT_SECONDS: Final = 30
_CONNECT_SECONDS: Final = 2.0


class ByDoor:
    """Implements `serving.tools.box.Runner`. `client` is the one to the door; `now` gives Unix seconds."""

    def __init__(
        self, client: httpx2.AsyncClient, private_key: Ed25519PrivateKey, bundle_hash: str, now: Callable[[], float]
    ) -> None:
        self._client, self._key, self._bundle_hash, self._now = client, private_key, bundle_hash, now

    async def run(self, tool: ToolFile, use: ToolUse, seconds: float) -> Answer:
        """Have the door call a tool. Raises a `ToolError`; `ToolDenied` is the door's own no."""
        body = body_of(use.arguments_json, use.key)
        token = sign(self._permit(use, body), self._key)
        headers = {PERMIT_HEADER: token, LANE_HEADER: lane_of(use.tool), "Content-Type": JSON}
        timeout = httpx2.Timeout(seconds, connect=_CONNECT_SECONDS)
        try:
            response = await self._client.post("/tool", content=body, headers=headers, timeout=timeout)
        except httpx2.ConnectError as error:
            raise ToolFailed(tool.name, "there is no door; `lane door` starts one") from error
        except httpx2.TimeoutException as error:
            raise ToolTimeout(tool.name, f"no answer within {seconds:g} s") from error
        except httpx2.HTTPError as error:
            raise ToolFailed(tool.name, "the door's answer was cut") from error
        return decode(tool.name, response.content)

    def _permit(self, use: ToolUse, body: bytes) -> Permit:
        return Permit(
            trace_id=use.trace_id,
            attempt=use.attempt,
            org=use.org,
            lane=lane_of(use.tool),
            region=OUTSIDE,
            label=use.label,
            risk_tier=use.risk_tier,
            attack=use.attack,
            harm=use.harm,
            bundle_hash=self._bundle_hash,
            body_sha256=hashlib.sha256(body).hexdigest(),
            expires_at=int(self._now()) + PERMIT_SECONDS,
            nonce=secrets.token_hex(16),
        )
