"""Which addresses may each machine speak to? Files that have the kernel and Kubernetes hold what the boundary promises."""

from cluster.network.render import render
from cluster.network.site import Site, SiteInvalid, read_site

__all__ = ["Site", "SiteInvalid", "read_site", "render"]
