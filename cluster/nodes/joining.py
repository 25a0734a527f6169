"""How does a machine ask to be let in? It finds the head by the token's fingerprint, and tells its secret to nobody else.

First the authority's certificate, from a connection that nobody vouches for; if its fingerprint is the token's, all else goes over a
connection that this authority vouches for. A node's private key never leaves it: the head signs a request made with it.
"""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self, TypeVar

import httpx2
import orjson
from pydantic import SecretStr, ValidationError

from cluster.authority import fingerprint, key_pem, new_key, signing_request
from cluster.nodes.errors import HeadUnreachable, JoinRefused, NotTheHead
from cluster.nodes.inventory import Node
from cluster.nodes.tokens import JoinToken
from cluster.nodes.wire import AUTHORITY_PATH, ENROL_PATH, NODE_PATH, EnrolAnswer, EnrolRequest, NodeQuestion
from router.contract import Frozen

ENROL_PORT: Final = 8444
_SECONDS: Final = 20.0
Answer = TypeVar("Answer", bound=Frozen)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a node was given: the authority's certificate, and its own key beside the head's answer. All PEM."""

    authority_pem: bytes
    key_pem: bytes
    answer: EnrolAnswer


class Head:
    """The head as a machine with a join token sees it. Made by `find`."""

    def __init__(self, base: str, authority_pem: bytes, token: JoinToken, name: str) -> None:
        """`name`: the one under which this machine wants to join."""
        self._base, self._authority_pem, self._token, self._name = base, authority_pem, token, name
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_3
        self._context.load_verify_locations(cadata=authority_pem.decode())

    @classmethod
    def find(cls, head: str, token: JoinToken, name: str) -> Self:
        """Fetch the authority's certificate from `host` or `host:port` and hold it against the token.

        Raises `NotTheHead` or `HeadUnreachable`.
        """
        base = f"https://{head if _has_port(head) else f'{head}:{ENROL_PORT}'}"
        nobody_vouches = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        nobody_vouches.check_hostname = False
        nobody_vouches.verify_mode = ssl.CERT_NONE  # INVARIANT: all that is believed of it is what the token pins.
        pem = _said(base, AUTHORITY_PATH, nobody_vouches, None).content
        try:
            seen = fingerprint(pem)
        except ValueError:
            seen = "none"
        if seen != token.fingerprint:
            raise NotTheHead(
                f"{base} shows another authority than the join token pins ({seen[:16]}… for {token.fingerprint[:16]}…); "
                "nothing was told to it. Is the address the head's, and the token that head's?"
            )
        return cls(base, pem, token, name)

    def node(self) -> Node:
        """Return what the inventory says of this machine. Raises `HeadUnreachable` or the `JoinRefused` that the head answered."""
        return self._asked(NODE_PATH, NodeQuestion.model_validate(self._who), Node)

    def enrol(self, addresses: Sequence[str]) -> Credentials:
        """Be let in with these addresses. Raises as `node` does."""
        key = new_key()
        request = signing_request(self._name, key).decode()
        asked = EnrolRequest.model_validate({**self._who, "addresses": addresses, "signing_request": request})
        answer = self._asked(ENROL_PATH, asked, EnrolAnswer)
        return Credentials(self._authority_pem, key_pem(key), answer)

    @property
    def _who(self) -> dict[str, Any]:
        return {"token_id": self._token.id, "secret": SecretStr(self._token.secret), "name": self._name}

    def _asked(self, path: str, question: Frozen, kind: type[Answer]) -> Answer:
        response = _said(self._base, path, self._context, question.model_dump_json().encode())
        if response.status_code != 200:
            raise _refusal(response)
        try:
            return kind.model_validate_json(response.content)
        except ValidationError:
            because = "does not answer as this version's head would: is lane the same on both?"
            raise HeadUnreachable(f"{self._base} {because}") from None


def _said(base: str, path: str, context: ssl.SSLContext, body: bytes | None) -> httpx2.Response:
    try:
        with httpx2.Client(verify=context, timeout=_SECONDS, trust_env=False) as client:
            return client.get(base + path) if body is None else client.post(base + path, content=body)
    except httpx2.HTTPError as error:
        because = str(error) or type(error).__name__
        raise HeadUnreachable(f"{base}: {because}; does lane-enrol.service run there, and is the port open?") from error


class _Refused(JoinRefused):
    """A refusal in the head's own words and under its code."""

    def __init__(self, message: str, code: str, status: int) -> None:
        super().__init__(message)
        self.code = code  # type: ignore[misc]  # Of this instance: the code is the head's.
        self.status = status  # type: ignore[misc]


def _refusal(response: httpx2.Response) -> JoinRefused:
    try:
        error = orjson.loads(response.content)["error"]
        return _Refused(str(error["message"]), str(error["code"]), response.status_code)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return JoinRefused(f"the head refused with HTTP {response.status_code} and no word")


def _has_port(head: str) -> bool:
    """Tell `host:8444` and `[::1]:8444` from a host alone, an IPv6 address among them."""
    return head.rpartition("]")[2].count(":") == 1
