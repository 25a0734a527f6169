"""Which deployments make up the system? One ingress (any number of replicas) and one keeper, which go on through every change of bundle.

Beside them each private model is a Serve application of its own (`serving.in_service`), and so is what reads what is about to leave.
"""

import asyncio
import gc
import logging
import os
import secrets
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from ray import serve
from ray.serve.handle import DeploymentHandle

from cluster.nodes.resources import HEAD, TAKEN
from models.spec import ModelSpec
from router.bundle import Bundle, load_bundle
from router.bundle.files import LaneSpec
from router.errors import BundleInvalid
from router.execute import LaneHealth
from router.lane import Lane
from router.ports import DeepScan, ToolBox
from router.scan import warm
from serving.admission import AdmittedLane, Rooms, Standings, onward, out
from serving.api.auth import Keyring
from serving.api.people import People
from serving.api.routes import Api, Version, make_api
from serving.breaker_board import SharedBoard
from serving.budgets.wallet import Wallet
from serving.change.errors import HistoryBroken
from serving.change.in_force import InForce
from serving.deep.deployment import DeepScanClient, DeepScanReplica
from serving.deep.judge import AllScans, JudgeScan
from serving.deep.last_look import look_again
from serving.gateway import Gateway, Planner, Recorder, Waiting
from serving.hosted import HostedLane, door_client_of
from serving.in_service import DEEP_SCAN, RETRIEVAL, InService, read_in_service, write_holding
from serving.keeper import Keeper, KeeperClient
from serving.leaks.sampler import Sampler
from serving.lockout import Lockout, lane_switches
from serving.people.desk import PeopleDesk
from serving.people.go_on import GoOn
from serving.people.moments import this_moment
from serving.permit_keys import read_private_key
from serving.private.deployment import deployment_name
from serving.private.lane import private_lane
from serving.private.pulse import Pulses
from serving.private.replicas import ReplicaCounts, matter
from serving.redaction_maps import KeptMaps
from serving.retrieval.deployment import RetrievalClient, RetrievalReplica
from serving.settings import Settings
from serving.store import EvidenceStore
from serving.tools.box import GuardedToolBox, NoWayOut
from serving.tools.by_door import ByDoor
from serving.tools.deployment import TOOLBOX, InsideAndOut, RemoteRunner, ToolboxReplica
from serving.versions import Versions

log = logging.getLogger(__name__)

_INGRESS_ONGOING: Final = 2048
_KEEPER_ONGOING: Final = 1024
_DEEP_ONGOING: Final = 64
_TOOLS_ONGOING: Final = 64
_RETRIEVAL_ONGOING: Final = 256
_LIGHT_CPUS: Final = 0.1
"""Ray CPUs of the ingress and the keeper: reservations, not limits."""
_AT_THE_HEAD: Final = {"num_cpus": _LIGHT_CPUS, "resources": {HEAD: TAKEN}}
"""They keep evidence and state in files of the home folder, which is the head's."""


Deploy = Callable[[ModelSpec, Path], serve.Application]


class MonotonicClock:
    """The machine's own clock."""

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()


