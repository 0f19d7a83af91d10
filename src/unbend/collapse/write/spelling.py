"""Edges as they are written, where the algebra leaves several ways: borders, and means.

An offset that a border makes is a channel of ones, or a convolution of ones beside the other one. Where the size of the
image is fixed it may be a table that `write` looks up: it stays an offset here. A mean that keeps axes of length 1,
which a reshape then drops, drops them itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from unbend.affine import Affine, Convolution, OnOnes, is_means
from unbend.affine.border import only_ones, with_ones
from unbend.collapse.reduce.reduce import Edge
from unbend.collapse.reduce.steps import Step, channel_of_ones, for_channels, pieces
from unbend.collapse.reduce.target import Target

CHANNEL = "a bias before zero padding is one more channel, of ones"
MEANS = "a mean drops its axes itself"
BESIDE = "a bias before zero padding is a convolution of ones"


def spelled(edges: Sequence[Edge], target: Target) -> list[Edge]:
    """The edges, each offset of a border in the form that is written."""
    return [one for edge in edges for one in _spelled(edge, target)]


def shortened(edges: Sequence[Edge]) -> list[Edge]:
    """The edges, a ReduceMean and the reshape behind it as one: no reason to write a stretch anew, but good to have."""
    return [replace(edge, steps=tuple(_means_in_one(edge.steps))) for edge in edges]


def _means_in_one(steps: Sequence[Step]) -> Iterator[Step]:
    left = list(steps)
    while left:
        one = left.pop(0)
        mean = one.node is not None and one.node.op_type == "ReduceMean"
        if mean and left and (behind := pieces(left[0])):
            reshape, *others = behind
            both = one.affine.then(reshape.affine)
            if is_means(both.linear) and not both.offset.any():
                one, left = Step(both, None, (*reshape.rules, MEANS)), [*others, *left[1:]]
        yield one


def _spelled(edge: Edge, target: Target) -> Iterator[Edge]:
    single = edge.steps[0] if len(edge.steps) == 1 else None
    if single is not None and (found := _bordered(single, target)) is not None and not channel_of_ones(single.affine):
        yield replace(edge, steps=(_like(single, Affine(found.convolution, found.bias)),))
        yield replace(
            edge,
            steps=(
                _new(only_ones(single.in_shape), BESIDE),
                _new(Affine(found.on_ones, np.zeros((1,) * len(single.in_shape)))),
            ),
        )
    else:
        yield replace(edge, steps=tuple(part for step in edge.steps for part in _with_channel(step, target)))


def _bordered(step: Step, target: Target) -> OnOnes | None:
    """The step as two convolutions, if it is one with a border and height and width are free."""
    linear, offset = step.affine.linear, step.affine.offset
    if not target.free or step.node is not None or not isinstance(linear, Convolution) or for_channels(offset):
        return None
    return OnOnes.of(linear, offset)


def _with_channel(step: Step, target: Target) -> tuple[Step, ...]:
    """The step; with one more channel before it where it has a border that is written so."""
    if step.node is None and (ones := channel_of_ones(step.affine)):
        return _new(ones[0], CHANNEL), _like(step, ones[1])
    if (found := _bordered(step, target)) is not None and found.convolution.groups == 1:
        return _new(with_ones(step.in_shape), CHANNEL), _like(step, Affine(found.widened, found.bias))
    return (step,)


def _like(step: Step, affine: Affine) -> Step:
    return Step(affine, None, step.rules, part_of=step.part_of)


def _new(affine: Affine, *rules: str) -> Step:
    return Step(affine, None, rules)
