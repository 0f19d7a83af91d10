"""How large an ONNX network is, counted by running it: nodes, heavy ops, multiplications for a row, numbers stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime

HEAVY = {"Conv": 1, "FusedConv": 1, "ConvTranspose": 1, "Gemm": 1, "FusedGemm": 1, "MatMul": 1, "FusedMatMul": 1}


@dataclass(frozen=True)
class Structure:
    """Nodes (constants are none), Conv + Gemm + MatMul, multiply-adds of these for one row, numbers stored."""

    nodes: int
    heavy: int
    macs: int | None
    parameters: int | None

    @property
    def short(self) -> str:
        """Nodes / heavy ops."""
        return f"{self.nodes}/{self.heavy}"


def structure(model: onnx.ModelProto, row: np.ndarray) -> Structure:
    """The size of a network; `row` is an input of batch size one."""
    nodes = [node for node in model.graph.node if node.op_type != "Constant"]
    heavy = [node for node in nodes if node.op_type in HEAVY]
    shapes = _shapes(model, heavy, row)
    macs = sum(_macs(node, shapes) for node in heavy)
    return Structure(len(nodes), len(heavy), macs, _numbers(model))


def _numbers(model: onnx.ModelProto) -> int:
    """Floats in initialisers and constant nodes; the integers of shapes and axes do not count."""
    tensors = list(model.graph.initializer)
    constants = (node for node in model.graph.node if node.op_type == "Constant")
    tensors += [attribute.t for node in constants for attribute in node.attribute if attribute.HasField("t")]
    floats = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE, onnx.TensorProto.BFLOAT16)
    return sum(int(np.prod(tensor.dims)) for tensor in tensors if tensor.data_type in floats)


def _shapes(model: onnx.ModelProto, heavy: list[onnx.NodeProto], row: np.ndarray) -> dict[str, tuple[int, ...]]:
    """Shapes of what the heavy ops read and write, from a run with all of it as outputs."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    shapes = {one.name: tuple(one.dims) for one in model.graph.initializer}
    made = {name for node in model.graph.node for name in node.output}
    present = {one.name for one in model.graph.output}
    names = list(dict.fromkeys(name for node in heavy for name in (*node.input, *node.output) if name in made))
    for name in names:
        if name not in present:
            copy.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(copy.SerializeToString(), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    found = session.run(names, {name: row}) if names else []
    return shapes | {name: row.shape} | {key: np.shape(value) for key, value in zip(names, found, strict=True)}


def _macs(node: onnx.NodeProto, shapes: dict[str, tuple[int, ...]]) -> int:
    out, first, second = shapes[node.output[0]], shapes[node.input[0]], shapes[node.input[1]]
    if node.op_type == "ConvTranspose":
        return int(np.prod(first)) * int(np.prod(second[1:]))
    if "Conv" in node.op_type:
        return int(np.prod(out)) * int(np.prod(second[1:]))
    flipped = any(one.name == "transA" and one.i for one in node.attribute)
    return int(np.prod(out)) * (first[-2] if flipped else first[-1])
