"""How weights get onto a node, who vouches for them, and how it is known that they are still the same bytes."""
