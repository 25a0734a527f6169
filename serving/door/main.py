"""How does the door come up and go down? In the foreground until SIGTERM, on a Unix socket that its owner alone can open, or behind mTLS.

Started by the supervisor as `python -m serving.door.main`, or by hand as `lane door`. The provider keys come from this process's own
environment and from nowhere else.
"""

import argparse
import contextlib
import logging
import os
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import SecretStr

from router.bundle import Bundle, load_bundle
from router.bundle.files import LaneSpec
from router.errors import RouterError
from router.scan import scan_text, warm
from router.tools.places import door_variables, reaches_out
from serving.change.in_force import InForce
from serving.change.watch import Watch
from serving.deep.scanner import DeepScanner
from serving.door.app import build_app
from serving.door.door import Door
from serving.door.guard import Rules
from serving.door.ledger import Ledger
from serving.door.provider import Providers, speaker_of
from serving.door.tls import door_context
from serving.leaks.sampler import Sampler
from serving.lockout import Lockout, lane_switches
from serving.permit_keys import read_public_key
from serving.privacy import become, forget, keep_to_itself
from serving.processes import die_with_parent
from serving.settings import Settings
from serving.tools.outward import Outward

log = logging.getLogger(__name__)

_CONNECTIONS_AT_MOST = 512
_GRACE_SECONDS = 3


class DoorCannotStart(RouterError):
    """The door can't open here, and why."""

    code = "door_cannot_start"


def run_door(settings: Settings, bundle: Bundle, keys: Mapping[str, SecretStr], listen: str | None = None) -> None:
    """Serve until SIGTERM or SIGINT; the socket is gone afterwards. `keys` are the providers', by variable.

    What it judges by follows the bundle in force. Keys do not: a variable that only a later bundle names was in reach of other processes.

    `listen`: the address to listen on where `settings.door` says how nodes reach it; by default the one in there.
    Raises `DoorCannotStart`, `KeyUnusable`, `TlsUnusable` or `EvidenceUnavailable`.
    """
    warm()
    # The door's own folder of switches, where it has a home of its own; one that goes missing later closes every lane.
    Lockout(settings.lanes_off_folder).make()
    public_key = read_public_key(settings.permit_public_file)
    rules = InForce(settings, bundle, lambda newest: rules_of(newest, public_key))
    watch = Watch(settings.changes_file, settings.approvers)
    sampler = Sampler(settings.leak_sample_file, settings.samples / "left.sqlite")
    with contextlib.closing(sampler), contextlib.closing(Ledger(settings.ledger_file)) as ledger:
        deep = DeepScanner()
        for protocol in {
            lane.hosted.protocol for lane in bundle.lanes.values() if lane.hosted and lane.hosted.api_key_env in keys
        }:
            speaker_of(
                protocol
            )  # Before the first send: importing a client takes a second, and nothing else is answered meanwhile.

        def off() -> dict[str, str]:
            lanes = rules.last.lanes
            unread = {} if deep.ready else dict.fromkeys(lanes, "the door's deep scan is not ready")
            switched_off = lane_switches(Lockout(settings.lanes_off_folder), lanes)
            halted = watch.halted
            nothing = dict.fromkeys(lanes, halted) if halted is not None else {}
            return unread | lanes_without_key(lanes, keys) | switched_off() | nothing

        door = Door(
            rules, off, ledger, Providers(keys), deep, time.time, sampler.left, Outward(keys), lambda: watch.halted
        )
        server = uvicorn.Server(
            uvicorn.Config(
                build_app(door, deep.running() if keys or reaches_out(bundle.tools) else None),
                lifespan="on",
                access_log=False,
                log_level="warning",
                server_header=False,
                proxy_headers=False,
                limit_concurrency=_CONNECTIONS_AT_MOST,
                timeout_graceful_shutdown=_GRACE_SECONDS,
                ssl_context_factory=_tls(settings),
            )
        )
        _end_on_signal(server)
        at = listening(settings.door_socket) if settings.door is None else listening_at(settings.door, listen)
        with at as listener:
            on = ", ".join(sorted(keys)) or "none"
            log.info("the door is open at %s, keys: %s", settings.door or settings.door_socket, on)
            server.run(sockets=[listener])


def _tls(settings: Settings) -> Callable[..., ssl.SSLContext] | None:
    """Return what makes uvicorn speak mTLS; None for a Unix socket, whose file mode says who may speak."""
    if settings.door is None:
        return None
    context = door_context(settings.door_tls_folder)
    return lambda *_: context


def _end_on_signal(server: uvicorn.Server) -> None:
    """Have a signal end the server whenever it comes, also before uvicorn listens to signals.

    uvicorn hands a signal on to whoever held it before, once it has shut down: by then this changes nothing, and nobody dies of it.
    """

    def end(_number: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)


