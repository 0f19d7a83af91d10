"""Ordinary least squares from moments, or from the triangular factor of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from shlex import quote
from typing import Literal

import numpy as np
from scipy.linalg import get_lapack_funcs, solve_triangular

from unbend.errors import DataError
from unbend.regression.moments import Moments
from unbend.regression.rank import Relation, independent, relations
from unbend.regression.solution import Solution, intercepts_of
from unbend.regression.triangle import Triangle, triangle_of, upper_factor

Collinear = Literal["error", "drop", "least norm"]


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
    return ordinary_each(triangle, names, collinear=collinear, optional=optional)[0]


def ordinary_each(
    triangle: Triangle,
    names: Sequence[str],
    *,
    collinear: Collinear = "error",
    optional: Sequence[bool] | None = None,
    found: Sequence[Relation] | None = None,
) -> tuple[Solution, ...]:
    """`ordinary` for every target of a factor; `found` are its relations, if they are known."""
    found = relations(triangle) if found is None else found
    if collinear == "error":
        refused = [relation for relation in found if optional is None or not optional[relation.column]]
        if refused:
            raise collinear_columns(refused, names)
    return _solve(triangle, tuple(names), found)


def collinear_columns(found: Sequence[Relation], names: Sequence[str]) -> DataError:
    """The error that names the collinear columns and what they are made of."""
    worst = [names[relation.column] for relation in found]
    follow = "one of the columns follows" if len(found) == 1 else f"{len(found)} of the columns follow"
    return DataError(
        f"the coefficients are not determined: {follow} from the others",
        where="\n".join(relation.sentence(names) for relation in found[:10]),
        try_=f"leave one of them out: --exclude {quote(worst[0])}\nor let unbend do it: --collinear drop",
    )


def _solve(triangle: Triangle, names: tuple[str, ...], found: Sequence[Relation]) -> tuple[Solution, ...]:
    kept = independent(triangle, found)
    p, k = triangle.p, len(kept)
    r = triangle.r if not found else upper_factor(triangle.r[:, [*kept, *range(p, p + triangle.targets)]])
    upper, scale = r[:k, :k], triangle.scale[kept]
    root = np.zeros((p, k))
    root[kept] = inverse_of(upper) / scale[:, None]
    coef = np.zeros((p, triangle.targets))
    coef[kept] = solve_triangular(upper, r[:k, k:], check_finite=False) / scale[:, None] * triangle.scale[p:]
    rss = np.square(r[k:, k:] * triangle.scale[p:]).sum(axis=0)
    first = Solution(
        names=names,
        coef=coef[:, 0],
        intercept=0.0,
        n=triangle.n,
        mean=triangle.mean[:p],
        y_mean=0.0,
        rss=0.0,
        tss=0.0,
        effective_df=k + 1.0,
        root=root,
        length=triangle.length[:p] * triangle.scale[:p],
        squared=triangle.squared,
        condition=condition_of(upper),
        method=triangle.method,
        dropped=tuple(names[relation.column] for relation in found),
        relations=tuple(relation.sentence(names) for relation in found),
    )
    intercepts = intercepts_of(triangle.shift, triangle.offset, coef)
    tss = np.square(r[:, k:] * triangle.scale[p:]).sum(axis=0)
    sums = zip(coef.T, intercepts.tolist(), triangle.mean[p:].tolist(), rss.tolist(), tss.tolist(), strict=True)
    return tuple(
        replace(first, coef=b, intercept=start, y_mean=y_mean, rss=left, tss=whole)
        for b, start, y_mean, left, whole in sums
    )


def inverse_of(upper: np.ndarray) -> np.ndarray:
    """The inverse of an upper triangular matrix."""
    if len(upper) == 0:
        return upper
    (trtri,) = get_lapack_funcs(("trtri",), (upper,))
    return np.triu(trtri(upper)[0])


def condition_of(upper: np.ndarray) -> float:
    """LAPACK's estimate of the 1-norm condition number of a triangular factor whose columns are made of length 1."""
    if len(upper) == 0:
        return 1.0
    (trcon,) = get_lapack_funcs(("trcon",), (upper,))
    reciprocal, _ = trcon(upper / np.linalg.norm(upper, axis=0))
    return float(1.0 / reciprocal) if reciprocal > 0 else float("inf")
