"""NIST's reference problems and rational arithmetic, which the benchmarks measure with as well."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

if (ROOT := str(Path(__file__).parents[2])) not in sys.path:
    sys.path.insert(0, ROOT)

RATIONAL: Any = import_module("benchmarks.rational")


class Nist:
    """What the tests of accuracy use."""

    sets = RATIONAL.SETS
    through_origin = RATIONAL.THROUGH_ORIGIN
    degree = staticmethod(lambda name: RATIONAL.DEGREE.get(name, 1))
    certified = staticmethod(RATIONAL.certified)
    as_written = staticmethod(RATIONAL.as_written)
    exact = staticmethod(RATIONAL.exact)
    digits = staticmethod(RATIONAL.digits)


@pytest.fixture(scope="session")
def nist() -> Nist:
    return Nist()
