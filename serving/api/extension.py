"""What do we say of an answer that OpenAI's shapes have no field for? What it may cite, and where it waits: under `private_lane`."""

from typing import Any

from serving.gateway import Opening
from serving.people.desk import address_of


def extension_of(opening: Opening) -> dict[str, Any]:
    """Return the members of `private_lane`; nothing to say gives an empty object, which is left out."""
    said: dict[str, Any] = {}
    if opening.context:
        said["context"] = [
            {"id": chunk.id, "index": chunk.index, "doc": chunk.doc, "source": chunk.source, "score": chunk.score}
            for chunk in opening.context
        ]
    if opening.decision.disclaimer is not None:
        said["disclaimer"] = opening.decision.disclaimer
    if opening.ticket is not None:
        said["request"] = opening.ticket.id
        said["status_url"] = address_of(opening.ticket)
    return said
