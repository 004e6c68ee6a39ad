"""For all tests: an example may take as long as a busy machine needs; how fast things are is for scripts/bench."""

from hypothesis import settings

settings.register_profile("gemel", deadline=None)
settings.load_profile("gemel")
