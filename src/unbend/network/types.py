"""Types and shapes of values, as ONNX's own inference tells them: node by node, or for a whole model.

Node by node takes one pass over the network, however its sizes hang together, for each node sees the constants that
were computed before it. What the whole model's inference knows besides is what vectors of sizes hold that are not
constant, because an axis in them has no length.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import onnx.defs
import onnx.shape_inference
import onnx_ir as ir

from unbend.affine import Shape
from unbend.network.axes import Place
from unbend.network.inference import infer, values_of
from unbend.network.reference import TEXT

Types = dict[str, onnx.TypeProto]
"""What is known of the type of each value, the lengths of its axes as far as they are."""

PartialShape = tuple[int | None, ...]
"""The lengths of a value's axes, None for free ones."""

TOLD = 1 << 10
"""Inference is told the numbers of constants of up to so many: sizes, axes, scales. No op's shape hangs on more."""


def stated(model: ir.Model, lengths: Mapping[Place, int]) -> Types:
    """What the file states of its values, with these lengths put in for axes of its inputs.

    What it states of inner values in terms of open axes is not used.
    """
    inputs = {value.name: _put_in(value, lengths) for value in model.graph.inputs if value.name}
    symbols: dict[str, int] = {
        axis.value: lengths[value.name or "", i]
        for value in model.graph.inputs
        for i, axis in enumerate(value.shape or ())
        if (value.name or "", i) in lengths and not isinstance(axis, int) and axis.value
    }
    inner = (value for node in model.graph for value in node.outputs)
    return {value.name: _closed(value, symbols) for value in inner if value.name} | inputs


def _stated(value: ir.Value) -> onnx.TypeProto:
    found = onnx.ValueInfoProto()
    ir.serde.serialize_value_into(found, value)
    return found.type


def _put_in(value: ir.Value, lengths: Mapping[Place, int]) -> onnx.TypeProto:
    found = _stated(value)
    for i, axis in enumerate(found.tensor_type.shape.dim if found.HasField("tensor_type") else ()):
        if (length := lengths.get((value.name or "", i))) is not None:
            axis.dim_value = length
    return found


def _closed(value: ir.Value, symbols: Mapping[str, int]) -> onnx.TypeProto:
    found = _stated(value)
    if not found.HasField("tensor_type") or not found.tensor_type.HasField("shape"):
        return found
    for axis in found.tensor_type.shape.dim:
        if axis.HasField("dim_param") and axis.dim_param in symbols:
            axis.dim_value = symbols[axis.dim_param]
    if shape_of(found) is None:
        found.tensor_type.ClearField("shape")
    return found


def partial_of(found: onnx.TypeProto | None) -> PartialShape | None:
    """The shape of a tensor, None for each axis without a length; None where not even their number is known."""
    if found is None or not found.HasField("tensor_type") or not found.tensor_type.HasField("shape"):
        return None
    return tuple(axis.dim_value if axis.HasField("dim_value") else None for axis in found.tensor_type.shape.dim)


def shape_of(found: onnx.TypeProto | None) -> Shape | None:
    """The shape of a tensor, or None where not every axis has a length."""
    shape = partial_of(found)
    return None if shape is None or None in shape else tuple(axis for axis in shape if axis is not None)


def dtype_of(found: onnx.TypeProto | None) -> np.dtype | None:
    """NumPy's type of a tensor's numbers, or None where that is not known."""
    if found is None or not found.HasField("tensor_type") or not found.tensor_type.elem_type:
        return None
    return ir.DataType(found.tensor_type.elem_type).numpy()


def inferred(node: ir.Node, types: Types, constants: Mapping[str, np.ndarray], opsets: Mapping[str, int]) -> Types:
    """What a node's outputs are, as far as ONNX's inference for that one op tells."""
    domain = "" if node.domain == "ai.onnx" else node.domain
    read = {value.name or "": value for value in node.inputs if value is not None}
    known = {name: _type_of(name, types, constants) for name in (*read, *_captured(node))}
    if any(known[name] is None for name in read):
        return {}
    data = {name: onnx.numpy_helper.from_array(constants[name], name) for name in read if _is_told(constants.get(name))}
    imports = [onnx.helper.make_opsetid(key, version) for key, version in opsets.items()]
    try:
        schema = onnx.defs.get_schema(node.op_type, node.version or opsets.get(domain, 1), domain)
        given = {name: one for name, one in known.items() if one is not None}
        proto = ir.serde.serialize_node(node)
        return onnx.shape_inference.infer_node_outputs(schema, proto, given, data, opset_imports=imports)
    except Exception:  # an op that ONNX does not know, or cannot make sense of: nothing is known of what it makes
        return {}


def _captured(node: ir.Node) -> set[str]:
    from unbend.network.graph import captured_by

    return captured_by(node) if any(_has_graphs(one) for one in node.attributes.values()) else set()


def _has_graphs(attribute: ir.Attr) -> bool:
    return attribute.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS)


def _type_of(name: str, types: Types, constants: Mapping[str, np.ndarray]) -> onnx.TypeProto | None:
    constant = constants.get(name)
    if constant is None:
        return types.get(name)
    return onnx.helper.make_tensor_type_proto(_code(constant.dtype), constant.shape)


def _code(dtype: np.dtype) -> int:
    return int(ir.DataType.STRING if dtype.kind in TEXT else ir.DataType.from_numpy(dtype))


def _is_told(constant: np.ndarray | None) -> bool:
    return constant is not None and constant.size <= TOLD and constant.dtype.kind in "iubf"


def merged(new: onnx.TypeProto, old: onnx.TypeProto | None) -> onnx.TypeProto:
    """What is known of a value by two ways.

    Where two shapes of one rank differ, what was known before stands: files state what their exporter saw, and
    inference rounds some windows up that no run makes.
    """
    before, after = shape_of(old), shape_of(new)
    if old is None or not old.ByteSize():
        return new
    if before is None:
        return new if new.ByteSize() >= old.ByteSize() else old
    return old if after is None or len(after) == len(before) else new


def of_whole(model: ir.Model, types: Types) -> Types:
    """What the inference of the whole model tells of its values, given what is known of them; the model is changed.

    It follows what vectors of sizes hold. It writes such a vector out, however long, so constants must be in their
    places before it: those were checked.
    """
    for value in values_of(model):
        if (one := types.get(value.name or "")) is not None and one.HasField("tensor_type"):
            value.shape = _shape(one)
            if one.tensor_type.elem_type:
                value.dtype = ir.DataType(one.tensor_type.elem_type)
    infer(model, values=True)
    return {value.name: _stated(value) for value in values_of(model) if value.name}


def _shape(found: onnx.TypeProto) -> ir.Shape | None:
    if not found.tensor_type.HasField("shape"):
        return None
    axes = found.tensor_type.shape.dim
    return ir.Shape([a.dim_value if a.HasField("dim_value") else a.dim_param or None for a in axes])
