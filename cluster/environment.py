"""Which environment do Ray's and vLLM's processes get? Nothing that calls home, nothing that opens a door, no provider's key."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

FORCED: Final[Mapping[str, str]] = MappingProxyType(
    {
        # Weights are on this machine: nothing may ask a hub, and nothing may report on its use.
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_DO_NOT_TRACK": "1",
        "DO_NOT_TRACK": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        # Ray lets whoever reaches its ports run code: a token is asked for on each of them.
        "RAY_AUTH_MODE": "token",
    }
)

UNLESS_SET: Final[Mapping[str, str]] = MappingProxyType(
    {
        # Measured on 2 cores with small bodies: 1,650 requests a second beside 290 of the default Python proxy.
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        # Measured at 16 streams: 8.4 requests a second beside 7.8 without.
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        # Ray lowers the priority of its workers (nice 15); here they are the service itself.
        "RAY_worker_niceness": "0",
        # Seconds that an ingress replica waits before it stops, so that balancers elsewhere notice; HAProxy here knows at once.
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1",
        # Seconds in which a node's raylet and its agents must be up. 30 is short beside busy engines; then Ray gives up its start.
        "RAY_raylet_start_wait_time_s": "180",
        # Ray would start a worker a processor for each driver that connects, `lane cluster status` too. Nothing here runs on those.
        "RAY_prestart_worker_first_driver": "0",
        # GiB, for models whose engine settings name none. Left to itself, the CPU engine takes a share of all memory.
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
)

# PYTHONOPTIMIZE drops the assertions that vLLM's own security fixes rest on; RAY_ADDRESS would join a cluster that an
# earlier run left behind.
NEVER: Final = frozenset({"PYTHONOPTIMIZE", "RAY_ADDRESS"})


PROVIDER_KEYS: Final = frozenset(
    {
        "ANTHROPIC_API_KEY",
        "AZURE_OPENAI_API_KEY",
        "COHERE_API_KEY",
        "DEEPSEEK_API_KEY",
        "FIREWORKS_API_KEY",
        "GEMINI_API_KEY",
        "GOOGLE_API_KEY",
        "GROQ_API_KEY",
        "MISTRAL_API_KEY",
        "OPENAI_API_KEY",
        "OPENROUTER_API_KEY",
        "TOGETHER_API_KEY",
        "XAI_API_KEY",
    }
)
"""Variables in which hosted APIs' own clients look for a key, whether a bundle names them or not."""


def ray_environment(base: Mapping[str, str], *, provider_keys: Iterable[str]) -> dict[str, str]:
    """Return the environment for everything in the cluster, made from the one that `base` holds.

    `provider_keys` are the variables that the bundle's hosted lanes name (`hosted.api_key_env`): they are for the door alone, and so are
    those that are known for it.
    """
    withheld = NEVER | PROVIDER_KEYS | set(provider_keys)
    kept = {name: value for name, value in base.items() if name not in withheld}
    return {**UNLESS_SET, **kept, **FORCED}
