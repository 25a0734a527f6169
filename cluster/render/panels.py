"""What is a Grafana dashboard, as far as ours need it? Panels in rows of a grid 24 wide, as Grafana's JSON model has them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Unit = Literal["short", "s", "percentunit", "reqps", "currencyUSD", "celsius", "watt", "bytes"]
"""Grafana's names of units."""

_SOURCE: Final = {"type": "prometheus", "uid": "${source}"}
_GRID_WIDTH: Final = 24
_HEIGHT: Final = 8


@dataclass(frozen=True, slots=True)
class Query:
    """PromQL, and how its series are called (`{{model}}`)."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture. `about` is the text behind its (i). `per_row`: how many of its width fit beside each other."""

    title: str
    about: str
    queries: tuple[Query, ...]
    unit: Unit = "short"
    kind: Literal["timeseries", "stat"] = "timeseries"
    per_row: int = 2

    @property
    def width(self) -> int:
        """Columns of Grafana's grid."""
        return _GRID_WIDTH // self.per_row


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One page. `chosen`: labels to choose values of at its top, each with the metric that has them."""

    name: str
    title: str
    panels: Sequence[Panel]
    chosen: Mapping[str, str] = field(default_factory=dict)


def dashboard_json(dashboard: Dashboard) -> Mapping[str, Any]:
    """Return the dashboard as Grafana imports it. The Prometheus to ask is chosen at its top."""
    return {
        "uid": f"lane-{dashboard.name}",
        "title": dashboard.title,
        "tags": ["private-lane"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {
            "list": [
                {"type": "datasource", "name": "source", "label": "Prometheus", "query": "prometheus"},
                *(_choice(label, metric) for label, metric in dashboard.chosen.items()),
            ]
        },
        "panels": _placed(dashboard.panels),
    }


def _choice(label: str, metric: str) -> Mapping[str, Any]:
    return {
        "type": "query",
        "name": label,
        "label": label,
        "datasource": _SOURCE,
        "query": f"label_values({metric}, {label})",
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _placed(panels: Sequence[Panel]) -> list[Mapping[str, Any]]:
    """Lay panels out from left to right; one that does not fit begins the next row."""
    placed = []
    x = y = 0
    for number, panel in enumerate(panels, start=1):
        if x + panel.width > _GRID_WIDTH:
            x, y = 0, y + _HEIGHT
        placed.append(_panel(number, panel, x, y))
        x += panel.width
    return placed


def _panel(number: int, panel: Panel, x: int, y: int) -> Mapping[str, Any]:
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": _SOURCE,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": _OPTIONS[panel.kind],
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": _SOURCE, "expr": query.expr, "legendFormat": query.legend}
            for index, query in enumerate(panel.queries)
        ],
    }


_OPTIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "timeseries": {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}},
    "stat": {"reduceOptions": {"calcs": ["lastNotNull"], "values": False}, "colorMode": "value", "graphMode": "area"},
}
