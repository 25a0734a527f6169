"""Where are the nodes, their callers and the providers? One YAML file a site, apart from the bundle: policy travels, addresses don't."""

from collections import Counter
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Final

import yaml
from pydantic import Field, ValidationError

from router.bundle import Bundle
from router.contract import Frozen
from router.errors import RouterError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
HOST_NAME: Final = r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$"
"""It goes into certificates, units and Ray's resources."""
_WIDEST: Final = {4: 8, 6: 16}
"""Prefix lengths: a provider's range that is wider names nobody."""


class SiteInvalid(RouterError):
    """The site file can't be rendered from; the message says what and where."""

    code = "site_invalid"
    exit_code = 2


class EntryHost(Frozen):
    """One of the machines that speak TLS with callers. `interface`: where the shared address stands while it is this one's."""

    name: str = Field(pattern=HOST_NAME)
    address: Address
    interface: str = Field(default="eth0", pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]{0,14}$")


class Entry(Frozen):
    """The TLS entry: several hosts, and one address that is always with one of them. `clients`: who may call it.

    `virtual_router` tells this address apart from others that hosts of the same network share (VRRP).
    """

    address: Address
    hosts: tuple[EntryHost, ...] = Field(min_length=2, max_length=8)
    clients: tuple[Network, ...] = Field(min_length=1)
    port: int = Field(default=443, ge=1, le=65535)
    virtual_router: int = Field(default=51, ge=1, le=255)


class Site(Frozen):
    """Networks in CIDR form. `clients`: who may call the head itself, in plain HTTP.

    `providers`: by the name that the bundle's hosted lanes give. `dns`: resolvers, asked by the door alone.
    `entry`: where callers come in by TLS.
    """

    nodes: tuple[Network, ...] = Field(min_length=1)
    clients: tuple[Network, ...] = ()
    providers: dict[str, tuple[Network, ...]] = Field(default_factory=dict)
    dns: tuple[Network, ...] = ()
    entry: Entry | None = None


def read_site(file: Path) -> Site:
    """Read and check a site file. Raises `SiteInvalid`."""
    try:
        return Site.model_validate(yaml.safe_load(file.read_text("utf-8")))
    except OSError as error:
        raise SiteInvalid(f"{file}: {error.strerror}; config/site.example.yaml is one to start from") from error
    except yaml.YAMLError as error:
        raise SiteInvalid(f"{file}: is not YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "the file"
        raise SiteInvalid(f"{file}: {where}: {first['msg']}; networks are written as 10.20.0.0/24") from error


def entry_of(site: Site) -> Entry | None:
    """Return the site's TLS entry, if it has one. Raises `SiteInvalid` for hosts that can't be told apart, or that nodes don't hear."""
    if site.entry is None:
        return None
    told_apart = [str(site.entry.address), *(str(host.address) for host in site.entry.hosts)]
    for what, values in (("address", told_apart), ("name", [host.name for host in site.entry.hosts])):
        if twice := [value for value, count in Counter(values).items() if count > 1]:
            raise SiteInvalid(
                f"entry: the {what} {twice[0]} stands there twice; each host has its own, and they share another"
            )
    for host in site.entry.hosts:
        if not any(host.address in network for network in site.nodes):
            raise SiteInvalid(
                f"entry.hosts: {host.name} is {host.address}, outside of `nodes`: what it sends on to the head is plain HTTP, "
                "so it stands in the nodes' own network"
            )
    return site.entry


def provider_networks(site: Site, bundle: Bundle) -> tuple[Network, ...]:
    """Return every range that the door must reach for this bundle's hosted lanes. Raises `SiteInvalid`.

    A range that holds a node or a caller, or half the internet, would undo what it is written for.
    """
    found: set[Network] = set()
    for name in sorted({lane.hosted.provider for lane in bundle.lanes.values() if lane.hosted is not None}):
        if not site.providers.get(name):
            raise SiteInvalid(f"providers.{name}: no address; a lane of the bundle is hosted there")
        for network in site.providers[name]:
            if network.prefixlen < _WIDEST[network.version]:
                raise SiteInvalid(f"providers.{name}: {network} is too wide to be one provider's")
            for ours in (*site.nodes, *site.clients):
                if ours.version == network.version and ours.overlaps(network):
                    raise SiteInvalid(f"providers.{name}: {network} overlaps {ours}, which is ours")
            found.add(network)
    return tuple(sorted(found, key=str))
