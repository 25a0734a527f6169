"""What would we believe of an engine's efficiency before seeing a figure? The centre of each factor, and how far it may lie from it.

Centres are what the field reports of tuned engines on data-centre GPUs: 80% of the bandwidth, 65% of the FLOPs in FP8, microseconds
for a collective. The width is a standard deviation of the logarithm.
"""

from typing import Final

CENTRES: Final = {
    "memory": 0.8,
    "cache": 0.87,
    "matmul": 0.65,
    "experts": 0.7,
    "fp4": 0.6,
    "attention": 0.4,
    "link": 0.5,
    "elementwise": 1.0,
    "step_seconds": 2.4e-3,
    "sequence_seconds": 1e-6,
    "collective_seconds": 12e-6,
    "expert_prefill_seconds": 1e-7,
    "expert_decode_seconds": 3e-7,
    "most_sequences": 2048.0,
    "reserved": 0.85,
    "spread_throughput": 0.7,
    "static_throughput": 0.9,
    "static_collectives": 2.0,
}
WIDTHS: Final = {
    "memory": 0.05,
    "cache": 0.08,
    "matmul": 0.12,
    "experts": 0.3,
    "fp4": 0.25,
    "attention": 0.3,
    "link": 0.3,
    "elementwise": 0.5,
    "step_seconds": 0.4,
    "sequence_seconds": 0.5,
    "collective_seconds": 0.5,
    "expert_prefill_seconds": 1.0,
    "expert_decode_seconds": 1.0,
    "most_sequences": 0.3,
    "reserved": 0.08,
    "spread_throughput": 0.4,
    "static_throughput": 0.1,
    "static_collectives": 1.0,
}
GPU_WIDTH: Final = 0.3
MODEL_WIDTH: Final = 0.2
