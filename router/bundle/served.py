"""Can the bundle's models be served as its files say, each by itself and for the lanes that name it?"""

from collections.abc import Collection

from models.exactness import NotExact, exactness, made_exact
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
    """Return the models by name as they are to be served: those of an exact lane with the settings that it forces."""
    exact = {lane.base_model for lane in lanes if lane.determinism == "exact"}
    return {model.name: made_exact(model) if model.name in exact else model for model in models}
