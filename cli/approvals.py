"""`lane approvals`: what waits for a person, and what do they say to it? Calls of tools (`apr_…`) and requests for an answer (`req_…`)."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from cli.errors import ClusterAnswered
from router.errors import BadRequest, RouterError

if TYPE_CHECKING:
    from cli.client import Cluster
    from router.bundle.files import ApiKey
    from serving.settings import Settings

approvals_app = typer.Typer(
    no_args_is_help=True, help="See what waits for a person; grant, deny, answer or decline it."
)

Name = Annotated[str, typer.Argument(help="Its ID, as `list` shows it.", show_default=False)]
Key = Annotated[
    str | None,
    typer.Option(
        help="Which minted key to use, as `org/key id`; by default the first that may speak for people.",
        show_default=False,
    ),
]
Because = Annotated[str | None, typer.Option(help="Why: whoever asked reads it.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Compact JSON on stdout.")]


@approvals_app.command("list")
def show_all(
    everything: Annotated[bool, typer.Option("--all", help="Those that were settled as well.")] = False,
    key: Key = None,
    json: Json = False,
) -> None:
    """List the tools' calls that wait for a yes and the requests that wait for an answer, as far as the key may see them."""
    with _cluster(key) as cluster:
        found = _listed(cluster, "?all=true" if everything else "")
    if json:
        for one in found:
            typer.echo(orjson.dumps(one).decode())
    elif found:
        for one in found:
            typer.echo(_line(one))
    else:
        typer.echo("nothing waits", err=True)


@approvals_app.command()
def show(name: Name, key: Key = None, json: Json = False) -> None:
    """Show one: the call exactly as the tool would be given it, or the conversation and its draft."""
    from cli.show import printable_lines

    with _cluster(key) as cluster:
        found = cluster.read(_address(name))
    if json:
        typer.echo(orjson.dumps(found).decode())
        return
    typer.echo(_line(found))
    for field in ("label", "risk_tier", "asked_by", "trace_id", "arguments_sha256", "because"):
        if found.get(field):
            typer.echo(f"  {field}: {_plain(found[field])}")
    if found.get("arguments") is not None:
        typer.echo(printable_lines(found["arguments"]))
    for message in found.get("messages", ()):
        typer.echo(printable_lines(f"[{message['role']}] {message['content']}"))
    if found.get("draft") is not None:
        typer.echo(printable_lines(f"[draft] {found['draft']}"))


@approvals_app.command()
def grant(name: Name, because: Because = None, key: Key = None, json: Json = False) -> None:
    """Say yes to a call: it is made once, with exactly these arguments."""
    _say(name, "apr_", {"decision": "grant", "because": because}, key, json=json)


@approvals_app.command()
def deny(name: Name, because: Because = None, key: Key = None, json: Json = False) -> None:
    """Say no to a call. Whoever asked may take back their own this way."""
    _say(name, "apr_", {"decision": "deny", "because": because}, key, json=json)


@approvals_app.command()
def answer(
    name: Name,
    text: Annotated[
        str | None, typer.Argument(help="The answer; left out, the draft goes out as it is.", show_default=False)
    ] = None,
    edit: Annotated[bool, typer.Option("--edit", help="The text is the draft, changed.")] = False,
    key: Key = None,
    json: Json = False,
) -> None:
    """Answer a request in a model's place, change the draft that it wrote, or let it pass."""
    words: dict[str, Any] = {"pass": True} if text is None else {"edit" if edit else "answer": text}
    if text is None and edit:
        raise BadRequest("--edit needs the changed text", "TEXT")
    _say(name, "req_", words, key, json=json)


@approvals_app.command()
def decline(
    name: Name,
    because: Annotated[str, typer.Option(help="Why: it is what whoever asked reads instead of an answer.")],
    key: Key = None,
    json: Json = False,
) -> None:
    """Let no answer go out."""
    _say(name, "req_", {"decline": because}, key, json=json)


def _cluster(key: str | None) -> "Cluster":
    from cli.client import Cluster
    from serving.settings import read_settings
    from serving.status import as_running

    settings = as_running(read_settings())
    return Cluster(settings, key or _peoples_key(settings))


def _peoples_key(settings: "Settings") -> str | None:
    """Return the first minted key that may speak for people, by the bundle in service; None leaves the choice to whoever reads keys."""
    from router.bundle.source import read_source
    from serving.in_service import read_in_service

    try:
        file = read_source(read_in_service(settings).folder).tenants
    except RouterError:
        return None
    tenants = file.tenants if file is not None else ()
    minted = (f"{tenant.org}/{key.id}" for tenant in tenants for key in tenant.keys if key.minted and _speaks(key))
    return next(minted, None)


def _speaks(key: "ApiKey") -> bool:
    return not {"approve", "answer"}.isdisjoint(key.scopes)


def _listed(cluster: "Cluster", query: str) -> list[dict[str, Any]]:
    """Both kinds, the newest first. A key may lack one of the two scopes; one that lacks both is refused."""
    found: list[dict[str, Any]] = []
    refused: list[ClusterAnswered] = []
    for kind in ("approvals", "escalations"):
        try:
            found += cluster.read(f"/v1/{kind}{query}")["data"]
        except ClusterAnswered as error:
            if error.error_code != "not_permitted":
                raise
            refused.append(error)
    if len(refused) == 2:
        raise refused[0]
    return sorted(found, key=lambda one: -float(one["asked_at"]))


def _say(name: str, prefix: str, words: Mapping[str, Any], key: str | None, *, json: bool) -> None:
    if not name.startswith(prefix):
        does = "grant or deny" if prefix == "req_" else "answer or decline"
        raise BadRequest(f"{name!r} is no ID for this (those begin with {prefix}); did you mean to {does} it?", "NAME")
    with _cluster(key) as cluster:
        found = cluster.say(_address(name), {field: word for field, word in words.items() if word is not None})
    typer.echo(orjson.dumps(found).decode() if json else _line(found))


def _address(name: str) -> str:
    kinds = {"apr_": "approvals", "req_": "escalations"}
    kind = kinds.get(name[:4])
    if kind is None or not name.replace("_", "").isalnum():
        raise BadRequest(f"{name!r}: an ID begins with apr_ (a tool's call) or req_ (a request for an answer)", "NAME")
    return f"/v1/{kind}/{name}"


def _line(one: Mapping[str, Any]) -> str:
    what = one.get("tool") or f"queue {one.get('queue')}"
    by = f" by {one['settled_by']}" if one.get("settled_by") else ""
    state = one.get("outcome") or one["state"]
    left = one["expires_at"] - time.time()
    until = f", {left / 60:.0f} min left" if one["state"] == "waiting" and left > 0 else ""
    return f"{one['id']}  {what}  {state}{by}{until}  (asked by {one['asked_by']}, {one['risk_tier']})"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
