"""What must be installed so that a private node has no way out, whatever runs on it? Text of each file by its path."""

from collections.abc import Mapping

from cluster.network.policies import network_policies
from cluster.network.site import Site, provider_networks
from cluster.network.units import door_unit, node_unit
from router.bundle import Bundle


def render(bundle: Bundle, site: Site) -> Mapping[str, str]:
    """Return the files of a site: systemd units, and Kubernetes NetworkPolicies.

    A bundle without hosted lanes gets no door: no unit, no policy, no provider's address. Raises `SiteInvalid`.
    """
    variables = sorted({lane.hosted.api_key_env for lane in bundle.lanes.values() if lane.hosted is not None})
    providers = provider_networks(site, bundle)
    files = {
        "systemd/lane-node.service": node_unit(site, variables),
        "kubernetes/network-policies.yaml": network_policies(site, providers),
    }
    if providers:
        files["systemd/lane-door.service"] = door_unit(site, providers)
    return dict(sorted(files.items()))
