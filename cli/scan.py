"""`lane scan`: what do the detectors and the classifier see in a text? One text, or a file of texts, without a running cluster."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer
from pydantic import ConfigDict, ValidationError

from cli.lines import answer_file, complaint, write
from router.contract import Finding, Frozen, Label, Topic
from router.errors import BadRequest

if TYPE_CHECKING:
    from rich.console import RenderableType

    from router.bundle.files import TiersFile
    from router.bundle.variables import TopicHeads


_DEEP_START_SECONDS = 180.0


class ScanLine(Frozen):
    """One line of the input. Other fields than these are passed over, so that a labelled data set can be scanned as it is."""

    model_config = ConfigDict(extra="ignore")

    id: Any = None
    text: str


@dataclass(frozen=True, slots=True)
class Scanned:
    """What was seen in one text. `microseconds` is the time of the fast scan and the classification."""

    findings: tuple[Finding, ...]
    label: Label
    topic: Topic
    microseconds: int


@dataclass(frozen=True, slots=True)
class Scanner:
    """What a text is scanned with: the bundle's tiers say what a finding is worth, the heads name the topic.

    `deep` is asked too, where it is given: what it finds stands after what the fast scan found.
    """

    tiers: "TiersFile"
    heads: "TopicHeads"
    deep: Callable[[str], tuple[Finding, ...]] | None = None

    def scan(self, text: str) -> Scanned:
        """Scan and classify one text, and value what was found as the bundle does. Raises `ScanUnavailable`."""
        from router.decide import label_found
        from router.scan import scan_text

        began = time.perf_counter_ns()
        findings = scan_text(text)
        topic = self.heads.topic(text, None)
        microseconds = (time.perf_counter_ns() - began) // 1000
        if self.deep is not None:
            findings += self.deep(text)
        return Scanned(findings, label_found(findings, self.tiers), topic, microseconds)

    def answer(self, fields: Mapping[str, Any]) -> bytes:
        """Answer one line's fields with one line of JSON."""
        try:
            line = ScanLine.model_validate(fields)
        except ValidationError as error:
            raise BadRequest(complaint(error)) from error
        return _line(line.id, self.scan(line.text))


def scan(
    text: Annotated[str | None, typer.Argument(help="The text to scan.", show_default=False)] = None,
    input: Annotated[
        str | None,
        typer.Option("--input", help='Texts, JSON lines of `{"id", "text"}`; `-` reads stdin.', show_default=False),
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="The bundle; by default $LANE_BUNDLE, else config/starter.", show_default=False)
    ] = None,
    heads: Annotated[
        Path | None, typer.Option(help="A classifier of your own (`lane train --out`).", show_default=False)
    ] = None,
    deep: Annotated[
        bool,
        typer.Option(
            "--deep", help="Ask the deep scan as well, as for what is about to leave; it takes seconds to start."
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Compact JSON on stdout.")] = False,
) -> None:
    """Show what the scan finds in a text, the label that follows, and what the classifier makes of it."""
    if (text is None) == (input is None):
        raise BadRequest('give one text, or --input with a file of texts: lane scan "…", lane scan --input FILE')
    scanner = _scanner(bundle, heads)
    with _deep_scan() if deep else nullcontext() as deeper:
        scanner = replace(scanner, deep=deeper)
        if input is not None:
            raise typer.Exit(answer_file(scanner.answer, input, "texts"))
        scanned = scanner.scan(str(text))
    if json:
        write(_line(None, scanned))
        return
    from rich.console import Console

    Console().print(_shown(str(text), scanned))


def _scanner(bundle: Path | None, heads: Path | None) -> Scanner:
    # Cedar, CEL and the classifier's weights: not for `lane --help`.
    from router.bundle import load_bundle
    from router.classify.heads import Heads
    from router.scan import warm
    from serving.settings import read_settings

    loaded = load_bundle(read_settings(bundle).bundle)
    try:
        chosen = loaded.heads if heads is None else Heads.load(heads)
    except (OSError, ValueError, KeyError) as error:
        raise BadRequest(f"--heads {heads}: no classifier's folder ({error})") from error
    warm()
    scanner = Scanner(loaded.tiers, chosen)
    scanner.scan("What is the capital of France?")  # The first text must not pay for what is built once.
    return scanner


@contextmanager
def _deep_scan() -> Iterator[Callable[[str], tuple[Finding, ...]]]:
    """Start a worker of the deep scan and wait for it. The same program, client and forest as in front of the door."""
    import asyncio

    from rich.console import Console

    from serving.deep.scanner import DeepScanner

    with asyncio.Runner() as runner:
        scanner = DeepScanner()

        async def start() -> None:
            scanner.start()
            await scanner.wait_ready(_DEEP_START_SECONDS)

        try:
            with Console(stderr=True).status("starting the deep scan"):
                runner.run(start())
            yield lambda text: runner.run(scanner.scan((text,)))[0]
        finally:
            runner.run(scanner.close())


def _line(line_id: Any, scanned: Scanned) -> bytes:
    topic = scanned.topic
    return orjson.dumps(
        {
            "id": line_id,
            "findings": [_finding(finding) for finding in scanned.findings],
            "label": scanned.label.model_dump(),
            "intent": topic.intent,
            "domain": topic.domain,
            "out_of_scope": topic.out_of_scope,
            "state_changing": topic.state_changing,
            "regulated": topic.regulated,
            "attack": topic.attack.model_dump(),
            "harm": topic.harm.model_dump(),
            "difficulty": topic.difficulty,
            "microseconds": scanned.microseconds,
        }
    )


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "entity": finding.entity,
        "category": finding.category,
        "start": finding.start,
        "end": finding.end,
        "score": finding.score,
        "detector": finding.detector,
    }


def _shown(text: str, scanned: Scanned) -> "RenderableType":
    """Lay a scan out for a terminal. The text itself is shown to whoever just typed it."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from cli.show import printable_lines
    from router.explain.words import entity, listed

    found = Table("found", "category", "text", "score", "detector", box=None, padding=(0, 2, 0, 0))
    for one in scanned.findings:
        said = Text(printable_lines(text[one.start : one.end]), style="cyan")
        found.add_row(entity(one.entity), one.category, said, f"{one.score:.2f}", one.detector)
    label, topic = scanned.label, scanned.topic
    summary = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    summary.add_column(style="bold", no_wrap=True)
    summary.add_row("label", f"{label.level} ({listed(label.categories)})" if label.categories else label.level)
    summary.add_row("topic", f"{topic.intent}, {topic.domain}" + (" (out of scope)" if topic.out_of_scope else ""))
    summary.add_row("asks for a change", "yes" if topic.state_changing else "no")
    summary.add_row("regulated field", listed(topic.regulated) or "none")
    for name, alarm in (("attack", topic.attack), ("harm", topic.harm)):
        summary.add_row(name, f"{alarm.score:.2f}" + (" flagged" if alarm.flag else ""))
    summary.add_row("difficulty", "unknown" if topic.difficulty is None else f"{topic.difficulty:.2f}")
    summary.add_row("took", f"{scanned.microseconds} µs")
    return Group(found if scanned.findings else "nothing sensitive found", "", summary)
