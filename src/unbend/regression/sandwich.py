"""Covariances that ask less of the noise, by a second reading: robust to its size, its memory, or its clusters.

The estimate stays what it is; what changes is how far it is trusted. `HC0` to `HC4` allow every row its own variance
(`HC3` is the one for small samples, `HC4` for rows of high leverage), `HAC` (Newey and West) also correlation of rows
that are near in order, and clusters allow any correlation within a cluster. Two-way: V₁ + V₂ − V₁₂ (Cameron, Gelbach
and Miller 2011).
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Literal, get_args

import numpy as np

from unbend.data import Table
from unbend.data.columns import kind_of
from unbend.errors import DataError, UsageError
from unbend.regression.covariance import Covariance, classical, row_axes
from unbend.regression.meat import Autocorrelated, Clustered, Heteroskedastic, Meat
from unbend.regression.polynomial import Terms
from unbend.regression.solution import Solution
from unbend.regression.weighting import Weights, weights_of

Kind = Literal["classical", "HC0", "HC1", "HC2", "HC3", "HC4", "HAC"]
FEW = 40
"""With fewer clusters than this, intervals of clustered standard errors are known to be too short."""
NEGATIVE = 1e-12
"""An eigenvalue of two-way clusters below −this share of the largest is negative beyond rounding."""


@dataclass(frozen=True)
class Sandwich:
    """What is asked for.

    Attributes
    ----------
    kind : of the covariance; clusters need "classical", which they replace
    lags : rows that noise remembers, for "HAC"; None is 4 (n / 100)^(2/9), rounded down
    cluster : at most two columns

    Raises
    ------
    UsageError
        If these do not fit together.
    """

    kind: Kind = "classical"
    lags: int | None = None
    cluster: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        known: dict[str, Kind] = {kind.lower(): kind for kind in get_args(Kind)}
        object.__setattr__(self, "kind", known.get(str(self.kind).lower(), self.kind))
        if self.kind not in get_args(Kind):
            raise UsageError(f"the covariance must be one of {', '.join(get_args(Kind))}, not {self.kind}")
        if self.cluster and self.kind != "classical":
            raise UsageError(
                f"clusters have a covariance of their own, which is not {self.kind}",
                try_="leave --covariance out, or --cluster",
            )
        if len(set(self.cluster)) != len(self.cluster) or len(self.cluster) > 2:
            raise UsageError(f"clusters are by one or two columns, not by {', '.join(self.cluster)}")
        if self.lags is not None and (self.kind != "HAC" or not isinstance(self.lags, Integral) or self.lags < 0):
            raise UsageError(
                "lags are for a covariance HAC"
                if self.kind != "HAC"
                else f"lags are a whole number from 0, not {self.lags}",
                try_="for noise that remembers {0} rows: --covariance HAC --lags {0}".format(
                    self.lags if isinstance(self.lags, Integral) and self.lags > 1 else 4
                ),
            )

    @property
    def plain(self) -> bool:
        """Whether the classical assumptions are kept."""
        return self.kind == "classical" and not self.cluster

    def covariance(
        self, solution: Solution, table: Table, terms: Terms | None = None, weights: Weights | None = None
    ) -> Covariance:
        """The covariance of a solution, by one more reading of its rows (none for the classical one).

        Checked against: R sandwich `vcovHC` and `NeweyWest(prewhite=FALSE, adjust=TRUE)`, 1e-10; statsmodels OLS and
        WLS, 1e-10.
        """
        if self.plain:
            return classical(solution)
        fitted = _Fitted(solution, table, terms, weights)
        if self.cluster:
            return _clustered(self.cluster, fitted)
        return _autocorrelated(self.lags, fitted) if self.kind == "HAC" else _heteroskedastic(self.kind, fitted)


@dataclass(frozen=True, eq=False)
class _Fitted:
    """A solution and its rows."""

    solution: Solution
    table: Table
    terms: Terms | None
    weights: Weights | None

    def read(self, *meats: Meat) -> None:
        """Let each see all rows; weighted rows are those of an unweighted fit, times the roots of their weights."""
        for rows in self.table.blocks():
            x = rows.x if self.terms is None else self.terms.expand(rows.x)
            low = (rows.x_low, rows.y_low) if self.terms is None else (None, None)
            u, residual = row_axes(self.solution, x), self.solution.residuals(x, rows.y, *low)
            if self.weights is not None:
                share = weights_of(rows, self.weights.column) / self.weights.mean
                some, root = share > 0, np.sqrt(share)
                u, residual, rows = (u * root[:, None])[some], (residual * root)[some], rows.where(some)
            for meat in meats:
                meat.see(u, residual, rows)


def _heteroskedastic(kind: str, fitted: _Fitted) -> Covariance:
    solution = fitted.solution
    meat = Heteroskedastic(kind, solution.effective_df / solution.n)
    fitted.read(meat)
    df = solution.df_resid
    factor = solution.n / df if kind == "HC1" else 1.0
    return Covariance(
        kind, factor * meat.sum(), df, f"Standard errors are {kind}: the noise may differ from row to row."
    )


def automatic_lags(n: int) -> int:
    """4 (n / 100)^(2/9), rounded down.

    Source: Newey and West (1994), Review of Economic Studies 61, 631-653, section 3.
    """
    return int(4 * (n / 100) ** (2 / 9))


def _autocorrelated(lags: int | None, fitted: _Fitted) -> Covariance:
    solution, table = fitted.solution, fitted.table
    n, df = solution.n, solution.df_resid
    used = min(automatic_lags(n), n - 1) if lags is None else lags
    if used >= n:
        raise UsageError(f"{used} lags need more than {n} rows", try_="give fewer: --lags 4")
    meat = Autocorrelated(used)
    fitted.read(meat)
    order = f"in the order of {table.order}" if table.order else f"in the order of {table.source.name}"
    note = (
        f"Standard errors are HAC (Newey–West): the noise may differ from row to row and may be correlated up to "
        f"{used} {'row' if used == 1 else 'rows'} apart, {order}."
    )
    return Covariance("HAC", n / df * meat.sum(), df, note)


def _clustered(columns: tuple[str, ...], fitted: _Fitted) -> Covariance:
    solution, table = fitted.solution, fitted.table
    for name in columns:
        if kind_of(table.source.schema.field(name).type) == "other":
            raise DataError(f"rows cannot be clustered by {name}: it is a list, a structure or bytes")
    meats = [Clustered([name]) for name in columns] + ([Clustered(columns)] if len(columns) == 2 else [])
    fitted.read(*meats)
    for meat in meats[: len(columns)]:
        if meat.count < 2:
            raise DataError(
                f"{meat.columns[0]} is the same in every row: one cluster says nothing of how clusters differ",
                try_="cluster by another column, or leave --cluster out",
            )
    signs = (1.0, 1.0, -1.0)
    total = np.sum([sign * _corrected(meat, solution) for sign, meat in zip(signs, meats, strict=False)], axis=0)
    counts = [meat.count for meat in meats[: len(columns)]]
    whole, mended = _without_negative(total)
    return Covariance("cluster", whole, min(counts) - 1.0, _said(columns, counts, mended))


def _corrected(meat: Clustered, solution: Solution) -> np.ndarray:
    """With Stata's correction for few clusters and few rows."""
    n, g = solution.n, meat.count
    return g / (g - 1) * (n - 1) / (n - solution.effective_df) * meat.sum()


def _without_negative(total: np.ndarray) -> tuple[np.ndarray, bool]:
    values, vectors = np.linalg.eigh(total)
    if values[0] >= -NEGATIVE * abs(values[-1]):
        return total, False
    return (vectors * np.maximum(values, 0.0)) @ vectors.T, True


def _said(columns: tuple[str, ...], counts: list[int], mended: bool) -> str:
    by = " and ".join(f"{name} ({count} clusters)" for name, count in zip(columns, counts, strict=True))
    text = f"Standard errors are clustered by {by}: the noise may be correlated in any way within a cluster."
    if min(counts) < FEW:
        text += f" {min(counts)} clusters are few: below about {FEW} the intervals tend to be too short."
    if mended:
        text += " The two-way covariance had negative eigenvalues, which were set to 0."
    return text
