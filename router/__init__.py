"""The decision system: what may answer a request, in which order, and why. Pure core; effects stand behind protocols."""
