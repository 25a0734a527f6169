"""What is this request about? Intent, domain, mode, regulated fields, difficulty, from static embeddings and small heads."""

from router.classify.heads import DEFAULT_HEADS, Heads

__all__ = ["DEFAULT_HEADS", "Heads"]
