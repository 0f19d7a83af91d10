"""The tests of networks and of the collapse share `onnx_graphs.py`, which lies beside them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
