"""`lane ask`: what does the running cluster answer, and why? The answer first, then the decision behind it.

A planned refusal or a pending approval is an answer: exit 0. What policy denies, or what fails, is an error with its own exit code.
"""

import sys
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from router.contract import Evidence
from router.explain import explain_line
from serving.settings import read_settings
from serving.status import as_running

if TYPE_CHECKING:
    from cli.client import Answer, Cluster


def ask(
    text: Annotated[str, typer.Argument(help="The question.")],
    model: Annotated[str, typer.Option(help="`auto`, a lane or a model.")] = "auto",
    session: Annotated[
        str | None, typer.Option(help="A conversation's name: its label is remembered.", show_default=False)
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(help="Which minted key to use, as `org/key id`; by default the first.", show_default=False),
    ] = None,
    stream: Annotated[
        bool | None,
        typer.Option("--stream/--no-stream", help="Print the answer as it comes; by default on a terminal."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Compact JSON on stdout.")] = False,
) -> None:
    """Ask the running cluster; print the answer, then the decision."""
    from cli.client import Cluster
    from cli.show import printable_lines

    with Cluster(as_running(read_settings()), key) as cluster:
        if json:
            answer = cluster.ask(text, model, session)
            print(_as_json(answer, cluster.evidence(answer.trace_id)))
            return
        streamed = sys.stdout.isatty() if stream is None else stream
        answer = _print_streamed(cluster, text, model, session) if streamed else cluster.ask(text, model, session)
        if not streamed:
            print(printable_lines(answer.text))
        _print_decision(cluster.evidence(answer.trace_id))


def _print_streamed(cluster: "Cluster", text: str, model: str, session: str | None) -> "Answer":
    from cli.show import printable_lines

    answer = cluster.ask_streamed(text, model, session, lambda piece: print(printable_lines(piece), end="", flush=True))
    print()
    return answer


def _print_decision(evidence: Evidence) -> None:
    from rich.console import Console

    from cli.show import decision_panel

    console = Console()
    console.print()
    if evidence.decisions:
        console.print(decision_panel(evidence.decisions[-1].decision, f"decision of trace {evidence.trace_id}"))
    console.print(explain_line(evidence), markup=False, highlight=False)


def _as_json(answer: "Answer", evidence: Evidence) -> str:
    """`status` is how the request ended, in the evidence's own words: answered, refused, approval, clarify."""
    decision = evidence.decisions[-1].decision.model_dump(mode="json", by_alias=True) if evidence.decisions else None
    body = {
        "trace_id": answer.trace_id,
        "status": evidence.finished.ended if evidence.finished else "unfinished",
        "answer": answer.text,
        "decision": decision,
    }
    return orjson.dumps(body).decode()
