"""The collapse of known architectures, beside what other tools and their authors make of them.

Every network is exported once; every tool gets the same file. What comes out is counted by one counter (`structure`)
and run by one engine in turns (`latency`), OpenVINO apart, which is an engine of its own.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx

from benchmarks.collapse_memory import Memory, memory
from benchmarks.measure import survey
from benchmarks.structure import Structure, structure

if TYPE_CHECKING:
    from benchmarks.latency import Run, Times
    from benchmarks.networks.case import Case
    from unbend.collapse import Collapse

OURS, ORIGINAL, HAND = "unbend", "original", "by hand"
ROWS = 4
REPEATED = 1.0
"""A collapse that takes fewer seconds than this is timed three times."""

TRACED = 10.0
"""The memory of a collapse that takes more seconds than this is not measured, which takes several times as long."""

ABOUT = (
    "`collapse` on known architectures (`benchmarks/networks`: random weights, BatchNormalization with the statistics "
    "of the data), as PyTorch exports them for any number of rows. By hand: the form that the authors of a block merge "
    "before deployment, here in float64, with code for that block."
)


@dataclass(frozen=True)
class Line:
    """One network: its forms by the name of who made them, their times, the errors of two of them."""

    name: str
    trap: bool
    forms: Mapping[str, Structure]
    openvino: tuple[int, int] | None
    times: Times
    missing: Mapping[str, str]
    original_error: float
    collapsed_error: float
    scale: float
    seconds: float
    memory: Memory | None
    file: int
    certified: bool | None
    changed: bool


@survey(ABOUT, "unbend", "torch", "onnxscript", "onnx", "onnxruntime", "onnxsim", "onnxslim", "openvino")
def collapse_networks() -> str:
    """Measure all of them, then write the tables."""
    import torch

    from benchmarks.collapse_tables import tables
    from benchmarks.networks.case import cases

    torch.set_num_threads(1)
    return tables([_announced(case) for case in cases()])


def _announced(case: Case) -> Line:
    start = time.process_time()
    found = line(case)
    ours, original = found.forms[OURS], found.forms[ORIGINAL]
    print(f"  {case.name}: {original.short} → {ours.short}, {time.process_time() - start:.1f} s", file=sys.stderr)
    return found


def line(case: Case) -> Line:
    """Collapse one network, let the others have it, count, run and compare."""
    from benchmarks.networks.exporting import exported

    path, row = exported(case), case.rows(1).numpy()
    result, seconds = _collapsed(path)
    models, missing = _others(case, path)
    models = {ORIGINAL: onnx.load(path), OURS: result.to_onnx(), **models}
    runs, openvino = _runs(models, case.rows(case.together).numpy())
    errors, scale = _errors(path, [models[ORIGINAL], models[OURS]], case.rows(ROWS, seed=2).numpy())
    from benchmarks.latency import times

    return Line(
        case.name,
        case.trap,
        {name: structure(model, row) for name, model in models.items()},
        openvino,
        times(runs),
        missing,
        *errors,
        scale,
        seconds,
        memory(path) if seconds < TRACED else None,
        path.stat().st_size,
        None if result.certificate is None else result.certificate.holds,
        result.changed,
    )


def _collapsed(path: Path) -> tuple[Collapse, float]:
    """The collapse and the median of its CPU seconds."""
    from unbend.collapse import collapse

    seconds: list[float] = []
    while not seconds or (len(seconds) < 3 and seconds[0] < REPEATED):
        start = time.process_time()
        result = collapse(str(path))
        seconds.append(time.process_time() - start)
    return result, float(np.median(seconds))


def _others(case: Case, path: Path) -> tuple[dict[str, onnx.ModelProto], dict[str, str]]:
    """What the other tools, and people, make of the network; and why some do not."""
    from benchmarks.networks.exporting import Unavailable, exported
    from benchmarks.peers import PEERS

    models: dict[str, onnx.ModelProto] = {}
    missing: dict[str, str] = {}
    for form in ("torch.fx", HAND):
        try:
            models[form] = onnx.load(exported(case, form))
        except Unavailable as reason:
            missing[form] = str(reason)
    for name, peer in PEERS.items():
        try:
            models[name] = peer(path)
        except ImportError:
            missing[name] = "not installed"
    return models, missing


def _runs(models: Mapping[str, onnx.ModelProto], row: np.ndarray) -> tuple[dict[str, Run], tuple[int, int] | None]:
    """Runs under onnxruntime, and of the first two under OpenVINO if it is there, with the nodes it runs."""
    from benchmarks.latency import by_onnxruntime, by_openvino

    runs = {name: by_onnxruntime(model, row) for name, model in models.items() if name != "onnxruntime"}
    if find_spec("openvino") is None:
        return runs, None
    folder = Path(tempfile.mkdtemp(prefix="unbend-benchmark-"))
    runs["OpenVINO"], *counts = by_openvino(models[ORIGINAL], row, folder)
    runs["OpenVINO, collapsed"], *_ = by_openvino(models[OURS], row, folder)
    return runs, (counts[0], counts[1])


def _errors(path: Path, models: list[onnx.ModelProto], rows: np.ndarray) -> tuple[list[float], float]:
    """The largest error of each against the file in float64, and the largest value."""
    from benchmarks.latency import by_onnxruntime
    from benchmarks.networks.exporting import sized
    from unbend.network import evaluate, read

    network = read(sized(onnx.load(path), rows.shape))
    truth = evaluate(network, rows.astype(np.float64))[network.outputs[0].name]
    found = [np.asarray(by_onnxruntime(model, rows)(), dtype=np.float64).reshape(truth.shape) for model in models]
    return [float(np.max(np.abs(one - truth))) for one in found], float(np.max(np.abs(truth)))
