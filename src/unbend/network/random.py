"""Nodes that draw random numbers: bends of which nothing is known, for their output is no function of their input."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

DRAWS = {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli"}
"""The ops whose every output is drawn."""


def why_random(node: ir.Node, constants: Mapping[str, np.ndarray]) -> str:
    """Why the node's output is random, for people; empty where it is not."""
    if node.domain not in ("", "ai.onnx"):
        return ""
    if node.op_type in DRAWS:
        return f"{node.op_type} draws random numbers, so its output is random"
    if node.op_type == "Dropout" and _drops(node, constants):
        return "Dropout is in training mode, so its output is random"
    return ""


def _drops(node: ir.Node, constants: Mapping[str, np.ndarray]) -> bool:
    """Whether a Dropout drops anything: it is in training mode, and not at ratio 0."""
    _, ratio, training = (*(value.name if value is not None else None for value in node.inputs), None, None)[:3]
    flag, share = constants.get(training or ""), constants.get(ratio or "")
    return flag is not None and bool(flag.any()) and (share is None or bool((share != 0).any()))
