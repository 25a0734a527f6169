"""A door on another machine: reached over mTLS by those whom the site's authority vouches for, and by nobody else."""

import asyncio
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from cluster.certificates import certificates
from router.bundle import load_bundle
from router.errors import LaneUnreachable
from serving.door.tls import TlsUnusable, router_context
from serving.door.wire import DoorStatus
from serving.hosted import door_client_of, door_status
from serving.secrets import ensure_secrets
from serving.settings import Settings, read_settings
from tests.serving.door.kit import wait_for

pytestmark = pytest.mark.slow

STARTER = Path(__file__).parents[3] / "config" / "starter"


def put(files: Mapping[str, bytes], side: str, folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (folder / name).write_bytes(files[f"{side}/{name}"])


def seen_by(home: Path, settings: Settings, files: Mapping[str, bytes], side: str = "router") -> Settings:
    """The settings of a node with these certificates."""
    node = settings.model_copy(update={"home": home})
    put(files, side, node.door_tls_folder)
    return node


def status_for(settings: Settings) -> DoorStatus:
    async def scenario() -> DoorStatus:
        async with door_client_of(settings) as client:
            return await door_status(client)

    return asyncio.run(scenario())


@pytest.fixture(scope="module")
def site() -> Mapping[str, bytes]:
    return certificates(["127.0.0.1"], days=1)


@pytest.fixture(scope="module")
def door(site: Mapping[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A door process behind mTLS on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home = tmp_path_factory.mktemp("door")
    settings = read_settings(STARTER).model_copy(update={"home": home, "door": f"https://127.0.0.1:{port}"})
    ensure_secrets(settings, load_bundle(STARTER))
    put(site, "door", settings.door_tls_folder)
    command = [sys.executable, "-m", "serving.door.main", "--settings", settings.model_dump_json()]
    process = subprocess.Popen([*command, "--parent", str(os.getpid())])
    try:
        wait_for(lambda: True if _accepts(port) else None, 60)
        yield settings
    finally:
        process.terminate()
        assert process.wait(15) == 0


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_node_with_the_sites_certificate_is_heard(door: Settings, site: Mapping[str, bytes], tmp_path: Path) -> None:
    node = seen_by(tmp_path / "node", door, site)

    assert status_for(node).bundle_hash == load_bundle(STARTER).hash
    assert not door.door_socket.exists()


def test_a_certificate_of_another_authority_opens_nothing(door: Settings, tmp_path: Path) -> None:
    stranger = seen_by(tmp_path / "node", door, certificates(["127.0.0.1"], days=1))

    with pytest.raises(LaneUnreachable):
        status_for(stranger)


def test_a_strangers_certificate_opens_nothing_even_where_the_door_is_believed(
    door: Settings, site: Mapping[str, bytes], tmp_path: Path
) -> None:
    node = seen_by(tmp_path / "node", door, certificates(["127.0.0.1"], days=1))
    (node.door_tls_folder / "ca.pem").write_bytes(site["router/ca.pem"])

    with pytest.raises(LaneUnreachable):
        status_for(node)


def test_without_a_certificate_nobody_is_heard(door: Settings, site: Mapping[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(site["router/ca.pem"])
    believing = ssl.create_default_context(cafile=tmp_path / "ca.pem")

    assert _answered(int(str(door.door).rpartition(":")[2]), believing) == b""


def _answered(port: int, context: ssl.SSLContext) -> bytes:
    """What the door says to a request. In TLS 1.3 a server's refusal comes after the client's side is done: as an alert, or as the end."""
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as tls,
        ):
            tls.sendall(b"GET /status HTTP/1.1\r\nHost: door\r\n\r\n")
            return tls.recv(100)
    except (ssl.SSLError, ConnectionError):
        return b""


def test_the_doors_own_certificate_is_no_routers(door: Settings, site: Mapping[str, bytes], tmp_path: Path) -> None:
    posing = seen_by(tmp_path / "node", door, site, side="door")

    with pytest.raises(LaneUnreachable):
        status_for(posing)


def test_a_door_of_another_name_is_not_believed(door: Settings, site: Mapping[str, bytes], tmp_path: Path) -> None:
    node = seen_by(tmp_path / "node", door, site)
    elsewhere = node.model_copy(update={"door": str(door.door).replace("127.0.0.1", "localhost")})

    with pytest.raises(LaneUnreachable):
        status_for(elsewhere)


def test_certificates_that_are_missing_are_named_with_what_makes_them(tmp_path: Path) -> None:
    with pytest.raises(TlsUnusable, match="lane cluster certificates"):
        router_context(tmp_path)


def test_certificates_run_out(tmp_path: Path) -> None:
    from cryptography import x509

    files = certificates(["door.internal", "10.20.0.9"], days=90)
    certificate = x509.load_pem_x509_certificate(files["door/cert.pem"])

    days = (certificate.not_valid_after_utc.timestamp() - time.time()) / 86_400
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert 89.9 < days < 90.1
    assert [str(one.value) for one in names] == ["door.internal", "10.20.0.9"]
