"""People in the way of a request: who approve a tool's call, and who answer where no model may. What waits for them, rests here."""
