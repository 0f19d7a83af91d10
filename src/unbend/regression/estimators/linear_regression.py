"""`LinearRegression`: ordinary least squares with all its digits and all its inference."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np

from unbend.errors import DataError, UsageError
from unbend.exact import Double
from unbend.regression.estimators.partitioned import Partitioned, take_anywhere
from unbend.regression.estimators.sample import Sample, refuse_not_finite
from unbend.regression.estimators.updating import UpdatedModel
from unbend.regression.from_sums import from_sums
from unbend.regression.least_norm import least_norm_of_rows
from unbend.regression.least_squares import least_squares
from unbend.regression.moments import Moments
from unbend.regression.ordinary import Collinear, without_hyphen
from unbend.regression.outnumbered import of_fewer_rows
from unbend.regression.solution import Solution
from unbend.regression.sums import Sums

MANY = 500
"""Of more columns than this no cross products are formed where the rows are fewer."""
Choice = Literal["warn", "drop", "error", "least norm", "least-norm"]
"""What can be done where columns follow from earlier ones."""


class LinearRegression(UpdatedModel):
    """Ordinary least squares.

    Equivalent to `sklearn.linear_model.LinearRegression` where the columns are independent. Where they are not, that
    one gives one of infinitely many solutions in silence; this one leaves columns out that follow from earlier ones, as
    R does, and says which follow from what.

    Parameters
    ----------
    fit_intercept : whether there is an intercept
    collinear : what to do where columns follow from earlier ones: "warn" and "drop" give them a coefficient of 0, the
        one with a `CollinearWarning`, the other without; "error" refuses them; "least norm" takes the smallest
        coefficients of all that fit equally well, also of fewer rows than columns

    Attributes
    ----------
    coef_ : (p,), or (q, p) if the target had two axes
    intercept_ : float, or (q,)
    rank_ : coefficients that were determined
    condition_ : condition number of the columns, centred and scaled to one length
    digits_ : decimal digits of the worst coefficient that rounding leaves
    dropped_ : a sentence for each column that was left out because it follows from others
    n_features_in_, feature_names_in_ : of the columns

    Examples
    --------
    >>> model = LinearRegression().fit([[0.0], [1.0], [2.0], [3.0]], [1.0, 3.0, 5.0, 7.5])
    >>> round(float(model.coef_[0]), 12), model.rank_, model.inference().df_resid
    (2.15, 1, 2.0)
    """

    collinear: Choice

    def __init__(self, *, fit_intercept: bool = True, collinear: Choice = "warn") -> None:
        self.fit_intercept = fit_intercept
        self.collinear = collinear

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LinearRegression:
        """Fit to rows X (n, p) and a target (n,) or several (n, q); weights (n,) are relative to one another.

        All may be Arrays, or X a DataFrame and y a Series, of Dask, in the same partitions.

        Raises
        ------
        DataError
            If columns are collinear and `collinear` is "error"; it names them.
        ValueError
            If the arguments cannot be used.
        """
        self._refuse_options()
        sample = take_anywhere(self, X, y, sample_weight)
        moments = None if self._outnumbered(sample) else sample.moments(self.fit_intercept)
        self._keep(self._solutions(sample, moments), sample.flat)
        self._begin(moments)
        self._warn()
        return self

    @property
    def _collinear(self) -> Collinear:
        return "drop" if self.collinear == "warn" else without_hyphen(self.collinear)

    def _refuse_options(self) -> None:
        if self.collinear not in get_args(Choice):
            raise UsageError(f"collinear must be {', '.join(get_args(Choice))}, not {self.collinear}")

    def _warn(self, stacklevel: int = 4) -> None:
        if self.collinear == "warn":
            warn_of(self.dropped_, stacklevel=stacklevel)

    def _outnumbered(self, sample: Sample | Partitioned) -> bool:
        """Whether the rows are to be solved as they are, as there are no more of them than columns."""
        if not isinstance(sample, Sample):
            return False
        if self._collinear == "least norm":
            return len(sample.x) <= len(sample.names) + 1
        return _of_many_columns(sample)

    def _solutions(self, sample: Sample | Partitioned, moments: Moments | None) -> Sequence[Solution]:
        if moments is None and isinstance(sample, Sample) and self._collinear == "least norm":
            rows = [sample.of_rows(j) for j in range(sample.y.shape[1])]
            return [least_norm_of_rows(one, sample.names, self.fit_intercept) for one in rows]
        return solutions(sample, self.fit_intercept, self._collinear, moments)

    def _sums_of(self, moments: Moments) -> Sums:
        coef = Double.of(
            np.array([[one.intercept, *one.coef] for one in self.solutions_]).T,
            np.array([np.zeros(1 + len(one.coef)) if one.low is None else one.low for one in self.solutions_]).T,
        )
        rss = np.array([one.rss for one in self.solutions_]) * moments.weight / moments.n
        return Sums.of_moments(moments).with_targets(coef, rss)

    def _settle(self, sums: Sums, flat: bool) -> None:
        self._refuse_options()
        super()._settle(sums, flat)
        self._warn(5)

    def _of_sums(self, sums: Sums, names: Sequence[str]) -> Solution:
        per_row = sums.scaled(sums.n / sums.weight)
        with estimators_advice():
            found = from_sums(per_row, names, collinear=self._collinear, intercept=self.fit_intercept)
        return replace(found, shares=sums.shares)


class CollinearWarning(UserWarning):
    """Columns follow from other columns, so the coefficients are one choice of many."""


def warn_of(relations: Sequence[str], *, stacklevel: int = 3) -> None:
    """Warn if columns were left out, and say which, at the line that called the estimator."""
    if relations:
        shown = "; ".join(relations[:5]) + ("; …" if len(relations) > 5 else "")
        warnings.warn(
            f"left out because they follow from other columns: {shown}", CollinearWarning, stacklevel=stacklevel
        )


def solutions(
    sample: Sample | Partitioned, intercept: bool, collinear: Collinear, moments: Moments | None = None
) -> tuple[Solution, ...]:
    """Least squares for each target of a sample.

    Raises
    ------
    DataError
        If columns are collinear and may not be dropped.
    """
    if moments is None and isinstance(sample, Sample) and _of_many_columns(sample):
        refuse_not_finite(sample.x, sample.names)
        with estimators_advice():
            return of_fewer_rows(sample.rows, sample.names, collinear=collinear, intercept=intercept)
    moments = sample.moments(intercept) if moments is None else moments
    with estimators_advice():
        return least_squares(moments, sample.names, sample.blocks, collinear=collinear, intercept=intercept)


def _of_many_columns(sample: Sample) -> bool:
    """Whether there are so many more columns than rows that their cross products are not formed."""
    return len(sample.names) > max(len(sample.x), MANY)


@contextmanager
def estimators_advice() -> Iterator[None]:
    """Say what an estimator can do about collinear columns, rather than the command line."""
    try:
        yield
    except DataError as error:
        try_ = "leave one of them out, or let the estimator do it: collinear='drop'"
        raise DataError(error.what, where=error.where, try_=try_) from None
