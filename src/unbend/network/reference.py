"""One node run by ONNX's reference evaluator: the definition of the op in NumPy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from scipy.special import log_softmax, softmax

QUANTISING = {"QuantizeLinear", "DequantizeLinear"}
QUANTISED_SINCE = 19
"""The reference evaluator has these from this opset on; what they did before is the same."""

TEXT = "SUO"
"""NumPy's kinds of types that hold text, which is nothing to compute with."""


def evaluator(model: onnx.ModelProto | bytes | str, opset: int) -> ReferenceEvaluator:
    """ONNX's reference evaluator for a model of this opset; old ops that it reads as new ones are computed here."""
    return ReferenceEvaluator(model, new_ops=[one for one, since in OLD.items() if opset < since])


class BatchNormalization(OpRun):
    """y = γ (x - μ) / √(σ² + ε) + β: a BatchNormalization with one output normalises by stored statistics."""

    def _run(self, x: np.ndarray, *statistics: np.ndarray, **_: Any) -> tuple[np.ndarray]:
        stated = _stated(self.onnx_node)
        if len(self.onnx_node.output) > 1 or not stated.get("spatial", 1):
            raise NotImplementedError(self.onnx_node.op_type)
        scale, shift, mean, variance = (one.reshape(-1, *(1,) * (x.ndim - 2)) for one in statistics)
        y = scale * (x - mean) / np.sqrt(variance + stated.get("epsilon", 1e-5)) + shift
        return (y.astype(x.dtype),)


class _Flattened(OpRun):
    """A softmax over all axes from one on."""

    def _run(self, x: np.ndarray, **_: Any) -> tuple[np.ndarray]:
        axis = _stated(self.onnx_node).get("axis", 1)
        flat = x.reshape(math.prod(x.shape[:axis]), -1)
        return (self._of_rows(flat).astype(x.dtype).reshape(x.shape),)

    def _of_rows(self, x: np.ndarray) -> np.ndarray:
        raise NotImplementedError


class Softmax(_Flattened):
    """y = exp x / Σ exp x."""

    def _of_rows(self, x: np.ndarray) -> np.ndarray:
        return softmax(x, axis=1)


class LogSoftmax(_Flattened):
    """y = x - log Σ exp x."""

    def _of_rows(self, x: np.ndarray) -> np.ndarray:
        return log_softmax(x, axis=1)


class Hardmax(_Flattened):
    """y = 1 where x is the largest first, else 0."""

    def _of_rows(self, x: np.ndarray) -> np.ndarray:
        return np.eye(x.shape[1])[x.argmax(axis=1)]


class Scatter(OpRun):
    """y = x with other numbers at some places along an axis: what became ScatterElements."""

    def _run(self, x: np.ndarray, places: np.ndarray, numbers: np.ndarray, **_: Any) -> tuple[np.ndarray]:
        y, axis = x.copy(), _stated(self.onnx_node).get("axis", 0)
        np.put_along_axis(y, places, numbers, axis)
        return (y,)


OLD: dict[type[OpRun], int] = {BatchNormalization: 14, Softmax: 13, LogSoftmax: 13, Hardmax: 13, Scatter: 11}
"""The opset from which on the evaluator computes each of these rightly itself."""


def _stated(node: onnx.NodeProto) -> dict[str, Any]:
    """The attributes that the node has."""
    return {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}


def run_node(node: ir.Node, inputs: Sequence[np.ndarray | None]) -> list[np.ndarray] | None:
    """The node's outputs for constant inputs (None for an absent one), or None where the reference cannot run it.

    A node that reads or makes text is not run.
    """
    if any(array is not None and array.dtype.kind in TEXT for array in inputs):
        return None
    proto = ir.to_proto(node)
    given = {name: array for name, array in zip(proto.input, inputs, strict=True) if name and array is not None}
    graph = onnx.helper.make_graph(
        [proto],
        "node",
        [_value_info(name, array) for name, array in given.items()],
        [onnx.ValueInfoProto(name=name) for name in proto.output if name],
    )
    opsets = dict(node.graph.opset_imports) if node.graph is not None else {"": 21}
    if node.op_type in QUANTISING:
        opsets[""] = max(opsets.get("", QUANTISED_SINCE), QUANTISED_SINCE)
    imports = [onnx.helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    model = onnx.helper.make_model(graph, opset_imports=imports)
    try:
        found = evaluator(model, opsets.get("", 1)).run(None, given)
    except Exception:  # any failure of the evaluator means the same: this node is not folded
        return None
    if any(np.asarray(one).dtype.kind in TEXT for one in found):
        return None
    arrays = iter(found)
    return [np.asarray(next(arrays)) if name else np.empty(0) for name in proto.output]


def _value_info(name: str, array: np.ndarray) -> onnx.ValueInfoProto:
    return onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
