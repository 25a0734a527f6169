import ssl
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from cluster.authority import fingerprint, new_key, signing_request
from cluster.nodes.admission import admit
from cluster.nodes.errors import AlreadySetUp, HeadUnreachable, JoinRefused, NodeUnfit, NotTheHead
from cluster.nodes.gpu_state import GpuState, NoGpus
from cluster.nodes.joining import Head
from cluster.nodes.layout import Layout
from cluster.nodes.register import Register
from cluster.nodes.setup import new_token, this_node
from cluster.nodes.tokens import JoinToken
from tests.cluster.nodes.heads import NODES, Clock, a_head, enrolling

HERE = ("127.0.0.1",)
H100 = GpuState(0, "NVIDIA H100 80GB HBM3", "GPU-0", 81_559 << 20, "580.1", 0, False, False, (), "ready")
TWO_H100 = NoGpus((H100, replace(H100, index=1)))


@pytest.fixture(scope="module")
def head_files(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return a_head(tmp_path_factory.mktemp("head"))


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def address(head_files: Layout, clock: Clock) -> Iterator[str]:
    with enrolling(head_files, clock) as at:
        yield at


@pytest.fixture
def token(head_files: Layout, clock: Clock) -> Iterator[JoinToken]:
    yield new_token(head_files, 600, 1, clock)
    for name in ("gpu-1", "cpu-1", "edge-1"):
        Register(head_files.register, clock).forget(name)


def code_of(refused: pytest.ExceptionInfo[JoinRefused]) -> str:
    return refused.value.code


def test_a_machine_with_a_token_gets_a_certificate_of_its_own_and_rays_token(
    head_files: Layout, address: str, token: JoinToken
) -> None:
    given = Head.find(address, token, "cpu-1").enrol(HERE)

    certificate = x509.load_pem_x509_certificate(given.answer.certificate.encode())
    store = Store([x509.load_pem_x509_certificate(head_files.authority.read_bytes())])
    PolicyBuilder().store(store).build_server_verifier(x509.DNSName("cpu-1")).verify(certificate, [])
    assert given.answer.ray_token is not None
    assert given.answer.ray_token.get_secret_value() == head_files.ray_token.read_text()
    assert given.answer.node == NODES[2]
    assert given.answer.ray_address == "127.0.0.1:6379"


def test_a_token_for_one_lets_in_one(address: str, token: JoinToken) -> None:
    Head.find(address, token, "cpu-1").enrol(HERE)

    with pytest.raises(JoinRefused, match="used up") as refused:
        Head.find(address, token, "gpu-1").enrol(HERE)

    assert code_of(refused) == "join_token_used_up"


def test_a_token_whose_time_is_over_lets_nobody_in(address: str, token: JoinToken, clock: Clock) -> None:
    clock.now += 600

    with pytest.raises(JoinRefused, match="time is over") as refused:
        Head.find(address, token, "cpu-1").enrol(HERE)

    assert code_of(refused) == "join_token_expired"


@pytest.mark.parametrize("altered", [{"secret": "A" * 43}, {"id": "0" * 8}])
def test_an_altered_token_is_an_unknown_one_and_learns_nothing_of_the_inventory(
    address: str, token: JoinToken, altered: dict[str, str]
) -> None:
    head = Head.find(address, replace(token, **altered), "no-such-node")

    with pytest.raises(JoinRefused, match="knows no such join token") as refused:
        head.node()

    assert code_of(refused) == "join_token_unknown"


def test_a_head_with_another_authority_is_told_no_secret(
    tmp_path: Path, address: str, token: JoinToken, clock: Clock
) -> None:
    other = new_token(a_head(tmp_path), 600, 1, clock)

    with pytest.raises(NotTheHead, match="nothing was told to it"):
        Head.find(address, replace(token, fingerprint=other.fingerprint), "cpu-1")


def test_a_name_that_has_joined_is_not_given_twice(
    head_files: Layout, address: str, token: JoinToken, clock: Clock
) -> None:
    Head.find(address, token, "cpu-1").enrol(HERE)

    with pytest.raises(JoinRefused, match="lane cluster leave cpu-1") as refused:
        Head.find(address, new_token(head_files, 600, 1, clock), "cpu-1").enrol(HERE)

    assert code_of(refused) == "node_taken"


@pytest.mark.parametrize(("name", "says"), [("gpu-9", "is not in the inventory"), ("head-1", "is the head's own name")])
def test_who_is_not_in_the_inventory_is_not_let_in(address: str, token: JoinToken, name: str, says: str) -> None:
    with pytest.raises(JoinRefused, match=says) as refused:
        Head.find(address, token, name).enrol(HERE)

    assert code_of(refused) == "node_unknown"


def test_a_request_that_its_own_key_did_not_sign_uses_nothing_up(
    head_files: Layout, address: str, token: JoinToken
) -> None:
    context = ssl.create_default_context(cadata=head_files.authority.read_text())
    request = signing_request("cpu-1", new_key()).decode()
    body = {"token_id": token.id, "secret": token.secret, "name": "cpu-1", "addresses": HERE}

    refused = httpx2.post(
        f"https://{address}/v1/enrol",
        json={**body, "signing_request": request.replace("M", "N", 1)},
        verify=context,
        trust_env=False,
    )
    malformed = httpx2.post(f"https://{address}/v1/enrol", json=body, verify=context, trust_env=False)

    assert refused.json()["error"]["code"] == "certificate_request_unfit"
    assert malformed.json()["error"]["message"] == "a request to join is wrong in: signing_request"
    assert token.secret not in refused.text + malformed.text
    Head.find(address, token, "cpu-1").enrol(HERE)


def test_the_doors_machine_gets_a_unit_and_no_token_of_rays(address: str, token: JoinToken) -> None:
    given = Head.find(address, token, "edge-1").enrol(HERE).answer

    assert given.ray_token is None
    assert given.door_unit is not None
    assert "203.0.113.0/24" in given.door_unit


def test_nobody_at_the_address_is_told_with_what_to_look_at(token: JoinToken) -> None:
    with pytest.raises(HeadUnreachable, match=r"does lane-enrol\.service run there"):
        Head.find("127.0.0.1:9", token, "cpu-1")


def test_the_head_keeps_a_tokens_hash_alone(head_files: Layout, token: JoinToken) -> None:
    kept = head_files.register.read_bytes()

    assert token.id.encode() in kept
    assert token.secret.encode() not in kept
    assert token.secret not in repr(token)
    assert fingerprint(head_files.authority.read_bytes()) == token.fingerprint


def test_a_fit_machine_joins_and_offers_private(tmp_path: Path, address: str, token: JoinToken) -> None:
    layout = Layout(tmp_path)

    admitted = admit(layout, Head.find(address, token, "gpu-1"), HERE, (), TWO_H100, None)

    unit = (layout.units / "lane-ray.service").read_text()
    assert admitted.node == NODES[1]
    assert str(this_node(layout).node.address) == "127.0.0.1"
    assert "--node-ip-address=127.0.0.1" in unit
    assert '"private":1000' in unit
    assert '"gpu_h100":1000' in unit
    assert "--address=127.0.0.1:6379" in unit
    written = {path.name for path in layout.units.iterdir()}
    assert {"lane-ray.service", "lane-check.service", "lane-check.timer"} <= written
    assert "lane-door.service" not in written
    for secret in (layout.ray_token, layout.tls / "key.pem"):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    with pytest.raises(AlreadySetUp, match="lane cluster leave"):
        admit(layout, Head.find(address, token, "gpu-1"), HERE, (), TWO_H100, None)


@pytest.mark.parametrize(
    "reader",
    [
        NoGpus(),
        NoGpus((replace(H100, uncorrected_errors=3), replace(H100, index=1))),
        NoGpus((H100, replace(H100, index=1, fabric="not ready"))),
    ],
)
def test_a_machine_that_fails_a_check_gets_no_private_and_uses_no_token_up(
    tmp_path: Path, address: str, token: JoinToken, reader: NoGpus
) -> None:
    head = Head.find(address, token, "gpu-1")

    with pytest.raises(NodeUnfit, match="nothing was written"):
        admit(Layout(tmp_path), head, HERE, (), reader, None)

    assert list(tmp_path.iterdir()) == []
    head.enrol(HERE)
