"""Who starts, watches and ends the system on one box? The supervisor: the door and the cluster process are its children.

The door alone is given the provider keys. A door that dies is started again; a cluster process that dies ends the supervisor,
so that whatever supervises it (systemd, a person) sees it.
"""

import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Set
from pathlib import Path
from types import FrameType

import httpx2

from cluster.environment import PROVIDER_KEYS, ray_environment
from router.bundle import Bundle, load_bundle
from router.errors import RouterError
from router.tools.places import door_variables, reaches_out
from serving.change.errors import NotInForce
from serving.change.watch import Watch
from serving.privacy import forget, keep_to_itself
from serving.processes import Brood
from serving.retrieval.shipped import outdated
from serving.secrets import ensure_secrets
from serving.settings import Settings
from serving.status import claim, read_status, release, supervisor_of

log = logging.getLogger(__name__)

Say = Callable[[str], None]
_STOP_SECONDS = 60.0
TRY_AGAIN = 75
"""Exit status (sysexits' EX_TEMPFAIL) with which the cluster process asks to be started again."""
_REAP_SECONDS = 5.0
_POLL_SECONDS = 0.2
_WATCH_SECONDS = 1.0
_INDEX_SECONDS = 300.0


class CannotStart(RouterError):
    """The system can't start here, and why."""

    code = "cannot_start"


