"""When must somebody look, and what do they do then? Each alert with the figures that raise it and those that must not.

INVARIANT: every alert has a trial: `promtool test rules` runs all of them from a rendered file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from cluster.nodes.inventory import Node
from router.bundle import Bundle

Severity = Literal["page", "ticket"]

_A_START_SECONDS: Final = 600.0
"""Longest start of a model that nobody has measured yet: a large one reads its weights for minutes."""
_SHARE_OF_PATIENCE: Final = 0.5
_SLOWEST_BUCKET_SECONDS: Final = 60.0
"""The histogram's last but one bucket: above it a quantile can't be told from another."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Series as `promtool` writes them (one sample a minute), and the labels of the alert that must stand at minute `at`."""

    raises: Mapping[str, str]
    stays_quiet: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)
    at: int = 20


@dataclass(frozen=True, slots=True)
class Alert:
    """One rule. `description` may name the alert's labels as `{{ $labels.model }}`; `action` is what the one who is woken does first.

    `told_apart_by`: labels of the rule itself, where several rules share a name.
    """

    name: str
    expr: str
    for_seconds: float
    severity: Severity
    summary: str
    description: str
    action: str
    trial: Trial
    told_apart_by: Mapping[str, str] = field(default_factory=dict)


def alerts(bundle: Bundle, nodes: Sequence[Node]) -> list[Alert]:
    """Return the alerts that this bundle on these machines calls for: none on GPUs where there are none, none on a door without a lane."""
    found = [*_replicas(bundle), *_ENGINES, *_first_tokens(bundle), *_ENTRANCE]
    if any(lane.is_hosted for lane in bundle.lanes.values()):
        found.append(_DEEP_SCAN)
    if any(node.gpu_count for node in nodes):
        found += _GPUS
    return found


def _replicas(bundle: Bundle) -> list[Alert]:
    measured = [
        model.scaling.start_seconds for model in bundle.models.values() if model.scaling and model.scaling.start_seconds
    ]
    longest = max(measured, default=_A_START_SECONDS)
    running, target = 'lane_model_replicas{model="m",state="running"}', 'lane_model_replicas{model="m",state="target"}'
    return [
        Alert(
            name="LaneReplicasMissing",
            expr='max by (model) (lane_model_replicas{state="running"}) < max by (model) (lane_model_replicas{state="target"})',
            for_seconds=longest,
            severity="page",
            summary="Fewer replicas of {{ $labels.model }} answer than there should be",
            description=f"{{{{ $labels.model }}}} has lacked a replica for {longest:.0f} s, longer than one takes to start.",
            action="`lane status` names the reason of the last start that failed, `lane cluster status` a node that is gone; "
            "without a node that has room, nothing starts.",
            trial=Trial(
                {running: "1x180", target: "2x180"}, {running: "2x180", target: "2x180"}, {"model": "m"}, at=175
            ),
        )
    ]


