"""Boundaries and policies by lot: small enough to be asked everything, strange enough to try every way of saying a condition."""

from hypothesis import strategies as st

from router.boundary import Boundary, House
from router.bundle.files import Hosted, LaneSpec, TenantSpec, ToolFile
from router.bundle.space import Space, space_of

SCHEMA = """
entity Level enum ["public", "internal", "confidential", "restricted"];
entity RiskTier enum ["low", "elevated", "high", "restricted"];
entity Category enum ["pii", "unknown"];
entity Concern enum ["clear"];
entity Jurisdiction enum ["EU", "unknown"];
entity Tenant = { clears: Set<Level> };
entity Provider;
entity Region;
entity Lane = {
  hosted: Bool, provider: Provider, region: Region,
  jurisdictions: Set<Jurisdiction>, cleared_for: Set<Category>, redacts: Set<Category>,
};
entity Tool = { side_effect: SideEffect, reaches_outside: Bool, jurisdictions: Set<Jurisdiction> };
entity SideEffect enum ["read", "write", "irreversible"];
action send appliesTo {
  principal: [Tenant], resource: [Lane],
  context: { level: Level, categories: Set<Category>, jurisdictions: Set<Jurisdiction>, risk_tier: RiskTier,
    attack: Concern, harm: Concern, redacted: Set<Category> },
};
action call_tool appliesTo {
  principal: [Tenant], resource: [Tool],
  context: { level: Level, categories: Set<Category>, jurisdictions: Set<Jurisdiction>, risk_tier: RiskTier,
    attack: Concern, harm: Concern },
};
"""
HOSTED = Hosted(provider="someone", base_url="https://example.com", model="m", api_key_env="KEY", region="us")
LANES = (
    LaneSpec(name="home", model="m"),
    LaneSpec(name="away", hosted=HOSTED, jurisdictions=("EU",)),
    LaneSpec(name="cleared", hosted=HOSTED, cleared_for=("pii",)),
)
TOOLS = (ToolFile(name="search", description="", side_effect="read", parameters={}, jurisdictions=("EU",)),)
TENANTS = (TenantSpec(org="one"), TenantSpec(org="two"), TenantSpec(org="three"))

CONDITIONS = (
    "resource.hosted",
    "context.categories.isEmpty()",
    'context.categories.contains(Category::"pii")',
    "resource.cleared_for.containsAll(context.categories)",
    "resource.jurisdictions.containsAny(context.jurisdictions)",
    'context.jurisdictions == [Jurisdiction::"EU"]',
    'context.level == Level::"restricted"',
    '[Level::"public", Level::"internal"].contains(context.level)',
    'context.risk_tier == RiskTier::"restricted"',
    "context.redacted.containsAny(context.categories)",
    'context.attack == Concern::"clear"',
    # Two axes at once; the whole context; a tenant; a lane; what errs always, and what errs for some.
    '(if context.level == Level::"public" then context.categories.isEmpty() else context.jurisdictions.isEmpty())',
    "context.categories.isEmpty() == context.jurisdictions.isEmpty()",
    "context has level",
    'principal == Tenant::"two"',
    'resource == Lane::"away"',
    "9223372036854775807 + 1 == 0",
    '(if context.level == Level::"restricted" then 9223372036854775807 else 1) + 1 == 2',
    "true",
)
conditions = st.recursive(
    st.sampled_from(CONDITIONS),
    lambda inner: st.one_of(
        inner.map(lambda one: f"!({one})"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]} && {two[1]})"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]} || {two[1]})"),
        st.tuples(inner, inner, inner).map(lambda three: f"(if {three[0]} then {three[1]} else {three[2]})"),
    ),
    max_leaves=4,
)
SCOPES = (
    "principal, action, resource",
    'principal == Tenant::"one", action == Action::"send", resource',
    'principal, action == Action::"send", resource == Lane::"cleared"',
    'principal, action == Action::"call_tool", resource',
)


@st.composite
def policy_texts(draw: st.DrawFn) -> str:
    texts = []
    for number in range(draw(st.integers(1, 4))):
        effect, scope = draw(st.sampled_from(("permit", "forbid"))), draw(st.sampled_from(SCOPES))
        clauses = "".join(
            f" {draw(st.sampled_from(('when', 'unless')))} {{ {condition} }}"
            for condition in draw(st.lists(conditions, max_size=2))
        )
        texts.append(f'@id("p{number}") @reason("r") {effect} ({scope}){clauses};')
    return "\n".join(texts)


def boundary_of(text: str) -> Boundary:
    return Boundary(text, SCHEMA, House(LANES, TENANTS, TOOLS))


def space() -> Space:
    return space_of(SCHEMA, TENANTS, LANES, TOOLS)
