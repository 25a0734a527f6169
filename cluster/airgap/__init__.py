"""One file that carries the whole system to a place without a network, and installs itself there."""
