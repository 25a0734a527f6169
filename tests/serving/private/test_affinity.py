from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from router.contract import Label, Message, Sampling, TextPart
from router.lane import LaneCall
from serving.private.affinity import Holders, preferred, prefix_keys

SYSTEM = "You answer for a shop. " * 40
IDLE = {"a": 0, "b": 0, "c": 0}


def call(*texts: str, **changes: Any) -> LaneCall:
    fields: dict[str, Any] = {
        "trace_id": "ab" * 16,
        "attempt": 1,
        "lane": "private",
        "model": "m",
        "org": "local",
        "label": Label(),
        "risk_tier": "low",
        "messages": tuple(Message(role="user", content=(TextPart(text=text),)) for text in texts),
        "sampling": Sampling(),
        "max_tokens": 9,
        "deadline_seconds": 10.0,
        "first_token_seconds": 5.0,
        "bundle_hash": "0" * 64,
        "cache_salt": "tenant",
    }
    return LaneCall(**{**fields, **changes})


def test_what_begins_alike_has_the_same_first_keys() -> None:
    first, second = prefix_keys(call(SYSTEM, "Where is my parcel? " * 30)), prefix_keys(call(SYSTEM, "Refund? " * 60))

    assert first[:3] == second[:3]
    assert first[3:] != second[3:]


@given(text=st.text(min_size=300), salts=st.lists(st.text(min_size=1), min_size=2, max_size=2, unique=True))
def test_two_tenants_never_share_a_key_whatever_they_ask(text: str, salts: list[str]) -> None:
    one, other = (prefix_keys(call(text, cache_salt=salt)) for salt in salts)

    assert one
    assert not {*one} & {*other}


def test_a_model_and_its_adapter_have_caches_of_their_own() -> None:
    assert not {*prefix_keys(call(SYSTEM))} & {*prefix_keys(call(SYSTEM, model="m:support"))}


def test_keys_hold_no_text_and_are_bounded() -> None:
    keys = prefix_keys(call(SYSTEM * 1000))

    assert len(keys) == 64
    assert {len(key) for key in keys} == {16}
    assert prefix_keys(call("short")) == ()


def test_a_call_goes_where_its_longest_beginning_was_read() -> None:
    holders = Holders()
    holders.add(prefix_keys(call(SYSTEM)), "a")
    holders.add(prefix_keys(call(SYSTEM, "Where is my parcel? " * 30)), "b")

    assert preferred(prefix_keys(call(SYSTEM, "Where is my parcel? " * 40)), holders, IDLE, slack=8) == "b"


def test_of_several_that_hold_it_the_least_busy_answers_and_none_once_that_one_is_too_busy() -> None:
    holders, keys = Holders(), prefix_keys(call(SYSTEM))
    holders.add(keys, "a")
    holders.add(keys, "b")

    assert preferred(keys, holders, {"a": 3, "b": 2, "c": 0}, slack=8) == "b"
    assert preferred(keys, holders, {"a": 9, "b": 8, "c": 0}, slack=8) is None


def test_a_beginning_that_none_has_read_goes_to_the_same_replica_from_every_router() -> None:
    keys = [prefix_keys(call(f"{number} {SYSTEM}")) for number in range(60)]

    here = [preferred(one, Holders(), IDLE, slack=8) for one in keys]
    there = [preferred(one, Holders(), dict(reversed(IDLE.items())), slack=8) for one in keys]

    assert here == there
    assert {*here} == {*IDLE}


def test_a_replica_that_is_gone_is_not_chosen_and_a_short_call_may_go_anywhere() -> None:
    holders, keys = Holders(), prefix_keys(call(SYSTEM))
    holders.add(keys, "gone")

    assert preferred(keys, holders, IDLE, slack=8) in IDLE
    assert preferred(prefix_keys(call("Hi")), holders, IDLE, slack=8) is None
    assert preferred(keys, holders, {}, slack=8) is None


def test_what_was_used_longest_ago_is_forgotten_first() -> None:
    holders = Holders(most=2)
    first, second, third = ((bytes([n]),) for n in range(3))

    holders.add(first, "a")
    holders.add(second, "b")
    holders.add(first, "a")
    holders.add(third, "c")

    assert [holders.of(keys, IDLE) for keys in (first, second, third)] == [("a",), (), ("c",)]
