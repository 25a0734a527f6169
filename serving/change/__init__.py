"""Which bundle is in force, who said so, and what came before? Signed, compared, kept whole, switched in one write, undone the same way."""
