"""How many GPUs, and what do people then wait? Pure: architecture, hardware and load in, a plan out."""
