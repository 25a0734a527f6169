"""What becomes of retrieved passages before they are part of a prompt, and of the answer that cites them? Pure: no index, no model."""

from router.context.alarms import document_alarms
from router.context.citations import Breach, CitationRule, false_citations
from router.context.spotlight import context_alarms, label_of_chunks, spotlight

__all__ = [
    "Breach",
    "CitationRule",
    "context_alarms",
    "document_alarms",
    "false_citations",
    "label_of_chunks",
    "spotlight",
]
