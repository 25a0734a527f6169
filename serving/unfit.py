"""Which models do not start, and which run from folders that are no longer what was fetched? For `lane up`, `lane status`."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from models.spec import ModelSpec
from models.weights.seal import read_seal
from models.weights.starts import read_starts
from serving.in_service import InService
from serving.statuses import DEPLOY_FAILED, RUNNING, ApplicationState


def refused_models(
    version: InService, applications: Mapping[str, ApplicationState], models: Path, late: Collection[str] = ()
) -> dict[str, str]:
    """Return the models of a version that Serve has given up, each with the reason: the replica's own words where this machine has them.

    With those of the `late` applications that still do not run; they may yet.
    """
    refused = {}
    for name, application in version.models.items():
        state = applications.get(application)
        if state is not None and state.status == DEPLOY_FAILED:
            refused[name] = _last_refusal(models, name) or state.because
        elif state is not None and application in late and state.status != RUNNING:
            refused[name] = f"it is late, and still awaited (is a node missing? `lane cluster status`): {state.because}"
    return refused


def altered_models(specs: Iterable[ModelSpec], models: Path) -> dict[str, str]:
    """Return the models whose folder was found altered when it was last read, with the files. What runs has its weights in memory."""
    seals = {spec.name: read_seal(models / spec.folder) for spec in specs}
    return {name: "; ".join(seal.flaws) for name, seal in seals.items() if seal is not None and seal.flaws}


def _last_refusal(models: Path, name: str) -> str | None:
    starts = read_starts(models, name)
    return starts[-1].refused if starts else None
