"""One model in several kinds: other float types, free axes, and a double of it in float64, which says the truth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

KINDS = ("float32", "float16", "bfloat16", "dynamic")
"""The kinds that a trap is set in: three float types, and the first of them with free axes."""

ELEMENTS = {
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "bfloat16": TensorProto.BFLOAT16,
    "float64": TensorProto.DOUBLE,
}
FLOATS = tuple(ELEMENTS.values())

OF_BFLOAT16 = 23
"""The opset that models in bfloat16 are of: older ones have it for few ops. …"""

SCALED = {"Resize", "Upsample"}

RECENT = 18
"""… Those from this one on mean the same in it."""


def in_type(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """The model with its float32 numbers in a shorter type; all of its floats where the type is a longer one.

    The scales of a Resize are float32 in every model.
    """
    found = onnx.ModelProto()
    found.CopyFrom(model)
    turned = FLOATS if name in ("float32", "float64") else (TensorProto.FLOAT,)
    _graph_in_type(found.graph, ELEMENTS[name], turned)
    for one in (*found.opset_import, *(one for function in found.functions for one in function.opset_import)):
        if name == "bfloat16" and not one.domain and one.version >= RECENT:
            one.version = max(one.version, OF_BFLOAT16)
    for function in found.functions:
        _nodes_in_type(function.node, ELEMENTS[name], turned)
        del function.value_info[:]
    return found


def _graph_in_type(graph: onnx.GraphProto, element: int, turned: Sequence[int]) -> None:
    del graph.value_info[:]
    for value in (*graph.input, *graph.output):
        for tensor in _tensors(value.type):
            if tensor.elem_type in turned:
                tensor.elem_type = element
    scales = {name for node in graph.node if node.op_type in SCALED for name in node.input[1:]}
    for one in graph.initializer:
        if one.name not in scales:
            _tensor_in_type(one, element, turned)
    for one in graph.sparse_initializer:
        _tensor_in_type(one.values, element, turned)
    _nodes_in_type(graph.node, element, turned)


def _tensors(type_: onnx.TypeProto) -> Iterator[onnx.TypeProto.Tensor]:
    kind = type_.WhichOneof("value")
    if kind == "tensor_type":
        yield type_.tensor_type
    elif kind in ("sequence_type", "optional_type"):
        yield from _tensors(getattr(type_, kind).elem_type)


def _nodes_in_type(nodes: Iterable[onnx.NodeProto], element: int, turned: Sequence[int]) -> None:
    for node in nodes:
        for one in node.attribute:
            if one.name in ("to", "dtype", "stash_type") and one.i in turned:
                one.i = element
            if one.HasField("t"):
                _tensor_in_type(one.t, element, turned)
            if one.HasField("sparse_tensor"):
                _tensor_in_type(one.sparse_tensor.values, element, turned)
            if one.name in ("value_float", "value_floats"):
                array = np.array(one.f if one.name == "value_float" else one.floats, dtype=np.float32)
                one.CopyFrom(helper.make_attribute("value", numpy_helper.from_array(array)))
                _tensor_in_type(one.t, element, turned)
            for graph in (*([one.g] if one.HasField("g") else []), *one.graphs):
                _graph_in_type(graph, element, turned)


def _tensor_in_type(tensor: onnx.TensorProto, element: int, turned: Sequence[int]) -> None:
    if tensor.data_type in turned and tensor.data_type != element:
        with np.errstate(over="ignore"):
            array = numpy_helper.to_array(tensor).astype(helper.tensor_dtype_to_np_dtype(element))
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def freed(model: onnx.ModelProto, axes: Sequence[int]) -> onnx.ModelProto:
    """The model with these axes of its input free, its batch without a name, and no shape told of any other value."""
    found = onnx.ModelProto()
    found.CopyFrom(model)
    shape = found.graph.input[0].type.tensor_type.shape
    for i, axis in enumerate(shape.dim):
        if i == 0 and not axis.dim_value:
            axis.Clear()
        elif i in axes:
            axis.Clear()
            axis.dim_param = f"axis{i}"
    del found.graph.value_info[:]
    ranks = [len(value.type.tensor_type.shape.dim) for value in found.graph.output]
    for value in found.graph.output:
        value.type.tensor_type.ClearField("shape")
    found.graph.CopyFrom(onnx.shape_inference.infer_shapes(found).graph)
    del found.graph.value_info[:]
    for value, rank in zip(found.graph.output, ranks, strict=True):
        if not value.type.tensor_type.HasField("shape"):
            value.type.tensor_type.shape.CopyFrom(onnx.TensorShapeProto(dim=[onnx.TensorShapeProto.Dimension()] * rank))
    return found
