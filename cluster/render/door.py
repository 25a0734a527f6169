"""The door under Kubernetes: one pod with a ledger of its own, the only one that gets a provider's key; none where nothing may leave."""

from collections.abc import Mapping
from typing import Any, Final

import yaml

from cluster.network.policies import DOOR_PORT, ROLE
from cluster.render import pods
from router.bundle import Bundle

DOOR_ADDRESS: Final = f"https://lane-door:{DOOR_PORT}"
_HOME: Final = "/var/lib/lane-door"
_LABELS: Final = {ROLE: "door"}


def door_files(bundle: Bundle) -> Mapping[str, str]:
    """Return the door's Deployment, Service and claim; nothing for a bundle without hosted lanes."""
    if not any(lane.is_hosted for lane in bundle.lanes.values()):
        return {}
    written = [_deployment(bundle), _service(), _claim()]
    return {"kubernetes/door.yaml": yaml.safe_dump_all(written, sort_keys=False, explicit_start=True)}


def _deployment(bundle: Bundle) -> Mapping[str, Any]:
    listening = {"tcpSocket": {"port": DOOR_PORT}, "periodSeconds": 10}
    container = {
        "name": "door",
        "image": pods.IMAGE,
        "command": ["lane", "door", "--listen", "0.0.0.0"],  # noqa: S104 - the pod's own addresses
        "env": pods.environment({"LANE_HOME": _HOME, "LANE_BUNDLE": pods.BUNDLE, "LANE_DOOR": DOOR_ADDRESS}),
        # Made by hand, never rendered: a key has no place in a file of ours.
        "envFrom": [{"secretRef": {"name": "lane-door-keys"}}],
        "ports": [{"name": "door", "containerPort": DOOR_PORT}],
        "readinessProbe": listening,
        "livenessProbe": listening | {"initialDelaySeconds": 30},
        "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "2Gi"}},
        "securityContext": pods.may_do_nothing(),
        "volumeMounts": [
            {"name": "home", "mountPath": _HOME},
            {"name": "tls", "mountPath": f"{_HOME}/door-tls", "readOnly": True},
            {"name": "permit", "mountPath": f"{_HOME}/permit.pub", "subPath": "permit.pub", "readOnly": True},
            {"name": "scratch", "mountPath": "/tmp"},  # noqa: S108 - the pod's own
            *pods.bundle_mounts(bundle),
        ],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": pods.metadata("lane-door", "door"),
        "spec": {
            "replicas": 1,  # INVARIANT: one owner of the ledger.
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": dict(_LABELS)},
            "template": {
                "metadata": {"labels": dict(_LABELS), "annotations": {"private-lane/bundle": pods.bundle_mark(bundle)}},
                "spec": {
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "securityContext": pods.not_root(),
                    "containers": [container],
                    "volumes": [
                        {"name": "home", "persistentVolumeClaim": {"claimName": "lane-door-home"}},
                        {"name": "tls", "secret": {"secretName": "lane-door-tls"}},
                        {"name": "permit", "secret": {"secretName": "lane-permit-public"}},
                        {"name": "scratch", "emptyDir": {}},
                        pods.bundle_volume(),
                    ],
                },
            },
        },
    }


def _service() -> Mapping[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": pods.metadata("lane-door"),
        "spec": {
            "selector": dict(_LABELS),
            "ports": [{"name": "door", "port": DOOR_PORT, "targetPort": DOOR_PORT, "protocol": "TCP"}],
        },
    }


def _claim() -> Mapping[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": pods.metadata("lane-door-home"),
        "spec": {"accessModes": ["ReadWriteOncePod"], "resources": {"requests": {"storage": "10Gi"}}},
    }
