"""Shapes and types by ONNX's own inference, for the values of the main graph.

Large tensors are left out of what it sees, and of its answer only what it says of values is read: neither a copy of the
numbers is made, nor a second graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import onnx
import onnx.shape_inference
import onnx_ir as ir

SMALL = 1000
"""Tensors of up to so many bytes are seen: they may say how long an axis is."""

Axes = list[int | str | None]


def infer(model: ir.Model, *, values: bool = False) -> None:
    """Set the shapes and types that inference tells; nothing changes where it fails.

    With `values` it follows what vectors of sizes hold as well.
    """
    try:
        with _without_numbers(model):
            proto = ir.serde.serialize_model(model)
        found = onnx.shape_inference.infer_shapes(proto, check_type=False, strict_mode=False, data_prop=values)
    except Exception:  # what inference cannot make sense of stays unknown
        return
    told = {info.name: info.type for info in (*found.graph.value_info, *found.graph.output)}
    for value in values_of(model):
        if (type_ := told.get(value.name or "")) is not None:
            _set(value, type_)


def values_of(model: ir.Model) -> list[ir.Value]:
    """The inputs of the main graph and what its nodes make."""
    return [*model.graph.inputs, *(value for node in model.graph for value in node.outputs)]


@contextmanager
def _without_numbers(model: ir.Model) -> Iterator[None]:
    """The model with its large initializers as inputs of their shapes and types."""
    graph, inputs = model.graph, list(model.graph.inputs)
    tensors = {value: value.const_value for value in graph.initializers.values()}
    large = [value for value, tensor in tensors.items() if tensor is None or tensor.nbytes > SMALL]
    try:
        for value in large:
            if (tensor := value.const_value) is not None:
                value.shape = tensor.shape if value.shape is None else value.shape  # type: ignore[assignment]
                value.dtype = tensor.dtype if value.dtype is None else value.dtype
            graph.initializers.pop(value.name or "")
            value.const_value = None
        graph.inputs.extend(value for value in large if not value.is_graph_input())
        yield
    finally:
        graph.inputs[:] = inputs
        graph.initializers.clear()
        for value, tensor in tensors.items():
            value.const_value = tensor
            graph.initializers.add(value)


def _set(value: ir.Value, told: onnx.TypeProto) -> None:
    """Give the value the shape and the type that inference tells of it, if they are others."""
    if not told.HasField("tensor_type"):
        return
    tensor = told.tensor_type
    if tensor.HasField("shape"):
        axes = [_axis(dim) for dim in tensor.shape.dim]
        if value.shape is None or _axes(value.shape) != axes:
            value.shape = ir.Shape(axes)
    if tensor.elem_type and value.dtype != tensor.elem_type:
        value.dtype = ir.DataType(tensor.elem_type)


def _axis(dim: onnx.TensorShapeProto.Dimension) -> int | str | None:
    kind = dim.WhichOneof("value")
    return None if kind is None else getattr(dim, kind)


def _axes(shape: ir.Shape) -> Axes:
    return [axis if isinstance(axis, int) else axis.value for axis in shape]
