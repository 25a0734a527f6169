"""`lane models add`: write a model of the catalogue into a bundle, with the engine arguments of its GPUs and their reasons."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer
import yaml

from cli.bundle import bundle_folder
from cli.edit_models import FILE, replace_models
from cli.models import Json, Name, refusals
from router.errors import BadRequest, RouterError

if TYPE_CHECKING:
    from models.catalogue.choose import Choice


class TooSmall(RouterError):
    """The model does not fit these GPUs."""

    code = "does_not_fit"


def add(
    name: Name,
    bundle: Annotated[
        Path | None, typer.Option(help="The bundle; by default $LANE_BUNDLE, else config/starter.", show_default=False)
    ] = None,
    gpu: Annotated[
        str | None,
        typer.Option(help="The GPUs for it: CLASS or CLASS:N, for example h100:2; without, CPUs.", show_default=False),
    ] = None,
    context: Annotated[
        int | None, typer.Option(help="Tokens of prompt and answer.", min=256, show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Add a model to a bundle's models.yaml: weights, layout, replicas and engine arguments for these GPUs, each with its reason.

    The rest of the file stays as it is, comments too. Nothing is written unless the bundle checks as well as before. Its weights come by
    `lane models fetch`; a lane of lanes.yaml has to name it before anybody is answered by it.
    """
    from models.catalogue import find_weights
    from models.catalogue.choose import choose
    from models.errors import DoesNotFit
    from models.gpus import parse_gpus

    root = bundle_folder(bundle)
    with refusals():
        entry = find_weights(name)
        if context is not None and context > entry.architecture.context:
            raise BadRequest(f"--context {context}: {entry.name} takes at most {entry.architecture.context} tokens")
        try:
            choice = choose(entry, parse_gpus(gpu) if gpu else None, context)
        except DoesNotFit as error:
            raise TooSmall(str(error)) from error
    text = _with_model(root / FILE, choice)
    replace_models(root, text)
    if json:
        line = {"bundle": str(root), "model": choice.spec.model_dump(mode="json"), "because": choice.because}
        typer.echo(orjson.dumps(line).decode())
    else:
        typer.echo(f"{root / FILE}: {choice.spec.name} added")
        typer.echo("".join(as_yaml(choice)), nl=False)


def _with_model(file: Path, choice: "Choice") -> str:
    """Return the file's text with the model after its last one. Raises `BadRequest` where it stands there already."""
    try:
        text = file.read_text(encoding="utf-8")
        listed = (yaml.safe_load(text) or {}).get("models") or []
        names = [model.get("name") for model in listed]
    except (OSError, yaml.YAMLError, AttributeError) as error:
        raise BadRequest(f"{file}: {error}") from error
    if choice.spec.name in names:
        raise BadRequest(f"{file}: {choice.spec.name} stands there already: change it there, or take it out first")
    before = text.rstrip("\n") + "\n" if text.strip() else "models:\n"
    items = [line for line in before.splitlines() if line.lstrip().startswith("- name:")]
    indent = len(items[0]) - len(items[0].lstrip()) if items else 2
    added = (
        before
        + ("\n" if items else "")
        + "".join(" " * indent + line if line.strip() else line for line in as_yaml(choice))
    )
    try:
        again = yaml.safe_load(added)["models"]
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise BadRequest(f"{file}: write `models:` as a list with one `- name:` a model, at the file's end") from error
    if [model["name"] for model in again] != [*names, choice.spec.name]:
        raise BadRequest(f"{file}: write `models:` as a list with one `- name:` a model, at the file's end")
    return added


def as_yaml(choice: "Choice") -> list[str]:
    """Return the lines of the model as an item of a list, each value with its reason beside it. What stands at its default is left out."""
    fields = choice.spec.model_dump(mode="json", exclude_defaults=True)
    lines = []
    for name, value in fields.items():
        if isinstance(value, dict):
            lines.append(f"{name}:\n")
            lines += [f"  {_line(inner, one, choice.because.get(f'{name}.{inner}'))}" for inner, one in value.items()]
        else:
            lines.append(_line(name, value, choice.because.get(name)))
    return [("- " if index == 0 else "  ") + line for index, line in enumerate(lines)]


def _line(name: str, value: Any, because: str | None) -> str:
    plain = int(value) if isinstance(value, float) and value.is_integer() else value
    scalar = yaml.safe_dump(plain, default_flow_style=True, width=1000).removesuffix("...\n").strip()
    return f"{name}: {scalar}" + (f" # {because}" if because else "") + "\n"
