"""How many replicas has each model, how many should it have, and why? For `lane status` and the metrics; asked by the cluster process."""

from collections.abc import Iterable, Mapping

from prometheus_client import Gauge

from models.spec import ModelSpec
from serving.private.deployment import deployment_name
from serving.private.placement import demand_of
from serving.private.scaling_log import read_replaced, read_scaling_log
from serving.status import ModelStatus
from serving.statuses import RUNNING, STARTING, ApplicationState

_replicas = Gauge(
    "lane_model_replicas",
    "Replicas of a model that answer, and that there should be",
    ["model", "state"],
    multiprocess_mode="livemostrecent",
)


def model_statuses(models: Iterable[ModelSpec], applications: Mapping[str, ApplicationState]) -> dict[str, ModelStatus]:
    """Return the models' scaling, `applications` being those of the cluster. A model in two of them is being exchanged."""
    found = {model.name: _status(model, applications) for model in models}
    for name, status in found.items():
        _replicas.labels(name, "running").set(status.running)
        _replicas.labels(name, "target").set(status.target)
    return found


def _status(model: ModelSpec, applications: Mapping[str, ApplicationState]) -> ModelStatus:
    name = deployment_name(model.name)
    owners = {owner: status.deployments[name] for owner, status in applications.items() if name in status.deployments}
    running = sum(one.count(RUNNING) for one in owners.values())
    # The first replica of a model at nothing is started before the autoscaler is asked, and so before its log knows.
    coming = sum(one.count(RUNNING, STARTING) for one in owners.values())
    logs = [log for owner in owners if model.scaling and (log := read_scaling_log(owner, name))]
    steps = sorted((step for log in logs for step in log.steps), key=lambda step: step.at)
    target = max((log.target or min(coming, 1) for log in logs), default=model.least_replicas)
    placeless = running < target and any(one.waits_for_a_place for one in owners.values())
    return ModelStatus(
        running=running,
        target=target,
        least=model.least_replicas,
        most=model.most_replicas,
        lacks=demand_of(model) if placeless else None,
        steps=tuple(steps),
        replaced=tuple(
            sorted((one for owner in owners for one in read_replaced(owner, name)), key=lambda replaced: replaced.at)
        ),
    )
