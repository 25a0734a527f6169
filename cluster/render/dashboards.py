"""What do operators look at? Five pages: lanes, models, nodes, boundary, cost."""

import json
from collections.abc import Mapping, Sequence

from cluster.nodes.inventory import Node
from cluster.render.panels import Dashboard, Panel, Query, dashboard_json
from models.gpus import find_gpu
from router.bundle import Bundle
from router.bundle.files import LaneSpec

_PER_HOUR = 3600
_PER_MILLION = 1e6


def grafana_files(bundle: Bundle, nodes: Sequence[Node]) -> Mapping[str, str]:
    """Return each dashboard's JSON by its path. Raises `UnknownGpu` for a class of the inventory that has no figures."""
    return {
        f"grafana/lane-{dashboard.name}.json": json.dumps(dashboard_json(dashboard), indent=2) + "\n"
        for dashboard in dashboards(bundle, nodes)
    }


def dashboards(bundle: Bundle, nodes: Sequence[Node]) -> list[Dashboard]:
    """Return the five dashboards of this bundle on these machines."""
    return [_lanes(), _models(), _nodes(), _boundary(), _cost(bundle, nodes)]


def _quantiles(metric: str, by: str = "", where: str = "") -> tuple[Query, ...]:
    grouped = f"le, {by}" if by else "le"
    return tuple(
        Query(
            f"histogram_quantile({share}, sum by ({grouped}) (rate({metric}_bucket{where}[5m])))",
            f"{{{{{by}}}}} {name}" if by else name,
        )
        for share, name in ((0.5, "median"), (0.95, "95%"))
    )


def _lanes() -> Dashboard:
    here = '{lane=~"$lane"}'
    return Dashboard(
        "lanes",
        "Lanes",
        chosen={"lane": "lane_attempts_total"},
        panels=[
            Panel(
                "Answers by status",
                "Requests that ended, each second.",
                (Query("sum by (status) (rate(lane_requests_total[5m]))", "{{status}}"),),
                "reqps",
            ),
            Panel(
                "Share of 5xx",
                "LaneErrors is raised above 1%.",
                (
                    Query(
                        'sum(rate(lane_requests_total{status=~"5.."}[5m])) / sum(rate(lane_requests_total[5m]))', "5xx"
                    ),
                ),
                "percentunit",
            ),
            Panel(
                "Time to the first token",
                "As the ingress sees it, queue and all.",
                _quantiles("lane_first_token_seconds", "lane", here),
                "s",
            ),
            Panel(
                "Time to the first piece, by stream rule",
                "Of streamed answers, over all lanes: what goes out at once, a window later, or when the whole was looked at.",
                _quantiles("lane_first_content_seconds", "release", '{streamed="true"}'),
                "s",
            ),
            Panel(
                "Held back by the stream rule",
                "Of that, what passed after the lane's own first token: what each tier's rule costs.",
                (
                    Query(
                        "histogram_quantile(0.5, sum by (le, risk_tier, release)"
                        ' (rate(lane_held_back_seconds_bucket{streamed="true"}[5m])))',
                        "{{risk_tier}} {{release}} median",
                    ),
                ),
                "s",
            ),
            Panel(
                "Time of a whole request", "From the first byte to the last.", _quantiles("lane_answer_seconds"), "s"
            ),
            Panel(
                "Attempts by how they ended",
                "An attempt that fails is followed by the ladder's next rung.",
                (Query(f"sum by (lane, ended) (rate(lane_attempts_total{here}[5m]))", "{{lane}} {{ended}}"),),
                "reqps",
            ),
            Panel(
                "Waiting for a place",
                "Requests in the queues of full private lanes. What may leave does not wait: it goes to its next lane.",
                (Query(f"sum by (lane, priority) (lane_queue_depth{here})", "{{lane}} priority {{priority}}"),),
            ),
            Panel(
                "Sent on and turned away",
                "By private lanes that were full: to the next lane, or with 429.",
                (
                    Query(f"sum by (lane) (rate(lane_spilled_total{here}[5m]))", "{{lane}} sent on"),
                    Query(f"sum by (lane, because) (rate(lane_shed_total{here}[5m]))", "{{lane}} {{because}}"),
                ),
                "reqps",
            ),
            Panel("Requests being answered", "Now, over all lanes.", (Query("sum(lane_running_requests)", "open"),)),
        ],
    )


