"""One model in other opsets: what is an input in one is an attribute in another."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

NEWEST = onnx.defs.onnx_opset_version()

RENAMED = {"constant_value": "value"}
"""Inputs that had another name when they were attributes."""

FLATTENS = {"Softmax", "LogSoftmax", "Hardmax"}
"""Ops that are over all axes from one on before opset 13."""

NOTHING = {"steps": 1, "training_mode": 0}
"""Inputs without an older form, and the only number that they may be made of."""


class Cannot(Exception):
    """The model does not exist in that opset."""


def in_opset(model: onnx.ModelProto, opset: int) -> onnx.ModelProto | None:
    """The model in another opset, with the same meaning; None if there is none, or onnxruntime does not run it."""
    found = onnx.ModelProto()
    found.CopyFrom(model)
    graph = onnx.shape_inference.infer_shapes(model).graph
    ranks = {v.name: len(v.type.tensor_type.shape.dim) for v in (*graph.input, *graph.value_info, *graph.output)}
    constants = {one.name: numpy_helper.to_array(one) for one in found.graph.initializer}
    for one in (*found.opset_import, *(one for function in found.functions for one in function.opset_import)):
        one.version = one.version if one.domain else opset
    nodes = [*found.graph.node, *(node for function in found.functions for node in function.node)]
    try:
        for node in nodes:
            if not node.domain and not any(one.HasField("g") for one in node.attribute):
                _in_opset(node, opset, constants, ranks)
        onnx.checker.check_model(found, full_check=True)
        session(found)
    except Exception:
        return None
    return found


def session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """onnxruntime on the model, quiet and on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _in_opset(node: onnx.NodeProto, opset: int, constants: dict[str, np.ndarray], ranks: dict[str, int]) -> None:
    new = onnx.defs.get_schema(node.op_type)
    old = onnx.defs.get_schema(node.op_type, opset)
    if node.op_type in FLATTENS and old.since_version < 13:
        _last_axis(node, ranks[node.input[0]])
    for position, name in list(enumerate(node.input))[len(old.inputs) :] if _is_fixed(old) else []:
        _into_attribute(node, old, new.inputs[position].name, constants[name] if name else None)
    if _is_fixed(old):
        del node.input[len(old.inputs) :]
    for one in [one for one in node.attribute if one.name not in old.attributes]:
        if helper.get_attribute_value(one) != _default(new, one.name):
            raise Cannot(f"{node.op_type} has {one.name}")
        node.attribute.remove(one)


def _is_fixed(schema: onnx.defs.OpSchema) -> bool:
    return not any(one.option == onnx.defs.OpSchema.FormalParameterOption.Variadic for one in schema.inputs)


def _into_attribute(node: onnx.NodeProto, old: onnx.defs.OpSchema, name: str, value: np.ndarray | None) -> None:
    name = RENAMED.get(name, name)
    if value is None or (name in NOTHING and (value == NOTHING[name]).all()):
        return
    if name not in old.attributes:
        raise Cannot(f"{node.op_type} has {name}")
    listed = value.ravel().tolist() if name in ("axes", "split", "starts", "ends", "pads") else float(value)
    node.attribute.append(helper.make_attribute(name, listed))


def _default(schema: onnx.defs.OpSchema, name: str) -> Any:
    return helper.get_attribute_value(schema.attributes[name].default_value)


def _last_axis(node: onnx.NodeProto, rank: int) -> None:
    axis = next((one.i for one in node.attribute if one.name == "axis"), -1)
    if axis % rank != rank - 1:
        raise Cannot(f"{node.op_type} along axis {axis}")
    del node.attribute[:]
    node.attribute.append(helper.make_attribute("axis", rank - 1))
