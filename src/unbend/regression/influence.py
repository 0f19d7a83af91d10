"""What each row has to do with a fit: residual, leverage, and how far it is out of line; a block of rows at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from unbend.data.source import block_rows
from unbend.regression.leverages import PINNED
from unbend.regression.solution import Solution


@dataclass(frozen=True, eq=False)
class Influence:
    """Of each row of a fit, (n,) each; what is not asked for is not computed.

    With weights, residuals are multiplied by the root of the row's weight (of mean 1), but for `residual` itself. Where
    a leverage is 1 nothing but it and the residual is known: NaN.

    Attributes
    ----------
    residual : the target less the prediction
    leverage : how much the row's own target moves its prediction, 0 to 1
    root_weight : root of the weights of mean 1, or 1
    variance, df : of the noise, and the degrees of freedom that are left for it
    parameters : that the fit uses
    """

    residual: np.ndarray
    leverage: np.ndarray
    root_weight: np.ndarray | float
    variance: float
    df: float
    parameters: float

    @cached_property
    def standardised(self) -> np.ndarray:
        """The residual over its standard error."""
        return self.root_weight * self.residual / np.sqrt(self.variance * self._free)

    @cached_property
    def studentised(self) -> np.ndarray:
        """The same with the noise of the other rows: Student's t with df − 1 degrees of freedom on clean rows."""
        others = np.maximum(self.df - np.square(self.standardised), 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.standardised * np.sqrt((self.df - 1) / others)

    @cached_property
    def cook(self) -> np.ndarray:
        """How far all predictions move without the row, squared, in units of the noise and the parameters."""
        return np.square(self.standardised) * self.leverage / (self._free * self.parameters)

    @cached_property
    def _free(self) -> np.ndarray:
        return np.where(self.leverage < 1 - PINNED, 1.0 - self.leverage, np.nan)


def influence(
    solution: Solution,
    x: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray | None = None,
    expand: Callable[[np.ndarray], np.ndarray] | None = None,
    mean: float | None = None,
) -> Influence:
    """The influence of the rows that were fitted; no more than their results is kept in memory.

    Parameters
    ----------
    solution : of ordinary least squares
    x, y : (n, p) and (n,), the rows
    weights : (n,), as they were fitted
    expand : gives the columns of the regression from rows of x, if they are others
    mean : of the weights of all rows that count, if these are not all rows

    Notes
    -----
    Checked against: statsmodels `get_influence`, 1e-10.
    Source: Cook and Weisberg (1982), Residuals and Influence in Regression, sections 2.2 and 3.5.
    """
    residual, leverage = np.empty(len(x)), np.empty(len(x))
    for start in range(0, len(x), size := block_rows(max(x.shape[1], len(solution.coef)))):
        part = slice(start, start + size)
        rows = x[part] if expand is None else expand(x[part])
        residual[part] = solution.residuals(rows, y[part])
        leverage[part] = solution.leverage(rows)
    share = 1.0
    if weights is not None:
        share = weights * (solution.n / weights.sum()) if mean is None else weights / mean
        leverage *= share
    variance = solution.rss / solution.df_resid
    return Influence(residual, leverage, np.sqrt(share), variance, solution.df_resid, solution.effective_df)
