"""How does an answer come back through the door? Event by event; its end only once the ledger holds it; never for a client that is gone."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from router.errors import EvidenceUnavailable, LaneMisbehaved, RouterError
from router.lane import Departed, LaneEvent, Stop, Usage
from serving.door.door import Door
from serving.door.guard import Allow
from serving.door.ledger import Intent, Outcome
from serving.door.wire import NDJSON, encode_error, encode_events


@dataclass(slots=True)
class _Seen:
    """What of an answer goes into the ledger."""

    stop: Stop | None = None
    usage: Usage | None = None

    def outcome(self, intent: str, ended: str, because: str = "") -> Outcome:
        """Return the ledger's last word on a send."""
        return Outcome(
            intent=intent,
            ended=ended,
            because=because,
            model_version=self.stop.model_version if self.stop else None,
            input_tokens=self.usage.input_tokens if self.usage else None,
            output_tokens=self.usage.output_tokens if self.usage else None,
        )


class Relay(Response):
    """The response to one send whose intent is on disk: `Departed`, the provider's events, the end or the error."""

    media_type = NDJSON

    def __init__(self, door: Door, allowed: Allow, body: bytes, intent: Intent, entry: str) -> None:
        """Take the ledger's `entry` for the intent; nothing is sent before the response is called."""
        super().__init__(status_code=200)
        del self.headers["content-length"]
        self._door, self._allowed, self._body, self._intent, self._entry = door, allowed, body, intent, entry

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with asyncio.TaskGroup() as tasks:
            leaving = tasks.create_task(_client_gone(receive))
            forwarding = tasks.create_task(self._forward(send, leaving))
            self._door.under_way(forwarding)
            forwarding.add_done_callback(lambda _: leaving.cancel())
            leaving.add_done_callback(lambda _: forwarding.cancel())

    async def _forward(self, send: Send, leaving: asyncio.Task[None]) -> None:
        """Send, relay, record. Catches every exception of the sender's, because the ledger must hold how each send ended."""
        seen = _Seen()
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await self._relay(send, seen)
            last: RouterError | Stop = seen.stop or LaneMisbehaved(self._intent.lane, "the answer has no end")
        except asyncio.CancelledError:
            # Handed over, not awaited: this task is being torn down, the ledger's thread is not.
            gone = leaving.done() and not leaving.cancelled()
            why = "the client went away" if gone else "the door was closed"
            self._door.write(self._door.ledger.record, seen.outcome(self._entry, "cancelled", why))
            raise
        except RouterError as error:
            last = error
        except Exception as error:  # noqa: BLE001
            last = LaneMisbehaved(self._intent.lane, f"the door failed ({type(error).__name__})")
        await _line(send, await self._end(seen, last), more=False)

    async def _relay(self, send: Send, seen: _Seen) -> None:
        departed = Departed(
            provider=self._intent.provider,
            body_sha256=self._intent.body_sha256,
            body_bytes=self._intent.body_bytes,
            permit_nonce=self._intent.permit_nonce,
            ledger_entry=self._entry,
        )
        await _line(send, encode_events((departed,)))
        stream = self._door.sender.stream(self._allowed.lane, self._allowed.hosted, self._body)
        async with aclosing(stream) as batches:
            async for batch in batches:
                passed: list[LaneEvent] = []
                for event in batch:
                    match event:
                        case Stop():
                            seen.stop = event
                            continue
                        case Usage():
                            seen.usage = event
                        case _:
                            pass
                    passed.append(event)
                if passed:
                    await _line(send, encode_events(passed))

    async def _end(self, seen: _Seen, last: RouterError | Stop) -> bytes:
        """Record the end; return its line. An end that can't be recorded is none."""
        outcome = (
            seen.outcome(self._entry, "answered", last.reason)
            if isinstance(last, Stop)
            else seen.outcome(self._entry, last.code, str(last))
        )
        try:
            await self._door.write(self._door.ledger.record, outcome)
        except EvidenceUnavailable as error:
            return encode_error(error)
        return encode_events((last,)) if isinstance(last, Stop) else encode_error(last)


async def _line(send: Send, line: bytes, *, more: bool = True) -> None:
    message: dict[str, Any] = {"type": "http.response.body", "body": line, "more_body": more}
    await send(message)


async def _client_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
