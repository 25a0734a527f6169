"""Three real requests, each with its answer, its lane, the policy that fired and its explanation: what `make run` ends with."""

import httpx2
import orjson
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from router.contract import Evidence
from router.explain import explain_line
from serving.settings import Settings

_ASKS = (
    ("A low-risk question", "What is the capital of France?"),
    (
        "Personal data",
        "My name is Anna Keller, my card is 4111 1111 1111 1111. Write a one-line note that thanks me for my order.",
    ),
    ("A change of state", "Please cancel my subscription and refund the last invoice."),
)


def show_demo(settings: Settings) -> None:
    """Send the three requests and print what came of each, then how to go on."""
    console = Console()
    key_name, key = next(iter(orjson.loads(settings.keys_file.read_bytes()).items()))
    base = f"http://{settings.host}:{settings.port}/v1"
    with httpx2.Client(headers={"authorization": f"Bearer {key}"}, timeout=180.0, trust_env=False) as client:
        for title, text in _ASKS:
            console.print(_one(client, base, title, text))
    print(_how_to_go_on(base, settings, key_name), flush=True)


def _one(client: httpx2.Client, base: str, title: str, text: str) -> Panel:
    body = {"model": "auto", "messages": [{"role": "user", "content": text}], "max_tokens": 60, "temperature": 0}
    response = client.post(f"{base}/chat/completions", json=body)
    trace_id = response.headers["x-lane-trace-id"]
    evidence = Evidence.model_validate_json(client.get(f"{base}/evidence/{trace_id}").content)
    rows = [
        ("asked", text),
        ("answer", _answer(response.json())),
        ("lane", response.headers.get("x-lane-lane", "none: no model was asked")),
        ("policies", "; ".join(f"{policy.id} ({policy.because})" for policy in evidence.policies) or "none"),
        ("explain", explain_line(evidence)),
        ("trace", trace_id),
    ]
    content = Text()
    for name, value in rows:
        content.append(f"{name:<9}", style="bold")
        content.append(f"{value}\n")
    return Panel(content, title=title, title_align="left")


def _answer(body: dict[str, object]) -> str:
    match body:
        case {"choices": [{"message": {"content": str(content)}}, *_]}:
            return content
        case {"choices": [{"message": {"refusal": str(refusal)}}, *_]}:
            return refusal
        case {"error": {"message": str(message)}}:
            return f"refused: {message}"
        case _:
            return "(an answer without content)"


def _how_to_go_on(base: str, settings: Settings, key_name: str) -> str:
    read_key = f"$(.venv/bin/python -c \"import json; print(json.load(open('{settings.keys_file}'))['{key_name}'])\")"
    return f"""
It keeps serving. From another terminal:

  KEY={read_key}

  curl {base}/chat/completions -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" \\
    -d '{{"model": "auto", "messages": [{{"role": "user", "content": "Hello"}}]}}'

  .venv/bin/python -c "import openai, sys; print(openai.OpenAI(base_url='{base}', api_key=sys.argv[1]).chat.completions.create(
    model='auto', messages=[{{'role': 'user', 'content': 'Hello'}}]).choices[0].message.content)" $KEY

  .venv/bin/lane ask "Hello"        .venv/bin/lane explain TRACE

To stop: Ctrl-C here, or `.venv/bin/lane down` there.
"""
