"""The same cluster under KubeRay: a RayService whose pods take whole nodes of the inventory, offering what those machines would.

The operator asks for three things that machines of our own do without, and that are no wider than they must be: the dashboard's port on the
head (it hands Serve its application there), the cluster's resolver, and its own probes, which it adds to each container.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import yaml

from cluster.network.policies import INGRESS_PORT, NAMESPACE, ROLE
from cluster.nodes.inventory import Node
from cluster.nodes.resources import labels_of, offered_by
from cluster.nodes.units import RAY_METRICS_PORT, check_command
from cluster.render import pods
from router.bundle import Bundle
from router.tools.places import runs_inside

RAY_VERSION: Final = "2.60.0"
TOOLS: Final = "tools"
"""The application that the bundle's server-side tools run in."""
_DASHBOARD_PORT: Final = 8265
_GIB_FOR_THE_SYSTEM: Final = 4
_Yaml = Mapping[str, Any]


def kuberay_files(bundle: Bundle, nodes: Sequence[Node], door: str | None) -> Mapping[str, str]:
    """Return the RayService and what stands beside it; nothing without a head in the inventory. `door`: where it is reached."""
    members = [node for node in nodes if node.in_ray]
    head = next((node for node in members if node.head), None)
    if head is None:
        return {}
    written = [
        pods.bundle_map(bundle),
        _claim(),
        _ray_service(bundle, head, [node for node in members if node is not head], door),
        _disruption_budget(len(members)),
        *_policies(),
    ]
    return {"kubernetes/rayservice.yaml": yaml.safe_dump_all(written, sort_keys=False, explicit_start=True)}


def model_application_name(model: str) -> str:
    """Return the name of a model's Serve application here: `serving.kuberay` tells the ingress the same."""
    return f"model-{model}"


def serve_config(bundle: Bundle) -> _Yaml:
    """Return Serve's own configuration, as `ray.serve.schema.ServeDeploySchema` has it: an application for each model, one for the rest."""
    hosted = any(lane.is_hosted for lane in bundle.lanes.values())
    return {
        "proxy_location": "HeadOnly",
        "http_options": {"host": "0.0.0.0", "port": INGRESS_PORT, "request_timeout_s": None},  # noqa: S104 - the pod's
        "applications": [
            _application("lane", "lane", "/"),
            *([_application("deep-scan", "deep_scan", None)] if hosted else []),
            *([_application(TOOLS, "tools", None)] if runs_inside(bundle.tools) else []),
            *(_application(model_application_name(name), "model", None, {"name": name}) for name in bundle.models),
        ],
    }


def _application(
    name: str, builder: str, route: str | None, arguments: Mapping[str, str] = MappingProxyType({})
) -> _Yaml:
    return {"name": name, "route_prefix": route, "import_path": f"serving.kuberay:{builder}", "args": dict(arguments)}


def _ray_service(bundle: Bundle, head: Node, others: Sequence[Node], door: str | None) -> _Yaml:
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayService",
        "metadata": pods.metadata("lane"),
        "spec": {
            "excludeHeadPodFromServeSvc": False,
            # A second cluster beside the first wants a second set of GPUs, and two keepers would write one state.
            "upgradeStrategy": {"type": "None"},
            "serveConfigV2": yaml.safe_dump(serve_config(bundle), sort_keys=False),
            "rayClusterConfig": {
                "rayVersion": RAY_VERSION,
                "authOptions": {"mode": "token"},
                "headGroupSpec": {
                    "labels": dict(labels_of(head)),
                    "rayStartParams": {**_start_parameters(head), "dashboard-host": "0.0.0.0"},  # noqa: S104 - the pod's
                    "template": _template(bundle, head, door),
                },
                "workerGroupSpecs": _worker_groups(bundle, others, door),
            },
        },
    }


def _worker_groups(bundle: Bundle, nodes: Sequence[Node], door: str | None) -> list[_Yaml]:
    """One group for machines that are alike; a second sort of the same class and site gets a number."""
    alike = Counter(node.model_copy(update={"name": "any", "address": None}) for node in nodes)
    names: Counter[str] = Counter()
    groups: list[_Yaml] = []
    for node, count in alike.items():
        base = f"{(node.gpu or 'cpu').lower()}-{node.site}".replace("_", "-").replace(".", "-")
        names[base] += 1
        groups.append(
            {
                "groupName": base if names[base] == 1 else f"{base}-{names[base]}",
                "replicas": count,
                "minReplicas": count,
                "maxReplicas": count,
                "labels": dict(labels_of(node)),
                "rayStartParams": _start_parameters(node),
                "template": _template(bundle, node, door),
            }
        )
    return groups


def _start_parameters(node: Node) -> _Yaml:
    return {
        "num-cpus": str(node.cpus),
        "num-gpus": str(node.gpu_count),
        # The operator pastes it into a shell's command line: quoted once more.
        "resources": json.dumps(json.dumps(offered_by(node), separators=(",", ":"))),
        "metrics-export-port": str(RAY_METRICS_PORT),
        "disable-usage-stats": "true",
    }


