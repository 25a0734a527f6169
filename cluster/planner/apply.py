"""How do planned settings get into `models.yaml` without touching anything else? Line by line: comments, order and style stay."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from cluster.planner.answer import Plan
from cluster.planner.starting import paced_by
from models.spec import Scaling
from router.bundle.lines import Document, YamlProblem, read_yaml
from router.errors import BadRequest

_COMMENT: Final = re.compile(r"^\s*(?P<key>[a-z_]+):[^#]*(?P<comment>\s#.*)$")


def settings_from(plan: Plan) -> Scaling:
    """Return the autoscaling settings that a plan means: at least what is guaranteed, at most all, each replica at its knee.

    A plan that knows how long a start takes gives the delays; without one they stay at their defaults.
    """
    assert plan.replicas is not None
    assert plan.guaranteed_replicas is not None
    assert plan.spare_replicas is not None
    assert plan.target_ongoing_requests is not None
    trough = max(1, plan.guaranteed_replicas - plan.spare_replicas)
    peak = max(trough, plan.replicas - plan.spare_replicas)
    scaling = Scaling(
        min_replicas=trough + plan.spare_replicas,
        max_replicas=peak + plan.spare_replicas,
        spare_replicas=plan.spare_replicas,
        target_ongoing_requests=float(round(plan.target_ongoing_requests, 1)),
    )
    return scaling if plan.start_seconds is None else paced_by(scaling, plan.start_seconds)


def with_scaling(text: str, model: str, scaling: Scaling) -> str:
    """Return the text of `models.yaml` with this model's `scaling` set. Raises `BadRequest` where the model has no entry there.

    What is left at its default is not written. A comment behind a setting that stays is kept, and so is what no plan speaks of.
    """
    document = _read(text)
    index = _index(document, model)
    scaling = _keeping(_models(document)[index].get("scaling") or {}, scaling)
    entry = ("models", index)
    keys = {path[2]: line for path, line in document.lines.items() if path[:2] == entry and len(path) == 3}
    lines = text.splitlines()
    first_key = min(keys.values())
    indent = " " * (len(lines[first_key - 1]) - len(lines[first_key - 1].lstrip(" -")))
    if "scaling" in keys:
        begin, end = keys["scaling"], _last_line(document, (*entry, "scaling"))
    else:
        after = "replicas" if "replicas" in keys else max(keys, key=lambda key: keys[key])
        begin, end = _last_line(document, (*entry, after)) + 1, _last_line(document, (*entry, after))
    block = _block(indent, scaling, lines[begin - 1 : end])
    changed = "\n".join([*lines[: begin - 1], *block, *lines[end:]]) + ("\n" if text.endswith("\n") else "")
    _assert_nothing_else_changed(document, _read(changed), index, model)
    return changed


def _keeping(before: Mapping[str, Any], planned: Scaling) -> Scaling:
    """Return planned settings with what only their author knows: that the model may sleep, its cache's limit, how many start first."""
    kept = {name: before[name] for name in ("kv_use", "initial_replicas") if name in before}
    if before.get("min_replicas") == 0 and planned.spare_replicas == 0:
        kept["min_replicas"] = 0
    try:
        return Scaling.model_validate(planned.model_dump() | kept)
    except ValidationError as error:
        because = error.errors()[0]["msg"]
        raise BadRequest(
            f"models.yaml: the settings that the plan leaves alone do not go with it: {because}"
        ) from error


def _block(indent: str, scaling: Scaling, before: Sequence[str]) -> list[str]:
    comments = {found["key"]: found["comment"] for line in before if (found := _COMMENT.match(line))}
    settings: Mapping[str, Any] = scaling.model_dump(exclude_defaults=True)
    always = {"min_replicas": scaling.min_replicas, "max_replicas": scaling.max_replicas}
    written = [f"{indent}scaling:{comments.get('scaling', '')}"]
    for name, value in {**always, **settings}.items():
        written.append(f"{indent}  {name}: {_plain(value)}{comments.get(name, '')}")
    return written


def _plain(value: float) -> str:
    return f"{value:.6g}"


def _read(text: str) -> Document:
    try:
        return read_yaml(text)
    except YamlProblem as error:
        raise BadRequest(f"models.yaml:{error.line}: {error.message}") from error


def _models(document: Document) -> list[Any]:
    value = document.value
    models = value.get("models") if isinstance(value, dict) else None
    return models if isinstance(models, list) else []


def _index(document: Document, model: str) -> int:
    names = [entry.get("name") for entry in _models(document) if isinstance(entry, dict)]
    if model not in names:
        known = ", ".join(str(name) for name in names) or "none"
        raise BadRequest(f"models.yaml has no model {model!r} (it has {known}): `lane models add` puts one there")
    return names.index(model)


def _last_line(document: Document, path: tuple[str | int, ...]) -> int:
    return max(line for other, line in document.lines.items() if other[: len(path)] == path)


def _assert_nothing_else_changed(before: Document, after: Document, index: int, model: str) -> None:
    def without(document: Document) -> list[Any]:
        return [
            {key: value for key, value in entry.items() if (place, key) != (index, "scaling")}
            if isinstance(entry, dict)
            else entry
            for place, entry in enumerate(_models(document))
        ]

    if without(before) != without(after) or "scaling" not in _models(after)[index]:
        raise BadRequest(
            f"models.yaml: {model} is written in a way that can't be edited line by line: set `scaling` by hand"
        )
