"""One node run by ONNX's reference evaluator: the definition of the op in NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import onnx_ir as ir
from onnx.reference import ReferenceEvaluator

QUANTISING = {"QuantizeLinear", "DequantizeLinear"}
QUANTISED_SINCE = 19
"""The reference evaluator has these from this opset on; what they did before is the same."""

TEXT = "SUO"
"""NumPy's kinds of types that hold text, which is nothing to compute with."""


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
        found = ReferenceEvaluator(model).run(None, given)
    except Exception:  # any failure of the evaluator means the same: this node is not folded
        return None
    if any(np.asarray(one).dtype.kind in TEXT for one in found):
        return None
    arrays = iter(found)
    return [np.asarray(next(arrays)) if name else np.empty(0) for name in proto.output]


def _value_info(name: str, array: np.ndarray) -> onnx.ValueInfoProto:
    return onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
