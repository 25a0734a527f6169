"""A key opens what its entry says, while it says so; and nothing that a caller sends reaches beyond it."""

import hashlib
import json
import textwrap
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from router.bundle import Bundle
from router.bundle.files import ApiKey, Scope, TenantSpec
from router.contract import LEVELS, Label, Message, RouteRequest, TextPart
from router.errors import NotAuthenticated, NotPermitted
from router.labels import at_most
from serving.api.auth import Caller, Keyring
from serving.lockout import Lockout
from tests.serving.conftest import System, an_api_key

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 12, 1, tzinfo=UTC)
CARD = "Please note my card 4111 1111 1111 1111 for the order."
Keep = Callable[..., Keyring]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def body(text: str = "What is the capital of France?", **fields: Any) -> dict[str, Any]:
    return {"model": "auto", "messages": [{"role": "user", "content": text}], **fields}


@pytest.fixture
def keyring(tmp_path: Path) -> Keep:
    revoked = Lockout(tmp_path / "revoked")
    revoked.make()

    def keep(*keys: ApiKey, org: str = "acme", now: datetime = NOW) -> Keyring:
        return Keyring([TenantSpec(org=org, keys=keys)], tmp_path / "keys.json", revoked, now.timestamp)

    return keep


# ------------------------------------------------------------------ which key opens


def test_several_keys_of_one_tenant_are_told_apart(keyring: Keep) -> None:
    ring = keyring(an_api_key("one", id="a"), an_api_key("two", id="b"))

    assert (ring.caller("Bearer one").key.id, ring.caller("bearer two").key.id) == ("a", "b")


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic one", "one", "Bearer three", "Bearer one two"]
)
def test_anything_else_is_refused(keyring: Keep, header: str | None) -> None:
    with pytest.raises(NotAuthenticated):
        keyring(an_api_key("one")).caller(header)


@pytest.mark.parametrize(
    ("fields", "because"),
    [
        ({"not_before": NOW + timedelta(seconds=1)}, "not valid yet"),
        ({"expires_at": NOW}, "has expired"),
        ({"expires_at": NOW - timedelta(days=30)}, "has expired"),
    ],
)
def test_a_key_opens_nothing_outside_its_time(keyring: Keep, fields: dict[str, Any], because: str) -> None:
    with pytest.raises(NotAuthenticated, match=because):
        keyring(an_api_key("one", **fields)).caller("Bearer one")


def test_old_and_new_key_both_open_while_they_overlap(keyring: Keep) -> None:
    old = an_api_key("old", id="ci", expires_at=NOW + timedelta(days=7))
    new = an_api_key("new", id="ci-2", not_before=NOW)

    during, after = keyring(old, new), keyring(old, new, now=NOW + timedelta(days=7))

    assert {during.caller(f"Bearer {key}").key.id for key in ("old", "new")} == {"ci", "ci-2"}
    assert after.caller("Bearer new").key.id == "ci-2"
    with pytest.raises(NotAuthenticated, match="expired"):
        after.caller("Bearer old")


def test_a_key_can_t_end_before_it_begins_and_its_times_name_their_offset() -> None:
    with pytest.raises(ValidationError, match="not later than"):
        ApiKey(id="x", minted=True, not_before=NOW, expires_at=NOW)
    with pytest.raises(ValidationError, match="timezone"):
        ApiKey.model_validate({"id": "x", "minted": True, "expires_at": "2026-12-01T00:00:00"})


def test_a_revoked_key_opens_nothing_from_the_next_request_on(keyring: Keep, tmp_path: Path) -> None:
    ring = keyring(an_api_key("one"))
    ring.caller("Bearer one")

    Lockout(tmp_path / "revoked").lock(hashlib.sha256(b"one").hexdigest(), "leaked")

    with pytest.raises(NotAuthenticated, match="was revoked"):
        ring.caller("Bearer one")


def test_without_the_list_of_revoked_keys_none_opens(keyring: Keep, tmp_path: Path) -> None:
    ring = keyring(an_api_key("one"))
    (tmp_path / "revoked").rmdir()

    with pytest.raises(NotAuthenticated):
        ring.caller("Bearer one")


