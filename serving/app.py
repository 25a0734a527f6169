"""Which deployments make up the system? One ingress (any number of replicas), one keeper, one deployment per private model.

Where the bundle has hosted lanes, one more that reads what is about to leave.
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
from typing import Any, Final

from fastapi import FastAPI
from ray import serve
from ray.serve.handle import DeploymentHandle

from cluster.nodes.resources import HEAD, TAKEN
from models.spec import ModelSpec
from router.bundle import Bundle, load_bundle
from router.errors import BundleInvalid
from router.lane import Lane
from router.ports import DeepScan
from router.scan import warm
from serving.api.auth import Keyring
from serving.api.routes import Api, make_api
from serving.deep.deployment import DeepScanClient, DeepScanReplica
from serving.deep.judge import AllScans, JudgeScan
from serving.deep.last_look import look_again
from serving.gateway import Gateway
from serving.hosted import HostedLane, door_client_of
from serving.keeper import Keeper, KeeperClient
from serving.leaks.sampler import Sampler
from serving.lockout import Lockout, lane_switches
from serving.permit_keys import read_private_key
from serving.private.deployment import private_application
from serving.private.lane import private_lane
from serving.private.replicas import ReplicaCounts, matter
from serving.redaction_maps import KeptMaps
from serving.settings import Settings
from serving.store import EvidenceStore

log = logging.getLogger(__name__)

_INGRESS_ONGOING: Final = 2048
_KEEPER_ONGOING: Final = 1024
_DEEP_ONGOING: Final = 64
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
    """One ingress replica: loads the bundle, holds the lanes, and answers HTTP."""

    def __init__(
        self,
        settings: Settings,
        keeper: DeploymentHandle,
        models: Mapping[str, DeploymentHandle],
        deep: DeploymentHandle | None,
    ) -> None:
        """Take the handles of the other deployments; `deep` is None where the bundle has no hosted lane."""
        self._settings = settings
        self._models = dict(models)
        self._replicas = ReplicaCounts()
        self._deep = None if deep is None else DeepScanClient(deep, time.monotonic)
        self._bundle = load_bundle(settings.bundle)
        hosted = tuple(lane.name for lane in self._bundle.lanes.values() if lane.is_hosted)
        switched_off = lane_switches(Lockout(settings.lanes_off_folder), self._bundle.lanes)
        self._maps = KeptMaps(keeper)

        def closed() -> dict[str, str]:
            unread = (
                {} if self._deep is None or self._deep.ready else dict.fromkeys(hosted, "the deep scan is not ready")
            )
            return unread | switched_off()

        self._keeper = KeeperClient(keeper, hosted, time.monotonic, closed)

    def __serve_build_asgi_app__(self) -> FastAPI:
        """Build the application; Ray Serve calls this in the replica, once."""
        settings = self._settings
        warm()
        gateway = Gateway(
            bundle=self._bundle,
            lanes=self._lanes(),
            keeper=self._keeper,
            store=EvidenceStore(settings.evidence_file),
            clock=MonotonicClock(),
            salt=settings.salt_file.read_bytes(),
            maps=self._maps,
            sample=Sampler(settings.leak_sample_file, settings.samples / "stayed.sqlite").stayed,
        )
        revoked = Lockout(settings.keys_revoked_folder)
        keys = Keyring(self._bundle.tenants.values(), settings.keys_file, revoked, time.time)
        # What is loaded now stays: unfrozen, the collector walks all of it again and again, in the middle of somebody's decision.
        gc.collect()
        gc.freeze()
        return make_api(Api(gateway, keys, self._not_ready), self._refresh_forever)

    async def _refresh_forever(self) -> None:
        """Keep what is known of the other deployments fresh."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keeper.refresh_forever())
            group.create_task(self._replicas.refresh_forever(lambda: matter(self._bundle.models.values())))
            if self._deep is not None:
                group.create_task(self._deep.refresh_forever())

    def _lanes(self) -> dict[str, Lane]:
        key = read_private_key(self._settings.permit_key_file)
        client = door_client_of(self._settings)
        lanes: dict[str, Lane] = {
            spec.name: private_lane(
                self._models[str(spec.base_model)], self._bundle.models[str(spec.base_model)], self._replicas
            )
            for spec in self._bundle.lanes.values()
            if spec.hosted is None
        }
        if self._deep is None:
            return lanes
        last_look = partial(look_again, deep=self._deep_scan(self._deep, lanes), tiers=self._bundle.tiers)
        for spec in self._bundle.lanes.values():
            if spec.hosted is not None:
                lanes[spec.name] = HostedLane(spec, spec.hosted, client, key, time.time, last_look)
        return lanes

    def _deep_scan(self, scan: DeepScan, private: Mapping[str, Lane]) -> DeepScan:
        """Presidio's, and beside it a private lane's model where the settings name one."""
        judge = self._settings.judge_lane
        if judge is None:
            return scan
        if judge not in private:
            raise BundleInvalid(f"LANE_JUDGE: {judge} is no private lane of the bundle")
        model = self._bundle.lanes[judge].model_name
        return AllScans(
            (scan, JudgeScan(private[judge], judge, model, self._bundle.hash, lambda: secrets.token_hex(16)))
        )

    async def _not_ready(self) -> dict[str, str]:
        """Return the private models that do not answer, each with the reason."""
        missing: dict[str, str] = {}

        async def ask(name: str, handle: DeploymentHandle) -> None:
            try:
                async with asyncio.timeout(5.0):
                    await handle.check_health.remote()
            except Exception as error:  # noqa: BLE001 - any trouble means: not ready
                missing[name] = type(error).__name__

        async with asyncio.TaskGroup() as group:
            for name, handle in self._models.items():
                if self._bundle.models[name].least_replicas:  # A question would wake a model that has none.
                    group.create_task(ask(name, handle))
        return missing


def application(
    settings: Settings, bundle: Bundle, ingress_replicas: int | None = None, deploy: Deploy = private_application
) -> serve.Application:
    """Return the Serve application of a bundle: what `serve.run` deploys.

    `ingress_replicas`: by default one for every four cores, so that on a small box the engine keeps its cores.
    `deploy` makes a model's deployment; only the overhead benchmark gives another, and no bundle can.
    """
    replicas = ingress_replicas or max(1, (os.cpu_count() or 1) // 4)
    keeper = serve.deployment(
        Keeper,
        name="keeper",
        num_replicas=1,  # INVARIANT: one owner of the state.
        max_ongoing_requests=_KEEPER_ONGOING,
        ray_actor_options=_AT_THE_HEAD,
    ).bind(settings)
    models: dict[str, Any] = {spec.name: deploy(spec, settings.models / spec.folder) for spec in bundle.models.values()}
    deep = _deep_scan(settings) if any(lane.is_hosted for lane in bundle.lanes.values()) else None
    return serve.deployment(
        serve.ingress()(Ingress),
        name="ingress",
        num_replicas=replicas,
        max_ongoing_requests=_INGRESS_ONGOING,
        ray_actor_options=_AT_THE_HEAD,
        graceful_shutdown_timeout_s=30,
    ).bind(settings, keeper, models, deep)


def _deep_scan(settings: Settings) -> serve.Application:
    """One replica: it holds one worker, which reads one question at a time."""
    return serve.deployment(
        DeepScanReplica,
        name="deep-scan",
        num_replicas=1,
        max_ongoing_requests=_DEEP_ONGOING,
        ray_actor_options=_AT_THE_HEAD,
    ).bind(settings)
