"""Server-side tools: who may call one, with what, and where it runs. `router.tools` holds the values."""
