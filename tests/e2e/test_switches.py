"""A lane that an operator switches off gets nothing new within two seconds, here at the running system with its real processes."""

import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest

pytestmark = pytest.mark.e2e
ASK: Any = [{"role": "user", "content": "Say hello."}]


@pytest.fixture
def client(system: Any) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{system.address}/v1", api_key=system.key("local/default"), max_retries=0) as made:
        yield made


def lanes(system: Any, *arguments: str) -> None:
    command = [sys.executable, "-m", "cli.main", "lanes", *arguments]
    subprocess.run(command, check=True, env=dict(system.environment), capture_output=True)


def test_a_private_lane_is_closed_and_opened_by_one_command_each(system: Any, client: Any) -> None:
    client.chat.completions.create(model="private", messages=ASK, max_tokens=2)
    lanes(system, "off", "private", "--because", "its weights are bad")
    closed_at = time.monotonic()
    try:
        said = []
        while time.monotonic() - closed_at < 3.0:
            with pytest.raises(openai.InternalServerError) as refused:
                client.chat.completions.create(model="private", messages=ASK, max_tokens=2)
            said.append(str(refused.value))
        other = client.chat.completions.create(model="fast_small", messages=ASK, max_tokens=2)
    finally:
        lanes(system, "on", "private")
    again = client.chat.completions.create(model="private", messages=ASK, max_tokens=2)

    assert len(said) > 2
    assert all("switched off by" in sentence and "its weights are bad" in sentence for sentence in said)
    assert other.choices
    assert again.choices
