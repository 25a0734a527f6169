"""What does a machine show to be let in? A join token: a secret for a short time and few uses, and the authority to expect.

    lane-join.<id>.<secret>.<fingerprint>

The fingerprint pins the head's authority, so that the secret is told to nobody else; the head keeps the secret's SHA-256 alone. 256
random bits need no slow hash: there is nothing to guess from.
"""

import re
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Self

from typing_extensions import override

from cluster.nodes.errors import TokenMalformed

_FORM: Final = re.compile(r"lane-join\.([0-9a-f]{8})\.([A-Za-z0-9_-]{43})\.([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class JoinToken:
    """A token in the hands of whoever may use it. `str` is what is printed, once; `repr` tells no secret."""

    id: str
    secret: str = field(repr=False)
    fingerprint: str

    @classmethod
    def new(cls, fingerprint: str) -> Self:
        """Make one for the authority of that fingerprint."""
        return cls(secrets.token_hex(4), secrets.token_urlsafe(32), fingerprint)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` wrote. Raises `TokenMalformed`, which repeats nothing of the text."""
        found = _FORM.fullmatch(text.strip())
        if found is None:
            raise TokenMalformed(
                "that is no join token: one reads lane-join.ID.SECRET.FINGERPRINT, as `lane cluster token` prints it"
            )
        return cls(*found.groups())

    @override
    def __str__(self) -> str:
        return f"lane-join.{self.id}.{self.secret}.{self.fingerprint}"


def secret_hash(secret: str) -> bytes:
    """Return what the head keeps of a secret."""
    return sha256(secret.encode()).digest()
