"""The process that is the Ray cluster's driver: starts Ray and the Serve application, ends both, leaves nothing.

Where the settings name a Ray cluster that runs already (`lane cluster`), it is joined instead, and left running at the end.

Started by the supervisor as `python -m serving.cluster_process`, with an environment that holds no provider key. It writes its
progress to `progress.json` in the home folder; its own end means the end of every Ray process below it.
"""

import argparse
import logging
import os
import shutil
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from types import FrameType

import psutil
import ray
from ray import serve
from ray.serve.config import HTTPOptions

from cluster.nodes.inventory import UNDECLARED
from cluster.nodes.resources import LAW, OFFERED, PRIVATE
from models.spec import ModelSpec
from router.bundle import Bundle, load_bundle
from serving.app import Deploy
from serving.applications import Applications
from serving.in_service import APP, InService, in_service_of, read_in_service, write_in_service
from serving.model_status import model_statuses
from serving.private.deployment import private_application
from serving.private.weights import WeightsPolicy
from serving.processes import Brood, die_with_parent
from serving.roll import Rolls
from serving.settings import Settings
from serving.status import Roll, Status, write_status
from serving.statuses import application_states
from serving.supervisor import TRY_AGAIN
from serving.unfit import altered_models, refused_models

log = logging.getLogger(__name__)

_GRACE_SECONDS = 10.0
_STATUS_SECONDS = 2.0
_STEP_SECONDS = 1.0
_PATIENCE_SECONDS = 600.0
"""How long all models are waited for at the start; afterwards one that runs is enough. Less than `lane up` waits."""
_OBJECT_STORE_BYTES = 200 * 2**20
_LOGICAL_CPUS = 16
"""Ray's CPUs are reservations. On one box ingress, keeper and engines share what there is, so they must not exclude each other."""


def run(settings: Settings, deploy: Deploy | None = None) -> None:
    """Start, report, and stay until SIGTERM or SIGINT. Cleans up however it ends. `deploy`: see `serving.applications`."""
    weights = WeightsPolicy(signers=settings.model_signers, source=settings.models_from)
    deploy = deploy or partial(private_application, weights=weights)
    stop = threading.Event()
    brood, serves = Brood(), settings.ray_address is not None
    folder = settings.ray_folder
    shutil.rmtree(folder, ignore_errors=True)
    try:
        _when_told_to_end(_leave)
        bundle, version, applications, late = _start(settings, folder, deploy)
        _when_told_to_end(stop.set)
        serves = True

        def show(roll: Roll | None) -> None:
            brood.look()
            write_status(settings, _status(settings, read_in_service(settings), rolls.models, roll, late))

        def wait(roll: Roll) -> bool:
            show(roll)
            return stop.wait(_STEP_SECONDS)

        rolls = Rolls(settings, applications, bundle, version, wait)
        while not stop.wait(_STATUS_SECONDS):
            show(rolls.refused)
            rolls.look()
    finally:
        write_status(settings, Status(phase="stopping"))
        brood.look()
        try:
            if ray.is_initialized():
                serve.shutdown() if serves else _break_off(brood)
                ray.shutdown()
        finally:
            killed = brood.clear(_GRACE_SECONDS)
            if killed:
                log.warning("killed what did not end by itself: %s", killed)
            shutil.rmtree(folder, ignore_errors=True)


