"""What has an operator locked, and why? A folder of tags, one file a thing: while its tag hangs there, it stays out of use.

Like the tag on a breaker: hung without asking anybody, effective for whoever looks next, still there after a restart. Whoever is about
to use a thing looks itself, each time. A tag that can't be read still locks; a folder that can't be read locks everything.
"""

import os
import pwd
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

from pydantic import Field, ValidationError

from router.contract import Frozen
from router.errors import RouterError

_SUFFIX: Final = ".tag"
_REASON_CHARACTERS_AT_MOST: Final = 500


class LockoutUnreadable(RouterError):
    """The folder of tags can't be read, so whatever it might lock counts as locked."""

    code = "lockout_unreadable"


class Tag(Frozen):
    """Who locked it, when (Unix seconds), and why, where they said so."""

    by: str
    at: float
    because: str = Field(default="", max_length=_REASON_CHARACTERS_AT_MOST)

    def says(self, what: str) -> str:
        """Return the sentence for whoever finds it locked, `what` being what was done to it."""
        return f"{what} by {self.by}" + (f" because {self.because}" if self.because else "")


@dataclass(frozen=True, slots=True)
class Lockout:
    """The tags in one folder."""

    folder: Path

    def make(self) -> None:
        """Make the folder where it is missing. The door may be another user than whoever hangs the tags, so all may read."""
        self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)

    def lock(self, name: str, because: str = "") -> Tag:
        """Hang a tag, on disk when this returns; one that hangs already is replaced. Raises `OSError`."""
        tag = Tag(by=_user(), at=time.time(), because=" ".join(because.split())[:_REASON_CHARACTERS_AT_MOST])
        self.make()
        target = self._file(name)
        partial = target.with_name(f".{target.name}.{os.getpid()}")
        with partial.open("wb") as file:
            file.write(tag.model_dump_json().encode())
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        partial.replace(target)
        self._sync()
        return tag

    def unlock(self, name: str) -> bool:
        """Take a tag away, on disk when this returns; False where none hung. Raises `OSError`."""
        try:
            self._file(name).unlink()
        except FileNotFoundError:
            return False
        self._sync()
        return True

    def holds(self, name: str) -> bool:
        """Tell whether one thing is locked. Whatever can't be found out counts as locked."""
        try:
            self._file(name).stat()
        except FileNotFoundError:
            return not self.folder.is_dir()
        except OSError:
            return True
        return True

    def tags(self) -> dict[str, Tag]:
        """Return what is locked now. Raises `LockoutUnreadable`."""
        try:
            files = os.listdir(self.folder)  # noqa: PTH208 - asked at every decision: four times as fast as iterdir
        except OSError as error:
            raise LockoutUnreadable(f"{self.folder} can't be read ({error.strerror}); `lane up` makes it") from error
        names = {file: unquote(file.removesuffix(_SUFFIX)) for file in sorted(files) if file.endswith(_SUFFIX)}
        return {name: tag for file, name in names.items() if (tag := _read(self.folder / file)) is not None}

    def _file(self, name: str) -> Path:
        return self.folder / f"{quote(name, safe='')}{_SUFFIX}"

    def _sync(self) -> None:
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def lane_switches(lockout: Lockout, lanes: Iterable[str]) -> Callable[[], dict[str, str]]:
    """Return the question that ingress and door ask before each send: which lanes are switched off, and in whose words?"""
    every = tuple(lanes)

    def switched_off() -> dict[str, str]:
        try:
            return {name: tag.says("switched off") for name, tag in lockout.tags().items()}
        except LockoutUnreadable:
            return dict.fromkeys(every, "the switches can't be read")

    return switched_off


def _read(file: Path) -> Tag | None:
    """Return a tag; None for one that was taken away while it was read."""
    try:
        return Tag.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError):
        return Tag(by="a tag that can't be read", at=0.0)


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"
