"""How well is the right abstract found, how fast, and does a false citation get through?"""
