"""How far rounding can have moved each coefficient: a first-order bound, and the decimal digits that it leaves.

With G = root rootᵀ the inverse of the centred cross products, a factor of the rows gives an error of
u (|root_j| (|y| + Σ |b_k| |x_k|) + Σ |G_jk| |x_k| |r|); moments, which round squares, one of
u Σ |G_jk| |x_k| (|y| + Σ |b_k| |x_k|). Lengths are about the mean. The intercept is y_mean − mean · b, so its row of
root is mean · root, and the rounding of y_mean comes on top. With many columns |root_j| s stands for Σ |G_jk| |x_k|,
s² = Σ |root_k|² |x_k|², as G would take as long as the fit. Refinement (`unbend.regression.refine`) has a bound of its
own.

Source: Higham (2002), Accuracy and Stability of Numerical Algorithms, sections 20.1 and 20.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unbend.regression.triangle import EPS, lengths

if TYPE_CHECKING:
    from unbend.regression.solution import Solution

NOTHING = 1e-8
"""A coefficient that moves the target by less than this share of its spread is judged as if it moved it by that."""
FEW = 256
"""Columns up to which the inverse of their cross products is formed for the bound."""


def rounding_errors(solution: Solution) -> np.ndarray:
    """Bound on the rounding error of the intercept and of each coefficient; (1 + p,)."""
    if solution.error is not None:
        return solution.error + EPS / 2 * np.abs([solution.intercept, *solution.coef])
    total = float(np.sqrt(solution.tss) + np.abs(solution.coef) @ solution.length)
    errors = _of_ridge(solution) if solution.root is None else _of_factor(solution, solution.root, total)
    in_sum = np.abs(solution.y_mean) + np.abs(solution.mean * solution.coef).sum()
    errors[0] += EPS * (in_sum + total / np.sqrt(solution.n))
    errors[0] *= solution.has_intercept
    return errors


def _of_factor(solution: Solution, root: np.ndarray, total: float) -> np.ndarray:
    rows = row_lengths(root, solution.mean)
    spread = _spread(solution, root) if len(root) <= FEW else rows * inflation(root, solution.length)
    if solution.squared:
        return EPS * spread * total
    return EPS * (rows * total + spread * np.sqrt(solution.rss))


def _spread(solution: Solution, root: np.ndarray) -> np.ndarray:
    """Σ |G_jk| |x_k| for the intercept and each coefficient; (1 + p,)."""
    return np.abs(np.vstack([solution.mean @ root, root]) @ root.T) @ solution.length


def row_lengths(root: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Lengths of mean · root and of the rows of root, (1 + p,): how far noise of variance 1 moves each coefficient."""
    return np.array([np.linalg.norm(mean @ root), *lengths(root, "i")])


def inflation(root: np.ndarray, length: np.ndarray) -> float:
    """Root of the sum of the columns' variance inflation factors: at most √p times the condition number."""
    return float(np.linalg.norm(lengths(root, "i") * length))


def _of_ridge(solution: Solution) -> np.ndarray:
    """By norms: the condition number of the penalised moments times the largest effect of a column."""
    largest = float(np.max(np.abs(solution.coef * solution.length), initial=0.0))
    length = np.where(solution.length > 0, solution.length, np.inf)
    errors = EPS * solution.condition * largest / length
    return np.array([np.abs(solution.mean) @ errors, *errors])


def digits_each(solution: Solution) -> np.ndarray:
    """Whole decimal digits, 0 to 15, that rounding leaves of the intercept and of each coefficient; (1 + p,) int.

    Counted from the first digit of the number, or of its standard error if that is larger, or of `NOTHING`.
    """
    least = NOTHING * np.sqrt(solution.tss) * _least(solution)
    sizes = np.fmax(np.abs([solution.intercept, *solution.coef]), solution.standard_errors)
    sizes = np.maximum(np.fmax(sizes, least), np.finfo(float).tiny)
    return _whole(rounding_errors(solution) / sizes)


def _least(solution: Solution) -> np.ndarray:
    """(1 + p,) the intercept and the coefficients that move the target by 1, all rows together.

    In the columns' own units powers are so alike that only all together move it: then it is what noise of 1 moves them
    by.
    """
    if solution.axes is not None:
        return solution.sway
    return 1.0 / np.array([np.sqrt(solution.n), *np.where(solution.length > 0, solution.length, np.inf)])


def error_digits(solution: Solution) -> np.ndarray:
    """Whole decimal digits, 0 to 15, that rounding leaves of each standard error; (1 + p,) int, 0 for ridge."""
    p = len(solution.coef)
    if solution.refined_sway is not None:
        return np.full(1 + p, 15)
    if solution.root is None:
        return np.zeros(1 + p, dtype=int)
    inflated = inflation(solution.root, solution.length)
    share = EPS * (inflated**2 if solution.squared else inflated)
    if solution.error is None and solution.rss > 0:
        share += EPS * solution.tss / solution.rss * (1.0 if solution.squared else 0.0)
    return np.full(1 + p, _whole(np.array(share)))


def _whole(share: np.ndarray) -> np.ndarray:
    return np.floor(-np.log10(np.clip(share, EPS, 1.0))).astype(int)
