"""`lane budgets`: what may each tenant use today, what is gone of it, and what is left? Read from the file: no cluster is asked."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from router.errors import BadRequest

if TYPE_CHECKING:
    from router.budgets import Account
    from router.bundle.files import TenantSpec
    from serving.budgets.wire import Taken

Json = Annotated[bool, typer.Option("--json", help="Compact JSON on stdout.")]


def budgets(
    org: Annotated[str | None, typer.Option(help="This tenant alone.", show_default=False)] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="The bundle; by default the running one, else $LANE_BUNDLE.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Show what of each tenant's day is used, reserved by requests that run, and left. Dollars, lanes' time, tokens, calls, chunks."""
    from router.budgets import accounts_of, day_of
    from router.bundle import load_bundle
    from serving.budgets.accounts import read_taken
    from serving.settings import read_settings
    from serving.status import as_running

    settings = read_settings(bundle) if bundle is not None else as_running(read_settings())
    tenants = load_bundle(settings.bundle).tenants
    if org is not None and org not in tenants:
        raise BadRequest(f"the bundle has no tenant {org!r}; it has {', '.join(tenants)}", "--org")
    rows: list[dict[str, Any]] = []
    for tenant in [tenants[org]] if org is not None else tenants.values():
        accounts = accounts_of(tenant)
        day = day_of(datetime.now(UTC), tenant.daily.zone)
        taken = read_taken(settings.state_file, [account.name for account in accounts], day)
        rows += [
            row for account, gone in zip(accounts, taken, strict=True) for row in _rows(tenant, account, gone, day)
        ]
    if not rows:
        whom = f"tenant {org}" if org is not None else "no tenant of the bundle"
        typer.echo(f"{whom} has {'no' if org is not None else 'a'} daily budget; see docs/budgets.md", err=True)
    elif json:
        for row in rows:
            typer.echo(orjson.dumps(row).decode())
    else:
        _print_table(rows)


def _rows(tenant: "TenantSpec", account: "Account", taken: "Taken", day: str) -> list[dict[str, Any]]:
    """A row for each thing that is limited. Money in dollars, time in seconds."""
    from router.budgets import KINDS, in_its_unit

    rows = []
    for kind in KINDS:
        limit = account.limits.of(kind)
        if limit is None:
            continue
        used, reserved = taken.spent.of(kind), taken.reserved.of(kind)
        figures = {"limit": limit, "used": used, "reserved": reserved, "left": max(0, limit - used - reserved)}
        what, _ = in_its_unit(kind, limit)
        shown = {name: in_its_unit(kind, amount)[1] for name, amount in figures.items()}
        route = account.request_class or None
        rows.append({"org": tenant.org, "route": route, "day": day, "zone": tenant.daily.zone, "what": what, **shown})
    return rows


def _print_table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("tenant", "route", "day", "what", "limit", "used", "reserved", "left")
    for row in rows:
        digits = _DIGITS.get(row["what"])
        figures = [str(row[name]) if digits is None else f"{row[name]:.{digits}f}" for name in _FIGURES]
        table.add_row(row["org"], row["route"] or "", row["day"], row["what"], *figures)
    Console().print(table)


_DIGITS = {"cost_usd": 4, "latency_seconds": 1}
_FIGURES = ("limit", "used", "reserved", "left")
