from pathlib import Path

import pytest
import yaml

from cluster.nodes import NodesInvalid, read_nodes

EXAMPLE = Path(__file__).parents[3] / "config" / "nodes.example.yaml"
ONE = {"name": "gpu-1", "memory_gib": 64, "cpus": 8, "site": "here", "jurisdiction": "de"}


def test_the_example_reads_in_its_own_order() -> None:
    nodes = read_nodes(EXAMPLE)

    assert [node.name for node in nodes] == ["gpu-1", "gpu-2", "gpu-3", "edge-1"]
    assert [node.name for node in nodes if node.head] == ["gpu-1"]
    assert [(node.gpu, node.gpu_count) for node in nodes if node.private] == [("h100", 2), ("h100", 2), ("l40s", 4)]
    assert [node.name for node in nodes if node.may_reach_out] == ["edge-1"]


@pytest.mark.parametrize(
    ("nodes", "says"),
    [
        ([], "nodes: Tuple should have at least 1 item"),
        ([ONE, ONE], "the name gpu-1 stands for 2 nodes"),
        ([ONE | {"address": "10.0.0.1"}, ONE | {"name": "b", "address": "10.0.0.1"}], "the address 10.0.0.1 stands"),
        ([ONE | {"head": True}, ONE | {"name": "b", "head": True}], "2 nodes are marked as head"),
        ([ONE | {"jurisdiction": "undeclared"}], "nodes.0: gpu-1: whose law is it under?"),
        ([ONE | {"gpu": "h100"}], "nodes.0: gpu-1: gpu and gpu_count go together"),
        ([ONE | {"gpu_count": 2}], "gpu and gpu_count go together"),
        ([ONE | {"name": "Gpu 1"}], "nodes.0.name"),
        ([ONE | {"site": 'a"} ExecStart=/bin/sh'}], "nodes.0.site"),
        ([ONE | {"colour": "red"}], "nodes.0.colour"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, nodes: list[dict[str, object]], says: str) -> None:
    file = tmp_path / "nodes.yaml"
    file.write_text(yaml.safe_dump({"nodes": nodes}))

    with pytest.raises(NodesInvalid, match=says) as refused:
        read_nodes(file)

    assert str(file) in str(refused.value)


def test_a_file_that_is_not_there_says_which_one_to_start_from(tmp_path: Path) -> None:
    with pytest.raises(NodesInvalid, match=r"config/nodes\.example\.yaml"):
        read_nodes(tmp_path / "nodes.yaml")
