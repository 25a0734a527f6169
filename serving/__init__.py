"""Ray Serve: the API, the private lanes (vLLM); and the door, a process of its own. Adapts the router's protocols."""
