"""The cheapest exact factoring of a chain of affine maps: a shortest path over the values that are kept.

Each run of neighbours i … j of the chain may become one map if their product has a form of its own, or if both its
ends are small enough to write it as one dense matrix. The cheapest way to cut the chain into such runs is a shortest
path: best(j) = min_i best(i) + cost(i … j). A narrow waist stays a waist because its product costs more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from operator import attrgetter

import numpy as np

from unbend.affine import Mixing
from unbend.affine.magnitude import absolute
from unbend.collapse.reduce.steps import Price, Step, pieces, total
from unbend.collapse.reduce.target import Target, dense_form, settled, writable

MAX_RUN = 24
"""A run of more steps than this is composed in several rounds, so that time grows with the length of a chain."""


def cheapest(steps: Sequence[Step], target: Target) -> tuple[Step, ...]:
    """The cheapest exact factoring of the chain `steps`.

    An offset that no op had room for is a step of its own: where there are such, the path is looked for once more, as
    they may join what follows them.
    """
    best = _shortest(steps, target)
    while len(single := tuple(piece for step in best for piece in pieces(step))) > len(best):
        if target.free and not all(writable(piece.affine, target) for piece in single if piece.node is None):
            break
        again = _shortest(single, target)
        if not total(again) < total(best):
            break
        best = again
    return best


def _shortest(steps: Sequence[Step], target: Target) -> tuple[Step, ...]:
    """The shortest path over the values that are kept."""
    best: list[tuple[Price, tuple[Step, ...]]] = [(Price(), ())]
    runs = [dict(_runs(steps, start, target)) for start in range(len(steps))]
    for end in range(1, len(steps) + 1):
        options = [
            (best[start][0] + step.price, (*best[start][1], step))
            for start in range(end)
            if (step := runs[start].get(end - start)) is not None
        ]
        best.append(min(options, key=lambda option: option[0]))
    return best[-1][1]


def _runs(steps: Sequence[Step], start: int, target: Target) -> Iterator[tuple[int, Step]]:
    """Every run of the chain from `start` that can be one step, with its length."""
    whole, limit = steps[start], steps[start].price
    yield 1, min((whole, *_forms(whole, steps[start : start + 1], limit, target)), key=attrgetter("price"))
    for end in range(start + 1, min(len(steps), start + MAX_RUN)):
        if isinstance(whole.affine.linear, Mixing) or isinstance(steps[end].affine.linear, Mixing):
            return
        whole, limit = then(whole, steps[end], target), limit + steps[end].price
        forms = _forms(whole, steps[start : end + 1], limit, target)
        if forms:
            yield end + 1 - start, min(forms, key=attrgetter("price"))


def product(steps: Sequence[Step], target: Target) -> Step:
    """The chain as one step, whatever form that has."""
    whole = steps[0]
    for step in steps[1:]:
        whole = then(whole, step, target)
    return whole


def then(first: Step, second: Step, target: Target) -> Step:
    """Two steps as one, with the rules that made both."""
    a, b = first.affine, second.affine
    affine, rules = settled(a.then(b), target, lambda: absolute(b.linear).image(np.abs(a.offset)) + np.abs(b.offset))
    return Step(affine, None, (*first.rules, *second.rules, *rules), part_of=first.part_of | second.part_of)


def _forms(whole: Step, run: Sequence[Step], limit: Price, target: Target) -> list[Step]:
    """The forms of one step that a run of steps may take, none of them dearer than the run, which costs `limit`."""
    forms = [replace(whole, node=None)] if len(run) > 1 and writable(whole.affine, target) else []
    if (dense := dense_form(whole.affine, limit, target)) is not None:
        how = f"{run[0].name} … {run[-1].name} written as one dense matrix"
        forms.append(Step(dense, None, (*whole.rules, how), part_of=whole.part_of))
    return [_told(step, run) for step in forms if target.accepts(step.price, limit)]


def _told(step: Step, run: Sequence[Step]) -> Step:
    """The step with the rule that made it of the run."""
    return step if len(run) == 1 else replace(step, rules=(*step.rules, " ∘ ".join(one.name for one in reversed(run))))
