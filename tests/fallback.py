"""Each way for a provider to fail, and what the real client sees of it, whole and streamed.

Run with everything real but Ray and the engine (`tests/serving/test_fallback.py`), and at the running system (`tests/e2e/test_fallback.py`).
"""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
import yaml

from tests.outage import free_port
from tests.providers.behaviour import Behaviour, rate_limited
from tests.providers.stand_in import StandIn

STARTER = Path(__file__).parents[1] / "config" / "starter"
HOSTED_SAYS = "The capital of France is Paris."
CAUSES = ("boundary", "timeout", "connection", "overload", "rate_limit", "schema_failure")
SCHEMA: Any = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 12}}, "required": ["city"]}
# The provider that a word of the question leads to; behind each of them our own nodes.
WORDS = {
    "otter": "provider",
    "badger": "provider",
    "heron": "provider",
    "falcon": "flaky",
    "mole": "hole",
    "newt": "gone",
}


@dataclass(frozen=True)
class Answer:
    """What the client saw: which lane its headers name, the text, the error that ended it, and the record of it."""

    lane: str
    text: str
    error: Exception | None
    seconds: float
    record: dict[str, Any]
    resumed: dict[str, Any] | None = None

    @property
    def ends(self) -> list[tuple[str, str]]:
        return [(one["lane"], one["ended"]) for one in self.record["attempts"]]


@dataclass(frozen=True)
class Setting:
    """The system's address and key, and the provider that fails on command."""

    address: str
    key: str
    provider: StandIn
    client: openai.OpenAI

    def ask(self, word: str, *, stream: bool, **more: Any) -> Answer:
        """Ask a public question that holds the word; have its record fetched."""
        began = time.monotonic()
        messages: Any = [{"role": "user", "content": f"What does an {word} eat?"}]
        create = self.client.chat.completions.with_raw_response.create
        try:
            raw = create(model="auto", messages=messages, max_tokens=24, temperature=0, stream=stream, **more)
        except openai.APIStatusError as error:
            return Answer("", "", error, time.monotonic() - began, self._record(error.response.headers))
        parsed: Any = raw.parse()
        text, failed, resumed = "", None, None
        if stream:
            try:
                for chunk in parsed:
                    text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
                    resumed = (chunk.model_extra or {}).get("private_lane", {}).get("resumed") or resumed
            except openai.APIError as error:
                failed = error
        else:
            text = parsed.choices[0].message.content or ""
        seconds = time.monotonic() - began
        return Answer(raw.headers["x-lane-lane"], text, failed, seconds, self._record(raw.headers), resumed)

    def _record(self, headers: Any) -> dict[str, Any]:
        address = f"{self.address}/v1/evidence/{headers['x-lane-trace-id']}"
        for _ in range(50):
            answer = httpx2.get(address, headers={"authorization": f"Bearer {self.key}"}).json()
            if answer.get("finished"):
                break
            time.sleep(0.1)
        return dict(answer)


def a_bundle(folder: Path, provider: StandIn, hole: int) -> Path:
    """The starter, with lanes to providers that fail and a route to each."""
    bundle = shutil.copytree(STARTER, folder / "bundle")
    lanes = yaml.safe_load((bundle / "lanes.yaml").read_text())
    premium = next(lane for lane in lanes["lanes"] if lane["name"] == "premium")

    def hosted(name: str, base_url: str, **more: Any) -> dict[str, Any]:
        quick = {"connect_seconds": 1, "first_token_seconds": 2, "gap_seconds": 2, "total_seconds": 12}
        lane = {**premium, "name": name, "timeouts": quick, "retry": {"share": 1.0, "attempts": 1}, **more}
        return lane | {"hosted": {**premium["hosted"], "base_url": base_url, "model": f"model-of-{name}"}}

    patient = {"failures": 10_000}
    lanes["lanes"] += [
        hosted("provider", provider.base_url, breaker=patient),
        hosted("hole", f"http://127.0.0.1:{hole}/v1", breaker=patient),
        hosted("gone", f"http://127.0.0.1:{free_port()}/v1", breaker=patient),
        hosted(
            "flaky",
            provider.base_url,
            breaker={"failures": 2, "window_seconds": 30, "open_seconds": 3},
            retry={"attempts": 0},
        ),
    ]
    (bundle / "lanes.yaml").write_text(yaml.safe_dump(lanes, sort_keys=False))
    routes = yaml.safe_load((bundle / "routes.yaml").read_text())
    at = next(index for index, route in enumerate(routes["routes"]) if route["id"] == "long_prompt")
    for word, lane in WORDS.items():
        causes = (*CAUSES, "refusal") if word == "heron" else CAUSES
        fallback = {f"on_{cause}": "private_only" for cause in causes}
        route = {"id": word, "because": f"it is about an {word}", "when": f'words.contains(" {word} ")', "lane": lane}
        cut = {"on_stream_cut": "resume"} if word == "badger" else {}
        routes["routes"].insert(at, {**route, "fallback": fallback, **cut})
    (bundle / "routes.yaml").write_text(yaml.safe_dump(routes, sort_keys=False))
    return bundle


