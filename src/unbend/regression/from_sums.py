"""Ordinary least squares from sums in two parts: a Cholesky factor as good as one by QR, and a refined solution.

The factor is computed in two parts, so squares cost nothing: up to a condition number of about 1e10 it is right to the
last bits of a float64. The solution then takes out its own rounding: the normal equations are evaluated in two parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from unbend.exact import Double
from unbend.regression.least_norm import least_norm_of_triangle
from unbend.regression.ordinary import Collinear, ordinary
from unbend.regression.rank import relations
from unbend.regression.slices import product, squares
from unbend.regression.solution import Solution
from unbend.regression.sums import Sums
from unbend.regression.triangle import EPS, ROUNDINGS, Triangle, power_of_two
from unbend.regression.trust import inflation, row_lengths

PANEL = 48
"""Columns that are factored one by one before the rest is updated by one matrix product."""
STEPS = 3
"""Steps of refinement: each multiplies the error by the condition number in roundings of a float64."""
ROUNDING = 2.0**-100
"""Of numbers in two parts, and some."""


def from_sums(
    sums: Sums,
    names: Sequence[str],
    *,
    collinear: Collinear = "error",
    optional: Sequence[bool] | None = None,
    intercept: bool = True,
) -> Solution:
    """The coefficients that minimise the sum of squared residuals; one target.

    Parameters
    ----------
    sums : of [x | y]
    names, collinear, optional : as `ordinary` has them
    intercept : whether there is one

    Raises
    ------
    DataError
        If columns are collinear and may not be dropped.
    """
    about = sums if intercept else sums.about_origin()
    triangle = triangle_of_sums(about)
    if collinear == "least norm" and (found := relations(triangle)):
        return least_norm_of_triangle(triangle, names, found, intercept=intercept)
    solution = ordinary(triangle, names, collinear=collinear, optional=optional)
    if not intercept:
        solution = replace(solution, effective_df=solution.effective_df - 1.0, has_intercept=False)
    return _refined(solution, about)


def triangle_of_sums(sums: Sums) -> Triangle:
    """The factor of the centred sums."""
    centred, mean = sums.centred, sums.mean
    q = len(sums.shift)
    scale = power_of_two(np.sqrt(np.maximum(np.diag(centred.hi), 0.0)))
    doubt = float(np.max(sums.doubts, initial=0.0))
    factor = cholesky(centred * (1.0 / np.outer(scale, scale)), q * doubt)
    noise = max(ROUNDINGS * EPS * float(np.sqrt(q)), float(np.sqrt(q * doubt)))
    return Triangle(sums.n, mean.hi, mean.lo, scale, factor.hi, noise, "Cholesky factor of sums in two parts")


def cholesky(matrix: Double, nothing: float = 0.0) -> Double:
    """The upper triangular R with Rᵀ R = matrix (q, q); a row of zeros where a pivot is at most this share of nothing.

    >>> cholesky(Double.of([[4.0, 2.0], [2.0, 2.0]])).hi.tolist()
    [[2.0, 1.0], [0.0, 1.0]]
    """
    q = len(matrix)
    hi, lo = matrix.hi.copy(), matrix.lo.copy()
    least = nothing * np.diag(hi)
    for start in range(0, q, PANEL):
        stop = min(start + PANEL, q)
        for j in range(start, stop):
            _eliminate(hi, lo, j, stop, least[j])
        if stop < q:
            update, _ = squares(Double(hi[start:stop, stop:], lo[start:stop, stop:]))
            rest = Double(hi[stop:, stop:], lo[stop:, stop:]) - update
            hi[stop:, stop:], lo[stop:, stop:] = rest.hi, rest.lo
    return Double(np.triu(hi), np.triu(lo))


def _eliminate(hi: np.ndarray, lo: np.ndarray, j: int, stop: int, least: float) -> None:
    """Turn row j of the matrix into that of the factor, and take it out of the rows up to `stop`."""
    if hi[j, j] <= least:
        hi[j, j:] = lo[j, j:] = 0.0
        return
    row = Double(hi[j, j:], lo[j, j:])
    row = row / row[0].sqrt()
    hi[j, j:], lo[j, j:] = row.hi, row.lo
    below = slice(j + 1, stop)
    rest = Double(hi[below, j + 1 :], lo[below, j + 1 :]) - row[1 : stop - j][:, None] * row[1:][None, :]
    hi[below, j + 1 :], lo[below, j + 1 :] = rest.hi, rest.lo


def _refined(solution: Solution, sums: Sums) -> Solution:
    """The same with everything that is told of it right to the last bits, as far as the sums carry."""
    assert solution.root is not None  # ordinary least squares has one
    centred, mean = sums.centred, sums.mean
    gram, cross, tss = centred[:-1, :-1], centred[:-1, -1], centred[-1, -1]
    coef, left, moved = _stepped(Double.of(solution.coef), gram, cross, solution.root)
    rss = tss - (coef * (cross + left)).sum()
    rss = rss if rss.hi > 0 else Double.zeros(())
    error = EPS / 2 * np.abs(coef.hi) + moved
    base = _intercept(mean, coef) if solution.has_intercept else Double.zeros(())
    doubt = float(np.max(sums.doubts, initial=ROUNDING)) * inflation(solution.root, solution.length)
    effects = float(np.sqrt(tss.hi) + np.abs(coef.hi) @ solution.length)
    noise = doubt * effects * row_lengths(solution.root, solution.mean)
    return replace(
        solution,
        coef=coef.hi,
        intercept=float(base.hi),
        low=np.array([base.lo, *coef.lo]),
        error=noise + np.array([EPS / 2 * abs(base.hi) + np.abs(mean.hi[:-1]) @ moved, *error]),
        rss=float(rss.hi),
        tss=float(tss.hi),
        explained=float((tss - rss).hi),
        refined_sway=_sway(solution, gram, sums),
        squared=False,
    )


def _stepped(coef: Double, gram: Double, cross: Double, root: np.ndarray) -> tuple[Double, Double, np.ndarray]:
    """Coefficients after some steps of Newton's method, what they leave of the cross products, and the next step."""

    def left_by(coef: Double) -> tuple[Double, np.ndarray]:
        left = cross - (gram * coef[None, :]).sum(axis=1)
        return left, root @ (root.T @ left.hi)

    left, move = left_by(coef)
    for _ in range(STEPS):
        coef = coef + move
        left, move = left_by(coef)
    return coef, left, np.abs(move)


def _intercept(mean: Double, coef: Double) -> Double:
    """Mean of the target less mean · coef."""
    return mean[-1] - (mean[:-1] * coef).sum()


def _sway(solution: Solution, gram: Double, sums: Sums) -> np.ndarray:
    """`Solution.sway`, 0 where a column was dropped.

    With root nearly rootᵀ gram root = 1 the inverse of gram is root (2 − rootᵀ gram root) rootᵀ, to twice the digits of
    the root.
    """
    root = solution.root
    assert root is not None  # ordinary least squares has one
    scale = power_of_two(solution.length)
    scaled = Double.of(root * scale[:, None])
    along = product(gram * (1.0 / np.outer(scale, scale)), scaled)
    nearly_one = product(scaled, along)
    lacking = (np.eye(root.shape[1]) - nearly_one).to_float()
    of_mean = (sums.mean[:-1][:, None] * root).sum(axis=0).to_float()
    rows = np.vstack([of_mean, root])
    found = (rows * (rows + rows @ lacking)).sum(axis=1)
    found[0] = found[0] + 1.0 / sums.weight if solution.has_intercept else 0.0
    return np.sqrt(found)
