"""What do the makers publish of each class of GPUs? One table, each row with its source; prices are assumed and say so."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

FlopsFormat = Literal["bf16", "fp8", "int8", "fp4"]
"""What the matrix units multiply in. float16 goes at the speed of bfloat16."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """One class of GPUs. `flops` are dense (makers like to print twice that, with half of the numbers zero).

    `memory_bytes` is what CUDA or ROCm reports in all: what vLLM takes its share of. `nvlink_bytes_per_second` counts both directions
    together, as it is published, over NVLink or Infinity Fabric, and is None where GPUs meet over PCIe alone, likewise counted.
    """

    name: str
    title: str
    aliases: tuple[str, ...]
    memory_bytes: int
    bandwidth_bytes_per_second: float
    flops: Mapping[FlopsFormat, float]
    nvlink_bytes_per_second: float | None
    pcie_bytes_per_second: float
    watts: float
    usd_per_hour_assumed: float
    source: str

    @property
    def link_bytes_per_second(self) -> float:
        """Bytes a second between two GPUs of a node, both directions together, over the fastest way there is."""
        return self.nvlink_bytes_per_second or self.pcie_bytes_per_second


_GIB: Final = 1024**3
_TERA: Final = 1e12
_GIGA: Final = 1e9


def _gpu(
    name: str,
    title: str,
    aliases: str,
    *,
    gib: float,
    terabytes_per_second: float,
    teraflops: Mapping[FlopsFormat, float],
    link: float | None,
    pcie: float,
    watts: float,
    usd: float,
    source: str,
) -> Gpu:
    return Gpu(
        name=name,
        title=title,
        aliases=tuple(aliases.split()),
        memory_bytes=round(gib * _GIB),
        bandwidth_bytes_per_second=terabytes_per_second * _TERA,
        flops=MappingProxyType({kind: value * _TERA for kind, value in teraflops.items()}),
        nvlink_bytes_per_second=link and link * _GIGA,
        pcie_bytes_per_second=pcie * _GIGA,
        watts=watts,
        usd_per_hour_assumed=usd,
        source=source,
    )


_HOPPER: Final[Mapping[FlopsFormat, float]] = {"bf16": 989.4, "fp8": 1978.9, "int8": 1978.9}
_AMPERE: Final[Mapping[FlopsFormat, float]] = {"bf16": 312, "int8": 624}
_CDNA3: Final[Mapping[FlopsFormat, float]] = {"bf16": 1307.4, "fp8": 2614.9, "int8": 2614.9}

GPUS: Final = (
    _gpu(
        "h100",
        "H100 SXM5 80 GB",
        "h100-sxm h100-sxm5 h100-sxm-80gb h100-sxm5-80gb h100-80gb h100-80gb-hbm3",
        gib=79.18,
        terabytes_per_second=3.35,
        teraflops=_HOPPER,
        link=900,
        pcie=128,
        watts=700,
        usd=3.0,
        source="NVIDIA H100 data sheet, SXM5 (sparse FLOPs halved); memory as CUDA reports it",
    ),
    _gpu(
        "h100-pcie",
        "H100 PCIe 80 GB",
        "h100-pcie-80gb h100-80gb-pcie",
        gib=79.1,
        terabytes_per_second=2.0,
        teraflops={"bf16": 756, "fp8": 1513, "int8": 1513},
        link=600,
        pcie=128,
        watts=350,
        usd=2.5,
        source="NVIDIA H100 data sheet, PCIe (sparse FLOPs halved; NVLink by a bridge between two); memory as CUDA reports it",
    ),
    _gpu(
        "h100-nvl",
        "H100 NVL 94 GB",
        "h100-nvl-94gb",
        gib=93.1,
        terabytes_per_second=3.9,
        teraflops={"bf16": 835, "fp8": 1671, "int8": 1671},
        link=600,
        pcie=128,
        watts=400,
        usd=2.8,
        source="NVIDIA H100 data sheet, NVL (sparse FLOPs halved; NVLink by a bridge between two)",
    ),
    _gpu(
        "h200",
        "H200 SXM 141 GB",
        "h200-sxm h200-sxm-141gb h200-141gb h200-sxm5-141gb h200-141gb-hbm3e",
        gib=139.81,
        terabytes_per_second=4.8,
        teraflops=_HOPPER,
        link=900,
        pcie=128,
        watts=700,
        usd=3.8,
        source="NVIDIA H200 data sheet, SXM (sparse FLOPs halved); memory as CUDA reports it",
    ),
    _gpu(
        "gh200",
        "GH200 96 GB",
        "gh200-96gb gh200-480gb gh200-96gb-hbm3",
        gib=94.5,
        terabytes_per_second=4.0,
        teraflops=_HOPPER,
        link=900,
        pcie=128,
        watts=700,
        usd=3.0,
        source="NVIDIA GH200 Grace Hopper data sheet, the GPU with 96 GB HBM3 (sparse FLOPs halved)",
    ),
    _gpu(
        "b200",
        "B200 SXM 180 GB",
        "b200-sxm b200-180gb b200-sxm-180gb b200-192gb",
        gib=178.35,
        terabytes_per_second=7.7,
        teraflops={"bf16": 2250, "fp8": 4500, "int8": 4500, "fp4": 9000},
        link=1800,
        pcie=128,
        watts=1000,
        usd=5.5,
        source="NVIDIA HGX B200 data sheet (sparse FLOPs halved; 8 TB/s printed, 7.7 by bus width and clock); memory as CUDA reports it",
    ),
    _gpu(
        "gb200",
        "GB200 186 GB",
        "gb200-186gb gb200-192gb gb200-nvl72",
        gib=184.3,
        terabytes_per_second=8.0,
        teraflops={"bf16": 2500, "fp8": 5000, "int8": 5000, "fp4": 10_000},
        link=1800,
        pcie=128,
        watts=1200,
        usd=6.5,
        source="NVIDIA GB200 NVL72 data sheet, one GPU of it (sparse FLOPs halved)",
    ),
    _gpu(
        "rtx-pro-6000",
        "RTX PRO 6000 Blackwell Server 96 GB",
        "rtx6000-pro-blackwell rtx-pro-6000-blackwell rtx-pro-6000-96gb rtx-pro-6000-blackwell-server rtx6000-pro rtx-6000-pro",
        gib=94.97,
        terabytes_per_second=1.597,
        teraflops={"bf16": 503.8, "fp8": 1007.6, "int8": 1007.6, "fp4": 2015.2},
        link=None,
        pcie=128,
        watts=600,
        usd=1.8,
        source="NVIDIA RTX PRO 6000 Blackwell Server Edition data sheet (4 PFLOPS sparse FP4, halved by half for each wider format)",
    ),
    _gpu(
        "a100",
        "A100 SXM4 80 GB",
        "a100-80gb a100-sxm a100-sxm4 a100-sxm-80gb a100-sxm4-80gb",
        gib=79.14,
        terabytes_per_second=2.039,
        teraflops=_AMPERE,
        link=600,
        pcie=64,
        watts=400,
        usd=1.8,
        source="NVIDIA A100 data sheet, SXM4 80 GB; memory as CUDA reports it",
    ),
    _gpu(
        "a100-40gb",
        "A100 SXM4 40 GB",
        "a100-sxm-40gb a100-sxm4-40gb a100-40",
        gib=39.5,
        terabytes_per_second=1.555,
        teraflops=_AMPERE,
        link=600,
        pcie=64,
        watts=400,
        usd=1.3,
        source="NVIDIA A100 data sheet, SXM4 40 GB; memory as CUDA reports it",
    ),
    _gpu(
        "l40s",
        "L40S 48 GB",
        "l40s-48gb",
        gib=44.39,
        terabytes_per_second=0.864,
        teraflops={"bf16": 362.05, "fp8": 733, "int8": 733},
        link=None,
        pcie=64,
        watts=350,
        usd=1.0,
        source="NVIDIA L40S data sheet; memory as CUDA reports it",
    ),
    _gpu(
        "l4",
        "L4 24 GB",
        "l4-24gb",
        gib=22.03,
        terabytes_per_second=0.3,
        teraflops={"bf16": 121, "fp8": 242.5, "int8": 242.5},
        link=None,
        pcie=64,
        watts=72,
        usd=0.6,
        source="NVIDIA L4 data sheet (sparse FLOPs halved); memory as CUDA reports it",
    ),
    _gpu(
        "a10g",
        "A10G 24 GB",
        "a10g-24gb",
        gib=22.07,
        terabytes_per_second=0.6,
        teraflops={"bf16": 70, "int8": 140},
        link=None,
        pcie=64,
        watts=300,
        usd=0.8,
        source="NVIDIA A10G data sheet (the A10 that AWS rents, with slower tensor cores); memory as CUDA reports it",
    ),
    _gpu(
        "mi300x",
        "MI300X 192 GB",
        "mi300x-192gb mi300x-oam",
        gib=191.98,
        terabytes_per_second=5.3,
        teraflops=_CDNA3,
        link=896,
        pcie=128,
        watts=750,
        usd=2.5,
        source="AMD Instinct MI300X data sheet (dense)",
    ),
    _gpu(
        "mi325x",
        "MI325X 256 GB",
        "mi325x-256gb mi325x-oam",
        gib=255.98,
        terabytes_per_second=6.0,
        teraflops=_CDNA3,
        link=896,
        pcie=128,
        watts=1000,
        usd=3.0,
        source="AMD Instinct MI325X data sheet (dense)",
    ),
    _gpu(
        "h20",
        "H20 96 GB",
        "h20-96gb h20-sxm",
        gib=95.1,
        terabytes_per_second=4.0,
        teraflops={"bf16": 148, "fp8": 296, "int8": 296},
        link=900,
        pcie=128,
        watts=400,
        usd=1.5,
        source="NVIDIA H20 data sheet (dense)",
    ),
    _gpu(
        "b300",
        "B300 SXM 270 GB",
        "b300-sxm b300-288gb b300-270gb gb300 gb300-288gb",
        gib=267.6,
        terabytes_per_second=8.0,
        teraflops={"bf16": 2250, "fp8": 4500, "fp4": 13_500},
        link=1800,
        pcie=256,
        watts=1100,
        usd=7.0,
        source="NVIDIA HGX B300 data sheet (sparse FLOPs halved, FP4 printed dense)",
    ),
    _gpu(
        "l40",
        "L40 48 GB",
        "l40-48gb",
        gib=44.39,
        terabytes_per_second=0.864,
        teraflops={"bf16": 181.05, "fp8": 362, "int8": 362},
        link=None,
        pcie=64,
        watts=300,
        usd=0.9,
        source="NVIDIA L40 data sheet",
    ),
    _gpu(
        "a6000",
        "RTX A6000 48 GB",
        "rtx-a6000 a6000-48gb rtx-a6000-48gb",
        gib=47.4,
        terabytes_per_second=0.768,
        teraflops={"bf16": 154.8, "int8": 309.7},
        link=112.5,
        pcie=64,
        watts=300,
        usd=0.6,
        source="NVIDIA RTX A6000 data sheet (sparse FLOPs halved; NVLink by a bridge between two)",
    ),
    _gpu(
        "a30",
        "A30 24 GB",
        "a30-24gb",
        gib=23.5,
        terabytes_per_second=0.933,
        teraflops={"bf16": 165, "int8": 330},
        link=200,
        pcie=64,
        watts=165,
        usd=0.6,
        source="NVIDIA A30 data sheet (NVLink by a bridge between two)",
    ),
    _gpu(
        "rtx-4090",
        "GeForce RTX 4090 24 GB",
        "geforce-rtx-4090 rtx4090-24gb 4090",
        gib=23.5,
        terabytes_per_second=1.008,
        teraflops={"bf16": 165.2, "fp8": 330.3, "int8": 660.6},
        link=None,
        pcie=64,
        watts=450,
        usd=0.4,
        source="NVIDIA Ada GPU architecture paper, appendix (dense, summed in FP32)",
    ),
    _gpu(
        "v100",
        "V100 SXM2 32 GB",
        "v100-32gb v100-sxm2-32gb v100-sxm2",
        gib=31.74,
        terabytes_per_second=0.9,
        teraflops={"bf16": 125},
        link=300,
        pcie=32,
        watts=300,
        usd=0.5,
        source="NVIDIA V100 data sheet, SXM2 (float16: it has no bfloat16, and this vLLM no longer runs there)",
    ),
    _gpu(
        "t4",
        "T4 16 GB",
        "t4-16gb",
        gib=14.56,
        terabytes_per_second=0.32,
        teraflops={"bf16": 65, "int8": 130},
        link=None,
        pcie=32,
        watts=70,
        usd=0.3,
        source="NVIDIA T4 data sheet (float16: it has no bfloat16)",
    ),
)
