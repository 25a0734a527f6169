"""The HTTP face: OpenAI's shapes in, the router's types within, OpenAI's shapes out."""
