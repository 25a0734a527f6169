"""Are output contracts kept? The validator beside the official suite, and the small model under constrained decoding."""
