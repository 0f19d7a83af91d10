"""One affine piece of a file: the nodes between some values and others, and what they compute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from unbend.verify.measures import Measure, Operand, Tensor
from unbend.verify.ops import Unknown, Unread, compute, real
from unbend.verify.reading import File, Node
from unbend.verify.reference import evaluator

SHAPES = frozenset({"Shape", "Size"})
"""Ops that read of a value only its shape."""


PRODUCTS, SUMS = frozenset({"Conv", "Gemm", "MatMul"}), frozenset({"Add", "Sum"})


@dataclass(frozen=True, eq=False)
class Piece:
    """The nodes of `file` on the way from `sources` to `outputs`, in order.

    `shapes` are those of the file's values, as far as they are known: what Shape says of values outside. `constants`
    keeps what nodes without a varying input make, once it is computed.
    """

    file: File
    sources: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    shapes: Mapping[str, tuple[int | None, ...]]
    constants: dict[str, np.ndarray] = field(default_factory=dict)

    def __call__(self, sources: Mapping[str, Operand], measure: Measure) -> list[Tensor]:
        """The measure of each output; a source that is given as an array takes part as a constant.

        Raises
        ------
        Unknown
            A node cannot be computed.
        """
        values = dict(sources)
        last = {name: node for node in self.nodes for name in node.inputs}
        for node in self.nodes:
            if node.op_type in SHAPES:
                self.constants[node.outputs[0]] = self._shape(node, values)
            else:
                operands = [self._operand(name, values) for name in node.inputs]
                if node in self._added and not any(isinstance(one, Tensor) for one in operands):
                    operands[0] = measure.still(real(np.asarray(operands[0])))
                read = 1 if node.op_type == "CastLike" else len(operands)
                if any(isinstance(one, Tensor) for one in operands[:read]):
                    values |= zip(node.outputs, _computed(node, operands, measure), strict=False)
                elif any(name in values for name in node.inputs[:read]):
                    arrays = [None if one is None else real(np.asarray(one)) for one in operands[:read]]
                    values |= zip(node.outputs, _by_reference(node, arrays), strict=False)
                elif node.outputs[0] not in self.constants:
                    constants = [one for one in operands[:read] if not isinstance(one, Tensor)]
                    self.constants.update(zip(node.outputs, _by_reference(node, constants), strict=False))
            for name in node.inputs:
                if last[name] is node and name not in self.outputs:
                    values.pop(name, None)
        return [self._output(name, values) for name in self.outputs]

    @cached_property
    def _added(self) -> set[Node]:
        """Products that are added to a value and hang on a size; those of constants, as of a border with ones, are
        offsets of terms."""
        readers: dict[str, list[Node]] = {}
        sized: set[str] = set()
        for node in self.nodes:
            for name in node.inputs:
                readers.setdefault(name, []).append(node)
            if node.op_type in SHAPES or not sized.isdisjoint(node.inputs):
                sized.update(node.outputs)
        products = [node for node in self.nodes if node.op_type in PRODUCTS and not sized.isdisjoint(node.inputs)]
        sums = [[one.op_type in SUMS for name in node.outputs for one in readers.get(name, ())] for node in products]
        return {node for node, each in zip(products, sums, strict=True) if each and all(each)}

    def _output(self, name: str, values: Mapping[str, Operand]) -> Tensor:
        if not isinstance(found := values.get(name), Tensor):
            raise Unknown(f"{name} does not depend on {', '.join(self.sources)}")
        return found

    def _operand(self, name: str, values: Mapping[str, Operand]) -> Operand | None:
        if not name:
            return None
        if name in values:
            return values[name]
        return self.constants[name] if name in self.constants else self.file.constants[name]

    def _shape(self, node: Node, values: Mapping[str, Operand]) -> np.ndarray:
        """What Shape or Size say of a value."""
        name = node.inputs[0]
        operand = self._operand(name, values) if name in values or name in self.constants else None
        found = (
            operand.array.shape if isinstance(operand, Tensor) else np.shape(operand) if operand is not None else None
        )
        found = self.shapes.get(name) if found is None else found
        if found is None or None in found:
            raise Unread(f"the shape of {name}, which {node.label} reads, is not known")
        if node.op_type == "Size":
            return np.array(np.prod(np.array(found, dtype=np.int64)), dtype=np.int64)
        return np.array(found[slice(node.attributes.get("start"), node.attributes.get("end"))], dtype=np.int64)

    def numbers(self) -> dict[str, np.ndarray]:
        """The float constants of the file that the piece reads."""
        names = dict.fromkeys(name for node in self.nodes for name in node.inputs if name in self.file.constants)
        arrays = ((name, self.file.constants[name]) for name in names)
        return {name: array for name, array in arrays if array.dtype.kind not in "iubOSU"}


def _computed(node: Node, operands: Sequence[Operand | None], measure: Measure) -> list[Tensor]:
    try:
        with np.errstate(all="ignore"):
            return compute(node, operands, measure)
    except Unknown:
        raise
    except Exception as error:
        raise Unread(f"{node.label} cannot be computed: {type(error).__name__}: {error}") from error


def _by_reference(node: Node, arrays: Sequence[np.ndarray | None]) -> list[np.ndarray]:
    """What a node makes of constants: numbers of its own type, rounded to it, as any program gives them."""
    if node.op_type == "CastLike":
        return [np.asarray(arrays[0])]
    try:
        return evaluator(node)(arrays)
    except Exception as error:
        raise Unread(f"{node.label} cannot be computed: {type(error).__name__}: {error}") from error


def between(
    file: File, sources: Sequence[str], outputs: Sequence[str], shapes: Mapping[str, tuple[int | None, ...]]
) -> Piece:
    """The piece of `file` that makes `outputs` from `sources`, where its values have these shapes.

    Raises
    ------
    Unknown
        An output depends on something else, or is not there.
    """
    inside: set[Node] = set()
    waiting = [name for name in outputs if name not in sources]
    while waiting:
        name = waiting.pop()
        node = file.makers.get(name)
        if node is None:
            raise Unknown(
                f"{file.path.name} has no value {name}" if name not in file.inputs else f"it reads {name} too"
            )
        if node in inside:
            continue
        inside.add(node)
        if node.op_type not in SHAPES:
            waiting += [one for one in (*node.inputs, *node.captured) if _open(file, one, sources)]
    return Piece(file, tuple(sources), tuple(outputs), tuple(node for node in file.nodes if node in inside), shapes)


def _open(file: File, name: str, sources: Sequence[str]) -> bool:
    return bool(name) and name not in sources and name not in file.constants
