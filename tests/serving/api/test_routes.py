from typing import Any

import anyio
import orjson
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from router.contract import Finding
from router.errors import FoundBeforeLeaving, LaneOverloaded, LaneUnreachable
from router.lane import Stop, TextDelta

pytestmark = pytest.mark.anyio
KEY = "lane-test-key"
SOMEBODYS = Finding(entity="PERSON", category="pii", start=0, end=3, score=0.9, detector="presidio")
CODE = "Write a Python function that reverses a linked list"
CARD = "Please note my card 4111 1111 1111 1111 for the order."


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def body(text: str = "What is the capital of France?", **fields: Any) -> dict[str, Any]:
    return {"model": "auto", "messages": [{"role": "user", "content": text}], **fields}


async def test_a_whole_answer_comes_with_its_decision_in_the_headers_and_its_evidence(system: Any) -> None:
    async with system.http() as http:
        response = await http.post("/v1/chat/completions", json=body())
        evidence = (await http.get(f"/v1/evidence/{response.headers['x-lane-trace-id']}")).json()

    assert ChatCompletion.model_validate_json(response.content).choices[0].message.content == "Hello there"
    assert response.headers["x-lane-lane"] == "fast_small"
    assert response.headers["x-lane-risk-tier"] == "low"
    assert response.headers["x-lane-policies"]
    assert evidence["finished"]["ended"] == "answered"
    assert [attempt["lane"] for attempt in evidence["attempts"]] == ["fast_small"]


async def test_a_streamed_answer_is_the_same_and_its_evidence_is_there_when_it_ends(system: Any) -> None:
    async with system.http() as http:
        response = await http.post(
            "/v1/chat/completions", json=body(stream=True, stream_options={"include_usage": True})
        )
    lines = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
    chunks = [ChatCompletionChunk.model_validate_json(line) for line in lines[:-1]]

    assert lines[-1] == "[DONE]"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hello there"
    assert chunks[-1].usage is not None
    record = system.store.read(response.headers["x-lane-trace-id"])
    assert record is not None
    assert record.finished is not None


async def test_personal_data_stays_private_and_a_pinned_hosted_lane_is_denied_with_its_policies(system: Any) -> None:
    await system.all_lanes_on()
    async with system.http() as http:
        stays = await http.post("/v1/chat/completions", json=body(CARD))
        pinned = await http.post("/v1/chat/completions", json=body(CARD, model="premium"))

    assert not system.bundle.lanes[stays.headers["x-lane-lane"]].is_hosted
    assert pinned.status_code == 403
    assert pinned.json()["error"]["code"] == "policy_denied"
    assert pinned.headers["x-lane-policies"]
    assert system.lanes["premium"].calls == []
    record = system.store.read(pinned.headers["x-lane-trace-id"])
    assert record is not None
    assert record.finished is not None
    assert record.finished.ended == "denied"


async def test_a_change_of_state_is_a_planned_answer_and_asks_no_model(system: Any) -> None:
    async with system.http() as http:
        response = await http.post("/v1/chat/completions", json=body("Cancel my subscription and refund my order now."))

    message = ChatCompletion.model_validate_json(response.content).choices[0].message
    assert response.headers["x-lane-action"] == "approval"
    assert message.refusal
    assert all(lane.calls == [] for lane in system.lanes.values())


async def test_no_key_and_a_wrong_key_are_401_and_on_record(system: Any) -> None:
    for key in (None, "wrong"):
        async with system.http(key) as http:
            response = await http.post("/v1/chat/completions", json=body())

        assert response.status_code == 401
        assert response.json()["error"]["code"] == "invalid_api_key"
        record = system.store.read(response.headers["x-lane-trace-id"])
        assert record is not None
        assert record.finished is not None
        assert record.finished.status == 401


async def test_broken_and_unknown_requests_say_what_is_wrong_and_are_on_record(system: Any) -> None:
    async with system.http() as http:
        for sent, status, code in [
            (b"{", 400, "invalid_request"),
            (orjson.dumps(body(chat_template="x")), 400, "unsupported_parameter"),
            (orjson.dumps(body(model="no-such-model")), 404, "model_not_found"),
            (b"x" * (17 * 2**20), 413, "request_too_large"),
        ]:
            response = await http.post("/v1/chat/completions", content=sent)

            assert (response.status_code, response.json()["error"]["code"]) == (status, code)
            record = system.store.read(response.headers["x-lane-trace-id"])
            assert record is not None
            assert record.finished is not None
            assert record.finished.ended == "bad_request"


