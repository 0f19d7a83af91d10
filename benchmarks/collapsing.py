"""What a tool makes of a network with affine stretches, and how long it takes."""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import redirect_stdout
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx

from benchmarks.measure import Contest, Task, benchmark

WIDTHS = (784, 512, 512, 512, 10)
BATCH = 32
RUNS = 200


def network(relu_after: Collection[int], widths: Sequence[int] = WIDTHS) -> onnx.ModelProto:
    """A chain of Gemm layers with random weights, and a ReLU after the layers that are named."""
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    nodes, constants, value = [], [], "x"
    for layer, (wide, high) in enumerate(pairwise(widths)):
        weight = rng.normal(size=(high, wide)) / np.sqrt(wide)
        for name, array in ((f"W{layer}", weight), (f"b{layer}", rng.normal(size=high))):
            constants.append(numpy_helper.from_array(array.astype(np.float32), name))
        nodes.append(helper.make_node("Gemm", [value, f"W{layer}", f"b{layer}"], [f"h{layer}"], transB=1))
        value = f"h{layer}"
        if layer in relu_after:
            nodes.append(helper.make_node("Relu", [value], [f"r{layer}"]))
            value = f"r{layer}"
    ends = ("x", widths[0]), (value, widths[-1])
    first, last = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size]) for name, size in ends)
    graph = helper.make_graph(nodes, "chain", [first], [last], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def figures(model: onnx.ModelProto) -> Mapping[str, float]:
    """Nodes, numbers stored, and the CPU time of a batch of rows in onnxruntime with one thread."""
    numbers = sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer)
    return {"nodes": len(model.graph.node), "numbers stored": numbers, f"µs a batch of {BATCH}": _microseconds(model)}


def _session(model: onnx.ModelProto):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _microseconds(model: onnx.ModelProto) -> float:
    session = _session(model)
    rows = {session.get_inputs()[0].name: _rows()}
    times = []
    for _ in range(RUNS):
        start = time.process_time_ns()
        session.run(None, rows)
        times.append(time.process_time_ns() - start)
    return float(np.median(times)) / 1000


def outputs(model: onnx.ModelProto) -> np.ndarray:
    """What the network computes for a batch of rows; the contenders have to agree on it."""
    return np.asarray(_session(model).run(None, {"x": _rows()})[0])


def _rows() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(BATCH, WIDTHS[0])).astype(np.float32)


def _contest(contest: Contest, model: onnx.ModelProto) -> None:
    contest.numbers = outputs
    contest.figures = figures

    @contest.contender("unbend", "unbend", "onnx", "onnx-ir")
    def _ours() -> Task:
        from unbend import collapse

        return lambda: collapse(model).to_onnx()

    @contest.contender("nothing done")
    def _nothing() -> Task:
        return lambda: model

    @contest.contender("onnxruntime, all optimisations", "onnxruntime")
    def _onnxruntime() -> Task:
        import onnxruntime

        folder = tempfile.mkdtemp(prefix="unbend-benchmark-")

        def task() -> onnx.ModelProto:
            options = onnxruntime.SessionOptions()
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
            options.optimized_model_filepath = str(Path(folder, "optimised.onnx"))
            options.log_severity_level = 3
            onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
            return onnx.load(options.optimized_model_filepath)

        return task

    @contest.contender("onnxsim", "onnxsim")
    def _onnxsim() -> Task:
        import onnxsim

        def task() -> onnx.ModelProto:
            with redirect_stdout(io.StringIO()):
                return onnxsim.simplify(model)[0]

        return task

    @contest.contender("onnxslim", "onnxslim")
    def _onnxslim() -> Task:
        import onnxslim

        def task() -> onnx.ModelProto:
            copy = onnx.ModelProto()
            copy.CopyFrom(model)
            with redirect_stdout(io.StringIO()):
                return onnxslim.slim(copy)

        return task


@benchmark(
    "A linear network of widths 784-512-512-512-10: four Gemm, no bend. It is one 784 × 10 regression.", rounds=5
)
def collapse_linear(contest: Contest) -> None:
    """`collapse` where everything collapses."""
    _contest(contest, network(relu_after=()))


@benchmark("The same widths with one ReLU, after the second layer: two stretches of two Gemm each.", rounds=5)
def collapse_half(contest: Contest) -> None:
    """`collapse` around a bend."""
    _contest(contest, network(relu_after={1}))
