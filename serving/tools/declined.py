"""How does a Python tool say that it can't answer, without having failed? It raises this, with words for the model to read."""


class Declined(Exception):
    """The tool worked and its answer is no: no such ticket, say. The message becomes the result's text."""
