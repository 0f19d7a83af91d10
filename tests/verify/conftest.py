"""The small graphs of the network's tests are the checker's too."""

import sys
from pathlib import Path

for folder in ("network", "collapse", "verify"):
    sys.path.insert(0, str(Path(__file__).parent.parent / folder))
