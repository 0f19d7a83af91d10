"""Inputs that try a network or a stretch: random ones at three scales, zeros, and single large entries."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from unbend.affine import Affine, Diagonal, Identity, Shape
from unbend.collapse.find.stretches import Stretch
from unbend.network import Network, Node, input_shapes, with_lengths
from unbend.network.examples import Whole, drawn, whole_numbers
from unbend.network.graph import is_float
from unbend.network.lengths import example_lengths

SCALES = (1.0, 0.1, 10.0)
ROWS = 8
"""Random inputs at each scale; enough that no output is near zero on all of them, few enough for a large network."""

SPIKE = 100.0
SPIKES = 3

TOGETHER = 3
"""So many rows are run at once."""

MAX_NUMBERS = 1 << 21
"""Fewer inputs are used where a group of them would have more numbers than this."""

MAX_WORK = 1 << 29
"""… or where running a group of them would take more multiplications than this (a tenth of a second in float64); where
one alone takes more, there is one at each scale but the first."""

SIZES = (32, 33, 16, 8, 224, 576)
"""Lengths that are tried for free axes besides the batch, after those of the user's examples; two that the network can
run with are used."""

Group = dict[str, np.ndarray]


def probes(
    shapes: Mapping[str, Shape],
    types: Mapping[str, np.dtype],
    multiplications: int = 0,
    scalers: Mapping[str, Affine] | None = None,
    whole: Mapping[str, Whole] | None = None,
    seed: int = 0,
) -> list[Group]:
    """Groups of inputs of about the same size: for each name (rows, *shape), in the type of the tensor.

    `multiplications` is what one row costs: there are fewer of them for a large network. `scalers` are the shifts and
    scales that inputs meet first: one group is such that what comes out of them has mean 0 and spread 1, as the rows
    that the network was trained on. There a shift that is folded into a product shows what it costs in digits. `whole`
    says what values of whole numbers may be.
    """
    rng = np.random.default_rng(seed)
    largest = max((int(np.prod(shape)) for shape in shapes.values()), default=1)
    affordable = min(MAX_NUMBERS // max(largest, 1), MAX_WORK // max(multiplications, 1))
    rows = int(np.clip(affordable, 2, ROWS))
    counts = (rows, *(rows if affordable else 1 for _ in SCALES[1:]))
    groups = [
        {name: scale * rng.standard_normal((count, *shape)) for name, shape in shapes.items()}
        for scale, count in zip(SCALES, counts, strict=True)
    ]
    for array in groups[0].values():
        array[0] = 0.0
    groups.append({name: _spikes(shape, min(counts[-1], SPIKES), rng) for name, shape in shapes.items()})
    if scalers:
        groups.append({name: _before(scalers.get(name), rng.standard_normal((rows, *s))) for name, s in shapes.items()})
    known = whole or {}
    return [{name: _typed(array, types.get(name), known.get(name)) for name, array in each.items()} for each in groups]


def input_probes(network: Network, multiplications: int, scalers: Mapping[str, Affine]) -> list[Group]:
    """Groups of values for all inputs of the network; the user's examples are one of them.

    Where a user gave whole numbers, they are the same in every group.
    """
    groups = probes(input_shapes(network), network.types, multiplications, scalers, whole_numbers(network))
    fitting = {name: rows for name, rows in network.examples.items() if rows.shape[1:] == network.shapes[name]}
    fixed = {name: rows for name, rows in fitting.items() if not is_float(rows.dtype)}
    groups = [group | _cycled(fixed, _count(group)) for group in groups]
    if not fitting:
        return groups
    count = min(max(map(len, fitting.values())), ROWS)
    return [*groups, _cycled(groups[0] | fitting, count)]


def _count(group: Group) -> int:
    return len(next(iter(group.values())))


def _cycled(rows: Mapping[str, np.ndarray], count: int) -> Group:
    """So many rows of each, from the beginning again where there are fewer."""
    return {name: array[np.arange(count) % len(array)] for name, array in rows.items()}


def together(group: Group, axes: Mapping[str, int]) -> Group:
    """The last few rows of a group as one run; `axes` are those that count rows. Others are those of the last row."""
    return {
        name: np.concatenate(list(array[-TOGETHER:]), axis=axes[name]) if name in axes else array[-1]
        for name, array in group.items()
    }


def scalers_of(stretch: Stretch) -> dict[str, Affine]:
    """For each source that first meets shifts and scales, element by element: all of them as one map."""
    found = {}
    for name in stretch.sources:
        scaler, value = None, name
        while (step := _elementwise(stretch, value)) is not None:
            affine, value = step
            scaler = affine if scaler is None else scaler.then(affine)
        if scaler is not None and isinstance(scaler.linear, (Diagonal, Identity)):
            found[name] = scaler
    return found


def scaler_nodes(stretch: Stretch) -> set[Node]:
    """The nodes that shift and scale the stretch's sources, element by element."""
    nodes: set[Node] = set()
    for value in stretch.sources:
        while (step := _elementwise(stretch, value)) is not None:
            nodes |= {node for node in stretch.nodes if value in node.inputs}
            _, value = step
    return nodes


