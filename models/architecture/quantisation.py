"""In which format are the weights of a folder, by the `quantization_config` of its `config.json`? Makers say it in many ways."""

from collections.abc import Mapping
from typing import Any, Final

_FAMILIES: Final = {"float": "fp", "int": "int"}


def weights_format(quantised: Mapping[str, Any]) -> str:
    """Return the format's name (`fp8`, `int4`, …), or the method's own where it says no more."""
    method = str(quantised.get("quant_method") or "")
    match method:
        case "compressed-tensors":
            groups: Mapping[str, Mapping[str, Any]] = quantised.get("config_groups") or {}
            first: Mapping[str, Any] = next(iter(groups.values()), {})
            weights: Mapping[str, Any] = first.get("weights") or {}
            return f"{_FAMILIES.get(str(weights.get('type')), '')}{weights.get('num_bits', '')}" or method
        case "gptq" | "awq" | "auto-round":
            return f"int{quantised.get('bits') or quantised.get('w_bit') or 4}"
        case "bitsandbytes":
            return "int4" if quantised.get("load_in_4bit") else "int8"
        case "modelopt" | "modelopt_fp4":
            return str(quantised.get("quant_algo") or method).lower()
        case "fbgemm_fp8":
            return "fp8"
        case _:
            return method
