"""The starter bundle with the worked example of docs/redaction.md."""

import re
import shutil
from pathlib import Path

EXAMPLES = dict(re.findall(r"```\w+ (\S+)\n(.*?)```", Path("docs/redaction.md").read_text(), re.DOTALL))
LANE = "premium_redacted"


def with_redaction(starter: Path, folder: Path, base_url: str | None = None) -> Path:
    """Copy the starter and add the example to it; `base_url` is where its lane goes instead of to the provider."""
    shutil.copytree(starter, folder)
    for file, before in (("lanes.yaml", "  - name: long_context"), ("routes.yaml", "  - id: sensitive_private")):
        said = (folder / file).read_text()
        assert said.count(before) == 1
        example = EXAMPLES[file].replace("https://api.openai.com/v1", base_url or "https://api.openai.com/v1")
        (folder / file).write_text(said.replace(before, f"{example}\n{before}"))
    (folder / "boundary/redaction.cedar").write_text(EXAMPLES["boundary/redaction.cedar"])
    return folder
