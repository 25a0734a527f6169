"""The embedding model on this machine: the numbers of `transformers`, and nothing fetched."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models.minilm import NAME
from router.errors import RetrievalUnavailable
from serving.retrieval.embedder import TOKENS, MiniLm

MODELS = Path(os.environ.get("LANE_MODELS", ".cache/models")).resolve()
HELP = Path(__file__).resolve().parents[3] / "config" / "starter" / "documents" / "help_center"
here = pytest.mark.skipif(not (MODELS / NAME).is_dir(), reason=f"{NAME} is not in {MODELS}: run `make setup`")


@here
@pytest.mark.slow
def test_its_vectors_are_those_of_transformers() -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    texts = ["How long does a refund take?", "Refunds take five working days.", "a " * (2 * TOKENS)]
    tokenizer = AutoTokenizer.from_pretrained(MODELS / NAME, local_files_only=True)
    model = AutoModel.from_pretrained(MODELS / NAME, local_files_only=True).eval()

    for at, embedded in MiniLm(MODELS).embed(texts):
        encoded = tokenizer(texts[at], truncation=True, max_length=TOKENS, return_tensors="pt")
        with torch.inference_mode():
            hidden = model(**encoded).last_hidden_state[0].numpy()
        whole = hidden.mean(axis=0)
        assert embedded.token_ids.tolist() == encoded["input_ids"][0].tolist()
        assert np.allclose(embedded.whole, whole / np.linalg.norm(whole), atol=1e-4)
        assert np.allclose(embedded.tokens, hidden / np.linalg.norm(hidden, axis=1, keepdims=True), atol=2e-3)


def test_a_folder_that_is_not_the_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RetrievalUnavailable, match="run `make setup`"):
        _ = MiniLm(tmp_path).weights_hash


@here
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("unshare") is None, reason="no unshare here")
def test_an_index_is_made_and_asked_without_any_network(tmp_path: Path) -> None:
    unshare = ["unshare", "-rn"]
    if subprocess.run([*unshare, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this user may make no network namespace")
    lane = [sys.executable, "-m", "cli.main", "index"]
    environment = os.environ | {"LANE_HOME": str(tmp_path), "LANE_MODELS": str(MODELS)}

    for command in (["add", "help", str(HELP), "--json"], ["query", "help", "how long does a refund take?", "--json"]):
        ran = subprocess.run([*unshare, *lane, *command], env=environment, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr

    assert ran.stdout.startswith('{"id":null,"chunks":[{"id":"refund-policy#3"')
