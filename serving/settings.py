"""Where things are on this machine. The one place that reads the environment for the serving side; handed down frozen."""

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pydantic import Field

from router.contract import Frozen
from router.errors import BadRequest

DOOR_ADDRESS: Final = r"^https://[^/@?#]+:[0-9]{1,5}$"
RAY_ADDRESS: Final = r"^[^/@?#\s]+:[0-9]{1,5}$"


class Settings(Frozen):
    """Folders and addresses of one installation.

    home: keys, sockets, evidence, ledger and logs (0700). models: safetensors folders. bundle: the bundle in force.
    door: `https://host:port` of a door on another machine, or under another user; None: at its Unix socket in the home.
    door_user: the user that the door becomes when it is started as root. door_bundle: a copy of the bundle that is the door's own.
    models_from: where models are fetched from unless a command says otherwise: `hub`, https://MIRROR, s3://BUCKET/PREFIX or a folder.
    ray_address: `host:port` of a Ray cluster that runs already (`lane cluster`); None: a Ray of this box's own is started, and ended.
    judge_lane: a private lane whose model is asked beside Presidio what a text holds that is about to leave; None: Presidio alone.
    runtime: where a second system over the same home keeps its socket, status and logs (`docs/upgrade.md`); None: in the home.
    """

    home: Path
    bundle: Path
    models: Path
    host: str = "127.0.0.1"
    port: int = 8000
    door: str | None = Field(default=None, pattern=DOOR_ADDRESS)
    door_user: str | None = None
    door_bundle: Path | None = None
    judge_lane: str | None = None
    models_from: str | None = None
    ray_address: str | None = Field(default=None, pattern=RAY_ADDRESS)
    runtime: Path | None = None

    @property
    def running(self) -> Path:
        """What belongs to one running system, and is worth nothing when it has ended."""
        return self.runtime or self.home

    @property
    def door_tls_folder(self) -> Path:
        """Certificates of this side for a door that is reached over the network (`serving.door.tls`)."""
        return self.home / "door-tls"

    @property
    def door_socket(self) -> Path:
        """The door's Unix socket on one box."""
        return self.running / "door.sock"

    @property
    def evidence_file(self) -> Path:
        """SQLite file of the evidence log."""
        return self.home / "evidence.sqlite"

    @property
    def state_file(self) -> Path:
        """SQLite file of the keeper's state."""
        return self.home / "state.sqlite"

    @property
    def ledger_file(self) -> Path:
        """SQLite file of the door's ledger (and used nonces); only the door opens it."""
        return self.home / "ledger.sqlite"

    @property
    def permit_key_file(self) -> Path:
        """Ed25519 private key with which the router signs permits (0600)."""
        return self.home / "permit.key"

    @property
    def permit_public_file(self) -> Path:
        """Its public half, which the door reads."""
        return self.home / "permit.pub"

    @property
    def salt_file(self) -> Path:
        """Secret from which each tenant's prefix-cache salt is made (0600)."""
        return self.home / "salt.key"

    @property
    def redaction_key_file(self) -> Path:
        """Key with which the keeper encrypts redaction maps (0600)."""
        return self.home / "redaction.key"

    @property
    def people_key_file(self) -> Path:
        """Key with which the keeper encrypts what waits for people (0600)."""
        return self.home / "people.key"

    @property
    def ray_token_file(self) -> Path:
        """Token that Ray's ports on this box ask for (0600)."""
        return self.home / "ray.token"

    @property
    def keys_file(self) -> Path:
        """API keys minted on this box: JSON, `org/key id` to key (0600)."""
        return self.home / "keys.json"

    @property
    def keys_revoked_folder(self) -> Path:
        """Tags of the API keys that were revoked, each by its SHA-256; every ingress replica looks at each request."""
        return self.home / "keys-revoked"

    @property
    def lanes_off_folder(self) -> Path:
        """Tags of the lanes that an operator switched off (`serving.lockout`); the door and every ingress replica read it."""
        return self.home / "lanes-off"

    @property
    def breakers_file(self) -> Path:
        """Where the breakers of all ingress replicas stand (`serving.breaker_board`)."""
        return self.running / "breakers.page"

    @property
    def in_service_file(self) -> Path:
        """Which version of the bundle new requests run under (`serving.in_service`); every ingress replica looks at it each second."""
        return self.running / "in-service.json"

    @property
    def holdings_folder(self) -> Path:
        """Which versions each ingress replica holds, a file for each."""
        return self.running / "holding"

    @property
    def in_place_file(self) -> Path:
        """The hash of a bundle whose models may end the old ones before they start (`lane bundle apply --in-place`)."""
        return self.home / "in-place"

    @property
    def live_file(self) -> Path:
        """Which system's folder the address leads to, where there is an address (`serving.blue_green`)."""
        return self.home / "live"

    @property
    def bundles(self) -> Path:
        """Every bundle that was ever applied here, each in a folder named by its hash (`serving.change.store`)."""
        return self.home / "bundles"

    @property
    def changes_file(self) -> Path:
        """SQLite file of the history of bundles; its last entry names the one in force."""
        return self.home / "changes.sqlite"

    @property
    def approvers(self) -> Path:
        """Public keys of those whose signature can bring a bundle into force. No bundle can change them."""
        return self.home / "approvers"

    @property
    def model_signers(self) -> Path:
        """Public keys (`NAME.pub`, PEM) of those whose signature a model folder must bear; none there: none is asked for."""
        return self.home / "model-signers"

    @property
    def leak_sample_file(self) -> Path:
        """What is sampled for the leak rate, and for whom it is sealed; nothing where there is no such file."""
        return self.home / "leak-sample.json"

    @property
    def tool_state(self) -> Path:
        """What the bundle's own tools keep between calls: they get it as `LANE_TOOL_STATE`."""
        return self.home / "tool-state"

    @property
    def samples(self) -> Path:
        """Sealed samples, `left.sqlite` (the door's) and `stayed.sqlite` (the ingress's), and `verdicts.sqlite` (the judge's)."""
        return self.home / "samples"

    @property
    def profiles(self) -> Path:
        """What was measured of each model here: `<model>/<time>.json` (`cluster.profile`)."""
        return self.home / "profiles"

    @property
    def indexes(self) -> Path:
        """Indexes for retrieval: `NAME/current.json` names the version in force (`serving.retrieval.files`)."""
        return self.home / "indexes"

    @property
    def ray_folder(self) -> Path:
        """Ray's temporary folder, one per home: short, because Unix sockets' paths are limited to 107 characters."""
        digest = hashlib.sha256(str(self.running).encode()).hexdigest()[:8]
        return Path(tempfile.gettempdir()) / f"lane-{digest}"

    @property
    def logs(self) -> Path:
        """Log files of the processes."""
        return self.running / "logs"


