import json
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from cli.client import Answer, Cluster, read_key
from cli.errors import ClusterAnswered, NotRunning
from router.errors import LaneMisbehaved, NotAuthenticated
from serving.settings import Settings

TRACE = "0123456789abcdef0123456789abcdef"
HEADERS = {"x-lane-trace-id": TRACE, "x-lane-action": "answer"}


def settings_with(folder: Path, keys: str | None = '{"acme/web": "k-1", "acme/batch": "k-2"}') -> Settings:
    settings = Settings(home=folder, bundle=folder, models=folder, port=9)
    if keys is not None:
        settings.keys_file.write_text(keys)
    return settings


def cluster(folder: Path, answer: Callable[[httpx2.Request], httpx2.Response], key: str | None = None) -> Cluster:
    return Cluster(settings_with(folder), key, httpx2.MockTransport(answer))


def sse(*events: object) -> bytes:
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)


def delta(**fields: str) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": None}]}


def test_a_whole_answer_is_asked_for_with_the_first_minted_key(tmp_path: Path) -> None:
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, json={"choices": [{"message": {"content": "Paris."}}]}, headers=HEADERS)

    with cluster(tmp_path, answer) as asked:
        assert asked.ask("Capital of France?", "auto", "s-1") == Answer(TRACE, "Paris.")

    (request,) = seen
    assert request.headers["authorization"] == "Bearer k-1"
    assert request.headers["x-lane-session"] == "s-1"
    assert json.loads(request.content) == {
        "model": "auto",
        "messages": [{"role": "user", "content": "Capital of France?"}],
    }


def test_a_streamed_answer_is_shown_piece_by_piece(tmp_path: Path) -> None:
    body = sse(
        delta(role="assistant", content=""), delta(content="Pa"), delta(content="ris."), {"choices": [], "usage": {}}
    )
    shown: list[str] = []

    with cluster(
        tmp_path, lambda _: httpx2.Response(200, content=body + b"data: [DONE]\n\n", headers=HEADERS)
    ) as asked:
        answer = asked.ask_streamed("Capital?", "auto", None, shown.append)

    assert answer == Answer(TRACE, "Paris.")
    assert shown == ["", "Pa", "ris."]


def test_a_refusal_is_part_of_the_answer(tmp_path: Path) -> None:
    refusal = {"choices": [{"message": {"content": None, "refusal": "A person must approve this."}}]}

    with cluster(tmp_path, lambda _: httpx2.Response(200, json=refusal, headers=HEADERS)) as asked:
        assert asked.ask("Refund me", "auto", None).text == "A person must approve this."


def test_a_stream_without_its_end_mark_is_no_answer(tmp_path: Path) -> None:
    with (
        cluster(tmp_path, lambda _: httpx2.Response(200, content=sse(delta(content="Pa")), headers=HEADERS)) as asked,
        pytest.raises(LaneMisbehaved, match=TRACE),
    ):
        asked.ask_streamed("Capital?", "auto", None, lambda piece: None)


def test_an_error_in_the_middle_of_a_stream_is_told_in_the_clusters_words(tmp_path: Path) -> None:
    body = sse(delta(content="Pa"), {"error": {"message": "lane private: cut", "code": "lane_bad_answer"}})

    with (
        cluster(tmp_path, lambda _: httpx2.Response(200, content=body, headers=HEADERS)) as asked,
        pytest.raises(ClusterAnswered, match="lane private: cut") as answered,
    ):
        asked.ask_streamed("Capital?", "auto", None, lambda piece: None)

    assert answered.value.error_code == "lane_bad_answer"


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda asked: asked.ask("x", "premium", None), id="whole"),
        pytest.param(lambda asked: asked.ask_streamed("x", "premium", None, lambda piece: None), id="streamed"),
    ],
)
def test_an_http_error_keeps_its_code_and_names_the_trace(tmp_path: Path, ask: Callable[[Cluster], Answer]) -> None:
    body = {"error": {"message": "no lane may answer", "code": "policy_denied", "type": "permission_error"}}

    with (
        cluster(tmp_path, lambda _: httpx2.Response(403, json=body, headers=HEADERS)) as asked,
        pytest.raises(ClusterAnswered, match=f"no lane may answer.*{TRACE}") as answered,
    ):
        ask(asked)

    assert (answered.value.error_code, answered.value.http_status) == ("policy_denied", 403)


def test_an_answer_that_is_no_json_is_still_a_clear_error(tmp_path: Path) -> None:
    with (
        cluster(tmp_path, lambda _: httpx2.Response(502, text="<html>bad gateway</html>")) as asked,
        pytest.raises(ClusterAnswered, match="HTTP 502"),
    ):
        asked.evidence(TRACE)


def test_a_cluster_that_is_not_there_says_how_to_start_it(tmp_path: Path) -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused", request=request)

    with cluster(tmp_path, refuse) as asked, pytest.raises(NotRunning, match="lane up"):
        asked.ask("x", "auto", None)


def test_keys_are_found_by_name(tmp_path: Path) -> None:
    assert read_key(settings_with(tmp_path), "acme/batch") == "k-2"


@pytest.mark.parametrize(
    ("keys", "name", "error", "says"),
    [
        (None, None, NotRunning, "lane up"),
        ("{}", None, NotAuthenticated, "holds no key"),
        ("not json", None, NotAuthenticated, "can't be read"),
        ('{"acme/web": "k-1"}', "other/web", NotAuthenticated, "it holds acme/web"),
    ],
)
def test_a_missing_key_says_what_there_is(
    tmp_path: Path, keys: str | None, name: str | None, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says) as refused:
        read_key(settings_with(tmp_path, keys), name)

    assert "k-1" not in str(refused.value)
