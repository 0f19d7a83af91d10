"""The shapes of all values of a file where its inputs have given ones: what Shape says, and where a Reshape leads.

One walk through the nodes. Where a node's inputs are numbers that are known (sizes, and what a network computes from
them), ONNX's reference evaluator runs it; of every other node ONNX's own rule says the shape, from those of its inputs
and the numbers that are known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
import onnx_ir as ir
from onnx import numpy_helper

from unbend.verify import bodies
from unbend.verify.ops.moves import evaluator
from unbend.verify.reading import File, Node

FEW = 1024
"""So many numbers may be sizes; more of them are weights."""

Known = Mapping[str, tuple[int | None, ...]]
"""The shapes of values by their names; None for an axis whose length hangs on more than sizes."""


def misfits(file: File, sizes: Mapping[str, tuple[int, ...]]) -> list[str]:
    """Inputs that cannot have these shapes, in sentences."""
    stated = [(value, sizes[value.name or ""]) for value in file.model.graph.inputs if value.name in sizes]
    return [
        f"{value.name} is {value.shape} in {file.path.name}, and {size} in the certificate"
        for value, size in stated
        if value.shape is not None and not fits([one if isinstance(one, int) else None for one in value.shape], size)
    ]


def fits(known: Sequence[int | None], stated: Sequence[int]) -> bool:
    """Whether a shape is what is known of it."""
    return len(known) == len(stated) and all(a is None or a == b for a, b in zip(known, stated, strict=True))


def shapes_at(file: File, sizes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int | None, ...]]:
    """The shapes of all values, as far as they follow from those of the inputs."""
    walk = _Walk(file)
    for value in file.model.graph.inputs:
        shape = sizes.get(value.name or "")
        walk.put(value.name or "", _type(value, ir.Shape(shape) if shape is not None else value.shape))
    for value in file.model.graph.initializers.values():
        walk.put(value.name or "", _type(value, value.shape))
    for node, one in zip(file.nodes, file.model.graph, strict=True):
        walk.see(node, one)
    return walk.shapes


def _type(value: ir.Value, shape: ir.Shape | None) -> onnx.TypeProto:
    """A tensor's type and shape as ONNX writes them."""
    axes = None if shape is None else [axis if isinstance(axis, int) else None for axis in shape]
    return onnx.helper.make_tensor_type_proto(int(value.dtype) if value.dtype is not None else 0, axes)


@dataclass(eq=False)
class _Walk:
    """What is known on the way: types, shapes, and the numbers of values that are few and do not vary."""

    file: File
    types: dict[str, onnx.TypeProto] = field(default_factory=dict)
    shapes: dict[str, tuple[int | None, ...]] = field(default_factory=dict)
    numbers: dict[str, np.ndarray] = field(default_factory=dict)

    def put(self, name: str, kind: onnx.TypeProto) -> None:
        """Take the type of a value in."""
        self.types[name] = kind
        if kind.tensor_type.HasField("shape"):
            dims = kind.tensor_type.shape.dim
            self.shapes[name] = tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in dims)

    def number(self, name: str) -> np.ndarray | None:
        """The numbers of a value, if they are known and few."""
        if name in self.numbers:
            return self.numbers[name]
        shape = self.shapes.get(name, (None,))
        if name in self.file.constants and None not in shape and np.prod([one or 0 for one in shape]) <= FEW:
            self.numbers[name] = self.file.constants[name]
        return self.numbers.get(name)

    def see(self, node: Node, one: ir.Node) -> None:
        """Take in what a node makes; nothing where its rule does not say."""
        try:
            found = self._computed(node)
            if found is not None:
                self.numbers |= found
                for name, array in found.items():
                    self.put(name, onnx.helper.make_tensor_type_proto(_element(array), array.shape))
                return
            for name, kind in self._inferred(node, one).items():
                self.put(name, kind)
        except Exception:  # onnx has no rule for the node, or not with what is known: nothing is known of its outputs
            return

    def _computed(self, node: Node) -> dict[str, np.ndarray] | None:
        """What the node makes of numbers that are known; None where one is not."""
        if node.op_type in ("Shape", "Size"):
            shape = self.shapes.get(node.inputs[0], (None,))
            if None in shape:
                return None
            ends = slice(node.attributes.get("start"), node.attributes.get("end"))
            size = np.array(shape[ends] if node.op_type == "Shape" else np.prod(np.array(shape, dtype=np.int64)))
            return {node.outputs[0]: size.astype(np.int64)}
        arrays = [self.number(name) if name else None for name in node.inputs]
        missing = any(array is None for array, name in zip(arrays, node.inputs, strict=True) if name)
        if missing or node.captured or not node.inputs:
            return None
        found = evaluator(node)(arrays)
        pairs = zip(node.outputs, found, strict=False)
        return {name: array for name, array in pairs if name} if max(map(np.size, found)) <= FEW else None

    def _inferred(self, node: Node, one: ir.Node) -> dict[str, onnx.TypeProto]:
        """What ONNX's rule says."""
        inner = any(bodies.graphs(attribute) for attribute in one.attributes.values())
        names = self.types if inner else [name for name in node.inputs if name]
        numbers = {name: self.number(name) for name in node.inputs if name}
        return onnx.shape_inference.infer_node_outputs(
            onnx.defs.get_schema(node.op_type, node.version, node.domain),
            ir.serde.serialize_node(one),
            {name: self.types[name] for name in names},
            {name: numpy_helper.from_array(array) for name, array in numbers.items() if array is not None},
            opset_imports=[onnx.helper.make_opsetid(domain, version) for domain, version in self.file.opsets.items()],
        )


def _element(array: np.ndarray) -> int:
    return onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
