"""What in a network is constant, and every tensor's shape, for a batch of one.

Shapes come from ONNX's own inference; a node whose inputs are all constant is run by ONNX's reference evaluator, and a
Shape whose input has a known shape is a constant as well. The two feed each other, so they alternate until nothing new
comes: the chains that exporters write in front of a Reshape or a bias end as numbers.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from unbend.affine import Shape
from unbend.errors import ModelError
from unbend.network.graph import Node, captured_names, dtype_of
from unbend.network.inference import infer, values_of
from unbend.network.local import Operand, Unsupported
from unbend.network.ops import local, lookup
from unbend.network.random import why_random
from unbend.network.reference import TEXT, run_node
from unbend.network.size import check_size

ROUNDS = 50
"""Upper limit to the alternation; exporters' chains take two or three."""


PartialShape = tuple[int | None, ...]
"""The lengths of a value's axes, None for free ones."""


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


def fold(model: ir.Model, name: str, rows: Mapping[str, int], known: Mapping[str, np.ndarray] | None = None) -> Folded:
    """Constants, shapes and variable nodes of `model`, looked at with a batch of one; the model is not changed.

    `rows` is the axis that counts rows, for each input that has one; `known` are constants that were found before.
    """
    twin = model.clone()
    _single_row(twin, rows)
    found = Folded(constants=initializers(twin))
    if known:
        _put_in_place(twin, found, known)
    for _ in range(ROUNDS):
        _infer(twin, name, values=False)
        if _shapes_from_table(twin, found.constants):
            continue
        if _fold_once(twin, found, name, sized=True) or _fold_once(twin, found, name, sized=False):
            continue
        if not _infer(twin, name, values=True):
            break
    found.shapes, found.partial = _shapes(twin), _partial(twin)
    found.types = {v.name: t for v in values_of(twin) if v.name and (t := dtype_of(v)) is not None}
    found.nodes = tuple(_variable_nodes(model, found.constants))
    _check_outputs(model, found.constants, name)
    return found


def _infer(model: ir.Model, name: str, *, values: bool) -> bool:
    """Let ONNX infer shapes; whether any are new. With `values` it follows what vectors of sizes hold as well.

    That is left until constants are folded, which checks their size first: it writes such a vector out, however long.
    """
    before = len(_shapes(model))
    if values and before == len({value.name for value in values_of(model) if value.name}):
        return False
    infer(model, values=values)
    shapes = _shapes(model)
    for value_name, shape in shapes.items():
        check_size(shape, value_name, name)
    return len(shapes) > before


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


def _single_row(model: ir.Model, rows: Mapping[str, int]) -> None:
    """Set the axes of rows to one; shapes that the file states for inner values are dropped where they name others."""
    symbols: set[str] = set()
    inputs = [value for value in model.graph.inputs if value.name not in model.graph.initializers]
    for value in inputs:
        if value.shape is not None and (axis := rows.get(value.name or "")) is not None:
            symbol = value.shape[axis]
            symbols |= {symbol.value} if not isinstance(symbol, int) and symbol.value else set()
            value.shape = ir.Shape([1 if i == axis else each for i, each in enumerate(value.shape)])
    for value in values_of(model):
        if value in inputs or value.shape is None or value.is_initializer():
            continue
        axes = [1 if not isinstance(a, int) and a.value in symbols else a for a in value.shape]
        value.shape = ir.Shape(axes) if all(isinstance(a, int) for a in axes) else None


def initializers(model: ir.Model) -> dict[str, np.ndarray]:
    """Constants from the file; one that is also an input has this as its default."""
    return {
        name: np.asarray(value.const_value.numpy())
        for name, value in model.graph.initializers.items()
        if value.const_value is not None
    }


def _fold_once(model: ir.Model, found: Folded, name: str, *, sized: bool) -> bool:
    """Fold every node that can be folded now, in the twin and in `found`; whether there was any.

    With `sized`, only nodes of whose outputs inference has told the shape, which has been checked.
    """
    outputs = {value.name for value in model.graph.outputs}
    any_folded = False
    for node in list(model.graph):
        if sized and any(value.shape is None or not value.shape.is_static() for value in node.outputs if value.name):
            continue
        arrays = _constant_outputs(node, found.constants, name)
        if arrays is None:
            continue
        for value, array in zip(node.outputs, arrays, strict=False):
            if value.name:
                found.constants[value.name] = array
        if not any(value.name in outputs for value in node.outputs):
            _replace_by_initializers(model.graph, node, arrays)
            any_folded = True
    return any_folded


