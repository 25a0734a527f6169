"""What each file of a bundle holds. Parsed once, strictly; `router.bundle.load` reads them, `router.bundle.check` holds them together."""

from ipaddress import ip_address
from typing import Annotated, Final, Literal, get_args
from urllib.parse import urlsplit

from pydantic import AwareDatetime, Field, IPvAnyNetwork, model_validator

from models.spec import ModelSpec, split_served_name
from router.contract import (
    Action,
    Budgets,
    Frozen,
    Label,
    Level,
    Mode,
    OutputContract,
    RetrievalPlan,
    RiskTier,
    Sampling,
    ToolPlan,
)


class ModelsFile(Frozen):
    """`models.yaml`: the open-weight models this cluster serves, one Ray Serve deployment each."""

    models: tuple[ModelSpec, ...]


class Timeouts(Frozen):
    """Seconds a lane is given: to connect, to the first token, between tokens."""

    connect_seconds: float = Field(default=5.0, gt=0)
    first_token_seconds: float = Field(default=30.0, gt=0)
    gap_seconds: float = Field(default=30.0, gt=0)


class Price(Frozen):
    """US dollars per million tokens."""

    input_usd: float = Field(default=0.0, ge=0)
    output_usd: float = Field(default=0.0, ge=0)


Pin = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{43}=$")]
"""Base64 of the SHA-256 of a certificate's public key, as `curl --pinnedpubkey` takes it after `sha256//`."""


class Hosted(Frozen):
    """How the door reaches a hosted lane. The key stays in the door's environment: only the variable's name is here.

    `pin_sha256`: the provider's certificate must hold one of these keys. `ca_pem`: the authorities that may vouch for it, instead of the
    system's. `addresses`: the networks its name may resolve to. None listed: not restricted in that respect.
    """

    provider: str
    protocol: Literal["openai_chat"] = "openai_chat"
    base_url: str
    model: str
    api_key_env: str
    region: str
    pin_sha256: tuple[Pin, ...] = ()
    ca_pem: str | None = None
    addresses: tuple[IPvAnyNetwork, ...] = ()

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


class LaneSpec(Frozen):
    """`lanes.yaml`, one entry: a way to have a request answered.

    A private lane names a model of `models.yaml` (and, if nodes stand in several, its `region`); a hosted one says how the door
    reaches it. `jurisdictions` are those whose data may rest or run there; `cleared_for` the categories a contract (a BAA, say)
    clears a hosted lane for; `redact` those that placeholders take the place of before a text goes there. A private lane's `model` may
    name one of its adapters (`base:adapter`). `determinism`: `exact` answers a request alike whatever else the model answers at the time.
    `n_plus` is a private lane's promise to go on when so many replicas of its model are lost, for traffic that has nowhere else to go
    (N+1); the check holds the model's replicas against it.
    """

    name: str
    purpose: str = ""
    model: str | None = None
    hosted: Hosted | None = None
    region: str | None = None
    context_tokens: int | None = Field(default=None, ge=256)
    jurisdictions: tuple[str, ...] = ()
    cleared_for: tuple[str, ...] = ()
    redact: tuple[str, ...] = ()
    n_plus: int = Field(default=0, ge=0)
    timeouts: Timeouts = Timeouts()
    price: Price = Price()
    determinism: Literal["any", "exact"] = "any"

    @model_validator(mode="after")
    def _private_or_hosted(self) -> "LaneSpec":
        if (self.model is None) == (self.hosted is None):
            raise ValueError("a lane has either `model` (private) or `hosted`, not both and not neither")
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
        """The model that answers: of `models.yaml`, or the provider's."""
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


class LadderStep(Frozen):
    """One step of a named ladder: a lane to try next."""

    lane: str


class LadderSpec(Frozen):
    """`ladders.yaml`, one entry: the lanes to try in this order once the cause that named this ladder struck."""

    name: str
    purpose: str = ""
    steps: tuple[LadderStep, ...]


class LaddersFile(Frozen):
    """`ladders.yaml`."""

    ladders: tuple[LadderSpec, ...]


FallbackKey = Literal[
    "on_boundary", "on_timeout", "on_connection", "on_overload", "on_rate_limit", "on_schema_failure", "on_refusal"
]


class RouteSpec(Frozen):
    """`routes.yaml`, one entry. The first route whose CEL condition holds is taken; `when` left out always holds.

    `fallback` names a ladder by cause. `action` other than `answer` ends the request with `message` and asks no model.
    """

    id: str
    because: str
    when: str | None = None
    action: Action = "answer"
    message: str | None = None
    lane: str | None = None
    mode: Mode | None = None
    label: Label = Label()
    sampling: Sampling = Sampling()
    retrieval: RetrievalPlan | None = None
    tools: tuple[ToolPlan, ...] = ()
    output_contract: OutputContract = OutputContract()
    fallback: dict[FallbackKey, str] = Field(default_factory=dict)
    budgets: Budgets | None = None
    egress: Egress = "open"

    @model_validator(mode="after")
    def _answers_or_speaks(self) -> "RouteSpec":
        if self.action == "answer" and self.lane is None:
            raise ValueError("a route that answers needs `lane`")
        if self.action != "answer" and not self.message:
            raise ValueError(f"a route with action `{self.action}` needs `message`: what the caller reads")
        return self


