"""Where may text be answered, looked up and kept? `lanes.yaml`, and the models of `models.yaml` behind private lanes."""

from ipaddress import ip_address
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, IPvAnyNetwork, model_validator

from models.spec import ModelSpec, split_served_name
from router.contract import Frozen, Label


class ModelsFile(Frozen):
    """`models.yaml`: the open-weight models this cluster serves, one Ray Serve deployment each."""

    models: tuple[ModelSpec, ...]


class Timeouts(Frozen):
    """Seconds a lane is given: to connect, to the first token, between tokens, and for the whole answer (None: what the request has)."""

    connect_seconds: float = Field(default=5.0, gt=0)
    first_token_seconds: float = Field(default=30.0, gt=0)
    gap_seconds: float = Field(default=30.0, gt=0)
    total_seconds: float | None = Field(default=None, gt=0)


class Price(Frozen):
    """US dollars per million tokens.

    `cached_input_usd`: for those a provider says it had cached (None: as the others). Never more than `input_usd`: what is set aside for
    a call takes all of its input for new.
    """

    input_usd: float = Field(default=0.0, ge=0)
    cached_input_usd: float | None = Field(default=None, ge=0)
    output_usd: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _cached_is_no_dearer(self) -> "Price":
        if self.cached_input_usd is not None and self.cached_input_usd > self.input_usd:
            raise ValueError("cached_input_usd: cached input may not cost more than input_usd")
        return self

    @property
    def is_nothing(self) -> bool:
        """Whether nothing is paid, however much is asked and said."""
        return self == Price()


Pin = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{43}=$")]
"""Base64 of the SHA-256 of a certificate's public key, as `curl --pinnedpubkey` takes it after `sha256//`."""


HostedProtocol = Literal["openai_chat", "openai_responses", "anthropic_messages"]
SamplingField = Literal[
    "temperature", "top_p", "seed", "stop", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs"
]


class Dialect(Frozen):
    """In what respects an endpoint speaks its protocol otherwise than its maker. Said here, so that no code knows a provider's name.

    `output_limit`: the field for the answer's length. `stream_usage`: a stream's usage has to be asked for. `structured_output`: what
    the endpoint can hold an answer to; what it can't is asked for in words. `strict`: it knows that field of a schema's.
    `tool_call_ids`: `nine` letters and digits, no more and no less. `leaves_out`: decoding settings that the model does not take; a
    caller's are not sent.
    """

    output_limit: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    stream_usage: bool = True
    structured_output: Literal["json_schema", "json_object", "none"] = "json_schema"
    strict: bool = True
    tool_call_ids: Literal["any", "nine"] = "any"
    leaves_out: tuple[SamplingField, ...] = ()


_CHAT_ALONE: Final = frozenset({"output_limit", "stream_usage", "tool_call_ids"})
_NOT_MESSAGES: Final = _CHAT_ALONE | {"strict"}
_ENDINGS: Final = ("/chat/completions", "/responses", "/messages")


class Hosted(Frozen):
    """How the door reaches a hosted lane. The key stays in the door's environment: only the variable's name is here.

    `pin_sha256`: the provider's certificate must hold one of these keys. `ca_pem`: the authorities that may vouch for it, instead of the
    system's. `addresses`: the networks its name may resolve to. None listed: not restricted in that respect. `base_url`: what the
    protocol's path (`/chat/completions`, `/responses`, `/messages`) comes after.
    """

    provider: str
    protocol: HostedProtocol = "openai_chat"
    dialect: Dialect = Dialect()
    base_url: str
    model: str
    api_key_env: str
    region: str
    pin_sha256: tuple[Pin, ...] = ()
    ca_pem: str | None = None
    addresses: tuple[IPvAnyNetwork, ...] = ()

    @model_validator(mode="after")
    def _of_one_protocol(self) -> "Hosted":
        if self.base_url.rstrip("/").endswith(_ENDINGS):
            raise ValueError("`base_url` ends before the protocol's own path, which is added to it")
        alone = {"openai_chat": frozenset[str](), "openai_responses": _CHAT_ALONE, "anthropic_messages": _NOT_MESSAGES}
        if wrong := sorted(self.dialect.model_fields_set & alone[self.protocol]):
            raise ValueError(f"`dialect`: {', '.join(wrong)} says nothing under {self.protocol}; leave it out")
        if self.protocol == "anthropic_messages" and self.dialect.structured_output == "json_object":
            raise ValueError("`dialect`: anthropic_messages has no `json_object`; take json_schema or none")
        return self

    @model_validator(mode="after")
    def _unread_on_the_way(self) -> "Hosted":
        url = urlsplit(self.base_url)
        if url.scheme == "https" and url.hostname:
            return self
        if url.scheme != "http" or not _is_loopback(url.hostname or ""):
            raise ValueError("`base_url` begins with https:// (or http:// for an address of this machine alone)")
        if self.pin_sha256 or self.ca_pem:
            raise ValueError("`pin_sha256` and `ca_pem` need a `base_url` with https://")
        return self


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class RetrySpec(Frozen):
    """How often a lane is asked again after an error that may pass, and how long is waited: at random up to base x 2^n, at most the cap.

    `share`: retries are at most this part of the lane's requests, so that an outage is not made worse.
    """

    attempts: int = Field(default=1, ge=0, le=3)
    base_seconds: float = Field(default=0.25, gt=0)
    cap_seconds: float = Field(default=4.0, gt=0)
    share: float = Field(default=0.1, ge=0, le=1)


