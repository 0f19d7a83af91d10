"""Write a collapsed stretch back into the graph as ONNX.

Steps that are still the file's own nodes are kept as they are; a merged one becomes Gemm, MatMul, Conv, Mul, Add or
Reshape with its numbers rounded once, from float64 to the type of the tensor. Names of inputs and outputs stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from unbend.affine import Affine, Chain, Convolution, Dense, Diagonal, Identity, Selection, Shape
from unbend.collapse.factor import Step
from unbend.network import Network


class Overflow(Exception):
    """A merged number does not fit into the tensor's type."""


@dataclass
class Writer:
    """Appends nodes after one another; `model` is the graph that is being rewritten."""

    network: Network
    model: ir.Model
    batched: bool
    nodes: list[ir.Node] = field(default_factory=list)
    values: dict[str, ir.Value] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        graph = self.model.graph
        made = (value for node in graph for value in node.outputs)
        self.values = {value.name: value for value in (*graph.inputs, *made) if value.name}
        self.taken = set(self.values) | set(graph.initializers) | {node.name for node in graph if node.name}

    def fresh(self, stem: str) -> str:
        """A name that no value has yet."""
        name, count = stem, 1
        while name in self.taken:
            count += 1
            name = f"{stem}_{count}"
        self.taken.add(name)
        return name

    def constant(self, array: np.ndarray, stem: str, dtype: np.dtype) -> ir.Value:
        """An initializer, rounded once to `dtype`."""
        with np.errstate(over="ignore"):
            rounded = np.ascontiguousarray(array.astype(dtype))
        if dtype.kind not in "iub" and not np.all(np.isfinite(rounded.astype(np.float64))):
            raise Overflow(f"a merged weight is too large for {dtype.name}")
        name = self.fresh(stem)
        value = ir.Value(name=name, const_value=ir.tensor(rounded, name=name), shape=ir.Shape(rounded.shape))
        value.dtype = ir.DataType.from_numpy(rounded.dtype)
        self.model.graph.register_initializer(value)
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
            return self._own(step, source)
        return self.affine(step.affine, source, stem, dtype)

    def _own(self, step: Step, source: ir.Value) -> ir.Value:
        """The file's own node again, reading `source`."""
        assert step.node is not None
        original = self.values[step.node.outputs[0]].producer()
        assert original is not None
        inputs = [
            source if value is not None and self.network.variable(value.name or "") else value
            for value in original.inputs
        ]
        clone = ir.Node(
            original.domain,
            original.op_type,
            inputs,
            list(original.attributes.values()),
            num_outputs=1,
            name=self.fresh(original.name or original.op_type),
        )
        clone.outputs[0].name = self.fresh(f"{original.outputs[0].name}_kept")
        clone.outputs[0].type = original.outputs[0].type
        self.nodes.append(clone)
        return clone.outputs[0]

    def finish(self, name: str, value: ir.Value, read_outside: bool) -> None:
        """Let `value` be what the graph calls `name` from now on."""
        if not read_outside:
            self.values[name] = value
            return
        old = self.values[name]
        if value.producer() not in self.nodes:
            value = self.node("Identity", [value], name, old.dtype.numpy() if old.dtype else np.dtype(np.float32))
        old.name, value.name = self.fresh(f"{name}_before"), name
        value.type, value.shape = old.type, old.shape
        ir.convenience.replace_all_uses_with(old, value, replace_graph_outputs=True)
        self.values[name] = value

    def affine(self, affine: Affine, source: ir.Value, stem: str, dtype: np.dtype) -> ir.Value:
        """One map and its offset."""
        linear, offset = affine.linear, affine.offset
        if isinstance(linear, Dense):
            return self._dense(linear, offset, source, stem, dtype)
        if isinstance(linear, Convolution):
            return self._convolution(linear, offset, source, stem, dtype)
        if isinstance(linear, Chain):
            return self._chain(linear, offset, source, stem, dtype)
        if isinstance(linear, Diagonal):
            source = self.node("Mul", [source, self.constant(linear.scale[0], f"{stem}_scale", dtype)], stem, dtype)
        elif isinstance(linear, Selection):
            source = self._reshape(linear.out_shape, source, stem, dtype)
        else:
            assert isinstance(linear, Identity)
        return self._plus(offset, source, stem, dtype)

    def _plus(self, offset: np.ndarray, source: ir.Value, stem: str, dtype: np.dtype) -> ir.Value:
        if not offset.any():
            return source
        return self.node("Add", [source, self.constant(offset, f"{stem}_b", dtype)], stem, dtype)

    def _chain(self, chain: Chain, offset: np.ndarray, source: ir.Value, stem: str, dtype: np.dtype) -> ir.Value:
        """Reshape – dense – reshape, with the offset in the product where only reshapes follow it."""
        for linear in chain.maps:
            own = np.zeros((1,) * len(linear.out_shape))
            if isinstance(linear, Dense):
                own = np.broadcast_to(offset, chain.out_shape).reshape(linear.out_shape)
            source = self.affine(Affine(linear, own), source, stem, dtype)
        return source

    def _dense(self, dense: Dense, offset: np.ndarray, source: ir.Value, stem: str, dtype: np.dtype) -> ir.Value:
        rank = len(dense.in_shape)
        fits = offset.size == 1 or offset.shape == (*(1,) * (rank - 1), dense.weight.shape[0])
        if rank == 2 and fits:
            weight = self.constant(dense.weight, f"{stem}_W", dtype)
            inputs = [source, weight]
            if offset.any():
                bias = np.broadcast_to(offset.reshape(-1), dense.weight.shape[:1])
                inputs.append(self.constant(bias, f"{stem}_b", dtype))
            return self.node("Gemm", inputs, stem, dtype, transB=1)
        product = self.node("MatMul", [source, self.constant(dense.weight.T, f"{stem}_W", dtype)], stem, dtype)
        return self._plus(offset, product, stem, dtype)

    def _convolution(
        self, convolution: Convolution, offset: np.ndarray, source: ir.Value, stem: str, dtype: np.dtype
    ) -> ir.Value:
        channels = convolution.kernel.shape[0]
        per_channel = all(size == 1 for axis, size in enumerate(offset.shape) if axis != 1)
        inputs = [source, self.constant(convolution.kernel, f"{stem}_W", dtype)]
        if per_channel and offset.any():
            inputs.append(self.constant(np.broadcast_to(offset.reshape(-1), (channels,)), f"{stem}_b", dtype))
        begins, ends = zip(*convolution.pads, strict=True)
        output = self.node(
            "Conv",
            inputs,
            stem,
            dtype,
            kernel_shape=list(convolution.kernel.shape[2:]),
            strides=list(convolution.strides),
            pads=[*begins, *ends],
            dilations=list(convolution.dilations),
            group=convolution.groups,
        )
        return output if per_channel else self._plus(offset, output, stem, dtype)

    def _reshape(self, target: Shape, source: ir.Value, stem: str, dtype: np.dtype) -> ir.Value:
        axes = [0, *target[1:]] if self.batched else list(target)
        shape = self.constant(np.array(axes, dtype=np.int64), f"{stem}_shape", np.dtype(np.int64))
        return self.node("Reshape", [source, shape], stem, dtype)
