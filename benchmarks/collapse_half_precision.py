"""How far collapsed networks in half precision are from the truth, beside their originals.

Two ways to run them: with the result of each op rounded, as accelerators do (sums exact, `op_by_op`), and as
onnxruntime runs float16 on a processor: in float32 from the first op to the last, where nothing rounds but the stored
weights and the output. The truth is the float64 evaluation of the half-precision original.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from benchmarks.measure import survey

if TYPE_CHECKING:
    from benchmarks.networks.case import Case

FEWEST, MOST = 2, 256
WORK = 1 << 28
"""As many rows are run as take so many multiplications: outputs of few numbers need many rows to say a ratio."""

TYPES = {
    "float16": (np.dtype(np.float16), TensorProto.FLOAT16),
    "bfloat16": (np.dtype(ml_dtypes.bfloat16), TensorProto.BFLOAT16),
}

ABOUT = (
    "The collapse of the same networks in float16 and bfloat16. Errors are root mean squares over outputs and rows, "
    "none of which was used to round a weight, against the float64 evaluation of the half-precision file, as a share "
    "of the outputs; ratios are collapsed over original. Op by op: sums exact, the result of each op rounded, as on "
    "accelerators. In float32: onnxruntime on a processor, which casts float16 and has no kernels for bfloat16. Where "
    "it casts every op, the original rounds nothing but its output, and the collapsed network its merged weights "
    "besides: that is further away. Ops with float16 kernels of their own (LayerNormalization) round in between, so it "
    "may be nearer as well (v2). Converted after: the float32 network collapsed and then converted, over the float32 "
    "network converted, op by op, both against the float64 evaluation of the float32 file."
)


@dataclass(frozen=True)
class Line:
    """One network in one type: errors op by op, ratios, and how many stretches were collapsed and kept."""

    network: str
    dtype: str
    original: float
    collapsed: float
    in_float32: float | None
    after: float
    done: int
    kept: int


@survey(ABOUT, "unbend", "torch", "onnxscript", "onnx", "onnxruntime")
def collapse_half_precision() -> str:
    """Measure all networks in both types, then write the table."""
    import torch

    from benchmarks.networks.case import cases

    torch.set_num_threads(1)
    return table([line for case in cases() for line in _announced(case)])


def _announced(case: Case) -> list[Line]:
    start = time.process_time()
    found = lines(case)
    print(f"  {case.name}: {time.process_time() - start:.1f} s", file=sys.stderr)
    return found


def lines(case: Case) -> list[Line]:
    """The network in both types; none where nothing of it collapses."""
    from benchmarks.networks.exporting import exported
    from unbend.collapse import collapse

    path = str(exported(case))
    fine = collapse(path, cost="macs")
    if not fine.changed:
        return []
    rows = case.rows(int(np.clip(WORK // fine.before.macs, FEWEST, MOST)), seed=2).numpy()
    return [_line(case, onnx.load(path), fine.to_onnx(), rows, dtype) for dtype in TYPES]


def _line(case: Case, original: onnx.ModelProto, fine: onnx.ModelProto, rows: np.ndarray, dtype: str) -> Line:
    from unbend.collapse import collapse

    truth = _evaluated(original, rows)
    coarse, later = converted(original, dtype), converted(fine, dtype)
    found = collapse(coarse, cost="macs")
    x = rows.astype(TYPES[dtype][0])
    own = _evaluated(coarse, x)
    before, after = (_error(_rounded(one, x), own) for one in (coarse, found.to_onnx()))
    lost = [stretch for stretch in found.stretches if "float64 truth" in stretch.reason]
    done = sum(stretch.collapsed for stretch in found.stretches)
    late = _error(_rounded(later, x), truth) / _error(_rounded(coarse, x), truth)
    return Line(case.name, dtype, before, after, _in_float32(coarse, found.to_onnx(), x, own), late, done, len(lost))


def converted(model: onnx.ModelProto, dtype: str) -> onnx.ModelProto:
    """A copy with all float32 numbers, and what computes in them, in another type."""
    copy, (numbers, code) = onnx.ModelProto(), TYPES[dtype]
    copy.CopyFrom(model)
    for value in (*copy.graph.input, *copy.graph.output, *copy.graph.value_info):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            value.type.tensor_type.elem_type = code
    attributes = [attribute for node in copy.graph.node for attribute in node.attribute]
    for attribute in attributes:
        if attribute.name == "to" and attribute.i == TensorProto.FLOAT:
            attribute.i = code
    constants = (attribute.t for attribute in attributes if attribute.HasField("t"))
    for tensor in (*copy.graph.initializer, *constants):
        if tensor.data_type == TensorProto.FLOAT:
            array = numpy_helper.to_array(tensor).astype(numbers)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    return copy


def _evaluated(model: onnx.ModelProto, rows: np.ndarray) -> np.ndarray:
    from benchmarks.networks.exporting import sized
    from unbend.network import evaluate, read

    network = read(sized(model, rows.shape))
    return evaluate(network, rows.astype(np.float64))[network.outputs[0].name]


def _rounded(model: onnx.ModelProto, rows: np.ndarray) -> np.ndarray:
    from benchmarks.networks.exporting import sized
    from unbend.collapse.certify.precision import op_by_op
    from unbend.network import read

    network = read(sized(model, rows.shape))
    shape = network.shapes[network.inputs[0].name]
    fed: Mapping[str, np.ndarray] = {network.inputs[0].name: rows.reshape(len(rows), *shape)}
    return op_by_op(network, fed)[network.outputs[0].name]


def _in_float32(
    original: onnx.ModelProto, collapsed: onnx.ModelProto, rows: np.ndarray, truth: np.ndarray
) -> float | None:
    from benchmarks.latency import by_onnxruntime

    if rows.dtype != np.float16:
        return None
    before, after = (
        np.stack([np.asarray(by_onnxruntime(model, row[None])()) for row in rows]).reshape(truth.shape)
        for model in (original, collapsed)
    )
    return _error(after, truth) / _error(before, truth)


def _error(found: np.ndarray, truth: np.ndarray) -> float:
    return float(np.sqrt(np.mean((found - truth) ** 2) / np.mean(truth**2)))


def table(found: list[Line]) -> str:
    """The table in Markdown, and the geometric means below it."""
    head = "| network | type | op by op: original | collapsed | ratio | in float32 | converted after | done, kept |"
    rows = [head, "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for one in found:
        shares = [f"{100 * share:.2g} %" for share in (one.original, one.collapsed)]
        fine = "–" if one.in_float32 is None else f"{one.in_float32:.2f}"
        ratio = f"{one.collapsed / one.original:.2f}"
        cells = (one.network, one.dtype, *shares, ratio, fine, f"{one.after:.2f}", f"{one.done}, {one.kept}")
        rows.append(f"| {' | '.join(cells)} |")
    ratios = np.array([one.collapsed / one.original for one in found])
    later = np.array([one.after for one in found])
    return (
        "\n".join(rows) + f"\n\nOp by op: geometric mean {np.exp(np.log(ratios).mean()):.2f}, at most "
        f"{ratios.max():.2f}. Converted after: {np.exp(np.log(later).mean()):.2f}, at most {later.max():.2f}.\n"
    )
