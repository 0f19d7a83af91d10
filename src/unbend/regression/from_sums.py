"""Ordinary least squares from sums in two parts: a Cholesky factor that is as good as one by QR, and a refined solution.

The factor is computed in two parts, so squares cost nothing: up to a condition number of about 1e10 it is right to the
last bits of a float64. The solution then takes out its own rounding: the normal equations are evaluated in two parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from unbend.exact import Double
from unbend.regression.ordinary import Collinear, ordinary
from unbend.regression.slices import squares
from unbend.regression.solution import Solution
from unbend.regression.sums import Sums
from unbend.regression.triangle import EPS, ROUNDINGS, Triangle, power_of_two

PANEL = 48
"""Columns that are factored one by one before the rest is updated by one matrix product."""
STEPS = 3
"""Steps of refinement at most: each multiplies the error by the condition number in roundings of a float64."""


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
    """The same with coefficients, intercept and residual sum of squares right to the last bits."""
    root, centred = solution.root, sums.centred
    assert root is not None  # ordinary least squares has one
    gram, cross = centred[:-1, :-1], centred[:-1, -1]
    coef = Double.of(solution.coef)
    for _ in range(STEPS):
        gradient = cross - (gram * coef[None, :]).sum(axis=1)
        step = root @ (root.T @ gradient.hi)
        coef = coef + step
        if np.all(np.abs(step) <= EPS * np.abs(coef.hi)):
            break
    gradient = cross - (gram * coef[None, :]).sum(axis=1)
    rss = centred[-1, -1] - (coef * (cross + gradient)).sum()
    return replace(
        solution,
        coef=coef.hi,
        intercept=_intercept(sums.mean, coef) if solution.has_intercept else 0.0,
        rss=max(float(rss.hi), 0.0),
        squared=False,
    )


def _intercept(mean: Double, coef: Double) -> float:
    """Mean of the target less mean · coef, rounded once."""
    means, coefs = mean.fractions(), coef.fractions()
    return float(means[-1] - sum((m * b for m, b in zip(means[:-1], coefs, strict=True)), Fraction(0)))
