"""How does the router ask a hosted model? It writes the exact bytes, signs a permit for them, and hands both to the door.

Nothing here can reach a provider: no key, no address, only the way to the door.
"""

import hashlib
import secrets
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Final

import httpx2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from router.bundle.files import Hosted, LaneSpec
from router.errors import LaneMisbehaved, LaneOverloaded, LaneTimeout, LaneUnreachable
from router.lane import LaneCall, LaneEvent, Stop
from router.permit import Permit, sign
from router.render import render
from serving.door.tls import router_context
from serving.door.wire import LANE_HEADER, NDJSON, PERMIT_HEADER, DoorStatus, decode_line
from serving.settings import Settings

LastLook = Callable[[LaneCall, bytes], Awaitable[None]]
"""See `serving.deep.last_look.look_again`."""
PERMIT_SECONDS: Final = 30
_CONNECT_SECONDS: Final = 2.0


_LIMITS: Final = httpx2.Limits(max_connections=None, max_keepalive_connections=32)


def door_client(socket: Path) -> httpx2.AsyncClient:
    """Return the client that all hosted lanes of a process share. Close it when the process ends."""
    # No TLS on a socket of this machine: without a context of our own, the client would read the system's authorities each time.
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    transport = httpx2.AsyncHTTPTransport(uds=str(socket), verify=nobody, trust_env=False, limits=_LIMITS)
    return httpx2.AsyncClient(transport=transport, base_url="http://door", trust_env=False)


def door_client_of(settings: Settings) -> httpx2.AsyncClient:
    """Return the client to this installation's door: over mTLS where it has an address, else at its socket. Raises `TlsUnusable`."""
    if settings.door is None:
        return door_client(settings.door_socket)
    context = router_context(settings.door_tls_folder)
    transport = httpx2.AsyncHTTPTransport(verify=context, trust_env=False, limits=_LIMITS)
    return httpx2.AsyncClient(transport=transport, base_url=settings.door, trust_env=False)


async def door_status(client: httpx2.AsyncClient) -> DoorStatus:
    """Ask the door which hosted lanes are on. Raises `LaneUnreachable` when there is no door, or none that makes sense."""
    try:
        response = await client.get("/status", timeout=_CONNECT_SECONDS)
        return DoorStatus.model_validate_json(response.content)
    except (httpx2.HTTPError, ValueError) as error:
        raise LaneUnreachable("hosted", "the door does not answer") from error


class HostedLane:
    """A lane whose model runs elsewhere: implements `router.lane.Lane` by way of the door."""

    def __init__(
        self,
        spec: LaneSpec,
        hosted: Hosted,
        client: httpx2.AsyncClient,
        private_key: Ed25519PrivateKey,
        now: Callable[[], float],
        last_look: LastLook,
    ) -> None:
        """Take a `client` made by `door_client`, the key that permits are signed with, and `now` in Unix seconds.

        `last_look` reads the exact bytes once more and raises when they may not go under the call's label.
        """
        self._spec, self._hosted, self._client, self._key, self._now = spec, hosted, client, private_key, now
        self._last_look = last_look

    async def stream(self, call: LaneCall) -> AsyncGenerator[tuple[LaneEvent, ...], None]:
        """Answer a call; the first event is the door's `Departed`. Closing the iterator closes the way to the provider too.

        Raises what `router.lane.Lane` says, `FoundBeforeLeaving` when the last look found what the label does not say, and
        `EvidenceUnavailable` when the door's ledger can't hold the end.
        """
        body = render(call, self._hosted)
        # INVARIANT: between these lines, so that the permit vouches for exactly the bytes that were read.
        await self._last_look(call, body)
        token = sign(self._permit(call, body), self._key)
        stopped = False
        async with aclosing(self._lines(token, body, call.deadline_seconds)) as lines:
            async for line in lines:
                events = decode_line(line, self._spec.name)
                stopped = stopped or any(isinstance(event, Stop) for event in events)
                yield events
        if not stopped:
            raise LaneMisbehaved(self._spec.name, "the door's answer was cut")

    def _permit(self, call: LaneCall, body: bytes) -> Permit:
        return Permit(
            trace_id=call.trace_id,
            attempt=call.attempt,
            org=call.org,
            lane=self._spec.name,
            region=self._hosted.region,
            label=call.label,
            risk_tier=call.risk_tier,
            attack=call.attack,
            harm=call.harm,
            redacted=call.redacted,
            bundle_hash=call.bundle_hash,
            body_sha256=hashlib.sha256(body).hexdigest(),
            expires_at=int(self._now()) + PERMIT_SECONDS,
            nonce=secrets.token_hex(16),
        )

    async def _lines(self, token: str, body: bytes, deadline_seconds: float) -> AsyncGenerator[bytes, None]:
        name = self._spec.name
        headers = {PERMIT_HEADER: token, LANE_HEADER: name, "Content-Type": "application/json"}
        timeout = httpx2.Timeout(deadline_seconds, connect=_CONNECT_SECONDS)
        try:
            async with self._client.stream("POST", "/send", content=body, headers=headers, timeout=timeout) as response:
                if not response.headers.get("content-type", "").startswith(NDJSON):
                    # The door's web server speaks for itself only when it takes no more connections.
                    raise LaneOverloaded(name, f"the door answered {response.status_code}")
                async for line in _split(response.aiter_bytes()):
                    yield line
        except httpx2.ConnectError as error:
            raise LaneUnreachable(name, "there is no door; `lane door` starts one") from error
        except httpx2.TimeoutException as error:
            raise LaneTimeout(name, "the door did not answer in time") from error
        except httpx2.HTTPError as error:
            raise LaneMisbehaved(name, "the door's answer was cut") from error


async def _split(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Yield whole lines. Splits at line feeds alone: a text may hold other characters that end lines. A last half line is dropped."""
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line
