"""Inputs that try a network or a stretch: random ones at three scales, zeros, and single large entries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import onnx_ir as ir

from unbend.affine import Shape
from unbend.network import Network, network_of
from unbend.network.graph import is_float

SCALES = (1.0, 0.1, 10.0)
ROWS = 8
"""Random inputs at each scale; enough that no output is near zero on all of them, few enough for a large network."""

SPIKE = 100.0
SPIKES = 3

MAX_NUMBERS = 1 << 23
"""Fewer inputs are used where a group of them would have more numbers than this."""

MAX_WORK = 1 << 31
"""… or where running a group of them would take more multiplications than this (a second in float64)."""

SIZES = (32, 33, 16, 8, 224)
"""Lengths that are tried for free axes besides the batch; two that the network can run with are used."""

Group = dict[str, np.ndarray]


def probes(
    shapes: Mapping[str, Shape], types: Mapping[str, np.dtype], multiplications: int = 0, seed: int = 0
) -> list[Group]:
    """Groups of inputs of about the same size: for each name (rows, *shape), in the type of the tensor.

    `multiplications` is what one row costs: there are fewer of them for a large network.
    """
    rng = np.random.default_rng(seed)
    largest = max((int(np.prod(shape)) for shape in shapes.values()), default=1)
    affordable = min(MAX_NUMBERS // max(largest, 1), MAX_WORK // max(multiplications, 1))
    rows = int(np.clip(affordable, 2, ROWS))
    groups = [{name: scale * rng.standard_normal((rows, *shape)) for name, shape in shapes.items()} for scale in SCALES]
    for array in groups[0].values():
        array[0] = 0.0
    groups.append({name: _spikes(shape, min(rows, SPIKES), rng) for name, shape in shapes.items()})
    return [{name: _typed(array, types.get(name)) for name, array in group.items()} for group in groups]


def _spikes(shape: Shape, rows: int, rng: np.random.Generator) -> np.ndarray:
    """Zeros with one large entry a row."""
    array = np.zeros((rows, *shape))
    flat = array.reshape(rows, -1)
    if flat.size:
        flat[np.arange(rows), rng.integers(flat.shape[1], size=rows)] = SPIKE
    return array


def _typed(array: np.ndarray, dtype: np.dtype | None) -> np.ndarray:
    """The numbers as the tensor holds them; zeros and ones for integers, which are often indices."""
    if dtype is None or is_float(dtype):
        return array.astype(dtype or np.float32)
    return (array > 0).astype(dtype)


def sized(network: Network) -> Iterator[Network]:
    """The network itself, or, if it has free axes besides the batch, the network with lengths put in for them."""
    if not network.free_axes:
        yield network
        return
    for size in SIZES:
        model = network.model.clone()
        port = next(value for value in model.graph.inputs if value.name == network.input.name)
        assert port.shape is not None
        port.shape = ir.Shape([axis if i == 0 or isinstance(axis, int) else size for i, axis in enumerate(port.shape)])
        yield network_of(model, network.name)
