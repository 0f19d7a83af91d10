"""Nodes written for torch beside ONNX's reference, in float64, and onnxruntime, in float32."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator

from unbend.network import read
from unbend.network.to_torch import to_torch

torch = pytest.importorskip("torch")
rng = np.random.default_rng(5)

EXACT = 1e-12
"""Relative difference between two ways to compute the same in float64."""

SINGLE = 1e-5
"""Relative difference to a computation in float32."""


def by_torch(model: onnx.ModelProto, feed: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """The outputs of the module, in the order of the model's."""
    module = to_torch(read(model))
    with torch.no_grad():
        found = module(*(torch.from_numpy(feed[one.name]) for one in model.graph.input))
    return [one.numpy() for one in (found if isinstance(found, tuple) else (found,))]


def by_reference(model: onnx.ModelProto, feed: Mapping[str, np.ndarray]) -> list[Any]:
    with np.errstate(all="ignore"):
        return list(ReferenceEvaluator(model).run(None, dict(feed)))


def by_runtime(model: onnx.ModelProto, feed: Mapping[str, np.ndarray]) -> list[Any]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return list(session.run(None, dict(feed)))


def assert_near(found: list[np.ndarray], expected: list[Any], tolerance: float) -> None:
    """The same types, shapes and, to the tolerance, numbers."""
    assert len(found) == len(expected)
    for one, other in zip(found, map(np.asarray, expected), strict=True):
        assert one.shape == other.shape
        assert one.dtype == other.dtype
        scale = max(1.0, float(np.abs(other[np.isfinite(other)]).max(initial=0.0)))
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * scale)


ORACLES = [(by_reference, np.float64, "reference"), (by_runtime, np.float32, "runtime")]


def a(*shape: int) -> np.ndarray:
    """Random numbers of about unit size."""
    return rng.normal(size=shape)


def whole(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)


@dataclass
class Case:
    """A node. An input is a shape ("N" counts rows, other names are free lengths), or an array for a constant.

    `kind` is the type of the inputs where it is not the network's; `single` and `exact` are how near float32 and
    float64 are; `without` names the oracle that cannot run the node, "reference" or "runtime", and says why.
    """

    op_type: str
    inputs: tuple[Any, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    opset: int = 21
    outputs: int = 1
    kind: Any = None
    within: tuple[float, float] = (-2.0, 2.0)
    single: float = SINGLE
    exact: float = EXACT
    without: str = ""

    def __repr__(self) -> str:
        shapes = ",".join("c" if isinstance(one, np.ndarray) else "×".join(map(str, one or "-")) for one in self.inputs)
        return f"{self.op_type}-{self.opset}({shapes};{self.attributes})".replace(" ", "").replace("'", "")

    def model(self, dtype: Any) -> onnx.ModelProto:
        """The node alone in a model, its floating-point tensors of `dtype`."""
        names = ["" if one is None else f"x{i}" for i, one in enumerate(self.inputs)]
        outputs = [f"y{i}" for i in range(self.outputs)]
        node = onnx.helper.make_node(self.op_type, names, outputs, "node", **self.attributes)
        element = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(self.kind or dtype))
        given = dict(zip(names, self.inputs, strict=True))
        graph = onnx.helper.make_graph(
            [node],
            "case",
            [
                onnx.helper.make_tensor_value_info(name, element, one)
                for name, one in given.items()
                if isinstance(one, tuple)
            ],
            [onnx.ValueInfoProto(name=name) for name in outputs],
            [
                onnx.numpy_helper.from_array(one.astype(dtype) if one.dtype == np.float64 else one, name)
                for name, one in given.items()
                if isinstance(one, np.ndarray)
            ],
        )
        return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", self.opset)], ir_version=10)

    def feed(self, dtype: Any, **lengths: int) -> dict[str, np.ndarray]:
        """Random inputs with these lengths for the free axes."""
        draw = np.random.default_rng(sum(map(ord, repr(self))))
        shapes = {f"x{i}": _with(one, lengths) for i, one in enumerate(self.inputs) if isinstance(one, tuple)}
        kind = self.kind or dtype
        return {name: draw.uniform(*self.within, size=shape).astype(kind) for name, shape in shapes.items()}


def _with(shape: Sequence[int | str], lengths: Mapping[str, int]) -> list[int]:
    return [lengths[axis] if isinstance(axis, str) else axis for axis in shape]


def case(op_type: str, *inputs: Any, **how: Any) -> Case:
    """A case: what `Case` has no field for is an attribute of the node."""
    own = {key: how.pop(key) for key in list(how) if key in Case.__dataclass_fields__}
    return Case(op_type, inputs, how, **own)


def runs(cases: Sequence[Case]) -> list[Any]:
    """Each case beside each oracle that runs it."""
    return [
        pytest.param(one, oracle, dtype, id=f"{one!r}-{name}")
        for one in cases
        for oracle, dtype, name in ORACLES
        if not one.without.startswith(name)
    ]
