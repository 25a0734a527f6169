"""How does a bundle come into force? Copied, checked as copied, compared, approved, kept; then one entry in the history is the switch.

Until that entry nothing has changed, whatever fails or dies; after it everything has. One change at a time in a home.
"""

import fcntl
import os
import pwd
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from router.bundle import Bundle, load_bundle
from router.bundle.source import Source, read_source
from router.errors import BadRequest, BundleInvalid
from serving.change.approval import Approval, approvals_of
from serving.change.approvers import trusted
from serving.change.errors import ChangeRefused, ChangeUnderWay, StoreDamaged
from serving.change.history import Change, Checks, Entry, append, in_force, read_history
from serving.change.store import Store, read_signatures
from serving.change.widening import Comparison, compare
from serving.settings import Settings

WIDER: Final = 2
"""Distinct approvers that a bundle needs which lets more leave than the one in force."""
OTHERWISE: Final = 1


@dataclass(frozen=True, slots=True)
class Home:
    """What a change is made in: the home's folders, the clock (Unix seconds), and who is told each step before it is done."""

    settings: Settings
    now: Callable[[], float]
    before: Callable[[str], None] = lambda _step: None

    @property
    def store(self) -> Store:
        """All versions that were ever applied here."""
        return Store(self.settings.bundles, self.before)


def apply_bundle(root: Path, home: Home) -> Entry | None:
    """Bring the bundle in this folder into force; None when it is already.

    Raises `BundleInvalid`, `ChangeRefused` with what is missing, `ChangeUnderWay`, `HistoryBroken`, `StoreDamaged`, `KeyUnusable`:
    then nothing has changed.
    """
    with _alone(home.settings):
        return _change("apply", root, read_source(root), home)


def roll_back(name: str | None, home: Home) -> Entry | None:
    """Bring an earlier version into force again: the one whose hash begins so, by default the one before.

    Raises what `apply_bundle` does, and `BadRequest` for a version that never was in force here.
    """
    with _alone(home.settings):
        bundle_hash = _earlier(name, read_history(home.settings.changes_file))
        root = home.store.verify(bundle_hash)
        source = read_source(root)
        if source.hash != bundle_hash:
            raise StoreDamaged(f"{root} changed while it was read")
        return _change("rollback", root, source, home)


def needed(comparison: Comparison) -> int:
    """Return how many distinct approvers a change needs."""
    return WIDER if comparison.widens else OTHERWISE


def compare_with_force(candidate: Bundle, current: Entry | None, store: Store) -> Comparison:
    """Compare with what is in force. A version in force that can't be read any more can't be shown to be as wide."""
    if current is None:
        return compare(None, candidate)
    try:
        return compare(load_bundle(store.verify(current.change.bundle_hash)), candidate)
    except (BundleInvalid, StoreDamaged):
        because = "the bundle in force can't be read by this version, so nothing can be compared with it"
        return Comparison((because, *compare(None, candidate).widens), ())


@dataclass(frozen=True, slots=True)
class _Weighed:
    """A candidate that is kept and may come into force: how it differs, who said yes, and whose yes could have counted."""

    comparison: Comparison
    approvals: tuple[Approval, ...]
    trusted: Mapping[str, str]


def _change(kind: Literal["apply", "rollback"], root: Path, source: Source, home: Home) -> Entry | None:
    file = home.settings.changes_file
    current = in_force(file)
    if current is not None and current.change.bundle_hash == source.hash:
        return None
    read_history(file)  # Nothing is added to a chain that is broken.
    weighed = _keep_if_approved(root, source, current, home)
    change = Change(
        kind=kind,
        bundle_hash=source.hash,
        replaced=current.change.bundle_hash if current else None,
        approvals=weighed.approvals,
        approvals_needed=needed(weighed.comparison),
        trusted={name: key for key, name in sorted(weighed.trusted.items(), key=lambda item: item[1])},
        widens=weighed.comparison.widens,
        tightens=weighed.comparison.tightens,
        checks=_checks(source),
        by=_account(),
    )
    home.before("switch")
    entry = append(file, change, home.now())
    home.before("tell")
    return entry


def _keep_if_approved(root: Path, source: Source, current: Entry | None, home: Home) -> _Weighed:
    """Copy the files, judge the copy, and keep it with its signatures; or leave nothing of it. Raises as `apply_bundle`."""
    store = home.store
    staged = store.stage(source.files)
    try:
        candidate = load_bundle(staged)
        if candidate.hash != source.hash:
            raise StoreDamaged(f"{staged} is not what was written there")
        comparison = compare_with_force(candidate, current, store)
        names = trusted(home.settings.approvers)
        given = (*read_signatures(root), *read_signatures(store.folder_of(source.hash)))
        approvals = approvals_of(source.hash, given, names)
        _refuse_too_few(root, source.hash, comparison, approvals, names)
        store.keep(staged, source.hash, [approval.signature for approval in approvals])
    finally:
        store.discard()
    return _Weighed(comparison, approvals, names)


def _refuse_too_few(
    root: Path, bundle_hash: str, comparison: Comparison, approvals: tuple[Approval, ...], names: Mapping[str, str]
) -> None:
    count = needed(comparison)
    if len(approvals) >= count:
        return
    missing = []
    if len(names) < count:
        named = ", ".join(sorted(names.values())) or "nobody"
        missing.append(
            f"{count - len(names)} more approver(s) named here (now: {named}): `lane bundle keygen NAME`, `lane bundle trust NAME.pub`"
        )
    signed = ", ".join(approval.approver for approval in approvals) or "nobody that is trusted here"
    missing.append(
        f"{count - len(approvals)} more signature(s) (now: {signed}): `lane bundle sign {root} --key NAME.key`, each by another person"
    )
    if comparison.widens:
        missing.append(f"two approvers, because it widens what may leave: {'; '.join(comparison.widens)}")
    raise ChangeRefused(
        f"bundle {bundle_hash[:12]} is not applied, and nothing has changed. What is missing:", tuple(missing)
    )


def _earlier(name: str | None, history: list[Entry]) -> str:
    """Return the hash that is meant, of those that were in force here."""
    if name is None:
        replaced = history[-1].change.replaced if history else None
        if replaced is None:
            raise BadRequest("there is no earlier bundle here to go back to; see `lane bundle history`")
        return replaced
    found = {entry.change.bundle_hash for entry in history if entry.change.bundle_hash.startswith(name.lower())}
    match sorted(found):
        case [one]:
            return one
        case []:
            raise BadRequest(f"no bundle {name} was ever in force here; see `lane bundle history`")
        case several:
            raise BadRequest(f"{name} is the beginning of {len(several)} hashes; give more of it")


def _checks(source: Source) -> Checks:
    return Checks(
        properties=len(source.properties.properties) if source.properties else 0,
        tests=len(source.tests.tests) if source.tests else 0,
    )


def _account() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Hold the home's lock. The kernel lets go of it when the process ends, however it ends."""
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.bundles.mkdir(mode=0o755, exist_ok=True)
    with (settings.bundles / ".lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ChangeUnderWay("another change is being made in this home; wait for it, then try again") from error
        yield
