import base64
from typing import Any

import numpy as np
import pytest
from openai.types import CreateEmbeddingResponse

from router.lane import Embedding, Stop, Usage

pytestmark = pytest.mark.anyio
NUMBERS = np.array([0.25, -1.5, 3.0], dtype="<f4")
CARD = "Please note my card 4111 1111 1111 1111 for the order."


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def embedding(system: Any) -> Any:
    """The system, whose embedding lane gives each text the same numbers, the last text's first."""

    def script(call: Any) -> list[Any]:
        events = [Embedding(index, (NUMBERS + index).tobytes()) for index in range(len(call.messages))]
        return [(*reversed(events), Usage(7, 0), Stop("stop", "w1"))]

    system.lanes["embedding"].script = script
    return system


async def post(system: Any, **fields: Any) -> Any:
    async with system.http() as http:
        return await http.post("/v1/embeddings", json={"model": "embedding", "input": ["one", "two"], **fields})


async def test_each_text_has_its_numbers_in_the_order_asked_and_evidence_of_where_it_went(embedding: Any) -> None:
    response = await post(embedding)

    answer = CreateEmbeddingResponse.model_validate_json(response.content)
    assert [one.embedding for one in answer.data] == [[0.25, -1.5, 3.0], [1.25, -0.5, 4.0]]
    assert [one.index for one in answer.data] == [0, 1]
    assert (answer.model, answer.usage.prompt_tokens) == ("all-minilm-l6-v2", 7)
    record = embedding.store.read(response.headers["x-lane-trace-id"])
    assert record.finished.ended == "answered"
    assert [attempt.lane for attempt in record.attempts] == ["embedding"]
    assert record.attempts[0].first_token_seconds is not None


async def test_base64_holds_the_same_numbers(embedding: Any) -> None:
    response = await post(embedding, encoding_format="base64", input="one")

    sent = base64.b64decode(response.json()["data"][0]["embedding"])
    assert np.frombuffer(sent, dtype="<f4").tolist() == NUMBERS.tolist()


async def test_personal_data_in_a_text_is_recorded_and_stays(embedding: Any) -> None:
    response = await post(embedding, input=["one", CARD])

    record = embedding.store.read(response.headers["x-lane-trace-id"])
    assert "payment" in record.decisions[0].decision.label.categories
    assert record.egress == ()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"input": [[1, 2, 3]]}, "input: send texts"),
        ({"input": []}, "input: 1 to 2048 texts, here 0"),
        ({"input": ["one", ""]}, "input[1]: an empty text"),
        ({"dimensions": 12}, "dimensions: not a field"),
        ({"encoding_format": "hex"}, "encoding_format"),
        ({"model": "private"}, "`private` gives answers, no embeddings"),
    ],
)
async def test_what_can_not_be_done_is_said_and_where(embedding: Any, fields: dict[str, Any], says: str) -> None:
    response = await post(embedding, **fields)

    assert response.status_code in {400, 404}
    assert says in response.json()["error"]["message"]


async def test_without_a_key_nothing_is_embedded(embedding: Any) -> None:
    async with embedding.http() as http:
        response = await http.post(
            "/v1/embeddings", json={"model": "embedding", "input": "one"}, headers={"authorization": "Bearer none"}
        )

    assert response.status_code == 401
    assert embedding.lanes["embedding"].calls == []