async def test_evidence_of_another_tenant_does_not_exist(system: Any) -> None:
    async with system.http("wrong") as http:
        refused = await http.post("/v1/chat/completions", json=body())
    async with system.http() as http:
        response = await http.get(f"/v1/evidence/{refused.headers['x-lane-trace-id']}")

    assert response.status_code == 404
    assert response.json()["error"]["code"] == "trace_not_found"


async def test_a_failure_before_content_keeps_its_status_also_when_streamed(system: Any) -> None:
    for name in system.lanes:
        system.lanes[name].script = lambda call: [LaneOverloaded(call.lane, "full", 7)]

    async with system.http() as http:
        response = await http.post("/v1/chat/completions", json=body(stream=True))

    assert response.status_code == 503
    assert response.headers["retry-after"] == "7"


async def test_a_failure_in_the_middle_is_an_event_and_no_end_mark(system: Any) -> None:
    for name in system.lanes:
        system.lanes[name].script = lambda call: [(TextDelta("Hal"),), LaneUnreachable(call.lane, "gone")]

    async with system.http() as http:
        response = await http.post("/v1/chat/completions", json=body(stream=True))

    assert "Hal" in response.text
    assert '"lane_unreachable"' in response.text
    assert "[DONE]" not in response.text
    record = system.store.read(response.headers["x-lane-trace-id"])
    assert record is not None
    assert record.finished is not None
    assert record.finished.ended == "failed"


async def test_an_answer_under_a_schema_that_it_breaks_never_arrives_as_success(system: Any) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "p", "schema": {"type": "object", "required": ["name"]}}}
    for lane in system.lanes.values():
        lane.script = lambda _: [(TextDelta("{}"), Stop("stop"))]

    async with system.http() as http:
        response = await http.post("/v1/chat/completions", json=body(response_format=schema))

    assert response.status_code == 422
    assert "`name` is missing" in response.json()["error"]["message"]


async def test_a_sessions_label_outlives_the_turn_that_raised_it(system: Any) -> None:
    headers = {"x-lane-session": "s1"}
    await system.all_lanes_on()
    async with system.http() as http:
        await http.post("/v1/chat/completions", json=body(CARD), headers=headers)
        later = await http.post("/v1/chat/completions", json=body(model="premium"), headers=headers)
        other = await http.post("/v1/chat/completions", json=body(model="premium"), headers={"x-lane-session": "s2"})

    assert later.status_code == 403
    assert other.status_code == 200


async def test_without_the_keeper_a_session_is_restricted_and_hosted_lanes_are_off(system: Any) -> None:
    await system.all_lanes_on()
    system.keeper.gone = True
    async with system.http() as http:
        response = await http.post("/v1/route", json=body(), headers={"x-lane-session": "s1"})
        plain = await http.post("/v1/route", json=body())

    assert response.status_code == 503
    assert plain.json()["decision"]["risk_tier"] == "low"


async def test_the_route_alone_is_answered_and_recorded_without_asking_a_model(system: Any) -> None:
    async with system.http() as http:
        response = await http.post("/v1/route", json=body("How long do refunds take?"))

    assert response.json()["decision"]["route"] == "support_refund_policy_low_risk"
    assert all(lane.calls == [] for lane in system.lanes.values())
    record = system.store.read(response.json()["trace_id"])
    assert record is not None
    assert record.finished is not None
    assert record.finished.ended == "decided"


async def test_only_lanes_that_are_on_are_listed(system: Any) -> None:
    async with system.http() as http:
        closed = [model["id"] for model in (await http.get("/v1/models")).json()["data"]]
        await system.all_lanes_on()
        opened = [model["id"] for model in (await http.get("/v1/models")).json()["data"]]

    assert {"auto", "private", "fast_small", "smollm2-135m-instruct"} <= set(closed)
    assert "premium" not in closed
    assert "premium" in opened


async def test_readiness_follows_the_models(system: Any) -> None:
    async with system.http(None) as http:
        ready = await http.get("/readyz")
        system.missing["smollm2-135m-instruct"] = "ActorDiedError"
        broken = await http.get("/readyz")
        alive = await http.get("/healthz")

    assert (ready.status_code, broken.status_code, alive.status_code) == (200, 503, 200)


async def test_metrics_count_what_happened_and_name_no_text(system: Any) -> None:
    async with system.http() as http:
        await http.post("/v1/chat/completions", json=body(CARD))
        metrics = (await http.get("/metrics")).text

    assert 'lane_requests_total{ended="answered"' in metrics
    assert "4111 1111" not in metrics  # A time may well hold 4111.


