"""Small ONNX models for tests, a node a line, and onnxruntime as the witness of what they compute."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

rng = np.random.default_rng(11)


def a(*shape: int) -> np.ndarray:
    """Random numbers of about unit size."""
    return rng.normal(size=shape)


class Graph:
    """A model under construction: call it with an op type and inputs; arrays among them become initializers.

    Parameters
    ----------
    shape : the input's shape, with its batch axis
    dtype : type of the input and of every float constant
    """

    def __init__(self, *shape: int | str | None, dtype: Any = np.float32, opset: int = 18) -> None:
        self.dtype = np.dtype(dtype)
        self.opset = opset
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.inputs = [helper.make_tensor_value_info("x", self._element(self.dtype), shape)]
        self.functions: list[onnx.FunctionProto] = []
        self.domains: set[str] = set()
        self.count = 0

    def constant(self, array: Any, name: str = "") -> str:
        """An initializer; floats take the type of the model."""
        array = np.asarray(array)
        array = array.astype(self.dtype) if array.dtype.kind == "f" else array
        self.count += 1
        name = name or f"c{self.count}"
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def __call__(self, op_type: str, *inputs: Any, outputs: Any = None, domain: str = "", **attributes: Any) -> Any:
        """A node; the name of its output, or the names where `outputs` says how many or which."""
        names = [one if isinstance(one, str) else self.constant(one) for one in inputs]
        self.count += 1
        made = outputs if isinstance(outputs, list) else [f"v{self.count}_{i}" for i in range(outputs or 1)]
        name = attributes.pop("label", f"{op_type}_{self.count}")
        self.nodes.append(helper.make_node(op_type, names, made, name, domain=domain, **attributes))
        if domain:
            self.domains.add(domain)
        return made[0] if outputs is None else made

    def model(self, *outputs: str, check: bool = True) -> onnx.ModelProto:
        """The model with these outputs, their type left to inference."""
        graph = helper.make_graph(
            self.nodes, "graph", self.inputs, [onnx.ValueInfoProto(name=name) for name in outputs], self.initializers
        )
        imports = [helper.make_opsetid("", self.opset), *(helper.make_opsetid(d, 1) for d in sorted(self.domains))]
        model = helper.make_model(
            graph, opset_imports=imports, ir_version=10, functions=self.functions, producer_name="tests"
        )
        inferred = onnx.shape_inference.infer_shapes(model)
        for value in inferred.graph.output:
            if not value.type.tensor_type.elem_type:
                value.type.tensor_type.elem_type = self._element(self.dtype)
        del model.graph.output[:]
        model.graph.output.extend(inferred.graph.output)
        if check:
            onnx.checker.check_model(model)
        return model

    @staticmethod
    def _element(dtype: np.dtype) -> int:
        return helper.np_dtype_to_tensor_dtype(dtype)


def run(model: onnx.ModelProto, x: np.ndarray) -> list[np.ndarray]:
    """The model's outputs under onnxruntime, in float64, in the order of their names."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = sorted(output.name for output in session.get_outputs())
    found = session.run(names, {session.get_inputs()[0].name: x})
    return [np.asarray(array, dtype=np.float64) for array in found]


def inputs(model: onnx.ModelProto, rows: int, seed: int = 0, **sizes: int) -> np.ndarray:
    """Random input for a model; `sizes` fixes its other free axes by name."""
    tensor = model.graph.input[0].type.tensor_type
    axes = [axis.dim_value or sizes.get(axis.dim_param, rows) for axis in tensor.shape.dim]
    dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    return np.random.default_rng(seed).normal(size=axes).astype(dtype)


def assert_same(
    before: onnx.ModelProto,
    after: onnx.ModelProto,
    *batches: int,
    tolerance: float = 2e-5,
    floor: float = 0.0,
    **sizes: int,
) -> None:
    """Both models give the same under onnxruntime, with the same names, for each number of rows."""
    assert [o.name for o in before.graph.output] == [o.name for o in after.graph.output]
    assert [i.name for i in before.graph.input] == [i.name for i in after.graph.input]
    onnx.checker.check_model(after, full_check=True)
    for rows in batches or (1, 3, 17):
        x = inputs(before, rows, rows, **sizes)
        for expected, found in zip(run(before, x), run(after, x), strict=True):
            assert found.shape == expected.shape
            scale = max(float(np.max(np.abs(expected), initial=1e-30)), float(np.max(np.abs(x), initial=0.0)) * floor)
            np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * scale)
