"""Classifiers of skl2onnx end in a ZipMap, which turns a tensor of probabilities into a list of dictionaries.

unbend reads such a model as if it ended one node earlier: the output keeps its name and is the tensor.
"""

from __future__ import annotations

import onnx


def without_zipmaps(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the tensor that each ZipMap reads in its place; the model itself is not changed."""
    found = [node for node in model.graph.node if node.op_type == "ZipMap"]
    if not found:
        return model
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for node in [node for node in copy.graph.node if node.op_type == "ZipMap"]:
        copy.graph.node.remove(node)
        _rename(copy.graph, node.input[0], node.output[0])
    return copy


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    """Call a value by another name, and let the output of that name be a tensor."""
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [new if name == old else name for name in names]
    for output in graph.output:
        if output.name == new:
            output.CopyFrom(onnx.helper.make_tensor_value_info(new, onnx.TensorProto.FLOAT, None))
