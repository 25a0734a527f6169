"""`lane leak-rate judge`, `show`, `export`: the commands that open samples. They need the judge's private key."""

import secrets
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import orjson
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from router.contract import Frozen
from router.errors import BadRequest
from serving.settings import Settings, read_settings
from serving.status import as_running

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    from serving.leaks.samples import Sample
    from serving.leaks.wrongs import Wrong

Json = Annotated[bool, typer.Option("--json", help="Compact JSON on stdout.")]
Key = Annotated[Path, typer.Option("--key", help="The judge's private key.")]
Limit = Annotated[int, typer.Option(help="At most so many.", min=1)]
_KEY = Path("~/.private-lane/leaks.key")
_Answer = TypeVar("_Answer")


class GivenVerdict(Frozen):
    """A line of `--input`: the verdict on one sample, by somebody who read it elsewhere."""

    sample: str
    stays: bool | None
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Desk:
    """What a judge sits at: the home, the samples by ID, and the names of the bundle's categories."""

    settings: Settings
    samples: "dict[str, Sample]"
    categories: tuple[str, ...]

    def open(self, sample: str, key: "X25519PrivateKey") -> bytes:
        """Return a sample's body. Raises `SampleUnreadable`."""
        from serving.leaks.sealed import unseal

        kept = self.samples[sample]
        assert kept.sealed is not None
        return unseal(kept.sealed, key, kept.about)

    def text(self, sample: str, key: "X25519PrivateKey") -> str:
        """Return a sample as people read it. Raises `SampleUnreadable`."""
        from serving.leaks.judging import readable

        return readable(self.open(sample, key))

    def record(
        self, sample: str, judge: str, kind: Literal["person", "model"], stays: bool | None, categories: tuple[str, ...]
    ) -> None:
        """Keep a verdict."""
        from serving.leaks.files import verdict_file
        from serving.leaks.verdicts import Verdict, record

        verdict = Verdict(sample=sample, judge=judge, kind=kind, stays=stays, categories=categories, at=time.time())
        record(verdict_file(self.settings), verdict)


def judge(
    key: Key = _KEY,
    by: Annotated[str, typer.Option(help="Whose verdicts these are.")] = "person",
    model: Annotated[
        str | None, typer.Option(help="Ask this private lane instead of a person.", show_default=False)
    ] = None,
    input: Annotated[
        str | None, typer.Option("--input", help="Verdicts, JSON lines; `-` reads stdin.", show_default=False)
    ] = None,
    limit: Limit = 50,
) -> None:
    """Judge samples: should this text have stayed, and what does it hold? Left and stayed come mixed, unmarked.

    A line of --input is {"sample", "stays": true|false|null, "categories": […]}; `show` prints what there is to judge.
    """
    from serving.leaks.sealed import read_judge_key

    if model is not None and input is not None:
        raise BadRequest("give --model or --input, not both")
    desk = _desk(as_running(read_settings()))
    if input is not None:
        count = _take_verdicts(desk, by, input)
    elif model is not None:
        count = _ask_model(desk, _open_samples(desk, limit), read_judge_key(key.expanduser()), model)
    else:
        count = _ask_person(desk, _open_samples(desk, limit), read_judge_key(key.expanduser()), by)
    typer.echo(f"{count} judged; the rates: lane leak-rate report", err=True)


def show(key: Key = _KEY, limit: Limit = 50) -> None:
    """Print the samples that are still to be judged, a JSON line each, in the order to judge them in. Real texts: mind the screen."""
    from serving.leaks.sealed import read_judge_key

    private, desk = read_judge_key(key.expanduser()), _desk(read_settings())
    for sample in _open_samples(desk, limit):
        typer.echo(orjson.dumps({"sample": sample, "text": desk.text(sample, private)}).decode())


def export(
    out: Annotated[Path, typer.Option("--out", help="The file to write, for its owner alone: a JSON line each.")],
    cases: Annotated[
        Path | None,
        typer.Option("--cases", help="Write the leaks as cases for `lane policy test`.", show_default=False),
    ] = None,
    key: Key = _KEY,
    models_too: Annotated[
        bool, typer.Option("--models-too", help="What only a model judged, as well as what a person did.")
    ] = False,
    json: Json = False,
) -> None:
    """Write what the boundary got wrong: lines for `lane scan --input` and to train on, and cases. They hold real data."""
    from serving.change.durable import write_durably
    from serving.leaks.sealed import read_judge_key
    from serving.leaks.wrongs import cases as cases_of

    wrong = _wrongs(_desk(read_settings()), read_judge_key(key.expanduser()), models_too=models_too)
    write_durably(out, b"".join(orjson.dumps(one.row) + b"\n" for one in wrong), 0o600)
    if cases is not None:
        write_durably(cases, cases_of(wrong).encode(), 0o600)
    if json:
        typer.echo(orjson.dumps({"file": str(out), "rows": len(wrong)}).decode())
    typer.echo(
        f"{len(wrong)} rows in {out}. They are people's own texts: keep them where such texts may be kept.", err=True
    )


