import asyncio
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from router.bundle import Bundle
from router.contract import Decision, Finding, Label, Message, RouteRequest, TextPart, Topic
from router.lane import Stop
from serving.leaks.judging import readable
from serving.leaks.sampler import Sampler
from serving.leaks.sealed import unseal
from serving.leaks.setting import write_setting
from tests.providers.stand_in import StandIn
from tests.serving.conftest import System
from tests.serving.door.kit import a_call, open_door
from tests.serving.leaks.kit import KEY, a_setting, samples_in


@pytest.fixture
def setting(tmp_path: Path) -> Path:
    write_setting(tmp_path / "leak-sample.json", a_setting())
    return tmp_path / "leak-sample.json"


def a_request(text: str, **changes: object) -> RouteRequest:
    message = Message(role="user", content=(TextPart(text=text),))
    return RouteRequest.model_validate({"messages": (message,), "org": "acme", **changes})


def a_decision(
    *categories: str, level: str = "confidential", findings: tuple[Finding, ...] | None = None, **changes: object
) -> Decision:
    found = Finding(entity="PERSON", category="pii", start=0, end=1, score=0.9, detector="test")
    fields = {
        "route": "r",
        "risk_tier": "high",
        "topic": Topic(intent="x", confidence=1.0, domain="y", mode="chat"),
        "label": Label(level=level, categories=categories),  # type: ignore[arg-type]
        "findings": (found,) if findings is None else findings,
        "lane": "private",
        "model": "m",
        "bundle_hash": "b",
        "classifier": "c",
    }
    return Decision.model_construct(**(fields | changes))


def stayed(setting: Path, request: RouteRequest, decision: Decision, bundle: Bundle) -> list[str]:
    """Offer one request and return what is kept, as a judge reads it."""
    file = setting.parent / "samples" / "stayed.sqlite"
    with closing(Sampler(setting, file)) as sampler:
        sampler.stayed(request, decision, bundle, "a" * 32)
    if not file.exists():
        return []
    return [readable(unseal(sample.sealed or b"", KEY, sample.about)) for sample in samples_in(file)]


def test_a_request_kept_in_by_what_was_found_is_sampled_as_the_judge_will_read_it(
    bundle: Bundle, setting: Path
) -> None:
    assert stayed(setting, a_request("I am Ann, born 1 May 1980"), a_decision("pii"), bundle) == [
        "user: I am Ann, born 1 May 1980"
    ]


FAINT = Finding(entity="PERSON", category="pii", start=0, end=1, score=0.1, detector="test")


@pytest.mark.parametrize(
    ("request_", "decision"),
    [
        (a_request("x", labels=Label(level="restricted")), a_decision("pii", level="restricted")),
        (a_request("x"), a_decision(level="public")),
        (a_request("x"), a_decision("pii", findings=())),
        (a_request("x"), a_decision("pii", findings=(FAINT,))),
        (a_request("x"), a_decision("pii", action="refuse")),
    ],
    ids=["declared to stay", "did not stay", "nothing was found", "nothing that raises", "was not answered"],
)
def test_one_that_no_detector_kept_in_is_no_sample(
    bundle: Bundle, setting: Path, request_: RouteRequest, decision: Decision
) -> None:
    assert stayed(setting, request_, decision, bundle) == []


def test_a_tenant_whose_requests_are_declared_to_stay_has_no_false_blocks(bundle: Bundle, setting: Path) -> None:
    declared = bundle.tenants["local"].model_copy(update={"label": Label(level="confidential")})
    strict = replace(bundle, tenants={"acme": declared})

    assert stayed(setting, a_request("x"), a_decision("pii"), strict) == []


def test_without_the_setting_nothing_is_kept_or_made(bundle: Bundle, tmp_path: Path) -> None:
    assert stayed(tmp_path / "leak-sample.json", a_request("x"), a_decision("pii"), bundle) == []
    assert list(tmp_path.iterdir()) == []


def test_a_setting_that_cannot_be_read_harms_no_request(
    bundle: Bundle, setting: Path, caplog: pytest.LogCaptureFixture
) -> None:
    setting.write_text('{"public_key": "none"}')

    assert stayed(setting, a_request("my secret"), a_decision("pii"), bundle) == []
    assert "not offered" in caplog.text
    assert "my secret" not in caplog.text


def test_what_the_door_sends_is_sampled_byte_for_byte_and_what_it_refuses_is_not(setting: Path) -> None:
    folder = setting.parent
    file = folder / "samples" / "left.sqlite"
    with closing(Sampler(setting, file)) as sampler, StandIn() as provider:
        with open_door(folder, provider, sample=sampler.left) as door:
            events = door.ask(a_call("What is the capital of France?"))
            with pytest.raises(Exception, match="boundary"):
                door.ask(a_call("Charge 4111 1111 1111 1111"))
        (sent,) = provider.received

    (sample,) = samples_in(file)
    assert isinstance(events[-1], Stop)
    assert unseal(sample.sealed or b"", KEY, sample.about) == sent.body
    assert (sample.stratum.population, sample.stratum.org, sample.stratum.lane) == ("left", "acme", "premium")
    assert sample.trace_id == a_call().trace_id


def test_a_door_whose_samples_can_not_be_kept_sends_all_the_same(setting: Path) -> None:
    blocked = setting.parent / "samples"
    blocked.write_text("a file where the folder should be")
    sampler = Sampler(setting, blocked / "left.sqlite")
    with closing(sampler), StandIn() as provider, open_door(setting.parent, provider, sample=sampler.left) as door:
        events = door.ask(a_call())

    assert isinstance(events[-1], Stop)


def test_the_gateway_offers_what_it_keeps_in_and_nothing_else(bundle: Bundle, setting: Path) -> None:
    file = setting.parent / "samples" / "stayed.sqlite"
    with closing(Sampler(setting, file)) as sampler:
        system = System(bundle, setting.parent, sample=sampler.stayed)

        async def ask(text: str) -> int:
            async with system.http() as http:
                body = {"model": "private", "messages": [{"role": "user", "content": text}]}
                return (await http.post("/v1/chat/completions", json=body)).status_code

        codes = [asyncio.run(ask(text)) for text in ("My SSN is 536-22-8726", "What is the capital of France?")]
        system.store.close()
        system.keeper.sessions.close()

    (sample,) = samples_in(file)
    assert codes == [200, 200]
    assert sample.stratum.population == "stayed"
    assert "pii" in sample.stratum.categories
    assert b"536-22-8726" in unseal(sample.sealed or b"", KEY, sample.about)
