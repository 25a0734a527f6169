"""`lane keys`: make, see, replace and revoke API keys. The bundle says who may ask; a key itself is shown once and kept nowhere."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer
import yaml
from pydantic import ValidationError

from router.bundle.files import ApiKey
from router.errors import BadRequest

if TYPE_CHECKING:
    from router.bundle.files import TenantSpec
    from serving.settings import Settings

keys_app = typer.Typer(no_args_is_help=True, help="Make, list, rotate and revoke API keys.")

Name = Annotated[str, typer.Argument(help="The key's name: ORG/ID.", show_default=False)]
BundleOption = Annotated[
    Path | None, typer.Option(help="The bundle; by default the running one, else $LANE_BUNDLE.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Compact JSON on stdout.")]


@keys_app.command()
def new(
    name: Name,
    days: Annotated[int | None, typer.Option(min=1, help="It expires after so many days.", show_default=False)] = None,
    scope: Annotated[
        list[str] | None, typer.Option(help="chat, route, evidence, approve or answer; repeat it.")
    ] = None,
    lane: Annotated[list[str] | None, typer.Option(help="A lane it may use; repeat it.")] = None,
    jurisdiction: Annotated[list[str] | None, typer.Option(help="Joins every request's label; repeat it.")] = None,
    clearance: Annotated[str | None, typer.Option(help="The highest level of evidence it may read.")] = None,
    json: Json = False,
) -> None:
    """Make a key: print it, once, and the entry for `tenants.yaml`, which holds its hash. Changes nothing by itself."""
    org, key_id = _split(name)
    limits = {"scopes": scope, "lanes": lane, "jurisdictions": jurisdiction, "clearance": clearance}
    _print_new(org, key_id, {field: value for field, value in limits.items() if value}, days, json=json)


@keys_app.command("list")
def show(bundle: BundleOption = None, json: Json = False) -> None:
    """Show every key of the bundle: what it may do, until when, and whether it opens anything now. No key is shown."""
    settings = _settings(bundle)
    for org, key in _keys(settings):
        state = _state(settings, org, key)
        fields = key.model_dump(mode="json", exclude={"id", "sha256", "minted"}, exclude_defaults=True)
        if json:
            row = {"org": org, "id": key.id, "minted": key.minted, "state": state, **fields}
            typer.echo(orjson.dumps(row).decode())
        else:
            limits = "; ".join(f"{field}: {_words(value)}" for field, value in fields.items())
            typer.echo(f"{org}/{key.id}  {state}" + (f"  ({limits})" if limits else ""))


@keys_app.command()
def rotate(
    name: Name,
    overlap_days: Annotated[int, typer.Option(min=0, help="The old key goes on for so many days.")] = 7,
    bundle: BundleOption = None,
    json: Json = False,
) -> None:
    """Make a key's successor. A key minted on this box is replaced at once, and the old one opens nothing from the next request on.

    For a key that the bundle lists by hash, print the successor, once, and both entries: the old one then ends by itself.
    """
    from serving.secrets import replace_minted

    settings = _settings(bundle)
    org, key = _found(settings, name)
    if key.minted:
        replace_minted(settings, name)
        _say(
            {"org": org, "id": key.id, "file": str(settings.keys_file)}, f"replaced in {settings.keys_file}", json=json
        )
        return
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=overlap_days)
    if key.expires_at is None or ends < key.expires_at:
        key = key.model_copy(update={"expires_at": ends})
    limits = key.model_dump(
        mode="json", exclude={"id", "sha256", "minted", "not_before", "expires_at"}, exclude_defaults=True
    )
    _print_new(org, _next_id(key.id), limits, None, old=_entry(key), json=json)


@keys_app.command()
def revoke(
    name: Name,
    because: Annotated[str, typer.Option(help="Why; kept with the revocation.")] = "",
    bundle: BundleOption = None,
    json: Json = False,
) -> None:
    """Close a key here from the next request on, for good and without a restart. Take its entry out of the bundle as well."""
    from serving.lockout import Lockout

    settings = _settings(bundle)
    org, key = _found(settings, name)
    digest = _digest(settings, org, key)
    if digest is None:
        raise BadRequest(f"{name} has no key yet: `lane up` mints it")
    tag = Lockout(settings.keys_revoked_folder).lock(digest, because)
    _say({"org": org, "id": key.id, "state": "revoked"}, tag.says(f"{name} was revoked"), json=json)


def _print_new(
    org: str,
    key_id: str,
    limits: Mapping[str, Any],
    days: int | None,
    *,
    old: Mapping[str, Any] | None = None,
    json: bool,
) -> None:
    """Print a new key and its entry, and, where it succeeds an `old` one, that one's new entry."""
    from serving.secrets import new_key

    secret = new_key()
    fields = {"id": key_id, "sha256": hashlib.sha256(secret.encode()).hexdigest(), **limits}
    if days is not None:
        fields["expires_at"] = (datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)).isoformat()
    try:
        entry = _entry(ApiKey.model_validate(fields))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise BadRequest(f"{first['loc'][0]}: {first['msg']}") from error
    if json:
        replaced = {"old": old} if old is not None else {}
        typer.echo(orjson.dumps({"key": secret, "org": org, "entry": entry, **replaced}).decode())
        return
    if old is not None:
        typer.echo("# The old key's entry, which ends it; put it in its place:\n" + _yaml(old), nl=False)
    typer.echo(
        f"# The key, shown this once:\n{secret}\n# For tenants.yaml, below `keys:` of org {org}:\n{_yaml(entry)}",
        nl=False,
    )


