"""How does this request read with some categories of data taken out? Every finding is hidden as a whole, and every repeat of its value.

Pure. What comes out is only a proposal: `router.decide` labels it anew before anything may rest on it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from router.contract import Finding, Message, Part, RouteRequest, TextPart, ToolSpec
from router.redact.json_text import is_json, leaves, rewritten, texts_within
from router.redact.placeholders import Allotment, Placeholders
from router.redact.spans import Span, joined, spans_of
from router.redact.values import Scan, Values

_Place = tuple[int, int]
"""A text part: the message's index and the part's."""


@dataclass(frozen=True, slots=True)
class Hiding:
    """What is to be taken out: data of these `categories` with a score that raises a label.

    `findings` point into the messages, as the scan and later detectors gave them. What stands beside the messages (the caller's tools, its
    schema, stop sequences) and within JSON is read by `scan`.
    """

    categories: tuple[str, ...]
    findings: tuple[Finding, ...]
    scan: Scan
    raise_at: float

    def hides(self, found: Finding) -> bool:
        """Tell whether this finding is to be taken out."""
        return found.category in self.categories and found.score >= self.raise_at


@dataclass(frozen=True, slots=True)
class Redaction:
    """The request as it would leave, the placeholders in it, and the given findings that were not taken out."""

    request: RouteRequest
    placeholders: Placeholders
    left: tuple[Finding, ...]


def redact(request: RouteRequest, hiding: Hiding, known: Placeholders) -> Redaction:
    """Take all that is to be hidden out of all that becomes part of the prompt. Raises `TooManyValues`.

    `known` are the conversation's placeholders: a value that has one keeps it.
    """
    found = _Found(hiding)
    elsewhere = [one for one in hiding.findings if not (hiding.hides(one) and found.locate(one, request.messages))]
    found.look_through(request)
    left = tuple(one for one in elsewhere if not found.sees_beside(one))
    allotment = Allotment(known, all_texts(request))
    redacted = _Rewriter(found, allotment).request(request)
    return Redaction(redacted, allotment.used, left)


def findings_left(redaction: Redaction, scan: Scan) -> tuple[Finding, ...]:
    """Scan a redacted request again, all of its texts: what is still seen in it, and what was never taken out.

    Offsets are of no use here: each text is scanned by itself.
    """
    return (*redaction.left, *(found for text in all_texts(redaction.request) for found in scan(text, 0)))


def all_texts(request: RouteRequest) -> Iterator[str]:
    """Yield everything that the request's texts say, as written and as decoded."""
    for message in request.messages:
        yield message.text
        for call in message.tool_calls:
            yield call.name
            yield from texts_within(call.arguments) if is_json(call.arguments) else ()
    yield request.response_format.name
    yield from (tool.name for tool in request.client_tools)
    for text in (*_plain_extras(request), *_json_extras(request)):
        yield text
        yield from texts_within(text) if is_json(text) else ()


def _plain_extras(request: RouteRequest) -> tuple[str, ...]:
    return (*(tool.description for tool in request.client_tools), *request.sampling.stop)


def _json_extras(request: RouteRequest) -> tuple[str, ...]:
    return (*(tool.parameters_json for tool in request.client_tools), request.response_format.json_schema or "")


