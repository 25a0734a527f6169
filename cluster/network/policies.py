"""Kubernetes NetworkPolicies: nothing is allowed to a pod of ours but what a rule here allows, in either direction.

Pods are told apart by the label `private-lane/role`: `node` (Ray, router, engines) or `door`. Only the door has a rule to an address
outside; nodes resolve no names either, since a name server is a way out too.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import yaml

from cluster.network.site import Network, Site

NAMESPACE: Final = "private-lane"
ROLE: Final = "private-lane/role"
INGRESS_PORT: Final = 8000
DOOR_PORT: Final = 8443
_Rule = Mapping[str, Any]


def network_policies(site: Site, providers: Sequence[Network]) -> str:
    """Return all policies as one YAML stream. `providers`: what the door may reach; none, and there is no door."""
    node, door = _pods("node"), _pods("door")
    written = [
        _policy("default-deny", {}, inward=[], outward=[]),
        _policy("nodes-among-themselves", node, inward=[{"from": [_to(node)]}], outward=[{"to": [_to(node)]}]),
    ]
    if site.clients:
        callers = [{"from": _blocks(site.clients), "ports": _ports(INGRESS_PORT)}]
        written.append(_policy("callers-to-the-router", node, inward=callers))
    if providers:
        written += [
            _policy("nodes-to-the-door", node, outward=[{"to": [_to(door)], "ports": _ports(DOOR_PORT)}]),
            _policy(
                "the-door",
                door,
                inward=[{"from": [_to(node)], "ports": _ports(DOOR_PORT)}],
                outward=[{"to": _blocks(providers), "ports": _ports(443)}, *_names(site)],
            ),
        ]
    return yaml.safe_dump_all(written, sort_keys=False, explicit_start=True)


def _policy(
    name: str, pods: _Rule, *, inward: Sequence[_Rule] | None = None, outward: Sequence[_Rule] | None = None
) -> dict[str, Any]:
    """A policy over some pods; a direction that is None is left to the others, an empty one allows nothing."""
    directions: dict[str, Any] = {}
    if inward is not None:
        directions["ingress"] = list(inward)
    if outward is not None:
        directions["egress"] = list(outward)
    kinds = [kind.capitalize() for kind in directions]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"podSelector": dict(pods), "policyTypes": kinds, **directions},
    }


def _pods(role: str) -> _Rule:
    return {"matchLabels": {ROLE: role}}


def _to(pods: _Rule) -> _Rule:
    return {"podSelector": dict(pods)}


def _blocks(networks: Iterable[Network]) -> list[_Rule]:
    return [{"ipBlock": {"cidr": str(network)}} for network in networks]


def _ports(*numbers: int) -> list[_Rule]:
    return [{"protocol": "TCP", "port": number} for number in numbers]


def _names(site: Site) -> list[_Rule]:
    """Let the door ask the site's resolvers, if there are any."""
    if not site.dns:
        return []
    ports = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    return [{"to": _blocks(site.dns), "ports": ports}]
