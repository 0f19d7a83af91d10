"""`compose(second, first)`: one map for two, where a structured form for it exists.

A rule takes two maps and gives their product in a form of its own, or None where it has none; without a rule the
product stays a chain. Every rule is exact. Adding one is adding one function in `rules.py`: rules are looked up by the
two forms. Chains are composed step by step, so a rule fires wherever its two forms meet.
"""

from __future__ import annotations

from collections.abc import Callable

from unbend.affine.combined import Chain
from unbend.affine.dense import Dense
from unbend.affine.maps import Diagonal, Identity, LinearMap
from unbend.affine.selection import Selection

Rule = Callable[..., LinearMap | None]
RULES: dict[tuple[type, type], Rule] = {}


def rule(second: type, first: type) -> Callable[[Rule], Rule]:
    """Register how a map of form `second` after one of form `first` is written as one."""

    def register(function: Rule) -> Rule:
        RULES[second, first] = function
        return function

    return register


def compose(second: LinearMap, first: LinearMap) -> LinearMap:
    """The map x ↦ second(first(x)); a `Chain` where no rule gives a simpler form."""
    steps: list[LinearMap] = []
    for step in (*_steps(first), *_steps(second)):
        _append(steps, step)
    if not steps:
        return Identity(first.in_shape)
    return steps[0] if len(steps) == 1 else Chain(tuple(steps))


def _steps(linear: LinearMap) -> tuple[LinearMap, ...]:
    return linear.maps if isinstance(linear, Chain) else (linear,)


def _append(steps: list[LinearMap], step: LinearMap) -> None:
    """Put one more step after the others, merged with them where a rule allows."""
    if _does_nothing(step):
        return
    product = _merged(step, steps[-1]) if steps else None
    if product is not None:
        steps.pop()
    elif (product := _merged_across(step, steps)) is not None:
        del steps[-2:]
    else:
        steps.append(step)
        return
    for part in _steps(product):
        _append(steps, part)


def _does_nothing(step: LinearMap) -> bool:
    if isinstance(step, Selection):
        return step.in_shape == step.out_shape and step.is_reshape
    return isinstance(step, Identity)


def _merged(second: LinearMap, first: LinearMap) -> LinearMap | None:
    found = RULES.get((type(second), type(first)))
    return found(second, first) if found else None


def _merged_across(step: LinearMap, steps: list[LinearMap]) -> LinearMap | None:
    """The product of the last two steps and one more, where the last only reshapes and one of the two can cross it."""
    if len(steps) < 2 or not isinstance(steps[-1], Selection) or not steps[-1].is_reshape:
        return None
    before, reshape = steps[-2], steps[-1]
    earlier = _before(reshape, step)
    product = _merged(earlier, before) if earlier is not None else None
    if product is not None:
        return Chain((*_steps(product), Selection.reshape(product.out_shape, step.out_shape)))
    product = _merged(step, reshape.across(before)) if isinstance(before, Diagonal) else None
    return None if product is None else Chain((reshape, *_steps(product)))


def _before(reshape: Selection, step: LinearMap) -> LinearMap | None:
    """The map that does before the reshape what `step` does after it, but for its output's shape."""
    if isinstance(step, Diagonal):
        return Selection.reshape(reshape.out_shape, reshape.in_shape).across(step)
    if isinstance(step, Dense) and reshape.in_shape[-1:] == step.in_shape[-1:]:
        return Dense(step.stored, reshape.in_shape[:-1])
    return None
