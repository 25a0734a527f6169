"""The stand-in speaks the protocol that OpenAI's own client expects."""

from collections.abc import Iterator

import openai
import pytest

from tests.providers.openai_chat import MODEL_VERSION, Behaviour, StandIn


@pytest.fixture
def provider() -> Iterator[StandIn]:
    with StandIn() as standing_in:
        yield standing_in


def client_of(provider: StandIn, key: str | None = None) -> openai.OpenAI:
    return openai.OpenAI(api_key=key or provider.key, base_url=provider.base_url, max_retries=0)


def test_the_official_client_reads_a_whole_answer(provider: StandIn) -> None:
    with client_of(provider) as client:
        answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "?"}])

    assert answer.choices[0].message.content == "The capital of France is Paris."
    assert answer.model == MODEL_VERSION


def test_the_official_client_reads_a_stream(provider: StandIn) -> None:
    with client_of(provider) as client:
        stream = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "?"}], stream=True)
        chunks = list(stream)

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == (
        "The capital of France is Paris."
    )
    assert chunks[-1].usage is not None


def test_the_official_client_sees_its_failures(provider: StandIn) -> None:
    messages = [{"role": "user", "content": "?"}]
    with client_of(provider, "sk-wrong") as client, pytest.raises(openai.AuthenticationError):
        client.chat.completions.create(model="m", messages=messages)  # type: ignore[arg-type]
    provider.behaviour = Behaviour(status=429, headers=(("Retry-After", "7"),))
    with client_of(provider) as client, pytest.raises(openai.RateLimitError) as limited:
        client.chat.completions.create(model="m", messages=messages)  # type: ignore[arg-type]
    provider.behaviour = Behaviour(cut_after=2)
    with client_of(provider) as client, pytest.raises(openai.APIConnectionError):
        list(client.chat.completions.create(model="m", messages=messages, stream=True))  # type: ignore[call-overload]

    assert limited.value.response.headers["retry-after"] == "7"
