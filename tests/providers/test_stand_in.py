"""The stand-in speaks the protocols that the official clients expect, and does as it is told, also from another process."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from anthropic.types import RawMessageStreamEvent
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from tests.providers.behaviour import BEHAVIOUR, Failure
from tests.providers.network import Proxy, black_hole
from tests.providers.stand_in import MODEL_VERSION, Behaviour, Commands, StandIn, rate_limited

ANSWER = "The capital of France is Paris."
ASKS: Any = [{"role": "user", "content": "?"}]


@pytest.fixture
def provider() -> Iterator[StandIn]:
    with StandIn() as standing_in:
        yield standing_in


def openai_of(provider: StandIn, key: str | None = None) -> openai.OpenAI:
    return openai.OpenAI(api_key=key or provider.key, base_url=provider.base_url, max_retries=0)


def anthropic_of(provider: StandIn, key: str | None = None) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key=key or provider.key, base_url=provider.address, max_retries=0)


def test_openai_s_client_reads_whole_answers_and_streams_of_chat_completions(provider: StandIn) -> None:
    with openai_of(provider) as client:
        answer = client.chat.completions.create(model="m", messages=ASKS)
        chunks = list(client.chat.completions.create(model="m", messages=ASKS, stream=True))

    assert answer.choices[0].message.content == ANSWER
    assert answer.model == MODEL_VERSION
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == ANSWER
    assert chunks[-1].usage is not None


@pytest.mark.slow
def test_openai_s_client_reads_whole_answers_and_streams_of_responses(provider: StandIn) -> None:
    with openai_of(provider) as client:
        answer = client.responses.create(model="m", input="?")
        with client.responses.stream(model="m", input="?") as stream:
            streamed = stream.get_final_response()

    assert (answer.output_text, streamed.output_text) == (ANSWER, ANSWER)
    assert streamed.usage is not None
    assert streamed.usage.input_tokens_details.cached_tokens == 3


def test_anthropic_s_client_reads_whole_answers_and_streams_of_messages(provider: StandIn) -> None:
    with anthropic_of(provider) as client:
        answer: Any = client.messages.create(model="m", max_tokens=9, messages=ASKS)
        with client.messages.stream(model="m", max_tokens=9, messages=ASKS) as stream:
            streamed = stream.get_final_message()

    assert answer.content[0].text == ANSWER
    assert streamed.content[0].text == ANSWER  # type: ignore[union-attr]
    assert (streamed.usage.input_tokens, streamed.usage.cache_read_input_tokens) == (8, 3)


@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour(reasoning="Let me see.", tool_calls=(("call_1", "look", '{"q":1}'),)),
        Behaviour(refusal="I can't."),
        Behaviour(finish="length"),
        Behaviour(finish="content_filter"),
    ],
    ids=["tool call", "refusal", "length", "content filter"],
)
@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("chat/completions", ChatCompletionChunk),
        ("responses", ResponseStreamEvent),
        ("messages", RawMessageStreamEvent),
    ],
    ids=["chat", "responses", "messages"],
)
def test_every_event_is_one_that_the_official_types_know(
    provider: StandIn, path: str, kind: Any, behaviour: Behaviour
) -> None:
    provider.behaviour = behaviour
    known = TypeAdapter(kind)
    headers = {"Authorization": f"Bearer {provider.key}", "x-api-key": provider.key}

    with httpx2.stream("POST", f"{provider.base_url}/{path}", json={"stream": True}, headers=headers) as answer:
        lines = [line.removeprefix("data: ") for line in answer.iter_lines() if line.startswith("data: ")]

    events = [json.loads(line) for line in lines if line != "[DONE]"]
    assert len(events) > 3
    for event in events:
        if event.get("type") != "ping":
            known.validate_python(event)


@pytest.mark.parametrize("fails", Failure.__args__)  # type: ignore[attr-defined]
def test_each_failure_is_one_of_the_official_clients_errors(provider: StandIn, fails: Failure) -> None:
    provider.behaviour = Behaviour(fails=fails)

    with openai_of(provider) as client:
        with pytest.raises(openai.APIStatusError) as chat:
            client.chat.completions.create(model="m", messages=ASKS)
        with pytest.raises(openai.APIStatusError):
            client.responses.create(model="m", input="?")
    with anthropic_of(provider) as other, pytest.raises(anthropic.APIStatusError) as messages:
        other.messages.create(model="m", max_tokens=9, messages=ASKS)

    assert chat.value.status_code >= 400
    assert messages.value.status_code >= 400


def test_a_wrong_key_a_rate_limit_and_a_cut_are_seen_by_the_client(provider: StandIn) -> None:
    with openai_of(provider, "sk-wrong") as client, pytest.raises(openai.AuthenticationError):
        client.chat.completions.create(model="m", messages=ASKS)
    with anthropic_of(provider, "sk-wrong") as client, pytest.raises(anthropic.AuthenticationError):  # type: ignore[assignment]
        client.messages.create(model="m", max_tokens=9, messages=ASKS)  # type: ignore[attr-defined]
    provider.behaviour = rate_limited(seconds="7")
    with openai_of(provider) as client, pytest.raises(openai.RateLimitError) as limited:
        client.chat.completions.create(model="m", messages=ASKS)
    provider.behaviour = Behaviour(cut_after="middle")
    with openai_of(provider) as client, pytest.raises(openai.APIConnectionError):
        list(client.chat.completions.create(model="m", messages=ASKS, stream=True))

    assert limited.value.response.headers["retry-after"] == "7"


def test_a_schema_is_followed_where_it_is_told_to(provider: StandIn) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    provider.behaviour = Behaviour(follows_schema=True)
    wanted: Any = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}

    with openai_of(provider) as client:
        answer = client.chat.completions.create(model="m", messages=ASKS, response_format=wanted)

    assert json.loads(answer.choices[0].message.content or "") == {"n": 1}


def test_one_model_can_fail_alone_and_a_script_is_used_up(provider: StandIn) -> None:
    def asked(model: str) -> str:
        with openai_of(provider) as client:
            try:
                return client.chat.completions.create(model=model, messages=ASKS).choices[0].message.content or ""
            except openai.APIStatusError as error:
                return str(error.status_code)

    provider.behave(Behaviour(status=500), model="big")
    provider.script([Behaviour(status=503), Behaviour(pieces=("once",))], model="small")

    assert [asked(model) for model in ("big", "small", "small", "small", "other")] == [
        "500",
        "503",
        "once",
        ANSWER,
        ANSWER,
    ]
    assert [one.model for one in provider.received] == ["big", "small", "small", "small", "other"]
    assert provider.holding("canary") == []


def test_commands_reach_a_stand_in_in_another_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    arguments = [sys.executable, "-m", "tests.providers.stand_in", "--port", str(port)]
    with subprocess.Popen(arguments) as process:
        try:
            commands = _when_up(Commands(f"http://127.0.0.1:{port}"))
            commands.script(
                [Behaviour(raw_body=b"data: \xff\n\n", content_type="text/html"), rate_limited(milliseconds="40")]
            )
            provider = StandIn(port=port)
            with openai_of(provider) as client:
                with pytest.raises(UnicodeDecodeError):
                    list(client.chat.completions.create(model="m", messages=ASKS, stream=True))
                with pytest.raises(openai.RateLimitError) as limited:
                    client.chat.completions.create(model="canary-1", messages=ASKS)
            received = commands.received()
        finally:
            process.terminate()

    assert limited.value.response.headers["retry-after-ms"] == "40"
    assert [one.model for one in received] == ["m", "canary-1"]


def _when_up(commands: Commands) -> Commands:
    for _ in range(200):
        try:
            commands.reset()
            return commands
        except OSError:
            time.sleep(0.05)
    raise AssertionError("it never came up")


def test_a_behaviour_crosses_processes_as_it_is() -> None:
    behaviour = Behaviour(raw_body=b"\xff\x00", pieces=("é",), cut_after="middle", tool_calls=(("1", "t", "{}"),))

    assert BEHAVIOUR.validate_json(BEHAVIOUR.dump_json(behaviour)) == behaviour


def test_a_half_open_peer_never_answers_and_never_hangs_up(provider: StandIn) -> None:
    provider.behaviour = Behaviour(half_open=True)

    with openai_of(provider) as client, pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.3).chat.completions.create(model="m", messages=ASKS)

    assert provider.hung_up == 0


@pytest.mark.slow
def test_the_network_below_can_delay_cut_freeze_refuse_and_swallow(provider: StandIn) -> None:
    def error_of(port: int) -> type[Exception]:
        client = openai.OpenAI(api_key=provider.key, base_url=f"http://127.0.0.1:{port}/v1", max_retries=0, timeout=0.5)
        with client, pytest.raises(openai.OpenAIError) as raised:
            list(client.chat.completions.create(model="m", messages=ASKS, stream=True))
        return raised.type

    with black_hole() as nowhere:
        assert error_of(nowhere) is openai.APITimeoutError
    with Proxy(provider.port, cut_after_bytes=300) as cutting:
        assert error_of(cutting.port) is openai.APIConnectionError
    with Proxy(provider.port, frozen=True) as freezing:
        assert error_of(freezing.port) is openai.APITimeoutError
    with Proxy(provider.port, refusing=True) as refusing:
        assert error_of(refusing.port) is openai.APIConnectionError
    with Proxy(provider.port, delay_seconds=1) as slow:
        assert error_of(slow.port) is openai.APITimeoutError
