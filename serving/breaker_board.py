"""Where do the breakers of a machine's ingress replicas stand? On a page of memory that they share, through a file.

Looking costs what reading eight bytes costs: the page's number, which grows with every change. Only a page that has changed is read again,
and only a change takes the lock, which nobody holds longer than it takes to write a kilobyte. Whoever does not get it in two
milliseconds goes on by what it knows itself: a breaker is a precaution, and no answer waits for it.

What can't be read (another run of the machine, a page that was half written when its writer was killed) says nothing: breakers are closed,
and learn again.
"""

import fcntl
import logging
import mmap
import os
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from router.breakers import Breaker
from router.contract import Frozen

log = logging.getLogger(__name__)

_PAGE_BYTES: Final = 64 * 1024
_HEAD: Final = struct.Struct("<QI")
_NUMBER: Final = struct.Struct("<Q")
_TRIES: Final = 10
_BETWEEN_TRIES_SECONDS: Final = 0.0002
PROBE_LOST_SECONDS: Final = 60.0
"""A probe that nobody has settled by then is taken for lost: its replica may have died over it."""


class _Standing(Frozen):
    opened_at: float | None
    era: int
    probing: int
    proved: int
    changed_at: float


class _Page(Frozen):
    boot: str
    lanes: dict[str, _Standing]


@dataclass(frozen=True, slots=True)
class _Kept:
    breaker: Breaker
    changed_at: float


class SharedBoard:
    """Implements `router.breakers.Board` over one file. `boot` names the run of the machine that `monotonic` counts in."""

    def __init__(self, path: Path, monotonic: Callable[[], float], boot: str) -> None:
        """Open the file, or make it. Raises `OSError`."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.ftruncate(self._file, _PAGE_BYTES)
        self._page = mmap.mmap(self._file, _PAGE_BYTES)
        self._monotonic, self._boot = monotonic, boot
        self._here = threading.Lock()
        self._number = 0
        self._kept: dict[str, _Kept] = {}

    def close(self) -> None:
        """Let go of the file."""
        self._page.close()
        os.close(self._file)

    def seen(self, lane: str) -> Breaker:
        """Return a breaker's standing."""
        if _NUMBER.unpack_from(self._page)[0] != self._number:
            with self._locked() as mine:
                if mine:
                    self._read()
        return self._standing(lane)

    def changed(self, lane: str, change: Callable[[Breaker], Breaker]) -> Breaker:
        """Change a breaker's standing for all; where the lock is not to be had, for this process."""
        with self._locked() as mine:
            if mine:
                self._read()
            before = self._standing(lane)
            after = change(before).standing
            if after != before:
                self._kept[lane] = _Kept(after, self._monotonic())
                if mine:
                    self._write()
        return after

    def _standing(self, lane: str) -> Breaker:
        kept = self._kept.get(lane)
        if kept is None:
            return _CLOSED
        lost = kept.breaker.probing and self._monotonic() - kept.changed_at > PROBE_LOST_SECONDS
        return replace(kept.breaker, probing=0) if lost else kept.breaker

    @contextmanager
    def _locked(self) -> Iterator[bool]:
        """Hold the lock; False where it was not to be had."""
        with self._here:
            mine = self._lock()
            try:
                yield mine
            finally:
                if mine:
                    fcntl.flock(self._file, fcntl.LOCK_UN)

    def _lock(self) -> bool:
        for _ in range(_TRIES):
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_BETWEEN_TRIES_SECONDS)
            else:
                return True
        return False

    def _read(self) -> None:
        number, length = _HEAD.unpack_from(self._page)
        if number == self._number:
            return
        self._number, self._kept = number, {}
        try:
            page = _Page.model_validate_json(self._page[_HEAD.size : _HEAD.size + length])
        except ValidationError:
            return
        if page.boot != self._boot:
            return
        for name, one in page.lanes.items():
            breaker = Breaker(opened_at=one.opened_at, era=one.era, probing=one.probing, proved=one.proved)
            self._kept[name] = _Kept(breaker, one.changed_at)

    def _write(self) -> None:
        lanes = {name: _standing_of(kept) for name, kept in self._kept.items()}
        body = _Page(boot=self._boot, lanes=lanes).model_dump_json().encode()
        if _HEAD.size + len(body) > _PAGE_BYTES:
            log.warning(
                "%d lanes are more than the breakers' page holds: this replica keeps theirs to itself", len(lanes)
            )
            return
        # INVARIANT: the number changes last, so that nobody takes the old page for the new one.
        self._page[_HEAD.size : _HEAD.size + len(body)] = body
        self._number += 1
        _HEAD.pack_into(self._page, 0, self._number, len(body))


def _standing_of(kept: _Kept) -> _Standing:
    one = kept.breaker
    return _Standing(
        opened_at=one.opened_at, era=one.era, probing=one.probing, proved=one.proved, changed_at=kept.changed_at
    )


_CLOSED: Final = Breaker()