class Ingress:
    """One ingress replica: holds the version in service, and answers HTTP."""

    def __init__(self, settings: Settings, keeper: DeploymentHandle) -> None:
        """Take the keeper's handle; the models' are found by the names that the version in service gives."""
        self._settings = settings
        self._keeper_handle = keeper
        self._keeper = KeeperClient(keeper, time.monotonic)
        self._maps = KeptMaps(keeper)
        self._replicas = ReplicaCounts()
        self._health = LaneHealth(SharedBoard(settings.breakers_file, time.monotonic, this_moment().boot))
        self._pulses = Pulses(time.monotonic)
        self._rooms = Rooms(self._pulses.of, lambda: serve.get_replica_context().world_size, time.monotonic)
        self._deep = DeepScanClient(DeploymentHandle(DEEP_SCAN, DEEP_SCAN), time.monotonic)
        self._retriever = RetrievalClient(DeploymentHandle(RETRIEVAL, RETRIEVAL))
        self._door = door_client_of(settings)
        self._permit_key = read_private_key(settings.permit_key_file)
        self._store = EvidenceStore(settings.evidence_file)
        self._desk = PeopleDesk(keeper, Recorder(self._store))
        self._sample = Sampler(settings.leak_sample_file, settings.samples / "stayed.sqlite").stayed
        self._salt = settings.salt_file.read_bytes()
        self._newest = InForce(settings, load_bundle(read_in_service(settings).folder), lambda bundle: bundle)
        self._versions = Versions(
            partial(read_in_service, settings), self._version, partial(write_holding, settings, secrets.token_hex(8))
        )

    def __serve_build_asgi_app__(self) -> FastAPI:
        """Build the application; Ray Serve calls this in the replica, once."""
        warm()
        # What is loaded now stays: unfrozen, the collector walks all of it again and again, in the middle of somebody's decision.
        gc.collect()
        gc.freeze()
        return make_api(Api(lambda: self._versions.current), self._refresh_forever)

    async def _refresh_forever(self) -> None:
        """Keep what is known of the other deployments fresh."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keeper.refresh_forever())
            group.create_task(self._deep.refresh_forever(lambda: self._versions.in_service.hosted))
            group.create_task(self._replicas.refresh_forever(lambda: matter(self._versions.models)))
            group.create_task(self._pulses.refresh_forever(self._rooms.look))
            group.create_task(self._desk.sweep_forever())
            group.create_task(self._versions.follow_forever())

    def _version(self, in_service: InService) -> Version:
        """Load a version. Raises `BundleInvalid`."""
        settings, bundle = self._settings, self._newest.last
        if bundle.hash != in_service.bundle_hash:
            bundle = load_bundle(in_service.folder)
        models = {
            name: DeploymentHandle(deployment_name(name), application)
            for name, application in in_service.models.items()
        }
        if bundle.hash != in_service.bundle_hash:
            raise BundleInvalid(
                f"{in_service.folder} was changed while bundle {in_service.bundle_hash[:12]} is in service: "
                "change a copy, and `lane bundle apply` it"
            )
        planner = Planner(
            bundle=bundle,
            lanes_off=self._lanes_off(bundle),
            keeper=self._keeper,
            salt=self._salt,
            maps=self._maps,
            newest=self._newest,
            purse=Wallet(self._keeper_handle, bundle.tenants.values()),
        )
        gateway = Gateway(
            planner=planner,
            lanes=self._lanes(bundle, models),
            store=self._store,
            clock=MonotonicClock(),
            sample=self._sample,
            health=self._health,
            retriever=self._retriever if bundle.indexes else None,
            toolbox=self._toolbox(bundle, in_service),
            people=Waiting(self._desk, bundle),
        )
        revoked = Lockout(settings.keys_revoked_folder)
        keys = Keyring(bundle.tenants.values(), settings.keys_file, revoked, time.time)
        # A question would wake a model that has no replica.
        asked = {name: handle for name, handle in models.items() if bundle.models[name].least_replicas}
        people = People(self._desk, GoOn(gateway))
        return Version(gateway, keys, partial(_missing, asked), people)

    def _toolbox(self, bundle: Bundle, in_service: InService) -> ToolBox | None:
        """Return what checks and calls this version's tools; None where it has none."""
        if not bundle.tools:
            return None
        inside = RemoteRunner(DeploymentHandle(TOOLBOX, in_service.tools)) if in_service.tools else NoWayOut()
        outward = ByDoor(self._door, self._permit_key, bundle.hash, time.time)
        return GuardedToolBox(bundle, InsideAndOut(inside, outward), MonotonicClock(), self._desk.consume_for)

    def _lanes_off(self, bundle: Bundle) -> Callable[[], dict[str, str]]:
        """Return the question that is asked at each decision. What an operator switched off is read from the home folder each time."""
        hosted = tuple(lane.name for lane in bundle.lanes.values() if lane.is_hosted)
        switched_off = lane_switches(Lockout(self._settings.lanes_off_folder), bundle.lanes)

        def lanes_off() -> dict[str, str]:
            unread = {} if self._deep.ready else dict.fromkeys(hosted, "the deep scan is not ready")
            resting = self._health.off(bundle.lanes.values(), time.monotonic())
            closed = self._keeper.door.closes(hosted, {bundle.hash, *self._hash_in_force()})
            return resting | closed | unread | switched_off()

        return lanes_off

    def _hash_in_force(self) -> tuple[str, ...]:
        try:
            return (self._newest.bundle_hash,)
        except HistoryBroken:
            return ()

    def _lanes(self, bundle: Bundle, models: Mapping[str, DeploymentHandle]) -> dict[str, Lane]:
        standings = Standings(bundle.tenants.values())
        lanes: dict[str, Lane] = {
            spec.name: self._private(spec, models[str(spec.base_model)], bundle, standings)
            for spec in bundle.lanes.values()
            if spec.model is not None
        }
        last_look = partial(look_again, deep=self._deep_scan(bundle, lanes), tiers=bundle.tiers)
        for spec in bundle.lanes.values():
            if spec.hosted is not None:
                hosted = HostedLane(spec, spec.hosted, self._door, self._permit_key, time.time, last_look)
                lanes[spec.name] = self._limited(hosted, spec, standings)
        return lanes

    def _private(self, spec: LaneSpec, handle: DeploymentHandle, bundle: Bundle, standings: Standings) -> Lane:
        model = bundle.models[str(spec.base_model)]
        lane, gate = private_lane(handle, model, self._replicas), self._rooms.gate(handle.app_name, model)
        return self._limited(AdmittedLane(lane, gate, standings, self._store, time.monotonic), spec, standings)

    def _limited(self, lane: Lane, spec: LaneSpec, standings: Standings) -> Lane:
        """Return a lane within its own limit, where it has one."""
        if spec.max_concurrency is None:
            return lane
        gate = self._rooms.gate_of_lane(spec.name, spec.max_concurrency)
        way_round = onward if spec.is_hosted else out
        return AdmittedLane(lane, gate, standings, self._store, time.monotonic, way_round)

    def _deep_scan(self, bundle: Bundle, private: Mapping[str, Lane]) -> DeepScan:
        """Presidio's, and beside it a private lane's model where the settings name one."""
        judge = self._settings.judge_lane
        if judge is None:
            return self._deep
        if judge not in private:
            raise BundleInvalid(f"LANE_JUDGE: {judge} is no private lane of the bundle")
        model = bundle.lanes[judge].model_name
        return AllScans(
            (self._deep, JudgeScan(private[judge], judge, model, bundle.hash, lambda: secrets.token_hex(16)))
        )


