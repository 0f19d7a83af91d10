"""Rows that are fewer than their columns: least squares from a factor of the rows, never the p × p of the columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unbend.regression.least_squares import finished
from unbend.regression.moments import Block, rounded_mean
from unbend.regression.ordinary import Collinear, ordinary_each
from unbend.regression.reading import refuse_sizes
from unbend.regression.solution import Solution
from unbend.regression.triangle import EPS, ROUNDINGS, Triangle, power_of_two, upper_factor


def of_fewer_rows(
    rows: Block, names: Sequence[str], *, collinear: Collinear, intercept: bool = True
) -> tuple[Solution, ...]:
    """Least squares for every target of n rows of more than n columns.

    Columns that follow from earlier ones, of which there are some, are treated as `ordinary` does.

    Raises
    ------
    DataError
        If columns may not be dropped, or squares of the numbers overflow or vanish.
    """
    each = ordinary_each(_triangle(rows, names, intercept), names, collinear=collinear)
    return tuple(finished(each, intercept))


def _triangle(rows: Block, names: Sequence[str], intercept: bool) -> Triangle:
    """The factor (n, q) of the rows, with weights of mean 1."""
    n, z = len(rows.x), rows.z
    with np.errstate(over="ignore"):
        squares = np.square(z - z[0]).sum(axis=0)
    refuse_sizes(squares, (z != z[0]).any(axis=0), (*names, *(f"target {j}" for j in range(rows.y.shape[1]))))
    weights = np.ones(n) if rows.weights is None else rows.weights * (n / rows.weights.sum())
    shift = rounded_mean(z) * intercept
    z -= shift
    offset = weights @ z / n * intercept
    z -= offset
    z *= np.sqrt(weights)[:, None]
    scale = power_of_two(np.linalg.norm(z, axis=0))
    z /= scale
    noise = ROUNDINGS * EPS * float(np.sqrt(n))
    return Triangle(n, shift, offset, scale, upper_factor(z), noise, "QR of the rows", rows.y.shape[1])
