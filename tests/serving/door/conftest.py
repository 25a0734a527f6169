"""Properties here wait for disks and sign with real keys: what takes long on a busy machine is no failure."""

from hypothesis import settings

settings.register_profile("door", deadline=None)
settings.load_profile("door")