def _elementwise(stretch: Stretch, value: str) -> tuple[Affine, str] | None:
    """What the only node that reads `value` does, if it shifts or scales each element alone, and the value it makes."""
    readers = [(n, ones) for n, ones in zip(stretch.nodes, stretch.locals, strict=True) if value in n.inputs]
    if len(readers) != 1 or len(readers[0][1]) != 1 or len(readers[0][1][0].maps) != 1:
        return None
    node, (one,) = readers[0]
    (linear,) = one.maps.values()
    if not isinstance(linear, (Diagonal, Identity)) or one.offset is None:
        return None
    return Affine(linear, one.offset), node.outputs[0]


def _before(scaler: Affine | None, after: np.ndarray) -> np.ndarray:
    """The inputs from which the scaler makes `after`; where it multiplies by zero, zeros."""
    if scaler is None:
        return after
    scale = scaler.linear.scale if isinstance(scaler.linear, Diagonal) else np.ones(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num((after - scaler.offset) / scale, posinf=0.0, neginf=0.0)


def _spikes(shape: Shape, rows: int, rng: np.random.Generator) -> np.ndarray:
    """Zeros with one large entry a row."""
    array = np.zeros((rows, *shape))
    flat = array.reshape(rows, -1)
    if flat.size:
        flat[np.arange(rows), rng.integers(flat.shape[1], size=rows)] = SPIKE
    return array


def _typed(array: np.ndarray, dtype: np.dtype | None, whole: Whole | None) -> np.ndarray:
    """The numbers as the tensor holds them; of whole numbers, of which nothing is known, zeros and ones."""
    if dtype is None or is_float(dtype):
        return array.astype(dtype or np.float32)
    return (array > 0).astype(dtype) if whole is None else drawn(whole, dtype, array)


def sized(network: Network) -> Iterator[Network]:
    """The network itself, or, if it has free axes besides the batch, the network with lengths put in for them.

    Lengths at which nothing is left of a value, since windows are longer, say nothing of it, and where a value has no
    shape the network may not run: they come after all others, if there are none.
    """
    if not network.free_axes:
        yield network
        return
    doubtful: list[Network] = []
    any_sure = False
    for found in _at_sizes(network):
        if any(not math.prod(shape) for shape in _shapes(found)):
            doubtful.append(found)
        else:
            any_sure = True
            yield found
    if not any_sure:
        yield from sorted(doubtful, key=lambda one: (0,) in _shapes(one))


def _at_sizes(network: Network) -> Iterator[Network]:
    given = example_lengths(network)
    for size in (*([None] if given else []), *SIZES):
        lengths = dict.fromkeys(network.free_axes, size or SIZES[0]) | (given if size is None else {})
        if (found := with_lengths(network, lengths)) is not None:
            yield found


def _shapes(network: Network) -> list[Shape]:
    """The shapes of all that nodes make; (0,) for one that is not known."""
    return [network.shapes.get(name, (0,)) for node in network.nodes for name in node.outputs if name]
