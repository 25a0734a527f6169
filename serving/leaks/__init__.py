"""How much of what left should have stayed, and how much stayed for nothing? Sampled, sealed, judged, estimated with its uncertainty."""
