"""Write a collapsed stretch back into the graph as ONNX.

Steps that are still the file's own nodes are kept as they are; a merged one becomes Gemm, MatMul, Conv, ConvTranspose,
Mul, Add or Reshape with its numbers rounded once (`rounding`), from float64 to the type of the tensor. Names of inputs
and outputs stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import ml_dtypes
import numpy as np
import onnx_ir as ir

from unbend.affine import (
    Affine,
    Border,
    Chain,
    Convolution,
    Dense,
    Diagonal,
    LinearMap,
    Selection,
    Shape,
    Transposed,
    is_means,
)
from unbend.affine.border import adds_ones, is_only_ones
from unbend.affine.left import left_product
from unbend.affine.numbers import Stored, numbers
from unbend.collapse.reduce.steps import Step, parts, pieces
from unbend.collapse.write.descent import fitted
from unbend.collapse.write.rounding import is_half, rounded_rows
from unbend.errors import ModelError
from unbend.network import Network, Node
from unbend.network.paged import PAGES

AS_INPUTS = {"Slice": 10, "Pad": 11, "ReduceMean": 18}
"""From which opset on an op has its lists of whole numbers as inputs; before, they are attributes."""

WITH_EXPAND = 8
"""The first opset that has Expand."""

WITHOUT_BIAS = 11
"""The first opset in which a Gemm may have no bias."""

FIRST = 8
"""Arrays whose first numbers differ are told apart by those."""


class Overflow(Exception):
    """A merged number does not fit into the tensor's type."""


@dataclass(frozen=True, eq=False)
class Seen:
    """Rows of what a map reads, on which its weights are rounded, `width` columns of them at a time."""

    rows: np.ndarray
    width: int


def in_nodes(steps: Sequence[Step]) -> Iterator[Step]:
    """The steps as nodes of the file, one for each."""
    return (one for step in steps for one in pieces(step) or [step])


def as_written(step: Step, dtype: np.dtype, seen: Seen | None = None) -> Step:
    """A node of the file with the numbers that are stored: rounded once to `dtype`."""
    if step.node is not None:
        return step
    found = Affine(_rounded(step.affine.linear, dtype), step.affine.offset)
    if seen is not None:
        found = _fitted(step.affine, found.linear, seen)
    return replace(step, affine=Affine(found.linear, stored(found.offset, dtype)))


