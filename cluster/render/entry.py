"""How do callers come in by TLS, whichever machine is down? Two hosts before the head: HAProxy on each, one address that moves (VRRP).

Serve's own entrance speaks plain HTTP. A host ends TLS and sends on to the head inside the nodes' network. A changed certificate is taken
up by a new process while the old one ends its streams: nothing is cut. Nothing is ever sent twice either: a request may have been
answered in part, or paid for.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from cluster.network.policies import INGRESS_PORT
from cluster.network.site import Entry, EntryHost, Network, Site, entry_of
from cluster.network.units import HARDENING, addresses
from cluster.nodes.inventory import Node
from router.bundle import Bundle

ENTRY_STATUS_PORT: Final = 8404
"""Whether a host is alive, and its figures for Prometheus."""
_FOLDER: Final = "/etc/lane-entry"
_CONFIG: Final = f"{_FOLDER}/haproxy.cfg"
_CERTIFICATE: Final = f"{_FOLDER}/tls/entry.pem"
_RUN: Final = "/run/lane-entry"
_PROGRAM: Final = "/usr/sbin/haproxy"
_MARGIN_SECONDS: Final = 15
"""The router ends a request by its own clock, and says why: the entry's must come after it."""
_CONNECTIONS: Final = 8192
_FIRST_PRIORITY: Final = 150


def entry_files(bundle: Bundle, site: Site, nodes: Sequence[Node]) -> Mapping[str, str]:
    """Return the entry's files, one set for all hosts but `keepalived.conf`; nothing for a site without one. Raises `SiteInvalid`."""
    entry = entry_of(site)
    head = next((node for node in nodes if node.head), None)
    if entry is None or head is None:
        return {}
    longest = round(bundle.longest_seconds) + _MARGIN_SECONDS
    files = {
        "entry/haproxy.cfg": haproxy_config(entry, site, str(head.address or head.name), longest),
        "entry/lane-entry.service": _unit(entry, site, longest),
        "entry/lane-entry-reload.service": _RELOAD,
        "entry/lane-entry-reload.path": _WATCH,
    }
    return files | {f"entry/{host.name}/keepalived.conf": _keepalived(entry, host) for host in entry.hosts}


def haproxy_config(
    entry: Entry,
    site: Site,
    head: str,
    longest_seconds: int,
    *,
    certificate: str = _CERTIFICATE,
    run: str = _RUN,
    ports: tuple[int, int] = (INGRESS_PORT, ENTRY_STATUS_PORT),
) -> str:
    """Return HAProxy's configuration. `ports`: the head's, and the one for status. A test names files and ports of its own."""
    ingress, status = ports
    ours = " ".join(str(network) for network in _askers(site))
    errors = "\n".join(f"    {_error(code)}" for code in (502, 503, 504))
    return f"""\
global
    log stdout format raw local0
    maxconn {_CONNECTIONS}
    stats socket {run}/admin.sock mode 600 level admin expose-fd listeners
    # A process that was replaced (another certificate, another configuration) ends its last streams, and then itself.
    hard-stop-after {longest_seconds}s
    ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets prefer-client-ciphers
    ssl-default-bind-ciphers ECDHE+AESGCM:ECDHE+CHACHA20
    ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256

defaults
    mode http
    log global
    # The longest that any request of the bundle may take. A stream may be silent meanwhile, and an answer in one piece is.
    timeout client {longest_seconds}s
    timeout server {longest_seconds}s
    timeout connect 5s
    timeout http-request 15s
    timeout http-keep-alive 60s
    # A connection that was not made is tried again. A request that was sent is not.
    retries 2
    retry-on conn-failure

frontend callers
    bind :{entry.port} ssl crt {certificate} alpn h2,http/1.1
    # Who, when, what path, how long: never a header, never a body.
    option httplog
    option dontlognull
    http-response set-header Strict-Transport-Security max-age=31536000
    # Figures of the inside are for the inside.
    http-request deny deny_status 404 if {{ path /metrics }}
{errors}
    default_backend head

backend head
    # Whether the router is alive, not whether every model answers (/readyz): there is one head, and while one model
    # starts again the others serve.
    option httpchk
    http-check send meth GET uri /healthz ver HTTP/1.1 hdr Host lane
    http-check expect status 200
    server head {_host(head)}:{ingress} check inter 2s fall 3 rise 1

frontend status
    bind :{status}
    no log
    monitor-uri /alive
    http-request deny unless {{ src {ours} }}
    http-request use-service prometheus-exporter if {{ path /metrics }}
    http-request deny deny_status 404
"""


