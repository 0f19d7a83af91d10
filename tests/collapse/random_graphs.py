"""Random small networks that are affine but for some bends: chains, branches, sums, several readers, moves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from kinds import freed, in_type
from onnx_graphs import Graph

Shape = tuple[int, ...]
Move = Callable[["Random", str, Shape], "tuple[str, Shape] | None"]

MOVES: list[Move] = []
"""What makes a new value of one that is there; a move that does not fit makes none."""


def move(often: int = 1) -> Callable[[Move], Move]:
    """Register a move, to be picked so often as others are once."""

    def register(function: Move) -> Move:
        MOVES.extend([function] * often)
        return function

    return register


class Random:
    """Grows a random graph: values with known shapes (without the batch axis), and moves that make a new one.

    Where its places are `free`, constants are of one number or of one for each channel.
    """

    def __init__(self, seed: int, shape: Shape = (), *, free: bool = False) -> None:
        self.rng = np.random.default_rng(seed)
        self.free = free
        shape = shape or self.pick([(3,), (5,), (2, 4), (2, 5, 4), (3, 4, 4), (4, 4, 4)])
        self.graph = Graph(self.pick(["N", "N", "N", 1]), *shape)
        self.values: list[tuple[str, Shape]] = [("x", shape)]
        self.weights: dict[Shape, list[str]] = {}

    def pick(self, options: list):
        return options[self.rng.integers(len(options))]

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def whole(self, low: int, high: int) -> int:
        """A whole number from `low` up to and without `high`."""
        return int(self.rng.integers(low, high))

    def a(self, *shape: int) -> np.ndarray:
        return self.rng.normal(size=shape) / max(1.0, float(np.sqrt(np.prod(shape[-2:] or (1,)) ** 0.5)))

    def weight(self, *shape: int) -> str:
        """A weight of its own, or one that the network has already."""
        kept = self.weights.setdefault(shape, [])
        if not kept or self.chance(0.7):
            kept.append(self.graph.constant(self.a(*shape)))
        return self.pick(kept)

    def grow(self, steps: int, moves: list[Move] = MOVES) -> onnx.ModelProto:
        for _ in range(steps):
            value, shape = self.pick(self.values[-3:])
            made = self.pick(moves)(self, value, shape)
            if made is not None and all(size > 0 for size in made[1]) and np.prod(made[1]) <= 2000:
                self.values.append(made)
        outputs = [self.values[-1][0]]
        if self.chance(0.3) and len(self.values) > 3:
            outputs.append(self.pick(self.values[1:-1])[0])
        return self.graph.model(*dict.fromkeys(outputs), check=False)

    def constant_for(self, shape: Shape) -> np.ndarray:
        """A constant that broadcasts to the value, with or without its batch axis."""
        if self.free:
            return self.a(self.pick([1, shape[0]]), 1, 1)
        axes = [size if self.chance(0.6) else 1 for size in shape]
        if self.chance(0.3):
            return self.a(*([1, *axes]))
        return self.a(*axes[self.whole(0, len(axes) + 1) :])


def put(shape: Shape, axis: int, *sizes: int) -> Shape:
    """The shape with other sizes in place of an axis."""
    return (*shape[:axis], *sizes, *shape[axis + 1 :])


@move()
def scale(own: Random, value: str, shape: Shape):
    if own.chance(0.3):
        return own.graph("Div", value, np.exp(own.constant_for(shape))), shape
    pair = [value, own.constant_for(shape)]
    return own.graph("Mul", *(pair if own.chance(0.5) else pair[::-1])), shape


@move()
def shift(own: Random, value: str, shape: Shape):
    pair = [value, own.constant_for(shape)]
    return own.graph(own.pick(["Add", "Sub"]), *(pair if own.chance(0.5) else pair[::-1])), shape


@move()
def negate(own: Random, value: str, shape: Shape):
    op = own.pick(["Neg", "Identity", "Dropout", "Clip", "LeakyRelu"])
    if op == "Dropout" and own.chance(0.5):
        return own.graph(op, value, outputs=2)[0], shape
    return own.graph(op, value, **({"alpha": 1.0} if op == "LeakyRelu" else {})), shape


@move()
def reshape(own: Random, value: str, shape: Shape):
    size = int(np.prod(shape))
    options = [(size,), (1, size), *((k, size // k) for k in range(2, size) if size % k == 0)]
    if size % 4 == 0:
        options.append((size // 4, 2, 2))
    target = own.pick(options)
    if own.chance(0.3):
        return own.graph("Flatten", value), (size,)
    return own.graph("Reshape", value, np.array([-1 if own.chance(0.5) else 0, *target])), target


@move()
def transpose(own: Random, value: str, shape: Shape):
    order = own.rng.permutation(len(shape))
    return own.graph("Transpose", value, perm=[0, *(int(i) + 1 for i in order)]), tuple(shape[i] for i in order)


@move()
def squeeze(own: Random, value: str, shape: Shape):
    if len(shape) > 1 and 1 in shape:
        axis = shape.index(1)
        return own.graph("Squeeze", value, np.array([axis + 1])), put(shape, axis)
    axis = own.whole(0, len(shape) + 1)
    return own.graph("Unsqueeze", value, np.array([axis + 1])), (*shape[:axis], 1, *shape[axis:])


@move(3)
def gemm(own: Random, value: str, shape: Shape):
    if len(shape) != 1:
        return None
    width, turned = own.whole(1, 6), own.chance(0.5)
    weight = own.weight(width, shape[0]) if turned else own.weight(shape[0], width)
    bias = [own.pick([own.a(width), own.a(1, width), own.a(1)])] if own.chance(0.7) else []
    scales = {"alpha": 0.5, "beta": 2.0} if own.chance(0.3) else {}
    return own.graph("Gemm", value, weight, *bias, transB=int(turned), **scales), (width,)


@move()
def matmul(own: Random, value: str, shape: Shape):
    if own.chance(0.25) and len(shape) >= 2:
        height = own.whole(1, 5)
        return own.graph("MatMul", own.weight(height, shape[-2]), value), (*shape[:-2], height, shape[-1])
    width = own.whole(1, 6)
    return own.graph("MatMul", value, own.weight(shape[-1], width)), (*shape[:-1], width)


@move()
def einsum(own: Random, value: str, shape: Shape):
    letters = "abcd"[: len(shape)]
    at, width = own.whole(0, len(shape)), own.whole(1, 5)
    out = letters.replace(letters[at], "z")
    equation = f"n{letters},{letters[at]}z->n{out}"
    return own.graph("Einsum", value, own.weight(shape[at], width), equation=equation), put(shape, at, width)


def windows(own: Random, axes: int, kernel: list[int]) -> dict[str, list[int]]:
    return {
        "pads": [own.whole(0, min(3, kernel[i % axes])) if own.chance(0.6) else 0 for i in range(2 * axes)],
        "strides": [own.whole(1, 3) for _ in range(axes)],
    }


@move(3)
def conv(own: Random, value: str, shape: Shape):
    if len(shape) < 2:
        return None
    axes = len(shape) - 1
    kernel = [own.whole(1, 4) for _ in range(axes)]
    attributes = {**windows(own, axes, [4] * axes), "dilations": [own.whole(1, 3) for _ in range(axes)]}
    pads, strides, dilations = attributes["pads"], attributes["strides"], attributes["dilations"]
    group = own.pick([1, 1, shape[0]])
    filters = group * own.whole(1, 4)
    auto = own.pick(["SAME_UPPER", "SAME_LOWER", "VALID"]) if own.chance(0.15) else ""
    if auto:
        del attributes["pads"], attributes["dilations"]
        attributes, dilations = {**attributes, "auto_pad": auto}, [1] * axes
        pads = [0] * (2 * axes)
    sizes = [
        -(-size // strides[i])
        if auto.startswith("SAME")
        else (size + pads[i] + pads[i + axes] - dilations[i] * (kernel[i] - 1) - 1) // strides[i] + 1
        for i, size in enumerate(shape[1:])
    ]
    if min(sizes) < 1:
        return None
    bias = [own.a(filters)] if own.chance(0.6) else []
    weight = own.weight(filters, shape[0] // group, *kernel)
    return own.graph("Conv", value, weight, *bias, group=group, **attributes), (filters, *sizes)


@move()
def conv_transpose(own: Random, value: str, shape: Shape):
    if len(shape) < 2:
        return None
    axes = len(shape) - 1
    kernel, group = [own.whole(1, 4) for _ in range(axes)], own.pick([1, 1, shape[0]])
    strides = [own.whole(1, 3) for _ in range(axes)]
    pads = [own.whole(0, 2) for _ in range(2 * axes)]
    extra = [own.whole(0, stride) for stride in strides]
    sizes = [
        strides[i] * (size - 1) + extra[i] + kernel[i] - pads[i] - pads[i + axes] for i, size in enumerate(shape[1:])
    ]
    if min(sizes) < 1:
        return None
    filters = own.whole(1, 4)
    bias = [own.a(filters * group)] if own.chance(0.5) else []
    attributes = {"pads": pads, "strides": strides, "output_padding": extra, "group": group}
    weight = own.weight(shape[0], filters, *kernel)
    return own.graph("ConvTranspose", value, weight, *bias, **attributes), (filters * group, *sizes)


@move()
def pool(own: Random, value: str, shape: Shape):
    if len(shape) < 2:
        return None
    if own.chance(0.3):
        return own.graph("GlobalAveragePool", value), (shape[0], *(1,) * (len(shape) - 1))
    axes, kernel = len(shape) - 1, [own.whole(1, 4) for _ in shape[1:]]
    op = own.pick(["AveragePool", "AveragePool", "MaxPool"])
    attributes = windows(own, axes, kernel)
    counts = {"count_include_pad": int(own.chance(0.5))} if op == "AveragePool" else {}
    pads, strides = attributes["pads"], attributes["strides"]
    rooms = [size + pads[i] + pads[i + axes] - kernel[i] for i, size in enumerate(shape[1:])]
    if min(rooms) < 0:
        return None
    sizes = [room // stride + 1 for room, stride in zip(rooms, strides, strict=True)]
    if own.chance(0.2) and all(room % stride == 0 for room, stride in zip(rooms, strides, strict=True)):
        counts["ceil_mode"] = 1
    return own.graph(op, value, kernel_shape=kernel, **attributes, **counts), (shape[0], *sizes)


@move()
def normalise(own: Random, value: str, shape: Shape):
    channels = shape[0]
    statistics = (own.a(channels), own.a(channels), own.a(channels), np.exp(own.a(channels)))
    return own.graph("BatchNormalization", value, *statistics), shape


@move()
def pad(own: Random, value: str, shape: Shape):
    mode = own.pick(["constant", "constant", "reflect", "edge"])
    lowest = -1 if mode == "constant" and min(shape) > 2 else 0
    highest = 2 if mode == "constant" or min(shape) > 1 else 1
    before, after = ([own.whole(lowest, highest) for _ in shape] for _ in "ba")
    target = tuple(size + b + e for size, b, e in zip(shape, before, after, strict=True))
    fill = [np.array(0.5)] if mode == "constant" and own.chance(0.3) else []
    return own.graph("Pad", value, np.array([0, *before, 0, *after]), *fill, mode=mode), target


@move()
def reduce(own: Random, value: str, shape: Shape):
    axis, keep = own.whole(0, len(shape)), own.chance(0.7) or len(shape) == 1
    kept = put(shape, axis, *([1] if keep else []))
    return own.graph(own.pick(["ReduceSum", "ReduceMean"]), value, np.array([axis + 1]), keepdims=int(keep)), kept


@move()
def part(own: Random, value: str, shape: Shape):
    axis = own.whole(0, len(shape))
    size = shape[axis]
    if own.chance(0.4) and size >= 2:
        first = size // 2
        halves = own.graph("Split", value, np.array([first, size - first]), outputs=2, axis=axis + 1)
        own.values.append((halves[0], put(shape, axis, first)))
        return halves[1], put(shape, axis, size - first)
    if own.chance(0.5):
        index = own.rng.integers(-size, size, own.whole(1, size + 1))
        return own.graph("Gather", value, index, axis=axis + 1), put(shape, axis, len(index))
    if own.chance(0.3):
        back = (np.array([-1]), np.array([-100]), np.array([axis + 1]), np.array([-own.whole(1, 3)]))
        return own.graph("Slice", value, *back), put(shape, axis, -(-size // -int(back[3][0])))
    stop = own.whole(1, size + 1)
    return own.graph("Slice", value, np.array([0]), np.array([stop]), np.array([axis + 1])), put(shape, axis, stop)


@move()
def spread(own: Random, value: str, shape: Shape):
    axis = own.whole(0, len(shape))
    if shape[axis] == 1:
        target = put(shape, axis, own.whole(1, 4))
        return own.graph("Expand", value, np.array([1, *target])), target
    if own.chance(0.3) and np.prod(shape) < 100:
        counts = put((1,) * len(shape), axis, 2)
        return own.graph("Tile", value, np.array([1, *counts])), put(shape, axis, 2 * shape[axis])
    if own.chance(0.5):
        return own.graph("CumSum", value, np.array(axis + 1), reverse=int(own.chance(0.5))), shape
    mask = own.rng.random(shape) < 0.6
    return own.graph("Where", mask, value, own.pick([np.array(0.25), own.constant_for(shape)])), shape


@move()
def resize(own: Random, value: str, shape: Shape):
    if len(shape) != 3:
        return None
    if own.chance(0.4) and shape[0] % 4 == 0:
        depth = own.graph("DepthToSpace", value, blocksize=2, mode=own.pick(["DCR", "CRD"]))
        return depth, (shape[0] // 4, 2 * shape[1], 2 * shape[2])
    scales = np.array([1, 1, 2, 2], dtype=np.float32)
    made = own.graph("Resize", value, "", scales, mode=own.pick(["nearest", "linear"]))
    return made, (shape[0], 2 * shape[1], 2 * shape[2])


@move()
def concat(own: Random, value: str, shape: Shape):
    others = [(name, other) for name, other in own.values if other[1:] == shape[1:] and len(other) == len(shape)]
    if own.chance(0.3):
        axis = own.whole(0, len(shape))
        return own.graph("Concat", value, value, axis=axis + 1), put(shape, axis, 2 * shape[axis])
    name, other = own.pick(others)
    return own.graph("Concat", value, name, axis=1), (shape[0] + other[0], *shape[1:])


@move(3)
def branch_sum(own: Random, value: str, shape: Shape):
    same = [name for name, other in own.values if other == shape]
    names = [own.pick(same) for _ in range(own.pick([1, 1, 2]))]
    op = own.pick(["Add", "Sub", "Sum", "Mean"]) if len(names) == 1 else own.pick(["Sum", "Mean"])
    return own.graph(op, value, *names), shape


@move()
def residual(own: Random, value: str, shape: Shape):
    """x + W_2 W_1 x along the last axis, or a convolution that keeps the size."""
    if len(shape) == 3 and own.chance(0.7):
        inner = own.graph("Conv", value, own.weight(shape[0], shape[0], 3, 3), own.a(shape[0]), pads=[1, 1, 1, 1])
    else:
        inner = own.graph("MatMul", value, own.weight(shape[-1], 3))
        inner = own.graph("MatMul", inner, own.weight(3, shape[-1]))
    return own.graph("Add", value, inner), shape


@move()
def bend(own: Random, value: str, shape: Shape):
    op = own.pick(["Relu", "Tanh", "Sigmoid", "LeakyRelu", "Softmax", "LayerNormalization", "Mul"])
    if op == "Mul":
        return own.graph(op, value, own.pick([name for name, other in own.values if other == shape])), shape
    if op == "LayerNormalization":
        return own.graph(op, value, own.a(shape[-1]), own.a(shape[-1])), shape
    return own.graph(op, value), shape


def random_model(seed: int, steps: int = 9) -> onnx.ModelProto:
    """A random network; the same for the same seed."""
    random = Random(seed)
    model = random.grow(random.whole(2, steps + 1))
    return model if model.graph.output[0].name != "x" else random_model(seed + 1_000_003, steps)


ANYWHERE = [scale, shift, negate, conv, conv, conv_transpose, pool, normalise, branch_sum, branch_sum, resize, bend]
"""Moves that an image of any height and width can make."""

SIZED = {"LayerNormalization", "Softmax"}
"""Ops among them that know the width, or mean another thing at another."""


def random_kind(seed: int) -> tuple[str, onnx.ModelProto]:
    """A random network in a random kind: most in float32, others in half precision or with a free height and width."""
    kind = str(np.random.default_rng(seed).choice(["float32"] * 5 + ["float16", "bfloat16", "dynamic"]))
    if kind == "dynamic":
        random = Random(seed, (3, 8, 8), free=True)
        model = random.grow(random.whole(2, 7), ANYWHERE)
        names = {node.op_type for node in model.graph.node}
        if names.isdisjoint(SIZED) and model.graph.output[0].name != "x":
            return kind, freed(model, (2, 3))
    model = random_model(seed)
    if kind in ("float32", "dynamic") or (kind == "bfloat16" and any(n.op_type == "Einsum" for n in model.graph.node)):
        return "float32", model
    return kind, in_type(model, kind)
