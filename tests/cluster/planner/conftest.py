from hypothesis import settings

# A shared machine's pauses are no finding: laws are about answers, not about time.
settings.register_profile("without deadlines", deadline=None)
settings.load_profile("without deadlines")
