"""What does systemd run on a machine of the cluster? `ray start`, on the head the enrolment service too; text of each file by its path.

`Restart=always` brings back whatever dies. A node that was drained has ended its raylet by itself, with status 0: `ray start` then
stays without it, and the node comes back when the unit is started again. Each start checks the machine first: an unfit one offers nothing.
"""

import json
from collections.abc import Mapping
from typing import Final

from cluster.environment import ray_environment
from cluster.network.site import Site
from cluster.network.units import HARDENING, SEALS, addresses
from cluster.nodes.inventory import Node
from cluster.nodes.resources import label_text, offered_by

RAY_PORT: Final = 6379
RAY_METRICS_PORT: Final = 9465
"""Ray's own metrics, on every node."""
NODE_METRICS_PORT: Final = 9464
"""What the engines of a node say that has no ingress."""
_OBJECT_STORE_BYTES: Final = 1 << 30
"""Requests travel as messages; next to nothing goes through Ray's object store."""
_GCS_AWAY_SECONDS: Final = 600
"""So long nodes and workers go on without the head's GCS before they give up."""


def ray_command(node: Node, ray_address: str) -> list[str]:
    """Return the `ray start` that makes a machine part of the cluster at `host:port`; on the head, the one that makes the cluster."""
    command = [
        "/opt/lane/bin/ray",
        "start",
        f"--node-name={node.name}",
        f"--num-cpus={node.cpus}",
        f"--num-gpus={node.gpu_count}",
        f"--resources={json.dumps(offered_by(node), separators=(',', ':'))}",
        f"--labels={label_text(node)}",
        f"--object-store-memory={_OBJECT_STORE_BYTES}",
        f"--metrics-export-port={RAY_METRICS_PORT}",
        "--disable-usage-stats",
    ]
    if node.address is not None:
        command.append(f"--node-ip-address={node.address}")
    if not node.head:
        return [*command, f"--address={ray_address}", "--block"]
    return [
        *command,
        "--head",
        f"--port={ray_address.rpartition(':')[2]}",
        "--include-dashboard=false",
        "--dashboard-host=127.0.0.1",
        "--temp-dir=/var/lib/lane/ray",
    ]


def check_command(node: Node) -> list[str]:
    """Return the look at the GPUs before `ray start` where nobody has joined: Slurm and Kubernetes start machines of the inventory."""
    return ["lane", "cluster", "check", "--node", node.model_dump_json(exclude_defaults=True)]


def ray_unit(node: Node, site: Site, ray_address: str) -> str:
    """Return `lane-ray.service`. On the head its GCS is watched: one that dies is started again, and nothing else ends with it."""
    command = " ".join(f"'{word}'" if '"' in word else word for word in ray_command(node, ray_address))
    watched = f"/opt/lane/bin/python -m cluster.nodes.gcs_watch {command}" if node.head else command
    what = "head" if node.head else "node"
    return f"""\
[Unit]
Description=private-lane Ray {what} {node.name} ({node.site}, {node.jurisdiction})
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=exec
User=lane
Group=lane
EnvironmentFile=/etc/lane/ray.env
ExecStartPre=+/opt/lane/bin/lane cluster check
ExecStart={watched}
TimeoutStartSec=300
TimeoutStopSec=60
LimitNOFILE=1048576
TasksMax=infinity
{HARDENING}ReadWritePaths=/var/lib/lane /tmp /dev/shm -{SEALS}
InaccessiblePaths=-/etc/lane/door.env -/var/lib/lane-door -/var/lib/lane-enrol
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
{addresses([*site.nodes, *(site.clients if node.head else ())])}
[Install]
WantedBy=multi-user.target
"""


def check_unit(site: Site) -> str:
    """Return `lane-check.service`: one look at the GPUs, and an unfit node takes no new work. As root, who may read the kernel's log."""
    return f"""\
[Unit]
Description=private-lane: are this node's GPUs well?
After=lane-ray.service

[Service]
Type=oneshot
ExecStart=/opt/lane/bin/lane cluster check --drain
TimeoutStartSec=300
Environment=PYTHONSAFEPATH=1
NoNewPrivileges=yes
ProtectHome=yes
InaccessiblePaths=-/etc/lane/door.env -/var/lib/lane-door -/var/lib/lane-enrol
{addresses(site.nodes)}"""


