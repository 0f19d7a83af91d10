"""Stretches that half precision kept, noted in the collapsed file: what was decided once is not decided anew.

Whether a stretch would lose digits is seen on rows of activations. Those of the collapsed network are others, if only
by rounding, and a stretch near the limit could be found on its other side: each reading would collapse a little more.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import onnx_ir as ir

from unbend.collapse.write.rewrite import Plan

KEPT = "unbend.kept"
"""The metadata key of the outputs of such stretches, a list for each, as JSON."""

Settled = frozenset[frozenset[str]]


def settled(model: ir.Model) -> Settled:
    """The outputs of each stretch that was kept when unbend wrote the model; none in a file of somebody else."""
    try:
        found = json.loads(model.metadata_props.get(KEPT, "[]"))
        return frozenset(frozenset(map(str, names)) for names in found if names)
    except (ValueError, TypeError):
        return frozenset()


def is_settled(plan: Plan, known: Settled) -> bool:
    """Whether the stretch, or one that it holds, was kept before."""
    return any(names <= set(plan.stretch.outputs) for names in known)


def note(model: ir.Model, kept: Iterable[Plan], before: Settled = frozenset()) -> None:
    """Write into the model which stretches were kept, beside those that were kept `before`."""
    if names := before | {frozenset(one.stretch.outputs) for one in kept}:
        model.metadata_props[KEPT] = json.dumps(sorted(map(sorted, names)), ensure_ascii=False)