class Supervision:
    """One run of the system: start it, stay with it, end it.

    `with_door=False` leaves the door to a unit of its own (another user, another network): then no provider key may be here at all.
    """

    def __init__(self, settings: Settings, environment: Mapping[str, str], say: Say, *, with_door: bool = True) -> None:
        self._settings = settings
        self._environment = dict(environment)
        self._say = say
        self._with_door = with_door
        self._stop = threading.Event()
        self._door: subprocess.Popen[bytes] | None = None
        self._cluster: subprocess.Popen[bytes] | None = None
        self._brood = Brood()
        self._starts_left = 2

    def run(self, when_ready: Callable[[], None], ready_seconds: float) -> None:
        """Start everything, call `when_ready`, stay until a signal. Raises `CannotStart`; leaves nothing behind either way."""
        bundle = self._prepare()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        claim(self._settings)
        try:
            if self._with_door and has_door(bundle):
                self._say("starting the door")
                self._door = self._start_door()
            indexing = self._start_indexing(bundle)
            self._cluster = self._start_cluster(bundle)
            self._wait_for_indexes(indexing)
            if self._wait_until_ready(bundle, ready_seconds):
                when_ready()
                self._watch()
        finally:
            self._end()

    def _prepare(self) -> Bundle:
        running = supervisor_of(self._settings)
        if running is not None:
            raise CannotStart(f"already running here (process {running.pid}); `lane down` ends it")
        bundle = load_bundle(self._settings.bundle)
        objection = Watch(self._settings.changes_file, self._settings.approvers).objection(bundle.hash)
        if objection is not None:
            raise NotInForce(f"{self._settings.bundle} may not run here: {objection}")
        keys = _provider_keys(bundle)
        self._refuse_what_must_not_be_here(bundle, keys)
        if self._settings.ray_address is None:
            self._refuse_what_is_missing(bundle)
        ensure_secrets(self._settings, bundle)
        keep_to_itself()
        forget(keys)
        return bundle

    def _refuse_what_is_missing(self, bundle: Bundle) -> None:
        """Raise `CannotStart` where this box lacks a model's folder or the port. Of a cluster each node is asked, by its replicas."""
        for model in bundle.models.values():
            here = (self._settings.models / model.folder / "config.json").exists()
            if not here and self._settings.models_from is None:  # Else its replica fetches it, once, before it starts.
                raise CannotStart(
                    f"model {model.name}: {self._settings.models / model.folder} is not there; run `make setup`"
                )
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self._settings.host, self._settings.port))
            except OSError as error:
                address = f"{self._settings.host}:{self._settings.port}"
                raise CannotStart(f"{address} is in use ({error.strerror}); set LANE_PORT to a free port") from error

    def _refuse_what_must_not_be_here(self, bundle: Bundle, keys: Set[str]) -> None:
        """Raise `CannotStart` for a provider's key where nothing leaves, or where the door runs elsewhere: it is one copy too many."""
        if bundle.egress == "none":
            self._refuse_keys(keys | PROVIDER_KEYS, "the bundle lets nothing leave (`egress: none`)")
        elif not self._with_door:
            self._refuse_keys(keys, "without its door, this node must not hold a provider's key")
        elif self._settings.door_user is not None:
            raise CannotStart(
                f"LANE_DOOR_USER is {self._settings.door_user}: a door under a user of its own is started by itself "
                "(`lane door`), and the rest with `lane up --no-door`"
            )

    def _refuse_keys(self, variables: Set[str], because: str) -> None:
        if found := sorted(name for name in variables if self._environment.get(name)):
            raise CannotStart(f"{', '.join(found)} is set here: {because}")

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stop.set()

    def _start_door(self) -> subprocess.Popen[bytes]:
        """Start the door with the whole environment: the provider keys are for it alone."""
        return self._child("serving.door.main", self._environment, "door.log")

    def _start_cluster(self, bundle: Bundle) -> subprocess.Popen[bytes]:
        environment = ray_environment(self._environment, provider_keys=_provider_keys(bundle))
        environment |= _haproxy_of_its_own(self._settings.ray_folder)
        if self._settings.ray_address is None:
            environment["RAY_AUTH_TOKEN_PATH"] = str(self._settings.ray_token_file)
        environment["PROMETHEUS_MULTIPROC_DIR"] = str(self._empty_metrics_folder())
        return self._child("serving.cluster_process", environment, "cluster.log")

    def _start_indexing(self, bundle: Bundle) -> subprocess.Popen[bytes] | None:
        """Build the indexes that the bundle brings documents for, where they are not what those say; beside the cluster's start."""
        names = outdated(bundle, self._settings.indexes)
        if not names:
            return None
        self._say(f"building {len(names)} index(es) of the bundle: {', '.join(names)}")
        environment = ray_environment(self._environment, provider_keys=_provider_keys(bundle))
        return self._child("serving.retrieval.shipped", environment, "indexes.log")

    def _wait_for_indexes(self, indexing: subprocess.Popen[bytes] | None) -> None:
        """Wait until they are built. Without one its routes answer that retrieval is unavailable; all else works."""
        deadline = time.monotonic() + _INDEX_SECONDS
        while indexing is not None and indexing.poll() is None and not self._stop.wait(_POLL_SECONDS):
            if time.monotonic() > deadline:
                indexing.kill()
                indexing.wait()
        if indexing is not None and indexing.poll() not in {0, None}:
            self._say(f"an index of the bundle was not built; see {self._settings.logs / 'indexes.log'}")

    def _empty_metrics_folder(self) -> str:
        folder = self._settings.running / "metrics"
        folder.mkdir(exist_ok=True)
        for leftover in folder.iterdir():
            leftover.unlink()
        return str(folder)

    def _child(self, module: str, environment: Mapping[str, str], log_name: str) -> subprocess.Popen[bytes]:
        """Start a module as a child in a group of its own: Ctrl-C reaches the supervisor alone, which ends them in order."""
        command = [
            sys.executable,
            "-m",
            module,
            "--settings",
            self._settings.model_dump_json(),
            "--parent",
            str(os.getpid()),
        ]
        with (self._settings.logs / log_name).open("ab") as file:
            return subprocess.Popen(  # noqa: S603 - our own interpreter and modules
                command, env=dict(environment), stdin=subprocess.DEVNULL, stdout=file, stderr=file, process_group=0
            )

    def _wait_until_ready(self, bundle: Bundle, seconds: float) -> bool:
        """Wait for `/readyz`, or until all that does not start was given up; False when told to stop meanwhile. Raises `CannotStart`."""
        deadline, said = time.monotonic() + seconds, ""
        while time.monotonic() < deadline:
            if self._stop.wait(_POLL_SECONDS):
                return False
            self._cluster = self._alive_or_again(self._cluster, bundle)
            status = read_status(self._settings)
            if status is not None and status.phase != said:
                said = status.phase
                self._say(said)
            if said == "running" and status is not None and status.refused:
                for model, because in status.refused.items():
                    self._say(f"{model} does not start: {because}")
                return True
            if said == "running" and is_ready(self._settings):
                return True
        raise CannotStart(f"not ready within {seconds:g} s; see {self._settings.logs / 'cluster.log'}")

    def _watch(self) -> None:
        """Stay until told to stop. The door is started again when it dies; the cluster's death ends the run."""
        while not self._stop.wait(_WATCH_SECONDS):
            self._brood.look()
            if self._door is not None and self._door.poll() is not None:
                log.warning("the door ended with %s; starting it again", self._door.returncode)
                self._stop.wait(1.0)
                self._door = self._start_door()
            self._cluster = self._alive_or_again(self._cluster, None)

    def _alive_or_again(
        self, cluster: subprocess.Popen[bytes] | None, bundle: Bundle | None
    ) -> subprocess.Popen[bytes] | None:
        """Return the cluster process, started again (with `bundle` given) where Ray did not come up. Raises `CannotStart`."""
        if cluster is None or cluster.poll() is None:
            return cluster
        if bundle is not None and cluster.returncode == TRY_AGAIN and self._starts_left > 0:
            self._starts_left -= 1
            self._say("Ray did not come up; starting it again")
            return self._start_cluster(bundle)
        raise CannotStart(f"the cluster process ended; the reason is in {self._settings.logs / 'cluster.log'}")

    def _end(self) -> None:
        """End the children in order: first what asks, then the door; then whatever is still there, by ID."""
        self._brood.look()
        for child in (self._cluster, self._door):
            if child is None or child.poll() is not None:
                continue
            child.terminate()
            try:
                child.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                log.warning("process %s did not end within %s s", child.pid, _STOP_SECONDS)
        self._brood.clear(_REAP_SECONDS)
        if self._settings.ray_address is None:  # The cluster process takes it away itself, unless it had to be killed.
            shutil.rmtree(self._settings.ray_folder, ignore_errors=True)
        self._settings.door_socket.unlink(missing_ok=True)
        release(self._settings)


