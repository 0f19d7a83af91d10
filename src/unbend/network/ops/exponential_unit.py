"""Activations that pass positive numbers on and let negative ones run out exponentially."""

from __future__ import annotations

import numpy as np

from unbend.network.graph import Node
from unbend.network.local import Local, Operand
from unbend.network.ops import op, real


def _exponential(rows: np.ndarray, on: float, off: float, rate: float) -> Local:
    """y = on x where x > 0, else off (exp(x / rate) - 1)."""
    tail = np.minimum(rows, 0.0) / rate
    value = np.where(rows > 0, on * rows, off * np.expm1(tail))
    return Local.elementwise(value, lambda: np.where(rows > 0, on, off / rate * np.exp(tail)))


@op("Elu", reach="point")
def elu(node: Node, x: Operand) -> Local:
    """y = x where x > 0, else α (exp x - 1).

    Checked against: onnx.reference and onnxruntime, opset 6.
    """
    return _exponential(x.rows, 1.0, real(node, "alpha", 1.0), 1.0)


@op("Selu", reach="point")
def selu(node: Node, x: Operand) -> Local:
    """y = γ x where x > 0, else γ α (exp x - 1).

    Checked against: onnx.reference and onnxruntime, opset 6.
    """
    alpha = real(node, "alpha", 1.67326319217681884765625)
    gamma = real(node, "gamma", 1.05070102214813232421875)
    return _exponential(x.rows, gamma, gamma * alpha, 1.0)


@op("Celu", reach="point")
def celu(node: Node, x: Operand) -> Local:
    """y = x where x > 0, else α (exp(x / α) - 1).

    Checked against: onnx.reference and onnxruntime, opset 12.
    """
    alpha = real(node, "alpha", 1.0)
    return _exponential(x.rows, 1.0, alpha, alpha)
