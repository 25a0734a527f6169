"""systemd units: the node's processes and the door, each a user of its own, each with the addresses it may speak to.

`IPAddressDeny=any` is a filter in the kernel on every packet of the unit's processes and their children: unlike a firewall's rule
it can't be forgotten when the unit is moved, and unlike a setting of ours it holds for code that is not ours.
"""

from collections.abc import Sequence
from typing import Final

from cluster.network.site import Network, Site

HARDENING: Final = """\
Restart=always
RestartSec=5
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
RestrictSUIDSGID=yes
LockPersonality=yes
UMask=0077
Environment=PYTHONSAFEPATH=1
"""
"""What every unit of ours has: it comes back, and may do less than its user could."""

SEALS: Final = "/srv/lane/models/.seals"
"""What is known of the model folders (`models.weights.seal`): written to by whoever starts an engine. The folders themselves are not."""


def node_unit(site: Site, key_variables: Sequence[str], *, ray_address: str | None = None) -> str:
    """Return the unit of a private node: Ray, the router and the engines. It reaches other nodes and its callers, and nothing else.

    `key_variables` are taken out of its environment: a provider's key is the door's alone. `ray_address`: the cluster that the units of
    `cluster.nodes.units` run, to serve on; None, and the unit starts a Ray of its own.
    """
    unset = f"UnsetEnvironment={' '.join(key_variables)}\n" if key_variables else ""
    ray = f"Environment=LANE_RAY_ADDRESS={ray_address}\nEnvironmentFile=/etc/lane/ray.env\n" if ray_address else ""
    after = "Wants=lane-ray.service\nAfter=lane-ray.service\n" if ray_address else ""
    return f"""\
[Unit]
Description=private-lane node: router and private models, without a way out
Wants=network-online.target
After=network-online.target
{after}
[Service]
Type=exec
User=lane
Group=lane
{ray}Environment=LANE_HOME=/var/lib/lane LANE_BUNDLE=/etc/lane/bundle LANE_MODELS=/srv/lane/models LANE_HOST=0.0.0.0
EnvironmentFile=-/etc/lane/node.env
{unset}ExecStart=/opt/lane/bin/lane up --foreground --no-door
TimeoutStopSec=150
{HARDENING}ReadWritePaths=/var/lib/lane /tmp /dev/shm -{SEALS}
InaccessiblePaths=-/etc/lane/door.env -/var/lib/lane-door
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
{addresses([*site.nodes, *site.clients])}
[Install]
WantedBy=multi-user.target
"""


def door_unit(site: Site, providers: Sequence[Network]) -> str:
    """Return the door's unit. It reaches the providers and the resolvers; nodes reach it over mTLS (`LANE_DOOR` in both env files)."""
    return f"""\
[Unit]
Description=private-lane door: the only way out
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
User=lane-door
Group=lane-door
Environment=LANE_HOME=/var/lib/lane-door LANE_BUNDLE=/etc/lane/bundle
EnvironmentFile=/etc/lane/door.env
ExecStart=/opt/lane/bin/lane door
TimeoutStopSec=30
{HARDENING}ReadWritePaths=/var/lib/lane-door
InaccessiblePaths=-/var/lib/lane -/srv/lane/models
PrivateTmp=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
{addresses([*site.nodes, *providers, *site.dns])}
[Install]
WantedBy=multi-user.target
"""


def addresses(allowed: Sequence[Network]) -> str:
    """Return the filter of a unit that speaks to itself and to these alone."""
    listed = "\n".join(f"IPAddressAllow={network}" for network in allowed)
    return f"IPAddressDeny=any\nIPAddressAllow=localhost\n{listed}\n"
