"""The smallest coefficients of all that fit equally well, where columns follow from others or outnumber the rows.

The intercept is free; the sum of squares of the other coefficients, for the columns as they are, is the least. No
p × p matrix is formed: n rows of more columns are factored as they are, and of more rows than columns a triangle.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.linalg import lstsq

from unbend.regression.moments import Block
from unbend.regression.rank import Relation, independent
from unbend.regression.solution import Solution, intercept_of
from unbend.regression.triangle import EPS, Triangle, upper_factor


def least_norm_of_rows(rows: Block, names: Sequence[str], intercept: bool = True) -> Solution:
    """For n rows with one target, no more of them than columns or hardly so.

    Equivalent to `numpy.linalg.lstsq` of the columns and the target less their means.
    """
    x, y, mean, weight = centred(rows, intercept)
    found: Any = lstsq(x, y, cond=EPS * max(x.shape), lapack_driver="gelsd", check_finite=False)
    coef, _, rank, values = found
    used = values[: int(rank)]
    return _solution(
        names,
        np.asarray(coef),
        mean,
        n=len(x),
        rss=float(np.square(y - x @ coef).sum()) if rank < len(x) - intercept else 0.0,
        tss=float(y @ y),
        rank=int(rank),
        length=np.linalg.norm(x, axis=0),
        condition=float(used[0] / used[-1]) if len(used) else 1.0,
        method=f"least norm, singular values of the rows ({int(rank)} of {len(names)} directions are determined)",
        intercept=intercept,
        unit=weight / len(x),
    )


def least_norm_of_triangle(
    triangle: Triangle,
    names: Sequence[str],
    found: Sequence[Relation],
    *,
    intercept: bool = True,
    target: int = 0,
    weight: float | None = None,
) -> Solution:
    """For a factor of rows, of which some columns follow from others as `found` says; `weight` is the sum of theirs.

    With the independent columns first, the factor has as many rows as there are such columns, and the coefficients
    are those of least norm that satisfy all of them.
    """
    kept = independent(triangle, found)
    k, p = len(kept), triangle.p
    order = [*kept, *(relation.column for relation in found)]
    r = upper_factor(triangle.r[:, [*order, p + target]]) * triangle.scale[[*order, p + target]]
    along: Any = lstsq(r[:k, :p], r[:k, p], cond=0.0, check_finite=False)
    coef = np.zeros(p)
    coef[order] = along[0]
    scaled = np.linalg.svd(r[:k, :p] / np.linalg.norm(r[:k, :p], axis=0), compute_uv=False)
    return _solution(
        names,
        coef,
        np.array([triangle.shift, triangle.offset])[:, [*range(p), p + target]],
        n=triangle.n,
        rss=float(np.square(r[k:, p]).sum()),
        tss=float(np.square(r[:, p]).sum()),
        rank=k,
        length=triangle.length[:p] * triangle.scale[:p],
        condition=float(scaled[0] / scaled[-1]) if k else 1.0,
        method=f"{triangle.method}, least norm ({k} of {p} directions are determined)",
        intercept=intercept,
        relations=tuple(relation.sentence(names) for relation in found),
        unit=1.0 if weight is None else weight / triangle.n,
    )


def centred(rows: Block, intercept: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Columns (n, p) and target (n,) about their means and times the roots of the weights; means in two parts
    (2, p + 1), the target's last; and the sum of the weights."""
    weights = np.ones(len(rows.x)) if rows.weights is None else rows.weights
    shift = np.append(rows.x[0], rows.y[0]).astype(np.float64) * intercept
    x, y = rows.x - shift[:-1], rows.y[:, 0] - shift[-1]
    offset = np.append(weights @ x, weights @ y) / weights.sum() * intercept
    x -= offset[:-1]
    root = np.sqrt(weights)
    if rows.weights is not None:
        x *= root[:, None]
    return x, (y - offset[-1]) * root, np.array([shift, offset]), float(weights.sum())


def _solution(
    names: Sequence[str],
    coef: np.ndarray,
    mean: np.ndarray,
    *,
    n: int,
    rss: float,
    tss: float,
    rank: int,
    length: np.ndarray,
    condition: float,
    method: str,
    intercept: bool,
    relations: tuple[str, ...] = (),
    unit: float = 1.0,
) -> Solution:
    shift, offset = mean
    return Solution(
        names=tuple(names),
        coef=coef,
        intercept=intercept_of(shift, offset, coef) if intercept else 0.0,
        n=n,
        mean=(shift + offset)[:-1],
        y_mean=float(shift[-1] + offset[-1]),
        rss=rss / unit,
        tss=tss / unit,
        effective_df=rank + float(intercept),
        root=None,
        length=length / np.sqrt(unit),
        squared=False,
        condition=condition,
        method=method,
        relations=relations,
        has_intercept=intercept,
    )
