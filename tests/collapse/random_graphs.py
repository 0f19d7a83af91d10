"""Random small networks that are affine but for some bends: chains, branches, sums, several readers, moves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx_graphs import Graph

Shape = tuple[int, ...]


class Random:
    """Grows a random graph: values with known shapes (without the batch axis), and moves that make a new one."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        shape = self.pick([(3,), (5,), (2, 4), (2, 5, 4), (3, 4, 4), (4, 4, 4)])
        self.graph = Graph(self.pick(["N", "N", "N", 1]), *shape)
        self.values: list[tuple[str, Shape]] = [("x", shape)]

    def pick(self, options: list):
        return options[self.rng.integers(len(options))]

    def a(self, *shape: int) -> np.ndarray:
        return self.rng.normal(size=shape) / max(1.0, float(np.sqrt(np.prod(shape[-2:] or (1,)) ** 0.5)))

    def grow(self, steps: int) -> onnx.ModelProto:
        for _ in range(steps):
            moves: list[Callable[..., tuple[str, Shape] | None]] = [
                self.scale, self.shift, self.reshape, self.transpose, self.gemm, self.gemm, self.matmul, self.conv,
                self.conv, self.branch_sum, self.branch_sum, self.bend, self.concat, self.part, self.normalise,
                self.pool, self.negate, self.pad, self.reduce, self.squeeze, self.residual,
            ]  # fmt: skip
            value, shape = self.pick(self.values[-3:])
            made = self.pick(moves)(value, shape)
            if made is not None and all(size > 0 for size in made[1]):
                self.values.append(made)
        outputs = [self.values[-1][0]]
        if self.rng.random() < 0.3 and len(self.values) > 3:
            outputs.append(self.pick(self.values[1:-1])[0])
        return self.graph.model(*dict.fromkeys(outputs), check=False)

    def constant_for(self, shape: Shape) -> np.ndarray:
        """A constant that broadcasts to the value, with or without its batch axis."""
        axes = [size if self.rng.random() < 0.6 else 1 for size in shape]
        if self.rng.random() < 0.3:
            return self.a(*([1, *axes]))
        return self.a(*axes[self.rng.integers(len(axes) + 1) :])

    def scale(self, value: str, shape: Shape):
        if self.rng.random() < 0.3:
            return self.graph("Div", value, np.exp(self.constant_for(shape))), shape
        pair = [value, self.constant_for(shape)]
        return self.graph("Mul", *(pair if self.rng.random() < 0.5 else pair[::-1])), shape

    def shift(self, value: str, shape: Shape):
        pair = [value, self.constant_for(shape)]
        return self.graph(self.pick(["Add", "Sub"]), *(pair if self.rng.random() < 0.5 else pair[::-1])), shape

    def negate(self, value: str, shape: Shape):
        return self.graph(self.pick(["Neg", "Identity", "Dropout"]), value), shape

    def reshape(self, value: str, shape: Shape):
        size = int(np.prod(shape))
        options = [(size,), (1, size), *((k, size // k) for k in range(2, size) if size % k == 0)]
        if size % 4 == 0:
            options.append((size // 4, 2, 2))
        target = self.pick(options)
        if self.rng.random() < 0.3:
            return self.graph("Flatten", value), (size,)
        return self.graph("Reshape", value, np.array([-1 if self.rng.random() < 0.5 else 0, *target])), target

    def transpose(self, value: str, shape: Shape):
        order = self.rng.permutation(len(shape))
        return self.graph("Transpose", value, perm=[0, *(int(i) + 1 for i in order)]), tuple(shape[i] for i in order)

    def squeeze(self, value: str, shape: Shape):
        if len(shape) > 1 and 1 in shape:
            axis = shape.index(1)
            return self.graph("Squeeze", value, np.array([axis + 1])), (*shape[:axis], *shape[axis + 1 :])
        axis = int(self.rng.integers(len(shape) + 1))
        return self.graph("Unsqueeze", value, np.array([axis + 1])), (*shape[:axis], 1, *shape[axis:])

    def gemm(self, value: str, shape: Shape):
        if len(shape) != 1:
            return None
        width = int(self.rng.integers(1, 6))
        turned = bool(self.rng.random() < 0.5)
        weight = self.a(*((width, shape[0]) if turned else (shape[0], width)))
        bias = [self.pick([self.a(width), self.a(1, width), self.a(1)])] if self.rng.random() < 0.7 else []
        scales = {"alpha": 0.5, "beta": 2.0} if self.rng.random() < 0.3 else {}
        return self.graph("Gemm", value, weight, *bias, transB=int(turned), **scales), (width,)

    def matmul(self, value: str, shape: Shape):
        if self.rng.random() < 0.25 and len(shape) >= 2:
            height = int(self.rng.integers(1, 5))
            return self.graph("MatMul", self.a(height, shape[-2]), value), (*shape[:-2], height, shape[-1])
        width = int(self.rng.integers(1, 6))
        return self.graph("MatMul", value, self.a(shape[-1], width)), (*shape[:-1], width)

    def conv(self, value: str, shape: Shape):
        if len(shape) < 2:
            return None
        axes = len(shape) - 1
        kernel = [int(self.rng.integers(1, 4)) for _ in range(axes)]
        pads = [int(self.rng.integers(0, 3)) for _ in range(2 * axes)]
        strides = [int(self.rng.integers(1, 3)) for _ in range(axes)]
        dilations = [int(self.rng.integers(1, 3)) for _ in range(axes)]
        group = self.pick([1, 1, shape[0]])
        filters = group * int(self.rng.integers(1, 4))
        weight = self.a(filters, shape[0] // group, *kernel)
        sizes = [
            (size + pads[i] + pads[i + axes] - dilations[i] * (kernel[i] - 1) - 1) // strides[i] + 1
            for i, size in enumerate(shape[1:])
        ]
        if min(sizes) < 1:
            return None
        bias = [self.a(filters)] if self.rng.random() < 0.6 else []
        attributes = {"pads": pads, "strides": strides, "dilations": dilations, "group": group}
        return self.graph("Conv", value, weight, *bias, **attributes), (filters, *sizes)

    def pool(self, value: str, shape: Shape):
        if len(shape) < 2:
            return None
        if self.rng.random() < 0.3:
            return self.graph("GlobalAveragePool", value), (shape[0], *(1,) * (len(shape) - 1))
        if min(shape[1:]) < 2:
            return None
        attributes = {"kernel_shape": [2] * (len(shape) - 1), "count_include_pad": int(self.rng.random() < 0.5)}
        return self.graph("AveragePool", value, **attributes), (shape[0], *(size - 1 for size in shape[1:]))

    def normalise(self, value: str, shape: Shape):
        channels = shape[0]
        statistics = (self.a(channels), self.a(channels), self.a(channels), np.exp(self.a(channels)))
        return self.graph("BatchNormalization", value, *statistics), shape

    def pad(self, value: str, shape: Shape):
        widths = [0, *(int(self.rng.integers(0, 2)) for _ in shape)]
        target = tuple(size + 2 * width for size, width in zip(shape, widths[1:], strict=True))
        fill = [np.array(0.5)] if self.rng.random() < 0.3 else []
        return self.graph("Pad", value, np.array([*widths, *widths]), *fill), target

    def reduce(self, value: str, shape: Shape):
        axis = int(self.rng.integers(len(shape)))
        kept = (*shape[:axis], 1, *shape[axis + 1 :])
        return self.graph(self.pick(["ReduceSum", "ReduceMean"]), value, np.array([axis + 1]), keepdims=1), kept

    def part(self, value: str, shape: Shape):
        axis = int(self.rng.integers(len(shape)))
        size = shape[axis]
        if self.rng.random() < 0.4 and size >= 2:
            first = size // 2
            halves = self.graph("Split", value, np.array([first, size - first]), outputs=2, axis=axis + 1)
            self.values.append((halves[0], (*shape[:axis], first, *shape[axis + 1 :])))
            return halves[1], (*shape[:axis], size - first, *shape[axis + 1 :])
        if self.rng.random() < 0.5:
            index = self.rng.integers(0, size, int(self.rng.integers(1, size + 1)))
            return self.graph("Gather", value, index, axis=axis + 1), (*shape[:axis], len(index), *shape[axis + 1 :])
        stop = int(self.rng.integers(1, size + 1))
        sliced = self.graph("Slice", value, np.array([0]), np.array([stop]), np.array([axis + 1]))
        return sliced, (*shape[:axis], stop, *shape[axis + 1 :])

    def concat(self, value: str, shape: Shape):
        others = [(name, other) for name, other in self.values if other[1:] == shape[1:] and len(other) == len(shape)]
        name, other = self.pick(others)
        return self.graph("Concat", value, name, axis=1), (shape[0] + other[0], *shape[1:])

    def branch_sum(self, value: str, shape: Shape):
        name, _ = self.pick([one for one in self.values if one[1] == shape])
        return self.graph(self.pick(["Add", "Sub", "Sum", "Mean"]), value, name), shape

    def residual(self, value: str, shape: Shape):
        """x + W_2 W_1 x along the last axis, or a convolution that keeps the size."""
        if len(shape) == 3 and self.rng.random() < 0.7:
            inner = self.graph("Conv", value, self.a(shape[0], shape[0], 3, 3), self.a(shape[0]), pads=[1, 1, 1, 1])
        else:
            inner = self.graph("MatMul", value, self.a(shape[-1], 3))
            inner = self.graph("MatMul", inner, self.a(3, shape[-1]))
        return self.graph("Add", value, inner), shape

    def bend(self, value: str, shape: Shape):
        return self.graph(self.pick(["Relu", "Tanh", "Sigmoid", "LeakyRelu"]), value), shape


def random_model(seed: int, steps: int = 9) -> onnx.ModelProto:
    """A random network; the same for the same seed."""
    random = Random(seed)
    model = random.grow(int(random.rng.integers(2, steps + 1)))
    return model if model.graph.output[0].name != "x" else random_model(seed + 1_000_003, steps)