async def _missing(models: Mapping[str, DeploymentHandle]) -> dict[str, str]:
    """Return the private models that do not answer, each with the reason."""
    missing: dict[str, str] = {}

    async def ask(name: str, handle: DeploymentHandle) -> None:
        try:
            async with asyncio.timeout(5.0):
                await handle.check_health.remote()
        except Exception as error:  # noqa: BLE001 - any trouble means: not ready
            missing[name] = type(error).__name__

    async with asyncio.TaskGroup() as group:
        for name, handle in models.items():
            group.create_task(ask(name, handle))
    return missing


def application(settings: Settings, ingress_replicas: int | None = None) -> serve.Application:
    """Return the application of ingress and keeper.

    `ingress_replicas`: by default one for every four cores, so that on a small box the engine keeps its cores.
    """
    replicas = ingress_replicas or max(1, (os.cpu_count() or 1) // 4)
    keeper = serve.deployment(
        Keeper,
        name="keeper",
        num_replicas=1,  # INVARIANT: one owner of the state.
        max_ongoing_requests=_KEEPER_ONGOING,
        ray_actor_options=_AT_THE_HEAD,
    ).bind(settings)
    return serve.deployment(
        serve.ingress()(Ingress),
        name="ingress",
        num_replicas=replicas,
        max_ongoing_requests=_INGRESS_ONGOING,
        ray_actor_options=_AT_THE_HEAD,
        graceful_shutdown_timeout_s=30,
    ).bind(settings, keeper)


def deep_scan_application(settings: Settings) -> serve.Application:
    """Return the application that reads what is about to leave. One replica: it holds one worker, which reads one question at a time."""
    return serve.deployment(
        DeepScanReplica,
        name=DEEP_SCAN,
        num_replicas=1,
        max_ongoing_requests=_DEEP_ONGOING,
        ray_actor_options=_AT_THE_HEAD,
    ).bind(settings)


def tools_application(settings: Settings, folder: Path) -> serve.Application:
    """Return the application that a bundle's server-side tools run in. One replica: its workers answer several calls at once."""
    return serve.deployment(
        ToolboxReplica,
        name=TOOLBOX,
        num_replicas=1,
        max_ongoing_requests=_TOOLS_ONGOING,
        ray_actor_options=_AT_THE_HEAD,
    ).bind(settings, folder)


def retrieval_application(settings: Settings, names: tuple[str, ...]) -> serve.Application:
    """Return the application that looks context up in these indexes, at the head where they rest."""
    return serve.deployment(
        RetrievalReplica,
        name=RETRIEVAL,
        num_replicas=1,
        max_ongoing_requests=_RETRIEVAL_ONGOING,
        ray_actor_options=_AT_THE_HEAD,
    ).bind(settings, names)
