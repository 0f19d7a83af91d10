"""The tests of what is written for torch share `written.py`, and the examples of the op table."""

import sys
from pathlib import Path

here = Path(__file__).parent
sys.path[:0] = [str(here), str(here.parent), str(here.parent / "ops")]
