"""Does the served model say what its weights say? Greedy output against transformers' own, token by token, up to numeric ties.

A compiled CPU path was once seen to answer fluent gibberish, so this is measured, not believed. Two correct implementations add up
in different orders. Where the two best logits differ by less than `tie_epsilon`, either token is right.
"""

from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from router.contract import Sampling
from router.lane import TextDelta

pytestmark = pytest.mark.e2e

TOKENS = 24
PROMPTS = (
    "What is the capital of France?",
    "Name three primary colours.",
    "How do I boil an egg?",
    "Write one sentence about the sea.",
    "What is 12 plus 30?",
    "Who wrote Romeo and Juliet?",
    "Translate 'good morning' into Spanish.",
    "Explain gravity to a child.",
    "List two uses of copper.",
    "What does HTTP stand for?",
    "Give me a synonym for 'quick'.",
    "Why is the sky blue?",
    "Complete: The quick brown fox",
    "What is the largest planet?",
    "Summarise: Cats sleep a lot. They hunt at night.",
    "Is water wet? Answer briefly.",
    "Write a Python function that adds two numbers.",
    "What year did the Second World War end?",
    "Describe a sunset in one line.",
    "Ist dieser Satz auf Deutsch?",
    "Count from one to ten.",
    "What is a refund policy?",
    "¿Dónde está la biblioteca?",
    "Reply with the word OK.",
)


def tie_epsilon(dtype: torch.dtype, logit: float) -> float:
    """How close two logits must be to count as equal: the number format's resolution at that size, a few roundings wide.

    bfloat16 holds 8 significant bits: at a logit of 16 to 32 neighbours are 0.125 apart, and the layers' roundings add up to some
    four of them. float32's own step is 2 in a million there; a sum of a thousand products in another order moves it by about 1e-4.
    """
    steps = 4 if dtype == torch.bfloat16 else 64
    magnitude = 2.0 ** torch.tensor(abs(logit)).log2().floor().item()
    return steps * magnitude * torch.finfo(dtype).eps


def served_tokens(private: Any, prompt: str) -> list[str]:
    """The answer's tokens as texts, from the log-probabilities that come with them."""
    sampling = Sampling(temperature=0.0, logprobs=True, top_logprobs=1)
    events = private.run(private.answer(private.call(prompt, sampling=sampling, max_tokens=TOKENS)))
    return [str(entry["token"]) for event in events if isinstance(event, TextDelta) for entry in event.logprobs or ()]


def test_greedy_answers_equal_those_of_transformers(
    private: Any, system: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    dtype = getattr(torch, private.run(private.dtype()))
    tokenizer = AutoTokenizer.from_pretrained(system.model_folder)
    model = AutoModelForCausalLM.from_pretrained(system.model_folder, dtype=dtype).eval()
    ids = {tokenizer.decode([token]): token for token in range(len(tokenizer))}
    equal, ties, compared, widest = 0, [], 0, 0.0

    for prompt in PROMPTS:
        served = served_tokens(private, prompt)
        answer = [ids[text] for text in served]
        question = tokenizer.apply_chat_template([{"role": "user", "content": prompt}], add_generation_prompt=True)[
            "input_ids"
        ]
        # Greedy means: each token is the best one after all before it. So one pass over the served answer tells them all.
        with torch.inference_mode():
            logits = model(torch.tensor([[*question, *answer]])).logits[0, len(question) - 1 : -1]
        parted = [n for n, token in enumerate(answer) if logits[n].argmax().item() != token]
        compared += len(answer)
        equal += not parted
        for n in parted:
            best, taken = logits[n].max().item(), logits[n, answer[n]].item()
            epsilon = tie_epsilon(dtype, best)
            widest = max(widest, epsilon)
            ties.append(f"{prompt!r}: token {n}, {served[n]!r}, {best - taken:.2g} below the best")
            assert best - taken < epsilon, f"no tie (epsilon {epsilon:.2g}): {ties[-1]}"

    with capsys.disabled():
        print(  # noqa: T201 - the ties are part of the result
            f"\n{equal} of {len(PROMPTS)} answers equal throughout, {compared} tokens compared in {dtype}, {len(ties)} ties (epsilon {widest:.2g})"
        )
        for tie in ties:
            print(f"  tie: {tie}")  # noqa: T201
    assert equal >= len(PROMPTS) // 2
