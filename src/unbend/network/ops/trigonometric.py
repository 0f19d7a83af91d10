"""Circular and hyperbolic functions and their inverses."""

from __future__ import annotations

import numpy as np

from unbend.network.graph import Node
from unbend.network.local import Local, Operand
from unbend.network.ops import op


@op("Sin", reach="point")
def sin(node: Node, x: Operand) -> Local:
    """y = sin x, y' = cos x.

    Checked against: onnx.reference and onnxruntime, opset 7.
    """
    rows = x.rows
    return Local.elementwise(np.sin(rows), lambda: np.cos(rows))


@op("Cos", reach="point")
def cos(node: Node, x: Operand) -> Local:
    """y = cos x, y' = -sin x.

    Checked against: onnx.reference and onnxruntime, opset 7.
    """
    rows = x.rows
    return Local.elementwise(np.cos(rows), lambda: -np.sin(rows))


@op("Tan", reach="point")
def tan(node: Node, x: Operand) -> Local:
    """y = tan x, y' = 1 + y².

    Checked against: onnx.reference and onnxruntime, opset 7.
    """
    y = np.tan(x.rows)
    return Local.elementwise(y, lambda: 1 + y**2)


@op("Asin", reach="point")
def asin(node: Node, x: Operand) -> Local:
    """y = arcsin x, y' = 1 / √(1 - x²).

    Checked against: onnx.reference and onnxruntime, opset 7.
    """
    rows = x.rows
    return Local.elementwise(np.arcsin(rows), lambda: 1 / np.sqrt(1 - rows**2))


@op("Acos", reach="point")
def acos(node: Node, x: Operand) -> Local:
    """y = arccos x, y' = -1 / √(1 - x²).

    Checked against: onnx.reference and onnxruntime, opset 7.
    """
    rows = x.rows
    return Local.elementwise(np.arccos(rows), lambda: -1 / np.sqrt(1 - rows**2))


@op("Atan", reach="point")
def atan(node: Node, x: Operand) -> Local:
    """y = arctan x, y' = 1 / (1 + x²).

    Checked against: onnx.reference and onnxruntime, opset 7.
    """
    rows = x.rows
    return Local.elementwise(np.arctan(rows), lambda: 1 / (1 + rows**2))


@op("Sinh", reach="point")
def sinh(node: Node, x: Operand) -> Local:
    """y = sinh x, y' = cosh x.

    Checked against: onnx.reference and onnxruntime, opset 9.
    """
    rows = x.rows
    return Local.elementwise(np.sinh(rows), lambda: np.cosh(rows))


@op("Cosh", reach="point")
def cosh(node: Node, x: Operand) -> Local:
    """y = cosh x, y' = sinh x.

    Checked against: onnx.reference and onnxruntime, opset 9.
    """
    rows = x.rows
    return Local.elementwise(np.cosh(rows), lambda: np.sinh(rows))


@op("Asinh", reach="point")
def asinh(node: Node, x: Operand) -> Local:
    """y = arsinh x, y' = 1 / √(x² + 1).

    Checked against: onnx.reference and onnxruntime, opset 9.
    """
    rows = x.rows
    return Local.elementwise(np.arcsinh(rows), lambda: 1 / np.sqrt(rows**2 + 1))


@op("Acosh", reach="point")
def acosh(node: Node, x: Operand) -> Local:
    """y = arcosh x, y' = 1 / √(x² - 1).

    Checked against: onnx.reference and onnxruntime, opset 9.
    """
    rows = x.rows
    return Local.elementwise(np.arccosh(rows), lambda: 1 / np.sqrt(rows**2 - 1))


@op("Atanh", reach="point")
def atanh(node: Node, x: Operand) -> Local:
    """y = artanh x, y' = 1 / (1 - x²).

    Checked against: onnx.reference and onnxruntime, opset 9.
    """
    rows = x.rows
    return Local.elementwise(np.arctanh(rows), lambda: 1 / (1 - rows**2))
