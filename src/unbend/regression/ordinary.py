"""Ordinary least squares from moments, or from the triangular factor of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote
from typing import Literal

import numpy as np
from scipy.linalg import get_lapack_funcs, solve_triangular

from unbend.errors import DataError
from unbend.regression.moments import Moments
from unbend.regression.rank import Relation, independent, relations
from unbend.regression.solution import Solution, intercept_of
from unbend.regression.triangle import Triangle, triangle_of, upper_factor

Collinear = Literal["error", "drop"]


def ordinary(
    moments: Moments | Triangle,
    names: Sequence[str],
    *,
    collinear: Collinear = "error",
    optional: Sequence[bool] | None = None,
) -> Solution:
    """The coefficients that minimise the sum of squared residuals, with an intercept.

    Equivalent to `numpy.linalg.lstsq([1 x], y)` where the columns are independent.

    Parameters
    ----------
    moments : of [x | y], or their factor
    names : of the p columns of x
    collinear : what to do with a column that is a combination of earlier ones
    optional : (p,) columns that may be left out even where `collinear` is "error", such as products

    Raises
    ------
    DataError
        If columns are collinear and may not be dropped; it says which and how.
    """
    triangle = triangle_of(moments) if isinstance(moments, Moments) else moments
    found = relations(triangle)
    if collinear == "error":
        refused = [relation for relation in found if optional is None or not optional[relation.column]]
        if refused:
            raise collinear_columns(refused, names)
    return _solve(triangle, tuple(names), found)


def collinear_columns(found: Sequence[Relation], names: Sequence[str]) -> DataError:
    """The error that names the collinear columns and what they are made of."""
    worst = [names[relation.column] for relation in found]
    return DataError(
        f"the coefficients are not determined: {len(found)} of the columns follow from the others",
        where="\n".join(relation.sentence(names) for relation in found[:10]),
        try_=f"leave one of them out: --exclude {quote(worst[0])}\nor let unbend do it: --collinear drop",
    )


def _solve(triangle: Triangle, names: tuple[str, ...], found: Sequence[Relation]) -> Solution:
    kept = independent(triangle, found)
    p = len(names)
    r = triangle.r if not found else upper_factor(triangle.r[:, [*kept, p]])
    k = len(kept)
    upper, scale = r[:k, :k], triangle.scale[:p][kept]
    y_scale = triangle.scale[p]
    coef = np.zeros(p)
    coef[kept] = solve_triangular(upper, r[:k, k], check_finite=False) / scale * y_scale
    root = np.zeros((p, k))
    root[kept] = solve_triangular(upper, np.eye(k), check_finite=False) / scale[:, None]
    mean, y_mean = triangle.mean[:p], float(triangle.mean[p])
    return Solution(
        names=names,
        coef=coef,
        intercept=intercept_of(triangle.shift, triangle.offset, coef),
        n=triangle.n,
        mean=mean,
        y_mean=y_mean,
        rss=float(np.square(r[k:, k] * y_scale).sum()),
        tss=float(np.square(r[:, k] * y_scale).sum()),
        effective_df=k + 1.0,
        root=root,
        length=triangle.length[:p] * triangle.scale[:p],
        squared=triangle.squared,
        condition=condition_of(upper),
        method=triangle.method,
        dropped=tuple(names[relation.column] for relation in found),
        relations=tuple(relation.sentence(names) for relation in found),
    )


def condition_of(upper: np.ndarray) -> float:
    """LAPACK's estimate of the 1-norm condition number of a triangular factor whose columns are made of length 1."""
    if len(upper) == 0:
        return 1.0
    (trcon,) = get_lapack_funcs(("trcon",), (upper,))
    reciprocal, _ = trcon(upper / np.linalg.norm(upper, axis=0))
    return float(1.0 / reciprocal) if reciprocal > 0 else float("inf")