def rules_of(bundle: Bundle, public_key: Ed25519PublicKey) -> Rules:
    """Return what this bundle has the door judge by. Under `egress: none` it knows no lane and no tool."""
    return Rules(
        bundle_hash=bundle.hash,
        lanes=bundle.lanes if bundle.egress == "open" else {},
        tools=bundle.tools if bundle.egress == "open" else {},
        may_call_tool=bundle.boundary.may_call_tool,
        tiers=bundle.tiers,
        may_send=bundle.boundary.may_send,
        closed_orgs=frozenset(org for org, tenant in bundle.tenants.items() if tenant.egress == "none"),
        scan=scan_text,
        public_key=public_key,
    )


def provider_keys(bundle: Bundle, environment: Mapping[str, str]) -> dict[str, SecretStr]:
    """Return the key in each variable that is for the door alone, where it is set and not empty."""
    found = {variable: environment.get(variable, "").strip() for variable in sorted(key_variables(bundle))}
    return {variable: SecretStr(key) for variable, key in found.items() if key}


def key_variables(bundle: Bundle) -> frozenset[str]:
    """Return the variables that the bundle's hosted lanes, and its tools that are called over HTTP, name for their keys."""
    lanes = frozenset(lane.hosted.api_key_env for lane in bundle.lanes.values() if lane.hosted is not None)
    return lanes | door_variables(bundle.tools)


def lanes_without_key(lanes: Mapping[str, LaneSpec], keys: Mapping[str, SecretStr]) -> dict[str, str]:
    """Return the hosted lanes that are off, each with the variable that would switch it on."""
    return {
        name: f"no key: {lane.hosted.api_key_env} is not set at the door"
        for name, lane in lanes.items()
        if lane.hosted is not None and lane.hosted.api_key_env not in keys
    }


@contextlib.contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """Listen on a Unix socket with mode 0600; take a dead door's place, never a living one's. Raises `DoorCannotStart`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        try:
            _clear(path)
            before = os.umask(0o177)
            try:
                listener.bind(str(path))
            finally:
                os.umask(before)
            listener.listen(_CONNECTIONS_AT_MOST)
            ours = path.stat().st_ino
        except OSError as error:
            raise DoorCannotStart(f"{path}: {error}; a short LANE_HOME that exists and is yours mends it") from error
        try:
            yield listener
        finally:
            with contextlib.suppress(OSError):
                if path.stat().st_ino == ours:
                    path.unlink()


@contextlib.contextmanager
def listening_at(address: str, listen: str | None) -> Iterator[socket.socket]:
    """Listen on a door's `https://host:port`, at that host or at `listen`. Raises `DoorCannotStart`."""
    where = urlsplit(address)
    host = listen or str(where.hostname)
    try:
        family, *_, bound = socket.getaddrinfo(host, where.port, type=socket.SOCK_STREAM)[0]
        with socket.create_server(bound[:2], family=family, backlog=_CONNECTIONS_AT_MOST) as listener:
            yield listener
    except OSError as error:
        raise DoorCannotStart(f"{host}:{where.port}: {error}; `--listen` takes an address of this machine") from error


def _clear(path: Path) -> None:
    """Remove a socket that nobody listens on."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
    raise DoorCannotStart(f"a door is open at {path} already; `lane down` closes it")


def stay(settings: Settings, environment: Mapping[str, str], listen: str | None = None) -> None:
    """Become the door's user, load its bundle, take its keys out of the environment, and serve until a signal.

    Raises what `run_door` and `load_bundle` do, and `CannotBecome`.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True)
    # The HTTP client's own lines would name addresses; the ledger is the record of what is sent.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    if settings.door_user is not None:
        become(settings.door_user)
        _own_home(settings)
    keep_to_itself()
    bundle = load_bundle(settings.door_bundle or settings.bundle)
    if bundle.egress == "none":
        raise DoorCannotStart(f"{bundle.root} lets nothing leave (`egress: none`), so there is no door to open")
    keys = provider_keys(bundle, environment)
    forget(key_variables(bundle))
    run_door(settings, bundle, keys, listen)


def _own_home(settings: Settings) -> None:
    """Raise `DoorCannotStart` where the door's user can't keep a ledger."""
    if not os.access(settings.home, os.R_OK | os.W_OK | os.X_OK):
        raise DoorCannotStart(
            f"{settings.home} is not {settings.door_user}'s: a door under a user of its own has a home of its own "
            "(LANE_HOME) with permit.pub and door-tls in it, and nodes reach it by LANE_DOOR"
        )


def main() -> None:
    """Run as the supervisor's child."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--settings", required=True)
    parser.add_argument("--parent", type=int, required=True)
    arguments = parser.parse_args()
    die_with_parent(arguments.parent)
    try:
        stay(Settings.model_validate_json(arguments.settings), os.environ)
    except RouterError as error:
        log.error("%s", error)  # noqa: TRY400 - a sentence for whoever starts it, not a traceback
        sys.exit(1)


if __name__ == "__main__":
    main()
