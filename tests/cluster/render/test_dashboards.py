import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from cluster.render.dashboards import dashboards
from router.bundle import Bundle

ROOT = Path(__file__).parents[3]
NOT_OURS = {"up", "DCGM"}


def pages(files: Mapping[str, str]) -> dict[str, Any]:
    return {Path(name).stem: json.loads(text) for name, text in files.items() if name.startswith("grafana/")}


def kept(written: Any, read: Any, where: str = "") -> Iterator[str]:
    """Whatever was written and is not what Grafana's model made of it, by its place."""
    if isinstance(written, dict) and isinstance(read, dict):
        for key, value in written.items():
            yield from kept(value, read.get(key), f"{where}.{key}")
    elif isinstance(written, list) and isinstance(read, list) and len(written) == len(read):
        for index, (one, other) in enumerate(zip(written, read, strict=True)):
            yield from kept(one, other, f"{where}[{index}]")
    elif written != read:
        yield f"{where}: {written!r} became {read!r}"


def test_there_is_a_page_for_each_of_the_five(files: Mapping[str, str]) -> None:
    assert set(pages(files)) == {f"lane-{name}" for name in ("lanes", "models", "nodes", "boundary", "cost")}


def test_grafanas_own_model_keeps_every_field(files: Mapping[str, str]) -> None:
    model = pytest.importorskip(
        "grafana_foundation_sdk.models.dashboard", reason="grafana-foundation-sdk is not installed"
    )
    encoder = pytest.importorskip("grafana_foundation_sdk.cog.encoder")
    plugins = pytest.importorskip("grafana_foundation_sdk.cog.plugins")
    plugins.register_default_plugins()

    for page in pages(files).values():
        read = json.loads(encoder.JSONEncoder(sort_keys=True).encode(model.Dashboard.from_json(page)))
        assert list(kept(page, read)) == []


def test_panels_ask_for_metrics_that_exist(starter: Bundle, machines: Any) -> None:
    page = (ROOT / "docs" / "metrics.md").read_text()

    for dashboard in dashboards(starter, machines):
        for panel in dashboard.panels:
            names = {name for query in panel.queries for name in re.findall(r"\b(?:lane|ray)_\w+", query.expr)}
            for name in names:
                assert f"`{name.removesuffix('_bucket')}`" in page


def test_panels_do_not_overlap(files: Mapping[str, str]) -> None:
    for page in pages(files).values():
        cells = [
            (x, y)
            for panel in page["panels"]
            for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
            for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
        ]
        assert len(cells) == len(set(cells))
        assert max(x for x, _ in cells) < 24


def test_the_cost_of_a_hosted_lane_is_by_its_own_price(starter: Bundle, machines: Any) -> None:
    cost = next(one for one in dashboards(starter, machines) if one.name == "cost")
    queries = {query.legend: query.expr for panel in cost.panels for query in panel.queries}

    assert (
        'lane="premium",direction="output"}[1h])) * 0.0288' in queries["premium"]
    )  # 8 dollars a million, an hour of it


def test_cached_input_costs_less_where_it_has_a_price_of_its_own(starter: Bundle, machines: Any) -> None:
    lane = starter.lanes["premium"]
    price = lane.price.model_copy(update={"cached_input_usd": lane.price.input_usd - 1.0})
    lanes = {**starter.lanes, "premium": lane.model_copy(update={"price": price})}

    cost = next(one for one in dashboards(dataclasses.replace(starter, lanes=lanes), machines) if one.name == "cost")

    exprs = {query.legend: query.expr for panel in cost.panels for query in panel.queries}
    assert exprs["premium"].endswith(' - sum(rate(lane_cached_tokens_total{lane="premium"}[1h])) * 0.0036')
