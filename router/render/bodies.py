"""Which protocol's body is it? All of them alike are canonical JSON, and hold no user, metadata, session or trace ID."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from router.bundle.files import Hosted, HostedProtocol
from router.errors import BadRequest
from router.lane import LaneCall
from router.render import anthropic_messages, openai_chat, openai_responses
from router.render.canonical import canonical_json

FIELDS: Final[Mapping[HostedProtocol, frozenset[str]]] = {
    "openai_chat": openai_chat.FIELDS,
    "openai_responses": openai_responses.FIELDS,
    "anthropic_messages": anthropic_messages.FIELDS,
}
"""Every top-level field that a protocol's renderer can write. The door lets no other out: some make a provider store, fetch or search."""

_BODIES: Final[Mapping[HostedProtocol, Callable[[LaneCall, Hosted], dict[str, Any]]]] = {
    "openai_chat": openai_chat.body_of,
    "openai_responses": openai_responses.body_of,
    "anthropic_messages": anthropic_messages.body_of,
}


def render(call: LaneCall, hosted: Hosted) -> bytes:
    """Return the body of a streamed request.

    Raises `UnsupportedField` for what the protocol has no word for, and `BadRequest` for what is no JSON.
    """
    try:
        return canonical_json(_BODIES[hosted.protocol](call, hosted))
    except UnicodeEncodeError as error:
        raise BadRequest("a text holds half a surrogate pair, which UTF-8 cannot carry", "messages") from error
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"a schema or a tool's argument is not JSON: {error}", "tools") from error
