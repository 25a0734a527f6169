"""Where are the nodes, their callers and the providers? One YAML file a site, apart from the bundle: policy travels, addresses don't."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Final

import yaml
from pydantic import Field, ValidationError

from router.bundle import Bundle
from router.contract import Frozen
from router.errors import RouterError

Network = IPv4Network | IPv6Network
_WIDEST: Final = {4: 8, 6: 16}
"""Prefix lengths: a provider's range that is wider names nobody."""


class SiteInvalid(RouterError):
    """The site file can't be rendered from; the message says what and where."""

    code = "site_invalid"
    exit_code = 2


class Site(Frozen):
    """Networks in CIDR form. `providers`: by the name that the bundle's hosted lanes give. `dns`: resolvers, asked by the door alone."""

    nodes: tuple[Network, ...] = Field(min_length=1)
    clients: tuple[Network, ...] = ()
    providers: dict[str, tuple[Network, ...]] = Field(default_factory=dict)
    dns: tuple[Network, ...] = ()


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
