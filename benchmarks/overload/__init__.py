"""What becomes of a private lane that is asked twenty times what it can do? `python -m benchmarks.overload`."""