@pytest.fixture(autouse=True)
def friendly(setting: Setting) -> None:
    setting.provider.reset()


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def stream(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_a_provider_that_is_well_answers(setting: Setting, stream: bool) -> None:
    answer = setting.ask("otter", stream=stream)

    assert (answer.lane, answer.text) == ("provider", HOSTED_SAYS)
    assert answer.ends == [("provider", "stop")]


@pytest.mark.parametrize(
    ("behaviour", "ended", "asked"),
    [
        (Behaviour(half_open=True), "timeout", 1),
        (Behaviour(first_delay_seconds=30), "timeout", 1),
        (Behaviour(stall_after="content"), "timeout", 1),
        (Behaviour(status=500), "connection", 2),
        (Behaviour(status=502), "connection", 2),
        (Behaviour(status=503), "overload", 2),
        (Behaviour(status=529), "overload", 2),
        (rate_limited(seconds="3600"), "rate_limit", 1),
        (Behaviour(fails="quota"), "rate_limit", 1),
        (Behaviour(cut_after=-1), "connection", 1),
        (Behaviour(cut_after="content"), "connection", 1),
        (Behaviour(garbage_at="content"), "connection", 1),
        (Behaviour(raw_body=b"<html>Log in</html>", content_type="text/html"), "connection", 1),
    ],
    ids=[
        *("half-open", "no first token", "stalls at once", "500", "502", "503", "529", "429 for an hour", "no quota"),
        *("hangs up", "cut before content", "garbage", "HTML"),
    ],
)
def test_before_the_first_piece_the_client_sees_one_clean_answer_from_our_own_nodes(
    setting: Setting, stream: bool, behaviour: Behaviour, ended: str, asked: int
) -> None:
    setting.provider.behave(behaviour)

    answer = setting.ask("otter", stream=stream)

    assert answer.error is None
    assert answer.lane == "private"
    assert answer.text
    assert answer.ends == [*[("provider", ended)] * asked, ("private", "stop")] or answer.ends[-1][1] == "length"
    assert len(setting.provider.received) == asked
    assert answer.text.count(HOSTED_SAYS[:11]) <= 1


@pytest.mark.parametrize(("word", "lane", "ended"), [("mole", "hole", "timeout"), ("newt", "gone", "connection")])
def test_where_nobody_answers_the_call_goes_on_within_the_time_to_connect(
    setting: Setting, stream: bool, word: str, lane: str, ended: str
) -> None:
    answer = setting.ask(word, stream=stream)

    assert answer.lane == "private"
    assert answer.ends[0] == (lane, ended)
    assert answer.record["attempts"][0]["seconds"] < 3


@pytest.mark.parametrize("behaviour", [rate_limited(seconds="1"), rate_limited(milliseconds="900")], ids=["s", "ms"])
def test_a_provider_that_says_when_to_come_back_is_asked_again_then(
    setting: Setting, stream: bool, behaviour: Behaviour
) -> None:
    setting.provider.script([behaviour])

    answer = setting.ask("otter", stream=stream)

    assert (answer.lane, answer.text) == ("provider", HOSTED_SAYS)
    assert answer.seconds >= 0.9
    assert [(one["lane"], one["seconds"] >= 0.9) for one in answer.record["waits"]] == [("provider", True)]


def test_an_error_that_passes_is_not_seen(setting: Setting, stream: bool) -> None:
    setting.provider.script([Behaviour(status=500)])

    answer = setting.ask("otter", stream=stream)

    assert (answer.lane, answer.text) == ("provider", HOSTED_SAYS)
    assert answer.ends == [("provider", "connection"), ("provider", "stop")]


@pytest.mark.parametrize(
    "behaviour", [Behaviour(cut_after="middle"), Behaviour(stall_after="middle")], ids=["cut", "stall"]
)
def test_after_the_first_piece_a_stream_ends_in_an_error_and_a_whole_answer_comes_from_the_next_rung(
    setting: Setting, stream: bool, behaviour: Behaviour
) -> None:
    setting.provider.behave(behaviour)

    answer = setting.ask("otter", stream=stream)

    if stream:
        assert isinstance(answer.error, openai.APIError)
        assert HOSTED_SAYS.startswith(answer.text)
        assert answer.record["finished"]["status"] >= 500
    else:
        assert (answer.lane, answer.error) == ("private", None)
        assert answer.ends[0] == ("provider", "timeout" if behaviour.stall_after else "connection")


def test_an_error_in_the_stream_comes_without_the_end_mark(setting: Setting) -> None:
    setting.provider.behave(Behaviour(cut_after="middle"))
    body = {"model": "auto", "stream": True, "messages": [{"role": "user", "content": "What does an otter eat?"}]}

    sent = httpx2.post(
        f"{setting.address}/v1/chat/completions",
        json=body,
        headers={"authorization": f"Bearer {setting.key}"},
        timeout=60,
    ).text

    assert '"error"' in sent.split("\n\n")[-2]
    assert "[DONE]" not in sent


def test_where_the_route_wants_it_our_own_model_goes_on_with_what_broke_off(setting: Setting) -> None:
    setting.provider.behave(Behaviour(cut_after="middle"))

    answer = setting.ask("badger", stream=True)

    assert answer.error is None
    assert answer.text.startswith("The capital ")
    assert len(answer.text) > len("The capital ")
    assert answer.resumed is not None
    assert (answer.resumed["lane"], answer.resumed["after_characters"]) == ("private", len("The capital "))
    assert answer.ends[0] == ("provider", "connection")
    assert [one["lane"] for one in answer.record["resumptions"]] == ["private"]


def test_a_refusal_is_the_answer_unless_the_route_goes_on(setting: Setting, stream: bool) -> None:
    setting.provider.behave(Behaviour(pieces=(), refusal="I can't help with that."))

    stays, goes_on = setting.ask("otter", stream=stream), setting.ask("heron", stream=stream)

    assert stays.ends == [("provider", "refusal")]
    assert goes_on.lane == "private"
    assert goes_on.ends[0] == ("provider", "refusal")


def test_an_answer_of_the_wrong_shape_is_mended_or_comes_from_the_next_rung(setting: Setting) -> None:
    shape: Any = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA}}
    wrong, right = Behaviour(pieces=('{"city": ', "7}")), Behaviour(pieces=('{"city": ', '"Paris"}'))
    setting.provider.script([wrong, right])
    mended = setting.ask("otter", stream=False, response_format=shape)
    setting.provider.behave(wrong)
    moved = setting.ask("otter", stream=False, response_format=shape)
    broken = setting.ask("otter", stream=True, response_format=shape)

    assert (mended.lane, mended.text) == ("provider", '{"city": "Paris"}')
    assert b"breaks its contract" in setting.provider.received[1].body
    assert [one["repair"] for one in mended.record["validations"]] == [False, True]
    assert moved.lane == "private"
    assert [end for _, end in moved.ends][:2] == ["schema_failure", "schema_failure"]
    assert isinstance(broken.error, openai.APIError)
    assert "7" not in broken.text


