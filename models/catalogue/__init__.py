"""Which models are known here, by which names, and how are they served on which GPUs? One YAML file a model beside this one."""

from models.catalogue.entry import Argument, Entry, Setup, Variant
from models.catalogue.load import engine_for, entries, find_model, find_weights

__all__ = ["Argument", "Entry", "Setup", "Variant", "engine_for", "entries", "find_model", "find_weights"]
