"""What in a network is constant, and every tensor's shape, for a batch of one.

One pass over the nodes in order: ONNX's inference tells the shapes of what a node makes from those of what it reads; a
node whose inputs are all constant is run by ONNX's reference evaluator, and a Shape whose input has a known shape is a
constant as well. The chains that exporters write in front of a Reshape or a bias end as numbers. Where shapes are left
open the inference of the whole model is asked, and if that tells any, there is another pass.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import onnx
import onnx_ir as ir

from unbend.affine import Shape
from unbend.errors import ModelError
from unbend.network.axes import Place
from unbend.network.graph import Node, captured_names
from unbend.network.local import Operand, Unsupported
from unbend.network.ops import local, lookup
from unbend.network.random import why_random
from unbend.network.reference import TEXT, run_node
from unbend.network.size import check_size
from unbend.network.types import PartialShape, Types, dtype_of, inferred, merged, of_whole, partial_of, shape_of, stated

ROUNDS = 50
"""Upper limit to the passes: one where all axes have lengths, two or three where some have none."""


@dataclass
class Folded:
    """What folding found: the variable nodes, the constants, the shapes and the types of all values.

    `partial` are the shapes of values that have free axes as well.
    """

    nodes: tuple[Node, ...] = ()
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    partial: dict[str, PartialShape] = field(default_factory=dict)
    types: dict[str, np.dtype] = field(default_factory=dict)


def fold(
    model: ir.Model, name: str, lengths: Mapping[Place, int], known: Mapping[str, np.ndarray] | None = None
) -> Folded:
    """Constants, shapes and variable nodes of `model`, which is not changed.

    `lengths` are put in for axes of its inputs: one for each that counts rows. `known` are constants that were found
    before.
    """
    found = _Pass(model, name, {**initializers(model), **(known or {})}, stated(model, lengths))
    for _ in range(ROUNDS):
        for node in model.graph:
            found.visit(node)
        if not found.ask_the_whole():
            break
    outputs = {value.name for value in model.graph.outputs}
    types = {value: one for value, one in found.types.items() if value not in found.constants or value in outputs}
    partial = {value: shape for value, one in types.items() if (shape := partial_of(one)) is not None}
    shapes = {value: shape for value, one in types.items() if (shape := shape_of(one)) is not None}
    dtypes = {value: dtype for value, one in types.items() if (dtype := dtype_of(one)) is not None}
    nodes = tuple(_variable_nodes(model, found.constants))
    _check_outputs(model, found.constants, name)
    return Folded(nodes, found.constants, shapes, partial, dtypes)


@dataclass
class _Pass:
    """A pass over the nodes of a model: what is constant, what is known of the types, of which nodes all of it."""

    model: ir.Model
    name: str
    constants: dict[str, np.ndarray]
    types: Types
    told: set[ir.Node] = field(default_factory=set)

    def __post_init__(self) -> None:
        for value in self.types:
            self._check(value)

    def visit(self, node: ir.Node) -> None:
        """See what the node makes of what is known of its inputs by now."""
        made = [value.name for value in node.outputs if value.name]
        if all(value in self.constants for value in made):
            return
        if node not in self.told:
            self._learn(inferred(node, self.types, self.constants, self.model.graph.opset_imports))
            if node.domain not in ("", "ai.onnx") and self._is_open(made[0]):
                self._learn(self._by_table(node))
        arrays = _constant_outputs(node, self.constants, self.types, self.name)
        if arrays is not None:
            pairs = zip(node.outputs, arrays, strict=False)
            self.constants.update((value.name, array) for value, array in pairs if value.name)
        elif not any(map(self._is_open, made)):
            self.told.add(node)

    def ask_the_whole(self) -> bool:
        """Let the inference of the whole model tell what the nodes did not; whether it told the shape of any value."""
        if not any(map(self._is_open, self._variable())):
            return False
        twin = self.model.clone()
        _put_in_place(twin, self.constants)
        told = {value: one for value, one in of_whole(twin, self.types).items() if value not in self.constants}
        new = [value for value, one in told.items() if shape_of(one) is not None and self._is_open(value)]
        self._learn(told)
        return bool(new)

    def _is_open(self, value: str) -> bool:
        return shape_of(self.types.get(value)) is None

    def _variable(self) -> Iterator[str]:
        made = (value.name for node in self.model.graph for value in node.outputs if value.name)
        return (value for value in made if value not in self.constants)

    def _learn(self, types: Types) -> None:
        for value, one in types.items():
            self.types[value] = merged(one, self.types.get(value))
            self._check(value)

    def _check(self, value: str) -> None:
        if (shape := shape_of(self.types[value])) is not None:
            check_size(shape, value, self.name)

    def _by_table(self, node: ir.Node) -> Types:
        """What the op table tells of a node that ONNX's inference does not know (ai.onnx.ml)."""
        from unbend.network.read import node_of

        one = node_of(node, self.model, self.constants)
        read = [self._operand(value) for value in one.inputs]
        if lookup(one) is None or None in read:
            return {}
        try:
            answer = local(one, list(read))
        except Unsupported:
            return {}
        made = one.outputs[0]
        code = self.types[made].tensor_type.elem_type if made in self.types else 0
        shape = next(iter(answer[0].maps.values())).out_shape
        return {made: onnx.helper.make_tensor_type_proto(code or onnx.TensorProto.FLOAT, shape)}

    def _operand(self, value: str) -> Operand | None:
        """The value as an input of a node, None where its shape is not known."""
        constant = self.constants.get(value)
        shape = constant.shape if constant is not None else shape_of(self.types.get(value))
        return None if shape is None else Operand(value, shape, constant)


