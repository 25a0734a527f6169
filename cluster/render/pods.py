"""What does a pod of ours look like? Not root, nothing writable but what is named, the bundle read-only, no provider's key."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cluster.environment import ray_environment
from cluster.network.policies import NAMESPACE, ROLE
from router.bundle import Bundle

IMAGE: Final = "private-lane"
"""Set yours with `kustomize edit set image private-lane=REGISTRY/NAME@DIGEST`."""
HOME: Final = "/var/lib/lane"
BUNDLE: Final = "/etc/lane/bundle"
MODELS: Final = "/srv/lane/models"
_BUNDLE_MAP: Final = "lane-bundle"
_USER: Final = 10001
_Yaml = Mapping[str, Any]


def metadata(name: str, role: str | None = None) -> dict[str, Any]:
    """Return the name in our namespace, and the label by which NetworkPolicies know the pod's role."""
    return {"name": name, "namespace": NAMESPACE, **({"labels": {ROLE: role}} if role else {})}


def bundle_map(bundle: Bundle) -> _Yaml:
    """Return the bundle's files as a ConfigMap; keys may hold no slash, so a file's path is spelt with `__`."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(_BUNDLE_MAP),
        "data": {_key(path): (bundle.root / path).read_text("utf-8") for path in _paths(bundle)},
    }


def bundle_mounts(bundle: Bundle) -> list[_Yaml]:
    """Return a mount for each file: mounted whole, a ConfigMap is a folder of links, and a bundle holds none."""
    return [
        {"name": "bundle", "mountPath": f"{BUNDLE}/{path}", "subPath": _key(path), "readOnly": True}
        for path in _paths(bundle)
    ]


def bundle_volume() -> _Yaml:
    """Return the volume that `bundle_mounts` mounts."""
    return {"name": "bundle", "configMap": {"name": _BUNDLE_MAP}}


def bundle_mark(bundle: Bundle) -> str:
    """Return a word that changes with the bundle: in a pod's annotations it has the pod replaced."""
    return hashlib.sha256(bundle.hash.encode()).hexdigest()[:16]


def environment(variables: Mapping[str, str]) -> list[_Yaml]:
    """Return variables as a container takes them."""
    return [{"name": name, "value": value} for name, value in sorted(variables.items())]


def ray_pod_environment() -> Mapping[str, str]:
    """Return what everything in Ray has in its environment. Secrets are not among it."""
    return ray_environment({}, provider_keys=()) | {
        "LANE_HOME": HOME,
        "LANE_BUNDLE": BUNDLE,
        "LANE_MODELS": MODELS,
        "LANE_HOST": "0.0.0.0",  # noqa: S104 - a pod's own addresses; NetworkPolicies say who may come
        "PROMETHEUS_MULTIPROC_DIR": "/tmp/lane-metrics",  # noqa: S108 - the pod's own
        "HOME": "/tmp",  # noqa: S108 - the pod's own
        "PYTHONSAFEPATH": "1",
    }


def not_root() -> _Yaml:
    """Return the security context of a pod."""
    return {
        "runAsNonRoot": True,
        "runAsUser": _USER,
        "runAsGroup": _USER,
        "fsGroup": _USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def may_do_nothing() -> _Yaml:
    """Return the security context of a container."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def _paths(bundle: Bundle) -> Sequence[str]:
    return sorted(
        path.relative_to(bundle.root).as_posix()
        for path in Path(bundle.root).rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(bundle.root).parts)
    )


def _key(path: str) -> str:
    return path.replace("/", "__")