def test_a_lane_that_fails_again_and_again_is_left_alone_and_found_well_within_one_period(setting: Setting) -> None:
    setting.provider.behave(Behaviour(status=500))
    for _ in range(2):
        setting.ask("falcon", stream=False)
    before = len(setting.provider.received)

    left_alone = setting.ask("falcon", stream=False)
    setting.provider.reset()
    time.sleep(3.2)
    well = setting.ask("falcon", stream=False)

    assert before == 2
    assert left_alone.ends[0][0] == "private"
    closed = {one["lane"]: one["because"] for one in left_alone.record["decisions"][0]["decision"]["closed"]}
    # The running system's decisions know of it; one that is surprised by it leaves the rung out.
    why = closed.get("flaky") or next(one["because"] for one in left_alone.record["skipped"] if one["name"] == "flaky")
    assert "it failed 2 times within 30 s" in why
    assert (well.lane, well.text) == ("flaky", HOSTED_SAYS)


def test_what_must_stay_never_reaches_a_provider_whatever_fails(setting: Setting) -> None:
    for behaviour in (Behaviour(), Behaviour(status=500), Behaviour(half_open=True)):
        setting.provider.behave(behaviour)
        answer = setting.ask("otter", stream=False, extra_headers={"x-lane-labels": "level=restricted"})
        assert answer.ends[0][0] == "private"

    assert setting.provider.received == []
