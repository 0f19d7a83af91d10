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
from unbend.regression.triangle import Triangle, lengths, triangle_of, upper_factor

Collinear = Literal["error", "drop", "least norm", "least-norm"]
"""The last two are one, as Python and as the command line have it."""
PANEL = 256
"""Columns of a large matrix that are worked on together, so that what is made of them is small beside it."""


def without_hyphen(collinear: Collinear) -> Collinear:
    """The same word as it is asked for within."""
    return "least norm" if collinear == "least-norm" else collinear


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
    overwrite: bool = False,
) -> tuple[Solution, ...]:
    """`ordinary` for every target of a factor; `found` are its relations, if they are known.

    With `overwrite` the inverse may take the place of the factor, which is then of no use any more.
    """
    found = relations(triangle) if found is None else found
    if collinear == "error":
        refused = [relation for relation in found if optional is None or not optional[relation.column]]
        if refused:
            raise collinear_columns(refused, names)
    return _solve(triangle, tuple(names), found, overwrite)


def collinear_columns(found: Sequence[Relation], names: Sequence[str]) -> DataError:
    """The error that names the collinear columns and what they are made of."""
    worst = [names[relation.column] for relation in found]
    follow = "one of the columns follows" if len(found) == 1 else f"{len(found)} of the columns follow"
    return DataError(
        f"the coefficients are not determined: {follow} from the others",
        where="\n".join(relation.sentence(names) for relation in found[:10]),
        try_=f"leave one of them out: --exclude {quote(worst[0])}\nor let unbend do it: --collinear drop",
    )


def _solve(
    triangle: Triangle, names: tuple[str, ...], found: Sequence[Relation], overwrite: bool
) -> tuple[Solution, ...]:
    kept = independent(triangle, found)
    p, k, length = triangle.p, len(kept), triangle.length
    r = triangle.r if not found else upper_factor(triangle.r[:, [*kept, *range(p, p + triangle.targets)]])
    upper, scale = r[:k, :k], triangle.scale[kept]
    coef = np.zeros((p, triangle.targets))
    coef[kept] = substituted(upper, r[:k, k:]) / scale[:, None] * triangle.scale[p:]
    rss = np.square(r[k:, k:] * triangle.scale[p:]).sum(axis=0)
    tss = np.square(r[:, k:] * triangle.scale[p:]).sum(axis=0)
    root, condition = _inverse(r, k, overwrite and not found)
    root /= scale[:, None]
    if k < p:
        root, inner = np.zeros((p, k)), root
        root[kept] = inner
    first = Solution(
        names=names,
        coef=coef[:, 0],
        intercept=0.0,
        n=triangle.n,
        mean=triangle.mean[:p],
        mean_low=((triangle.shift - triangle.mean) + triangle.offset)[:p],
        y_mean=0.0,
        rss=0.0,
        tss=0.0,
        effective_df=k + 1.0,
        root=root,
        length=length[:p] * triangle.scale[:p],
        squared=triangle.squared,
        condition=condition,
        method=triangle.method,
        dropped=tuple(names[relation.column] for relation in found),
        relations=tuple(relation.sentence(names) for relation in found),
    )
    intercepts = intercepts_of(triangle.shift, triangle.offset, coef)
    sums = zip(coef.T, intercepts.tolist(), triangle.mean[p:].tolist(), rss.tolist(), tss.tolist(), strict=True)
    return tuple(
        replace(first, coef=b, intercept=start, y_mean=y_mean, rss=left, tss=whole)
        for b, start, y_mean, left, whole in sums
    )


def substituted(upper: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The solution x of upper x = right, by panels, as LAPACK would copy a matrix that is a part of another."""
    found = right.copy()
    for start in reversed(range(0, len(upper), PANEL)):
        panel, later = slice(start, start + PANEL), slice(start + PANEL, None)
        found[panel] -= upper[panel, later] @ found[later]
        found[panel] = solve_triangular(upper[panel, panel], found[panel], check_finite=False)
    return found


def _inverse(r: np.ndarray, k: int, overwrite: bool) -> tuple[np.ndarray, float]:
    """The inverse of the first k columns of a factor (q, q), and their condition number if all were of length 1.

    By 1-norms. With `overwrite` it is in the place of the factor, whose other columns are made those of a unit matrix.
    """
    if k == 0:
        return np.empty((0, 0)), 1.0
    length = lengths(r[:k, :k], "j")
    size = float(np.max(_column_sums(r[:k, :k], np.ones(k)) / length))
    inverse = _overwritten(r, k) if overwrite else inverse_of(r[:k, :k])
    condition = size * float(np.max(_column_sums(inverse, length)))
    return inverse, condition if np.isfinite(condition) else float("inf")


def _column_sums(matrix: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Σ weights · |matrix| of each column."""
    starts = range(0, matrix.shape[1], PANEL)
    return np.concatenate([weights @ np.abs(matrix[:, start : start + PANEL]) for start in starts])


def _overwritten(r: np.ndarray, k: int) -> np.ndarray:
    r[:, k:] = 0.0
    np.fill_diagonal(r[k:, k:], 1.0)
    (trtri,) = get_lapack_funcs(("trtri",), (r,))
    turned = r.flags.c_contiguous
    lines = trtri(r.T if turned else r, lower=turned, overwrite_c=1)[0].T
    close = lines.reshape(-1)
    for start in range(1, k):
        close[start * k : (start + 1) * k] = lines[start, :k]
    found = close[: k * k].reshape(k, k)
    return found if turned else found.T


def inverse_of(upper: np.ndarray) -> np.ndarray:
    """The inverse of an upper triangular matrix whose other numbers are zeros."""
    if len(upper) == 0:
        return upper
    (trtri,) = get_lapack_funcs(("trtri",), (upper,))
    return trtri(upper)[0]
