"""How does another version of this software take over? A second whole system comes up beside the first, and the address moves to it.

Both work in one home: bundle, history, keys, evidence, sessions and ledger are files that both open, and each write is a transaction of
its own. What belongs to a running system alone (socket, status, logs, Ray) has a folder for each colour.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal

import orjson
from pydantic import ValidationError

from cluster.address import Address, AddressTrouble
from cluster.machine import available_memory_bytes, port_is_free
from router.bundle import Bundle, load_bundle
from router.contract import Frozen
from router.errors import RouterError
from serving.change.durable import write_durably
from serving.evidence_schema import Outlook
from serving.settings import Settings
from serving.status import supervisor_of
from serving.surge import NoRoom, check_memory, replica_bytes

Colour = Literal["blue", "green"]
Say = Callable[[str], None]
_OTHER: Final[dict[Colour, Colour]] = {"blue": "green", "green": "blue"}
_RAY_BYTES: Final = 2 * 1024**3
"""What a second Ray with ingress, keeper and door takes beside its engines: some ten processes."""
_READY_SECONDS: Final = 960.0
_STOP_SECONDS: Final = 180.0
_DRAIN_MARGIN_SECONDS: Final = 15.0


class UpgradeRefused(RouterError):
    """The other version does not take over, and why. What runs goes on."""

    code = "upgrade_refused"


class System(Frozen):
    """One colour: the interpreter of its environment, the folder of what belongs to it alone, and where it serves."""

    python: str
    runtime: Path
    port: int


class Standing(Frozen):
    """The address, and who stands behind it. A colour that is not there yet was never started."""

    host: str
    port: int
    live: Colour
    systems: dict[Colour, System]


def standing_of(settings: Settings) -> Standing | None:
    """Return what stands at this home's address; None where there is none."""
    try:
        return Standing.model_validate_json((_folder(settings) / "standing.json").read_bytes())
    except (OSError, ValidationError):
        return None


def address_of(settings: Settings, standing: Standing) -> Address:
    """Return the proxy of this home."""
    return Address(_folder(settings), standing.host, standing.port)


def put_before(settings: Settings, port: int) -> Standing:
    """Put an address on this port before the system that runs here. Raises `UpgradeRefused`."""
    running = supervisor_of(settings)
    if running is None:
        raise UpgradeRefused(
            "nothing runs here to put an address before: `LANE_PORT=8001 lane up` first, on another port"
        )
    known = standing_of(settings)
    if known is not None and address_of(settings, known).runs:
        raise UpgradeRefused(f"an address is there already: {known.host}:{known.port}")
    if running.port == port or not port_is_free(running.host, port):
        raise UpgradeRefused(f"{running.host}:{port} is in use; the system behind an address serves on another port")
    here = System(python=sys.executable, runtime=settings.running, port=running.port)
    standing = Standing(host=running.host, port=port, live="blue", systems={"blue": here})
    _stand(settings, standing)
    try:
        address_of(settings, standing).start()
    except AddressTrouble as error:
        raise UpgradeRefused(str(error)) from error
    return standing


def upgrade(settings: Settings, python: str, port: int, environment: Mapping[str, str], say: Say) -> Standing:
    """Start the other colour with this interpreter, move the address there, let the old one's requests end, end it.

    Raises `UpgradeRefused`; before the move nothing has changed then, and what was started is ended.
    """
    standing = standing_of(settings)
    if standing is None or not address_of(settings, standing).runs:
        raise UpgradeRefused("no address stands before what runs here: `lane cluster address` puts one there")
    address, old = address_of(settings, standing), standing.live
    new = _OTHER[old]
    bundle = load_bundle(settings.bundle)
    incoming = System(python=python, runtime=settings.home / new, port=port)
    _check(settings, bundle, incoming)
    say(f"starting {new} with {python}")
    _start(settings, incoming, environment)
    moved = standing.model_copy(update={"live": new, "systems": {**standing.systems, new: incoming}})
    try:
        say(f"the address moves to {new}")
        address.move(new, (standing.host, port), old)
    except (AddressTrouble, OSError) as error:
        _stop(settings, incoming, environment)
        raise UpgradeRefused(f"the address does not move: {error}") from error
    _stand(settings, moved)
    say(f"waiting for {old}'s last request")
    _drain(address, old, bundle.longest_seconds + _DRAIN_MARGIN_SECONDS)
    say(f"ending {old}")
    _stop(settings, standing.systems[old], environment)
    return moved


