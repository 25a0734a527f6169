"""What does a call for embeddings ask, and how do they look on the wire? OpenAI's `POST /v1/embeddings`."""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
import orjson
from pydantic import BaseModel, ConfigDict, Field

from router.contract import Limits, Message, RouteRequest, TextPart
from router.errors import BadRequest, UnsupportedField
from router.lane import Embedding, LaneEvent, Usage
from serving.api.parse import checked, json_object, parse_labels, refuse_unknown_headers, seconds_of

MOST_TEXTS: Final = 2048
"""As many as OpenAI takes."""


class _Body(BaseModel):
    """The fields of `POST /v1/embeddings` that this gateway honours."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    model: str
    input: str | list[str]
    encoding_format: Literal["float", "base64"] = "float"
    user: str | None = Field(default=None, max_length=256)


@dataclass(frozen=True, slots=True)
class EmbeddingsAsk:
    """A parsed call: the request, and how its numbers are to be written."""

    request: RouteRequest
    encoding: Literal["float", "base64"]


def parse_embeddings(body: bytes, headers: Mapping[str, str], org: str) -> EmbeddingsAsk:
    """Parse a body and headers into what is asked: one message for each text. Raises `BadRequest` naming the field."""
    refuse_unknown_headers(headers)
    fields = json_object(body)
    unknown = [name for name in fields if name not in _Body.model_fields]
    if unknown:
        raise UnsupportedField(f"{unknown[0]}: not a field that this gateway honours; leave it out", unknown[0])
    texts = fields.get("input")
    if isinstance(texts, list) and any(not isinstance(text, str) for text in texts):
        raise UnsupportedField("input: send texts; tokens can't be read before they are embedded", "input")
    asked = checked(_Body, **fields)
    listed = [asked.input] if isinstance(asked.input, str) else asked.input
    if not 1 <= len(listed) <= MOST_TEXTS:
        raise BadRequest(f"input: 1 to {MOST_TEXTS} texts, here {len(listed)}", "input")
    if empty := [index for index, text in enumerate(listed) if not text]:
        raise BadRequest(f"input[{empty[0]}]: an empty text has no embedding", "input")
    request = checked(
        RouteRequest,
        messages=tuple(Message(role="user", content=(TextPart(text=text),)) for text in listed),
        org=org,
        user=asked.user,
        labels=parse_labels(headers.get("x-lane-labels", "")),
        model=asked.model,
        limits=checked(Limits, deadline_seconds=seconds_of(headers.get("x-lane-deadline-seconds"))),
        task="embed",
    )
    return EmbeddingsAsk(request, asked.encoding_format)


@dataclass(slots=True)
class EmbeddingsAnswer:
    """Collects events into OpenAI's list of embeddings."""

    encoding: Literal["float", "base64"]
    numbers: dict[int, bytes] = field(default_factory=dict)
    usage: Usage = field(default_factory=lambda: Usage(0, 0))

    def take(self, events: Iterable[LaneEvent]) -> None:
        """Add a batch."""
        for event in events:
            if isinstance(event, Embedding):
                self.numbers[event.index] = event.numbers
            elif isinstance(event, Usage):
                self.usage = event

    def body(self, model: str) -> bytes:
        """Return the JSON of the whole answer."""
        listed = [
            {"object": "embedding", "index": index, "embedding": self._written(numbers)}
            for index, numbers in sorted(self.numbers.items())
        ]
        usage = {"prompt_tokens": self.usage.input_tokens, "total_tokens": self.usage.input_tokens}
        body = {"object": "list", "data": listed, "model": model, "usage": usage}
        return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)

    def _written(self, numbers: bytes) -> Any:
        return base64.b64encode(numbers).decode() if self.encoding == "base64" else np.frombuffer(numbers, dtype="<f4")
