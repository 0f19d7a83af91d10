"""Powers and roots of two tensors, element by element."""

from __future__ import annotations

import numpy as np

from unbend.affine import Diagonal, LinearMap, compose
from unbend.network.graph import Node
from unbend.network.local import Local, Operand, aligned, broadcast_map, target_of
from unbend.network.ops import op


@op("Pow", reach="point")
def pow_(node: Node, base: Operand, exponent: Operand) -> Local:
    """y = a^b, dy = b a^(b-1) da + y log a db.

    Checked against: onnx.reference and onnxruntime, opset 15.
    """
    target = target_of(base, exponent)
    a, b = aligned(base, target), aligned(exponent, target)
    y = np.power(a, b)

    def part(operand: Operand, slope: np.ndarray) -> LinearMap:
        return compose(Diagonal.of(slope, target), broadcast_map(operand.shape, target))

    parts = {}
    if base.variable:
        parts[0] = lambda: part(base, b * np.power(a, b - 1))
    if exponent.variable:
        parts[1] = lambda: part(exponent, y * np.log(a))
    return Local.bend(np.broadcast_to(y, (len(y), *target)), parts)