def _entry(key: ApiKey) -> dict[str, Any]:
    return key.model_dump(mode="json", exclude_defaults=True)


def _yaml(entry: Mapping[str, Any]) -> str:
    return yaml.safe_dump([dict(entry)], sort_keys=False)


def _split(name: str) -> tuple[str, str]:
    org, slash, key_id = name.partition("/")
    if not (org and slash and key_id):
        raise BadRequest(f"{name!r}: a key's name is ORG/ID, as in local/default")
    return org, key_id


def _settings(bundle: Path | None) -> "Settings":
    from serving.settings import read_settings
    from serving.status import as_running

    return read_settings(bundle) if bundle is not None else as_running(read_settings())


def _keys(settings: "Settings") -> list[tuple[str, ApiKey]]:
    from router.bundle import load_bundle

    tenants: Mapping[str, TenantSpec] = load_bundle(settings.bundle).tenants
    return [(tenant.org, key) for tenant in tenants.values() for key in tenant.keys]


def _found(settings: "Settings", name: str) -> tuple[str, ApiKey]:
    known = {f"{org}/{key.id}": (org, key) for org, key in _keys(settings)}
    if name not in known:
        raise BadRequest(f"the bundle has no key {name!r}; it has {', '.join(known) or 'none'}")
    return known[name]


def _digest(settings: "Settings", org: str, key: ApiKey) -> str | None:
    """The hash that a key is known by; None for one that is still to be minted."""
    if key.sha256 is not None:
        return key.sha256
    minted = orjson.loads(settings.keys_file.read_bytes()) if settings.keys_file.exists() else {}
    secret = minted.get(f"{org}/{key.id}")
    return hashlib.sha256(secret.encode()).hexdigest() if secret is not None else None


def _state(settings: "Settings", org: str, key: ApiKey) -> str:
    from serving.lockout import Lockout

    digest, now = _digest(settings, org, key), datetime.now(UTC)
    if digest is None:
        return "not minted yet"
    if settings.keys_revoked_folder.exists() and Lockout(settings.keys_revoked_folder).holds(digest):
        return "revoked"
    if key.not_before is not None and now < key.not_before:
        return "not valid yet"
    if key.expires_at is not None and now >= key.expires_at:
        return "expired"
    return "open"


def _next_id(key_id: str) -> str:
    """`ci` becomes `ci-2`, `ci-2` becomes `ci-3`."""
    stem, dash, number = key_id.rpartition("-")
    return f"{stem}-{int(number) + 1}" if dash and number.isdecimal() else f"{key_id}-2"


def _words(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _say(row: Mapping[str, Any], text: str, *, json: bool) -> None:
    typer.echo(orjson.dumps(row).decode() if json else text)
