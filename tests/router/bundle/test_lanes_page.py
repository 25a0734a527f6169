"""The lanes of docs/lanes.md and those that wait in the starter's comments are lanes, and a wrong one is told what is wrong."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from router.bundle.files import Hosted, LaneSpec

HOME = Path(__file__).parents[3]
PAGE = (HOME / "docs" / "lanes.md").read_text()
STARTER = (HOME / "config" / "starter" / "lanes.yaml").read_text()
PLAIN = {"provider": "p", "base_url": "https://x/v1", "model": "m", "api_key_env": "K", "region": "eu"}


def in_comments(text: str) -> list[str]:
    """Return the lanes that are commented out, as they are once the marks are gone."""
    blocks = re.findall(r"(?:^  #[^\n]*\n)+", text, flags=re.M)
    lines = [line.removeprefix("  # ") for block in blocks for line in block.splitlines()]
    return re.split(r"^(?=- name)", "\n".join(line for line in lines if line[:1] in "- "), flags=re.M)[1:]


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.S) + in_comments(STARTER))
def test_each_example_is_a_lane(block: str) -> None:
    for lane in yaml.safe_load(block):
        made = LaneSpec.model_validate(lane)
        assert made.is_hosted or made.people is not None


@pytest.mark.parametrize(
    ("fields", "because"),
    [
        ({"protocol": "gemini"}, "openai_chat"),
        ({"base_url": "https://x/v1/chat/completions"}, "path, which is added"),
        ({"base_url": "https://x/v1/messages/", "protocol": "anthropic_messages"}, "path, which is added"),
        ({"protocol": "openai_responses", "dialect": {"stream_usage": False}}, "stream_usage says nothing"),
        ({"protocol": "anthropic_messages", "dialect": {"strict": False}}, "strict says nothing"),
        ({"protocol": "anthropic_messages", "dialect": {"structured_output": "json_object"}}, "has no `json_object`"),
        ({"dialect": {"leaves_out": ["max_tokens"]}}, "temperature"),
        ({"dialect": {"provider": "x"}}, "not permitted"),
    ],
)
def test_a_lane_that_no_protocol_can_mean_is_refused(fields: dict[str, Any], because: str) -> None:
    with pytest.raises(ValidationError, match=because):
        Hosted.model_validate(PLAIN | fields)
