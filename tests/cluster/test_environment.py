"""What the cluster's processes are told, and what they are never told."""

from hypothesis import given
from hypothesis import strategies as st

from cluster.environment import FORCED, ray_environment

NAMES = st.sampled_from(
    ["PATH", "OPENAI_API_KEY", "HF_HUB_OFFLINE", "RAY_ADDRESS", "PYTHONOPTIMIZE", "VLLM_CPU_KVCACHE_SPACE"]
)


@given(base=st.dictionaries(NAMES, st.text()), keys=st.sets(NAMES.filter(lambda name: name not in FORCED)))
def test_no_provider_key_reaches_the_cluster_whatever_it_is_called(base: dict[str, str], keys: set[str]) -> None:
    environment = ray_environment({**base, **{key: "sk-secret" for key in keys}}, provider_keys=keys)

    assert "sk-secret" not in environment.values()
    assert FORCED.items() <= environment.items()


def test_the_rest_of_the_environment_is_kept() -> None:
    environment = ray_environment({"PATH": "/bin", "PREMIUM_KEY": "sk"}, provider_keys=["PREMIUM_KEY"])

    assert environment["PATH"] == "/bin"
    assert "PREMIUM_KEY" not in environment


def test_a_provider_s_usual_variable_is_withheld_though_no_lane_names_it() -> None:
    environment = ray_environment({"ANTHROPIC_API_KEY": "sk", "PATH": "/bin"}, provider_keys=[])

    assert "ANTHROPIC_API_KEY" not in environment


def test_nobody_can_switch_telemetry_or_an_open_cluster_on() -> None:
    loose = {"RAY_USAGE_STATS_ENABLED": "1", "RAY_AUTH_MODE": "disabled", "HF_HUB_OFFLINE": "0"}

    environment = ray_environment(loose, provider_keys=[])

    assert environment["RAY_USAGE_STATS_ENABLED"] == "0"
    assert environment["RAY_AUTH_MODE"] == "token"
    assert environment["HF_HUB_OFFLINE"] == "1"


def test_an_operator_can_set_what_is_a_matter_of_size() -> None:
    assert ray_environment({}, provider_keys=[])["VLLM_CPU_KVCACHE_SPACE"] == "1"
    assert ray_environment({"VLLM_CPU_KVCACHE_SPACE": "8"}, provider_keys=[])["VLLM_CPU_KVCACHE_SPACE"] == "8"


def test_assertions_stay_on_and_no_stale_cluster_is_joined() -> None:
    environment = ray_environment({"PYTHONOPTIMIZE": "2", "RAY_ADDRESS": "10.0.0.9:6379"}, provider_keys=[])

    assert not {"PYTHONOPTIMIZE", "RAY_ADDRESS"} & environment.keys()


def test_the_given_environment_is_left_alone() -> None:
    base = {"PREMIUM_KEY": "sk"}

    ray_environment(base, provider_keys=["PREMIUM_KEY"])

    assert base == {"PREMIUM_KEY": "sk"}
