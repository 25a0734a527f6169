"""How do the Serve applications of a version come up, and how do they go? A model that two versions share is started once.

INVARIANT: the application of ingress and keeper is deployed once. To deploy it again, even with nothing but a changed `user_config`, takes
its replicas out of the proxy's reach until they are reconfigured, and a small box has one of each.
"""

import logging
import time
from collections.abc import Callable, Collection, Mapping
from typing import Final

import ray
from ray import serve
from ray.serve.api import RunTarget
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group

from cluster.machine import available_memory_bytes
from models.spec import ModelSpec
from router.bundle import Bundle
from serving.app import Deploy, application, deep_scan_application, retrieval_application, tools_application
from serving.in_service import APP, DEEP_SCAN, RETRIEVAL, InService
from serving.private.deployment import deployment_name
from serving.private.placement import Placement, demand_of, placement_of
from serving.roll import DidNotStart
from serving.settings import Settings
from serving.statuses import DEPLOY_FAILED, RUNNING, ApplicationState, application_states
from serving.surge import NoRoom, added_at_once, check_memory, replica_bytes

log = logging.getLogger(__name__)

_POLL_SECONDS: Final = 0.2
_RESERVE_SECONDS: Final = 10.0


class Applications:
    """The Serve applications on this cluster: implements `serving.roll.Fleet`.

    `deploy` makes a model's; only the overhead benchmark gives another, and no bundle can.
    """

    def __init__(self, settings: Settings, deploy: Deploy) -> None:
        self._settings, self._deploy = settings, deploy

    def start(self, bundle: Bundle, version: InService) -> frozenset[str]:
        """Deploy what this version needs and does not run yet; returns at once, with the names of what was started."""
        running = application_states()
        targets = {
            version.models[spec.name]: self._deploy(
                # Its load does not begin anew: a model that is being exchanged starts with as many replicas as it has.
                spec.starting_with(_replicas_now(spec, running)),
                self._settings.models / spec.folder,
            )
            for spec in bundle.models.values()
        }
        if version.hosted:
            targets[DEEP_SCAN] = deep_scan_application(self._settings)
        if version.tools:
            targets[version.tools] = tools_application(self._settings, version.folder)
        if version.retrieves:
            targets[RETRIEVAL] = retrieval_application(self._settings, tuple(sorted(bundle.indexes)))
        new = [RunTarget(target, name, None) for name, target in targets.items() if name not in running]
        if APP not in running:
            new.append(RunTarget(application(self._settings), APP, "/"))
        if new:
            serve.run_many(new, wait_for_applications_running=False)
        return frozenset(target.name for target in new)

    def adjust(self, specs: Collection[ModelSpec], version: InService) -> None:
        """Give those of these models that run other numbers of replicas and other limits. No engine of them starts again."""
        running = application_states()
        targets = [
            RunTarget(self._deploy(spec.going_on, self._settings.models / spec.folder), version.models[spec.name], None)
            for spec in specs
            if version.models[spec.name] in running
        ]
        if targets:
            serve.run_many(targets, wait_for_applications_running=False)

    def wait_until_settled(self, version: InService, patience: float) -> frozenset[str]:
        """Return once each model runs or was given up: the others serve all the same. Raises `DidNotStart` where nothing would serve.

        After so many seconds of patience one model that runs is enough. The applications of those that don't yet are returned: of a
        cluster a node may be missing, and what waits for it must not end the rest.
        """
        deadline = time.monotonic() + patience
        models = set(version.models.values())
        while True:
            found = application_states()
            states = {name: found[name].status if name in found else "" for name in {APP, *version.applications}}
            failed = {name for name, state in states.items() if state == DEPLOY_FAILED}
            if failed - models or (models and failed >= models):
                raise DidNotStart("; ".join(f"{name}: {found[name].because}" for name in sorted(failed)))
            late = {name for name, state in states.items() if state != RUNNING} - failed
            if not late or (time.monotonic() > deadline and late < models - failed):
                return frozenset(late)
            _wait(_POLL_SECONDS)

    def wait_until_running(
        self, version: InService, seconds: float | None = None, stopped: Callable[[float], bool] | None = None
    ) -> None:
        """Return once all of it runs. Raises `DidNotStart` when some of it failed, did not come up in time, or `stopped` says so.

        `stopped` waits for so many seconds and returns whether nobody wants it any more.
        """
        wait = stopped or _wait
        deadline = None if seconds is None else time.monotonic() + seconds
        while True:
            found = application_states()
            states = {name: found.get(name) for name in {APP, *version.applications}}
            if all(state is not None and state.status == RUNNING for state in states.values()):
                return
            for name, state in states.items():
                if state is not None and state.status == DEPLOY_FAILED:
                    raise DidNotStart(f"{name}: {state.message}")
            if deadline is not None and time.monotonic() > deadline:
                late = sorted(name for name, state in states.items() if state is None or state.status != RUNNING)
                raise DidNotStart(f"not running within {seconds:g} s: {', '.join(late)}")
            if wait(_POLL_SECONDS):
                raise DidNotStart("told to stop meanwhile")

    def check_room(self, specs: Collection[ModelSpec], version: InService) -> None:
        """Reserve room for the replicas that these models of a version will add at once, as they will be placed, and let go of it.

        Raises `NoRoom`.
        """
        running = application_states()
        added = {
            spec.name: added_at_once(spec, _replicas_now(spec, running), goes_on=version.models[spec.name] in running)
            for spec in specs
        }
        if sum(1 for node in ray.nodes() if node["Alive"]) == 1:
            sizes = {spec.name: replica_bytes(spec, self._settings.models / spec.folder) for spec in specs}
            check_memory({name: added[name] * size for name, size in sizes.items()}, available_memory_bytes())
        groups = [
            (f"{spec.name} ({demand_of(spec)})", _reserve(placement_of(spec)))
            for spec in specs
            for _ in range(added[spec.name])
        ]
        try:
            missing = sorted({asking for asking, group in groups if not group.wait(_RESERVE_SECONDS)})
            if missing:
                free = ", ".join(f"{amount:g} {name}" for name, amount in _worth_saying(ray.available_resources()))
                raise NoRoom(
                    f"no node has room for {', '.join(missing)} beside what runs; free in all: {free or 'nothing'}"
                )
        finally:
            for _, group in groups:
                remove_placement_group(group)

    @property
    def ingress_replicas(self) -> int:
        """How many replicas of the ingress run now."""
        entry = application_states().get(APP)
        return 0 if entry is None else entry.deployments["ingress"].count(RUNNING)

    def end_others(self, version: InService) -> None:
        """End what an earlier run left on a cluster that outlived it."""
        self.end(application_states().keys() - {APP} - version.applications)

    def end(self, names: Collection[str]) -> None:
        """Delete applications that run; returns once they are gone."""
        for name in sorted(application_states().keys() & names):
            try:
                serve.delete(name)
            except TimeoutError as error:
                log.warning("%s", error)


def _replicas_now(spec: ModelSpec, applications: Mapping[str, ApplicationState]) -> int:
    """How many replicas of a model run now, under this version or the one before."""
    name = deployment_name(spec.name)
    return max(
        (one.deployments[name].count(RUNNING) for one in applications.values() if name in one.deployments), default=0
    )


def _reserve(placement: Placement) -> PlacementGroup:
    alone = {"CPU": placement.num_cpus, "GPU": placement.num_gpus, **placement.resources}
    bundles = placement.bundles or ({name: amount for name, amount in alone.items() if amount > 0},)
    selectors = [dict(placement.labels) for _ in bundles]
    return placement_group([dict(bundle) for bundle in bundles], "PACK", bundle_label_selector=selectors)


def _worth_saying(resources: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(
        (name, amount) for name, amount in resources.items() if name in {"CPU", "GPU"} or name.startswith("gpu_")
    )


def _wait(seconds: float) -> bool:
    time.sleep(seconds)
    return False
