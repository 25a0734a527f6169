"""What a day's traffic looks like: questions that may leave and texts that must not, each of the latter with a canary in it.

`python -m tests.e2e.mixed_load --address URL --count N` sends them with OpenAI's own client and prints, a JSON line each, what was sent
and what came of it. The key is read from the environment.
"""

import argparse
import asyncio
import json
import os
import random
import sys
from dataclasses import asdict, dataclass
from typing import Any

import openai

_AT_ONCE = 16
_OPEN_QUESTIONS = (
    "What is the capital of France?",
    "Name three kinds of clouds.",
    "Why is the sky blue?",
    "How many legs has a spider?",
)


@dataclass(frozen=True)
class Asked:
    """One request: its kind, the canary in it (empty for none), the model asked for, the messages."""

    kind: str
    canary: str
    model: str
    messages: tuple[dict[str, str], ...]


def mixed(count: int, seed: int = 7) -> list[Asked]:
    """Return the requests, the same for the same seed: a fifth each of five kinds."""
    drawn = random.Random(seed)
    return [_one(number, drawn) for number in range(count)]


def _one(number: int, drawn: random.Random) -> Asked:
    canary = f"canary{drawn.getrandbits(64):016x}"
    card, ssn = _card(drawn), f"{drawn.randint(100, 665)}-{drawn.randint(10, 99)}-{drawn.randint(1000, 9999)}"
    question = drawn.choice(_OPEN_QUESTIONS)
    match number % 5:
        case 0:
            return Asked("open, wherever", "", "auto", (_user(question),))
        case 1:
            return Asked("open, hosted", "", "premium", (_user(question),))
        case 2:
            return Asked("protected, wherever", canary, "auto", (_user(f"My card is {card}. Ask for {canary}."),))
        case 3:
            text = f"My social security number is {ssn}, my doctor says I have diabetes. Ask for {canary}."
            return Asked("protected, hosted", canary, "premium", (_user(text),))
        case _:
            system = {"role": "system", "content": f"Patient Ada Moore, SSN {ssn}, file {canary}."}
            return Asked("protected in the system prompt", canary, "auto", (system, _user(question)))


def _user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def _card(drawn: random.Random) -> str:
    """A number with Visa's prefix that passes Luhn's check."""
    digits = [4, *(drawn.randint(0, 9) for _ in range(14))]
    doubled = [sum(divmod(2 * digit, 10)) if place % 2 == 0 else digit for place, digit in enumerate(digits)]
    digits.append(-sum(doubled) % 10)
    number = "".join(map(str, digits))
    return " ".join(number[start : start + 4] for start in range(0, 16, 4))


async def send(address: str, key: str, asked: list[Asked]) -> list[dict[str, Any]]:
    """Send all of them, a bounded number at once; return what was asked with status and lane."""
    turn = asyncio.Semaphore(_AT_ONCE)
    async with openai.AsyncOpenAI(base_url=f"{address}/v1", api_key=key, max_retries=0, timeout=300) as client:

        async def one(ask: Asked) -> dict[str, Any]:
            async with turn:
                try:
                    answer = await client.chat.completions.with_raw_response.create(
                        model=ask.model,
                        messages=list(ask.messages),  # type: ignore[arg-type]
                        max_tokens=4,
                    )
                    got = {"status": answer.status_code, "lane": answer.headers.get("x-lane-lane")}
                except openai.APIStatusError as error:
                    got = {"status": error.status_code, "lane": None}
            return asdict(ask) | got

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(ask)) for ask in asked]
    return [task.result() for task in tasks]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", required=True)
    parser.add_argument("--count", type=int, required=True)
    arguments = parser.parse_args()
    for line in asyncio.run(send(arguments.address, os.environ["LANE_KEY"], mixed(arguments.count))):
        sys.stdout.write(json.dumps(line) + "\n")