class RoutesFile(Frozen):
    """`routes.yaml`."""

    routes: tuple[RouteSpec, ...]


class TierRule(Frozen):
    """A CEL condition over the request's topic and label that raises the tier to at least `tier`."""

    id: str
    tier: RiskTier
    when: str
    because: str


Alarming = Literal["attack", "harm"]
Response = Literal["ignore", "keep_private", "strip_tools", "person", "refuse"]
"""What is done about a flag: nothing; hosted lanes closed; no tools, neither ours nor the caller's; a person's approval; a refusal."""


class TierProfile(Frozen):
    """What a tier demands. `budgets` apply where the route sets none; `temperature_at_most` bounds the decoding.

    `on_attack`, `on_harm`: what is done about a request that is flagged as one.
    """

    tier: RiskTier
    on_attack: Response = "keep_private"
    on_harm: Response = "keep_private"
    temperature_at_most: float | None = None
    budgets: Budgets = Budgets()


class Band(Frozen):
    """From which score on an alarm is `suspected`, and `flagged`; the classifier's own flag is always `flagged`.

    `refusal`, `approval`: what the caller reads where a tier refuses, or has a person decide.
    """

    suspected: float = Field(default=0.5, ge=0, le=1)
    flagged: float | None = Field(default=None, ge=0, le=1)
    refusal: str = "This request was not answered: the rules of this service do not allow it."
    approval: str = "This request was not answered yet: a person has to look at it first. Please name its trace ID."


class Concerns(Frozen):
    """What the classifier's scores for attack and harm mean."""

    attack: Band = Band()
    harm: Band = Band()


class TiersFile(Frozen):
    """`tiers.yaml`: what findings are worth, what raises the tier, and what each tier demands.

    `raise_at`: findings below this score are listed and raise nothing. `levels`: the level that data of a category has.
    `concerns`: what alarms are worth.
    """

    raise_at: float = Field(default=0.5, ge=0, le=1)
    levels: dict[str, Level]
    concerns: Concerns = Concerns()
    rules: tuple[TierRule, ...]
    profiles: tuple[TierProfile, ...]


Scope = Literal["chat", "route", "evidence"]
"""What a key may be used for: to have requests answered, to have them decided only, to read its tenant's evidence."""


class ApiKey(Frozen):
    """A key's name and the SHA-256 of the key. `minted: true` instead of a hash: `lane up` makes the key on this box.

    It opens from `not_before` until `expires_at`, for its `scopes` and its `lanes` (none listed: all of its tenant's). `jurisdictions`
    join the label of every request; evidence whose label is above `clearance` is not shown, and nothing above it looked up or
    approved. `approves`: its holder's yes counts.
    """

    id: str
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    minted: bool = False
    not_before: AwareDatetime | None = None
    expires_at: AwareDatetime | None = None
    scopes: tuple[Scope, ...] = get_args(Scope)
    lanes: tuple[str, ...] = ()
    jurisdictions: tuple[str, ...] = ()
    clearance: Level = "restricted"
    approves: bool = False

    @model_validator(mode="after")
    def _hash_or_minted(self) -> "ApiKey":
        if (self.sha256 is None) != self.minted:
            raise ValueError("an API key has either `sha256` or `minted: true`")
        if self.not_before is not None and self.expires_at is not None and self.expires_at <= self.not_before:
            raise ValueError("an API key expires after it begins: `expires_at` is not later than `not_before`")
        return self


class TenantSpec(Frozen):
    """`tenants.yaml`, one entry: who may ask, what its requests are labelled at least, which lanes and tools it may use.

    `lanes` and `tools` empty means all of them. `clearance` is up to which level its people may look things up.
    """

    org: str
    clearance: Level = "internal"
    egress: Egress = "open"
    keys: tuple[ApiKey, ...] = ()
    label: Label = Label()
    lanes: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()


class TenantsFile(Frozen):
    """`tenants.yaml`."""

    tenants: tuple[TenantSpec, ...]


class ToolFile(Frozen):
    """`tools/NAME.yaml`: a server-side tool's contract. `parameters` and `result` are JSON Schemas.

    A tool is a lane too: what is put into its arguments runs where it runs, and leaves if it `reaches_outside`. Say so rather too
    often: left out, it counts as outside and under no jurisdiction.
    """

    name: str
    description: str
    side_effect: Literal["read", "write", "irreversible"]
    reaches_outside: bool = True
    jurisdictions: tuple[str, ...] = ()
    parameters: dict[str, object]
    result: dict[str, object] = Field(default_factory=dict)
    timeout_seconds: float = Field(default=10.0, gt=0)
