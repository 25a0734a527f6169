"""How is a refusal kept? In the ledger, like a send: what wanted to leave and did not is evidence too."""

import hashlib

from router.errors import EvidenceUnavailable
from serving.door.door import Door
from serving.door.guard import Asked, Deny
from serving.door.ledger import Refused


async def record_refusal(door: Door, asked: Asked, denied: Deny) -> None:
    """Write a refusal down. A ledger that can't be written doesn't turn it into anything else."""
    event = Refused(
        because=denied.because,
        policies=denied.policies,
        lane=asked.lane[:256],
        body_sha256=hashlib.sha256(asked.body).hexdigest(),
        permit=denied.permit,
    )
    try:
        await door.write(door.ledger.record, event)
    except EvidenceUnavailable:
        return
