"""Estimators that go on with more rows: `partial_fit`, on sums in two parts.

The coefficients are those of one fit of all rows, to the last digits: there is no step size, no order of the rows, and
nothing is forgotten.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np

from unbend.errors import UsageError
from unbend.regression.estimators.linear_model import InferredModel
from unbend.regression.estimators.sample import Sample, names_of, refuse_not_finite, take
from unbend.regression.moments import Block, Moments
from unbend.regression.reading import refuse_unsquarable
from unbend.regression.solution import Solution
from unbend.regression.sums import Sums


class UpdatedModel(InferredModel):
    """A linear model that is determined by the sums of its rows, so that rows can be added to it.

    Attributes
    ----------
    sums_ : of the rows of all calls of `partial_fit`; not there after `fit`
    """

    sums_: Sums
    n_features_in_: int
    _moments: Moments | None

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Go on with more rows: afterwards the model is that of the rows of all calls, as if `fit` had seen them all.

        After `fit` it goes on from the rows that this has seen.

        Parameters
        ----------
        X, y, sample_weight : as `fit` has them; a single row will do

        Raises
        ------
        UsageError
            After a `fit` of fewer rows than columns, which has no sums.
        ValueError
            If the rows have other columns or targets than those before.
        """
        before = self._sums_so_far()
        sample = self._more_rows(X, y, sample_weight)
        self._settle(added_to(before, sample.blocks()), sample.flat)
        return self

    def _sums_so_far(self) -> Sums | None:
        """The sums of the rows before, by `partial_fit` or by `fit`; None before the first."""
        if hasattr(self, "sums_") or not hasattr(self, "solutions_"):
            return getattr(self, "sums_", None)
        moments = getattr(self, "_moments", None)
        if moments is None:
            raise UsageError(
                "this model comes from a fit of fewer rows than columns, to which rows cannot be added",
                try_="call partial_fit from the first rows on",
            )
        return self._sums_of(moments)

    def _more_rows(self, x: Any, y: Any, sample_weight: Any) -> Sample:
        """Rows of the same columns and targets as those before."""
        started = hasattr(self, "solutions_")
        sample = take(self, x, y, sample_weight, least=1, reset=not started)
        refuse_not_finite(sample.x, sample.names)
        if started and (sample.flat, sample.y.shape[1]) != (self.coef_.ndim == 1, len(np.atleast_2d(self.coef_))):
            raise ValueError(
                f"y has {sample.y.shape[1]} targets{'' if sample.flat else ' along a second axis'}, which is not what "
                "it had in the rows before"
            )
        return sample

    def _settle(self, sums: Sums, flat: bool) -> None:
        """Solve, then keep the sums: a failure leaves the model as it was."""
        p, names = self.n_features_in_, names_of(self)
        targets = range(p, len(sums.shift))
        with np.errstate(over="ignore", invalid="ignore"):
            moments = sums.moments()
        refuse_unsquarable(moments, (*names, *(f"target {j - p}" for j in targets)))
        self._keep([self._of_sums(sums.of_columns([*range(p), j]), names) for j in targets], flat)
        self.sums_ = sums
        self._moments = None

    def _begin(self, moments: Moments | None) -> None:
        """A fit of other rows, which has these moments if it needed any."""
        self.__dict__.pop("sums_", None)
        self._moments = moments

    def _sums_of(self, moments: Moments) -> Sums:
        """What `partial_fit` goes on from after `fit`."""
        return Sums.of_moments(moments)

    @abstractmethod
    def _of_sums(self, sums: Sums, names: Sequence[str]) -> Solution:
        """The solution for one target."""


def added_to(total: Sums | None, blocks: Iterable[Block]) -> Sums:
    """Sums with some blocks more, about the shift that they have."""
    with np.errstate(over="ignore", invalid="ignore"):
        for block in blocks:
            part = Sums.of(block, None if total is None else total.shift)
            total = part if total is None else total + part
    assert total is not None  # rows are checked to be there
    return total
