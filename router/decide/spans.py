"""How sensitive is each part of the prompt, and why? The prompt's label is the join over its parts: what is not in it does not count.

A part is a message, what goes with the messages (tools' descriptions, a schema), or the request as a whole. Its label comes from what was
found in it, what was declared of it, what the session knows of it, and what nobody could read.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from router.bundle.files import TenantSpec, TiersFile
from router.contract import Finding, Label, Level, RouteRequest, SpanBecause, SpanLabel
from router.labels import RESTRICTED, highest_level, join
from router.state import State

EXTRAS: Final = -1
"""The message index of what the caller sends beside messages: its tools' descriptions, its schema, its stop sequences."""
SEEN: Final = frozenset({"found", "late"})
"""The reasons that are in the text itself: what gave them can be taken out of it."""
_PUBLIC: Final = Label()
_Part = tuple[int | None, Label, SpanBecause]


def spans_of(
    request: RouteRequest, state: State, tenant: TenantSpec, findings: Iterable[Finding], tiers: TiersFile
) -> tuple[SpanLabel, ...]:
    """Return the parts of a prompt that are above public, each with its reason."""
    parts = [
        *_declared(request, tenant),
        *_inherited(request, state),
        *_found((one for one in findings if one not in state.late_findings), tiers, "found"),
        *_found(state.late_findings, tiers, "late"),
        *((index, RESTRICTED, "unread") for index, message in enumerate(request.messages) if not message.is_text),
    ]
    return tuple(span(message, raised(label, tiers.levels), why) for message, label, why in parts if label != _PUBLIC)


def span(message: int | None, label: Label, because: SpanBecause) -> SpanLabel:
    """Return one part's label."""
    return SpanLabel.model_construct(message=message, label=label, because=because)


def label_of(spans: Iterable[SpanLabel]) -> Label:
    """Return the join over a prompt's parts."""
    labels = [one.label for one in spans]
    return join(*labels) if labels else _PUBLIC


def label_to_keep(spans: Iterable[SpanLabel], message: int) -> Label:
    """Return what a session has to remember of a message. Not what the scan found in it: that is found again, wherever it comes back."""
    return label_of(one for one in spans if one.message in (None, message) and one.because != "found")


def _declared(request: RouteRequest, tenant: TenantSpec) -> Iterator[_Part]:
    yield None, request.labels, "declared"
    yield None, tenant.label, "declared"
    for index, message in enumerate(request.messages):
        yield index, message.label, "declared"


def _inherited(request: RouteRequest, state: State) -> Iterator[_Part]:
    """What the session adds. A message it knows has the label it had; one that may retell what is left out has the label of it all.

    New is only what was added to the prompt for this answer (context), and what follows the last turn that the session knows: tools'
    results, and the user's last word. A prompt that holds no known
    turn at all may retell any of them.
    """
    if state.session_unknown:
        yield None, RESTRICTED, "unknown"
        return
    known = {one.message: one.label for one in state.known_spans}
    roles = [message.role for message in request.messages]
    turns = [index for index in known if roles[index] != "system"]
    if not turns:
        yield None, state.session_label, "inherited"
        return
    last_word = max(
        (
            index
            for index, message in enumerate(request.messages)
            if message.role == "user" and message.origin == "caller"
        ),
        default=None,
    )
    for index, role in enumerate(roles):
        added = request.messages[index].origin != "caller"
        is_new = added or (index > max(turns) and (role == "tool" or index == last_word))
        if index in known:
            yield index, known[index], "inherited"
        elif not is_new:
            yield index, state.session_label, "inherited"


def _found(findings: Iterable[Finding], tiers: TiersFile, because: SpanBecause) -> Iterator[_Part]:
    found: dict[int, list[str]] = {}
    for finding in findings:
        if finding.score >= tiers.raise_at:
            found.setdefault(finding.message, []).append(finding.category)
    for message in sorted(found):
        yield message, Label(categories=tuple(found[message])), because


def label_found(findings: Iterable[Finding], tiers: TiersFile) -> Label:
    """Return what findings are worth by themselves: the categories of those that raise, and their level."""
    raising = tuple(finding.category for finding in findings if finding.score >= tiers.raise_at)
    return raised(Label(categories=raising), tiers.levels)


def raised(label: Label, levels: Mapping[str, Level]) -> Label:
    """Raise a label's level to that of its categories; a category that the bundle does not know is restricted."""
    if not label.categories:
        return label
    level = highest_level((label.level, *(levels.get(category, "restricted") for category in label.categories)))
    return label if level == label.level else label.model_copy(update={"level": level})
