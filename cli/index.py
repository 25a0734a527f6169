"""`lane index`: put documents into an index, see what is there, ask it, take it away. Works without a running cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from cli.lines import lines_of, write
from router.contract import Depth, Label, Level
from router.errors import BadRequest

if TYPE_CHECKING:
    from router.bundle import Bundle
    from serving.retrieval.add import Added, Progress
    from serving.retrieval.search import Found, Search
    from serving.settings import Settings

index_app = typer.Typer(no_args_is_help=True, help="Put documents into an index, and ask it.")

Name = Annotated[str, typer.Argument(help="The index's name.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Compact JSON on stdout.")]
_MOST_NAMED = 5
_SHOWN_CHARACTERS = 240
_TOGETHER = 512


@index_app.command()
def add(
    name: Name,
    path: Annotated[
        Path,
        typer.Argument(
            help='A folder of Markdown, HTML, PDF and text, or JSON lines of `{"id", "doc", "text"}`.',
            show_default=False,
        ),
    ],
    level: Annotated[Level, typer.Option(help="The level of all of it; the scan can raise a passage's.")] = "public",
    category: Annotated[
        list[str] | None, typer.Option(help="A category of all of it; may be given again.", show_default=False)
    ] = None,
    jurisdiction: Annotated[
        list[str] | None, typer.Option(help="Whose law it is under; may be given again.", show_default=False)
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(help="The one tenant that may see it; left out: all.", show_default=False)
    ] = None,
    scan: Annotated[bool, typer.Option(help="Scan each passage and raise its label by what is found.")] = True,
    bundle: Annotated[
        Path | None, typer.Option(help="Says what findings are worth; by default the one in force.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Add a path to an index, making the index where there is none.

    What the path gave before is replaced by what is there now; what did not change is not embedded again. The old index answers until the
    new one is whole.
    """
    from router.context import document_alarms
    from router.scan import scan_text
    from serving.retrieval.add import Addition
    from serving.retrieval.add import add as add_to
    from serving.retrieval.embedder import MiniLm

    settings, loaded = _bundle(bundle)
    label = Label(level=level, categories=tuple(category or ()), jurisdictions=tuple(jurisdiction or ()))
    if tenant is not None and tenant not in loaded.tenants:
        raise BadRequest(f"--tenant {tenant}: no tenant of the bundle {settings.bundle}", "tenant")
    addition = Addition(path, label, tenant, scan_text if scan else None)
    with _bar() as progress:
        added = add_to(settings.indexes, name, addition, MiniLm(settings.models), loaded.tiers, progress)
    # Told, not refused: a page about such attacks looks like one.
    suspect = [passage.id for passage in added.new if document_alarms(passage.text, loaded.heads).attack.flag]
    _say_added(name, added, label, suspect, json=json)


@index_app.command("list")
def show_all(json: Json = False) -> None:
    """List the indexes of this home: how much is in them, from where, and whether they can be asked with the model that is here."""
    from serving.retrieval.embedder import MiniLm
    from serving.retrieval.files import names_in, read_manifest
    from serving.settings import read_settings

    settings = read_settings(Path())
    here = MiniLm(settings.models).weights_hash
    rows = []
    for name in names_in(settings.indexes):
        manifest = read_manifest(settings.indexes, name)
        rows.append(
            {
                "index": name,
                "passages": manifest.passages,
                "documents": manifest.documents,
                "from": [root.path for root in manifest.roots],
                "tenants": sorted({root.tenant for root in manifest.roots if root.tenant}),
                "embedding_model": manifest.embedding_model,
                "usable": manifest.embedding_weights == here,
                "version": manifest.version[:16],
            }
        )
    if json:
        for row in rows:
            write(orjson.dumps(row))
        return
    _print_indexes(rows)


