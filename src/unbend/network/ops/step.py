"""Functions that are constant between their jumps: rounding, signs, comparisons and logic. Their slope is 0."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from unbend.network.graph import Node
from unbend.network.local import Local, Operand, aligned, target_of
from unbend.network.ops import op

ROUNDINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "Sign": np.sign,
    "Floor": np.floor,
    "Ceil": np.ceil,
    "Round": np.round,
    "Not": np.logical_not,
    "IsNaN": np.isnan,
}

COMPARISONS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Equal": np.equal,
    "And": np.logical_and,
    "Or": np.logical_or,
    "Xor": np.logical_xor,
}


@op(*ROUNDINGS, reach="region")
def rounding(node: Node, x: Operand) -> Local:
    """y = f(x) with f constant between jumps; halves are rounded to even. False and true are 0 and 1.

    Checked against: onnx.reference and onnxruntime, opset 13.
    """
    return Local.steps(ROUNDINGS[node.op_type](x.rows).astype(np.float64), {0: x.shape})


@op(*COMPARISONS, reach="region")
def comparison(node: Node, a: Operand, b: Operand) -> Local:
    """y = 1 where a stands to b as the op says, else 0.

    Checked against: onnx.reference and onnxruntime, opset 16.
    """
    target = target_of(a, b)
    value = COMPARISONS[node.op_type](aligned(a, target), aligned(b, target)).astype(np.float64)
    shapes = {position: operand.shape for position, operand in enumerate((a, b)) if operand.variable}
    return Local.steps(np.broadcast_to(value, (len(value), *target)), shapes)
