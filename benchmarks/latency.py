"""Networks run in turns in one process: CPU time of a row, round by round, so that ratios are of neighbours in time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

Run = Callable[[], object]

ROUNDS = 21
ROUND = 0.012
"""Each runs for about so many CPU seconds a round …"""

MOST_RUNS = 400
"""… but not more often than this."""


@dataclass(frozen=True)
class Ratio:
    """How many times as long one takes as another: the median over rounds, and the middle half."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Times:
    """CPU seconds of one run, by name and round."""

    seconds: Mapping[str, np.ndarray]

    def ratio(self, slow: str, fast: str) -> Ratio:
        """How many times as long `slow` takes as `fast`, round by round."""
        each = self.seconds[slow] / self.seconds[fast]
        low, median, high = np.quantile(each, [0.25, 0.5, 0.75])
        return Ratio(float(median), float(low), float(high))

    def median(self, name: str) -> float:
        """The median over rounds."""
        return float(np.median(self.seconds[name]))


def times(runs: Mapping[str, Run], rounds: int = ROUNDS) -> Times:
    """Run all of them in turns; odd rounds go backwards, so that nobody always follows the same neighbour."""
    counts = {name: _count(run) for name, run in runs.items()}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds):
        for name in list(runs) if number % 2 else reversed(list(runs)):
            seconds[name].append(_timed(runs[name], counts[name]))
    return Times({name: np.array(found) for name, found in seconds.items()})


def _count(run: Run) -> int:
    """How many runs make a round."""
    run()
    return int(np.clip(ROUND / max(_timed(run, 3), 1e-7), 1, MOST_RUNS))


def _timed(run: Run, count: int) -> float:
    run()
    start = time.process_time()
    for _ in range(count):
        run()
    return (time.process_time() - start) / count


def by_onnxruntime(model: onnx.ModelProto, row: np.ndarray) -> Run:
    """A run of the network under onnxruntime with all of its optimisations, one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: row}
    return lambda: session.run(None, feed)[0]


def by_openvino(model: onnx.ModelProto, row: np.ndarray, folder: Path) -> tuple[Run, int, int]:
    """A run under OpenVINO, one thread and a batch of one, in float32; how many nodes it runs, and heavy ones."""
    import openvino

    path = folder / "openvino.onnx"
    onnx.save(model, path)
    core = openvino.Core()
    network = core.read_model(path)
    network.reshape(list(row.shape))
    settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    compiled = core.compile_model(network, "CPU", settings)
    request = compiled.create_infer_request()
    request.set_input_tensor(openvino.Tensor(row))
    kinds = [node.get_rt_info()["layerType"].value for node in compiled.get_runtime_model().get_ops()]
    nodes = [kind for kind in kinds if kind not in ("Input", "Output", "Const")]
    heavy = [kind for kind in nodes if any(one in kind for one in ("Conv", "FullyConnected", "MatMul"))]
    return request.infer, len(nodes), len(heavy)
