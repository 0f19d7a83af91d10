"""A network as a torch module of plain layers: a torch.fx graph of Linear, Conv, activations, sums and reshapes.

Each node of the ONNX graph becomes one call: a layer with its weights where torch has one, else a function. The names
of layers are those of the nodes, so that a state_dict reads like the file. An op without a torch counterpart here is
named in the error.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from unbend.errors import ModelError
from unbend.network.graph import Network, Node

Writer = Callable[["_Writer", Node], Any]


def to_torch(network: Network) -> Any:
    """The network as a `torch.fx.GraphModule` in evaluation mode, for any number of rows if the network takes any.

    Its numbers are the network's own; its outputs are the network's to the rounding of its type.

    Raises
    ------
    ModelError
        The network has an op that has no layer or function here, or torch is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise ModelError("torch is not installed", try_="pip install 'unbend[torch]'") from error
    writer = _Writer(network, torch.nn.Module(), torch.fx.Graph())
    unknown = [node for node in network.nodes if node.op_type not in WRITERS or node.domain not in ("", "ai.onnx")]
    if unknown:
        raise _no_layer(network, unknown)
    try:
        return writer.module()
    except KeyError as error:
        raise ModelError(f"the shape of {error.args[0]} is not known: no torch layer is written for it") from error


def _no_layer(network: Network, nodes: list[Node]) -> ModelError:
    ops = ", ".join(dict.fromkeys(f"{node.domain}.{node.op_type}" if node.domain else node.op_type for node in nodes))
    return ModelError(
        f"{network.name} has ops that no torch layer is written for: {ops}",
        where=f"the first of them is {nodes[0].label}",
        try_="save it as an .onnx file instead, and run it with onnxruntime",
    )


