"""From a bundle, a site and an inventory to the files that machines, Kubernetes, Slurm and Prometheus read."""

from cluster.render.compose import render

__all__ = ["render"]
