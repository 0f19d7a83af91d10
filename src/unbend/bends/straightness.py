"""Straightness: the share of the network's output variance, on held-out rows, that the best affine map explains.

Fitted on each fold's other rows by least squares from triangular factors of the rows, which are made in one reading
and merged, and judged on the fold in a second one. Squares are never formed, so that a share that lacks 1e-10 of 1 is
still known to several digits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from scipy.special import ndtri

from unbend.data import Rows
from unbend.data.folds import fold_of
from unbend.document import Block, Column, Heading, Paragraph, Table, number
from unbend.findings import Interval
from unbend.pairing import Pair
from unbend.regression import Moments, Solution, ordinary
from unbend.regression.triangle import RowFactor, Triangle, upper_factor
from unbend.result import Result

FLAT = 1e-13
"""An output whose variance is this small, relative to its mean square, is constant up to the rounding of float32."""

ROWS_EACH = 2
"""An affine map is fitted on at least this many rows for each of its coefficients, or not at all."""

ROUNDING = 1e-11
"""What a share lacks of 1 is not printed below this: the network's own rounding is no larger."""


@dataclass(frozen=True)
class Straightness(Result):
    """How much of the network's output one affine map explains on rows that it was not fitted to.

    Attributes
    ----------
    value, interval : of the share, pooled over the outputs; not clipped at 0
    outputs : the share for each output, NaN for one that is constant
    agreement, agreement_interval : the share of rows on which the affine map predicts the network's class; None for a
        regression
    rows, folds : each row was held out in one of the folds
    what : what was explained
    """

    verb: ClassVar[str] = "straightness"

    value: float
    interval: Interval
    outputs: tuple[float, ...]
    agreement: float | None
    agreement_interval: Interval | None
    rows: int
    folds: int
    what: str

    def document(self) -> list[Block]:
        """The share in a sentence."""
        answer = Paragraph(sentence(self), "strong", "measured on held-out rows")
        blocks: list[Block] = [Heading("Straightness", 3), answer]
        if len(self.outputs) > 1:
            rows = [(i, value) for i, value in enumerate(self.outputs)]
            blocks.append(Table([Column("output"), Column("straightness")], rows))
        return blocks


def straightness(matched: Pair, *, folds: int = 5, seed: int = 0, level: float = 0.95) -> Straightness | None:
    """The straightness of a network on the rows of its table; None where `why_not` says why."""
    if why_not(matched, folds):
        return None
    moments, factors = _factors(matched, folds, seed)
    maps = [_affine(moments, factors, matched.names, fold) for fold in range(folds)]
    judged = _judge(matched, maps, folds, seed)
    flat = judged.spreads.sum(axis=0) <= FLAT * judged.squares
    if flat.all():
        return None
    errors, spreads = judged.errors[:, ~flat], judged.spreads[:, ~flat]
    agreement = float(judged.same.mean()) if matched.head.classifier or matched.classifier else None
    shares = 1.0 - errors.sum(axis=0) / spreads.sum(axis=0)
    outputs = np.full(len(flat), np.nan)
    outputs[~flat] = shares
    return Straightness(
        value=1.0 - float(errors.sum()) / float(spreads.sum()),
        interval=share_interval(errors.sum(axis=1), spreads.sum(axis=1), level),
        outputs=tuple(outputs.tolist()),
        agreement=agreement,
        agreement_interval=None if agreement is None else _wilson(agreement, len(judged.same), level),
        rows=len(errors),
        folds=folds,
        what=f"scores before its {matched.head.last}" if matched.head.classifier else "output",
    )