@dataclass
class _Writer:
    """Writes the graph, call by call; `values` are torch.fx nodes by the name of the value."""

    network: Network
    root: Any
    graph: Any
    values: dict[str, Any] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def module(self) -> Any:
        import torch

        for port in self.network.inputs:
            self.values[port.name] = self.graph.placeholder(self.fresh(port.name))
        for node in self.network.nodes:
            result = WRITERS[node.op_type](self, node)
            for i, name in enumerate(node.outputs):
                self.values[name] = result if len(node.outputs) == 1 else result[i]
        outputs = tuple(self.value(value.name or "") for value in self.network.model.graph.outputs)
        self.graph.output(outputs[0] if len(outputs) == 1 else outputs)
        self.graph.lint()
        return torch.fx.GraphModule(self.root, self.graph, "Collapsed").eval()

    def fresh(self, stem: str) -> str:
        """A name for a layer or a buffer that nothing has yet."""
        stem = _name(stem)
        name, count = stem, 1
        while name in self.taken or hasattr(self.root, name):
            count += 1
            name = f"{stem}_{count}"
        self.taken.add(name)
        return name

    def value(self, name: str) -> Any:
        """A value that was made before, or a constant as a buffer."""
        if name not in self.values:
            stem = self.fresh(name)
            self.root.register_buffer(stem, self.tensor(self.network.constants[name]))
            self.values[name] = self.graph.get_attr(stem)
        return self.values[name]

    def tensor(self, array: np.ndarray) -> Any:
        """A copy of an array, bfloat16 among its types."""
        import torch

        array = np.array(array, order="C")
        if array.dtype.name == "bfloat16":
            return torch.from_numpy(array.astype(np.float32)).to(torch.bfloat16)
        return torch.from_numpy(array)

    def array(self, node: Node, position: int) -> np.ndarray | None:
        """The constant that the node reads there; None where it reads none."""
        name = node.inputs[position] if position < len(node.inputs) else ""
        if not name:
            return None
        if name not in self.network.constants:
            raise ModelError(f"{node.op_type} {node.label} computes its parameters; no torch layer does that")
        return self.network.constants[name]

    def layer(self, node: Node, layer: Any, **parameters: np.ndarray | None) -> Any:
        """A call of a layer on the node's first input, with these numbers as its parameters or buffers."""
        import torch

        for name, array in parameters.items():
            if array is not None:
                setattr(layer, name, torch.nn.Parameter(self.tensor(array)))
        stem = self.fresh(node.label)
        self.root.add_module(stem, layer)
        return self.graph.call_module(stem, (self.value(node.inputs[0]),))

    def call(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """A call of a function."""
        return self.graph.call_function(function, arguments, named)


def _name(text: str) -> str:
    """The text as a Python name."""
    name = re.sub(r"\W+", "_", text).strip("_") or "value"
    return f"_{name}" if name[0].isdigit() else name


def _function(name: str, **named: Any) -> Writer:
    """An op that is a function of torch by this name, on all of its inputs."""

    def write(writer: _Writer, node: Node) -> Any:
        import torch

        function: Any = torch
        for part in name.split("."):
            function = getattr(function, part)
        return writer.call(function, *(writer.value(one) for one in node.inputs if one), **named)

    return write


def _activation(name: str, **attributes: tuple[str, float]) -> Writer:
    """An op that is a layer of torch.nn; each argument is an attribute of the node with its default."""

    def write(writer: _Writer, node: Node) -> Any:
        import torch

        given = {key: node.attribute(one, default) for key, (one, default) in attributes.items()}
        return writer.layer(node, getattr(torch.nn, name)(**given))

    return write


def _many(name: str) -> Writer:
    """A sum or a mean of any number of values."""

    def write(writer: _Writer, node: Node) -> Any:
        import torch

        total = writer.value(node.inputs[0])
        for one in node.inputs[1:]:
            total = writer.call(torch.add, total, writer.value(one))
        return writer.call(torch.div, total, len(node.inputs)) if name == "mean" else total

    return write


def _gemm(writer: _Writer, node: Node) -> Any:
    import torch

    if node.inputs[1] not in writer.network.constants or node.attribute("transA", 0):
        raise ModelError(f"Gemm {node.label} multiplies two values; no torch layer does that")
    weight = writer.network.constants[node.inputs[1]]
    weight = (weight if node.attribute("transB", 0) else weight.T) * weight.dtype.type(node.attribute("alpha", 1.0))
    bias = writer.array(node, 2)
    if bias is not None:
        bias = np.broadcast_to(bias * bias.dtype.type(node.attribute("beta", 1.0)), (*bias.shape[:-1], len(weight)))
        if bias.size != len(weight):
            raise ModelError(f"Gemm {node.label} adds another bias to each row; no torch layer does that")
    layer = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    return writer.layer(node, layer, weight=weight, bias=None if bias is None else bias.reshape(-1))


def _matmul(writer: _Writer, node: Node) -> Any:
    """A Linear where a matrix multiplies from the right."""
    import torch

    weight = writer.network.constants.get(node.inputs[1])
    if weight is None or weight.ndim != 2:
        return writer.call(torch.matmul, *(writer.value(name) for name in node.inputs))
    layer = torch.nn.Linear(*weight.shape, bias=False, device="meta")
    return writer.layer(node, layer, weight=weight.T)


def _pads(node: Node, axes: int) -> tuple[list[tuple[int, int]], bool]:
    """The pads of each axis, and whether torch's own padding, the same on both sides, says them."""
    if node.attribute("auto_pad", "NOTSET") not in ("NOTSET", "VALID", ""):
        raise ModelError(f"{node.op_type} {node.label} is padded by auto_pad={node.attribute('auto_pad')}")
    pads = node.attribute("pads", (0,) * (2 * axes))
    pairs = list(zip(pads[:axes], pads[axes:], strict=True))
    return pairs, all(before == after >= 0 for before, after in pairs)


def _padded(writer: _Writer, name: str, pairs: list[tuple[int, int]], value: float = 0.0) -> Any:
    import torch

    flat = [side for pair in reversed(pairs) for side in pair]
    return writer.call(torch.nn.functional.pad, writer.value(name), flat, value=value)


def _convolution(writer: _Writer, node: Node) -> Any:
    import torch

    weight, bias = writer.array(node, 1), writer.array(node, 2)
    assert weight is not None
    axes, transposed = weight.ndim - 2, node.op_type == "ConvTranspose"
    pairs, plain = _pads(node, axes)
    if transposed and (not plain or "output_shape" in node.attributes):
        raise ModelError(f"ConvTranspose {node.label} is cropped unevenly; no torch layer does that")
    groups = node.attribute("group", 1)
    how = {
        "stride": tuple(node.attribute("strides", (1,) * axes)),
        "padding": tuple(before for before, _ in pairs) if plain else 0,
        "dilation": tuple(node.attribute("dilations", (1,) * axes)),
        "groups": groups,
        "bias": bias is not None,
        "device": "meta",
    }
    if transposed:
        how["output_padding"] = tuple(node.attribute("output_padding", (0,) * axes))
    channels = (weight.shape[0], weight.shape[1] * groups)
    ends = channels if transposed else channels[::-1]
    layer = getattr(torch.nn, f"{node.op_type}{axes}d")(*ends, weight.shape[2:], **how)
    if not plain:
        writer.values[node.inputs[0]], own = _padded(writer, node.inputs[0], pairs), writer.values[node.inputs[0]]
        made = writer.layer(node, layer, weight=weight, bias=bias)
        writer.values[node.inputs[0]] = own
        return made
    return writer.layer(node, layer, weight=weight, bias=bias)


def _normalization(writer: _Writer, node: Node) -> Any:
    import torch

    scale, shift, mean, variance = (writer.array(node, i) for i in range(1, 5))
    assert scale is not None
    axes = len(writer.network.shapes[node.inputs[0]]) - 2
    kind = getattr(torch.nn, f"BatchNorm{max(axes, 1)}d")
    layer = kind(len(scale), eps=node.attribute("epsilon", 1e-5), device="meta")
    for name, array in (("running_mean", mean), ("running_var", variance)):
        assert array is not None
        layer.register_buffer(name, writer.tensor(array))
    layer.num_batches_tracked = torch.tensor(0)
    return writer.layer(node, layer, weight=scale, bias=shift)


def _layer_norm(writer: _Writer, node: Node) -> Any:
    import torch

    scale, shift = writer.array(node, 1), writer.array(node, 2)
    assert scale is not None
    layer = torch.nn.LayerNorm(
        list(scale.shape), eps=node.attribute("epsilon", 1e-5), bias=shift is not None, device="meta"
    )
    return writer.layer(node, layer, weight=scale, bias=shift)


def _pool(writer: _Writer, node: Node) -> Any:
    import torch

    axes = len(node.attribute("kernel_shape", ()))
    pairs, plain = _pads(node, axes)
    dilated = any(one != 1 for one in node.attribute("dilations", ()))
    if node.attribute("ceil_mode", 0) or not plain or (dilated and node.op_type == "AveragePool"):
        raise ModelError(f"{node.op_type} {node.label} is padded, dilated or rounded as no torch layer is")
    how: dict[str, Any] = {"padding": tuple(before for before, _ in pairs)}
    how["stride"] = tuple(node.attribute("strides", (1,) * axes))
    if node.op_type == "AveragePool":
        how["count_include_pad"] = bool(node.attribute("count_include_pad", 0))
    else:
        how["dilation"] = tuple(node.attribute("dilations", (1,) * axes))
    kind = "AvgPool" if node.op_type == "AveragePool" else "MaxPool"
    return writer.layer(node, getattr(torch.nn, f"{kind}{axes}d")(tuple(node.attribute("kernel_shape")), **how))


def _global_pool(writer: _Writer, node: Node) -> Any:
    import torch

    axes = len(writer.network.shapes[node.inputs[0]]) - 2
    kind = "AdaptiveAvgPool" if node.op_type == "GlobalAveragePool" else "AdaptiveMaxPool"
    return writer.layer(node, getattr(torch.nn, f"{kind}{axes}d")(1))


def _reshape(writer: _Writer, node: Node) -> Any:
    """To a shape that is the file's own for one row; the first axis is left open where it counts rows."""
    import torch

    source, target = writer.network.shapes[node.inputs[0]], writer.network.shapes[node.outputs[0]]
    rows = writer.network.batch is None
    if rows and not (source[:1] == target[:1] == (1,)):
        raise ModelError(f"{node.op_type} {node.label} moves the rows to another axis")
    shape = (-1, *target[1:]) if rows else tuple(target)
    return writer.call(torch.reshape, writer.value(node.inputs[0]), shape)


def _flatten(writer: _Writer, node: Node) -> Any:
    import torch

    if node.attribute("axis", 1) != 1:
        return _reshape(writer, node)
    return writer.layer(node, torch.nn.Flatten())


def _transpose(writer: _Writer, node: Node) -> Any:
    import torch

    axes = len(writer.network.shapes[node.inputs[0]])
    order = node.attribute("perm", tuple(reversed(range(axes))))
    return writer.call(torch.permute, writer.value(node.inputs[0]), tuple(order))


def _concat(writer: _Writer, node: Node) -> Any:
    import torch

    return writer.call(torch.cat, [writer.value(name) for name in node.inputs], node.attribute("axis"))


def _softmax(writer: _Writer, node: Node) -> Any:
    import torch

    kind = torch.nn.LogSoftmax if node.op_type == "LogSoftmax" else torch.nn.Softmax
    return writer.layer(node, kind(dim=node.attribute("axis", -1)))


def _mean(writer: _Writer, node: Node) -> Any:
    import torch

    source, axes = node.inputs[0], writer.array(node, 1)
    stated = node.attribute("axes", ()) if axes is None else axes
    given = tuple(int(axis) for axis in stated) or tuple(range(len(writer.network.shapes[source])))
    function = {"ReduceMean": torch.mean, "ReduceSum": torch.sum}[node.op_type]
    return writer.call(function, writer.value(source), given, keepdim=bool(node.attribute("keepdims", 1)))


def _clip(writer: _Writer, node: Node) -> Any:
    import torch

    low, high = (None if (bound := writer.array(node, i)) is None else float(bound) for i in (1, 2))
    return writer.call(torch.clamp, writer.value(node.inputs[0]), low, high)


def _gelu(writer: _Writer, node: Node) -> Any:
    import torch

    return writer.layer(node, torch.nn.GELU(approximate=node.attribute("approximate", "none")))


def _split(writer: _Writer, node: Node) -> Any:
    import torch

    axis = node.attribute("axis", 0)
    sizes = [writer.network.shapes[name][axis] for name in node.outputs]
    whole = writer.call(torch.split, writer.value(node.inputs[0]), sizes, axis)
    return [writer.call(operator.getitem, whole, i) for i in range(len(sizes))]


def _pad(writer: _Writer, node: Node) -> Any:
    """A constant around a value, and beside it."""
    widths, value, axes = (writer.array(node, i) for i in range(1, 4))
    if widths is None or axes is not None or node.attribute("mode", "constant") != "constant":
        raise ModelError(
            f"Pad {node.label} repeats the image's own numbers, or says its axes; no torch layer does that"
        )
    sides = [int(one) for one in widths]
    pairs = list(zip(sides[: len(sides) // 2], sides[len(sides) // 2 :], strict=True))
    return _padded(writer, node.inputs[0], pairs, 0.0 if value is None else float(value.reshape(())))


def _shape(writer: _Writer, node: Node) -> Any:
    start, end = node.attribute("start", 0), node.attribute("end", None)
    return writer.call(operator.getitem, writer.call(getattr, writer.value(node.inputs[0]), "shape"), slice(start, end))


def _slice(writer: _Writer, node: Node) -> Any:
    """A part of a value, or of a shape, by whole steps forwards."""
    starts, ends, axes, steps = (writer.array(node, i) for i in range(1, 5))
    if starts is None or ends is None or (steps is not None and (steps < 1).any()):
        raise ModelError(f"Slice {node.label} goes backwards; no torch layer does that")
    along = range(len(starts)) if axes is None else axes.tolist()
    strides = [1] * len(starts) if steps is None else steps.tolist()
    cuts = {
        int(axis): slice(int(a), int(b), int(c)) for axis, a, b, c in zip(along, starts, ends, strides, strict=True)
    }
    source = writer.value(node.inputs[0])
    made_by = writer.network.producers.get(node.inputs[0])
    if made_by is not None and made_by.op_type == "Shape":
        return writer.call(operator.getitem, source, cuts[0])
    rank = len(writer.network.shapes[node.inputs[0]])
    where = {axis % rank: cut for axis, cut in cuts.items()}
    return writer.call(operator.getitem, source, tuple(where.get(axis, slice(None)) for axis in range(rank)))


def expanded(value: Any, size: Any) -> Any:
    """A tensor broadcast with a shape, as ONNX's Expand does it."""
    import torch

    return value.expand(torch.broadcast_shapes(value.shape, tuple(int(one) for one in size)))


def _expand(writer: _Writer, node: Node) -> Any:
    return writer.call(expanded, *(writer.value(name) for name in node.inputs))


WRITERS: dict[str, Writer] = {
    "Pad": _pad,
    "Shape": _shape,
    "Slice": _slice,
    "Expand": _expand,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Conv": _convolution,
    "ConvTranspose": _convolution,
    "BatchNormalization": _normalization,
    "LayerNormalization": _layer_norm,
    "Relu": _activation("ReLU"),
    "LeakyRelu": _activation("LeakyReLU", negative_slope=("alpha", 0.01)),
    "Elu": _activation("ELU", alpha=("alpha", 1.0)),
    "Sigmoid": _activation("Sigmoid"),
    "Tanh": _activation("Tanh"),
    "HardSwish": _activation("Hardswish"),
    "Softplus": _activation("Softplus"),
    "Mish": _activation("Mish"),
    "Identity": _activation("Identity"),
    "Dropout": _activation("Identity"),
    "Gelu": _gelu,
    "Clip": _clip,
    "Softmax": _softmax,
    "LogSoftmax": _softmax,
    "MaxPool": _pool,
    "AveragePool": _pool,
    "GlobalAveragePool": _global_pool,
    "GlobalMaxPool": _global_pool,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Squeeze": _reshape,
    "Unsqueeze": _reshape,
    "Transpose": _transpose,
    "Concat": _concat,
    "Split": _split,
    "ReduceMean": _mean,
    "ReduceSum": _mean,
    "Sum": _many("sum"),
    "Mean": _many("mean"),
    "Add": _function("add"),
    "Sub": _function("sub"),
    "Mul": _function("mul"),
    "Div": _function("div"),
    "Neg": _function("neg"),
    "Abs": _function("abs"),
    "Exp": _function("exp"),
    "Log": _function("log"),
    "Sqrt": _function("sqrt"),
    "Erf": _function("erf"),
    "Sin": _function("sin"),
    "Cos": _function("cos"),
    "Reciprocal": _function("reciprocal"),
    "Pow": _function("pow"),
}
"""What writes each op."""
