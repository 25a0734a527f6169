"""Where does a server-side tool's answer come from? One source each: a Python function, an MCP server, an HTTP operation, SQL, LangChain.

A credential is the name of an environment variable, never a value. An address comes from here alone: nothing in a request, an argument or
a tool's own file can alter where a call goes.
"""

from ipaddress import ip_address
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, IPvAnyNetwork, model_validator

from router.contract import Frozen

Variable = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,127}$")]
Entry = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*:[A-Za-z_][A-Za-z0-9_]*$")]
"""`module:name`: the file is `tools/<module>.py` in the bundle."""


class PythonSource(Frozen):
    """A function of the bundle's own `tools/<module>.py`: arguments are its keywords, what it returns is the result.

    It runs in a worker process, which is killed when the tool's time is over. `env` are variables that it may read; without `network` the
    worker refuses to connect anywhere.
    """

    kind: Literal["python"] = "python"
    entry: Entry
    env: tuple[Variable, ...] = ()
    network: bool = False


class LangChainSource(Frozen):
    """A LangChain tool: `entry` names a `BaseTool` object in the bundle's `tools/<module>.py`. Runs as a Python function does."""

    kind: Literal["langchain"] = "langchain"
    entry: Entry
    env: tuple[Variable, ...] = ()
    network: bool = False


class McpSource(Frozen):
    """A tool of an MCP server: one that `command` starts (stdio), or one at `url` (streamable HTTP), with `bearer_env`'s token.

    The tool's `pin` is the hash of the server's raw definition of it: one that differs is refused until `lane tools approve`.
    """

    kind: Literal["mcp"] = "mcp"
    tool: str
    command: tuple[str, ...] = ()
    env: tuple[Variable, ...] = ()
    url: str | None = None
    bearer_env: Variable | None = None
    addresses: tuple[IPvAnyNetwork, ...] = ()

    @model_validator(mode="after")
    def _one_way(self) -> "McpSource":
        if bool(self.command) == (self.url is not None):
            raise ValueError("an MCP source has either `command` (stdio) or `url` (HTTP)")
        if self.url is not None:
            check_address(self.url)
        return self


class Credential(Frozen):
    """What an HTTP operation is authorised with: the variable that holds it, and the header that carries it after `prefix`."""

    env: Variable
    header: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$")] = "Authorization"
    prefix: str = "Bearer "


class OpenApiSource(Frozen):
    """One operation of an OpenAPI file, as `lane tools import openapi` wrote it: method, path, and where each argument goes.

    An argument that is in none of `path_parameters`, `query` and `headers` is a field of the `body`. `addresses`: the networks that the
    host may resolve to; none listed: any public one.
    """

    kind: Literal["openapi"] = "openapi"
    base_url: str
    operation: str
    method: Literal["get", "head", "options", "post", "put", "patch", "delete"]
    path: Annotated[str, Field(pattern=r"^/")]
    path_parameters: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    body: Literal["none", "json", "form"] = "none"
    idempotency_header: str | None = None
    fixed_headers: dict[str, str] = Field(default_factory=dict)
    credential: Credential | None = None
    addresses: tuple[IPvAnyNetwork, ...] = ()

    @model_validator(mode="after")
    def _unread_on_the_way(self) -> "OpenApiSource":
        check_address(self.base_url)
        return self


class SqlSource(Frozen):
    """One statement to PostgreSQL, with its arguments as `%(name)s`.

    It runs as a subquery in a read-only transaction, for at most `rows` rows, under a role that may change nothing. The result is
    `{"rows": [...], "truncated": false}`.
    """

    kind: Literal["sql"] = "sql"
    dsn_env: Variable
    statement: Annotated[str, Field(min_length=1, max_length=20_000)]
    rows: int = Field(default=100, ge=1, le=10_000)


ToolSource = Annotated[
    PythonSource | LangChainSource | McpSource | OpenApiSource | SqlSource, Field(discriminator="kind")
]


def leaves(source: ToolSource) -> bool:
    """Whether a call goes out over HTTP, which the door alone may do."""
    match source:
        case OpenApiSource():
            return True
        case McpSource():
            return source.url is not None
        case PythonSource() | LangChainSource() | SqlSource():
            return False


def credentials_of(source: ToolSource) -> tuple[str, ...]:
    """The variables that hold what an outward call is authorised with: they are for the door's environment alone."""
    match source:
        case OpenApiSource():
            return () if source.credential is None else (source.credential.env,)
        case McpSource():
            return () if source.bearer_env is None else (source.bearer_env,)
        case PythonSource() | LangChainSource() | SqlSource():
            return ()


def check_address(url: str) -> None:
    """Raise `ValueError` unless nobody on the way can read what goes to this address, and it hides no credential."""
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("an address holds no user, query or fragment; a credential is a variable's name")
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme != "http" or not _is_loopback(parts.hostname or ""):
        raise ValueError("an address begins with https:// (or http:// for an address of this machine alone)")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
