"""Can the bundle's models be served as its files say, each by itself and for the lanes that name it?"""

from collections.abc import Collection

from models.exactness import NotExact, exactness, made_exact
from models.laws import common_laws
from models.sound import spec_faults
from models.spec import ModelSpec
from router.bundle.files import LaneSpec
from router.bundle.source import Source


def serving_findings(source: Source) -> None:
    """Note each field of a model that can't stay, and each lane whose answers its model can't keep exact."""
    models = source.models.models if source.models else ()
    for index, model in enumerate(models):
        for fault in spec_faults(model):
            line = source.line("models.yaml", "models", index, *fault.field)
            source.find("models.yaml", line, f"{model.name}: {'.'.join(fault.field)}: {fault.because}", fault.mend)
        if claimed_laws(model, source.lanes.lanes if source.lanes else ()) == ():
            line = source.line("models.yaml", "models", index)
            message = f"{model.name}: jurisdictions: its lanes claim laws of which no node can keep all"
            source.find("models.yaml", line, message, "let them have one in common, or give each a model of its own")
    known = {model.name: model for model in models}
    for index, lane in enumerate(source.lanes.lanes if source.lanes else ()):
        if lane.determinism == "any" or lane.base_model not in known:
            continue
        model = known[lane.base_model]
        verdict = exactness(model)
        if isinstance(verdict, NotExact):
            line = source.line("lanes.yaml", "lanes", index, "determinism")
            message = f"`{lane.name}` can't be exact: {model.name}, {verdict.field}: {verdict.because}"
            source.find("lanes.yaml", line, message, verdict.mend)


def served_models(models: Collection[ModelSpec], lanes: Collection[LaneSpec]) -> dict[str, ModelSpec]:
    """Return the models by name as they are to be served: under the laws that their lanes claim, and exact where a lane is."""
    exact = {lane.base_model for lane in lanes if lane.determinism == "exact"}
    return {model.name: _under_its_laws(made_exact(model) if model.name in exact else model, lanes) for model in models}


def _under_its_laws(model: ModelSpec, lanes: Collection[LaneSpec]) -> ModelSpec:
    laws = claimed_laws(model, lanes)
    if laws == ():
        raise ValueError(f"{model.name}: jurisdictions: its lanes' claims exclude each other")
    return model.model_copy(update={"jurisdictions": laws or ()})


def claimed_laws(model: ModelSpec, lanes: Collection[LaneSpec]) -> tuple[str, ...] | None:
    """Return under whose law a model's nodes may be, by its own word and its lanes'; None: any. Empty: the claims exclude each other."""
    its_lanes = [lane.jurisdictions for lane in lanes if lane.base_model == model.name]
    return common_laws((model.jurisdictions, *its_lanes))