CHECK_TIMER: Final = """\
[Unit]
Description=private-lane: look at this node's GPUs every five minutes

[Timer]
OnBootSec=10min
OnUnitInactiveSec=5min

[Install]
WantedBy=timers.target
"""


def enrol_unit(site: Site, port: int) -> str:
    """Return `lane-enrol.service`, the head's: it lets machines in, and has the authority's key to itself."""
    return f"""\
[Unit]
Description=private-lane enrolment: lets machines of this site join
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
User=lane-enrol
Group=lane-enrol
ExecStart=/opt/lane/bin/lane cluster enrol --port {port}
TimeoutStopSec=30
{HARDENING}ReadWritePaths=/var/lib/lane-enrol
InaccessiblePaths=-/etc/lane/door.env -/var/lib/lane-door -/var/lib/lane
PrivateTmp=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
{addresses(site.nodes)}
[Install]
WantedBy=multi-user.target
"""


def metrics_unit(site: Site) -> str:
    """Return `lane-metrics.service`, of nodes without an ingress: what their engines say of themselves, for Prometheus to ask."""
    return f"""\
[Unit]
Description=private-lane metrics of this node's engines
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
User=lane
Group=lane
Environment=PROMETHEUS_MULTIPROC_DIR=/var/lib/lane/metrics
ExecStart=/opt/lane/bin/python -m serving.api.node_metrics --port {NODE_METRICS_PORT}
{HARDENING}ReadWritePaths=/var/lib/lane/metrics
InaccessiblePaths=-/etc/lane/door.env -/var/lib/lane-door -/var/lib/lane-enrol
PrivateTmp=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
{addresses([*site.nodes, *site.clients])}
[Install]
WantedBy=multi-user.target
"""


def weights_unit() -> str:
    """Return `lane-weights.service`: it reads every model's every byte once a week, when nobody else wants the disk, and reaches nobody."""
    return f"""\
[Unit]
Description=private-lane weights: are they still the bytes that were fetched?

[Service]
Type=exec
User=lane
Group=lane
Environment=LANE_HOME=/var/lib/lane LANE_MODELS=/srv/lane/models
ExecStart=/opt/lane/bin/lane models verify --due 7 --every 6 --mib-per-second 200 --json
Nice=19
IOSchedulingClass=idle
{HARDENING}ReadWritePaths=-{SEALS}
InaccessiblePaths=-/etc/lane/door.env -/var/lib/lane-door -/var/lib/lane-enrol
PrivateTmp=yes
RestrictAddressFamilies=AF_UNIX
{addresses(())}
[Install]
WantedBy=multi-user.target
"""


def ray_variables(node: Node) -> Mapping[str, str]:
    """Return what everything in Ray on this machine has in its environment: `ray.env`. Where secrets lie, and none of them."""
    variables = ray_environment({}, provider_keys=()) | {
        "RAY_AUTH_TOKEN_PATH": "/etc/lane/ray.token",
        "RAY_USE_TLS": "1",
        "RAY_TLS_SERVER_CERT": "/etc/lane/tls/cert.pem",
        "RAY_TLS_SERVER_KEY": "/etc/lane/tls/key.pem",
        "RAY_TLS_CA_CERT": "/etc/lane/tls/ca.pem",
        "RAY_gcs_rpc_server_reconnect_timeout_s": str(_GCS_AWAY_SECONDS),
        "PROMETHEUS_MULTIPROC_DIR": "/var/lib/lane/metrics",
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": "/var/lib/lane/haproxy/haproxy.cfg",
        "RAY_SERVE_HAPROXY_SOCKET_PATH": "/var/lib/lane/haproxy/admin.sock",
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": "/var/lib/lane/haproxy/metrics.sock",
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": "/var/lib/lane/haproxy",
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": "/var/lib/lane/haproxy/server-state",
        "TMPDIR": "/var/lib/lane/scratch",
        "VLLM_RPC_BASE_PATH": "/var/lib/lane/scratch",
    }
    if node.head:
        variables |= {"RAY_gcs_storage": "rocksdb", "RAY_gcs_storage_path": "/var/lib/lane/gcs"}
    return dict(sorted(variables.items()))


def environment_file(variables: Mapping[str, str]) -> str:
    """Return variables as systemd reads them."""
    return "".join(f"{name}={value}\n" for name, value in variables.items())
