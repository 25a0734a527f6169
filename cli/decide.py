"""`lane decide`: what would the router do with this? One text, or a file of requests, without a running cluster."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer
from pydantic import ValidationError

from cli.lines import answer_file, complaint, write
from router.contract import Channel, Decision, Frozen, Label, Mode, RouteRequest
from router.errors import BadRequest
from router.state import State

if TYPE_CHECKING:
    from router.bundle import Bundle
    from router.bundle.load import Draft
    from serving.settings import Settings

DEFAULT_ORG = "local"
"""The starter bundle's own tenant."""


class DecideLine(Frozen):
    """One line of the input: a text or OpenAI-shaped messages, and who asks."""

    id: Any = None
    text: str | None = None
    messages: list[Any] | None = None
    org: str = DEFAULT_ORG
    user: str | None = None
    channel: Channel = "api"
    mode: Mode | None = None
    allowed_tools: tuple[str, ...] = ()
    labels: Label = Label()
    model: str = "auto"


@dataclass(frozen=True, slots=True)
class Decider:
    """A bundle, the state of the lanes, and the tenant and model that stand where a line names none."""

    bundle: "Bundle"
    state: State
    org: str
    model: str

    def decide(self, fields: Mapping[str, Any]) -> Decision:
        """Decide on one line's fields. Raises `RouterError` for what can't be decided."""
        from router.decide import decide

        given = {name: value for name, value in fields.items() if value is not None}
        return decide(request_of({"org": self.org, "model": self.model, **given}), self.bundle, self.state)

    def answer(self, fields: Mapping[str, Any]) -> bytes:
        """Answer one line's fields: its ID and the decision, as one line of JSON."""
        return _decided(fields.get("id"), self.decide(fields))


def request_of(fields: Mapping[str, Any]) -> RouteRequest:
    """Return the request that one line's fields make. Raises `BadRequest`."""
    given = {name: value for name, value in fields.items() if value is not None}
    try:
        line = DecideLine.model_validate(given)
        return RouteRequest(
            messages=_messages(line),
            org=line.org,
            user=line.user,
            channel=line.channel,
            mode=line.mode,
            allowed_tools=line.allowed_tools,
            labels=line.labels,
            model=line.model,
        )
    except ValidationError as error:
        raise BadRequest(complaint(error)) from error


def decide(
    text: Annotated[str | None, typer.Argument(help="The text to decide on.", show_default=False)] = None,
    input: Annotated[
        str | None, typer.Option("--input", help="Requests, JSON lines; `-` reads stdin.", show_default=False)
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(
            help="The bundle; by default $LANE_BUNDLE, else the one in force, else config/starter.", show_default=False
        ),
    ] = None,
    live: Annotated[
        bool,
        typer.Option("--live", help="Count lanes that are switched off, and hosted ones without a key here, as off."),
    ] = False,
    org: Annotated[str, typer.Option(help="The tenant, where a line names none.")] = DEFAULT_ORG,
    model: Annotated[str, typer.Option(help="`auto`, a lane or a model, where a line names none.")] = "auto",
    json: Annotated[bool, typer.Option("--json", help="Compact JSON on stdout.")] = False,
) -> None:
    """Show what the router would decide, without a running cluster and without asking any model."""
    if (text is None) == (input is None):
        raise BadRequest('give one text, or --input with a file of requests: lane decide "…", lane decide --input FILE')
    decider = _decider(bundle, org, model, live=live)
    if input is not None:
        raise typer.Exit(answer_file(decider.answer, input, "requests"))
    decision = decider.decide({"text": text})
    if json:
        write(_decided(None, decision))
        return
    from rich.console import Console

    from cli.show import decision_panel

    Console().print(decision_panel(decision, "decision"))


def keyless_lanes(bundle: "Bundle", environment: Mapping[str, str]) -> dict[str, str]:
    """Return the hosted lanes whose provider key is not in the environment, each with that reason."""
    return {
        name: f"no key in {lane.hosted.api_key_env}"
        for name, lane in bundle.lanes.items()
        if lane.hosted is not None and not environment.get(lane.hosted.api_key_env)
    }


def switched_off(settings: "Settings", bundle: "Bundle") -> dict[str, str]:
    """Return the lanes that were switched off here (`lane lanes off`); none where nothing was ever started or switched."""
    from serving.lockout import Lockout, lane_switches

    folder = settings.lanes_off_folder
    return lane_switches(Lockout(folder), bundle.lanes)() if folder.exists() else {}


def _decider(bundle: Path | None, org: str, model: str, *, live: bool) -> Decider:
    # Cedar, CEL and the classifier's weights: not for `lane --help`.
    from serving.settings import read_settings

    settings = read_settings(bundle)
    loaded = draft_of(settings.bundle).bundle
    # The keys themselves stay where they are: only whether they are set is read.
    off = keyless_lanes(loaded, os.environ) | switched_off(settings, loaded) if live else {}
    return Decider(loaded, State(lanes_off=off), org, model)


def draft_of(folder: Path) -> "Draft":
    """Load a bundle to look at it. One that breaks its own promises is told of on stderr, and looked at all the same; it never runs."""
    from router.bundle.load import load_draft

    draft = load_draft(folder)
    for finding in draft.unkept:
        print(f"{folder}: {finding}", file=sys.stderr)
    return draft


def _messages(line: DecideLine) -> Any:
    from serving.api.messages import parse_messages

    if (line.text is None) == (line.messages is None):
        raise BadRequest("text: a request has either `text` or `messages`", "text")
    return parse_messages(line.messages if line.text is None else [{"role": "user", "content": line.text}])


def _decided(line_id: Any, decision: Decision) -> bytes:
    return b'{"id":' + orjson.dumps(line_id) + b',"decision":' + decision.model_dump_json(by_alias=True).encode() + b"}"
