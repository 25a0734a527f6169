"""Which version of the bundle do new requests run under, and which Serve applications answer for it?

The cluster process writes it and every ingress replica reads it: one small file, replaced in one step. What the replicas hold they say in
files beside it.
"""

import hashlib
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import Field, ValidationError

from models.manifest import MANIFEST, weights_hash
from models.spec import ModelSpec
from router.contract import Frozen, Sha256
from router.errors import StateUnavailable
from router.tools.places import runs_inside
from serving.change.durable import write_durably
from serving.private.arguments import adapter_folders
from serving.settings import Settings

if TYPE_CHECKING:
    from router.bundle import Bundle

APP: Final = "lane"
"""The application of ingress and keeper: the one that goes on through every change of bundle."""
_SILENT_SECONDS: Final = 5.0
DEEP_SCAN: Final = "deep-scan"
"""The application (and deployment) that reads what is about to leave."""
RETRIEVAL: Final = "retrieval"
"""The application (and deployment) that looks context up."""


class InService(Frozen):
    """A version: its bundle's hash and folder, each private model's Serve application, and whether anything may leave under it.

    `tools` is the application that its server-side tools run in, where it has any.
    `retrieves`: whether the bundle names indexes.
    """

    bundle_hash: Sha256
    folder: Path
    models: dict[str, str]
    hosted: bool
    tools: str | None = None
    retrieves: bool = False

    @property
    def name(self) -> str:
        """One word for it: the same bundle over other weights is another version."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @property
    def applications(self) -> frozenset[str]:
        """The Serve applications that this version needs beside `APP`."""
        beside = {DEEP_SCAN: self.hosted, RETRIEVAL: self.retrieves, self.tools: self.tools is not None}
        return frozenset(self.models.values()) | {
            name for name, needed in beside.items() if name is not None and needed
        }


def model_application(spec: ModelSpec, folder: Path) -> str:
    """Return the name of the Serve application that serves exactly this: another engine, other weights or adapters, another name.

    So a model that a new bundle leaves as it was goes on running, and a changed one comes up beside the one it replaces. How many replicas
    there are, and how much each takes, is no part of it: that changes while they run. Where the weights
    are on other machines alone, the settings are all there is to go by.
    """
    folders = (folder, *adapter_folders(spec, folder).values())
    weights = [weights_hash(one) if (one / MANIFEST).exists() else "" for one in folders]
    exactly = "\n".join([spec.as_replica.model_dump_json(), *weights])
    return f"model-{spec.name}-{hashlib.sha256(exactly.encode()).hexdigest()[:8]}"


def in_service_of(bundle: "Bundle", models: Path) -> InService:
    """Return what this bundle is served by, its weights in folders below `models`."""
    return InService(
        bundle_hash=bundle.hash,
        folder=bundle.root,
        models={spec.name: model_application(spec, models / spec.folder) for spec in bundle.models.values()},
        hosted=any(lane.is_hosted for lane in bundle.lanes.values()),
        tools=tools_application(bundle),
        retrieves=bool(bundle.indexes),
    )


def tools_application(bundle: "Bundle") -> str | None:
    """Return the name of the Serve application that runs exactly these tools; None where nothing of them runs here."""
    if not runs_inside(bundle.tools):
        return None
    digest = hashlib.sha256()
    for file in sorted(path for path in (bundle.root / "tools").rglob("*") if path.is_file()):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(bundle.root).as_posix()}:{len(content)}:".encode() + content)
    return f"tools-{digest.hexdigest()[:8]}"


class Holding(Frozen):
    """What an ingress replica says of itself: the version that new requests run under there, and others that still have requests open.

    `refused` are those that it could not take up, each with the reason. `at` is Unix time: a replica that has been silent is gone.
    """

    serves: str
    open: tuple[str, ...] = ()
    refused: dict[str, str] = Field(default_factory=dict)
    at: float = Field(default_factory=time.time)


def write_holding(settings: Settings, replica: str, holding: Holding) -> None:
    """Say what a replica holds; every replica has a file of its own."""
    settings.holdings_folder.mkdir(exist_ok=True)
    partial = settings.holdings_folder / f".{replica}"
    partial.write_text(holding.model_dump_json())
    partial.replace(settings.holdings_folder / f"{replica}.json")


def read_holdings(settings: Settings) -> list[Holding]:
    """Return what each replica said within the last seconds."""
    found = []
    for file in settings.holdings_folder.glob("*.json"):
        with suppress(OSError, ValidationError):
            holding = Holding.model_validate_json(file.read_bytes())
            if time.time() - holding.at < _SILENT_SECONDS:
                found.append(holding)
    return found


def write_in_service(settings: Settings, version: InService) -> None:
    """Switch: whoever looks from now on sees this version."""
    write_durably(settings.in_service_file, version.model_dump_json().encode(), 0o644)


def read_in_service(settings: Settings) -> InService:
    """Return the version in service. Raises `StateUnavailable` where there is none, or none that can be read."""
    try:
        return InService.model_validate_json(settings.in_service_file.read_bytes())
    except (OSError, ValidationError) as error:
        raise StateUnavailable(f"{settings.in_service_file} can't be read: {error}") from error