def initializers(model: ir.Model) -> dict[str, np.ndarray]:
    """Constants from the file; one that is also an input has this as its default."""
    return {
        name: np.asarray(value.const_value.numpy())
        for name, value in model.graph.initializers.items()
        if value.const_value is not None
    }


@contextmanager
def quiet_inference() -> Iterator[None]:
    """Without the log of a model that inference cannot make sense of; what it does not tell stays unknown."""
    logger = logging.getLogger("onnx_ir")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _put_in_place(model: ir.Model, known: Mapping[str, np.ndarray]) -> None:
    """Put constants that are known into the places of the nodes that make them."""
    outputs = {value.name for value in model.graph.outputs}
    for node in list(model.graph):
        names = [value.name for value in node.outputs if value.name]
        if len(names) == len(node.outputs) and outputs.isdisjoint(names) and all(name in known for name in names):
            _replace_by_initializers(model.graph, node, [known[name] for name in names])


def _constant_outputs(
    node: ir.Node, constants: Mapping[str, np.ndarray], types: Types, name: str
) -> list[np.ndarray] | None:
    if any(a.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS) for a in node.attributes.values()):
        return None
    if why_random(node, constants):
        return None
    if node.op_type in {"Shape", "Size"} and node.domain in {"", "ai.onnx"}:
        return _shape_of(node, constants, types)
    if node.op_type == "CastLike" and node.inputs[1] is not None:
        return _cast_like(node, constants, types)
    inputs = [None if value is None else constants.get(value.name or "") for value in node.inputs]
    if any(array is None and value is not None for array, value in zip(inputs, node.inputs, strict=True)):
        return None
    check_size(_filled(node, inputs), node.outputs[0].name or node.op_type, name)
    return run_node(node, inputs)


def _filled(node: ir.Node, inputs: Sequence[np.ndarray | None]) -> tuple[float, ...]:
    """The shape that a node makes which can make much from little; empty for other nodes."""
    known = (array for array in inputs if array is not None and array.dtype.kind not in TEXT)
    numbers = [np.asarray(array, dtype=np.float64) for array in known]
    if node.op_type in {"ConstantOfShape", "Expand"} and numbers:
        return tuple(numbers[-1].ravel())
    if node.op_type == "Tile" and len(numbers) == 2:
        return (numbers[0].size, *numbers[1].ravel())
    if node.op_type == "Pad" and numbers:
        widths = np.asarray(node.attributes.get_ints("pads", ()) if len(numbers) == 1 else numbers[1])
        if widths.size == 2 * numbers[0].ndim:
            return tuple(np.maximum(numbers[0].shape + widths.reshape(2, -1).sum(axis=0), 0))
    if node.op_type == "Range" and len(numbers) == 3:
        start, limit, delta = (float(array.reshape(())) for array in numbers)
        return (max(0.0, np.ceil((limit - start) / delta)) if delta else np.inf,)
    return ()


def _cast_like(node: ir.Node, constants: Mapping[str, np.ndarray], types: Types) -> list[np.ndarray] | None:
    """CastLike reads only the type of its second input, so a constant stays a constant."""
    array, like = (constants.get(value.name or "") if value is not None else None for value in node.inputs)
    name = (node.inputs[1].name or "") if node.inputs[1] is not None else ""
    dtype = like.dtype if like is not None else dtype_of(types.get(name))
    return None if array is None or dtype is None else [array.astype(dtype)]


def _shape_of(node: ir.Node, constants: Mapping[str, np.ndarray], types: Types) -> list[np.ndarray] | None:
    name = (node.inputs[0].name or "") if node.inputs[0] is not None else ""
    constant = constants.get(name)
    shape = constant.shape if constant is not None else shape_of(types.get(name))
    if shape is None:
        return None
    if node.op_type == "Size":
        return [np.array(int(np.prod(shape)), dtype=np.int64)]
    start, end = node.attributes.get_int("start", 0), node.attributes.get_int("end", None)
    return [np.array(shape, dtype=np.int64)[start:end]]


def _replace_by_initializers(graph: ir.Graph, node: ir.Node, arrays: list[np.ndarray]) -> None:
    for value, array in zip(node.outputs, arrays, strict=False):
        if not value.uses():
            continue
        constant = ir.Value(name=value.name, const_value=ir.tensor(array), shape=ir.Shape(array.shape))
        constant.dtype = ir.DataType.from_numpy(array.dtype)
        value.name = None
        graph.register_initializer(constant)
        value.replace_all_uses_with(constant)
    graph.remove(node, safe=True)


def _variable_nodes(model: ir.Model, constants: Mapping[str, np.ndarray]) -> list[Node]:
    """The nodes whose outputs depend on the input and are needed for an output, in order."""
    from unbend.network.read import nodes_of

    nodes = [node for node in nodes_of(model, constants) if any(out and out not in constants for out in node.outputs)]
    needed = {value.name for value in model.graph.outputs}
    kept: list[Node] = []
    for node in reversed(nodes):
        if any(out in needed for out in node.outputs):
            kept.append(node)
            needed.update(node.inputs)
            needed.update(captured_names(node))
    return kept[::-1]


def _check_outputs(model: ir.Model, constants: Mapping[str, np.ndarray], name: str) -> None:
    outputs = [value.name for value in model.graph.outputs]
    if outputs and all(output in constants for output in outputs):
        raise ModelError(
            f"the output of {name} does not depend on its input",
            where=f"output {outputs[0]} is a constant",
            try_="check the export: the input is not connected to the output",
        )
