import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography import x509

from cluster.authority import fingerprint
from cluster.environment import PROVIDER_KEYS
from cluster.examine import certificates
from cluster.nodes import NodesInvalid
from cluster.nodes.errors import AlreadySetUp, NotSetUp
from cluster.nodes.layout import Layout
from cluster.nodes.register import Register
from cluster.nodes.setup import forget_here, make_head, new_token, renew_head, this_node
from cluster.nodes.units import CHECK_TIMER, check_unit, ray_command, ray_unit
from tests.cluster.nodes.heads import NODES, SITE, STARTER, a_head, a_node


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return a_head(tmp_path_factory.mktemp("head"))


def units_of(layout: Layout) -> dict[str, str]:
    return {path.name: path.read_text() for path in layout.units.iterdir()}


def lines_of(unit: str, name: str) -> list[str]:
    return [line.partition("=")[2] for line in unit.splitlines() if line.partition("=")[0] == name]


def test_the_head_gets_ray_the_router_and_the_enrolment_service(head: Layout) -> None:
    assert set(units_of(head)) == {
        "lane-ray.service",
        "lane-weights.service",
        "lane-enrol.service",
        "lane-node.service",
    }
    assert this_node(head).ray_address == "127.0.0.1:6379"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed here")
def test_systemd_takes_the_units(head: Layout, tmp_path: Path) -> None:
    worker = {
        "worker.service": ray_unit(NODES[1], SITE, "10.20.0.11:6379"),
        "lane-check.service": check_unit(SITE),
        "lane-check.timer": CHECK_TIMER,
    }
    units = units_of(head) | worker
    for name, text in units.items():
        # systemd looks for the programs too.
        (tmp_path / name).write_text(re.sub("/opt/lane/bin/[a-z]+", "/bin/true", text))

    done = subprocess.run(
        ["systemd-analyze", "verify", *(str(tmp_path / name) for name in units)],
        check=False,
        capture_output=True,
        text=True,
    )

    assert not [line for line in done.stderr.splitlines() if any(name in line for name in units)]


def test_every_unit_comes_back_and_reaches_nobody_but_nodes_and_callers(head: Layout) -> None:
    for unit in units_of(head).values():
        assert lines_of(unit, "Restart") == ["always"]
        assert lines_of(unit, "IPAddressDeny") == ["any"]
        assert "203.0.113" not in unit


def test_ray_asks_for_a_token_and_speaks_tls_and_its_environment_holds_no_secret(head: Layout) -> None:
    written = dict(line.split("=", 1) for line in head.ray_environment_file.read_text().splitlines())

    assert written["RAY_AUTH_MODE"] == "token"
    assert written["RAY_USE_TLS"] == "1"
    assert written["RAY_gcs_storage"] == "rocksdb"
    assert head.ray_token.read_text() not in head.ray_environment_file.read_text()
    assert not PROVIDER_KEYS & set(written)


def test_secrets_are_their_owners_alone_and_appear_in_no_other_file(head: Layout) -> None:
    secrets = {
        head.authority_key,
        head.enrol / "key.pem",
        head.enrol / "ray.token",
        head.ray_token,
        head.tls / "key.pem",
    }
    for path in secrets:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(head.enrol.stat().st_mode) == 0o700
    told = [path for path in head.root.rglob("*") if path.is_file() and path not in secrets]
    for path in told:
        assert head.ray_token.read_bytes() not in path.read_bytes()
        assert b"PRIVATE KEY" not in path.read_bytes()


def test_the_key_of_the_authority_is_out_of_reach_for_whatever_runs_in_ray(head: Layout) -> None:
    units = units_of(head)

    assert "-/var/lib/lane-enrol" in lines_of(units["lane-ray.service"], "InaccessiblePaths")[0].split()
    assert lines_of(units["lane-enrol.service"], "User") != lines_of(units["lane-ray.service"], "User")


def test_a_node_without_private_does_not_offer_it() -> None:
    assert '"private"' not in " ".join(ray_command(a_node("n", private=False), "h:1"))
    assert '"private"' in " ".join(ray_command(a_node("n"), "h:1"))


def test_a_node_says_whose_law_it_is_under() -> None:
    assert "--labels=private-lane/jurisdiction=de" in ray_command(a_node("n"), "h:1")


def test_rays_dashboard_is_off_on_the_head() -> None:
    assert "--include-dashboard=false" in ray_command(NODES[0], "127.0.0.1:6379")


def test_nothing_is_written_over(head: Layout) -> None:
    with pytest.raises(AlreadySetUp):
        make_head(head, NODES, SITE, STARTER, ray_port=1, enrol_port=2)


def test_an_inventory_without_a_head_says_so(tmp_path: Path) -> None:
    with pytest.raises(NodesInvalid, match="head: true"):
        make_head(Layout(tmp_path), NODES[1:], SITE, STARTER, ray_port=1, enrol_port=2)


def test_tokens_are_made_on_the_head_alone(tmp_path: Path) -> None:
    with pytest.raises(NotSetUp, match="made on the head"):
        new_token(Layout(tmp_path), 60, 1)


def test_the_doctor_tells_until_when_the_heads_and_the_authoritys_certificates_are_good(
    head: Layout, tmp_path: Path
) -> None:
    found = {check.name: check.verdict for check in certificates(head.tls)}

    assert found == {"certificate": "ok", "authority": "ok"}
    assert certificates(tmp_path) == ()


def test_another_certificate_for_the_head_is_by_the_same_authority_and_for_the_same_addresses(tmp_path: Path) -> None:
    head = a_head(tmp_path)
    before = {path: path.read_bytes() for path in (head.tls / "cert.pem", head.tls / "key.pem", head.authority)}

    written = renew_head(head)

    old, new = (
        x509.load_pem_x509_certificate(pem)
        for pem in (before[head.tls / "cert.pem"], (head.tls / "cert.pem").read_bytes())
    )
    new.verify_directly_issued_by(x509.load_pem_x509_certificate(before[head.authority]))
    assert new.serial_number != old.serial_number
    assert names_of(new) == names_of(old)
    assert (head.tls / "key.pem").read_bytes() != before[head.tls / "key.pem"]
    assert (head.tls / "ca.pem").read_bytes() == before[head.authority]
    assert (head.enrol / "cert.pem").read_bytes() == (head.tls / "cert.pem").read_bytes()
    (joined,) = Register(head.register, lambda: 0.0).joined()
    assert joined.certificate_sha256 == fingerprint((head.tls / "cert.pem").read_bytes())
    assert {path.stat().st_mode & 0o777 for path in written if path.name == "key.pem"} == {0o600}


def names_of(certificate: x509.Certificate) -> x509.SubjectAlternativeName:
    return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value


def test_a_certificate_is_renewed_on_the_head_alone(tmp_path: Path) -> None:
    with pytest.raises(NotSetUp, match="the authority is on the head"):
        renew_head(Layout(tmp_path))


def test_leaving_removes_every_credential_and_unit(tmp_path: Path) -> None:
    layout = a_head(tmp_path)

    forget_here(layout)

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_the_router_serves_on_the_cluster_that_the_other_unit_runs_and_may_not_open_a_door(head: Layout) -> None:
    unit = units_of(head)["lane-node.service"]

    assert "LANE_RAY_ADDRESS=127.0.0.1:6379" in lines_of(unit, "Environment")
    assert lines_of(unit, "EnvironmentFile")[0] == "/etc/lane/ray.env"
    assert lines_of(unit, "ExecStart")[0].endswith("--no-door")
    assert lines_of(unit, "UnsetEnvironment") == ["OPENAI_API_KEY"]