_ENGINES: Final = (
    Alert(
        name="LanePrivateQueueWaiting",
        expr="max by (model) (lane_engine_private_waiting_requests) > 0",
        for_seconds=60,
        severity="page",
        summary="Requests that may not leave wait for {{ $labels.model }}",
        description="They have no other way than this model, and its batches have been full for a minute.",
        action="Raise max_replicas in models.yaml (`lane plan --bundle` says what the nodes hold); else switch off what may go elsewhere.",
        trial=Trial(
            {'lane_engine_private_waiting_requests{model="m",replica="a"}': "3x30"},
            {'lane_engine_private_waiting_requests{model="m",replica="a"}': "3 0x30"},
            {"model": "m"},
        ),
    ),
    Alert(
        name="LaneKvNearlyFull",
        expr="max by (model, replica) (lane_engine_kv_use) > 0.95",
        for_seconds=300,
        severity="ticket",
        summary="The KV cache of a replica of {{ $labels.model }} is nearly full",
        description="Above this, requests are put back and read again: first tokens and pace get worse for all.",
        action="More replicas, or fewer requests a replica (scaling.target_ongoing_requests); an FP8 cache holds twice as much.",
        trial=Trial(
            {'lane_engine_kv_use{model="m",replica="a"}': "0.97x30"},
            {'lane_engine_kv_use{model="m",replica="a"}': "0.97 0.97 0.6x30"},
            {"model": "m", "replica": "a"},
        ),
    ),
    Alert(
        name="LanePreemptions",
        expr="sum by (model) (rate(lane_engine_preemptions_total[5m])) > 0",
        for_seconds=600,
        severity="ticket",
        summary="{{ $labels.model }} keeps putting requests back for want of KV cache",
        description="Work that was done is thrown away and done again, and has been for ten minutes.",
        action="Lower max_num_seqs or scaling.target_ongoing_requests, or add replicas; `lane plan` shows the headroom.",
        trial=Trial(
            {'lane_engine_preemptions_total{model="m"}': "0+5x30"},
            {'lane_engine_preemptions_total{model="m"}': "7x30"},
            {"model": "m"},
        ),
    ),
    Alert(
        name="LaneEngineSilent",
        expr="max by (model, replica) (lane_engine_silent_seconds > lane_engine_stall_limit_seconds / 2)",
        for_seconds=0,
        severity="ticket",
        summary="An engine of {{ $labels.model }} shows no sign of life",
        description="It has been silent for more than half of what the watchdog allows; at the limit it is replaced.",
        action="Nothing yet: the watchdog acts by itself. If it comes again, read the replica's log and the GPU's Xid errors.",
        trial=Trial(
            {
                'lane_engine_silent_seconds{model="m",replica="a"}': "40x30",
                'lane_engine_stall_limit_seconds{model="m",replica="a"}': "60x30",
            },
            {
                'lane_engine_silent_seconds{model="m",replica="a"}': "20x30",
                'lane_engine_stall_limit_seconds{model="m",replica="a"}': "60x30",
            },
            {"model": "m", "replica": "a"},
        ),
    ),
    Alert(
        name="LaneEngineReplaced",
        expr="sum by (model) (increase(lane_engine_ended_total[15m])) > 0",
        for_seconds=0,
        severity="page",
        summary="An engine of {{ $labels.model }} died or hung, and was replaced",
        description="What it was answering ended with an error.",
        action="Read the replica's log for the reason; on a GPU node, `lane cluster check` there.",
        trial=Trial(
            {'lane_engine_ended_total{model="m"}': "0x15 1x20"},
            {'lane_engine_ended_total{model="m"}': "1x40"},
            {"model": "m"},
        ),
    ),
)


def _first_tokens(bundle: Bundle) -> list[Alert]:
    """One alert a lane: what is slow is what comes near to the lane's own patience."""
    found = []
    for lane in bundle.lanes.values():
        limit = min(_SHARE_OF_PATIENCE * lane.timeouts.first_token_seconds, _SLOWEST_BUCKET_SECONDS)
        low, high = (f'lane_first_token_seconds_bucket{{lane="{lane.name}",le="{le}"}}' for le in ("0.05", "120.0"))
        every = f'lane_first_token_seconds_bucket{{lane="{lane.name}",le="+Inf"}}'
        found.append(
            Alert(
                name="LaneSlowFirstToken",
                expr=f"histogram_quantile(0.95, sum by (lane, le) "
                f'(rate(lane_first_token_seconds_bucket{{lane="{lane.name}"}}[5m]))) > {limit:g}',
                for_seconds=300,
                severity="ticket",
                summary="First tokens of lane {{ $labels.lane }} are slow",
                description=f"One in twenty takes more than {limit:g} s; the lane gives up at {lane.timeouts.first_token_seconds:g} s.",
                action="`lane status`: are replicas missing or queues long? For a hosted lane, the provider's own status; `lane lanes off` "
                "takes it out.",
                trial=Trial(
                    {low: "0x30", high: "0+60x30", every: "0+60x30"},
                    {low: "0+60x30", high: "0+60x30", every: "0+60x30"},
                    {"lane": lane.name},
                ),
                told_apart_by={"lane": lane.name},
            )
        )
    return found


