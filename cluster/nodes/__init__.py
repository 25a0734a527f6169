"""Which machines are ours, who may join them, and what may run on each? Certificates, join tokens, units, checks, and Ray's own view."""

from cluster.nodes.inventory import Node, NodesInvalid, read_nodes

__all__ = ["Node", "NodesInvalid", "read_nodes"]
