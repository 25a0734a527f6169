"""What does Prometheus scrape, when does it raise an alert, and how is that tried? Three files, read by `promtool` too."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import yaml

from cluster.network.policies import INGRESS_PORT
from cluster.network.site import EntryHost
from cluster.nodes.inventory import Node
from cluster.nodes.units import NODE_METRICS_PORT, RAY_METRICS_PORT
from cluster.render.alerts import ENTRY_HOST, Alert, alerts
from cluster.render.entry import ENTRY_STATUS_PORT
from router.bundle import Bundle

_DCGM_PORT: Final = 9400
"""NVIDIA's dcgm-exporter, by its default."""
_RULES: Final = "lane-rules.yaml"
_LABEL: Final = re.compile(r"\{\{ \$labels\.(\w+) \}\}")


def prometheus_files(bundle: Bundle, nodes: Sequence[Node], entry: Sequence[EntryHost] = ()) -> Mapping[str, str]:
    """Return the scrape configuration, the alert rules, and the trial of each rule (`promtool test rules`).

    `entry`: the hosts of the TLS entry.
    """
    rules = [*alerts(bundle, nodes), *([ENTRY_HOST] if entry else [])]
    return {
        "prometheus/prometheus.yaml": _yaml(_scrape_config(nodes, entry)),
        f"prometheus/{_RULES}": _yaml({"groups": [{"name": "lane", "rules": [_rule(one) for one in rules]}]}),
        "prometheus/lane-rules.test.yaml": _yaml(
            {
                "rule_files": [_RULES],
                "evaluation_interval": "1m",
                "tests": [test for one in rules for test in _tests(one)],
            }
        ),
    }


def _scrape_config(nodes: Sequence[Node], entry: Sequence[EntryHost]) -> Mapping[str, Any]:
    """Return the configuration. Without a head in the inventory, the first node of Ray is taken to be it."""
    members = [node for node in nodes if node.in_ray]
    head = next((node for node in members if node.head), members[0] if members else None)
    jobs: list[tuple[str, int, Callable[[Node], bool]]] = [
        ("lane", INGRESS_PORT, lambda node: node is head),
        # The head's engines share a folder with its ingress: asked twice, they would count twice.
        ("lane-engines", NODE_METRICS_PORT, lambda node: node is not head),
        ("lane-ray", RAY_METRICS_PORT, lambda _node: True),
        ("lane-gpu", _DCGM_PORT, lambda node: node.gpu_count > 0),
    ]
    scraped = [(job, port, [node for node in members if asks(node)]) for job, port, asks in jobs]
    return {
        "global": {"scrape_interval": "15s", "evaluation_interval": "15s"},
        "rule_files": [_RULES],
        "scrape_configs": [
            *(
                {"job_name": job, "static_configs": [_target(node, port) for node in found]}
                for job, port, found in scraped
                if found
            ),
            *([{"job_name": "lane-entry", "static_configs": [_entry_target(host) for host in entry]}] if entry else []),
        ],
    }


def _entry_target(host: EntryHost) -> Mapping[str, Any]:
    return {"targets": [_reached_at(str(host.address), ENTRY_STATUS_PORT)], "labels": {"node": host.name}}


def _reached_at(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _target(node: Node, port: int) -> Mapping[str, Any]:
    labels = {"node": node.name, "site": node.site, "jurisdiction": node.jurisdiction}
    return {
        "targets": [_reached_at(str(node.address or node.name), port)],
        "labels": labels | ({"gpu_class": node.gpu} if node.gpu else {}),
    }


def _rule(alert: Alert) -> Mapping[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expr,
        **({"for": f"{alert.for_seconds:.0f}s"} if alert.for_seconds else {}),
        "labels": {"severity": alert.severity, **alert.told_apart_by},
        "annotations": _annotations(alert),
    }


def _annotations(alert: Alert) -> Mapping[str, str]:
    return {"summary": alert.summary, "description": alert.description, "action": alert.action}


def _tests(alert: Alert) -> list[Mapping[str, Any]]:
    """One test that the alert is raised with its words filled in, one that it is not."""
    trial = alert.trial
    raised = {
        "exp_labels": {"severity": alert.severity, **trial.labels},
        "exp_annotations": {name: _filled(text, trial.labels) for name, text in _annotations(alert).items()},
    }
    return [
        _test(f"{alert.name} is raised", alert, trial.raises, [raised]),
        _test(f"{alert.name} stays quiet", alert, trial.stays_quiet, []),
    ]


def _test(name: str, alert: Alert, series: Mapping[str, str], expected: Sequence[Any]) -> Mapping[str, Any]:
    return {
        "name": name,
        "interval": "1m",
        "input_series": [{"series": one, "values": values} for one, values in series.items()],
        "alert_rule_test": [{"eval_time": f"{alert.trial.at}m", "alertname": alert.name, "exp_alerts": list(expected)}],
    }


def _filled(text: str, labels: Mapping[str, str]) -> str:
    return _LABEL.sub(lambda match: labels[match.group(1)], text)


def _yaml(content: Mapping[str, Any]) -> str:
    return yaml.safe_dump(content, sort_keys=False, width=140, allow_unicode=True)