def has_door(bundle: Bundle) -> bool:
    """Tell whether anything may leave under this bundle. Where not, no door is started."""
    out = any(lane.is_hosted for lane in bundle.lanes.values()) or reaches_out(bundle.tools)
    return bundle.egress == "open" and out


def _provider_keys(bundle: Bundle) -> set[str]:
    """Return the names of the variables that are for the door alone: keys of the bundle's hosted lanes, and of its tools over HTTP."""
    lanes = {lane.hosted.api_key_env for lane in bundle.lanes.values() if lane.hosted is not None}
    return lanes | door_variables(bundle.tools)


def _haproxy_of_its_own(folder: Path) -> dict[str, str]:
    """Paths and ports for Serve's HAProxy. Its defaults are fixed, and a second system on this box would collide with them."""
    own = folder / "haproxy"
    return {
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": f"{own}/haproxy.cfg",
        "RAY_SERVE_HAPROXY_SOCKET_PATH": f"{own}/admin.sock",
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": f"{own}",
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": f"{own}/server-state",
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": f"{own}/metrics.sock",
        "RAY_SERVE_HAPROXY_STATS_PORT": str(_free_port()),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(_free_port()),
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(_free_port()),
        "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT": str(_free_port()),
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_ready(settings: Settings) -> bool:
    """Ask the running system whether every model answers."""
    try:
        return (
            httpx2.get(f"http://{settings.host}:{settings.port}/readyz", timeout=5.0, trust_env=False).status_code
            == 200
        )
    except httpx2.HTTPError:
        return False


def stop(settings: Settings, seconds: float) -> bool:
    """End what runs for this home and wait for it; False when nothing ran. Raises `CannotStart` when it would not end."""
    running = supervisor_of(settings)
    if running is None:
        return False
    os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while supervisor_of(settings) is not None:
        if time.monotonic() > deadline:
            raise CannotStart(f"process {running.pid} has not ended within {seconds:g} s; see {settings.logs}")
        time.sleep(_POLL_SECONDS)
    return True
