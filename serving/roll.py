"""How does another bundle come into service while requests run? The new models first, then the switch, then the old ones' last request.

    check -> reserve -> start the new models -> ready -> ingress switches -> old requests end -> end the old models

Until the switch nothing has changed for anybody. Whatever goes wrong before the old models are ended, the old version goes on.
"""

import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final, Protocol

from models.errors import FolderUnfit
from models.manifest import weights_hash
from models.spec import ModelSpec
from router.bundle import Bundle, load_bundle
from router.errors import RouterError
from serving.change.errors import HistoryBroken
from serving.change.store import Store
from serving.change.watch import Watch
from serving.in_service import Holding, InService, in_service_of, read_holdings, write_in_service
from serving.secrets import ensure_secrets
from serving.settings import Settings
from serving.status import Roll
from serving.surge import NoRoom

log = logging.getLogger(__name__)

_READY_SECONDS: Final = 900.0
_TAKE_UP_SECONDS: Final = 60.0
_DRAIN_MARGIN_SECONDS: Final = 15.0
_TRY_AGAIN_SECONDS: Final = 30.0

Wait = Callable[[Roll], bool]
"""Shows how far the change is, waits a second, and returns whether the system is being ended."""


class Refused(RouterError):
    """The change is not made, and why; the old version goes on. `passing`: it may go better later."""

    code = "roll_refused"

    def __init__(self, because: str, *, passing: bool = False) -> None:
        super().__init__(because)
        self.passing = passing


class DidNotStart(RouterError):
    """An application of a version did not come up, and what Serve says of it."""

    code = "did_not_start"


class Fleet(Protocol):
    """What runs on the cluster: `serving.applications.Applications`."""

    @property
    def ingress_replicas(self) -> int:
        """How many replicas of the ingress run now."""
        ...

    def check_room(self, specs: Collection[ModelSpec], version: InService) -> None:
        """Raise `NoRoom` unless the replicas that these models of a version will add at once fit beside all that runs."""
        ...

    def start(self, bundle: Bundle, version: InService) -> frozenset[str]:
        """Start what a version needs and does not run yet; return at once, with the names of what was started."""
        ...

    def adjust(self, specs: Collection[ModelSpec], version: InService) -> None:
        """Give running models other numbers of replicas and other limits; their engines go on."""
        ...

    def wait_until_running(self, version: InService, seconds: float, stopped: Callable[[float], bool]) -> None:
        """Return once all that a version needs runs. Raises `DidNotStart`."""
        ...

    def end(self, names: Collection[str]) -> None:
        """End applications; return once they are gone."""
        ...


@dataclass(frozen=True, slots=True)
class _Refusal:
    bundle_hash: str
    because: str
    again_at: float | None