def _template(bundle: Bundle, node: Node, door: str | None) -> _Yaml:
    """Return the pod of one machine: all of it, on a machine that carries its labels."""
    container = {
        "image": pods.IMAGE,
        "env": pods.environment({**pods.ray_pod_environment(), **({"LANE_DOOR": door} if door else {})}),
        "securityContext": pods.may_do_nothing(),
        "volumeMounts": [
            *_MOUNTS,
            *pods.bundle_mounts(bundle),
            *(_HEAD_MOUNTS if node.head else []),
            *_door_mount(node, door),
        ],
    }
    ray = container | {"name": "ray", "resources": _resources(node)}
    if node.head:
        ray |= {
            "ports": [
                {"name": "gcs-server", "containerPort": 6379},
                {"name": "dashboard", "containerPort": _DASHBOARD_PORT},
                {"name": "serve", "containerPort": INGRESS_PORT},
                {"name": "metrics", "containerPort": RAY_METRICS_PORT},
            ]
        }
    # Before Ray, in each pod: an unfit machine never offers `private`. It is given the GPUs that Ray's container has after it.
    check = container | {"name": "check", "resources": _resources(node), "command": check_command(node)}
    prepare = container | {"name": "secrets", "command": ["python", "-m", "serving.kuberay", "prepare"]}
    return {
        "metadata": {
            "labels": {ROLE: "node"},
            "annotations": {"private-lane/bundle": pods.bundle_mark(bundle)},
        },
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": pods.not_root(),
            "nodeSelector": {"private-lane/site": node.site, **({"private-lane/gpu": node.gpu} if node.gpu else {})},
            **({"tolerations": [_toleration(node.gpu)]} if node.gpu else {}),
            "terminationGracePeriodSeconds": 150,
            "initContainers": [check, *([prepare] if node.head else [])],
            "containers": [ray],
            "volumes": [
                *_VOLUMES,
                pods.bundle_volume(),
                *(_HEAD_VOLUMES if node.head else []),
                *_door_volume(node, door),
            ],
        },
    }


def _resources(node: Node) -> _Yaml:
    """Requests and limits are the same, so that the pod is the last that the kubelet evicts."""
    memory = max(1, int(node.memory_gib) - _GIB_FOR_THE_SYSTEM)
    amounts: dict[str, Any] = {"cpu": str(max(1, node.cpus - 1)), "memory": f"{memory}Gi"}
    if node.gpu is not None:
        amounts[_device(node.gpu)] = node.gpu_count
    return {"requests": amounts, "limits": dict(amounts)}


def _device(gpu: str) -> str:
    """Return the name under which the maker's device plugin offers it."""
    return "amd.com/gpu" if gpu.lower().startswith("mi") else "nvidia.com/gpu"


def _toleration(gpu: str) -> _Yaml:
    return {"key": _device(gpu), "operator": "Exists", "effect": "NoSchedule"}


_MOUNTS: Final[Sequence[_Yaml]] = (
    {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108 - NCCL and Ray's object store want it, and the default is 64 MiB
    {"name": "scratch", "mountPath": "/tmp"},  # noqa: S108 - the pod's own
    {"name": "models", "mountPath": pods.MODELS, "readOnly": True},
)
_VOLUMES: Final[Sequence[_Yaml]] = (
    {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "16Gi"}},
    {"name": "scratch", "emptyDir": {"sizeLimit": "50Gi"}},
    # Where `lane models fetch` put them on each machine: read from its own disk, by nobody written.
    {"name": "models", "hostPath": {"path": pods.MODELS, "type": "Directory"}},
)
_HEAD_MOUNTS: Final[Sequence[_Yaml]] = ({"name": "home", "mountPath": pods.HOME},)
_HEAD_VOLUMES: Final[Sequence[_Yaml]] = ({"name": "home", "persistentVolumeClaim": {"claimName": "lane-home"}},)


def _door_mount(node: Node, door: str | None) -> list[_Yaml]:
    return [{"name": "door-tls", "mountPath": f"{pods.HOME}/door-tls", "readOnly": True}] if door and node.head else []


def _door_volume(node: Node, door: str | None) -> list[_Yaml]:
    return [{"name": "door-tls", "secret": {"secretName": "lane-router-tls"}}] if door and node.head else []


def _claim() -> _Yaml:
    """Return the head's home: evidence, state, keys. One pod writes it."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": pods.metadata("lane-home"),
        "spec": {"accessModes": ["ReadWriteOncePod"], "resources": {"requests": {"storage": "100Gi"}}},
    }


def _disruption_budget(pod_count: int) -> _Yaml:
    """Return how many may be away at once for upkeep: one. A RayCluster has no scale, so it is said as how many must stay."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": pods.metadata("lane-nodes"),
        "spec": {"minAvailable": max(1, pod_count - 1), "selector": {"matchLabels": {ROLE: "node"}}},
    }


def _policies() -> list[_Yaml]:
    """What KubeRay needs beyond `network-policies.yaml`: its operator at the dashboard's port, and the cluster's resolver.

    A resolver that asks others outside is a way out: let the cluster's answer for the cluster alone (docs/deploy.md).
    """
    node = {"matchLabels": {ROLE: "node"}}
    operator = {
        "namespaceSelector": {},
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "kuberay-operator"}},
    }
    resolver = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    }
    names = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    return [
        _policy("operator-to-the-head", "Ingress", node, {"from": [operator], "ports": [{"port": _DASHBOARD_PORT}]}),
        _policy("nodes-to-the-resolver", "Egress", node, {"to": [resolver], "ports": names}),
    ]


def _policy(name: str, direction: str, selected: _Yaml, rule: _Yaml) -> _Yaml:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"podSelector": dict(selected), "policyTypes": [direction], direction.lower(): [rule]},
    }
