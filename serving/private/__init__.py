"""The private lane: vLLM's async engine in a Ray Serve deployment, behind the router's lane port."""
