"""What does a person read about one model of the catalogue?"""

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from models.catalogue import Entry


def print_entry(entry: "Entry", facts: dict[str, Any]) -> None:
    """Print its facts, its weights, and how it is served on which GPUs."""
    console = Console()
    shape = facts["architecture"]
    about = Table(title=entry.title, title_justify="left", show_header=False)
    rows = {
        "name": entry.name,
        "also called": ", ".join(entry.aliases),
        "same shape": ", ".join(entry.same_shape),
        "licence": entry.licence,
        "source": entry.source,
        "parameters": f"{facts['parameters']:,}, {facts['active_parameters']:,} for each token",
        "shape": f"{shape['layers']} layers of {shape['hidden']:,}, vocabulary {shape['vocabulary']:,}",
        "attention": _in_words(shape["attention"]),
        "windows": _windows(shape),
        "experts": _experts(shape),
        "KV cache": f"{facts['kv_bytes_per_token']:,} bytes a token in bfloat16",
        "context": f"{facts['context_tokens']:,} tokens",
    }
    rows |= {name: f"{one['value']} ({one['because']})" for name, one in facts["chat"].items()}
    for name, value in rows.items():
        if value:
            about.add_row(name, Text(value))
    console.print(about)
    if entry.planning_only:
        console.print("It is here so that figures about it can be read and sized; nothing is claimed about serving it.")
        return
    weights = Table("precision", "weights", "why", title="weights", title_justify="left")
    for precision, variant in facts["variants"].items():
        weights.add_row(precision, Text(variant["source"]), Text(variant["because"]))
    console.print(weights)
    served = Table("on", "precision", "engine argument", "why", title="served", title_justify="left", show_lines=True)
    for gpus, setup in _grouped(facts["setups"]):
        own = {name: one for name, one in setup["engine"].items() if name not in facts["chat"]}
        served.add_row(
            ", ".join(gpus),
            setup["precision"],
            Text("\n".join(f"{name}: {one['value']}" for name, one in own.items())),
            Text(
                "\n".join(
                    [
                        f"{setup['precision']}: {setup['because']}",
                        *(f"{name}: {one['because']}" for name, one in own.items()),
                    ]
                )
            ),
        )
    console.print(served)


def _grouped(setups: list[dict[str, Any]]) -> list[tuple[list[str], dict[str, Any]]]:
    """Put together the classes of GPUs that are set up alike."""
    groups: list[tuple[list[str], dict[str, Any]]] = []
    for setup in setups:
        alike = {name: value for name, value in setup.items() if name != "gpu"}
        for gpus, other in groups:
            if other == alike:
                gpus.append(setup["gpu"])
                break
        else:
            groups.append(([setup["gpu"]], alike))
    return groups


def _in_words(attention: dict[str, Any]) -> str:
    if attention["kind"] == "LatentAttention":
        return f"{attention['heads']} heads over one latent vector of {attention['kv_rank']} + {attention['rope_size']} (MLA)"
    return f"{attention['heads']} heads of {attention['head_size']} over {attention['kv_heads']} KV heads"


def _windows(shape: dict[str, Any]) -> str:
    if not shape["windowed_layers"]:
        return ""
    return f"{shape['windowed_layers']} of {shape['layers']} layers look back at most {shape['window_tokens']:,} tokens"


def _experts(shape: dict[str, Any]) -> str:
    experts = shape["experts"]
    if not experts:
        return ""
    shared = f", {experts['shared']} shared" if experts["shared"] else ""
    return f"{experts['active']} of {experts['count']}{shared}, in {shape['moe_layers']} layers"
