"""What a node must be, what its processes are given, and whether this machine is fit to be one."""
