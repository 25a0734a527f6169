"""The running system as its users meet it: OpenAI's own client, whole and streamed, and what goes wrong."""

import concurrent.futures
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import openai
import pytest

pytestmark = pytest.mark.e2e

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 20},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
}
CAPITAL = [{"role": "user", "content": "What is the capital of France?"}]


@pytest.fixture
def client(system: Any) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{system.address}/v1", api_key=system.key("local/default"), max_retries=0) as made:
        yield made


@pytest.fixture
def evidence(system: Any) -> Callable[[str], dict[str, Any]]:
    def read(trace_id: str) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {system.key('local/default')}"}
        return httpx2.get(f"{system.address}/v1/evidence/{trace_id}", headers=headers).json()

    return read


def test_a_whole_answer_says_who_answered_and_why(client: Any, evidence: Any) -> None:
    raw = client.chat.completions.with_raw_response.create(model="auto", messages=CAPITAL, temperature=0, max_tokens=20)

    answer = raw.parse()
    record = evidence(raw.headers["x-lane-trace-id"])
    assert answer.choices[0].message.content == "The capital of France is Paris."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.completion_tokens == 8
    assert raw.headers["x-lane-lane"] == "fast_small"
    assert raw.headers["x-lane-risk-tier"] == "low"
    assert "private-lanes-are-home" in raw.headers["x-lane-policies"]
    assert record["finished"]["ended"] == "answered"
    assert len(record["attempts"][0]["model_version"]) == 64
    assert record["egress"] == []


def test_a_streamed_answer_is_the_same_text_with_its_usage(client: Any) -> None:
    chunks = list(
        client.chat.completions.create(
            model="auto",
            messages=CAPITAL,
            temperature=0,
            max_tokens=20,
            stream=True,
            stream_options={"include_usage": True},
        )
    )

    assert (
        "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        == "The capital of France is Paris."
    )
    assert chunks[-1].usage.completion_tokens == 8
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"


def test_a_schema_is_kept_whole_and_streamed(client: Any) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON, "strict": True}}
    ask = [{"role": "user", "content": "Give an example person as JSON."}]

    whole = client.chat.completions.create(
        model="auto", messages=ask, response_format=wanted, max_tokens=80, temperature=0
    )
    streamed = client.chat.completions.create(
        model="auto", messages=ask, response_format=wanted, max_tokens=80, temperature=0, stream=True
    )

    assert set(json.loads(whole.choices[0].message.content)) == {"name", "age"}
    assert set(json.loads("".join(chunk.choices[0].delta.content or "" for chunk in streamed))) == {"name", "age"}


def test_a_wrong_key_an_unknown_model_and_too_long_a_prompt_are_told_apart(system: Any, client: Any) -> None:
    stranger = openai.OpenAI(base_url=f"{system.address}/v1", api_key="wrong", max_retries=0)
    with stranger, pytest.raises(openai.AuthenticationError):
        stranger.chat.completions.create(model="auto", messages=CAPITAL)

    with pytest.raises(openai.NotFoundError, match="did you mean"):
        client.chat.completions.create(model="privat", messages=CAPITAL)

    with pytest.raises(openai.BadRequestError) as too_long:
        client.chat.completions.create(model="private", messages=[{"role": "user", "content": "word " * 9000}])
    assert too_long.value.code == "context_length_exceeded"


def test_personal_data_stays_and_a_pinned_hosted_lane_is_denied(client: Any, evidence: Any) -> None:
    ask = [{"role": "user", "content": "My card is 4111 1111 1111 1111, note it."}]

    stays = client.chat.completions.with_raw_response.create(model="auto", messages=ask, max_tokens=8)
    with pytest.raises(openai.PermissionDeniedError) as denial:
        client.chat.completions.create(model="premium", messages=ask)

    assert stays.headers["x-lane-lane"] == "private"
    assert denial.value.code == "policy_denied"
    assert denial.value.response.headers["x-lane-policies"]
    record = evidence(denial.value.response.headers["x-lane-trace-id"])
    assert record["finished"]["ended"] == "denied"
    assert "4111" not in json.dumps(record)


def test_a_client_that_hangs_up_in_mid_stream_stops_the_generation(client: Any, private: Any, evidence: Any) -> None:
    ask = [{"role": "user", "content": "Write a very long story about a dragon."}]
    raw = client.chat.completions.with_raw_response.create(model="private", messages=ask, max_tokens=512, stream=True)
    stream = raw.parse()
    for _ in range(4):
        next(stream)

    stream.close()

    assert private.run(private.idle_within(5.0)), "the engine still generates"
    record = _finished(evidence, raw.headers["x-lane-trace-id"])
    assert record["finished"]["ended"] == "cancelled"
    assert [attempt["ended"] for attempt in record["attempts"]] == ["cancelled"]


def test_sixty_four_at_once_are_all_answered_and_all_on_record(client: Any, evidence: Any) -> None:
    def one(number: int) -> str:
        raw = client.chat.completions.with_raw_response.create(
            model="auto", messages=[{"role": "user", "content": f"What is {number} plus one?"}], max_tokens=8
        )
        assert raw.parse().choices[0].message.content
        return str(raw.headers["x-lane-trace-id"])

    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        traces = list(pool.map(one, range(64)))

    assert len(set(traces)) == 64
    assert all(evidence(trace)["finished"]["ended"] == "answered" for trace in traces)


def test_the_routes_of_vllm_and_ray_are_not_served(system: Any) -> None:
    for path in (
        "/pause",
        "/tokenize",
        "/invocations",
        "/update_weights",
        "/health",
        "/version",
        "/-/routes/x",
        "/api/jobs",
    ):
        assert httpx2.post(f"{system.address}{path}", json={}).status_code == 404


def test_models_metrics_and_health_answer(system: Any, client: Any) -> None:
    listed = [model.id for model in client.models.list()]

    assert {"auto", "fast_small", "private", "smollm2-135m-instruct"} <= set(listed)
    assert "premium" not in listed, "no key is set, so the lane is off"
    assert httpx2.get(f"{system.address}/healthz").status_code == 200
    assert httpx2.get(f"{system.address}/readyz").json()["ready"]
    assert "lane_requests_total" in httpx2.get(f"{system.address}/metrics").text


def _finished(evidence: Callable[[str], dict[str, Any]], trace_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        record = evidence(trace_id)
        if record.get("finished"):
            return record
        time.sleep(0.1)
    raise AssertionError(f"no end on record for {trace_id}")
