"""One model of each family, an adapter, an exact lane and two replicas that share by beginnings: one bundle, one system, all at once.

The models are tiny and random (`families.py`), so that each family's path through vLLM runs here and is held against transformers, token by
token. float32 throughout: what remains of rounding is far below the gap between the two best tokens.
"""

import concurrent.futures
import itertools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import torch
import yaml
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from serving.settings import read_settings
from tests.e2e.families import ADAPTER_RANK, FAMILIES, make_adapter, make_model, merge
from tests.e2e.systems import MODEL, RunningSystem, running_system

# Six models made on the spot: minutes. `make test` serves two models, and holds the exact lane against transformers.
pytestmark = [pytest.mark.e2e, pytest.mark.exam]

STARTER = Path(__file__).parents[2] / "config" / "starter"
TOKENS = 24
PROMPTS = (
    "Hi",
    "What is the capital of France?",
    "Name three primary colours of light, and say why painters choose others.",
    "The train from the north is late again, as on most days in winter. " * 6,
)
LONG = "The shop opens at nine and closes at six on weekdays, and at noon on the last day of the week. " * 4
TIE = 1e-4
"""How far below the best logit float32's other order of adding may leave a token; the gaps here are some ten times that and more."""


def a_model(family: str, **changes: Any) -> dict[str, Any]:
    engine = {
        "dtype": "float32",
        "enforce_eager": True,
        "block_size": 32,
        "kv_cache_gib": 0.03,
        "max_num_seqs": 16,
        **changes.pop("engine", {}),
    }
    name = f"tiny-{family}"
    fields = {"name": name, "family": family, "source": "made here", "folder": name, "licence": "none"}
    return {**fields, "context_tokens": 512, "cpus_per_replica": 0.5, "engine": engine, **changes}


def write_bundle(folder: Path) -> None:
    """The starter's bundle, with a lane for each tiny model. Its own two private lanes go to the first two families."""
    shutil.copytree(STARTER, folder)
    several = {
        "llama": {"adapters": [{"name": "support", "folder": "support", "max_rank": ADAPTER_RANK}]},
        "mistral": {"engine": {"max_num_seqs": 1}},
        "qwen3": {"replicas": 2, "spread": "prefix"},
    }
    models = [a_model(family, **several.get(family, {})) for family in FAMILIES]
    (folder / "models.yaml").write_text(yaml.safe_dump({"models": models}))
    content = yaml.safe_load((folder / "lanes.yaml").read_text())
    places = {"jurisdictions": ["US", "EU", "UK"], "timeouts": {"first_token_seconds": 60, "gap_seconds": 30}}
    own = {"fast_small": "tiny-llama", "private": "tiny-mistral"}
    answering = [lane for lane in content["lanes"] if lane["name"] != "embedding"]
    lanes = [lane | ({"model": own[lane["name"]]} if lane["name"] in own else {}) for lane in answering]
    next(lane for lane in lanes if lane["name"] == "private")["determinism"] = "exact"
    rest = ["tiny-llama:support", *(model["name"] for model in models if model["name"] not in own.values())]
    lanes += [{"name": name.replace(":", "-"), "model": name, **places} for name in rest]
    (folder / "lanes.yaml").write_text(yaml.safe_dump({**content, "lanes": lanes}, sort_keys=False))
    tenants = yaml.safe_load((folder / "tenants.yaml").read_text())
    tenants["tenants"].append({"org": "other", "keys": [{"id": "default", "minted": True}]})
    (folder / "tenants.yaml").write_text(yaml.safe_dump(tenants))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models folder: one of each family, and an adapter."""
    folder = tmp_path_factory.mktemp("models")
    for family in FAMILIES:
        make_model(family, folder / f"tiny-{family}", read_settings(STARTER).models / MODEL)
    make_adapter(folder / "support", folder / "tiny-llama")
    return folder


@pytest.fixture(scope="module")
def several(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    """All of them served. One process an engine: with its worker in a process of its own there would be twenty."""
    bundle = tmp_path_factory.mktemp("config") / "bundle"
    write_bundle(bundle)
    alone = {
        "LANE_MODELS": str(models),
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": "1",
    }
    with running_system(bundle, alone) as started:
        yield started


def ask(system: RunningSystem, model: str, prompt: str, key: str = "local/default", **changes: Any) -> dict[str, Any]:
    body = {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "temperature": 0,
        "max_tokens": TOKENS,
        "logprobs": True,
        "top_logprobs": 1,
        **changes,
    }
    headers = {"authorization": f"Bearer {system.key(key)}"}
    answer = httpx2.post(f"{system.address}/v1/chat/completions", json=body, headers=headers, timeout=120)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def said(answer: dict[str, Any]) -> list[tuple[str, float]]:
    """Each token of an answer with its log-probability."""
    return [(entry["token"], entry["logprob"]) for entry in answer["choices"][0]["logprobs"]["content"]]


def cached(answer: dict[str, Any]) -> int:
    return int(answer["usage"]["prompt_tokens_details"]["cached_tokens"])


class Reference:
    """transformers' own greedy reading of a model folder."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self._ids = {self.tokenizer.decode([token]): token for token in range(len(self.tokenizer))}

    def shortfall(self, prompt: str, tokens: list[str]) -> float:
        """How far the served tokens' logits lie below the best ones, at most. 0: each token is transformers' own."""
        turns = [{"role": "user", "content": prompt}]
        question = self.tokenizer.apply_chat_template(turns, add_generation_prompt=True)["input_ids"]
        answer = [self._ids[text] for text in tokens]
        # Greedy means: each token is the best one after all before it. So one pass over the served answer tells them all.
        with torch.inference_mode():
            logits = self.model(torch.tensor([[*question, *answer]])).logits[0, len(question) - 1 : -1]
        taken = logits.gather(1, torch.tensor(answer)[:, None])[:, 0]
        return float((logits.max(dim=1).values - taken).max())


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_answers_as_transformers_does(several: RunningSystem, models: Path, family: str) -> None:
    name, reference = f"tiny-{family}", Reference(models / f"tiny-{family}")

    for prompt in PROMPTS:
        answer = ask(several, name, prompt)
        tokens = [token for token, _ in said(answer)]

        assert answer["model"] == name
        assert len(tokens) == TOKENS
        # A model that says one thing over and over would agree with anything.
        assert len(set(tokens)) > TOKENS // 2
        assert reference.shortfall(prompt, tokens) < TIE