class BreakerSpec(Frozen):
    """When a lane is left alone: after so many failures within the window, for `open_seconds`; then so many probes have to succeed."""

    failures: int = Field(default=5, ge=1)
    window_seconds: float = Field(default=30.0, gt=0)
    open_seconds: float = Field(default=15.0, gt=0)
    probes: int = Field(default=1, ge=1)


class PeopleSpec(Frozen):
    """People who answer: the queue that a request waits in, and how long it may."""

    queue: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
    answer_within_seconds: float = Field(default=86_400.0, gt=0)


class LaneSpec(Frozen):
    """`lanes.yaml`, one entry: a way to have a request answered: by a private model, a hosted one, or people.

    A private lane names a model of `models.yaml` (and, if nodes stand in several, its `region`); a hosted one says how the door
    reaches it. `jurisdictions` are those whose data may rest or run there; `cleared_for` the categories a contract (a BAA, say)
    clears a hosted lane for; `redact` those that placeholders take the place of before a text goes there. A private lane's `model` may
    name one of its adapters (`base:adapter`). `determinism`: `exact` answers a request alike whatever else the model answers at the time.
    `n_plus` is a private lane's promise to go on when so many replicas of its model are lost, for traffic that has nowhere else to go
    (N+1); the check holds the model's replicas against it. `max_concurrency`: answers under way at a time, in each ingress replica.
    """

    name: str
    purpose: str = ""
    model: str | None = None
    hosted: Hosted | None = None
    people: PeopleSpec | None = None
    region: str | None = None
    context_tokens: int | None = Field(default=None, ge=256)
    jurisdictions: tuple[str, ...] = ()
    cleared_for: tuple[str, ...] = ()
    redact: tuple[str, ...] = ()
    n_plus: int = Field(default=0, ge=0)
    timeouts: Timeouts = Timeouts()
    max_concurrency: int | None = Field(default=None, ge=1)
    retry: RetrySpec = RetrySpec()
    breaker: BreakerSpec = BreakerSpec()
    price: Price = Price()
    determinism: Literal["any", "exact"] = "any"

    @model_validator(mode="after")
    def _of_one_kind(self) -> "LaneSpec":
        if sum(kind is not None for kind in (self.model, self.hosted, self.people)) != 1:
            raise ValueError("a lane has one of `model` (private), `hosted` and `people`")
        if self.hosted is not None and (self.region is not None):
            raise ValueError("a hosted lane's region stands under `hosted`")
        if self.hosted is not None and self.n_plus:
            raise ValueError("`n_plus` is for private lanes: a provider's replicas are its own")
        if self.hosted is None and self.redact:
            raise ValueError("`redact` is for hosted lanes: nothing leaves by a private one")
        if self.hosted is not None and self.determinism == "exact":
            raise ValueError("`determinism: exact` is for private lanes: no provider keeps it")
        return self

    @property
    def is_hosted(self) -> bool:
        """Whether an answer means that bytes leave the cluster."""
        return self.hosted is not None

    @property
    def where(self) -> str:
        """The region that answers; `home` where a private lane names none."""
        return self.hosted.region if self.hosted is not None else self.region or "home"

    @property
    def model_name(self) -> str:
        """The model that answers: of `models.yaml`, or the provider's; of people, their queue."""
        if self.people is not None:
            return f"people:{self.people.queue}"
        return self.hosted.model if self.hosted is not None else str(self.model)

    @property
    def base_model(self) -> str | None:
        """The entry of `models.yaml` that answers, without the adapter; None where the lane is hosted."""
        return None if self.model is None else split_served_name(self.model)[0]


class IndexSpec(Frozen):
    """`lanes.yaml`, one of `indexes`: passages to answer from. `label` is that of the passages, `jurisdictions` those it is kept under."""

    name: str
    label: Label = Label()
    jurisdictions: tuple[str, ...] = ()


class StoreSpec(Frozen):
    """`lanes.yaml`, one of `stores`: where something is kept. `evidence` is the one that every answer's evidence rests in."""

    name: str
    jurisdictions: tuple[str, ...] = ()


EVIDENCE: Final = "evidence"
Egress = Literal["open", "none"]
"""`none`: nothing leaves. For a whole bundle (`lanes.yaml`), a tenant or a route."""


class LanesFile(Frozen):
    """`lanes.yaml`: where text may be answered, looked up and kept. The order is the preference where lanes hold the same model."""

    egress: Egress = "open"
    lanes: tuple[LaneSpec, ...]
    indexes: tuple[IndexSpec, ...] = ()
    stores: tuple[StoreSpec, ...] = (StoreSpec(name=EVIDENCE),)
