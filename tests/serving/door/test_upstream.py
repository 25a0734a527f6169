"""Nothing is sent to anybody but the provider that the bundle names: by certificate, by key, by address."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import ValidationError

from router.bundle.files import Hosted, LaneSpec
from router.errors import LaneUnreachable
from router.lane import Stop
from serving.door.upstream import transport_to
from tests.providers.certificates import Authority
from tests.providers.stand_in import StandIn
from tests.serving.door.kit import OpenDoor, a_call, a_lane, hosted_of, open_door


@dataclass
class Secured:
    """A stand-in that speaks TLS, the authority behind its certificate, and its key's pin."""

    provider: StandIn
    authority: Authority
    pin: str

    def lane(self, **changes: Any) -> LaneSpec:
        fields = {"base_url": self.provider.base_url, "ca_pem": self.authority.pem, "pin_sha256": (self.pin,)}
        lane = a_lane(connect_seconds=5.0)
        hosted = Hosted.model_validate(hosted_of(lane).model_dump() | fields | changes)
        return lane.model_copy(update={"hosted": hosted})


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[Secured]:
    authority = Authority()
    identity = authority.identity("127.0.0.1")
    with StandIn(tls=identity.server_context(tmp_path)) as provider:
        yield Secured(provider, authority, identity.pin)


def refused(door: OpenDoor, provider: StandIn) -> str:
    """The door's reason for sending nothing; it tried once."""
    with pytest.raises(LaneUnreachable) as raised:
        door.ask(a_call())
    assert provider.received == []
    assert [entry.event.kind for entry in door.entries()] == ["intent", "outcome"]
    return raised.value.because


def test_the_pinned_key_under_the_lane_s_own_authority_is_sent_to(tmp_path: Path, secured: Secured) -> None:
    with open_door(tmp_path, secured.provider, secured.lane()) as door:
        first, second = door.ask(a_call("one")), door.ask(a_call("two"))

    assert isinstance(first[-1], Stop)
    assert isinstance(second[-1], Stop)
    assert len(secured.provider.received) == 2


def test_one_of_several_pins_is_enough_so_that_a_key_can_be_changed(tmp_path: Path, secured: Secured) -> None:
    following = Authority().identity("127.0.0.1").pin
    with open_door(tmp_path, secured.provider, secured.lane(pin_sha256=(following, secured.pin))) as door:
        assert isinstance(door.ask(a_call())[-1], Stop)


def test_another_key_under_a_good_certificate_gets_nothing_and_is_not_tried_again(
    tmp_path: Path, secured: Secured
) -> None:
    lane = secured.lane(pin_sha256=(Authority().identity("127.0.0.1").pin,))
    with open_door(tmp_path, secured.provider, lane) as door:
        assert "another key than the pinned ones" in refused(door, secured.provider)


def test_the_pinned_key_without_a_good_certificate_gets_nothing(tmp_path: Path, secured: Secured) -> None:
    lane = secured.lane(ca_pem=Authority().pem)
    with open_door(tmp_path, secured.provider, lane) as door:
        assert "can't be reached" in refused(door, secured.provider)


def test_a_certificate_for_another_name_gets_nothing(tmp_path: Path, secured: Secured) -> None:
    with StandIn(tls=secured.provider.tls, host="127.0.0.2") as elsewhere:
        lane = secured.lane(base_url=elsewhere.base_url)
        with open_door(tmp_path, elsewhere, lane) as door:
            assert "can't be reached" in refused(door, elsewhere)


def test_the_system_s_authorities_do_not_vouch_for_a_stranger(tmp_path: Path, secured: Secured) -> None:
    with open_door(tmp_path, secured.provider, secured.lane(ca_pem=None)) as door:
        assert "can't be reached" in refused(door, secured.provider)


@pytest.mark.parametrize("tls", [True, False])
def test_an_address_outside_the_lane_s_networks_gets_not_even_a_handshake(
    tmp_path: Path, secured: Secured, tls: bool
) -> None:
    with StandIn() as plain:
        provider = secured.provider if tls else plain
        changes = {"addresses": ("10.0.0.0/8", "2001:db8::/32")}
        lane = (
            secured.lane(**changes)
            if tls
            else secured.lane(base_url=plain.base_url, ca_pem=None, pin_sha256=(), **changes)
        )
        with open_door(tmp_path, provider, lane) as door:
            assert "address that is not one of the lane's" in refused(door, provider)


def test_an_address_within_the_lane_s_networks_is_sent_to(tmp_path: Path, secured: Secured) -> None:
    with open_door(tmp_path, secured.provider, secured.lane(addresses=("10.0.0.0/8", "127.0.0.0/30"))) as door:
        assert isinstance(door.ask(a_call())[-1], Stop)


def test_a_connection_made_for_one_lane_is_never_used_for_another(tmp_path: Path, secured: Secured) -> None:
    strict = secured.lane(pin_sha256=(Authority().identity("127.0.0.1").pin,)).model_copy(update={"name": "strict"})
    with open_door(tmp_path, secured.provider, secured.lane()) as door:
        door.ask(a_call())
        sender = door.door.sender

        async def to_the_strict_one() -> None:
            async for _ in sender.stream(strict, hosted_of(strict), b'{"stream":true}'):
                pass

        with pytest.raises(LaneUnreachable, match="another key"):
            asyncio.run(to_the_strict_one())

    assert len(secured.provider.received) == 1


def test_a_transport_follows_no_environment(secured: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    async def ask() -> int:
        transport = transport_to(hosted_of(secured.lane()))
        async with httpx2.AsyncClient(transport=transport, trust_env=False) as client:
            return (await client.post(secured.provider.base_url, content=b"{}")).status_code

    assert asyncio.run(ask()) == 401


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"base_url": "http://api.openai.com/v1"}, "https://"),
        ({"base_url": "http://10.0.0.1/v1"}, "https://"),
        ({"base_url": "ftp://127.0.0.1/v1"}, "https://"),
        ({"base_url": "https:///v1"}, "https://"),
        ({"base_url": "http://127.0.0.1.example.com/v1"}, "https://"),
        ({"base_url": "http://127.0.0.1/v1", "ca_pem": "x"}, "need a `base_url` with https"),
        ({"pin_sha256": ["sha256//abc"]}, "pattern"),
        ({"addresses": ["api.openai.com"]}, "network"),
    ],
)
def test_a_lane_that_could_be_read_on_the_way_is_no_lane(fields: dict[str, Any], says: str) -> None:
    good = hosted_of(a_lane("https://api.openai.com/v1")).model_dump()

    with pytest.raises(ValidationError, match=says):
        Hosted.model_validate(good | fields)


@pytest.mark.parametrize("address", ["http://127.0.0.1:8080/v1", "http://localhost/v1", "http://[::1]/v1"])
def test_this_machine_may_be_spoken_to_in_the_clear(address: str) -> None:
    assert hosted_of(a_lane(address)).base_url == address
