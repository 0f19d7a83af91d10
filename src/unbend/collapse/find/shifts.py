"""Shifts that a bend does not see, or hands on: biases that attention and instance normalisation make idle.

    softmax(q (k + c 1ᵀ)) = softmax(q k + (q c) 1ᵀ) = softmax(q k)    a constant that is the same for every key
    softmax(…) (v + 1 c) = softmax(…) v + 1 c                         rows of a softmax add up to 1
    InstanceNormalization(x + c) = InstanceNormalization(x)           a constant of each channel

Between the product and the softmax there may be scales and masks that are added, as long as what was the same for every
key stays so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from unbend.affine import LinearMap
from unbend.collapse.find.stretches import Stretch, values_of
from unbend.network import Network, Node
from unbend.network.graph import is_float


@dataclass(frozen=True, eq=False)
class Shift:
    """A number that may be taken off a value, and the value that must get it back (none where nobody sees it)."""

    value: str
    amount: np.ndarray
    back: str | None
    rule: str


def shifts(network: Network, stretch: Stretch, all_stretches: Sequence[Stretch]) -> Iterator[Shift]:
    """The shifts that may be taken off the outputs of a stretch."""
    outputs = [name for name in stretch.outputs if _is_free(network, name)]
    sights = {name: sight for name in outputs if (sight := _sight(network, name, all_stretches)) is not None}
    if not sights:
        return
    with np.errstate(all="ignore"):
        offsets = values_of(stretch, {name: np.zeros((1, *network.shapes[name])) for name in stretch.sources})
    for name, (axes, back, rule) in sights.items():
        offset = np.broadcast_to(offsets[name], (1, *network.shapes[name]))[0]
        amount = offset[tuple(slice(0, 1) if axis in axes else slice(None) for axis in range(offset.ndim))]
        if amount.any() and np.array_equal(np.broadcast_to(amount, offset.shape), offset):
            yield Shift(name, amount, back, rule)


def _is_free(network: Network, name: str) -> bool:
    """Whether the value is read by bends of this network only by one, and is a float."""
    public = {port.name for port in network.outputs} | network.captured
    dtype = network.types.get(name)
    return name not in public and (dtype is None or is_float(dtype))


def _sight(network: Network, name: str, found: Sequence[Stretch]) -> tuple[set[int], str | None, str] | None:
    """Along which axes a constant must not change so that the bend that reads it does not see it, or hands it on."""
    bends = [node for node in network.readers.get(name, ()) if network.reach(node) != "everywhere"]
    if len(bends) != 1 or bends[0].domain not in ("", "ai.onnx") or not network.has_shapes(bends[0]):
        return None
    (node,), rank = bends, len(network.shapes[name])
    if node.op_type == "InstanceNormalization" and node.inputs[0] == name and name not in node.inputs[1:] and rank > 2:
        return {0, *range(2, rank)}, None, "a constant of a channel is nothing to an instance normalisation"
    if node.op_type != "MatMul" or node.inputs[1] != name or node.inputs[0] == name or rank < 2:
        return None
    if not network.variable(node.inputs[0]) or len(network.shapes[node.inputs[0]]) < 2:
        return None
    if _is_softmax_of_rows(network, node.inputs[0]) and _is_free(network, node.outputs[0]):
        return {rank - 2}, node.outputs[0], "the bias of attention's values is added after its product"
    if _ends_in_softmax(network, node.outputs[0], found):
        return {rank - 1}, None, "a key's bias is nothing to the softmax"
    return None


def _is_softmax_of_rows(network: Network, name: str) -> bool:
    """Whether the value is a softmax along its last axis."""
    node = network.producers.get(name)
    return node is not None and _is_softmax(network, node)


def _is_softmax(network: Network, node: Node) -> bool:
    if node.op_type != "Softmax" or node.domain not in ("", "ai.onnx"):
        return False
    rank = len(network.shapes[node.inputs[0]])
    axis = node.attribute("axis", -1 if node.version >= 13 else 1)
    return axis in (-1, rank - 1)


def _ends_in_softmax(network: Network, name: str, found: Sequence[Stretch]) -> bool:
    """Whether only softmaxes along the last axis read the value, maybe behind a stretch that keeps rows apart."""
    if not _is_free(network, name):
        return False
    readers = network.readers.get(name, ())
    stretch = next((one for one in found if name in one.sources), None)
    inside = [node for node in readers if stretch is not None and node in stretch.nodes]
    if not all(node in inside or _is_softmax(network, node) for node in readers):
        return False
    return not inside or (stretch is not None and _keeps_rows_alike(network, stretch, name))


def _keeps_rows_alike(network: Network, stretch: Stretch, source: str) -> bool:
    """Whether a change of `source` that is one number for each row leaves the stretch so, and only to softmaxes."""
    touched = {source}
    for node, outputs in zip(stretch.nodes, stretch.locals, strict=True):
        maps = [(name, one.maps.get(i)) for name, one in zip(node.outputs, outputs, strict=False)
                for i, read in enumerate(node.inputs) if read in touched]  # fmt: skip
        if not all(linear is None or _is_row_by_row(linear) for _, linear in maps):
            return False
        touched |= {name for name, linear in maps if linear is not None}
    left = touched & set(stretch.outputs)
    readers = {node for name in left for node in network.readers.get(name, ()) if node not in stretch.nodes}
    return all(_is_free(network, name) for name in left) and all(_is_softmax(network, node) for node in readers)


def _is_row_by_row(linear: LinearMap) -> bool:
    """Whether what is the same along the last axis stays the same along it.

    Rows are told apart by random numbers; a map that made equal numbers of different rows by chance has measure zero.
    """
    if not linear.in_shape or not linear.out_shape:
        return False
    rng = np.random.default_rng(0)
    rows = np.broadcast_to(rng.standard_normal((2, *linear.in_shape[:-1], 1)), (2, *linear.in_shape))
    out = linear.apply(rows)
    return bool(np.array_equal(np.broadcast_to(out[..., :1], out.shape), out))
