"""The tests of the collapse share `onnx_graphs.py` with those of networks, and `random_graphs.py` of their own."""

import math
import sys
from pathlib import Path

import pytest

here = Path(__file__).parent
sys.path[:0] = [str(here), str(here.parent / "network")]


@pytest.fixture(autouse=True)
def counted(monkeypatch):
    """The forms that tests expect are those that counting chooses; what times choose has tests of its own."""
    monkeypatch.setattr(sys.modules["unbend.collapse.collapse"], "COST", "macs")


@pytest.fixture
def any_digits(monkeypatch):
    """What the algebra can do, whatever half precision loses by it: a few random weights may round well or badly."""
    monkeypatch.setattr(sys.modules["unbend.collapse.certify.precision"], "ALLOWED", math.inf)
