"""The tests of the collapse share `onnx_graphs.py` with those of networks, and `random_graphs.py` of their own."""

import sys
from pathlib import Path

here = Path(__file__).parent
sys.path[:0] = [str(here), str(here.parent / "network")]