def stored(offset: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """An offset in float64 with the numbers that are stored of it."""
    return _cast(offset, dtype).astype(np.float64) if offset.any() else offset


def _fitted(affine: Affine, linear: LinearMap, seen: Seen) -> Affine:
    """The map with the rounded weights of `linear`; in half precision with those that are better on what was seen."""
    if isinstance(linear, Dense | Convolution):
        start = linear.stored
        if isinstance(start, np.ndarray) and is_half(start.dtype):
            weights, offset = fitted(affine, start, seen.rows, seen.width)
            return Affine(_with_weights(linear, weights), offset)
    return Affine(linear, affine.offset)


def _rounded(linear: LinearMap, dtype: np.dtype) -> LinearMap:
    if is_means(linear):
        return linear
    if isinstance(linear, Dense | Convolution):
        return _with_weights(linear, _weights(linear.weight if isinstance(linear, Dense) else linear.kernel, dtype))
    if isinstance(linear, Transposed) and isinstance(linear.of, Convolution):
        return Transposed(linear.of.with_kernel(_cast(linear.of.kernel, dtype)))
    if isinstance(linear, Diagonal):
        return Diagonal(_cast(linear.scale, dtype).astype(np.float64), linear.shape)
    return Chain(tuple(_rounded(one, dtype) for one in linear.maps)) if isinstance(linear, Chain) else linear


def _with_weights(linear: Dense | Convolution, weights: np.ndarray) -> Dense | Convolution:
    if isinstance(linear, Convolution):
        return linear.with_kernel(PAGES.keep(weights))
    return Dense(PAGES.keep(weights if len(linear.in_shape) == 2 else np.asfortranarray(weights)), linear.leading)


def _weights(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Weights in another type, a row for each output, or as they are if that cannot hold them."""
    cast = rounded_rows(array, dtype)
    return cast if np.isfinite(cast).all() else array


def _cast(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The numbers in another type, or as they are if that cannot hold them: `Writer.constant` refuses those."""
    with np.errstate(over="ignore"):
        cast = array.astype(dtype)
    return cast if np.isfinite(cast).all() else array


@dataclass
class Writer:
    """Appends nodes after one another; `model` is the graph that is being rewritten."""

    network: Network
    model: ir.Model
    batched: bool
    nodes: list[ir.Node] = field(default_factory=list)
    values: dict[str, ir.Value] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    named: set[ir.Value] = field(default_factory=set)
    stored: dict[tuple, list[tuple[np.ndarray, ir.Value]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        graph = self.model.graph
        made = (value for node in graph for value in node.outputs)
        self.values = {value.name: value for value in (*graph.inputs, *made) if value.name}
        inner = (node for node in graph.all_nodes())
        self.taken = set(self.values) | set(graph.initializers)
        self.taken |= {name for node in inner for name in (node.name, *(value.name for value in node.outputs)) if name}

    def fresh(self, stem: str) -> str:
        """A name that nothing in the graph has yet."""
        name, count = stem, 1
        while name in self.taken:
            count += 1
            name = f"{stem}_{count}"
        self.taken.add(name)
        return name

    def constant(self, array: np.ndarray, stem: str, dtype: np.dtype) -> ir.Value:
        """An initializer, rounded once to `dtype`; the one that holds the same numbers already, if there is one.

        Raises
        ------
        Overflow
            A number is too large for the type.
        """
        with np.errstate(over="ignore"):
            rounded = np.ascontiguousarray(array.astype(dtype, copy=False)).reshape(array.shape)
        if not np.isfinite(rounded).all() and np.isfinite(array).all():
            largest, most = np.max(np.abs(array)), float(ml_dtypes.finfo(dtype).max)
            raise Overflow(
                f"a merged number is too large for {dtype.name}: {largest:.4g}, and {most:.4g} is its largest"
            )
        alike = self.stored.setdefault((rounded.dtype, rounded.shape, rounded.reshape(-1)[:FIRST].tobytes()), [])
        for other, value in alike:
            if np.array_equal(other, rounded):
                return value
        name = self.fresh(stem)
        value = ir.Value(name=name, const_value=ir.tensor(rounded, name=name), shape=ir.Shape(rounded.shape))
        value.dtype = ir.DataType.from_numpy(rounded.dtype)
        self.model.graph.register_initializer(value)
        alike.append((rounded, value))
        return value

    def node(
        self, op_type: str, inputs: Sequence[ir.Value], stem: str, dtype: np.dtype, **attributes: object
    ) -> ir.Value:
        """A new node; its output."""
        node = ir.node(op_type, inputs, attributes or None)  # type: ignore[arg-type]
        node.name = self.fresh(f"{stem}_{op_type}")
        output = node.outputs[0]
        output.name = self.fresh(stem)
        output.dtype = ir.DataType.from_numpy(dtype)
        self.nodes.append(node)
        return output

    def step(self, step: Step, source: ir.Value, stem: str, dtype: np.dtype) -> ir.Value:
        """One step of a factored chain."""
        if step.node is not None:
            return self._own(step.node, step.position, source)
        return self.affine(step.affine, source, stem, dtype)

    def _own(self, node: Node, position: int, source: ir.Value) -> ir.Value:
        """The file's own node again, reading `source` at the one input that varies."""
        original = self.values[node.outputs[0]].producer()
        assert original is not None
        clone = ir.Node(
            original.domain,
            original.op_type,
            [source if i == position else value for i, value in enumerate(original.inputs)],
            list(original.attributes.values()),
            overload=original.overload,
            num_outputs=1,
            name=self.fresh(original.name or original.op_type),
            doc_string=original.doc_string,
            metadata_props=dict(original.metadata_props),
        )
        clone.outputs[0].name = self.fresh(f"{original.outputs[0].name}_kept")
        clone.outputs[0].type = original.outputs[0].type
        self.nodes.append(clone)
        return clone.outputs[0]

    def finish(self, name: str, value: ir.Value, public: bool) -> None:
        """Let `value` be what the graph calls `name` from now on; a `public` name (an output's) must stay."""
        old = self.values[name]
        has_name = value in self.named or value.producer() not in self.nodes
        if public and has_name:
            value = self.node("Identity", [value], name, old.dtype.numpy() if old.dtype else np.dtype(np.float32))
        if public or not has_name:
            old.name, value.name = self.fresh(f"{name}_before"), name
            value.type, value.shape = old.type, old.shape
            self.named.add(value)
        ir.convenience.replace_all_uses_with(old, value, replace_graph_outputs=True)
        self.values[name] = value

    def affine(self, affine: Affine, source: ir.Value, stem: str, dtype: np.dtype) -> ir.Value:
        """One map and its offset."""
        for part in parts(affine):
            source = self._part(part, source, stem, dtype)
        return source

    def _part(self, part: Affine, source: ir.Value, stem: str, dtype: np.dtype) -> ir.Value:
        linear, offset = part.linear, part.offset
        if adds_ones(part) or is_only_ones(part):
            return self._ones(part, source, stem, dtype)
        if is_means(linear):
            return self._means(len(linear.in_shape), source, stem, dtype)
        if isinstance(linear, Dense):
            return self._dense(linear, offset, source, stem, dtype)
        if isinstance(linear, Convolution):
            return self._convolution("Conv", linear, offset, source, stem, dtype)
        if (left := left_product(linear)) is not None:
            return self.node("MatMul", [self.constant(_stored(left.stored), f"{stem}_W", dtype), source], stem, dtype)
        if isinstance(linear, Transposed) and isinstance(linear.of, Convolution):
            return self._transposed(linear.of, offset, source, stem, dtype)
        if isinstance(linear, Selection) and not linear.is_reshape:
            raise ModelError("a rearrangement of numbers has no op that could be written for it")
        if isinstance(linear, Selection):
            return self._reshape(linear.out_shape, source, stem, dtype)
        if isinstance(linear, Diagonal):
            return self.node("Mul", [source, self.constant(linear.scale[0], f"{stem}_scale", dtype)], stem, dtype)
        return self.node("Add", [source, self._offset(offset, stem, dtype)], stem, dtype)

    def _offset(self, offset: np.ndarray, stem: str, dtype: np.dtype) -> ir.Value:
        """An offset; that of a border as a table, looked up: a runtime does that once, when it loads the file."""
        if (border := Border.of(offset)) is None:
            return self.constant(offset, f"{stem}_b", dtype)
        table = self.constant(border.flat, f"{stem}_b", dtype)
        index = self.constant(border.index.astype(np.int32), f"{stem}_places", np.dtype(np.int32))
        return self.node("Gather", [table, index], f"{stem}_border", dtype, axis=1)

    def _ones(self, part: Affine, source: ir.Value, stem: str, dtype: np.dtype) -> ir.Value:
        """The image with one more channel of ones, or an image of ones of its size."""
        rank = len(part.linear.in_shape)
        if adds_ones(part):
            lists = {"pads": [0] * (rank + 1) + [1] + [0] * (rank - 2)}
            return self._listed("Pad", source, lists, f"{stem}_with_ones", dtype, value=1.0)
        one = self.constant(np.ones((1,) * rank), f"{stem}_one", dtype)
        whole = np.dtype(np.int64)
        size = self.node("Shape", [source], f"{stem}_size", whole)
        size = self._listed("Slice", size, {"starts": [2], "ends": [rank]}, f"{stem}_size", whole)
        if self.network.opset >= WITH_EXPAND:
            return self.node("Expand", [one, size], stem, dtype)
        once = self.constant(np.ones(2), f"{stem}_once", whole)
        return self.node("Tile", [one, self.node("Concat", [once, size], f"{stem}_size", whole, axis=0)], stem, dtype)

    def _listed(
        self, op_type: str, source: ir.Value, lists: Mapping[str, list[int]], stem: str, dtype: np.dtype, **more: float
    ) -> ir.Value:
        """An op with lists of whole numbers: attributes or inputs, as the opset wants; likewise the value of a Pad."""
        if self.network.opset < AS_INPUTS[op_type]:
            return self.node(op_type, [source], stem, dtype, **lists, **more)
        whole = np.dtype(np.int64)
        inputs = [source, *(self.constant(np.array(one), f"{stem}_{key}", whole) for key, one in lists.items())]
        inputs += [self.constant(np.array(more.pop(key)), f"{stem}_one", dtype) for key in list(more) if key == "value"]
        return self.node(op_type, inputs, stem, dtype, **more)

    def _means(self, rank: int, source: ir.Value, stem: str, dtype: np.dtype) -> ir.Value:
        """The mean of each channel."""
        return self._listed("ReduceMean", source, {"axes": list(range(2, rank))}, stem, dtype, keepdims=0)

    def _dense(self, dense: Dense, offset: np.ndarray, source: ir.Value, stem: str, dtype: np.dtype) -> ir.Value:
        """Gemm for a matrix, MatMul for a tensor of more axes or fewer, or where a Gemm must have a bias."""
        if len(dense.in_shape) != 2 or not (offset.any() or self.network.opset >= WITHOUT_BIAS):
            return self.node(
                "MatMul", [source, self.constant(_stored(dense.stored).T, f"{stem}_W", dtype)], stem, dtype
            )
        inputs = [source, self.constant(_stored(dense.stored), f"{stem}_W", dtype)]
        if offset.any():
            inputs.append(self.constant(offset.reshape(-1), f"{stem}_b", dtype))
        return self.node("Gemm", inputs, stem, dtype, transB=1)

    def _convolution(
        self,
        op_type: str,
        convolution: Convolution,
        offset: np.ndarray,
        source: ir.Value,
        stem: str,
        dtype: np.dtype,
        **attributes: object,
    ) -> ir.Value:
        inputs = [source, self.constant(_stored(convolution.stored), f"{stem}_W", dtype)]
        if offset.any():
            inputs.append(self.constant(offset.reshape(-1), f"{stem}_b", dtype))
        begins, ends = zip(*convolution.pads, strict=True)
        return self.node(
            op_type,
            inputs,
            stem,
            dtype,
            kernel_shape=list(convolution.stored.shape[2:]),
            strides=list(convolution.strides),
            pads=[*begins, *ends],
            dilations=list(convolution.dilations),
            group=convolution.groups,
            **attributes,
        )

    def _transposed(
        self, of: Convolution, offset: np.ndarray, source: ir.Value, stem: str, dtype: np.dtype
    ) -> ir.Value:
        """ConvTranspose; what the strides leave open of its output's size is its output_padding."""
        axes = zip(of.source[2:], of.out_shape[2:], of.strides, of.dilations, of.stored.shape[2:], of.pads, strict=True)
        extra = [
            size + sum(pads) - stride * (positions - 1) - dilation * (taps - 1) - 1
            for size, positions, stride, dilation, taps, pads in axes
        ]
        return self._convolution("ConvTranspose", of, offset, source, stem, dtype, output_padding=extra)

    def _reshape(self, target: Shape, source: ir.Value, stem: str, dtype: np.dtype) -> ir.Value:
        axes = [0, *target[1:]] if self.batched else list(target)
        shape = self.constant(np.array(axes, dtype=np.int64), f"{stem}_shape", np.dtype(np.int64))
        return self.node("Reshape", [source, shape], stem, dtype)


def _stored(weights: Stored) -> np.ndarray:
    return weights if isinstance(weights, np.ndarray) else numbers(weights)
