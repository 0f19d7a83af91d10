"""What all tests share."""

import sys
from zlib import crc32

import numpy as np
import pytest
from hypothesis import settings

# No deadline: a busy machine is no wrong answer. The same examples in every run: a change is judged by what it changes.
# `pytest --hypothesis-profile=search` looks for new ones.
settings.register_profile("unbend", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, derandomize=False)
settings.load_profile("unbend")


@pytest.fixture(autouse=True)
def _same_numbers_in_every_run(request):
    """The random numbers of a test's networks depend on its name alone, and not on the tests that ran before it."""
    if graphs := sys.modules.get("onnx_graphs"):
        graphs.rng = np.random.default_rng(crc32(request.node.nodeid.encode()))
