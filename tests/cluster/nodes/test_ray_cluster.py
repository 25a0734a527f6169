import pytest

from cluster.nodes.errors import RayRefused
from cluster.nodes.ray_cluster import NodeStatus, as_listed, drain_once


def seen(name: str, *, alive: bool, ray_id: str = "a") -> NodeStatus:
    return NodeStatus(name=name, ray_id=ray_id, address="10.0.0.1", head=False, alive=alive)


def test_a_node_that_came_back_is_listed_once_and_alive() -> None:
    listed = as_listed((seen("n1", alive=True, ray_id="new"), seen("n1", alive=False)), None)

    assert [(node.ray_id, node.alive) for node in listed] == [("new", True)]


def test_the_lost_and_those_that_never_came_are_told_and_those_that_left_are_not() -> None:
    listed = as_listed(
        (seen("n1", alive=True), seen("n2", alive=False), seen("left", alive=False)), frozenset({"n1", "n2", "n3"})
    )

    assert {node.name: node.alive for node in listed} == {"n1": True, "n2": False, "n3": False}


def test_where_nobody_knows_who_joined_all_that_ray_remembers_is_told() -> None:
    listed = as_listed((seen("n2", alive=False), seen("n1", alive=True)), None)

    assert [node.name for node in listed] == ["n1", "n2"]


def test_a_node_that_drains_keeps_its_deadline_and_ray_is_not_asked_again() -> None:
    # Ray's command would be refused for a head: nothing raised is nothing asked.
    node = seen("n1", alive=True).model_copy(update={"head": True})

    assert drain_once("nowhere:1", node.model_copy(update={"drains_until": 1.0}), 600, "Xid 79") is False
    with pytest.raises(RayRefused):
        drain_once("nowhere:1", node, 600, "Xid 79")