async def test_unknown_addresses_answer_in_the_same_shape(system: Any) -> None:
    async with system.http() as http:
        for address in ("/v1/nothing", "/pause", "/tokenize", "/invocations", "/docs", "/openapi.json"):
            response = await http.post(address, json={})

            assert response.status_code == 404
            assert response.json()["error"]["code"] == "not_found"


async def test_tenants_do_not_share_a_prefix_cache(system: Any) -> None:
    async with system.http() as http:
        await http.post("/v1/chat/completions", json=body())

    (call,) = system.lanes["fast_small"].calls
    assert call.cache_salt
    assert call.cache_salt != "local"


async def test_sixty_four_at_once_are_all_answered(system: Any) -> None:
    statuses: list[int] = []
    async with system.http() as http:

        async def one() -> None:
            statuses.append((await http.post("/v1/chat/completions", json=body())).status_code)

        async with anyio.create_task_group() as group:
            for _ in range(64):
                group.start_soon(one)

    assert statuses == [200] * 64


async def test_a_client_that_hangs_up_before_a_whole_answer_stops_the_lane(system: Any) -> None:
    started, stopped = anyio.Event(), anyio.Event()

    class Endless:
        async def stream(self, _call: Any) -> Any:
            started.set()
            try:
                await anyio.sleep_forever()
                yield ()
            finally:
                stopped.set()

    system.lanes["fast_small"] = Endless()
    messages = [{"type": "http.request", "body": orjson.dumps(body()), "more_body": False}]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        await started.wait()
        return {"type": "http.disconnect"}

    async def send(_message: Any) -> None:
        pass

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/chat/completions",
        "headers": [(b"authorization", f"Bearer {KEY}".encode())],
        "query_string": b"",
    }
    with anyio.fail_after(5):
        await system.app(scope, receive, send)
        await stopped.wait()


async def test_a_switched_off_lane_gets_no_new_request_private_or_hosted_and_says_why(system: Any) -> None:
    await system.all_lanes_on()
    system.switches.lock("private", "bad weights")
    system.switches.lock("premium", "it leaks")
    async with system.http() as http:
        private = await http.post("/v1/chat/completions", json=body(model="private"))
        hosted = await http.post("/v1/chat/completions", json=body(model="premium"))
        listed = [model["id"] for model in (await http.get("/v1/models")).json()["data"]]
        system.switches.unlock("premium")
        again = await http.post("/v1/chat/completions", json=body(model="premium"))

    assert (private.status_code, hosted.status_code, again.status_code) == (503, 503, 200)
    assert "because bad weights" in private.json()["error"]["message"]
    assert "because it leaks" in hosted.json()["error"]["message"]
    assert not {"private", "premium"} & set(listed)
    assert system.lanes["private"].calls == []
    assert len(system.lanes["premium"].calls) == 1


async def test_the_switches_hold_while_the_keeper_is_gone(system: Any) -> None:
    system.keeper.gone = True
    system.switches.lock("fast_small")

    async with system.http() as http:
        response = await http.post("/v1/chat/completions", json=body(model="fast_small"))

    assert response.status_code == 503
    assert system.lanes["fast_small"].calls == []


async def test_switches_that_can_t_be_read_close_every_lane(system: Any) -> None:
    await system.all_lanes_on()
    system.switches.folder.rmdir()

    async with system.http() as http:
        response = await http.post("/v1/chat/completions", json=body())

    assert response.status_code == 503
    assert all(lane.calls == [] for lane in system.lanes.values())


async def test_what_the_deep_scan_finds_is_answered_privately_and_on_record(system: Any) -> None:
    await system.all_lanes_on()
    system.lanes["code"].script = lambda call: [FoundBeforeLeaving(call.lane, (SOMEBODYS,))]

    async with system.http() as http:
        answer = await http.post("/v1/chat/completions", json=body(CODE))

    assert (answer.status_code, answer.headers["x-lane-lane"]) == (200, "private")
    first, again = system.store.read(answer.headers["x-lane-trace-id"]).decisions
    assert (first.decision.lane, again.decision.lane) == ("code", "private")
    assert SOMEBODYS in again.decision.findings
    assert again.decision.label.categories == ("pii",)
    assert "deep scan found pii" in again.because


async def test_a_pinned_hosted_lane_is_refused_when_the_deep_scan_finds_something(system: Any) -> None:
    await system.all_lanes_on()
    system.lanes["premium"].script = lambda call: [FoundBeforeLeaving(call.lane, (SOMEBODYS,))]

    async with system.http() as http:
        answer = await http.post("/v1/chat/completions", json=body(model="premium"))

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "found_before_leaving")