def why_not(matched: Pair, folds: int) -> str:
    """Why the straightness cannot be measured on these rows; empty if it can, or if the output is constant."""
    n, columns = matched.table.n, len(matched.names)
    fitted = n - -(-n // folds)
    if fitted >= ROWS_EACH * (columns + 1):
        return ""
    return (
        f"an affine map of {columns} columns needs at least {ROWS_EACH * (columns + 1)} rows to be fitted on, and with "
        f"{folds} folds there are {fitted}"
    )


def _scored(matched: Pair) -> Iterator[tuple[Rows, np.ndarray, np.ndarray]]:
    """Rows with the columns that the network reads and its scores."""
    for rows in matched.table.blocks():
        yield rows, matched.inputs(rows), matched.scores(rows)


def _factors(matched: Pair, folds: int, seed: int) -> tuple[Moments, list[RowFactor]]:
    """The triangular factor of [x | scores] of each fold, and the moments of the first rows, which scale them all."""
    moments: Moments | None = None
    found: list[RowFactor] = []
    for rows, x, scores in _scored(matched):
        z = np.hstack([x, scores])
        if moments is None:
            moments = Moments.of(z)
            found = [RowFactor(moments) for _ in range(folds)]
        fold = fold_of(rows.index, folds, seed)
        for k, factor in enumerate(found):
            factor.see(z[fold == k])
    assert moments is not None  # a table has rows
    return moments, found


def _affine(moments: Moments, factors: list[RowFactor], columns: tuple[str, ...], fold: int) -> list[Solution]:
    """The affine map fitted on every fold but one, for each output."""
    training = RowFactor(moments)
    for k, factor in enumerate(factors):
        if k != fold:
            training = training + factor
    triangle, p = training.triangle(), len(columns)
    outputs = range(p, len(triangle.shift))
    return [ordinary(_only(triangle, [*range(p), j]), columns, collinear="drop") for j in outputs]


def _only(triangle: Triangle, columns: list[int]) -> Triangle:
    """The factor of some of the columns."""
    return replace(
        triangle,
        shift=triangle.shift[columns],
        offset=triangle.offset[columns],
        scale=triangle.scale[columns],
        r=upper_factor(triangle.r[:, columns]),
    )


@dataclass(frozen=True, eq=False)
class _Judged:
    """Each row's squared errors and squared spreads (n, outputs), whether its predicted class is the same (n,), and the
    sum of the squares of each output (outputs,)."""

    errors: np.ndarray
    spreads: np.ndarray
    same: np.ndarray
    squares: np.ndarray


def _judge(matched: Pair, maps: list[list[Solution]], folds: int, seed: int) -> _Judged:
    errors, spreads, same, squares = [], [], [], []
    for rows, x, scores in _scored(matched):
        fold = fold_of(rows.index, folds, seed)
        fitted, centre = np.empty_like(scores), np.empty_like(scores)
        for k in range(folds):
            held = fold == k
            fitted[held] = np.column_stack([one.predict(x[held]) for one in maps[k]])
            centre[held] = [one.y_mean for one in maps[k]]
        errors.append((scores - fitted) ** 2)
        spreads.append((scores - centre) ** 2)
        same.append(_class_of(scores) == _class_of(fitted))
        squares.append(np.square(scores).sum(axis=0))
    return _Judged(np.concatenate(errors), np.concatenate(spreads), np.concatenate(same), np.sum(squares, axis=0))


def _class_of(scores: np.ndarray) -> np.ndarray:
    return scores.argmax(axis=1) if scores.shape[1] > 1 else (scores[:, 0] > 0).astype(int)


def share_interval(errors: np.ndarray, spreads: np.ndarray, level: float) -> Interval:
    """Interval for 1 − Σ error / Σ spread, by the delta method over rows (n,) on the logarithm of the ratio.

    On that scale it is nearly symmetric, and neither end can be above 1.
    """
    n, ratio = len(errors), float(errors.sum() / spreads.sum())
    if ratio == 0.0:
        return Interval(1.0, 1.0, level)
    influence = errors / errors.mean() - spreads / spreads.mean()
    half = float(ndtri(0.5 + level / 2)) * float(influence.std(ddof=1)) / np.sqrt(n)
    return Interval(float(1.0 - ratio * np.exp(half)), float(1.0 - ratio * np.exp(-half)), level)


def _wilson(share: float, n: int, level: float) -> Interval:
    """Wilson's interval for a share of n rows."""
    z = float(ndtri(0.5 + level / 2))
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(float(max(middle - half, 0.0)), float(min(middle + half, 1.0)), level)


def percent(value: float) -> str:
    """A share as a percentage that is rounded to 100 only where what it lacks is rounding itself.

    >>> [percent(x) for x in (0.5, 0.99346, 0.9999996, 1 - 1e-14)]
    ['50 %', '99.35 %', '99.99996 %', '100 %']
    """
    lacks = 1.0 - value
    if lacks <= ROUNDING:
        return "100 %"
    digits = 3 if lacks > 0.1 else 1 - int(np.floor(np.log10(lacks)))
    return f"{number(100 * value, digits)} %"


def sentence(found: Straightness) -> str:
    """The share in words."""
    low, high = percent(found.interval.low), percent(found.interval.high)
    rows = f"{number(found.rows)} rows, each held out once"
    if found.value > 0:
        text = (
            f"One affine map explains {percent(found.value)} of the variance of the network's {found.what} "
            f"({low} to {high}; {rows})"
        )
    else:
        text = f"No affine map explains anything of the network's {found.what} (R² {number(found.value, 3)}; {rows})"
    if found.agreement is None or found.agreement_interval is None:
        return text + "."
    low, high = percent(found.agreement_interval.low), percent(found.agreement_interval.high)
    link = ", and" if found.value > 0 else "; it"
    return f"{text}{link} predicts the same class on {percent(found.agreement)} of them ({low} to {high})."
