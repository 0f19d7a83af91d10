"""The Gelu family and other smooth activations that gate their input: y = x g(x), y' = g + x g'."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, ndtr

from unbend.network.graph import Node
from unbend.network.local import Local, Operand
from unbend.network.ops import op


@op("Gelu", reach="point")
def gelu(node: Node, x: Operand) -> Local:
    """y = x Φ(x) with the normal distribution function Φ, or its approximation by tanh.

    Checked against: onnx.reference and onnxruntime, opset 20.
    """
    rows = x.rows
    if node.attribute("approximate", "none") == "tanh":
        return tanh_gelu(rows)
    gate = ndtr(rows)
    return Local.elementwise(rows * gate, lambda: gate + rows * np.exp(-(rows**2) / 2) / np.sqrt(2 * np.pi))


def tanh_gelu(rows: np.ndarray) -> Local:
    """y = x/2 (1 + tanh u), u = √(2/π) (x + 0.044715 x³)."""
    factor, cube = np.sqrt(2 / np.pi), 0.044715
    t = np.tanh(factor * (rows + cube * rows**3))
    return Local.elementwise(
        0.5 * rows * (1 + t),
        lambda: 0.5 * (1 + t) + 0.5 * rows * (1 - t**2) * factor * (1 + 3 * cube * rows**2),
    )


@op("Swish", reach="point")
def swish(node: Node, x: Operand) -> Local:
    """y = x σ(α x).

    Checked against: onnx.reference, opset 24.
    """
    return sigmoid_gate(x.rows, node.attribute("alpha", 1.0))


def sigmoid_gate(rows: np.ndarray, alpha: float) -> Local:
    """y = x s, s = σ(α x); y' = s + α x s (1 - s)."""
    s = expit(alpha * rows)
    return Local.elementwise(rows * s, lambda: s + alpha * rows * s * (1 - s))