def _askers(site: Site) -> Sequence[Network | str]:
    return ["127.0.0.0/8", "::1", *site.nodes, *site.clients]


def _error(status: int) -> str:
    """Return what a caller is told when nobody behind answers: in the shape of every other error, so that clients come again."""
    message = "the router does not answer the entry: try again"
    said = {"error": {"message": message, "type": "server_error", "param": None, "code": "entry_unavailable"}}
    quoted = json.dumps(said).replace('"', '\\"')
    return f'http-error status {status} content-type application/json string "{quoted}" hdr Retry-After 5'


def _unit(entry: Entry, site: Site, longest_seconds: int) -> str:
    reach = dict.fromkeys([*site.nodes, *site.clients, *entry.clients])
    return f"""\
[Unit]
Description=private-lane entry: TLS for callers, before the head
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
User=lane-entry
Group=lane-entry
RuntimeDirectory=lane-entry
ExecStartPre={_PROGRAM} -c -q -f {_CONFIG}
ExecStart={_PROGRAM} -Ws -f {_CONFIG}
ExecReload={_PROGRAM} -c -q -f {_CONFIG}
ExecReload=/bin/kill -USR2 $MAINPID
KillMode=mixed
KillSignal=SIGUSR1
SuccessExitStatus=143
TimeoutStopSec={longest_seconds + _MARGIN_SECONDS}
LimitNOFILE=65536
{HARDENING}CapabilityBoundingSet=CAP_NET_BIND_SERVICE
AmbientCapabilities=CAP_NET_BIND_SERVICE
PrivateTmp=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
{addresses(list(reach))}
[Install]
WantedBy=multi-user.target
"""


_WATCH: Final = f"""\
[Unit]
Description=private-lane entry: is there another certificate?

[Path]
PathChanged={_CERTIFICATE}
Unit=lane-entry-reload.service

[Install]
WantedBy=multi-user.target
"""

_RELOAD: Final = """\
[Unit]
Description=private-lane entry: take up another certificate; one that can't be read changes nothing

[Service]
Type=oneshot
ExecStart=/usr/bin/systemctl reload lane-entry.service
"""


def _keepalived(entry: Entry, host: EntryHost) -> str:
    """Return one host's part in the shared address. Who has it keeps it: a host that comes back must not cut the other's streams."""
    at = entry.hosts.index(host)
    peers = "\n".join(f"        {other.address}" for other in entry.hosts if other != host)
    return f"""\
global_defs {{
    router_id {host.name}
    vrrp_version 3
    enable_script_security
    script_user lane-entry
}}

vrrp_script entry_alive {{
    script "/usr/bin/curl -sf -m 1 -o /dev/null http://127.0.0.1:{ENTRY_STATUS_PORT}/alive"
    interval 2
    timeout 2
    fall 2
    rise 2
}}

vrrp_instance lane_entry {{
    state BACKUP
    nopreempt
    interface {host.interface}
    virtual_router_id {entry.virtual_router}
    priority {_FIRST_PRIORITY - at}
    advert_int 1
    unicast_src_ip {host.address}
    unicast_peer {{
{peers}
    }}
    virtual_ipaddress {{
        {entry.address} dev {host.interface}
    }}
    track_script {{
        entry_alive
    }}
}}
"""


def _host(head: str) -> str:
    return f"[{head}]" if ":" in head else head
