"""Rows in memory as an estimator gets them: checked, weighted, named, and in blocks for the solvers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import assert_all_finite, check_array, validate_data

from unbend.data.source import block_rows
from unbend.regression.moments import Block, Moments
from unbend.regression.reading import refuse_unsquarable

WIDTHS = [np.float64, np.float32]
"""Numbers that are taken as they are; others become float64."""


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows of columns and targets.

    Attributes
    ----------
    x : (n, p) float64 or float32, the caller's own array where it is one
    y : (n, q) float64 or float32, the caller's own where it is one
    weights : (n,), all positive, or None where all are 1
    names : of the columns: those of the frame, else x0, x1, …
    flat : whether the target came as one column without a second axis
    """

    x: np.ndarray
    y: np.ndarray
    weights: np.ndarray | None
    names: tuple[str, ...]
    flat: bool

    @property
    def rows(self) -> Block:
        """All rows with all targets."""
        return Block(self.x, self.y, self.weights)

    def normalised(self) -> Sample:
        """The same rows with weights of mean 1, so that their sum is the number of rows."""
        return (
            self if self.weights is None else replace(self, weights=self.weights * (len(self.x) / self.weights.sum()))
        )

    def blocks(self, target: int | None = None) -> Iterator[Block]:
        """The rows [x | y], with one target or all of them."""
        rows = self.rows if target is None else self.rows._replace(y=self.y[:, [target]])
        return map(rows.part, parts(len(rows.x), rows.x.shape[1] + rows.y.shape[1]))

    def moments(self, intercept: bool = True) -> Moments:
        """Of [x | y] with all targets.

        Raises
        ------
        DataError
            If squares of the numbers overflow or vanish.
        ValueError
            If a number of x is missing or infinite, in scikit-learn's words: the sums show it for nothing.
        """
        rows = self.rows
        with np.errstate(over="ignore", invalid="ignore"):
            total = Moments.of_block(rows) if intercept else Moments.about_origin(rows)
        if not np.isfinite(np.diag(total.products)).all():
            refuse_not_finite(self.x, self.names)
        refuse_unsquarable(total, (*self.names, *(f"target {j}" for j in range(self.y.shape[1]))))
        return total

    def of_rows(self, target: int) -> Block:
        """All rows with one target, in float64, for what needs them together.

        Raises
        ------
        ValueError
            If a number of x is missing or infinite, in scikit-learn's words.
        """
        refuse_not_finite(self.x, self.names)
        x, y = (part.astype(np.float64, copy=False) for part in (self.x, self.y[:, [target]]))
        return Block(x, y, self.weights)


def refuse_not_finite(x: np.ndarray, names: tuple[str, ...]) -> None:
    """Raise ValueError, in scikit-learn's words, if a number is missing or infinite, and say where the first is."""
    try:
        assert_all_finite(x, input_name="X")
    except ValueError as error:
        row, column = (int(at) for at in np.argwhere(~np.isfinite(x))[0])
        place = f"The first is in column {names[column]}, row {row} (the first row is 0)."
        raise ValueError(f"{str(error).splitlines()[0]} {place}") from None


def parts(n: int, columns: int) -> Iterator[slice]:
    """n rows in parts that are small beside memory."""
    size = block_rows(columns)
    return (slice(start, start + size) for start in range(0, n, size))


def take(
    estimator: BaseEstimator,
    x: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    least: int = 2,
    several: bool = True,
    reset: bool = True,
    finite: bool = True,
) -> Sample:
    """Rows that are checked as scikit-learn's estimators check theirs; rows of weight 0 are left out.

    At least `least` rows are needed; `several` says whether the target may have several columns; without `reset` the
    columns must be those that the estimator has seen. Without `finite` it is left to `Sample.moments` to see whether
    the numbers of x are finite, which saves a reading.

    Raises
    ------
    ValueError
        If they cannot be used, in scikit-learn's words.
    """
    x, y = validate_data(
        estimator,
        x,
        y,
        dtype=WIDTHS,
        multi_output=several,
        y_numeric=True,
        ensure_min_samples=least,
        ensure_all_finite=False,
        reset=reset,
    )
    if finite:
        refuse_not_finite(np.asarray(x), names_of(estimator))
    y = np.asarray(y)
    y = y if y.dtype in WIDTHS else y.astype(np.float64)
    flat = y.ndim == 1
    sample, y = weighted(estimator, np.asarray(x), y.reshape(len(y), -1), sample_weight)
    return replace(sample, y=y, flat=flat)


def weighted(estimator: BaseEstimator, x: np.ndarray, y: np.ndarray, sample_weight: Any) -> tuple[Sample, np.ndarray]:
    """A sample without a target, and the target of its rows: those whose weight is not 0."""
    weights = _weights(sample_weight, len(x))
    if weights is not None and (weights == 0).any():
        kept = weights > 0
        x, y, weights = x[kept], y[kept], weights[kept]
    return Sample(x, np.empty((len(x), 0)), weights, names_of(estimator), True), y


def names_of(estimator: Any) -> tuple[str, ...]:
    """Names of an estimator's columns: those that it saw, else x0, x1, …"""
    seen = getattr(estimator, "feature_names_in_", None)
    return tuple(f"x{j}" for j in range(estimator.n_features_in_)) if seen is None else tuple(map(str, seen))


def _weights(sample_weight: Any, n: int) -> np.ndarray | None:
    if sample_weight is None or isinstance(sample_weight, Real):
        return None
    weights = np.asarray(check_array(sample_weight, ensure_2d=False, input_name="sample_weight"), dtype=np.float64)
    if weights.shape != (n,):
        raise ValueError(f"sample_weight has shape {weights.shape}; it must be ({n},), one weight a row")
    if (weights < 0).any():
        raise ValueError("sample_weight must not be negative")
    if not weights.any():
        raise ValueError("every weight in sample_weight is zero: no row is left")
    return weights