def test_an_adapter_answers_as_weights_merged_by_hand_and_unlike_its_base(several: RunningSystem, models: Path) -> None:
    reference = Reference(models / "tiny-llama")
    settings = json.loads((models / "support" / "adapter_config.json").read_text())
    weights = load_file(models / "support" / "adapter_model.safetensors")
    merge(reference.model, weights, settings["lora_alpha"], settings["r"])

    for prompt in PROMPTS:
        adapted = [token for token, _ in said(ask(several, "tiny-llama:support", prompt))]
        plain = [token for token, _ in said(ask(several, "tiny-llama", prompt))]

        assert adapted != plain
        assert reference.shortfall(prompt, adapted) < TIE
        assert reference.shortfall(prompt, plain) > TIE


def test_the_evidence_names_the_weights_and_the_adapter(several: RunningSystem) -> None:
    headers = {"authorization": f"Bearer {several.key('local/default')}"}

    def version(model: str) -> str:
        trace = ask(several, model, "Hi")["id"].removeprefix("chatcmpl-")
        record = httpx2.get(f"{several.address}/v1/evidence/{trace}", headers=headers).json()
        return str(record["attempts"][0]["model_version"])

    base, adapted = version("tiny-llama"), version("tiny-llama:support")

    assert adapted.startswith(f"{base}+")
    assert len(adapted) == 2 * 64 + 1


def test_an_exact_lane_answers_alike_alone_and_among_others_to_the_last_bit(
    several: RunningSystem, capsys: pytest.CaptureFixture[str]
) -> None:
    others = [f"{number} times {prompt}" for number, prompt in itertools.product(range(3), PROMPTS)]

    def busy(model: str) -> list[tuple[str, float]]:
        with concurrent.futures.ThreadPoolExecutor(13) as crowd:
            asked = [crowd.submit(ask, several, model, prompt) for prompt in others[:6]]
            answer = crowd.submit(ask, several, model, LONG)
            asked += [crowd.submit(ask, several, model, prompt) for prompt in others[6:]]
            return said(answer.result()) if all(one.result() for one in asked) else []

    exact = said(ask(several, "private", LONG))
    batched = said(ask(several, "tiny-qwen2.5", LONG))
    exact_rounds, batched_rounds = [busy("private") for _ in range(3)], [busy("tiny-qwen2.5") for _ in range(3)]

    with capsys.disabled():
        tokens = sum([t for t, _ in one] == [t for t, _ in batched] for one in batched_rounds)
        bits = sum(one == batched for one in batched_rounds)
        print(f"\na lane that batches: of 3 busy rounds {tokens} kept the tokens, {bits} the log-probabilities")  # noqa: T201
    assert exact_rounds == [exact] * 3


def test_a_seed_is_all_that_an_exact_lane_needs_to_say_the_same_again(several: RunningSystem) -> None:
    first = ask(several, "private", "Hi", temperature=1.0)
    seed = int(first["id"].removeprefix("chatcmpl-")[:15], 16)

    again = ask(several, "private", "Hi", temperature=1.0, seed=seed)
    other = ask(several, "private", "Hi", temperature=1.0, seed=seed + 1)

    assert said(again) == said(first)
    assert said(other) != said(first)


def test_a_cache_is_found_by_its_own_tenant_and_adapter_alone(several: RunningSystem) -> None:
    text = f"For tenants: {LONG}"
    ask(several, "tiny-llama", text)

    assert cached(ask(several, "tiny-llama", text)) > 32
    assert cached(ask(several, "tiny-llama", text, key="other/default")) == 0
    assert cached(ask(several, "tiny-llama:support", text)) == 0
    assert cached(ask(several, "tiny-llama:support", text)) > 32


def test_no_client_chooses_its_salt(several: RunningSystem) -> None:
    body = {"model": "tiny-llama", "messages": [{"role": "user", "content": "Hi"}], "cache_salt": "mine"}
    headers = {"authorization": f"Bearer {several.key('local/default')}"}

    answer = httpx2.post(f"{several.address}/v1/chat/completions", json=body, headers=headers)

    assert answer.status_code == 400
    assert "cache_salt" in answer.text


def test_calls_that_begin_alike_meet_at_one_of_two_replicas(several: RunningSystem) -> None:
    # Each beginning is new, then asked five times more: by chance alone, hardly one in thirty would meet its cache each time.
    for number in range(4):
        beginning = f"Shop {number}: {LONG}"
        ask(several, "tiny-qwen3", beginning)

        hits = [cached(ask(several, "tiny-qwen3", f"{beginning} Question {n}?")) for n in range(5)]

        assert min(hits) > 32
