"""The embedding model as its users meet it: asleep until it is asked, then equal to transformers' own numbers."""

import time
from typing import Any

import numpy as np
import openai
import pytest
import torch
import transformers

pytestmark = pytest.mark.e2e
TEXTS = ["What is the capital of France?", "Paris is the capital of France.", "The invoice of March is late. " * 10]


@pytest.fixture(scope="module")
def client(system: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{system.address}/v1", api_key=system.key("local/default"), max_retries=0)


@pytest.fixture(scope="module")
def awake(client: openai.OpenAI) -> openai.OpenAI:
    """The client, once the model has answered: until then it may say that it is starting."""
    deadline = time.monotonic() + 240
    while True:
        try:
            client.embeddings.create(model="embedding", input="wake up", timeout=200)
        except (openai.InternalServerError, openai.APITimeoutError):
            assert time.monotonic() < deadline, "the embedding model did not start"
            time.sleep(2)
        else:
            return client


def expected(system: Any, text: str) -> "np.ndarray[Any, Any]":
    folder = system.settings.models / "all-minilm-l6-v2"
    tokens = transformers.AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
    with torch.no_grad():
        mean = transformers.AutoModel.from_pretrained(folder)(**tokens).last_hidden_state.mean(1)[0]
    return (mean / mean.norm()).numpy()


def test_embeddings_are_those_of_transformers(system: Any, awake: openai.OpenAI) -> None:
    answer = awake.embeddings.create(model="embedding", input=TEXTS)

    assert len(answer.data) == len(TEXTS)
    for text, one in zip(TEXTS, answer.data, strict=True):
        assert np.allclose(one.embedding, expected(system, text), atol=1e-5)
    assert answer.usage.prompt_tokens > 60


def test_a_text_that_is_too_long_is_refused_by_number(awake: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match=r"input\[1\] is longer than the 256 tokens"):
        awake.embeddings.create(model="embedding", input=["short", "word " * 400])