def test_a_minted_key_that_is_replaced_is_taken_up_without_a_restart(keyring: Keep, tmp_path: Path) -> None:
    ring = keyring(ApiKey(id="default", minted=True))
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"acme/default": "first", "acme/unknown": "x"}))
    assert ring.caller("Bearer first").key.id == "default"

    file.with_suffix(".new").write_text(json.dumps({"acme/default": "other"}))
    file.with_suffix(".new").replace(file)

    assert ring.caller("Bearer other").key.id == "default"
    for gone in ("first", "x"):
        with pytest.raises(NotAuthenticated):
            ring.caller(f"Bearer {gone}")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"acme/default": 7}'])
def test_a_broken_file_of_minted_keys_opens_nothing(keyring: Keep, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "keys.json").write_bytes(content)

    with pytest.raises(NotAuthenticated):
        keyring(ApiKey(id="default", minted=True)).caller("Bearer 7")


# ------------------------------------------------------------------ what it lays over a request

LABELS = st.builds(
    Label,
    level=st.sampled_from(LEVELS),
    categories=st.lists(st.sampled_from(["pii", "health"])).map(tuple),
    jurisdictions=st.lists(st.sampled_from(["EU", "US"])).map(tuple),
)


@given(
    declared=LABELS,
    jurisdictions=st.lists(st.sampled_from(["EU", "UK"])).map(tuple),
    lanes=st.lists(st.text()).map(tuple),
)
def test_a_key_only_raises_and_what_the_request_said_of_tenant_and_lanes_is_gone(
    declared: Label, jurisdictions: tuple[str, ...], lanes: tuple[str, ...]
) -> None:
    key = ApiKey(id="x", minted=True, jurisdictions=jurisdictions, lanes=lanes)
    message = Message(role="user", content=(TextPart(text="Hi"),))
    asked = RouteRequest(messages=(message,), org="another", allowed_lanes=("any",), labels=declared)

    bound = Caller("acme", key).bind(asked)

    assert (bound.org, bound.allowed_lanes) == ("acme", lanes)
    assert at_most(declared, bound.labels)
    assert set(jurisdictions) <= set(bound.labels.jurisdictions)


def test_a_scope_that_the_key_lacks_is_named() -> None:
    with pytest.raises(NotPermitted, match="scope `evidence`"):
        Caller("acme", ApiKey(id="x", minted=True, scopes=("chat",))).need("evidence")


# ------------------------------------------------------------------ through the API


@pytest.fixture
def tenants() -> tuple[TenantSpec, ...]:
    return (
        TenantSpec(
            org="local",
            keys=(
                an_api_key("all", id="all"),
                an_api_key("small-only", id="small", lanes=("fast_small", "private")),
                an_api_key("european", id="eu", jurisdictions=("EU",)),
                an_api_key("asks-only", id="asks", scopes=("chat",)),
                an_api_key("reads-only", id="reads", scopes=("evidence",), clearance="internal"),
            ),
        ),
        TenantSpec(org="example-eu", keys=(an_api_key("other", id="other"),)),
    )


@pytest.fixture
def system(bundle: Bundle, tmp_path: Path, tenants: tuple[TenantSpec, ...]) -> Iterator[System]:
    made = System(bundle, tmp_path, tenants)
    yield made
    made.store.close()
    made.keeper.sessions.close()


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({"org": "example-eu"}, {}),
        ({"allowed_lanes": ["premium"]}, {}),
        ({"labels": {"level": "public"}}, {}),
        ({}, {"x-lane-org": "example-eu"}),
        ({}, {"X-Lane-Allowed-Lanes": "premium"}),
        ({}, {"x-lane-clearance": "restricted"}),
    ],
)
async def test_a_claim_that_only_a_key_can_make_is_refused_in_body_and_header(
    system: Any, fields: dict[str, Any], headers: dict[str, str]
) -> None:
    async with system.http("all") as http:
        response = await http.post("/v1/chat/completions", json=body(**fields), headers=headers)

    assert response.status_code == 400
    assert response.json()["error"]["code"] == "unsupported_parameter"
    assert all(lane.calls == [] for lane in system.lanes.values())


async def test_metadata_and_user_that_look_like_a_claim_change_nothing(system: Any) -> None:
    claims = {"org": "example-eu", "level": "public", "lane": "premium", "tenant": "example-eu"}
    async with system.http("all") as http:
        response = await http.post("/v1/chat/completions", json=body(metadata=claims, user="example-eu"))
        record = (await http.get(f"/v1/evidence/{response.headers['x-lane-trace-id']}")).json()
    async with system.http("other") as http:
        elsewhere = await http.get(f"/v1/evidence/{response.headers['x-lane-trace-id']}")

    assert (record["accepted"]["org"], record["accepted"]["key"]) == ("local", "all")
    assert elsewhere.status_code == 404


