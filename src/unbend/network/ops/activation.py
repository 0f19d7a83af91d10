"""Activations that are affine on each side of a bend: y follows its input on one side and is held back on the other.

At the bend itself the other side is taken, so the slope of Relu at 0 is 0.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import ml_dtypes
import numpy as np

from unbend.affine import Identity
from unbend.network.graph import Node, is_float
from unbend.network.local import Local, Operand
from unbend.network.ops import needed, op, real


@op("Relu", reach="region")
def relu(node: Node, x: Operand) -> Local:
    """y = x where x > 0, else 0.

    Checked against: onnx.reference and onnxruntime, opset 14.
    """
    rows = x.rows
    return Local.switch(np.maximum(rows, 0.0), active=lambda: rows > 0)


def _has_slope_one(node: Node, variable: Collection[int]) -> bool:
    return real(node, "alpha", 0.01) == 1.0


@op("LeakyRelu", reach="region", affine_when=_has_slope_one)
def leaky_relu(node: Node, x: Operand) -> Local:
    """y = x where x > 0, else α x; no bend where α is 1.

    Checked against: onnx.reference and onnxruntime, opset 16.
    """
    if _has_slope_one(node, ()):
        return Local.affine({0: Identity(x.shape)})
    rows, alpha = x.rows, real(node, "alpha", 0.01)
    return Local.switch(np.where(rows > 0, rows, alpha * rows), active=lambda: rows > 0, off=alpha)


def _has_slopes_of_one(node: Node, constants: Mapping[str, np.ndarray]) -> bool:
    return bool(np.all(constants[node.inputs[1]] == 1))


@op("PRelu", reach="region", affine_with=_has_slopes_of_one)
def prelu(node: Node, x: Operand, slope: Operand) -> Local:
    """y = x where x > 0, else a x, with an a of its own for each channel; no bend where every a is 1.

    Checked against: onnx.reference and onnxruntime, opset 16.
    """
    alpha = needed(slope, "the slope of PRelu")
    if x.variable and np.all(alpha == 1.0):
        return Local.affine({0: Identity(x.shape)})
    rows = x.rows
    return Local.switch(np.where(rows > 0, rows, alpha * rows), active=lambda: rows > 0, off=alpha)


def _has_no_limits(node: Node, constants: Mapping[str, np.ndarray]) -> bool:
    """Whether every limit that is given is beyond the finite numbers of its type, or the last of them."""
    limits = [(constants.get(name), sign) for name, sign in zip(node.inputs[1:], (-1.0, 1.0), strict=False) if name]
    stated = ((node.attribute(name), sign) for name, sign in (("min", -1.0), ("max", 1.0)))
    limits += [(np.asarray(limit, dtype=np.float32), sign) for limit, sign in stated if limit is not None]
    return all(limit is not None and is_beyond(limit, sign) for limit, sign in limits)


def is_beyond(limit: np.ndarray, sign: float) -> bool:
    """Whether no finite number of the limit's type is beyond it, on the side of `sign`."""
    return is_float(limit.dtype) and bool(np.all(sign * limit >= ml_dtypes.finfo(limit.dtype).max))


@op("Clip", reach="region", affine_with=_has_no_limits)
def clip(node: Node, x: Operand, low: Operand | None = None, high: Operand | None = None) -> Local:
    """y = min(max(x, low), high): x between the two, else the nearer; no bend where no number is beyond them.

    Before opset 11 the two are attributes.

    Checked against: onnx.reference and onnxruntime, opsets 7, 11 and 13.
    """
    limits = {one.name: one.constant for one in (low, high) if one is not None and one.constant is not None}
    if _has_no_limits(node, limits):
        return Local.affine({0: Identity(x.shape)})
    rows = x.rows
    lowest = real(node, "min", -np.inf) if low is None else needed(low, "the lower limit of Clip").reshape(())
    highest = real(node, "max", np.inf) if high is None else needed(high, "the upper limit of Clip").reshape(())
    value = np.minimum(np.maximum(rows, lowest), highest)
    return Local.switch(value, active=lambda: (rows > lowest) & (rows < highest))


@op("Abs", reach="region")
def abs_(node: Node, x: Operand) -> Local:
    """y = x where x > 0, else -x.

    Checked against: onnx.reference and onnxruntime, opset 13.
    """
    rows = x.rows
    return Local.switch(np.abs(rows), active=lambda: rows > 0, off=-1.0)


@op("ThresholdedRelu", reach="region")
def thresholded_relu(node: Node, x: Operand) -> Local:
    """y = x where x > α, else 0.

    Checked against: onnx.reference and onnxruntime, opset 10.
    """
    rows, alpha = x.rows, real(node, "alpha", 1.0)
    return Local.switch(np.where(rows > alpha, rows, 0.0), active=lambda: rows > alpha)


@op("HardSigmoid", reach="region")
def hard_sigmoid(node: Node, x: Operand) -> Local:
    """y = α x + β, held between 0 and 1.

    Checked against: onnx.reference and onnxruntime, opset 6.
    """
    alpha, beta = real(node, "alpha", 0.2), real(node, "beta", 0.5)
    line = alpha * x.rows + beta
    return Local.switch(np.clip(line, 0.0, 1.0), active=lambda: (line > 0) & (line < 1), on=alpha)


@op("Shrink", reach="region")
def shrink(node: Node, x: Operand) -> Local:
    """y = x + b where x < -λ, x - b where x > λ, else 0.

    Checked against: onnx.reference and onnxruntime, opset 9.
    """
    rows, bias, limit = x.rows, real(node, "bias", 0.0), real(node, "lambd", 0.5)
    value = np.where(rows < -limit, rows + bias, np.where(rows > limit, rows - bias, 0.0))
    return Local.switch(value, active=lambda: np.abs(rows) > limit)