def read_settings(bundle: Path | None = None, port: int | None = None) -> Settings:
    """Read the environment's `LANE_...` variables: HOME, BUNDLE, MODELS, MODELS_FROM, HOST, PORT, JUDGE, RAY_ADDRESS, DOOR and its own.

    The bundle is the first that is given: `bundle`, `LANE_BUNDLE`, the one in force in this home (`lane bundle apply`), config/starter.
    Raises `HistoryBroken` where that rests on a history that can't be read, `BadRequest` for an address that is none.
    """
    given = bundle or _path_in("LANE_BUNDLE")
    settings = Settings(
        home=Path(os.environ.get("LANE_HOME", ".lane")).resolve(),
        bundle=(given or Path("config/starter")).resolve(),
        models=Path(os.environ.get("LANE_MODELS", ".cache/models")).resolve(),
        host=os.environ.get("LANE_HOST", "127.0.0.1"),
        port=port or int(os.environ.get("LANE_PORT", "8000")),
        door=_address("LANE_DOOR", DOOR_ADDRESS, "the door's address is written https://host:port"),
        door_user=os.environ.get("LANE_DOOR_USER") or None,
        door_bundle=own.resolve() if bundle is None and (own := _path_in("LANE_DOOR_BUNDLE")) else None,
        judge_lane=os.environ.get("LANE_JUDGE") or None,
        models_from=os.environ.get("LANE_MODELS_FROM") or None,
        ray_address=_address("LANE_RAY_ADDRESS", RAY_ADDRESS, "Ray's address is written host:port"),
    )
    settings = settings.model_copy(update={"runtime": _runtime(settings)})
    return settings if given else _with_applied_bundle(settings)


def _runtime(settings: Settings) -> Path | None:
    """The folder of the running system: the one that is named, else the one that the address leads to (`lane cluster upgrade`)."""
    if (named := _path_in("LANE_RUNTIME")) is not None:
        return named.resolve()
    try:
        return Path(settings.live_file.read_text().strip())
    except OSError:
        return None


def _address(variable: str, form: str, because: str) -> str | None:
    given = os.environ.get(variable) or None
    if given is not None and not re.fullmatch(form, given):
        raise BadRequest(f"{variable}: {because}", variable)
    return given


def named_variables(names: Iterable[str]) -> dict[str, str]:
    """Return the variables that the bundle's tools name, as far as they are set here."""
    return {name: value for name in names if (value := os.environ.get(name))}


def _path_in(variable: str) -> Path | None:
    given = os.environ.get(variable)
    return Path(given) if given else None


def _with_applied_bundle(settings: Settings) -> Settings:
    if not settings.changes_file.exists():
        return settings
    from serving.change.history import in_force  # Only here: most homes have no history, and a command starts fast.

    entry = in_force(settings.changes_file)
    if entry is None:
        return settings
    return settings.model_copy(update={"bundle": settings.bundles / entry.change.bundle_hash})