def _start(settings: Settings, folder: Path, deploy: Deploy) -> tuple[Bundle, InService, Applications, Collection[str]]:
    """Start all of it. The last of what it returns: the applications of models that are late."""
    bundle = load_bundle(settings.bundle)
    write_status(settings, Status(phase="starting Ray"))
    folder.mkdir(mode=0o700, parents=True)
    shutil.rmtree(settings.holdings_folder, ignore_errors=True)
    # vLLM's sockets and scratch files outlive an engine that was killed; here they go with the folder.
    os.environ["VLLM_RPC_BASE_PATH"] = os.environ["TMPDIR"] = str(folder)
    _start_ray(folder) if settings.ray_address is None else _join_ray(settings.ray_address)
    _when_told_to_end(_leave)  # Ray has put a handler of its own there, which drains a node that nothing runs on yet.
    serve.start(
        proxy_location="HeadOnly",
        http_options=HTTPOptions(host=settings.host, port=settings.port, request_timeout_s=None),
    )
    write_status(settings, Status(phase=f"starting {len(bundle.models)} model(s)"))
    version = in_service_of(bundle, settings.models)
    write_in_service(settings, version)
    applications = Applications(settings, deploy)
    applications.adjust(
        bundle.models.values(), version
    )  # A cluster that outlived the last run may have other settings.
    applications.start(bundle, version)
    late = applications.wait_until_settled(version, _PATIENCE_SECONDS)
    applications.end_others(version)
    return bundle, version, applications, late


def _when_told_to_end(act: Callable[[], object]) -> None:
    """Have SIGTERM and SIGINT do this from now on."""

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        act()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)


def _leave() -> None:
    """Break a start off, wherever it is; what there is of it already is cleared up once."""
    _when_told_to_end(lambda: None)
    sys.exit(0)


def _break_off(brood: Brood) -> None:
    """End what is only starting. Serve would wait for it: a replica that loads its model does not listen."""
    for child in psutil.Process().children():
        if child.name() == "raylet":
            brood.end_at_once(child)


def _start_ray(folder: Path) -> None:
    """Start a cluster of this one box, on loopback. Ends the process with `TRY_AGAIN` when Ray itself does not come up.

    Seen on a busy machine: the raylet waits 15 s for its agent, then aborts.
    """
    try:
        ray.init(
            address="local",
            num_cpus=_LOGICAL_CPUS,
            resources={PRIVATE: OFFERED},
            labels={LAW: UNDECLARED},
            include_dashboard=False,
            object_store_memory=_OBJECT_STORE_BYTES,
            log_to_driver=False,
            _node_ip_address="127.0.0.1",
            _temp_dir=str(folder),
        )
    except Exception as error:  # noqa: BLE001 - Ray raises a bare Exception here
        log.warning("Ray did not start: %s", error)
        sys.exit(TRY_AGAIN)


def _join_ray(address: str) -> None:
    """Connect to the cluster that systemd's units run, on its head. Ends the process with `TRY_AGAIN` while there is none yet.

    The token and the certificates that its ports ask for are named by the environment (`/etc/lane/ray.env`).
    """
    try:
        # Ray would guess this machine's address from its routes; the head's is the one that its raylet has.
        ray.init(address=address, log_to_driver=False, _node_ip_address=address.rpartition(":")[0])
    except Exception as error:  # noqa: BLE001 - Ray raises a bare Exception here
        log.warning("no Ray at %s: %s", address, error)
        sys.exit(TRY_AGAIN)


def _status(
    settings: Settings, version: InService, models: Collection[ModelSpec], roll: Roll | None, late: Collection[str]
) -> Status:
    """What Serve says of its deployments now. A model that is being exchanged is in two applications: both are counted."""
    applications = application_states()
    replicas: dict[str, Counter[str]] = {}
    for application in applications.values():
        for name, deployment in application.deployments.items():
            counted = replicas.setdefault(name, Counter())
            counted.update(deployment.replicas)
    entry = applications.get(APP)
    return Status(
        phase="running",
        bundle_hash=version.bundle_hash,
        roll=roll,
        application=entry.status if entry is not None else None,
        replicas={name: dict(counted) for name, counted in replicas.items()},
        models=model_statuses(models, applications),
        refused=refused_models(version, applications, settings.models, late),
        altered=altered_models(models, settings.models),
    )


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="serving.cluster_process")
    parser.add_argument("--settings", required=True, help="the settings as JSON")
    parser.add_argument("--parent", required=True, type=int, help="the supervisor's process ID")
    arguments = parser.parse_args()
    die_with_parent(arguments.parent)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    run(Settings.model_validate_json(arguments.settings))


if __name__ == "__main__":
    main()