def _models() -> Dashboard:
    here = '{model=~"$model"}'
    return Dashboard(
        "models",
        "Models",
        chosen={"model": "lane_model_replicas"},
        panels=[
            Panel(
                "Replicas",
                "Those that answer, and that there should be.",
                (Query(f"max by (model, state) (lane_model_replicas{here})", "{{model}} {{state}}"),),
            ),
            Panel(
                "What the autoscaler wants",
                "Before delays and bounds; `lane status` has the reasons.",
                (Query("max by (deployment) (ray_serve_autoscaling_desired_replicas)", "{{deployment}}"),),
            ),
            Panel(
                "In the batch, waiting, and of these what may not leave",
                "Waiting above 0 for minutes: too few replicas.",
                (
                    Query(f"sum by (model) (lane_engine_running_requests{here})", "{{model}} running"),
                    Query(f"sum by (model) (lane_engine_waiting_requests{here})", "{{model}} waiting"),
                    Query(f"sum by (model) (lane_engine_private_waiting_requests{here})", "{{model}} private waiting"),
                ),
            ),
            Panel(
                "KV cache in use",
                "Above 0.95 requests are put back and read again.",
                (Query(f"max by (model, replica) (lane_engine_kv_use{here})", "{{model}} {{replica}}"),),
                "percentunit",
            ),
            Panel(
                "Tokens each second",
                "As the engines count them.",
                (
                    Query(f"sum by (model) (rate(lane_engine_generated_tokens_total{here}[5m]))", "{{model}} out"),
                    Query(f"sum by (model) (rate(lane_engine_prompt_tokens_total{here}[5m]))", "{{model}} in"),
                ),
            ),
            Panel(
                "Prompt tokens found in the prefix cache",
                "Of those that were looked for.",
                (
                    Query(
                        f"sum by (model) (rate(lane_engine_prefix_hit_tokens_total{here}[5m]))"
                        f" / sum by (model) (rate(lane_engine_prefix_queried_tokens_total{here}[5m]))",
                        "{{model}}",
                    ),
                ),
                "percentunit",
            ),
            Panel(
                "Preemptions and engines replaced, in an hour",
                "Both should be 0.",
                (
                    Query(
                        f"sum by (model) (increase(lane_engine_preemptions_total{here}[1h]))", "{{model}} preemptions"
                    ),
                    Query(f"sum by (model) (increase(lane_engine_ended_total{here}[1h]))", "{{model}} replaced"),
                ),
            ),
            Panel(
                "Silence, as a share of its limit",
                "At 1 the watchdog replaces the engine.",
                (
                    Query(
                        f"max by (model, replica) (lane_engine_silent_seconds{here} / lane_engine_stall_limit_seconds{here})",
                        "{{model}} {{replica}}",
                    ),
                ),
                "percentunit",
            ),
        ],
    )


def _nodes() -> Dashboard:
    here = '{node=~"$node"}'
    return Dashboard(
        "nodes",
        "Nodes",
        chosen={"node": "up"},
        panels=[
            Panel(
                "Who answers",
                "1 while the last scrape of it worked.",
                (Query(f"min by (node, job) (up{here})", "{{node}} {{job}}"),),
            ),
            Panel(
                "Replicas that pass Serve's health check",
                "By deployment.",
                (Query("sum by (deployment) (ray_serve_deployment_replica_healthy)", "{{deployment}}"),),
            ),
            Panel(
                "GPU busy",
                "Share of time in which something ran.",
                (Query(f"DCGM_FI_DEV_GPU_UTIL{here} / 100", "{{node}} {{gpu}}"),),
                "percentunit",
            ),
            Panel(
                "GPU memory in use",
                "Of what the GPU has.",
                (
                    Query(
                        f"DCGM_FI_DEV_FB_USED{here} / (DCGM_FI_DEV_FB_USED{here} + DCGM_FI_DEV_FB_FREE{here})",
                        "{{node}} {{gpu}}",
                    ),
                ),
                "percentunit",
            ),
            Panel("GPU power", "Watts drawn.", (Query(f"DCGM_FI_DEV_POWER_USAGE{here}", "{{node}} {{gpu}}"),), "watt"),
            Panel(
                "GPU temperature",
                "Of the chip.",
                (Query(f"DCGM_FI_DEV_GPU_TEMP{here}", "{{node}} {{gpu}}"),),
                "celsius",
            ),
            Panel(
                "Last Xid error",
                "0 is none; `lane cluster check` tells the hardware's from a program's.",
                (Query(f"DCGM_FI_DEV_XID_ERRORS{here}", "{{node}} {{gpu}}"),),
            ),
        ],
    )


