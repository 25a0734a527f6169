"""What the engine says of itself is read, whether it speaks for itself or through Ray."""

from pathlib import Path

import pytest

from benchmarks.throughput.power import cpu_joules, metered
from benchmarks.throughput.vitals import capacity_in, metrics_in, watched

OWN = """# HELP vllm:kv_cache_usage_perc KV-cache usage.
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25
vllm:prefix_cache_queries_total{engine="0",model_name="m"} 1.0e+03
vllm:prefix_cache_hits_total{engine="0",model_name="m"} 250.0
vllm:e2e_request_latency_seconds_bucket{le="+Inf"} 7
other_total 5
"""
OURS = """lane_engine_kv_use{model="m",replica="a"} 0.1
lane_engine_kv_use{model="m",replica="b"} 0.4
lane_engine_kv_use{model="other",replica="c"} 0.9
lane_engine_prefix_queried_tokens_total{model="m"} 1000.0
"""


def test_a_bare_servers_metrics_are_found_by_name() -> None:
    assert metrics_in(OWN, "m") == {"use": 0.25, "queries": 1000, "hits": 250}


def test_of_several_engines_of_the_model_the_fullest_counts() -> None:
    assert metrics_in(OURS, "m") == {"use": 0.4, "queries": 1000}


def test_a_bare_server_says_what_its_cache_holds() -> None:
    """As vLLM 0.32 shows its cache's configuration; the lane's metrics do not have it."""
    said = (
        'vllm:cache_config_info{block_size="16",engine="0",kv_cache_size_tokens="433072",num_gpu_blocks="27067"} 1.0\n'
    )

    assert capacity_in(OWN + said) == 433_072
    assert capacity_in(said.replace("433072", "None")) is None
    assert capacity_in(OURS) is None


def test_hits_are_those_of_the_watched_time() -> None:
    said = iter((OWN, OWN.replace("1.0e+03", "2000").replace("250.0", "1000")))

    with watched(lambda: next(said, OWN), "m") as vitals:
        pass

    assert vitals.prefix_hits == pytest.approx(0.75)


def test_what_can_not_be_read_is_none() -> None:
    with watched(lambda: None, "m") as vitals:
        pass

    assert (vitals.kv_use, vitals.prefix_hits) == (None, None)


def test_energy_is_added_up_over_the_packages_and_not_over_their_parts(tmp_path: Path) -> None:
    for zone, microjoules in (("intel-rapl:0", 3_000_000), ("intel-rapl:0:0", 1_000_000), ("intel-rapl:1", 2_000_000)):
        (tmp_path / zone).mkdir()
        (tmp_path / zone / "energy_uj").write_text(f"{microjoules}\n")

    assert cpu_joules(tmp_path) == 5.0


def test_where_power_can_not_be_read_it_is_said(tmp_path: Path) -> None:
    with metered(tmp_path) as power:
        pass

    assert power.cpu_watts is None
    assert "CPU (RAPL)" in str(power.because)
