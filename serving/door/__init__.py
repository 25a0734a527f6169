"""The only way out: a process of its own that holds the provider keys and believes nobody."""