def _wrongs(desk: Desk, key: "X25519PrivateKey", *, models_too: bool) -> "list[Wrong]":
    """Open every sample on which the boundary was wrong, of those that can still be opened."""
    from serving.leaks.files import all_verdicts
    from serving.leaks.judging import plain
    from serving.leaks.wrongs import Wrong, is_wrong

    given = [one for one in all_verdicts(desk.settings).values() if models_too or one.kind == "person"]
    known = [(desk.samples[one.sample], one) for one in given if one.sample in desk.samples]
    return [
        Wrong(sample, verdict, plain(desk.open(sample.id, key)))
        for sample, verdict in known
        if sample.sealed is not None and is_wrong(sample, verdict)
    ]


def _desk(settings: Settings) -> Desk:
    from router.bundle import load_bundle
    from serving.leaks.files import all_samples

    samples = {sample.id: sample for counted in all_samples(settings) for sample in counted.samples}
    return Desk(settings, samples, tuple(load_bundle(settings.bundle).tiers.levels))


def _open_samples(desk: Desk, limit: int) -> list[str]:
    from serving.leaks.files import all_samples, all_verdicts
    from serving.leaks.report import to_judge

    return to_judge(all_samples(desk.settings), all_verdicts(desk.settings))[:limit]


def _take_verdicts(desk: Desk, by: str, source: str) -> int:
    count = 0
    for number, line in enumerate(_lines(source), 1):
        try:
            given = GivenVerdict.model_validate_json(line)
        except ValidationError as error:
            raise BadRequest(f"line {number}: a verdict is {{sample, stays, categories}}") from error
        if given.sample not in desk.samples or not set(given.categories) <= set(desk.categories):
            raise BadRequest(
                f"line {number}: the sample is not here, or a category is none of {', '.join(desk.categories)}"
            )
        desk.record(given.sample, by, "person", given.stays, given.categories)
        count += 1
    return count


def _lines(source: str) -> Iterator[bytes]:
    try:
        text = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise BadRequest(f"{source} can't be read ({error.strerror})") from error
    yield from (line for line in text.splitlines() if line.strip())


def _ask_model(desk: Desk, samples: list[str], key: "X25519PrivateKey", lane: str) -> int:
    """Ask a private lane of the running cluster. The text is declared restricted, so that it can go nowhere else."""
    from cli.client import Cluster
    from router.bundle import load_bundle
    from serving.leaks.judging import DECLARED, question_of, read_answer, schema_of

    spec = load_bundle(desk.settings.bundle).lanes.get(lane)
    if spec is None or spec.is_hosted:
        raise BadRequest(f"--model: {lane} is no private lane; a sample is judged at home")
    schema = schema_of(desk.categories)
    with Cluster(desk.settings) as cluster:
        for sample in samples:
            question = question_of(desk.text(sample, key), desk.categories, f"=== {secrets.randbelow(10**18):018d} ===")
            answer = read_answer(cluster.ask_for_json(question, lane, schema, DECLARED), lane, desk.categories)
            desk.record(sample, lane, "model", answer.stays, answer.categories)
    return len(samples)


def _ask_person(desk: Desk, samples: list[str], key: "X25519PrivateKey", by: str) -> int:
    console = Console()
    for number, sample in enumerate(samples):
        console.print(Panel(Text(desk.text(sample, key)), title=f"{number + 1} of {len(samples)}"))
        says = _ask("Should this have stayed? y, n, s (can't be told) or q", _one_of("ynsq"))
        if says == "q":
            return number
        categories = _ask_categories(desk.categories) if says == "y" else ()
        desk.record(sample, by, "person", {"y": True, "n": False, "s": None}[says], categories)
    return len(samples)


def _ask_categories(categories: tuple[str, ...]) -> tuple[str, ...]:
    from serving.leaks.judging import read_categories

    return _ask(f"What does it hold? ({', '.join(categories)})", lambda typed: read_categories(typed, categories))


def _one_of(letters: str) -> Callable[[str], str | None]:
    return lambda typed: typed.strip().lower() if typed.strip().lower() in set(letters) else None


def _ask(question: str, read: Callable[[str], _Answer | None]) -> _Answer:
    while (answer := read(str(typer.prompt(question)))) is None:
        typer.echo("that is none of them", err=True)
    return answer