def _put_in_place(model: ir.Model, found: Folded, known: Mapping[str, np.ndarray]) -> None:
    """Put constants that are known into the places of the nodes that make them."""
    outputs = {value.name for value in model.graph.outputs}
    for node in list(model.graph):
        arrays = [known.get(value.name or "") for value in node.outputs if value.name]
        names = [value.name for value in node.outputs if value.name]
        if len(names) < len(node.outputs) or any(array is None for array in arrays):
            continue
        whole = [array for array in arrays if array is not None]
        found.constants.update(zip(names, whole, strict=True))
        if outputs.isdisjoint(names):
            _replace_by_initializers(model.graph, node, whole)


def _constant_outputs(node: ir.Node, constants: Mapping[str, np.ndarray], name: str) -> list[np.ndarray] | None:
    if any(a.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS) for a in node.attributes.values()):
        return None
    if why_random(node, constants):
        return None
    if node.op_type in {"Shape", "Size"} and node.domain in {"", "ai.onnx"}:
        return _shape_of(node)
    if node.op_type == "CastLike" and node.inputs[1] is not None:
        return _cast_like(node, constants)
    inputs = [None if value is None else constants.get(value.name or "") for value in node.inputs]
    if any(array is None and value is not None for array, value in zip(inputs, node.inputs, strict=True)):
        return None
    check_size(_filled(node, inputs), node.outputs[0].name or node.op_type, name)
    return run_node(node, inputs)


def _shapes_from_table(model: ir.Model, constants: Mapping[str, np.ndarray]) -> bool:
    """Set shapes that ONNX's inference does not tell and the op table does (ai.onnx.ml); whether there were any."""
    from unbend.network.read import nodes_of

    known, any_set = _shapes(model), False
    for node in nodes_of(model, constants):
        if node.domain in ("", "ai.onnx") or lookup(node) is None or node.outputs[0] in known or node.source is None:
            continue
        if not all(name in known for name in node.inputs if name not in constants):
            continue
        try:
            answer = local(node, [Operand(name, known.get(name, ()), constants.get(name)) for name in node.inputs])
        except Unsupported:
            continue
        value = node.source.outputs[0]
        value.shape = ir.Shape(next(iter(answer[0].maps.values())).out_shape)
        value.dtype = value.dtype or ir.DataType.FLOAT
        any_set = True
    return any_set


def _filled(node: ir.Node, inputs: Sequence[np.ndarray | None]) -> tuple[float, ...]:
    """The shape that a node makes which can make much from little; empty for other nodes."""
    known = (array for array in inputs if array is not None and array.dtype.kind not in TEXT)
    numbers = [np.asarray(array, dtype=np.float64) for array in known]
    if node.op_type in {"ConstantOfShape", "Expand"} and numbers:
        return tuple(numbers[-1].ravel())
    if node.op_type == "Tile" and len(numbers) == 2:
        return (numbers[0].size, *numbers[1].ravel())
    if node.op_type == "Pad" and len(numbers) == 2 and numbers[1].size == 2 * numbers[0].ndim:
        return tuple(np.maximum(numbers[0].shape + numbers[1].reshape(2, -1).sum(axis=0), 0))
    if node.op_type == "Range" and len(numbers) == 3:
        start, limit, delta = (float(array.reshape(())) for array in numbers)
        return (max(0.0, np.ceil((limit - start) / delta)) if delta else np.inf,)
    return ()


def _cast_like(node: ir.Node, constants: Mapping[str, np.ndarray]) -> list[np.ndarray] | None:
    """CastLike reads only the type of its second input, so a constant stays a constant."""
    first, second = node.inputs
    array = constants.get(first.name or "") if first is not None else None
    dtype = dtype_of(second) if second is not None else None
    return None if array is None or dtype is None else [array.astype(dtype)]


def _shape_of(node: ir.Node) -> list[np.ndarray] | None:
    value = node.inputs[0]
    shape = value.shape if value is not None else None
    if shape is None or not all(isinstance(axis, int) for axis in shape):
        return None
    axes = np.array([int(axis) for axis in shape], dtype=np.int64)  # type: ignore[arg-type]
    if node.op_type == "Size":
        return [np.array(int(np.prod(axes)), dtype=np.int64)]
    start, end = node.attributes.get_int("start", 0), node.attributes.get_int("end", None)
    return [axes[start:end]]


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


def _partial(model: ir.Model) -> dict[str, PartialShape]:
    return {
        value.name: tuple(axis if isinstance(axis, int) and axis >= 0 else None for axis in value.shape)
        for value in values_of(model)
        if value.name and value.shape is not None
    }


def _shapes(model: ir.Model) -> dict[str, Shape]:
    found = _partial(model).items()
    return {name: shape for name, axes in found if len(shape := tuple(a for a in axes if a is not None)) == len(axes)}


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
