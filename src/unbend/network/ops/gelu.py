"""The Gelu family and other smooth activations that gate their input: y = x g(x), y' = g + x g'."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, ndtr

from unbend.network.graph import Node
from unbend.network.local import Local, Operand
from unbend.network.ops import needed, op, real


@op("Gelu", reach="point")
def gelu(node: Node, x: Operand) -> Local:
    """y = x Φ(x) with the normal distribution function Φ, or its approximation by tanh.

    Checked against: onnx.reference and onnxruntime, opset 20.
    """
    return tanh_gelu(x.rows) if node.attribute("approximate", "none") == "tanh" else normal_gate(x.rows)


def normal_gate(rows: np.ndarray) -> Local:
    """y = x Φ(x), y' = Φ + x φ."""
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
    return sigmoid_gate(x.rows, real(node, "alpha", 1.0))


def sigmoid_gate(rows: np.ndarray, alpha: float) -> Local:
    """y = x s, s = σ(α x); y' = s + α x s (1 - s)."""
    s = expit(alpha * rows)
    return Local.elementwise(rows * s, lambda: s + alpha * rows * s * (1 - s))


@op("Mish", reach="point")
def mish(node: Node, x: Operand) -> Local:
    """y = x t, t = tanh(log(1 + exp x)); y' = t + x σ(x) (1 - t²).

    Checked against: onnx.reference and onnxruntime, opset 18.
    """
    rows = x.rows
    t = np.tanh(np.logaddexp(0.0, rows))
    return Local.elementwise(rows * t, lambda: t + rows * expit(rows) * (1 - t**2))


@op("HardSwish", reach="point")
def hard_swish(node: Node, x: Operand) -> Local:
    """y = x g, g = x/6 + 1/2 held between 0 and 1.

    Checked against: onnx.reference and onnxruntime, opset 14.
    """
    rows = x.rows
    line = rows / 6 + 0.5
    gate = np.clip(line, 0.0, 1.0)
    return Local.elementwise(rows * gate, lambda: gate + rows / 6 * ((line > 0) & (line < 1)))


@op("Gelu", domain="com.microsoft", reach="point")
def contributed_gelu(node: Node, x: Operand) -> Local:
    """y = x Φ(x): onnxruntime's own name for it.

    Checked against: onnxruntime.
    """
    return gelu(node, x)


@op("FastGelu", domain="com.microsoft", reach="point")
def fast_gelu(node: Node, x: Operand, bias: Operand | None = None) -> Local:
    """y = Gelu(x + bias), approximated by tanh.

    Checked against: onnxruntime.
    """
    return tanh_gelu(x.rows if bias is None else x.rows + needed(bias, "the bias of FastGelu"))


@op("BiasGelu", domain="com.microsoft", reach="point")
def bias_gelu(node: Node, x: Operand, bias: Operand) -> Local:
    """y = Gelu(x + bias).

    Checked against: onnxruntime.
    """
    return normal_gate(x.rows + needed(bias, "the bias of BiasGelu"))


@op("QuickGelu", domain="com.microsoft", reach="point")
def quick_gelu(node: Node, x: Operand) -> Local:
    """y = x σ(α x).

    Checked against: onnxruntime.
    """
    return sigmoid_gate(x.rows, real(node, "alpha", 1.702))
