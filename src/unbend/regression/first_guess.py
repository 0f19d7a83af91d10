"""Coefficients of a sample of the rows, and of a sample of that: few readings of all rows are left from there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Protocol, runtime_checkable

import numpy as np

from unbend.regression.axes import Axes
from unbend.regression.few_rows import together
from unbend.regression.moments import Block
from unbend.regression.newton import Newton, Optimum, Start
from unbend.regression.rows import Blocks

PART = 8
"""A sample has an eighth of the rows, and one of it an eighth of those."""
LEAST, WORTH, MOST = 20, 30, 6000
"""Rows for each coefficient: that a sample has at least, that the largest must have to be worth it, and that are
enough: the error is half a percent of the score's spread then."""
SMALL = 1 << 20
"""Rows times coefficients that are read in a millisecond or two, which a sample does not save."""
HELD = 1 << 21
"""Numbers of a sample of rows that are not in memory: 16 MB."""
ROUGH, STEPS = 10.0, 25
"""A sample's noise is half a unit of likelihood for each coefficient: a step that gains no more than this many times
that is the last, as it halves the digits that are missing."""
LIGHT = 0.02
"""Rows that have more than this share of a sample's information in some direction are left out of it: one row of a
level seems to give its class away, and from such a coefficient it is a long way back."""
PRIOR = 1e-7
"""Of the information that rows of these classes have of each direction before anything is known of it, so much is
added: a direction that the sample tells nothing of has a coefficient of 0 then. Without it rounding, which differs
between processors, would decide whether the Hessian is positive."""
SURE, FLAT = 10.0, 0.2
"""Directions whose coefficient is no larger than some standard errors (its square over the variance is below the
first), and of which the Hessian is below this share of the median, are those that few rows of the sample tell of."""


@runtime_checkable
class Sampled(Protocol):
    """Blocks of rows that can be taken from anywhere."""

    def some(self, rows: int) -> Iterator[Block]:
        """About so many rows from all over."""
        ...


def first_guess(axes: Axes, blocks: Blocks, classes: int, n: int, penalty: np.ndarray) -> Start | None:
    """The optimum of a sample with its Hessian; None if the rows are few or it has none."""
    coefficients = axes.size * (classes - 1)
    rows = min(n // PART, MOST * coefficients)
    if rows < WORTH * coefficients or n * coefficients < SMALL:
        return None
    sample = [_light(axes, block, LIGHT * rows / n) for block in _some(blocks, rows)]
    if sum(len(block.x) for block in sample) < WORTH * coefficients:
        return None
    found: tuple[Optimum, float] | None = None
    for part in _growing(sample, LEAST * coefficients):
        counts = _counts(part, classes)
        share = float(counts.sum()) / axes.weight
        rough = ROUGH * coefficients / sum(len(block.x) for block in part)
        pull = share * (penalty + PRIOR * _information(axes, counts))
        newton = Newton(axes, lambda part=part: part, classes, pull, rough, STEPS)
        solved = newton.run(None if found is None else found[0].gamma) if counts.all() else None
        found = (solved, share) if isinstance(solved, Optimum) else None
    return None if found is None else _shrunk(*found)


def _information(axes: Axes, counts: np.ndarray) -> np.ndarray:
    """The Hessian of all rows ((K − 1) q, (K − 1) q) where all are as likely of each class as these; counts (K,)."""
    shares = counts[1:] / counts.sum()
    return np.kron(np.diag(shares) - np.outer(shares, shares), np.eye(axes.size))


def _shrunk(found: Optimum, share: float) -> Start:
    """An optimum of a share of the rows, with coefficients of about 0 where these rows tell nothing.

    A level that one row of the sample has seems to give its class away; from such a coefficient it is a long way back.
    """
    values, vectors = np.linalg.eigh(found.hessian / share)
    along = found.gamma.reshape(-1) @ vectors
    wald = np.square(along) * values * share
    dull = (values < FLAT * np.median(values)) & (wald < SURE)
    hessian = (vectors * np.where(dull, np.median(values), values)) @ vectors.T
    return Start((vectors @ (along * wald / (1.0 + wald))).reshape(found.gamma.shape), hessian)


def _some(blocks: Blocks, rows: int) -> Sequence[Block]:
    """About so many rows from all over if they are in memory, else from the beginning."""
    if isinstance(blocks, Sampled):
        return list(blocks.some(rows))
    found: list[Block] = []
    for block in islice(blocks(), rows):
        part = slice(0, min(rows, HELD // max(block.x.shape[1], 1)) - sum(len(one.x) for one in found))
        found.append(_rows(block, part))
        if part.stop <= len(block.x):
            break
    return found


def _light(axes: Axes, block: Block, most: float) -> Block:
    """The rows of a block that have no more than such a share of the information of all rows in any direction."""
    u = axes.rows(block.x)
    share = np.einsum("ij,ij->i", u, u)
    kept = (share if block.weights is None else share * block.weights) <= most
    return block if kept.all() else _rows(block, kept)


def _growing(sample: Sequence[Block], least: int) -> Iterator[Sequence[Block]]:
    """An eighth of an eighth …, an eighth of the sample, and the sample."""
    if sum(len(block.x) for block in sample) >= PART * least:
        yield from _growing([together([_rows(block, slice(None, None, PART)) for block in sample])], least)
    yield sample


def _rows(block: Block, part: slice | np.ndarray) -> Block:
    """Some rows of a block; nothing of the others stays in memory once they are copied."""
    found = block.part(part)
    return found._replace(x=np.ascontiguousarray(found.x))


def _counts(sample: Sequence[Block], classes: int) -> np.ndarray:
    """The weight of each class; (K,)."""
    counts = np.zeros(classes)
    for block in sample:
        counts += np.bincount(block.y[:, 0].astype(np.intp), block.weights, classes)
    return counts
