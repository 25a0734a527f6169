import orjson
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from router.errors import BadRequest, LaneOverloaded, PolicyDenied
from router.lane import Continued, Refusal, Stop, TextDelta, ToolCallDelta, Usage
from serving.api.render import DONE, StreamedAnswer, WholeAnswer, error_body

TRACE = "ab" * 16
EVENTS = (TextDelta("Hel"), TextDelta("lo \N{SNOWMAN}\n"), Usage(5, 2, 1), Stop("stop"))


def chunks(rendered: bytes) -> list[ChatCompletionChunk]:
    lines = [line.removeprefix(b"data: ") for line in rendered.split(b"\n\n") if line]
    return [ChatCompletionChunk.model_validate_json(line) for line in lines if line != b"[DONE]"]


def test_a_whole_answer_is_what_the_openai_client_expects() -> None:
    answer = WholeAnswer(TRACE, 1, "m")
    answer.take(EVENTS)

    parsed = ChatCompletion.model_validate_json(answer.body())

    assert parsed.choices[0].message.content == "Hello \N{SNOWMAN}\n"
    assert parsed.choices[0].finish_reason == "stop"
    assert parsed.usage is not None
    assert (parsed.usage.prompt_tokens, parsed.usage.completion_tokens, parsed.usage.total_tokens) == (5, 2, 7)


def test_a_stream_holds_the_same_answer_and_ends_with_the_mark() -> None:
    stream = StreamedAnswer(TRACE, 1, "m", include_usage=True)
    rendered = stream.opening() + stream.render(EVENTS) + stream.closing()

    parsed = chunks(rendered)

    assert "".join(chunk.choices[0].delta.content or "" for chunk in parsed if chunk.choices) == "Hello \N{SNOWMAN}\n"
    assert parsed[-2].choices[0].finish_reason == "stop"
    assert parsed[-1].usage is not None
    assert parsed[-1].usage.completion_tokens == 2
    assert rendered.endswith(DONE)


def test_pieces_that_came_together_go_out_together() -> None:
    stream = StreamedAnswer(TRACE, 1, "m", include_usage=False)

    assert len(chunks(stream.render((TextDelta("a"), TextDelta("b"))))) == 1


def test_pieces_of_a_tool_call_become_one_call() -> None:
    answer = WholeAnswer(TRACE, 1, "m")
    answer.take((ToolCallDelta(0, '{"a"', "c1", "f"), ToolCallDelta(0, ":1}"), Stop("tool_calls")))

    message = ChatCompletion.model_validate_json(answer.body()).choices[0].message

    assert message.content is None
    assert message.tool_calls is not None
    assert message.tool_calls[0].to_dict() == {
        "id": "c1",
        "type": "function",
        "function": {"name": "f", "arguments": '{"a":1}'},
    }


def test_a_refusal_is_a_refusal_and_no_content() -> None:
    answer = WholeAnswer(TRACE, 1, "m")
    answer.take((Refusal("No."), Stop("stop")))

    message = ChatCompletion.model_validate_json(answer.body()).choices[0].message

    assert (message.content, message.refusal) == (None, "No.")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (BadRequest("x: wrong", "x"), 400, "invalid_request"),
        (PolicyDenied("no", ("p1", "p2")), 403, "policy_denied"),
        (LaneOverloaded("private", "full", 2.4), 503, "lane_overloaded"),
        (RuntimeError("hunter2"), 500, "internal_error"),
    ],
)
def test_an_error_has_openais_shape_and_tells_no_secret(error: Exception, status: int, code: str) -> None:
    got, headers, body = error_body(error, TRACE)

    detail = orjson.loads(body)["error"]
    assert (got, detail["code"]) == (status, code)
    assert {"message", "type", "code", "param"} <= set(detail)
    assert b"hunter2" not in body
    if code == "lane_overloaded":
        assert headers["retry-after"] == "2"
    if code == "policy_denied":
        assert headers["x-lane-policies"] == "p1,p2"


def test_where_another_lane_goes_on_the_stream_says_so_and_clients_read_on() -> None:
    stream = StreamedAnswer(TRACE, 1, "m", include_usage=True)

    (chunk,) = chunks(stream.render((Continued("private", "w", 21),)))

    assert chunk.model_extra == {"private_lane": {"resumed": {"lane": "private", "model": "w", "after_characters": 21}}}
    assert not chunk.choices[0].delta.content