def _check(settings: Settings, bundle: Bundle, incoming: System) -> None:
    """Raise `UpgradeRefused` where the other colour can't stand beside this one."""
    if supervisor_of(settings.model_copy(update={"runtime": incoming.runtime})) is not None:
        raise UpgradeRefused(
            f"a system runs in {incoming.runtime} already: `LANE_RUNTIME={incoming.runtime} lane down`"
        )
    if not port_is_free(settings.host, incoming.port):
        raise UpgradeRefused(f"port {incoming.port} is in use; give another one by --port")
    if any(model.gpus > 0 for model in bundle.models.values()) and not os.environ.get("CUDA_VISIBLE_DEVICES"):
        raise UpgradeRefused("two systems would share these GPUs: name those of the new one by CUDA_VISIBLE_DEVICES")
    needed = {
        name: spec.first_replicas * replica_bytes(spec, settings.models / spec.folder)
        for name, spec in bundle.models.items()
    }
    try:
        check_memory({**needed, "Ray and the rest": _RAY_BYTES}, available_memory_bytes())
    except NoRoom as error:
        raise UpgradeRefused(str(error)) from error
    outlook = evidence_outlook(settings, incoming.python)
    if outlook.refused is not None:
        raise UpgradeRefused(outlook.refused)
    if outlook.alone:
        raise UpgradeRefused(
            f"evidence goes from schema {outlook.file} to {outlook.program}, which the running version can't write: "
            "`lane down`, then `lane up` with the new version"
        )


def evidence_outlook(settings: Settings, python: str) -> Outlook:
    """Ask another version what it would do to the evidence. Raises `UpgradeRefused` where it can't say."""
    command = [python, "-m", "serving.evidence_schema", str(settings.evidence_file)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)  # noqa: S603 - what the operator named
    try:
        return Outlook.model_validate_json(done.stdout)
    except ValidationError as error:
        last = done.stderr.strip().splitlines()[-1:] or ["it says nothing"]
        raise UpgradeRefused(f"{python} does not hold this software: {last[0]}") from error


def _start(settings: Settings, system: System, environment: Mapping[str, str]) -> None:
    """Start a colour. Raises `UpgradeRefused`; whatever ends the wait before it is ready, Ctrl-C too, leaves nothing of it."""
    try:
        _up(settings, system, environment)
    except BaseException:
        _stop(settings, system, environment)
        raise


def _up(settings: Settings, system: System, environment: Mapping[str, str]) -> None:
    try:
        done = _lane(settings, system, environment, _READY_SECONDS, "up", "--port", str(system.port), "--json")
    except subprocess.TimeoutExpired as error:
        raise UpgradeRefused(f"it was not ready within {_READY_SECONDS:g} s") from error
    if done.returncode != 0:
        raise UpgradeRefused(f"it did not start: {done.stderr.strip()}")


def _stop(settings: Settings, system: System, environment: Mapping[str, str]) -> None:
    _lane(settings, system, environment, _STOP_SECONDS, "down", "--json")


def _lane(
    settings: Settings, system: System, environment: Mapping[str, str], seconds: float, *command: str
) -> subprocess.CompletedProcess[str]:
    """Run a `lane` command of a colour's own version."""
    own = {**environment, "LANE_HOME": str(settings.home), "LANE_RUNTIME": str(system.runtime)}
    return subprocess.run(  # noqa: S603 - what the operator named
        [system.python, "-m", "cli.main", *command],
        check=False,
        env=own,
        capture_output=True,
        text=True,
        timeout=seconds,
    )


def _drain(address: Address, colour: Colour, seconds: float) -> None:
    """Wait until a colour has no request open through the address, in bounds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and address.open_requests(colour) > 0:
        time.sleep(0.5)


def _stand(settings: Settings, standing: Standing) -> None:
    """Write down who stands where: for the proxy's next start, for the next command, and for whoever names no runtime."""
    # A server must have a port, also one that is disabled because it was never started.
    ports: dict[str, int] = {"blue": 1, "green": 1} | {name: system.port for name, system in standing.systems.items()}
    places = {name: (standing.host, port) for name, port in ports.items()}
    address_of(settings, standing).write(places, standing.live)
    body = orjson.dumps(standing.model_dump(mode="json"), option=orjson.OPT_INDENT_2)
    write_durably(_folder(settings) / "standing.json", body, 0o644)
    write_durably(settings.live_file, str(standing.systems[standing.live].runtime).encode(), 0o644)


def _folder(settings: Settings) -> Path:
    return settings.home / "address"