async def test_a_declared_label_never_lowers_what_was_found(system: Any) -> None:
    await system.all_lanes_on()
    headers = {"x-lane-labels": "level=public"}
    async with system.http("all") as http:
        pinned = await http.post("/v1/chat/completions", json=body(CARD, model="premium"), headers=headers)
        decided = await http.post("/v1/route", json=body(CARD), headers=headers)

    assert pinned.status_code == 403
    assert decided.json()["decision"]["label"]["level"] != "public"
    assert system.lanes["premium"].calls == []


async def test_a_lane_that_the_key_lacks_is_denied_by_name_by_model_and_by_auto(system: Any) -> None:
    await system.all_lanes_on()
    model = system.bundle.lanes["premium"].model_name
    async with system.http("small-only") as http:
        by_name = await http.post("/v1/chat/completions", json=body(model="premium"))
        by_model = await http.post("/v1/chat/completions", json=body(model=model))
        by_route = await http.post("/v1/chat/completions", json=body("Write a Python function that sorts a list."))
        listed = {one["id"] for one in (await http.get("/v1/models")).json()["data"]}
    async with system.http("all") as http:
        with_another_key = await http.post("/v1/chat/completions", json=body(model="premium"))

    assert (by_name.status_code, by_model.status_code, with_another_key.status_code) == (403, 403, 200)
    assert "the key may not use this lane" in by_name.json()["error"]["message"]
    assert "key-lanes" in by_name.headers["x-lane-policies"]
    assert by_route.headers["x-lane-lane"] in {"fast_small", "private"}
    assert not {"premium", model, "code"} & listed
    assert [len(system.lanes[name].calls) for name in ("premium", "code")] == [1, 0]


async def test_a_key_s_jurisdiction_joins_each_request_and_closes_the_lanes_elsewhere(system: Any) -> None:
    await system.all_lanes_on()
    async with system.http("european") as http:
        pinned = await http.post("/v1/chat/completions", json=body(model="premium"))
        decided = await http.post("/v1/route", json=body())

    assert pinned.status_code == 403
    assert decided.json()["decision"]["label"]["jurisdictions"] == ["EU"]
    assert system.lanes["premium"].calls == []


async def test_a_key_without_the_scope_is_refused_and_on_record(system: Any) -> None:
    async with system.http("asks-only") as http:
        answered = await http.post("/v1/chat/completions", json=body())
        evidence = await http.get(f"/v1/evidence/{answered.headers['x-lane-trace-id']}")
        decided = await http.post("/v1/route", json=body())
    async with system.http("reads-only") as http:
        asked = await http.post("/v1/chat/completions", json=body())

    assert answered.status_code == 200
    assert [response.status_code for response in (evidence, decided, asked)] == [403, 403, 403]
    assert {response.json()["error"]["code"] for response in (evidence, decided, asked)} == {"not_permitted"}
    record = system.store.read(asked.headers["x-lane-trace-id"])
    assert record.finished.status == 403
    assert record.accepted.key == "reads"


async def test_evidence_above_a_key_s_clearance_is_not_shown(system: Any) -> None:
    async with system.http("all") as http:
        public = await http.post("/v1/chat/completions", json=body())
        secret = await http.post("/v1/chat/completions", json=body(CARD))
        unlabelled = await http.post("/v1/chat/completions", json=body(nonsense=1))
    traces = [response.headers["x-lane-trace-id"] for response in (public, secret, unlabelled)]
    async with system.http("reads-only") as http:
        read = [(await http.get(f"/v1/evidence/{trace}")).status_code for trace in traces]
    async with system.http("all") as http:
        with_clearance = [(await http.get(f"/v1/evidence/{trace}")).status_code for trace in traces]

    assert read == [200, 403, 403]
    assert with_clearance == [200, 200, 200]


def test_the_page_about_keys_shows_a_key_that_is_one_and_every_scope() -> None:
    page = (Path(__file__).parents[3] / "docs" / "keys.md").read_text()
    [example] = yaml.safe_load(textwrap.dedent(page.split("    keys:\n")[1].split("\n\n")[0]))
    scopes = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")]

    key = ApiKey.model_validate(example | {"sha256": "0" * 64})

    assert set(example) == set(ApiKey.model_fields) - {"minted", "approves"}
    assert key.clearance == "internal"
    assert scopes == list(get_args(Scope))
