"""What does a lane that redacts really get, and how does its answer come back?

The prompt is redacted with the conversation's own placeholders and scanned again as it stands; its placeholders are kept before anything is
sent. Where any of that fails, the lane is closed to this request.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from router.contract import Finding, Label, Redacted, Redacts, RouteRequest, Rung
from router.errors import LaneClosed, StateUnavailable
from router.labels import at_most
from router.lane import LaneCall
from router.ports import RedactionMaps
from router.prompt import prompt_messages
from router.redact import (
    AnswerRestorer,
    Hiding,
    Placeholders,
    PlaceholderTaken,
    Redaction,
    Scan,
    TooManyValues,
    findings_left,
    redact,
    scan_with,
)

_TRIES: Final = 3
"""Two requests of one session may give the same placeholder away at once: the second chooses again."""


@dataclass(frozen=True, slots=True)
class RedactedCall:
    """The call as it is sent, what restores its answer, and what is recorded of it."""

    call: LaneCall
    restorer: AnswerRestorer
    event: Redacted


@dataclass(frozen=True, slots=True)
class Redactor:
    """Redacts the calls of one request. `label_of` says what findings are worth; without `maps` no session can be named."""

    request: RouteRequest
    hiding: Hiding
    label_of: Callable[[Iterable[Finding]], Label]
    maps: RedactionMaps | None

    async def redacted(self, call: LaneCall, rung: Rung) -> RedactedCall:
        """Return the call with the rung's categories taken out. Raises `LaneClosed` when that can't be done or does not hold."""
        assert rung.redacts is not None
        try:
            redaction, scan = await self._kept()
        except (StateUnavailable, TooManyValues) as error:
            raise LaneClosed(call.lane, str(error)) from error
        # INVARIANT: the decision rests on a redaction with other numbers; what leaves is held against it as it stands.
        left = await asyncio.to_thread(findings_left, redaction, scan)
        still_seen = any(self.hiding.hides(found) for found in left)
        if still_seen or not at_most(self.label_of(left), rung.redacts.label):
            raise LaneClosed(call.lane, "the redacted prompt still holds what was to be taken out")
        event = Redacted(
            attempt=call.attempt,
            lane=call.lane,
            categories=rung.redacts.categories,
            entities=dict(redaction.placeholders.counts()),
            label=rung.redacts.label,
        )
        restorer = AnswerRestorer(redaction.placeholders, json_answer=call.json_schema is not None)
        return RedactedCall(self._changed(call, redaction.request, rung.redacts), restorer, event)

    async def _kept(self) -> tuple[Redaction, Scan]:
        """Redact, and have the session's owner keep the placeholders. Without a session they live as long as the request.

        The scan returned knows the values of earlier turns too.
        """
        session = self.request.session
        if session is None:
            return await asyncio.to_thread(redact, self.request, self.hiding, Placeholders()), self.hiding.scan
        if self.maps is None:
            raise StateUnavailable("nobody keeps redaction maps here")
        for _ in range(_TRIES):
            known = await self.maps.recall(self.request.org, session)
            hiding = replace(self.hiding, scan=scan_with(known, self.hiding.scan))
            redaction = await asyncio.to_thread(redact, self.request, hiding, known)
            try:
                await self.maps.keep(self.request.org, session, redaction.placeholders)
            except PlaceholderTaken:
                continue
            return redaction, hiding.scan
        raise StateUnavailable("other requests of the session gave the same placeholders away")

    def _changed(self, call: LaneCall, sent: RouteRequest, redacts: Redacts) -> LaneCall:
        """Put the redacted texts in the place of the call's; the bundle's own schema has nobody's data in it."""
        callers_own = call.json_schema is not None and call.json_schema == self.request.response_format.json_schema
        return replace(
            call,
            label=redacts.label,
            redacted=redacts.categories,
            messages=prompt_messages(sent.messages),
            sampling=call.sampling.model_copy(update={"stop": sent.sampling.stop}),
            client_tools=sent.client_tools if call.client_tools else (),
            json_schema=sent.response_format.json_schema if callers_own else call.json_schema,
        )
