"""`lane policy`: what does a policy do, before it is shipped? Checked, proved, tried, compared, and asked why."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from cli.bundle import bundle_folder
from cli.bundle import check as check_bundle
from cli.decide import DEFAULT_ORG, draft_of, request_of
from cli.lines import fields_of, lines_of, write
from router.errors import BadRequest

if TYPE_CHECKING:
    from rich.console import RenderableType

policy_app = typer.Typer(
    no_args_is_help=True, help="Check a policy, prove its promises, try its cases, compare two versions, ask why."
)

Folder = Annotated[
    Path | None, typer.Argument(help="The bundle; by default $LANE_BUNDLE, else config/starter.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Compact JSON on stdout, one value a line.")]

policy_app.command("check")(check_bundle)


@policy_app.command()
def prove(
    folder: Folder = None,
    rules: Annotated[
        bool, typer.Option("--rules", help="With --json, also a line for each rule that does nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Prove boundary/properties.yaml over every question there is. Exit 1: one is broken, and a request shows it."""
    from cli.policy_show import proofs_shown
    from router.bundle.load import load_draft
    from router.policy.prove import prove_bundle

    draft = load_draft(bundle_folder(folder))
    report = prove_bundle(draft.bundle, draft.source, request_of)
    if json:
        for proved in report.proved:
            _write(proved.as_json())
        if report.egress is not None:
            _write(report.egress.as_json())
        for idle in report.idle if rules else ():
            _write(idle)
    else:
        _show(*proofs_shown(report))
    raise typer.Exit(0 if report.holds else 1)


@policy_app.command("test")
def try_all(folder: Folder = None, json: Json = False) -> None:
    """Try the bundle's own cases: tests.yaml, tests/*.yaml, boundary/tests.yaml. Exit 1: one came out otherwise."""
    from cli.policy_show import cases_shown
    from router.bundle.load import load_draft
    from router.policy.cases import try_cases, try_questions

    draft = load_draft(bundle_folder(folder))
    tried = [
        *try_questions(draft.source, draft.bundle),
        *try_cases(draft.source, draft.bundle, request_of),
    ]
    if json:
        for one in tried:
            _write(
                {
                    "case": one.name,
                    "passed": one.passed,
                    "file": one.file,
                    "line": one.line,
                    "differences": one.differences,
                }
            )
    else:
        _show(*cases_shown(tried))
    raise typer.Exit(0 if all(one.passed for one in tried) else 1)


@policy_app.command()
def diff(
    old: Annotated[Path, typer.Argument(help="The bundle in force.")],
    new: Annotated[Path, typer.Argument(help="The bundle that would take its place.")],
    log: Annotated[
        str | None,
        typer.Option(
            help="Requests, JSON lines as `lane decide` takes them, `-` reads stdin; by default a sample.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Show which requests change lane, tier, tools, contract or action, and at what cost. Exit 1: more may leave, or less is demanded."""
    from cli.policy_show import comparison_shown
    from router.bundle.load import load_draft
    from router.policy.compare import compare_bundles
    from router.policy.sample import sample_lines

    before, after = load_draft(bundle_folder(old)), load_draft(bundle_folder(new))
    bundles, sources = (before.bundle, after.bundle), (before.source, after.source)
    lines = sample_lines(bundles, sources) if log is None else lines_of(log)
    found = compare_bundles(lines, *bundles, request_of)
    if json:
        for line in found.as_json():
            _write(line)
    else:
        _show(*comparison_shown(found))
    raise typer.Exit(1 if found.widens else 0)


@policy_app.command()
def why(
    request: Annotated[str, typer.Argument(help="A text, a line as `lane decide` takes it, or a file that holds one.")],
    bundle: Annotated[
        Path | None, typer.Option(help="The bundle; by default $LANE_BUNDLE, else config/starter.", show_default=False)
    ] = None,
    org: Annotated[str, typer.Option(help="The tenant, where the request names none.")] = DEFAULT_ORG,
    json: Json = False,
) -> None:
    """Tell rule by rule why a request goes where it goes: labels, tier rules, routes, and what the boundary says of each lane."""
    from cli.policy_show import derivation_shown
    from router.policy.why import derive
    from router.state import State

    draft = draft_of(bundle_folder(bundle))
    derivation = derive(request_of({"org": org, **_asked(request)}), draft.bundle, State())
    if json:
        _write(derivation)
    else:
        _show(*derivation_shown(derivation))


def _asked(request: str) -> dict[str, Any]:
    """Read a request as whoever typed it meant it: a JSON object, the first line of a file, or else a text."""
    if request.lstrip().startswith("{"):
        return fields_of(request.encode())
    try:
        file = Path(request)
        is_file = file.is_file()
    except OSError:  # Longer than a path may be: a text.
        is_file = False
    if not is_file:
        return {"text": request}
    line = next((line for line in Path(request).read_bytes().splitlines() if line.strip()), None)
    if line is None:
        raise BadRequest(f"{request} is empty", "REQUEST")
    return fields_of(line)


def _write(value: object) -> None:
    write(orjson.dumps(value, default=_as_json))


def _as_json(value: object) -> object:
    """Contract values print as the contract says; anything else here is a dataclass or plain JSON already."""
    from router.contract import Frozen

    if isinstance(value, Frozen):
        return value.model_dump(mode="json", by_alias=True)
    raise TypeError(type(value).__name__)


def _show(*parts: "RenderableType") -> None:
    from rich.console import Console

    console = Console()
    for part in parts:
        console.print(part)
        console.print()
