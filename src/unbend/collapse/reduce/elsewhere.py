"""A reduced form that was found at some lengths of the free axes, tried at others.

A form is written for every length only if nothing in it depends on one: convolutions with the same kernel, strides and
padding, products along the last axis, and scales and shifts that do not change along a free axis. The rules that make
such forms do not ask for lengths, but for two things, and both are covered here. The padding at the end of a strided
convolution depends on the length modulo the stride: lengths of every residue are tried. A shift that a border makes
depends on the place only where the image is wide enough to have places: images are tried that hold the whole window of
each new convolution. At each of the lengths both forms are run in float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from unbend.affine import (
    Affine,
    Convolution,
    Dense,
    Diagonal,
    Identity,
    LinearMap,
    Mixing,
    Shape,
    Transposed,
    is_means,
    means,
)
from unbend.affine.border import adds_ones, is_only_ones, only_ones, with_ones
from unbend.collapse.find.alike import map_at
from unbend.collapse.find.mixings import local_in
from unbend.collapse.find.stretches import Stretch
from unbend.collapse.reduce.reduce import Edge, Reduction
from unbend.collapse.reduce.steps import Step
from unbend.network import Network, Node
from unbend.network.local import Local, Unsupported

FEWEST = 3
"""At so many other lengths a form is tried at least."""


class Fixed(Exception):
    """The form depends on the lengths of free axes; the text says what does."""


@dataclass(frozen=True, eq=False)
class Elsewhere:
    """A stretch and its reduced form at other lengths."""

    network: Network
    stretch: Stretch
    graph: Reduction
    edges: list[Edge]

    @property
    def new(self) -> list[Convolution]:
        """The convolutions that are new."""
        steps = [step for edge in self.edges for step in edge.steps if step.node is None]
        return [step.affine.linear for step in steps if isinstance(step.affine.linear, Convolution)]


def moved(other: Network, stretch: Stretch, graph: Reduction, edges: Sequence[Edge]) -> Elsewhere | None:
    """The same at the lengths of `other`; None if the stretch cannot have them.

    Raises
    ------
    Fixed
        The stretch can, and its reduced form cannot.
    """
    producers = other.producers
    try:
        nodes = tuple(producers[node.outputs[0]] for node in stretch.nodes)
        own = tuple(local_in(other, node, one) for node, one in zip(nodes, stretch.locals, strict=True))
        maps = {node: one for node, one in zip(nodes, own, strict=True) if all(each.maps for each in one)}
    except (KeyError, Unsupported, ValueError, IndexError):
        return None
    there = dict(zip(stretch.nodes, nodes, strict=True))
    closed = replace(graph, closed={there[node] for node in graph.closed if node in there})
    new = [replace(edge, steps=tuple(_moved_steps(other, edge, there, maps))) for edge in edges]
    return Elsewhere(other, replace(stretch, nodes=nodes, locals=own), closed, new)


def _moved_steps(
    other: Network, edge: Edge, there: dict[Node, Node], maps: dict[Node, tuple[Local, ...]]
) -> list[Step]:
    shape, steps = other.shapes[edge.source], []
    for step in edge.steps:
        if step.node is not None and step.node in there:
            affine = _own(other, there[step.node], maps[there[step.node]], step.position, shape)
        else:
            affine = _moved_affine(step.affine, shape)
        steps.append(replace(step, affine=affine))
        shape = affine.linear.out_shape
    return steps


def _own(other: Network, node: Node, outputs: tuple[Local, ...], position: int, shape: Shape) -> Affine:
    linear, offset = outputs[0].maps[position], outputs[0].offset
    if linear.in_shape != shape:
        linear = linear.of(shape) if isinstance(linear, Mixing) else map_at(other, node, position, shape)
    return Affine(linear, np.zeros((1,) * len(linear.out_shape)) if offset is None else offset)


def _moved_affine(affine: Affine, shape: Shape) -> Affine:
    """The same map and offset for tensors of another shape."""
    for form, is_one in ((with_ones, adds_ones), (only_ones, is_only_ones)):
        if is_one(affine):
            return form(shape)
    return Affine(_moved(affine.linear, shape), _fitting(affine.offset, affine.linear, shape))


def _moved(linear: LinearMap, shape: Shape) -> LinearMap:
    """The same map of tensors of another shape."""
    if is_means(linear) and linear.in_shape[:2] == shape[:2]:
        return means(shape)
    if isinstance(linear, Identity):
        return Identity(shape)
    if isinstance(linear, Diagonal) and _fits(linear.scale[0], shape):
        return Diagonal(linear.scale, shape)
    if isinstance(linear, Dense) and linear.in_shape[-1:] == shape[-1:] and len(linear.in_shape) == len(shape):
        return Dense(linear.stored, shape[:-1])
    if isinstance(linear, Convolution) and linear.source[:2] == shape[:2] and len(linear.source) == len(shape):
        return replace(linear, source=shape)
    if isinstance(linear, Transposed) and isinstance(linear.of, Convolution) and linear.in_shape[:2] == shape[:2]:
        return Transposed(_made_to(linear.of, shape))
    raise Fixed("its collapsed form depends on the lengths of free axes")


def _made_to(of: Convolution, shape: Shape) -> Convolution:
    """The convolution that gives a tensor of `shape`, of an image that is larger or smaller by whole strides."""
    steps = zip(of.source[2:], shape[2:], of.out_shape[2:], of.strides, strict=True)
    return replace(of, source=(*of.source[:2], *(size + (new - old) * stride for size, new, old, stride in steps)))


def _fitting(offset: np.ndarray, linear: LinearMap, shape: Shape) -> np.ndarray:
    if _fits(offset, _moved(linear, shape).out_shape):
        return offset
    raise Fixed("a shift in its collapsed form depends on the place along a free axis")


def _fits(array: np.ndarray, shape: Shape) -> bool:
    return array.ndim == len(shape) and all(a in (1, b) for a, b in zip(array.shape, shape, strict=True))


def covered(tried: Sequence[Elsewhere]) -> str:
    """What the lengths that were tried leave open; empty if nothing."""
    if len(tried) < FEWEST:
        return "it runs at too few lengths of its free axes to be tried"
    for same in zip(*(one.new for one in tried), strict=True):
        for axis, stride in enumerate(same[0].strides):
            lengths = [one.source[2 + axis] for one in same]
            if stride > 1 and len({length % stride for length in lengths}) < stride:
                return f"lengths of every residue modulo a stride of {stride} were not at hand"
            if max(lengths) < same[0].dilations[axis] * (same[0].stored.shape[2 + axis] - 1) + 1:
                return "images as wide as its window were not at hand"
    return ""
