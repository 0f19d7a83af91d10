"""Ops of classical machine learning (the domain ai.onnx.ml) that are affine."""

from __future__ import annotations

import numpy as np

from unbend.affine import Dense, Diagonal, compose
from unbend.network.graph import Node
from unbend.network.local import Local, Operand, Unsupported, broadcast_map
from unbend.network.ops import op

DOMAIN = "ai.onnx.ml"


@op("Scaler", domain=DOMAIN, reach="everywhere")
def scaler(node: Node, x: Operand) -> Local:
    """y = scale (x - offset), column by column.

    Checked against: onnxruntime, version 1.
    """
    scale = np.asarray(node.attribute("scale", (1.0,)), dtype=np.float64)
    offset = np.asarray(node.attribute("offset", (0.0,)), dtype=np.float64)
    return Local.affine({0: Diagonal.of(scale, x.shape)}, -scale * offset)


@op("LinearRegressor", domain=DOMAIN, reach="everywhere")
def linear_regressor(node: Node, x: Operand) -> Local:
    """y = W x + b.

    Checked against: onnxruntime, version 1.
    """
    if node.attribute("post_transform", "NONE") != "NONE":
        raise Unsupported(f"LinearRegressor with {node.attribute('post_transform')}")
    targets = node.attribute("targets", 1)
    weight = np.asarray(node.attribute("coefficients"), dtype=np.float64).reshape(targets, -1)
    intercepts = np.asarray(node.attribute("intercepts", (0.0,) * targets), dtype=np.float64)
    rows = x.shape if len(x.shape) > 1 else (1, *x.shape)
    return Local.affine({0: compose(Dense(weight, rows[:-1]), broadcast_map(x.shape, rows))}, intercepts)
