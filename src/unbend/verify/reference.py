"""A node under ONNX's reference evaluator, in an opset whose meaning of it the evaluator has right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from unbend.verify.ops import Unread
from unbend.verify.reading import Node

READ_AS = {
    "BatchNormalization": ("BatchNormalization", 15),
    "QuantizeLinear": ("QuantizeLinear", 19),
    "DequantizeLinear": ("DequantizeLinear", 19),
    "Scatter": ("ScatterElements", 11),
}
"""What the evaluator lacks or misreads in older opsets, and what that is in a newer one, with the same meaning."""

FLATTENS = {"Softmax", "LogSoftmax", "Hardmax"}
"""Before opset 13 over all axes from one on, which the evaluator does not know."""


def evaluator(node: Node) -> Callable[[Sequence[np.ndarray | None]], list[np.ndarray]]:
    """A function that runs the node.

    Raises
    ------
    Unread
        The evaluator does not know it.
    """
    if node.op_type in FLATTENS and node.version < 13:
        raise Unread(f"{node.label} is not computed by the checker in opset {node.version}")
    op_type, since = READ_AS.get(node.op_type, (node.op_type, 0)) if not node.domain else (node.op_type, 0)
    names = [f"i{i}" if name else "" for i, name in enumerate(node.inputs)]
    pairs = node.attributes.items()
    attributes: dict[str, Any] = {
        key: numpy_helper.from_array(one) if isinstance(one, np.ndarray) else one for key, one in pairs
    }
    proto = helper.make_node(op_type, names, list(node.outputs), domain=node.domain, **attributes)
    imports = [helper.make_opsetid("", max(node.version, since))]
    function = helper.make_function("checked", "node", [n for n in names if n], list(node.outputs), [proto], imports)
    session = ReferenceEvaluator(function)

    def run(arrays: Sequence[np.ndarray | None]) -> list[np.ndarray]:
        feeds = {name: array for name, array in zip(names, arrays, strict=True) if name}
        return [np.asarray(one) for one in session.run(None, feeds, attributes={})]

    return run
