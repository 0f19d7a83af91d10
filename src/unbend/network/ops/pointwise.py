"""Exponentials, logarithms, roots and S-shaped functions of each element: the tangent at the point."""

from __future__ import annotations

import numpy as np
from scipy.special import erf as erf_function
from scipy.special import expit

from unbend.network.graph import Node
from unbend.network.local import Local, Operand
from unbend.network.ops import op


@op("Sigmoid", reach="point")
def sigmoid(node: Node, x: Operand) -> Local:
    """y = 1 / (1 + exp(-x)), y' = y (1 - y).

    Checked against: onnx.reference and onnxruntime, opset 13.
    """
    y = expit(x.rows)
    return Local.elementwise(y, lambda: y * (1 - y))


@op("Tanh", reach="point")
def tanh(node: Node, x: Operand) -> Local:
    """y = tanh x, y' = 1 - y².

    Checked against: onnx.reference and onnxruntime, opset 13.
    """
    y = np.tanh(x.rows)
    return Local.elementwise(y, lambda: 1 - y**2)


@op("Erf", reach="point")
def erf(node: Node, x: Operand) -> Local:
    """y = erf x, y' = 2/√π exp(-x²).

    Checked against: onnx.reference and onnxruntime, opset 13.
    """
    rows = x.rows
    return Local.elementwise(erf_function(rows), lambda: 2 / np.sqrt(np.pi) * np.exp(-(rows**2)))


@op("Exp", reach="point")
def exp(node: Node, x: Operand) -> Local:
    """y = exp x, y' = y.

    Checked against: onnx.reference and onnxruntime, opset 13.
    """
    y = np.exp(x.rows)
    return Local.elementwise(y, lambda: y)


@op("Log", reach="point")
def log(node: Node, x: Operand) -> Local:
    """y = log x, y' = 1/x.

    Checked against: onnx.reference and onnxruntime, opset 13.
    """
    rows = x.rows
    return Local.elementwise(np.log(rows), lambda: 1 / rows)


@op("Sqrt", reach="point")
def sqrt(node: Node, x: Operand) -> Local:
    """y = √x, y' = 1 / (2 y).

    Checked against: onnx.reference and onnxruntime, opset 13.
    """
    y = np.sqrt(x.rows)
    return Local.elementwise(y, lambda: 0.5 / y)


@op("Reciprocal", reach="point")
def reciprocal(node: Node, x: Operand) -> Local:
    """y = 1/x, y' = -y².

    Checked against: onnx.reference and onnxruntime, opset 13.
    """
    y = 1 / x.rows
    return Local.elementwise(y, lambda: -(y**2))


@op("Softplus", reach="point")
def softplus(node: Node, x: Operand) -> Local:
    """y = log(1 + exp x), y' = 1 / (1 + exp(-x)).

    Checked against: onnx.reference and onnxruntime, opset 1.
    """
    rows = x.rows
    return Local.elementwise(np.logaddexp(0.0, rows), lambda: expit(rows))


@op("Softsign", reach="point")
def softsign(node: Node, x: Operand) -> Local:
    """y = x / (1 + |x|), y' = 1 / (1 + |x|)².

    Checked against: onnx.reference and onnxruntime, opset 1.
    """
    rows = x.rows
    size = 1 + np.abs(rows)
    return Local.elementwise(rows / size, lambda: 1 / size**2)
