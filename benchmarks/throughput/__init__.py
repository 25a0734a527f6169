"""What does a model deliver here: how fast, for how many at once, and is it faster than before?"""
