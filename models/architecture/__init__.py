"""What shape has a model, as its `config.json` says, and how many parameters follow from that? Pure arithmetic, no weights read."""

from models.architecture.config import architecture_of
from models.architecture.quantisation import weights_format
from models.architecture.shape import Architecture, Attention, Experts, GroupedAttention, LatentAttention

__all__ = [
    "Architecture",
    "Attention",
    "Experts",
    "GroupedAttention",
    "LatentAttention",
    "architecture_of",
    "weights_format",
]
