"""Who is asking, and what may they do? An API key names a tenant and its own limits; hashes are compared in constant time.

What the key says is laid over the request after it was parsed: nothing in a body or a header can undo it.
"""

import hashlib
import hmac
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from router.bundle.files import ApiKey, Scope, TenantSpec
from router.contract import LEVELS, Evidence, Label, RouteRequest
from router.errors import NotAuthenticated, NotPermitted
from router.labels import highest_level, join
from serving.lockout import Lockout


@dataclass(frozen=True, slots=True)
class Caller:
    """The tenant behind a key, and the key's entry in the bundle."""

    org: str
    key: ApiKey

    def need(self, scope: Scope) -> None:
        """Raise `NotPermitted` unless the key is good for this."""
        if scope not in self.key.scopes:
            raise NotPermitted(f"the key {self.key.id!r} lacks the scope `{scope}`; tenants.yaml gives it")

    def bind(self, request: RouteRequest) -> RouteRequest:
        """Return the request under the key's limits: tenant, lanes, clearance, and a label that its jurisdictions have joined."""
        labels = join(request.labels, Label(jurisdictions=self.key.jurisdictions))
        bound = {"org": self.org, "allowed_lanes": self.key.lanes, "clearance": self.key.clearance, "labels": labels}
        return request.model_copy(update=bound)

    def may_read(self, record: Evidence) -> bool:
        """Tell whether the key's clearance reaches a record's label. One that was never labelled counts as restricted."""
        labels = [decided.decision.label.level for decided in record.decisions]
        level = highest_level(labels) if labels else "restricted"
        return LEVELS.index(level) <= LEVELS.index(self.key.clearance)


class Keyring:
    """Every key that opens this gateway: the bundle's by hash, and those minted on this box.

    The file of minted keys is read again when it changes, and revocations are looked at on each request: neither needs a restart.
    """

    def __init__(
        self, tenants: Iterable[TenantSpec], keys_file: Path, revoked: Lockout, now: Callable[[], float]
    ) -> None:
        """Take the bundle's `tenants`, the file of minted keys, the tags of revoked ones, and `now` in Unix seconds."""
        callers = [Caller(tenant.org, key) for tenant in tenants for key in tenant.keys]
        self._listed = tuple((bytes.fromhex(one.key.sha256), one) for one in callers if one.key.sha256 is not None)
        self._minted_here = {f"{one.org}/{one.key.id}": one for one in callers if one.key.minted}
        self._keys_file, self._revoked, self._now = keys_file, revoked, now
        self._seen: tuple[int, int, int] | None = None
        self._minted: tuple[tuple[bytes, Caller], ...] = ()

    def caller(self, authorization: str | None) -> Caller:
        """Return who holds the key of an `Authorization: Bearer …` header. Raises `NotAuthenticated`."""
        scheme, _, key = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise NotAuthenticated("no API key: send `Authorization: Bearer KEY`")
        presented = hashlib.sha256(key.strip().encode()).digest()
        found: Caller | None = None
        for digest, caller in (*self._listed, *self._those_minted()):  # All are compared, so that time tells nothing.
            if hmac.compare_digest(digest, presented):
                found = caller
        if found is None:
            raise NotAuthenticated("this API key is not known here; keys are listed by hash in tenants.yaml")
        if because := self._closed(found.key, presented.hex()):
            raise NotAuthenticated(f"this API key {because}")
        return found

    def _closed(self, key: ApiKey, digest: str) -> str | None:
        """Say why a key opens nothing now, or None."""
        now = datetime.fromtimestamp(self._now(), UTC)
        if self._revoked.holds(digest):
            return "was revoked"
        if key.not_before is not None and now < key.not_before:
            return "is not valid yet"
        if key.expires_at is not None and now >= key.expires_at:
            return "has expired"
        return None

    def _those_minted(self) -> tuple[tuple[bytes, Caller], ...]:
        """The minted keys as the file has them now; a file that is gone or broken holds none."""
        try:
            status = os.stat(self._keys_file)  # noqa: PTH116 - on every request
            seen = (status.st_ino, status.st_mtime_ns, status.st_size)
            if seen != self._seen:
                self._minted = _hashed(orjson.loads(self._keys_file.read_bytes()), self._minted_here)
                self._seen = seen
        except (OSError, ValueError, AttributeError):
            self._seen, self._minted = None, ()
        return self._minted


def _hashed(minted: Mapping[str, str], callers: Mapping[str, Caller]) -> tuple[tuple[bytes, Caller], ...]:
    return tuple(
        (hashlib.sha256(secret.encode()).digest(), callers[name]) for name, secret in minted.items() if name in callers
    )
