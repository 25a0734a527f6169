"""What lies on a machine once it is part of a cluster? The head's files, made by `init`, and a node's, made by `join`.

Nothing is started here, and nothing is written over: a machine is set up once, and `leave` takes the files away again.
"""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import yaml
from pydantic import SecretStr, ValidationError

from cluster.authority import CLIENT, SERVER, Authority, fingerprint, key_pem, new_key
from cluster.network.site import Site, provider_networks, read_site
from cluster.network.units import door_unit, node_unit
from cluster.nodes.enrolment import LOOPBACK, Enrolment
from cluster.nodes.errors import AlreadySetUp, NotSetUp
from cluster.nodes.inventory import Node, NodesInvalid, read_nodes
from cluster.nodes.joining import Credentials
from cluster.nodes.layout import ENROL_USER, USER, Layout
from cluster.nodes.register import Register
from cluster.nodes.tokens import JoinToken
from cluster.nodes.units import (
    CHECK_TIMER,
    check_unit,
    enrol_unit,
    environment_file,
    metrics_unit,
    ray_unit,
    ray_variables,
    weights_unit,
)
from router.bundle import Bundle
from router.contract import Frozen

AUTHORITY_DAYS: Final = 3650
NODE_DAYS: Final = 365


class ThisNode(Frozen):
    """What a machine knows of itself: its line of the inventory, and where Ray's head is (`host:port`)."""

    node: Node
    ray_address: str


def make_head(
    layout: Layout,
    nodes: Sequence[Node],
    site: Site,
    bundle: Bundle,
    *,
    ray_port: int,
    enrol_port: int,
) -> list[Path]:
    """Write the head's files and return them: authority, its own certificate, Ray's token, units.

    Raises `AlreadySetUp`, `NodesInvalid` (no head, or one without an address) or `SiteInvalid`.
    """
    if layout.node_file.exists() or layout.authority_key.exists():
        raise AlreadySetUp(f"{layout.etc} holds a cluster already; `lane cluster leave` takes it away")
    head = next((node for node in nodes if node.head), None)
    if head is None or head.address is None:
        raise NodesInvalid("one node must be marked `head: true` and have an address: the others find it there")
    ray_address = f"{head.address}:{ray_port}"
    authority = Authority.new("private-lane cluster authority", AUTHORITY_DAYS)
    token = SecretStr(secrets.token_hex(32))
    own = _certified(head, authority)
    layout.folder(layout.enrol, ENROL_USER)
    Register(layout.register, time.time).enter(head.name, _addresses(head), fingerprint(own.certificate))
    inventory = {"nodes": [node.model_dump(mode="json", exclude_defaults=True) for node in nodes]}
    unit_for_doors = _door_unit(site, bundle) if any(node.may_reach_out for node in nodes) else None
    written = [
        layout.write(layout.register, layout.register.read_bytes(), user=ENROL_USER),
        layout.write(layout.authority_key, authority.key_pem, user=ENROL_USER),
        layout.write(layout.authority, authority.pem, user=ENROL_USER),
        *_enrol_tls_files(layout, own),
        layout.write(layout.enrol / "ray.token", token.get_secret_value(), user=ENROL_USER),
        layout.write(layout.etc / "nodes.yaml", yaml.safe_dump(inventory, sort_keys=False)),
        layout.write(layout.etc / "site.yaml", yaml.safe_dump(site.model_dump(mode="json"), sort_keys=False)),
        *_ray_files(layout, ThisNode(node=head, ray_address=ray_address), site, token),
        *_tls_files(layout, authority.pem, own.certificate, own.key),
        layout.write(layout.units / "lane-enrol.service", enrol_unit(site, enrol_port)),
        layout.write(
            layout.units / "lane-node.service", node_unit(site, _key_variables(bundle), ray_address=ray_address)
        ),
    ]
    if unit_for_doors is not None:
        written.append(layout.write(layout.enrol / "lane-door.service", unit_for_doors, user=ENROL_USER))
        if head.may_reach_out:
            written.append(layout.write(layout.units / "lane-door.service", unit_for_doors))
    return written


def renew_head(layout: Layout) -> list[Path]:
    """Give the head another certificate and key by the authority that it has, and return their files. Nodes trust both: nobody joins anew.

    Raises `NotSetUp` on a machine that is not the head.
    """
    try:
        authority = Authority.read(layout.authority.read_bytes(), layout.authority_key.read_bytes())
    except OSError as error:
        raise NotSetUp(f"{layout.authority_key}: {error.strerror}; the authority is on the head") from error
    head = this_node(layout).node
    own = _certified(head, authority)
    Register(layout.register, time.time).renew(head.name, fingerprint(own.certificate))
    return [*_enrol_tls_files(layout, own), *_tls_files(layout, authority.pem, own.certificate, own.key)]


def make_node(layout: Layout, credentials: Credentials, address: str) -> list[Path]:
    """Write a node's files and return them. `address`: where Ray has it, unless the inventory says. Raises `AlreadySetUp`."""
    refuse_if_set_up(layout)
    answer = credentials.answer
    site = Site(nodes=answer.nodes, clients=answer.clients)
    node = answer.node if answer.node.address else answer.node.model_copy(update={"address": ip_address(address)})
    this = ThisNode(node=node, ray_address=answer.ray_address)
    written = []
    if answer.ray_token is not None:
        written += _ray_files(layout, this, site, answer.ray_token)
        written += _tls_files(layout, credentials.authority_pem, answer.certificate.encode(), credentials.key_pem)
    else:
        written.append(layout.write(layout.node_file, this.model_dump_json()))
    if answer.door_unit is not None:
        written.append(layout.write(layout.units / "lane-door.service", answer.door_unit))
    return written