class _Found:
    """What has to go: stretches of text parts, and values wherever they stand."""

    def __init__(self, hiding: Hiding) -> None:
        self._hiding = hiding
        self._spans: dict[_Place, list[Span]] = {}
        self._seen: set[tuple[str, str]] = set()
        self.values = Values()

    def locate(self, finding: Finding, messages: Sequence[Message]) -> bool:
        """Find a finding's place in the messages; False when it points at nothing there."""
        if not 0 <= finding.message < len(messages) or finding.end > len(messages[finding.message].text):
            return False
        message, offset, located = messages[finding.message], 0, False
        for index, part in enumerate(message.content):
            if isinstance(part, TextPart):
                spans = spans_of([finding], offset, part.text)
                self._spans.setdefault((finding.message, index), []).extend(spans)
                offset += len(part.text) + 1
                located = located or bool(spans)
        for call in message.tool_calls:
            spans = spans_of([finding], offset, call.arguments)
            self._take_out_of_json(spans, call.arguments)
            offset += len(call.arguments) + 1
            located = located or bool(spans)
        return located

    def sees_beside(self, finding: Finding) -> bool:
        """Whether a finding beside the messages was made again here: its own offsets are into texts that were put together elsewhere."""
        return finding.message < 0 and self._hiding.hides(finding) and (finding.entity, finding.detector) in self._seen

    def look_through(self, request: RouteRequest) -> None:
        """Scan what the messages' own scan does not read or reads only as written, and collect all values."""
        for message in request.messages:
            for call in message.tool_calls:
                self._look_within(call.arguments)
        for text in _plain_extras(request):
            self._take(spans_of(self._findings_in(text), 0, text), text)
        for text in _json_extras(request):
            self._take_out_of_json(spans_of(self._findings_in(text), 0, text), text)
            self._look_within(text)
        for index, message in enumerate(request.messages):
            for place, part in enumerate(message.content):
                if isinstance(part, TextPart):
                    self._take(self.spans((index, place), part.text), part.text)

    def spans(self, place: _Place, text: str) -> list[Span]:
        """Return the stretches of a text part that have to go."""
        return joined(self._spans.get(place, ()), text)

    def _findings_in(self, text: str) -> list[Finding]:
        found = [one for one in self._hiding.scan(text, 0) if self._hiding.hides(one)]
        self._seen.update((one.entity, one.detector) for one in found)
        return found

    def _look_within(self, text: str) -> None:
        if is_json(text):
            for says in texts_within(text):
                self._take(spans_of(self._findings_in(says), 0, says), says)
        else:
            self._take(spans_of(self._findings_in(text), 0, text), text)

    def _take(self, spans: Iterable[Span], text: str) -> None:
        for span in joined(spans, text):
            self.values.add(text[span.start : span.end], span.kind)

    def _take_out_of_json(self, spans: list[Span], text: str) -> None:
        """Take what a finding says within JSON from the strings and numbers that it covers: its quotes and commas are no values."""
        if not is_json(text):
            self._take(spans, text)
            return
        for leaf in leaves(text) if spans else ():
            for span in spans:
                if span.start >= leaf.end or span.end <= leaf.start:
                    continue
                start, end = leaf.within(span.start, span.end)
                self._take([Span(start, end, span.kind, span.score)], leaf.says)


class _Rewriter:
    """Writes a request anew, with placeholders where values were."""

    def __init__(self, found: _Found, allotment: Allotment) -> None:
        self._found = found
        self._placeholder_for = allotment.placeholder_for
        self._everywhere = found.values.replacer(allotment.placeholder_for)

    def request(self, request: RouteRequest) -> RouteRequest:
        form, sampling = request.response_format, request.sampling
        schema = self._json(form.json_schema) if form.json_schema is not None else None
        return request.model_copy(
            update={
                "messages": tuple(self._message(index, message) for index, message in enumerate(request.messages)),
                "client_tools": tuple(self._tool(tool) for tool in request.client_tools),
                "response_format": form.model_copy(update={"json_schema": schema}),
                "sampling": sampling.model_copy(update={"stop": tuple(map(self._everywhere, sampling.stop))}),
            }
        )

    def _message(self, index: int, message: Message) -> Message:
        content = tuple(self._part((index, place), part) for place, part in enumerate(message.content))
        calls = tuple(call.model_copy(update={"arguments": self._json(call.arguments)}) for call in message.tool_calls)
        return message.model_copy(update={"content": content, "tool_calls": calls})

    def _part(self, place: _Place, part: Part) -> Part:
        if not isinstance(part, TextPart):
            return part
        pieces: list[str] = []
        done = 0
        for span in self._found.spans(place, part.text):
            pieces.append(self._everywhere(part.text[done : span.start]))
            pieces.append(self._placeholder_for(part.text[span.start : span.end], span.kind))
            done = span.end
        return TextPart(text="".join((*pieces, self._everywhere(part.text[done:]))))

    def _tool(self, tool: ToolSpec) -> ToolSpec:
        parameters = self._json(tool.parameters_json)
        return tool.model_copy(
            update={"description": self._everywhere(tool.description), "parameters_json": parameters}
        )

    def _json(self, text: str) -> str:
        return rewritten(text, self._everywhere) if is_json(text) else self._everywhere(text)
