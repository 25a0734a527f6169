"""Do the exact bytes that would leave hold more than their label says? The deep scan's answer, as a label and as late findings.

The router asks before it signs a permit, and the door asks its own worker again before it sends.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from router.bundle.files import TiersFile
from router.contract import Finding, Label, Message, TextPart
from router.decide import EXTRAS, label_found
from router.errors import FoundBeforeLeaving, LaneUnreachable, ScanUnavailable
from router.labels import at_most
from router.lane import LaneCall
from router.ports import DeepScan
from router.render import texts_in
from serving.api import metrics

_NO_PROSE: Final = re.compile(r"[a-z0-9_.:/+-]{0,64}|data:[a-z]+/[a-z0-9.+-]+;base64,[A-Za-z0-9+/=]*")
"""A number, an identifier, one word in lower case, an image: the body's own keys, and nothing that a model of language could read."""


async def found_in(body: bytes, deep: DeepScan) -> tuple[tuple[str, tuple[Finding, ...]], ...]:
    """Return each text of the body that the deep scan reads, with its findings. Raises `ScanUnavailable` and `NotCanonical`."""
    texts = tuple(sorted({text for text in texts_in(body) if not _NO_PROSE.fullmatch(text)}))
    return tuple(zip(texts, await deep.scan(texts), strict=True)) if texts else ()


async def look_again(call: LaneCall, body: bytes, deep: DeepScan, tiers: TiersFile) -> None:
    """Return when nothing in the body raises the call's label.

    Raises `FoundBeforeLeaving` when something does, and `LaneUnreachable` when the deep scan can't tell: either way nothing may be sent.
    """
    try:
        found = await found_in(body, deep)
    except ScanUnavailable as error:
        raise LaneUnreachable(call.lane, f"nothing is sent unread: {error}") from error
    late = tuple(
        finding
        for text, findings in found
        for finding in _placed(text, findings, () if call.redacted else call.messages)
        if not at_most(label_found((finding,), tiers), call.label)
    )
    if late:
        for category in sorted({finding.category for finding in late}):
            metrics.deep_scan_misses_total.labels(category).inc()
        raise FoundBeforeLeaving(call.lane, late)


def label_of(found: Iterable[tuple[str, Sequence[Finding]]], tiers: TiersFile) -> Label:
    """Return what the findings in a body are worth."""
    return label_found((finding for _, findings in found for finding in findings), tiers)


def _placed(text: str, findings: Iterable[Finding], messages: Sequence[Message]) -> list[Finding]:
    """Say which message a text is of, where it is one message's whole text; all else is beside the messages.

    A redacted text is none of the request's own: offsets in it would point at other words there.
    """
    own = (index for index, message in enumerate(messages) if _only_text(message) == text)
    index = next(own, EXTRAS)
    return [finding.model_copy(update={"message": index}) for finding in findings]


def _only_text(message: Message) -> str | None:
    match message.content:
        case (TextPart(text=text),):
            return text
        case _:
            return None
