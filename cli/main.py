"""`lane`: one command for all of it. Starts fast: what is heavy is imported by the command that needs it."""

from importlib.metadata import version
from typing import Annotated

import typer

from cli import (
    add_model,
    airgap,
    approvals,
    approvers,
    ask,
    budgets,
    change,
    cluster,
    decide,
    doctor,
    door,
    explain,
    fetch,
    fit,
    judge,
    nodes,
    nodes_head,
    nodes_ray,
    predict,
    scan,
    train,
    upgrade,
    weights,
)
from cli.bench import bench_app
from cli.bundle import bundle_app
from cli.errors import LaneGroup
from cli.eval import eval_app
from cli.index import index_app
from cli.keys import keys_app
from cli.lanes import lanes_app
from cli.leak_rate import leak_rate_app
from cli.models import models_app
from cli.plan import plan_app
from cli.policy import policy_app
from cli.render import cluster_app
from cli.tools import tools_app

app = typer.Typer(
    name="lane",
    cls=LaneGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # Locals hold prompts and keys.
    help="A private-lane inference cluster with a built-in router: run it, ask it, and ask it why.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(version("private-lane"))
        raise typer.Exit


@app.callback()
def lane(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Exit codes: 0 yes, 1 no (a finding, a refusal to start, a failure), 2 bad input."""


app.command()(cluster.up)
app.command()(cluster.down)
app.command()(cluster.status)
app.command()(doctor.doctor)
app.command()(ask.ask)
app.command()(decide.decide)
app.command()(scan.scan)
app.command()(train.train)
app.command()(explain.explain)
app.add_typer(approvals.approvals_app, name="approvals")
app.command()(budgets.budgets)
bundle_app.command()(change.sign)
bundle_app.command()(change.apply)
bundle_app.command()(change.history)
bundle_app.command()(change.rollback)
bundle_app.command()(approvers.keygen)
bundle_app.command()(approvers.trust)
bundle_app.command()(approvers.approvers)
app.add_typer(bundle_app, name="bundle")
app.add_typer(policy_app, name="policy")
for command in (
    nodes_head.init,
    nodes_head.token,
    nodes_head.renew,
    nodes_head.enrol,
    nodes.join,
    nodes.check,
    nodes_ray.drain,
    nodes.leave,
):
    cluster_app.command()(command)
cluster_app.command()(airgap.bundle)
cluster_app.command()(airgap.install)
cluster_app.command("status")(nodes_ray.cluster_status)
cluster_app.command()(upgrade.address)
cluster_app.command()(upgrade.upgrade)
app.add_typer(cluster_app, name="cluster")
models_app.command()(fetch.fetch)
models_app.command()(weights.verify)
models_app.command()(weights.sign)
models_app.command()(weights.evict)
app.add_typer(lanes_app, name="lanes")
leak_rate_app.command()(judge.judge)
leak_rate_app.command()(judge.show)
leak_rate_app.command()(judge.export)
app.add_typer(leak_rate_app, name="leak-rate")
models_app.command()(fit.fit)
models_app.command()(add_model.add)
app.add_typer(models_app, name="models")
app.add_typer(keys_app, name="keys")
app.add_typer(index_app, name="index")
app.add_typer(eval_app, name="eval")
app.add_typer(tools_app, name="tools")
app.add_typer(bench_app, name="bench")
plan_app.command()(predict.predict)
app.add_typer(plan_app, name="plan")
app.command()(door.door)


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
