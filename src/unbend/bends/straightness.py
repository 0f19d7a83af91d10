"""Straightness: the share of the network's output variance, on held-out rows, that the best affine map explains.

The output (of a classifier: the scores before its last Softmax or Sigmoid) is regressed on the columns by least squares
on all folds but one and judged on the one left out. Everything comes from second moments that are added up once for
each fold: those of the training rows are the total's less the fold's.
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
from unbend.result import Result

FLAT = 1e-12
"""An output whose variance is this small, relative to its mean square, is constant up to rounding."""


@dataclass(frozen=True)
class Straightness(Result):
    """How much of the network's output one affine map explains on rows that it was not fitted to.

    `value` is pooled over the outputs; `outputs` has each output's own; `agreement` is the share of rows on which the
    affine map predicts the network's class (None for a regression).
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
    """The straightness of a network on the rows of its table; None if its output is constant or rows are too few."""
    folds = min(folds, matched.table.n)
    if folds < 2 or matched.table.n < 3:
        return None
    moments = _fold_moments(matched, folds, seed)
    maps = [_affine(matched, moments, fold) for fold in range(folds)]
    errors, spreads, same = _judge(matched, maps, folds, seed)
    total = float(spreads.sum())
    if total <= FLAT * len(spreads):
        return None
    value = 1.0 - float(errors.sum()) / total
    agreement = float(same.mean()) if matched.head.size > 1 or matched.classifier else None
    return Straightness(
        value=value,
        interval=_ratio_interval(errors.sum(axis=1), spreads.sum(axis=1), value, level),
        outputs=tuple(1.0 - e / s if s > 0 else float("nan") for e, s in zip(*_sums(errors, spreads), strict=True)),
        agreement=agreement,
        agreement_interval=None if agreement is None else _wilson(agreement, len(same), level),
        rows=len(errors),
        folds=folds,
        what=f"scores before its {matched.head.last}" if matched.head.classifier else "output",
    )


def _scored(matched: Pair) -> Iterator[tuple[Rows, np.ndarray, np.ndarray]]:
    """Rows with the columns that the network reads and its scores."""
    for rows in matched.table.blocks():
        yield rows, matched.inputs(rows), matched.scores(rows)


def _fold_moments(matched: Pair, folds: int, seed: int) -> list[Moments | None]:
    found: list[Moments | None] = [None] * folds
    shift: np.ndarray | None = None
    for rows, x, scores in _scored(matched):
        z = np.hstack([x, scores])
        fold = fold_of(rows.index, folds, seed)
        for k in range(folds):
            block = Moments.of(z[fold == k], shift if shift is not None else z.mean(axis=0))
            shift = block.shift
            so_far = found[k]
            found[k] = block if so_far is None else so_far + block
    return found


def _affine(matched: Pair, moments: list[Moments | None], fold: int) -> list[Solution]:
    """The affine map fitted on every fold but one, for each output."""
    others = [m for k, m in enumerate(moments) if k != fold and m is not None]
    training = sum(others[1:], start=others[0])
    p = len(matched.names)
    return [
        ordinary(_only(training, [*range(p), p + j]), matched.names, collinear="drop")
        for j in range(len(training.shift) - p)
    ]


def _only(moments: Moments, columns: list[int]) -> Moments:
    """The moments of some of the columns."""
    return replace(
        moments,
        shift=moments.shift[columns],
        sums=moments.sums[columns],
        products=moments.products[np.ix_(columns, columns)],
    )


def _judge(
    matched: Pair, maps: list[list[Solution]], folds: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Squared error and squared spread of each row and output, and whether the predicted class is the same."""
    errors, spreads, same = [], [], []
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
    return np.concatenate(errors), np.concatenate(spreads), np.concatenate(same)


def _sums(*arrays: np.ndarray) -> list[list[float]]:
    """The column sums of each array."""
    return [array.sum(axis=0).tolist() for array in arrays]


def _class_of(scores: np.ndarray) -> np.ndarray:
    return scores.argmax(axis=1) if scores.shape[1] > 1 else (scores[:, 0] > 0).astype(int)


def _ratio_interval(errors: np.ndarray, spreads: np.ndarray, value: float, level: float) -> Interval:
    """Interval for 1 − Σ error / Σ spread by the delta method over rows."""
    n = len(errors)
    influence = (errors - (1.0 - value) * spreads) / spreads.mean()
    half = float(ndtri(0.5 + level / 2)) * float(influence.std(ddof=1)) / np.sqrt(n)
    return Interval(value - half, min(value + half, 1.0), level)


def _wilson(share: float, n: int, level: float) -> Interval:
    """Wilson's interval for a share of n rows."""
    z = float(ndtri(0.5 + level / 2))
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(float(max(middle - half, 0.0)), float(min(middle + half, 1.0)), level)


def percent(value: float) -> str:
    """A share as a percentage that does not round up to 100."""
    shown = 100 * value
    return "100 %" if value == 1.0 else f"{number(shown, 3 if shown < 99 else 4 if shown < 99.9 else 6)} %"


def sentence(found: Straightness) -> str:
    """The share in words."""
    low, high = percent(found.interval.low), percent(found.interval.high)
    text = (
        f"One affine map explains {percent(found.value)} of the variance of the network's {found.what} "
        f"({low} to {high}; {number(found.rows)} rows, each held out once)"
    )
    if found.agreement is None or found.agreement_interval is None:
        return text + "."
    low, high = percent(found.agreement_interval.low), percent(found.agreement_interval.high)
    return f"{text}, and predicts the same class on {percent(found.agreement)} of them ({low} to {high})."
