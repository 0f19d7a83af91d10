"""What all tests share."""

from hypothesis import settings

# No deadline: a busy machine is no wrong answer. The same examples in every run: a change is judged by what it changes.
# `pytest --hypothesis-profile=search` looks for new ones.
settings.register_profile("unbend", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, derandomize=False)
settings.load_profile("unbend")