_ENTRANCE: Final = (
    Alert(
        name="LaneErrors",
        expr='sum(rate(lane_requests_total{status=~"5.."}[5m])) / sum(rate(lane_requests_total[5m])) > 0.01',
        for_seconds=300,
        severity="page",
        summary="More than one request in a hundred ends with a 5xx",
        description="For five minutes more than 1% of the answers were errors of ours or of a lane.",
        action="`lane status`, then `lane explain` on one of the failed requests: its attempts say which lane failed, and how.",
        trial=Trial(
            {
                'lane_requests_total{ended="answered",status="200"}': "0+100x30",
                'lane_requests_total{ended="failed",status="503"}': "0+5x30",
            },
            {
                'lane_requests_total{ended="answered",status="200"}': "0+1000x30",
                'lane_requests_total{ended="failed",status="503"}': "0+5x30",
            },
        ),
    ),
    Alert(
        name="LaneIngressDown",
        expr='up{job="lane"} == 0',
        for_seconds=60,
        severity="page",
        summary="The entrance on {{ $labels.node }} does not answer",
        description="Nobody is served by way of it.",
        action="There: `systemctl status lane-node lane-ray`, `lane status`, and the end of their journals.",
        trial=Trial(
            {'up{job="lane",instance="h:8000",node="h"}': "0x30"},
            {'up{job="lane",instance="h:8000",node="h"}': "1x18 0x30"},
            {"job": "lane", "instance": "h:8000", "node": "h"},
            at=19,
        ),
    ),
    Alert(
        name="LaneNodeLost",
        expr='up{job="lane-ray"} == 0',
        for_seconds=120,
        severity="page",
        summary="Node {{ $labels.node }} is gone",
        description="Its Ray has not answered for two minutes; its replicas start elsewhere where there is room.",
        action="`lane cluster status`; if the machine is up, `systemctl status lane-ray` there: its check names what is unfit.",
        trial=Trial(
            {'up{job="lane-ray",instance="n:9465",node="n"}': "0x30"},
            {'up{job="lane-ray",instance="n:9465",node="n"}': "1x30"},
            {"job": "lane-ray", "instance": "n:9465", "node": "n"},
        ),
    ),
)

ENTRY_HOST: Final = Alert(
    name="LaneEntryHostDown",
    expr='up{job="lane-entry"} == 0',
    for_seconds=60,
    severity="ticket",
    summary="Host {{ $labels.node }} of the TLS entry does not answer",
    description="The shared address is with another host, and there is one less to take it.",
    action="There: `systemctl status lane-entry keepalived`; `haproxy -c -f /etc/lane-entry/haproxy.cfg` says what can't be read.",
    trial=Trial(
        {'up{job="lane-entry",instance="e:8404",node="e"}': "0x30"},
        {'up{job="lane-entry",instance="e:8404",node="e"}': "1x18 0x30"},
        {"job": "lane-entry", "instance": "e:8404", "node": "e"},
        at=19,
    ),
)
"""Of sites with a TLS entry."""

_DEEP_SCAN: Final = Alert(
    name="LaneDeepScanMiss",
    expr="sum by (category) (increase(lane_deep_scan_misses_total[1h])) > 0",
    for_seconds=0,
    severity="ticket",
    summary="The deep scan stopped text of category {{ $labels.category }} that the fast scan had let go",
    description="Nothing left. The fast scan does not know this form yet, so it will decide alike again.",
    action="`lane explain` on the request (its ladder names the deep scan); add the form to the boundary's scan rules.",
    trial=Trial(
        {'lane_deep_scan_misses_total{category="pii"}': "0x10 1x20"},
        {'lane_deep_scan_misses_total{category="pii"}': "4x90"},
        {"category": "pii"},
    ),
)

_GPUS: Final = (
    Alert(
        name="LaneGpuXid",
        expr="max by (node, gpu) (DCGM_FI_DEV_XID_ERRORS) > 0",
        for_seconds=0,
        severity="page",
        summary="GPU {{ $labels.gpu }} of {{ $labels.node }} reports an Xid error",
        description="The driver has seen an error of the GPU or of what runs on it.",
        action="`lane cluster check` there tells the hardware's from a program's; the former takes the node out of new work by itself. "
        "The head stays: stop it by hand (docs/nodes.md).",
        trial=Trial(
            {'DCGM_FI_DEV_XID_ERRORS{node="n",gpu="0"}': "79x30"},
            {'DCGM_FI_DEV_XID_ERRORS{node="n",gpu="0"}': "0x30"},
            {"node": "n", "gpu": "0"},
        ),
    ),
    Alert(
        name="LaneGpuUnwatched",
        expr='up{job="lane-gpu"} == 0',
        for_seconds=600,
        severity="ticket",
        summary="Nobody watches the GPUs of {{ $labels.node }}",
        description="Its dcgm-exporter has not answered for ten minutes.",
        action="There: `systemctl status dcgm-exporter`; if the driver is gone too, LaneNodeLost follows.",
        trial=Trial(
            {'up{job="lane-gpu",instance="n:9400",node="n"}': "0x30"},
            {'up{job="lane-gpu",instance="n:9400",node="n"}': "1x30"},
            {"job": "lane-gpu", "instance": "n:9400", "node": "n"},
        ),
    ),
)