def _boundary() -> Dashboard:
    return Dashboard(
        "boundary",
        "Boundary",
        panels=[
            Panel(
                "Decisions by lane",
                "Where requests were sent first.",
                (Query("sum by (lane) (rate(lane_decisions_total[5m]))", "{{lane}}"),),
                "reqps",
            ),
            Panel(
                "Decisions by risk",
                "Tiers as the bundle names them.",
                (Query("sum by (risk_tier) (rate(lane_decisions_total[5m]))", "{{risk_tier}}"),),
                "reqps",
            ),
            Panel(
                "Stopped by the deep scan, in an hour",
                "Nothing of it left; the fast scan does not know it yet.",
                (Query("sum by (category) (increase(lane_deep_scan_misses_total[1h]))", "{{category}}"),),
            ),
            Panel(
                "Conversations that stay private, by turn",
                "Of the prompts in named sessions.",
                (
                    Query(
                        'sum by (turn) (rate(lane_turns_total{stays_private="true"}[1h])) / sum by (turn) (rate(lane_turns_total[1h]))',
                        "turn {{turn}}",
                    ),
                ),
                "percentunit",
            ),
            Panel(
                "Tokens by lane",
                "Hosted lanes' input is what left.",
                (Query("sum by (lane, direction) (rate(lane_tokens_total[5m]))", "{{lane}} {{direction}}"),),
            ),
            Panel("Time of a decision", "Scan, labels, policy, plan.", _quantiles("lane_decide_seconds"), "s"),
        ],
    )


def _cost(bundle: Bundle, nodes: Sequence[Node]) -> Dashboard:
    """Hosted lanes by the bundle's prices; our own by the hours of the GPUs, at prices that the catalogue assumes."""
    private = "|".join(lane.name for lane in bundle.lanes.values() if not lane.is_hosted)
    ours = f'lane=~"{private}"'
    gpus_usd = sum(node.gpu_count * find_gpu(node.gpu).usd_per_hour_assumed for node in nodes if node.gpu is not None)
    panels = [
        Panel(
            "GPUs, US dollars an hour",
            "All GPUs of the inventory at the catalogue's assumed prices, busy or not.",
            (Query(f"vector({gpus_usd:g})", "GPUs (assumed price)"),),
            "currencyUSD",
            "stat",
        ),
        Panel(
            "Private tokens, US dollars a million",
            "The GPUs' hour over the tokens that private lanes took in and gave out in it.",
            (
                Query(
                    f"{gpus_usd * _PER_MILLION:g} / (sum(rate(lane_tokens_total{{{ours}}}[1h])) * {_PER_HOUR})",
                    "private",
                ),
            ),
            "currencyUSD",
        ),
    ]
    hosted = [
        (name, _usd_an_hour(bundle, name, f'lane="{name}"') + _less_for_cached(lane))
        for name, lane in bundle.lanes.items()
        if lane.is_hosted
    ]
    if hosted:
        panels += [
            Panel(
                "Hosted lanes, US dollars an hour",
                "Tokens at the prices of lanes.yaml, cached input at its own.",
                tuple(Query(expr, name) for name, expr in hosted),
                "currencyUSD",
            ),
            Panel(
                "What the private lanes' tokens would cost hosted, US dollars an hour",
                "At each hosted lane's price, whether they might have left or not.",
                tuple(Query(_usd_an_hour(bundle, name, ours), f"at {name}'s price") for name, _ in hosted),
                "currencyUSD",
            ),
        ]
    return Dashboard("cost", "Cost", panels)


def _usd_an_hour(bundle: Bundle, priced_as: str, whose: str) -> str:
    price = bundle.lanes[priced_as].price
    return " + ".join(
        f'sum(rate(lane_tokens_total{{{whose},direction="{direction}"}}[1h])) * {usd * _PER_HOUR / _PER_MILLION:g}'
        for direction, usd in (("input", price.input_usd), ("output", price.output_usd))
    )


def _less_for_cached(lane: LaneSpec) -> str:
    """What cached input costs less than other input; nothing where it has no price of its own."""
    price = lane.price
    if price.cached_input_usd is None:
        return ""
    less = (price.input_usd - price.cached_input_usd) * _PER_HOUR / _PER_MILLION
    return f' - sum(rate(lane_cached_tokens_total{{lane="{lane.name}"}}[1h])) * {less:g}'
