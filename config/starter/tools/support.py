"""The support desk's tools, over a few sample tickets and orders in `data/tickets.json`. Put your own systems in their place.

Arguments come as keywords and keep the tool's `parameters`; what is returned is held against its `result`. A tool says no by `Declined`.
The sample orders were delivered so many days ago, whenever you read this, so that the sample's story stays the same.
"""

import json
import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from serving.tools.declined import Declined

SAMPLE = json.loads((Path(__file__).parent / "data" / "tickets.json").read_text(encoding="utf-8"))
REFUND_DAYS = 30


def ticket_lookup(ticket_id: str) -> dict[str, Any]:
    """Return a ticket."""
    ticket = SAMPLE["tickets"].get(ticket_id)
    if ticket is None:
        raise Declined(f"There is no ticket {ticket_id}.")
    return {"ticket_id": ticket_id, **ticket}


def refund_eligibility(order_id: str) -> dict[str, Any]:
    """Say whether an order can still be refunded, and by which rule."""
    order = _order(order_id)
    if order["kind"] == "gift_card":
        return {"eligible": False, "rule": "Gift cards are not refunded."}
    if order["delivered_days_ago"] is None:
        return {"eligible": True, "rule": "An order that has not arrived is refunded at any time."}
    today = datetime.now(tz=UTC).date()
    until = today - timedelta(days=order["delivered_days_ago"]) + timedelta(days=REFUND_DAYS)
    rule = f"Goods are refunded within {REFUND_DAYS} days of delivery."
    return {"eligible": today <= until, "until": until.isoformat(), "rule": rule}


def issue_refund(order_id: str, amount_cents: int | None = None, *, idempotency_key: str) -> dict[str, Any]:
    """Refund an order, or a part of it: once for each key, and never more than was paid."""
    order = _order(order_id)
    amount_cents = amount_cents or order["cents"]
    if not refund_eligibility(order_id)["eligible"]:
        raise Declined(f"Order {order_id} can't be refunded any more.")
    with closing(
        sqlite3.connect(Path(os.environ["LANE_TOOL_STATE"]) / "refunds.sqlite", isolation_level=None)
    ) as books:
        books.execute("PRAGMA synchronous = FULL")
        books.execute("CREATE TABLE IF NOT EXISTS refunds (key TEXT PRIMARY KEY, order_id TEXT, cents INTEGER)")
        books.execute("BEGIN IMMEDIATE")
        done = books.execute("SELECT order_id, cents FROM refunds WHERE key = ?", (idempotency_key,)).fetchone()
        if done is None:
            (paid,) = books.execute(
                "SELECT COALESCE(SUM(cents), 0) FROM refunds WHERE order_id = ?", (order_id,)
            ).fetchone()
            if paid + amount_cents > order["cents"]:
                raise Declined(f"Of order {order_id}, {order['cents'] - paid} cents are left to refund.")
            books.execute("INSERT INTO refunds VALUES (?, ?, ?)", (idempotency_key, order_id, amount_cents))
        elif done != (order_id, amount_cents):
            raise Declined("This refund was asked for before, with other figures.")
        books.execute("COMMIT")
    return {
        "refund_id": f"RF-{idempotency_key[:12]}",
        "order_id": order_id,
        "amount_cents": amount_cents,
        "currency": order["currency"],
    }


def _order(order_id: str) -> dict[str, Any]:
    order: dict[str, Any] | None = SAMPLE["orders"].get(order_id)
    if order is None:
        raise Declined(f"There is no order {order_id}.")
    return order
