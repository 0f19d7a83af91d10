"""What all tests share."""

from hypothesis import settings

settings.register_profile("unbend", deadline=None)  # a busy machine is no wrong answer
settings.load_profile("unbend")
