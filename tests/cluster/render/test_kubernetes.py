import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import kubernetes_validate
import pytest
import yaml

from cluster.network import read_site
from cluster.nodes.inventory import read_node
from cluster.nodes.resources import offered_by
from cluster.render import render
from cluster.render.kuberay import serve_config

ROOT = Path(__file__).parents[3]


def objects(files: Mapping[str, str], name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(files[f"kubernetes/{name}.yaml"]))


def ray_service(files: Mapping[str, str]) -> dict[str, Any]:
    return next(one for one in objects(files, "rayservice") if one["kind"] == "RayService")


def groups(files: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    cluster = ray_service(files)["spec"]["rayClusterConfig"]
    return {"head": cluster["headGroupSpec"]} | {group["groupName"]: group for group in cluster["workerGroupSpecs"]}


def test_kubernetes_takes_everything_that_is_its_own(files: Mapping[str, str]) -> None:
    for one in [*objects(files, "rayservice"), *objects(files, "door")]:
        if one["kind"] != "RayService":
            kubernetes_validate.validate(one, "1.37", strict=True)
    for group in groups(files).values():
        pod = {"apiVersion": "v1", "kind": "Pod", **group["template"]}
        kubernetes_validate.validate(pod, "1.37", strict=True)


def test_serve_takes_its_configuration_and_each_path_leads_to_a_builder(starter: Any) -> None:
    schema = pytest.importorskip("ray.serve.schema", reason="Ray is not installed here")
    from serving import kuberay

    config = schema.ServeDeploySchema.model_validate(serve_config(starter))

    assert [one.name for one in config.applications] == [
        "lane",
        "deep-scan",
        "tools",
        *(f"model-{name}" for name in starter.models),
    ]
    for one in config.applications:
        assert callable(getattr(kuberay, one.import_path.removeprefix("serving.kuberay:")))


@pytest.mark.slow
def test_the_head_is_prepared_and_each_builder_gives_an_application(
    starter: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve = pytest.importorskip("ray.serve", reason="Ray is not installed here")
    from serving import kuberay
    from serving.in_service import read_in_service
    from serving.settings import read_settings

    for name, value in {"LANE_HOME": tmp_path, "LANE_BUNDLE": starter.root, "LANE_MODELS": tmp_path}.items():
        monkeypatch.setenv(name, str(value))

    kuberay.prepare()

    version = read_in_service(read_settings())
    names = {one["name"] for one in serve_config(starter)["applications"]}
    assert version.bundle_hash == starter.hash
    assert {*version.applications, "lane"} == names
    for one in serve_config(starter)["applications"]:
        builder = getattr(kuberay, one["import_path"].removeprefix("serving.kuberay:"))
        assert isinstance(builder(one["args"]), serve.Application)


def test_kuberays_own_definition_takes_the_service(files: Mapping[str, str]) -> None:
    folder = os.environ.get("LANE_KUBERAY_CRDS")
    if folder is None:
        pytest.skip(
            "LANE_KUBERAY_CRDS names no folder with KubeRay's CRDs (helm-chart/kuberay-operator/crds of its repository)"
        )
    definition = yaml.safe_load((Path(folder) / "ray.io_rayservices.yaml").read_text())
    schema = next(one for one in definition["spec"]["versions"] if one["name"] == "v1")["schema"]["openAPIV3Schema"]

    unknown = list(strangers(ray_service(files), schema))
    assert unknown == []
    jsonschema_rs.validator_for(schema).validate(ray_service(files))


def strangers(value: Any, schema: dict[str, Any], where: str = "") -> list[str]:
    """Fields that the definition does not know: Kubernetes would drop them without a word."""
    if isinstance(value, list):
        return [
            found
            for index, one in enumerate(value)
            for found in strangers(one, schema.get("items", {}), f"{where}[{index}]")
        ]
    known = schema.get("properties")
    if not isinstance(value, dict) or known is None or where == ".metadata":
        return []
    found = [f"{where}.{key}" for key in value if key not in known]
    return found + [one for key in value if key in known for one in strangers(value[key], known[key], f"{where}.{key}")]


def test_each_sort_of_machine_is_a_group_that_offers_what_the_machine_would(
    files: Mapping[str, str], machines: Any
) -> None:
    found = groups(files)

    assert set(found) == {"head", "h100-frankfurt", "l40s-munich"}
    by_name = {"head": machines[0], "h100-frankfurt": machines[1], "l40s-munich": machines[2]}
    for name, machine in by_name.items():
        parameters = found[name]["rayStartParams"]
        assert json.loads(json.loads(parameters["resources"])) == offered_by(machine)
        assert found[name]["labels"] == {"private-lane/jurisdiction": machine.jurisdiction}
        limits = found[name]["template"]["spec"]["containers"][0]["resources"]["limits"]
        assert limits["nvidia.com/gpu"] == machine.gpu_count


def test_each_pods_gpus_are_looked_at_before_ray_starts_in_it(files: Mapping[str, str], machines: Any) -> None:
    by_name = {"head": machines[0], "h100-frankfurt": machines[1], "l40s-munich": machines[2]}
    for name, machine in by_name.items():
        pod = groups(files)[name]["template"]["spec"]
        check = pod["initContainers"][0]
        asked = read_node(check["command"][-1])
        assert check["command"][:4] == ["lane", "cluster", "check", "--node"]
        assert (asked.gpu, asked.gpu_count, asked.private) == (machine.gpu, machine.gpu_count, True)
        assert check["resources"] == pod["containers"][0]["resources"]


def test_no_pod_but_the_doors_gets_a_providers_key(files: Mapping[str, str]) -> None:
    assert "OPENAI_API_KEY" not in json.dumps(list(groups(files).values()))
    assert "envFrom" not in json.dumps(list(groups(files).values()))
    door = next(one for one in objects(files, "door") if one["kind"] == "Deployment")
    assert door["spec"]["template"]["metadata"]["labels"] == {"private-lane/role": "door"}


def test_every_pod_runs_as_nobody_in_particular_and_writes_where_it_may(files: Mapping[str, str]) -> None:
    door = next(one for one in objects(files, "door") if one["kind"] == "Deployment")["spec"]["template"]
    for template in [*(group["template"] for group in groups(files).values()), door]:
        assert template["spec"]["securityContext"]["runAsNonRoot"] is True
        for container in [*template["spec"]["containers"], *template["spec"].get("initContainers", [])]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            names = {mount["name"] for mount in container["volumeMounts"]}
            assert names <= {volume["name"] for volume in template["spec"]["volumes"]}


def test_the_bundle_arrives_file_by_file(files: Mapping[str, str], starter: Any) -> None:
    data = next(one for one in objects(files, "rayservice") if one["kind"] == "ConfigMap")["data"]
    mounts = groups(files)["head"]["template"]["spec"]["containers"][0]["volumeMounts"]
    arriving = {
        mount["mountPath"].removeprefix("/etc/lane/bundle/"): data[mount["subPath"]]
        for mount in mounts
        if mount["name"] == "bundle"
    }

    assert arriving["lanes.yaml"] == (starter.root / "lanes.yaml").read_text()
    assert any(path.startswith("boundary/") for path in arriving)


def test_without_hosted_lanes_there_is_no_door(starter: Any, machines: Any) -> None:
    private = {name: lane for name, lane in starter.lanes.items() if not lane.is_hosted}
    files = render(
        dataclasses.replace(starter, lanes=private), read_site(ROOT / "config" / "site.example.yaml"), machines
    )

    assert "kubernetes/door.yaml" not in files
    assert "LANE_DOOR" not in files["kubernetes/rayservice.yaml"]
