"""Which files does a site get? Text of each by its path. What needs to know the machines is written where an inventory is given."""

from collections.abc import Mapping, Sequence

from cluster.network import Site
from cluster.network import render as render_network
from cluster.nodes.inventory import Node
from cluster.nodes.units import RAY_PORT, metrics_unit, ray_unit
from cluster.render.dashboards import grafana_files
from cluster.render.door import DOOR_ADDRESS, door_files
from cluster.render.entry import entry_files
from cluster.render.kuberay import kuberay_files
from cluster.render.prometheus import prometheus_files
from cluster.render.slurm import slurm_files
from router.bundle import Bundle


def render(bundle: Bundle, site: Site, nodes: Sequence[Node] | None = None) -> Mapping[str, str]:
    """Return the files of a site. Raises `SiteInvalid`.

    Without `nodes`: units and NetworkPolicies, which follow from addresses alone.
    """
    files = dict(render_network(bundle, site))
    if nodes is not None:
        files |= _machines(site, nodes)
        files |= entry_files(bundle, site, nodes)
        files |= prometheus_files(bundle, nodes, site.entry.hosts if site.entry is not None else ())
        files |= grafana_files(bundle, nodes)
        door = door_files(bundle)
        files |= kuberay_files(bundle, nodes, DOOR_ADDRESS if door else None)
        files |= door
        files |= slurm_files(bundle, nodes)
    return dict(sorted(files.items()))


def _machines(site: Site, nodes: Sequence[Node]) -> Mapping[str, str]:
    """Return what `init` and `join` write as each machine's unit for Ray, to read before a machine is touched."""
    members = [node for node in nodes if node.in_ray]
    head = next((node for node in members if node.head), None)
    if head is None:
        return {}
    address = f"{head.address or head.name}:{RAY_PORT}"
    files = {f"systemd/{node.name}/lane-ray.service": ray_unit(node, site, address) for node in members}
    return files | {
        f"systemd/{node.name}/lane-metrics.service": metrics_unit(site) for node in members if not node.head
    }
