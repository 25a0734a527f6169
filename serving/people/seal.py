"""Who can read what waits for people? Whoever holds the key in the home folder; the database alone holds nothing readable.

Each text is bound to its place: moved to another row, tenant or purpose it does not open.
"""

import secrets
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from router.errors import StateUnavailable

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


class Seal:
    """Seals and opens with AES-256-GCM under the key of one file, which is read at each use: it may be made after this."""

    def __init__(self, key_file: Path) -> None:
        self._key_file = key_file

    def shut(self, text: str, *place: str) -> bytes:
        """Return a text sealed to its place. Raises `StateUnavailable` without a key."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher().encrypt(nonce, text.encode("utf-8", "surrogatepass"), _bound_to(place))

    def opened(self, sealed: bytes, *place: str) -> str:
        """Return a sealed text. Raises `StateUnavailable` when it does not open here: another key, another place, altered, purged."""
        try:
            clear = self._cipher().decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _bound_to(place))
        except (InvalidTag, ValueError) as error:
            raise StateUnavailable("what waits for a person can't be opened with this key") from error
        return clear.decode("utf-8", "surrogatepass")

    def _cipher(self) -> AESGCM:
        try:
            key = self._key_file.read_bytes()
        except OSError as error:
            raise StateUnavailable(f"{self._key_file} can't be read; `lane up` makes one") from error
        if len(key) != KEY_BYTES:
            raise StateUnavailable(f"{self._key_file} holds no key of {KEY_BYTES} bytes")
        return AESGCM(key)


def _bound_to(place: tuple[str, ...]) -> bytes:
    words = [word.encode() for word in ("private-lane people 1", *place)]
    return b"".join(len(word).to_bytes(4, "big") + word for word in words)
