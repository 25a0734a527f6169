import os
from pathlib import Path

import pytest

from cluster.planner.load import Request, Trace, poisson
from cluster.planner.traces import TraceUnreadable, read_trace

TRACES = Path(os.environ.get("LANE_DATA", "../shared/data")) / "traces"
needs_traces = pytest.mark.skipif(
    not TRACES.is_dir(), reason=f"{TRACES} is absent: published traces are not part of the product"
)


def written(folder: Path, text: str) -> Path:
    file = folder / "trace"
    file.write_text(text, "utf-8")
    return file


@pytest.mark.parametrize(
    "text",
    [
        "arrived_at,num_prefill_tokens,num_decode_tokens\n10.0,374,44\n14.5,396,109\n",
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:51.1805900,396,109\n",
        "timestamp,prompt_tokens,generated_tokens,selected_model\n0.5,374,44,a\n5.0,396,109,b\n",
        '{"timestamp":0.5,"prompt_tokens":374,"generated_tokens":44}\n\n{"timestamp":5.0,"prompt_tokens":396,"generated_tokens":109}\n',
        '{"timestamp":500,"input_length":374,"output_length":44,"hash_ids":[]}\n{"timestamp":5000,"input_length":396,"output_length":109}\n',
    ],
)
def test_each_form_says_the_same_and_begins_at_zero(tmp_path: Path, text: str) -> None:
    trace = read_trace(written(tmp_path, text))

    assert trace.requests[0] == Request(0.0, 374, 44)
    assert trace.requests[1].arrived_seconds == pytest.approx(4.5)
    assert (trace.requests[1].prompt_tokens, trace.requests[1].output_tokens) == (396, 109)


def test_a_block_that_is_not_full_is_no_beginning_to_share(tmp_path: Path) -> None:
    trace = read_trace(written(tmp_path, '{"timestamp":0,"input_length":1100,"output_length":5,"hash_ids":[7,8,9]}'))

    assert trace.requests[0].prefix == (7, 8)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "unknown columns"),
        ("a,b\n1,2\n", "unknown columns"),
        ("arrived_at,num_prefill_tokens,num_decode_tokens\n", "no requests"),
        ("arrived_at,num_prefill_tokens,num_decode_tokens\n1,many,2\n", ":2: .*many"),
        ("arrived_at,num_prefill_tokens,num_decode_tokens\n1,0,2\n", ":2: .*at least one token"),
        ('{"timestamp":1}\n', ":1: no input_length"),
        ('{"timestamp":0,"input_length":5,"output_length":5}\n{', ":2: not JSON"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(TraceUnreadable, match=said):
        read_trace(written(tmp_path, text))


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(TraceUnreadable, match="No such file"):
        read_trace(tmp_path / "none")


def test_another_rate_stretches_the_same_requests() -> None:
    slow = poisson(2, 100, 10, 50, seed=3)
    fast = slow.at_rate(8)

    assert fast.requests_per_second == pytest.approx(8)
    assert [one.arrived_seconds for one in poisson(8, 100, 10, 50, seed=3).requests] == pytest.approx(
        [one.arrived_seconds / 4 for one in slow.requests]
    )


def test_a_replica_is_dealt_its_share_of_a_burst_and_not_the_whole_burst_more_slowly() -> None:
    burst = Trace(
        tuple(Request(float(second), 100, 10) for second in range(100) for _ in range(10)), "bursts", recorded=True
    )

    dealt = burst.dealt(burst.requests_per_second / 10)

    assert len(dealt.requests) == 100
    assert [one.arrived_seconds for one in dealt.requests] == [float(second) for second in range(100)]
    assert burst.dealt(burst.requests_per_second * 2).requests_per_second == pytest.approx(
        burst.requests_per_second * 2
    )


@needs_traces
def test_azure_trace() -> None:
    trace = read_trace(TRACES / "azure_2023_conv.csv")

    assert len(trace.requests) == 19_366
    assert trace.requests_per_second == pytest.approx(5.53, abs=0.01)


@needs_traces
def test_mooncake_trace_names_its_beginnings() -> None:
    trace = read_trace(TRACES / "mooncake_conversation.jsonl", limit=500)

    assert len(trace.requests) == 500
    assert all(len(one.prefix) == one.prompt_tokens // 512 for one in trace.requests)
