"""For all tests: an example may take as long as a busy machine needs. How fast things are is what scripts/bench says."""

from hypothesis import settings

settings.register_profile("gemel", deadline=None)
settings.load_profile("gemel")