@index_app.command()
def query(
    name: Name,
    question: Annotated[str | None, typer.Argument(help="What is asked.", show_default=False)] = None,
    input: Annotated[
        str | None,
        typer.Option(
            "--input", help='Questions, JSON lines of `{"id", "question"}`; `-` reads stdin.', show_default=False
        ),
    ] = None,
    strategy: Annotated[Depth, typer.Option(help="light: nearest by meaning; deep: terms too, and reranked.")] = "deep",
    top_k: Annotated[int, typer.Option(help="At most so many passages.", min=1, max=200)] = 10,
    org: Annotated[
        str | None, typer.Option(help="The tenant that asks; left out: what is everybody's.", show_default=False)
    ] = None,
    clearance: Annotated[Level, typer.Option(help="The highest level that may be seen.")] = "restricted",
    tokens: Annotated[
        int | None, typer.Option(help="deep: the most tokens of all passages together.", min=1, show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Ask an index, one question or a file of them. With --input and --json: a line `{"id", "chunks": [{"id", "doc", "score"}]}` each."""
    if (question is None) == (input is None):
        raise BadRequest('give one question, or --input with a file of them: lane index query NAME "…"')
    from serving.retrieval.search import Reader

    asked = [(None, str(question))] if input is None else list(_questions(input))
    reader = Reader(org, clearance)
    search = _search(name)
    for start in range(0, len(asked), _TOGETHER):
        part = asked[start : start + _TOGETHER]
        answers = search.ask([text for _, text in part], reader, strategy, top_k, tokens)
        for (number, _), found in zip(part, answers, strict=True):
            if json or input is not None:
                write(orjson.dumps({"id": number, "chunks": [_row(one) for one in found]}))
            else:
                _print_found(found)


@index_app.command()
def rm(name: Name, json: Json = False) -> None:
    """Remove an index and all its versions."""
    from serving.retrieval.files import locked, remove
    from serving.settings import read_settings

    settings = read_settings(Path())
    with locked(settings.indexes, name):
        remove(settings.indexes, name)
    typer.echo(orjson.dumps({"index": name, "removed": True}).decode() if json else f"index {name} is removed")


def _bundle(given: Path | None) -> "tuple[Settings, Bundle]":
    from router.bundle import load_bundle
    from serving.settings import read_settings

    settings = read_settings(given)
    return settings, load_bundle(settings.bundle)


def _search(name: str) -> "Search":
    from serving.retrieval.embedder import MiniLm
    from serving.retrieval.opened import OpenIndex
    from serving.retrieval.search import Search
    from serving.settings import read_settings

    settings = read_settings(Path())
    embedder = MiniLm(settings.models)
    return Search(OpenIndex(settings.indexes, name, embedder), embedder)


def _questions(source: str) -> Iterator[tuple[Any, str]]:
    for number, fields in enumerate(lines_of(source), start=1):
        if not isinstance(text := fields.get("question"), str) or not text.strip():
            raise BadRequest(f'{source}, line {number}: a question is {{"id": …, "question": TEXT}}')
        yield fields.get("id"), text


def _row(found: "Found") -> dict[str, Any]:
    return {"id": found.passage.id, "doc": found.passage.doc, "score": round(found.score, 6)}


@contextmanager
def _bar() -> "Iterator[Progress]":
    """Show on stderr what is being done, where a person watches."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from serving.retrieval.add import Progress as Told

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task("load", total=None)
        yield Told(
            lambda step, total: shown.reset(task, description=step, total=total or None),
            lambda done: shown.advance(task, done),
        )


def _say_added(name: str, added: "Added", label: Label, suspect: list[str], *, json: bool) -> None:
    manifest = added.manifest
    raised = sum(passage.label != label for passage in added.new)
    if json:
        row = {
            "index": name,
            "passages": manifest.passages,
            "documents": manifest.documents,
            "added": len(added.new),
            "embedded": added.embedded,
            "raised": raised,
            "suspect": suspect,
            "changed": added.changed,
            "version": manifest.version[:16],
        }
        write(orjson.dumps(row))
        return
    typer.echo(
        f"index {name}: {manifest.passages:,} passages of {manifest.documents:,} documents"
        + (f"; {added.embedded:,} embedded, the others as they were" if added.changed else "; nothing had changed")
    )
    if raised:
        typer.echo(f"{raised:,} of {len(added.new):,} passages have a higher label, by what the scan found in them")
    if suspect:
        named = ", ".join(suspect[:_MOST_NAMED]) + (", …" if len(suspect) > _MOST_NAMED else "")
        typer.echo(f"{len(suspect):,} look like instructions to a model; read them: {named}", err=True)


def _print_indexes(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    if not rows:
        typer.echo("no index here yet: lane index add NAME PATH", err=True)
        return
    table = Table("index", "passages", "documents", "from", "tenants", "model")
    for row in rows:
        model = row["embedding_model"] if row["usable"] else f"{row['embedding_model']} (another one: add it again)"
        tenants = ", ".join(row["tenants"]) or "all"
        table.add_row(
            row["index"], f"{row['passages']:,}", f"{row['documents']:,}", "\n".join(row["from"]), tenants, model
        )
    Console().print(table)


def _print_found(found: "list[Found]") -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console()
    if not found:
        console.print("nothing that this reader may see")
    for rank, one in enumerate(found, start=1):
        passage = one.passage
        console.print(Text.assemble((f"{rank}. {passage.id}", "bold"), f"  {one.score:.3f}  {passage.source}"))
        text = " ".join(passage.text.split())
        console.print(Text(f"   {text[:_SHOWN_CHARACTERS]}{'…' if len(text) > _SHOWN_CHARACTERS else ''}"))
