"""Which exact bytes would leave for this call? A pure function of call and lane, one module for each protocol; and its reading back."""

from router.render.bodies import FIELDS, render
from router.render.canonical import NotCanonical, canonical_json, parse_body, texts_in

__all__ = ["FIELDS", "NotCanonical", "canonical_json", "parse_body", "render", "texts_in"]
