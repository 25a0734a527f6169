"""What the controller answers is read as what it means for those who wait."""

from serving.statuses import ApplicationState, DeploymentState, read_details


def _replica(number: int, state: str) -> dict[str, object]:
    return {"replica_id": str(number), "state": state, "start_time_s": 1.0, "actor_id": None, "node_id": None}


def test_replicas_are_counted_by_application_and_deployment() -> None:
    ingress = {"status": "HEALTHY", "message": "", "replicas": [_replica(1, "RUNNING"), _replica(2, "STARTING")]}
    details = {"applications": {"lane": {"status": "RUNNING", "message": "", "deployments": {"ingress": ingress}}}}

    states = read_details(details)

    assert states == {
        "lane": ApplicationState("RUNNING", "", {"ingress": DeploymentState({"RUNNING": 1, "STARTING": 1})})
    }


def test_a_count_is_of_the_states_that_are_asked_for() -> None:
    deployment = DeploymentState({"RUNNING": 2, "STARTING": 1})

    assert (deployment.count("RUNNING"), deployment.count("RUNNING", "STARTING"), deployment.count("STOPPING")) == (
        2,
        3,
        0,
    )


def test_what_serve_says_of_the_deployments_goes_before_what_it_says_of_the_application() -> None:
    silent, telling = DeploymentState({}), DeploymentState({}, "no room \n")

    assert ApplicationState("DEPLOYING", "deploying", {"a": silent, "b": telling}).because == "no room"
    assert ApplicationState("DEPLOYING", "deploying", {"a": silent}).because == "deploying"


def test_a_replica_that_finds_no_node_is_told_from_one_that_takes_long_to_start() -> None:
    said = "Deployment 'm' in application 'a' has 1 replicas that have taken more than 30s to"

    assert DeploymentState({"RUNNING": 1, "STARTING": 1}, f"{said} be scheduled. This may").waits_for_a_place
    assert not DeploymentState({"STARTING": 1}, f"{said} initialize.").waits_for_a_place
    assert not DeploymentState({"RUNNING": 2}, f"{said} be scheduled. This may").waits_for_a_place
