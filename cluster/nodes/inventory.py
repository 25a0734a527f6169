"""Which machines does this site have, and what is on each? One YAML file, read by the planner, the renderer and `lane cluster`."""

from collections import Counter
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Final, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from cluster.network.site import HOST_NAME
from router.contract import Frozen
from router.errors import RouterError

PLACE: Final = r"^[a-z0-9]([a-z0-9_-]{0,30}[a-z0-9])?$"
"""A site, a jurisdiction or a GPU class as it is written in a resource's name."""


UNDECLARED: Final = "undeclared"
"""The law of a cluster of one box, which no inventory describes: what a lane says of itself is all that is known there."""


class NodesInvalid(RouterError):
    """The nodes' file can't be worked with; the message says what and where."""

    code = "nodes_invalid"
    exit_code = 2


class Node(Frozen):
    """One machine. `memory_gib` is main memory; what a GPU has is known by its class (`models.gpus`).

    head: it runs Ray's head (GCS) and the entrance; a site has one. private: private models may run here.
    may_reach_out: the door may run here, under a user of its own. jurisdiction: as the bundle writes them (`de`, `eu`).
    """

    name: str = Field(pattern=HOST_NAME)
    gpu: str | None = Field(default=None, min_length=1)
    gpu_count: int = Field(default=0, ge=0, le=64)
    memory_gib: float = Field(gt=0)
    cpus: int = Field(ge=1)
    site: str = Field(pattern=PLACE)
    jurisdiction: str = Field(pattern=PLACE)
    private: bool = True
    may_reach_out: bool = False
    head: bool = False
    address: IPv4Address | IPv6Address | None = None

    @property
    def in_ray(self) -> bool:
        """Whether the machine is part of Ray. One that may reach out and runs no private model is the door's alone."""
        return self.private or self.head or not self.may_reach_out

    @model_validator(mode="after")
    def _counts_what_it_names(self) -> Self:
        if (self.gpu is None) != (self.gpu_count == 0):
            raise ValueError(f"{self.name}: gpu and gpu_count go together: the class, and how many of it")
        return self

    @model_validator(mode="after")
    def _stands_somewhere(self) -> Self:
        if self.jurisdiction == UNDECLARED:
            raise ValueError(
                f"{self.name}: whose law is it under? `{UNDECLARED}` would let every lane's model run there"
            )
        return self


class Nodes(Frozen):
    """The file: all machines of a cluster."""

    nodes: tuple[Node, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _are_told_apart(self) -> Self:
        for what, values in (
            ("name", [node.name for node in self.nodes]),
            ("address", [str(node.address) for node in self.nodes if node.address is not None]),
        ):
            if twice := [value for value, count in Counter(values).items() if count > 1]:
                raise ValueError(f"the {what} {twice[0]} stands for {Counter(values)[twice[0]]} nodes")
        if (heads := sum(node.head for node in self.nodes)) > 1:
            raise ValueError(f"{heads} nodes are marked as head; Ray has one")
        return self


def read_node(line: str) -> Node:
    """Read one machine from JSON, as `lane cluster check --node` is given it. Raises `NodesInvalid`."""
    try:
        return Node.model_validate_json(line)
    except ValidationError as error:
        raise NodesInvalid(f"--node: {_first(error, 'the line')}") from error


def read_nodes(file: Path) -> tuple[Node, ...]:
    """Read and check the nodes' file, in the file's order. Raises `NodesInvalid`."""
    try:
        return Nodes.model_validate(yaml.safe_load(file.read_text("utf-8"))).nodes
    except OSError as error:
        raise NodesInvalid(f"{file}: {error.strerror}; config/nodes.example.yaml is one to start from") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise NodesInvalid(f"{file}: is not YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        raise NodesInvalid(f"{file}: {_first(error, 'the file')}") from error


def _first(error: ValidationError, whole: str) -> str:
    """Return where the first fault is, and which."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(step) for step in first["loc"]) or whole
    return f"{where}: {first['msg'].removeprefix('Value error, ')}"
