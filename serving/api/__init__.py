"""The OpenAI-shaped front door: HTTP in, a RouteRequest on; events in, HTTP out."""