def refuse_if_set_up(layout: Layout) -> None:
    """Raise `AlreadySetUp` where this machine is part of a cluster."""
    if layout.node_file.exists():
        raise AlreadySetUp(f"{layout.node_file} is here: this machine has joined; `lane cluster leave` takes it out")


def this_node(layout: Layout) -> ThisNode:
    """Return what this machine is. Raises `NotSetUp`."""
    try:
        return ThisNode.model_validate_json(layout.node_file.read_bytes())
    except (OSError, ValidationError) as error:
        raise NotSetUp(f"{layout.node_file} can't be read: `lane cluster init` or `join` makes it") from error


def new_token(layout: Layout, ttl_seconds: float, uses: int, clock: Callable[[], float] = time.time) -> JoinToken:
    """Make a join token and keep its hash. Raises `NotSetUp` on a machine that is not the head."""
    try:
        token = JoinToken.new(fingerprint(layout.authority.read_bytes()))
    except OSError as error:
        raise NotSetUp(f"{layout.authority}: {error.strerror}; join tokens are made on the head") from error
    Register(layout.register, clock).remember_token(token, ttl_seconds, uses)
    return token


def enrolment_of(layout: Layout, clock: Callable[[], float] = time.time) -> Enrolment:
    """Load what the enrolment service works with. Raises `NotSetUp` on a machine that is not the head."""
    try:
        authority = Authority.read(layout.authority.read_bytes(), layout.authority_key.read_bytes())
        token = SecretStr((layout.enrol / "ray.token").read_text())
    except OSError as error:
        raise NotSetUp(f"{layout.enrol}: {error.strerror}; the enrolment service runs on the head") from error
    unit = layout.enrol / "lane-door.service"
    return Enrolment(
        authority=authority,
        register=Register(layout.register, clock),
        nodes=lambda: read_nodes(layout.etc / "nodes.yaml"),
        site=read_site(layout.etc / "site.yaml"),
        ray_address=this_node(layout).ray_address,
        ray_token=token,
        door_unit=unit.read_text() if unit.exists() else None,
        days=NODE_DAYS,
    )


def forget_here(layout: Layout) -> list[Path]:
    """Take away what `init` or `join` wrote: units, certificate, key, token. What the router keeps in its home stays."""
    units = (
        "ray.service",
        "enrol.service",
        "node.service",
        "door.service",
        "weights.service",
        "metrics.service",
        "check.service",
        "check.timer",
    )
    names = [
        *(layout.units / f"lane-{unit}" for unit in units),
        layout.node_file,
        layout.ray_environment_file,
        layout.ray_token,
    ]
    names += [layout.etc / "nodes.yaml", layout.etc / "site.yaml"]
    names += [path for folder in (layout.tls, layout.enrol) if folder.exists() for path in sorted(folder.iterdir())]
    gone = [path for path in names if path.exists()]
    for path in gone:
        path.unlink()
    return gone


def _ray_files(layout: Layout, this: ThisNode, site: Site, token: SecretStr) -> list[Path]:
    layout.make_state()
    watched = this.node.gpu_count > 0
    return [
        *([layout.write(layout.units / "lane-check.service", check_unit(site))] if watched else []),
        *([layout.write(layout.units / "lane-check.timer", CHECK_TIMER)] if watched else []),
        layout.write(layout.node_file, this.model_dump_json()),
        layout.write(layout.ray_token, token.get_secret_value(), user=USER),
        layout.write(layout.ray_environment_file, environment_file(ray_variables(this.node))),
        layout.write(layout.units / "lane-ray.service", ray_unit(this.node, site, this.ray_address)),
        layout.write(layout.units / "lane-weights.service", weights_unit()),
        *([] if this.node.head else [layout.write(layout.units / "lane-metrics.service", metrics_unit(site))]),
    ]


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A machine's certificate and key, as PEM."""

    certificate: bytes
    key: bytes


def _certified(head: Node, authority: Authority) -> _Leaf:
    key = new_key()
    reached_at = [head.name, "localhost", *_addresses(head)]
    return _Leaf(authority.issue(head.name, reached_at, [SERVER, CLIENT], key.public_key(), NODE_DAYS), key_pem(key))


def _addresses(head: Node) -> list[str]:
    return sorted({str(head.address), *LOOPBACK} - {"localhost"})


def _enrol_tls_files(layout: Layout, own: _Leaf) -> list[Path]:
    return [
        layout.write(layout.enrol / "cert.pem", own.certificate, user=ENROL_USER),
        layout.write(layout.enrol / "key.pem", own.key, user=ENROL_USER),
    ]


def _tls_files(layout: Layout, authority: bytes, certificate: bytes, key: bytes) -> list[Path]:
    return [
        layout.write(layout.tls / "ca.pem", authority),
        layout.write(layout.tls / "cert.pem", certificate),
        layout.write(layout.tls / "key.pem", key, user=USER),
    ]


def _key_variables(bundle: Bundle) -> list[str]:
    return sorted({lane.hosted.api_key_env for lane in bundle.lanes.values() if lane.hosted is not None})


def _door_unit(site: Site, bundle: Bundle) -> str | None:
    providers = provider_networks(site, bundle)
    return door_unit(site, providers) if providers else None
