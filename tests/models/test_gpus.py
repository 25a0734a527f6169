import pytest

from models.errors import UnknownGpu
from models.gpus import GPUS, find_gpu, parse_gpus


@pytest.mark.parametrize(
    ("published", "name"),
    [
        ("H100-SXM-80GB", "h100"),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("h100 pcie", "h100-pcie"),
        ("NVIDIA H100 PCIe", "h100-pcie"),
        ("H200", "h200"),
        ("H200-SXM-141GB", "h200"),
        ("NVIDIA H200", "h200"),
        ("A100-80GB", "a100"),
        ("NVIDIA A100-SXM4-80GB", "a100"),
        ("A100-40GB", "a100-40gb"),
        ("A100-SXM4-40GB", "a100-40gb"),
        ("L40S-48GB", "l40s"),
        ("A10G-24GB", "a10g"),
        ("B200-180GB", "b200"),
        ("RTX6000-Pro-Blackwell", "rtx-pro-6000"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "rtx-pro-6000"),
        ("MI300X-192GB", "mi300x"),
        ("AMD Instinct MI300X", "mi300x"),
        ("NVIDIA GeForce RTX 4090", "rtx-4090"),
        ("Tesla V100-SXM2-32GB", "v100"),
        ("NVIDIA RTX A6000", "a6000"),
        ("GB200", "gb200"),
    ],
)
def test_a_class_is_found_by_the_names_that_tables_and_drivers_use(published: str, name: str) -> None:
    assert find_gpu(published).name == name
    assert find_gpu(published.upper()).name == name


def test_an_unknown_class_is_told_the_nearest() -> None:
    with pytest.raises(UnknownGpu, match=r"did you mean .*h100"):
        find_gpu("h1000")


def test_the_cpu_has_no_published_figures() -> None:
    with pytest.raises(UnknownGpu, match="lane bench run"):
        find_gpu("cpu")


def test_a_count_follows_a_colon() -> None:
    assert (parse_gpus("h100:2").count, parse_gpus("h100").count) == (2, 1)


@pytest.mark.parametrize("text", ["h100:", "h100:0", "h100:-1", "h100:two", "h100:²", "h100:99999"])
def test_a_count_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UnknownGpu, match="how many GPUs"):
        parse_gpus(text)


def test_every_class_has_a_source_and_narrower_formats_are_never_slower() -> None:
    for gpu in GPUS:
        speeds = [gpu.flops[kind] for kind in ("bf16", "fp8", "fp4") if kind in gpu.flops]
        assert gpu.source
        assert speeds == sorted(speeds), gpu.name
