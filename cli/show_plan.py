"""How does a plan look to a person? What to run, what people wait, what it costs, what if a node dies; and where the numbers come from."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cluster.planner.answer import Plan
from cluster.planner.packing import Packing
from cluster.planner.slo import shown_seconds
from cluster.planner.starting import paced_by
from cluster.profile import Quantiles
from models.spec import Scaling


def show(plan: Plan) -> None:
    """Print a plan."""
    console = Console()
    console.print(_headline(plan))
    if plan.options:
        console.print(_options(plan))
    if plan.replicas is not None:
        console.print(_facts(plan))
        if plan.cost is not None and plan.cost.hosted:
            console.print(_hosted(plan))
    console.print(_grounds(plan))
    for note in plan.notes:
        console.print(Text.assemble(("note: ", "yellow"), note))


def show_packing(packing: Packing) -> None:
    """Print where everything goes, what has no place, and whether an upgrade has room."""
    console = Console()
    table = Table("node", "holds", "GPUs", "processors free", title="Nodes", title_justify="left")
    for room in packing.rooms:
        here = [one for one in packing.placed if one.node == room.node.name]
        held = sorted({f"{one.model} #{one.replica}{'' if one.part == 'guaranteed' else ' (elastic)'}" for one in here})
        used = room.node.gpu_count - room.gpus
        table.add_row(
            room.node.name, ", ".join(held) or "nothing", f"{used:g} of {room.node.gpu_count}", f"{room.cpus:g}"
        )
    console.print(table)
    for gone in packing.unplaced:
        console.print(
            Text.assemble(
                ("does not fit: ", "bold red"),
                f"{gone.replicas} {gone.part} replica(s) of {gone.model}: {gone.because}",
            )
        )
    for surge in packing.surges:
        if surge.nodes:
            console.print(f"upgrade of {surge.model}: the new replica starts on {', '.join(surge.nodes)}")
        else:
            console.print(
                Text.assemble(
                    ("no room for an upgrade: ", "yellow"),
                    f"{surge.model}: {surge.because}; make some, or accept a gap (--no-surge)",
                )
            )
    if packing.gave_up:
        console.print(Text("the exact search was cut short: another order may still fit", "yellow"))


def _headline(plan: Plan) -> Text:
    load = plan.load
    asked = (
        f"{plan.model} on {plan.gpu}: {load.requests_per_second:g} requests a second, "
        f"{load.input_tokens:,.0f} tokens in and {load.output_tokens:,.0f} out on average ({load.source})"
    )
    if plan.replicas is None:
        return Text.assemble(asked, "\n", ("no plan: ", "bold red"), plan.because or "")
    said = (
        f"{plan.replicas} replicas of {plan.layout}, {plan.gpus} GPUs: {plan.guaranteed_replicas} guaranteed "
        f"({plan.spare_replicas} of them to spare), {plan.elastic_replicas} elastic"
    )
    return Text.assemble(asked, "\n", (said, "bold green"))


def _options(plan: Plan) -> Table:
    table = Table(
        "layout", "GPUs", "at once", "knee", "plateau", "within the level", "replicas", "GPUs in all", "US$ an hour",
        title="One replica of each layout, requests a second", title_justify="left",
    )  # fmt: skip
    for one in plan.options:
        table.add_row(
            one.layout,
            str(one.gpus_per_replica),
            str(one.max_concurrency),
            f"{one.knee_concurrency:.0f}",
            f"{one.plateau_requests_per_second:.3g}",
            f"{one.requests_per_second_within_slo:.3g}",
            "-" if one.replicas is None else str(one.replicas),
            "-" if one.gpus is None else str(one.gpus),
            "-" if one.usd_per_hour is None else f"{one.usd_per_hour:,.2f}",
            style="bold" if one.layout == plan.layout else None,
        )
    return table


def _started(plan: Plan) -> str:
    """Say how long a replica takes to come up, and what the autoscaler makes of it."""
    if plan.start_seconds is None:
        return "not known: the autoscaler's delays stay at their defaults"
    kinds = (("warm", plan.warm_start_seconds), ("cold", plan.cold_start_seconds))
    seen = ", ".join(f"{kind} {seconds:.0f} s" for kind, seconds in kinds if seconds is not None)
    paced = paced_by(Scaling(), plan.start_seconds)
    return (
        f"{seen or f'{plan.start_seconds:.0f} s'}; a replica is added after {paced.upscale_delay_seconds:.0f} s of need, "
        f"removed after {paced.downscale_delay_seconds:.0f} s without"
    )


def _facts(plan: Plan) -> Table:
    assert plan.expected is not None
    assert plan.plateau is not None
    expected, plateau = plan.expected, plan.plateau
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    low, high = plateau.interval
    few, many = plateau.replicas_interval
    rows = [
        ("first token", _quantiles(expected.ttft_seconds)),
        ("per token", _quantiles(expected.tpot_seconds)),
        ("between tokens", _quantiles(expected.itl_seconds)),
        ("whole answer", _quantiles(expected.end_to_end_seconds)),
        ("interval", f"nine of ten known cases lay within a factor of {expected.interval.factor:.2f}"),
        ("throughput", f"{expected.output_tokens_per_second:,.0f} answer tokens a second at this load"),
        ("plateau", f"{plateau.output_tokens_per_second:,.0f} ({low:,.0f} to {high:,.0f}) answer tokens a second"),
        (
            "replicas",
            f"{plan.replicas}; {few} if the engine is at the fast end of the interval, {many} at the slow one",
        ),
        (
            "concurrency",
            f"a replica holds {plan.max_concurrency} requests at once; its knee is {plan.knee_concurrency:.0f}",
        ),
        ("KV cache", f"{expected.kv_mean_share:.0%} used on average, {expected.kv_peak_share:.0%} at most"),
        ("a start", _started(plan)),
        ("if a node dies", _lost(plan)),
    ]
    if expected.prefix_hit_share:
        rows.insert(-1, ("prefix hits", f"{expected.prefix_hit_share:.0%} of the prompt tokens"))
    if plan.cost is not None:
        rows.append(
            (
                "cost",
                f"US$ {plan.cost.usd_per_hour:,.2f} an hour (US$ {plan.cost.guaranteed_usd_per_hour:,.2f} guaranteed), "
                f"US$ {plan.cost.usd_per_million_tokens:.3g} a million tokens in and out",
            )
        )
    for name, value in rows:
        table.add_row(name, value)
    return table


def _lost(plan: Plan) -> str:
    lost = plan.node_lost
    assert lost is not None
    if lost.because is not None:
        return lost.because
    assert lost.ttft_p95_seconds is not None
    assert lost.tpot_p95_seconds is not None
    kept = "keeps the level" if lost.keeps_slo else "breaks the level"
    said = (
        f"of {lost.machines} machines one takes {lost.replicas_lost} replicas with it, {lost.replicas_left} are left: "
        f"with all the traffic first token p95 {shown_seconds(lost.ttft_p95_seconds)}, "
        f"per token p95 {shown_seconds(lost.tpot_p95_seconds)} ({kept})"
    )
    if (
        lost.private_ttft_p95_seconds is not None
        and lost.private_tpot_p95_seconds is not None
        and plan.load.restricted_share < 1
    ):
        kept = "keeps it" if lost.private_keeps_slo else "breaks it too"
        said += (
            f"; with the private part alone {shown_seconds(lost.private_ttft_p95_seconds)} and "
            f"{shown_seconds(lost.private_tpot_p95_seconds)} ({kept})"
        )
    return said


def _hosted(plan: Plan) -> Table:
    assert plan.cost is not None
    table = Table(
        "hosted lane", "US$ a million tokens", "elastic there, an hour", "elastic here", "cheaper", "all of it is cheaper here from",
        title="What may leave, priced both ways", title_justify="left",
    )  # fmt: skip
    for one in plan.cost.hosted:
        at = one.break_even_requests_per_second
        table.add_row(
            f"{one.lane} ({one.model})",
            f"{one.usd_per_million_tokens:.3g}",
            f"{one.elastic_usd_per_hour:,.2f}",
            f"{plan.cost.elastic_usd_per_hour:,.2f}",
            one.elastic_cheaper,
            "never" if at is None else f"{at:.3g} requests a second ({one.break_even_utilisation:.0%} of a replica)",
        )
    return table


def _grounds(plan: Plan) -> Table:
    table = Table(
        show_header=False, box=None, padding=(0, 2, 0, 0), title="Where the numbers come from", title_justify="left"
    )
    for ground in plan.grounds:
        table.add_row(ground.what, Text(ground.provenance, "cyan"), ground.source)
    return table


def _quantiles(found: Quantiles) -> str:
    return f"p50 {shown_seconds(found.p50)}, p95 {shown_seconds(found.p95)}, p99 {shown_seconds(found.p99)}"
