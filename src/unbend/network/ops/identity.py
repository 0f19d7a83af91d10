"""Ops that pass numbers on as they are, or change only their type."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import onnx

from unbend.affine import Identity, Selection
from unbend.network.graph import Node
from unbend.network.local import Local, Operand, Unsupported
from unbend.network.ops import constant_of, only, op

FLOATS = {
    onnx.TensorProto.FLOAT,
    onnx.TensorProto.DOUBLE,
    onnx.TensorProto.FLOAT16,
    onnx.TensorProto.BFLOAT16,
}
"""The types that a Cast to is no change: unbend computes in float64 throughout."""


def _to_float(node: Node, variable: Collection[int]) -> bool:
    return node.attribute("to") in FLOATS


@op("Identity", reach="everywhere")
def identity(node: Node, x: Operand) -> Local:
    """y = x.

    Checked against: onnx.reference, opset 21.
    """
    return Local.affine({0: Identity(x.shape)})


@op("Dropout", reach="point", affine_when=only(0, 1))
def dropout(
    node: Node, x: Operand, ratio: Operand | None = None, training: Operand | None = None
) -> Local | tuple[Local, ...]:
    """y = x, mask = 1: what Dropout is outside training, or at ratio 0.

    Checked against: onnx.reference, opset 13.
    """
    constant_of(training, "the training mode of Dropout")
    return Local.affine({0: Identity(x.shape)}), Local.affine({0: Selection.nothing(x.shape, x.shape)}, 1.0)


@op("Cast", reach="region", affine_when=_to_float)
def cast(node: Node, x: Operand) -> Local:
    """y = x in another type: itself for a float type, its integer part for an integer one, x ≠ 0 for bool.

    Checked against: onnx.reference, opset 21.
    """
    if _to_float(node, ()):
        return Local.affine({0: Identity(x.shape)})
    name = onnx.TensorProto.DataType.Name(node.attribute("to"))
    if name == "BOOL":
        return Local.steps((x.rows != 0).astype(np.float64), {0: x.shape})
    if "INT" not in name:
        raise Unsupported(f"Cast to {name} has no affine map")
    return Local.steps(np.trunc(x.rows), {0: x.shape})


@op("CastLike", reach="everywhere")
def cast_like(node: Node, x: Operand, like: Operand) -> Local:
    """y = x in the type of another tensor, which is a float type.

    Checked against: onnx.reference, opset 21.
    """
    if like.constant is not None and np.asarray(like.constant).dtype.kind in "biu":
        raise Unsupported("CastLike to an integer type has no affine map")
    return Local.affine({0: Identity(x.shape)})