class Rolls:
    """What brings the bundle in force into service. `look` is called again and again; a change is made within one call of it."""

    def __init__(self, settings: Settings, fleet: Fleet, bundle: Bundle, version: InService, wait: Wait) -> None:
        """Take what is in service now, and what is called while something is waited for."""
        self._settings, self._fleet, self._wait = settings, fleet, wait
        self._bundle, self._version = bundle, version
        self._watch = Watch(settings.changes_file, settings.approvers)
        self._refusal: _Refusal | None = None

    @property
    def models(self) -> Collection[ModelSpec]:
        """The models of the bundle in service."""
        return self._bundle.models.values()

    @property
    def refused(self) -> Roll | None:
        """The change that was refused, until another bundle is in force."""
        if self._refusal is None:
            return None
        return Roll(bundle_hash=self._refusal.bundle_hash, phase="refused", because=self._refusal.because)

    def look(self) -> None:
        """Bring the bundle in force into service, where another one is. Catches every exception: a change that fails ends nothing."""
        wanted = self._wanted()
        if wanted is None:
            return
        try:
            self._roll(wanted)
            self._refusal = None
        except Refused as refused:
            again_at = time.monotonic() + _TRY_AGAIN_SECONDS if refused.passing else None
            self._refusal = _Refusal(wanted, str(refused), again_at)
            log.warning("bundle %s does not come into service: %s", wanted[:12], refused)
        except Exception as error:
            self._refusal = _Refusal(wanted, f"{type(error).__name__}: {error}", None)
            log.exception("bundle %s does not come into service", wanted[:12])

    def _wanted(self) -> str | None:
        """The hash of a bundle that is in force, not in service, and not refused already."""
        try:
            in_force = self._watch.in_force
        except HistoryBroken:
            return None
        if in_force is None or in_force == self._version.bundle_hash:
            self._refusal = None
            return None
        last = self._refusal
        if (
            last is not None
            and last.bundle_hash == in_force
            and (last.again_at is None or time.monotonic() < last.again_at)
        ):
            return None
        return in_force

    def _roll(self, wanted: str) -> None:
        self._show(wanted, "checking")
        bundle, version = self._checked(wanted)
        outgoing = self._version.applications - version.applications
        if self._in_place(wanted):
            self._fleet.end(outgoing)
        self._reserve(bundle, version)
        adjusted = self._adjust(bundle, version)
        try:
            started = self._start(bundle, version)
            try:
                self._switch(version)
            except Refused:
                write_in_service(self._settings, self._version)
                self._fleet.end(started)
                raise
        except Refused:
            if adjusted:
                self._fleet.adjust(adjusted, self._version)
            raise
        self._drain(version)
        self._show(wanted, "ending the old models")
        self._fleet.end(outgoing)
        self._bundle, self._version = bundle, version

    def _checked(self, wanted: str) -> tuple[Bundle, InService]:
        """Load the bundle and find its weights. Raises `Refused`."""
        settings = self._settings
        try:
            bundle = load_bundle(Store(settings.bundles).verify(wanted))
            if settings.ray_address is None:  # Of a cluster each node is asked, by its replicas.
                for spec in bundle.models.values():
                    weights_hash(settings.models / spec.folder)
            version = in_service_of(bundle, settings.models)
        except (RouterError, FolderUnfit) as error:
            raise Refused(str(error)) from error
        ensure_secrets(settings, bundle)
        return bundle, version

    def _reserve(self, bundle: Bundle, version: InService) -> None:
        """See that there is room for what the new version starts, and for what it adds to models that go on. Raises `Refused`."""
        wanted = [*self._new(bundle, version), *(bundle.models[name] for name in self._changed(bundle, version))]
        self._show(version.bundle_hash, f"reserving room for {len(wanted)} model(s)")
        try:
            self._fleet.check_room(wanted, version)
        except NoRoom as error:
            way_out = (
                "room, or `lane bundle apply --in-place` (the old models end first)"
                if self._version.applications - version.applications
                else "room, or fewer replicas"
            )
            raise Refused(f"{error}; what helps: {way_out}", passing=True) from error

    def _new(self, bundle: Bundle, version: InService) -> list[ModelSpec]:
        return [spec for spec in bundle.models.values() if version.models[spec.name] not in self._version.applications]

    def _changed(self, bundle: Bundle, version: InService) -> list[str]:
        """The models that go on running, under other numbers."""
        kept = [name for name, application in version.models.items() if application in self._version.applications]
        return [name for name in kept if bundle.models[name] != self._bundle.models[name]]

    def _adjust(self, bundle: Bundle, version: InService) -> Collection[ModelSpec]:
        """Set the models anew that go on running under other numbers; return them as they were."""
        changed = self._changed(bundle, version)
        if changed:
            self._show(version.bundle_hash, f"adjusting {len(changed)} model(s)")
            self._fleet.adjust([bundle.models[name] for name in changed], version)
        return [self._bundle.models[name] for name in changed]

    def _start(self, bundle: Bundle, version: InService) -> frozenset[str]:
        """Start what the new version needs and wait until it is ready. Raises `Refused`, having ended what was started."""
        new = self._new(bundle, version)
        phase = f"starting {len(new)} model(s)"
        self._show(version.bundle_hash, phase)
        started = self._fleet.start(bundle, version)
        try:
            self._fleet.wait_until_running(version, _READY_SECONDS, lambda _: self._show(version.bundle_hash, phase))
        except DidNotStart as error:
            self._fleet.end(started)
            raise Refused(str(error)) from error
        return started

    def _switch(self, version: InService) -> None:
        """Put the version into service and wait until every ingress replica has taken it up. Raises `Refused`."""
        write_in_service(self._settings, version)
        deadline = time.monotonic() + _TAKE_UP_SECONDS
        while time.monotonic() < deadline:
            holdings = read_holdings(self._settings)
            for holding in holdings:
                if version.name in holding.refused:
                    raise Refused(f"an ingress replica does not take it up: {holding.refused[version.name]}")
            if holdings and len(holdings) >= self._fleet.ingress_replicas and _all_serve(holdings, version):
                return
            if self._show(version.bundle_hash, "switching"):
                break
        raise Refused(f"not every ingress replica took it up within {_TAKE_UP_SECONDS:g} s")

    def _drain(self, version: InService) -> None:
        """Wait until no request runs under the old version; no longer than any of its requests may take."""
        deadline = time.monotonic() + self._bundle.longest_seconds + _DRAIN_MARGIN_SECONDS
        while time.monotonic() < deadline:
            holdings = read_holdings(self._settings)
            if (
                holdings
                and _all_serve(holdings, version)
                and not any(self._version.name in one.open for one in holdings)
            ):
                return
            if self._show(version.bundle_hash, "waiting for the old version's last request"):
                return
        log.warning("requests under bundle %s did not end in their time", self._version.bundle_hash[:12])

    def _in_place(self, wanted: str) -> bool:
        """Whether whoever applied this bundle accepts that its models are away while they are exchanged."""
        try:
            return self._settings.in_place_file.read_text().strip() == wanted
        except OSError:
            return False

    def _show(self, wanted: str, phase: str) -> bool:
        return self._wait(Roll(bundle_hash=wanted, phase=phase))


def _all_serve(holdings: list[Holding], version: InService) -> bool:
    return all(holding.serves == version.name for holding in holdings)
