"""The memory that a collapse takes, in a process of its own: `python -m benchmarks.collapse_memory FILE [macs]`.

What is counted begins after the collapse of a network of nine numbers, when everything that is imported is there.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
import tracemalloc
from dataclasses import asdict, dataclass
from pathlib import Path

import onnx

from benchmarks.collapsing import network
from benchmarks.memory import clear, status

ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS")}


@dataclass(frozen=True)
class Memory:
    """The most bytes that the whole process held, onnxruntime and mapped files with it, and Python and NumPy alone."""

    process: int
    python: int


def memory(path: Path) -> Memory:
    """What a collapse of the file takes."""
    command = [sys.executable, "-m", "benchmarks.collapse_memory", str(path)]
    done = subprocess.run(command, env=os.environ | ONE_THREAD, capture_output=True, text=True, check=True)
    return Memory(**json.loads(done.stdout.splitlines()[-1]))


def measured(path: str, cost: str) -> Memory:
    """What it takes in this process: once as the system sees it, once as Python's allocator does."""
    from unbend.collapse import collapse

    _warm()
    gc.collect()
    before = clear()
    collapse(path, cost=cost)
    process = status("VmHWM") - before
    gc.collect()
    tracemalloc.start()
    collapse(path, cost=cost)
    return Memory(process, tracemalloc.get_traced_memory()[1])


def _warm() -> None:
    from unbend.collapse import collapse

    with tempfile.TemporaryDirectory(prefix="unbend-benchmark-") as folder:
        small = Path(folder, "small.onnx")
        onnx.save(network((), (2, 3, 1)), small)
        collapse(str(small))


if __name__ == "__main__":
    file, *cost = sys.argv[1:]
    print(json.dumps(asdict(measured(file, *(cost or ["measured"])))))
