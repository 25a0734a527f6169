"""How good is what the system promises, measured on data that others published?"""
