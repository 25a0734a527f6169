"""What do a joining machine and the head say to each other? JSON over TLS; the Ray token goes one way, once, to a node that was let in."""

from ipaddress import IPv4Address, IPv6Address
from typing import Final

from pydantic import Field, SecretStr, field_serializer

from cluster.network.site import HOST_NAME, Network
from cluster.nodes.inventory import Node
from router.contract import Frozen

AUTHORITY_PATH: Final = "/v1/authority"
NODE_PATH: Final = "/v1/node"
ENROL_PATH: Final = "/v1/enrol"
BODY_BYTES_AT_MOST: Final = 64 * 1024


class NodeQuestion(Frozen):
    """What does the inventory say of this machine? Whoever may join may ask, so that it can be looked at before anything is used up."""

    token_id: str = Field(max_length=64)
    secret: SecretStr
    name: str = Field(pattern=HOST_NAME)

    @field_serializer("secret", when_used="json")
    def _told(self, secret: SecretStr) -> str:
        return secret.get_secret_value()


class EnrolRequest(NodeQuestion):
    """`signing_request`: PEM. `addresses`: where other nodes reach this one; they go into its certificate."""

    addresses: tuple[IPv4Address | IPv6Address, ...] = Field(min_length=1, max_length=32)
    signing_request: str = Field(max_length=16 * 1024)


class EnrolAnswer(Frozen):
    """What a node needs: its certificate, Ray's token, what the inventory says of it, where the head is, and who may be spoken to.

    A machine that is the door's alone gets no token: it is no part of Ray. `door_unit`: for a machine that may reach out.
    """

    certificate: str
    ray_token: SecretStr | None
    node: Node
    ray_address: str
    nodes: tuple[Network, ...]
    clients: tuple[Network, ...]
    door_unit: str | None = None

    @field_serializer("ray_token", when_used="json")
    def _told(self, ray_token: SecretStr | None) -> str | None:
        return None if ray_token is None else ray_token.get_secret_value()
