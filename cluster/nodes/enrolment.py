"""How does the head let a machine in? A small HTTPS service that sees a token, signs a key, and hands over what Ray asks for.

It runs under a user of its own, apart from Ray: whoever runs code in Ray must not reach the authority's key. `GET /v1/authority` is for
whoever does not trust it yet and holds the answer against the token's fingerprint; nothing secret is said before.
"""

import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TypeVar

import orjson
import uvicorn
from pydantic import SecretStr, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from cluster.authority import CLIENT, SERVER, Authority, fingerprint, requested_key
from cluster.network.site import Site
from cluster.nodes.errors import AddressesUnfit, JoinRefused, NodeUnknown
from cluster.nodes.inventory import Node
from cluster.nodes.register import Register
from cluster.nodes.wire import (
    AUTHORITY_PATH,
    BODY_BYTES_AT_MOST,
    ENROL_PATH,
    NODE_PATH,
    EnrolAnswer,
    EnrolRequest,
    NodeQuestion,
)
from router.contract import Frozen
from router.errors import BadRequest, RouterError, outcome_of

log = logging.getLogger(__name__)

Asked = TypeVar("Asked", bound=NodeQuestion)

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Every node's certificate is good for these: a node's processes speak to one another there, and nobody else reaches them."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What the head lets machines in by. `nodes` reads the inventory, anew for each. `days`: how long a node's certificate is good."""

    authority: Authority
    register: Register
    nodes: Callable[[], tuple[Node, ...]]
    site: Site
    ray_address: str
    ray_token: SecretStr
    door_unit: str | None
    days: int

    def node(self, asked: NodeQuestion) -> Node:
        """Return what the inventory says of a machine that may join. Raises a `JoinRefused`."""
        # The token first, so that whoever holds none learns nothing of the inventory.
        self.register.check_token(asked.token_id, asked.secret.get_secret_value())
        nodes = {node.name: node for node in self.nodes()}
        node = nodes.get(asked.name)
        if node is None or node.head:
            because = "is the head's own name" if node else f"is not in the inventory ({', '.join(sorted(nodes))})"
            raise NodeUnknown(f"{asked.name} {because}: nodes.yaml on the head says which nodes there are")
        return node

    def enrol(self, asked: EnrolRequest, peer: str) -> EnrolAnswer:
        """Let a node in, or raise a `JoinRefused` that says why not. `peer`: the address from which it asks."""
        node = self.node(asked)
        key = requested_key(asked.signing_request.encode())
        addresses = _own_addresses(asked, node, peer)

        def certify() -> tuple[str, bytes]:
            reached_at = [node.name, *addresses, *(one for one in LOOPBACK if one not in addresses)]
            pem = self.authority.issue(node.name, reached_at, [SERVER, CLIENT], key, self.days)
            return fingerprint(pem), pem

        secret = asked.secret.get_secret_value()
        certificate = self.register.let_in(asked.token_id, secret, node.name, addresses, certify)
        log.info("%s was let in from %s with token %s", node.name, peer, asked.token_id)
        return EnrolAnswer(
            certificate=certificate.decode(),
            ray_token=self.ray_token if node.in_ray else None,
            node=node,
            ray_address=self.ray_address,
            nodes=self.site.nodes,
            clients=self.site.clients,
            door_unit=self.door_unit if node.may_reach_out else None,
        )


def _own_addresses(asked: EnrolRequest, node: Node, peer: str) -> list[str]:
    """Return the addresses for the certificate. Raises `AddressesUnfit`: a node must ask from one of them, and keep to the inventory's."""
    addresses = [str(address) for address in asked.addresses]
    if str(ip_address(peer)) not in addresses and not ip_address(peer).is_loopback:
        raise AddressesUnfit(f"{peer} asks for a certificate over {', '.join(addresses)}, and is none of these")
    if node.address is not None and str(node.address) not in addresses:
        raise AddressesUnfit(f"{node.name} is {node.address} in the inventory, and {', '.join(addresses)} here")
    return addresses


def enrolment_app(enrolment: Enrolment) -> Starlette:
    """Return the ASGI application."""

    async def authority(_request: Request) -> Response:
        return PlainTextResponse(enrolment.authority.pem, media_type="application/x-pem-file")

    async def node(request: Request) -> Response:
        asked = await _read(request, NodeQuestion)
        return _answer(await run_in_threadpool(enrolment.node, asked))

    async def enrol(request: Request) -> Response:
        asked = await _read(request, EnrolRequest)
        peer = request.client.host if request.client is not None else ""
        try:
            return _answer(await run_in_threadpool(enrolment.enrol, asked, peer))
        except JoinRefused as refused:
            log.warning("%s, asking from %s, was refused: %s", asked.name, peer, refused.code)
            raise

    return Starlette(
        routes=[
            Route(AUTHORITY_PATH, authority),
            Route(NODE_PATH, _told(node), methods=["POST"]),
            Route(ENROL_PATH, _told(enrol), methods=["POST"]),
        ]
    )


def _answer(value: Frozen) -> Response:
    return Response(value.model_dump_json(), media_type="application/json", headers={"cache-control": "no-store"})


async def _read(request: Request, kind: type[Asked]) -> Asked:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_BYTES_AT_MOST:
            raise BadRequest(f"a request to join takes at most {BODY_BYTES_AT_MOST} bytes")
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        # Where, and not what: the body holds a secret.
        places = sorted({".".join(str(step) for step in fault["loc"]) for fault in error.errors(include_input=False)})
        raise BadRequest(f"a request to join is wrong in: {', '.join(places) or 'its form'}") from None


def _told(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Answer a `RouterError` as the one table says."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except RouterError as error:
            outcome = outcome_of(error)
            body = orjson.dumps({"error": {"code": outcome.code, "message": str(error)}})
            return Response(body, status_code=outcome.status, media_type="application/json")

    return answer


def enrolment_server(enrolment: Enrolment, host: str, port: int, certificate: Path, key: Path) -> uvicorn.Server:
    """Return the server, to be run. TLS 1.3 alone; the certificate is one of the authority's own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(certificate, key)
    return uvicorn.Server(
        uvicorn.Config(
            enrolment_app(enrolment),
            host=host,
            port=port,
            lifespan="off",
            access_log=False,
            log_level="warning",
            server_header=False,
            proxy_headers=False,
            limit_concurrency=64,
            timeout_keep_alive=5,
            ssl_context_factory=lambda *_: context,
        )
    )
