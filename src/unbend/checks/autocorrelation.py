"""No autocorrelation: a row's noise does not depend on the noise of the rows before it."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.special import chdtrc, ndtr

from unbend.checks.fitted import Fitted, FittedRows
from unbend.checks.intervals import interval_table
from unbend.checks.long_run import bartlett, long_run_ratio, longest_lag, pilot_lags
from unbend.checks.partial import added
from unbend.checks.table import check
from unbend.checks.verdict import (
    EVIDENT,
    Check,
    Verdict,
    holds,
    implied_coverage,
    perhaps,
    really_covers,
    sidak,
    worst,
)
from unbend.document import number
from unbend.findings import Finding

ROWS_PER_LAG = 25
MOST_LAGS = 12
"""The Breusch–Godfrey test asks for one lag per 25 rows, up to 12: a year of months is seen where there is room for it,
and on few rows the power is not spread thin."""

FEW_ROWS = 100
"""With fewer rows HAC standard errors are too small (AR(1) 0.7 on 50 rows: real coverage 71 %, implied 84 %), so a test
that rejects keeps the verdict from being `fine`."""

REMEDY = (
    "Use the HAC intervals in the table, which allow for dependence between rows; add what drives the target from row "
    "to row (its own last value, a trend, the season)."
)


@check(assumption="autocorrelation", needs="order")
class BreuschGodfrey:
    """The noise of a row does not depend on that of the rows before it.

    For the record n R² of the residuals regressed on the columns and on the residuals of the rows before (zero before
    the first), chi-squared. For the consequence, for each coefficient, the long-run standard deviation of its
    estimating sum over what it would be without dependence: Newey–West, filtered by AR(1) first, bandwidth automatic.

    Checked against: statsmodels acorr_breusch_godfrey, durbin_watson and cov_type="HAC"; R lmtest::bgtest,
    lmtest::dwtest and sandwich::NeweyWest(prewhite=FALSE), 1e-8 (longley 1e-6).
    Source: Godfrey (1978), Econometrica 46, 1293-1301; Newey and West (1987), Econometrica 55, 703-708, and (1994),
    Review of Economic Studies 61, 631-653; Andrews and Monahan (1992), Econometrica 60, 953-966; Schwert (1989),
    J. Business and Economic Statistics 7, 147-159.
    """

    test = "Breusch–Godfrey"

    def __init__(self, fitted: Fitted) -> None:
        n, k = fitted.n, fitted.p + 1
        self.fit = fitted
        self.lags = max(min(n // ROWS_PER_LAG, MOST_LAGS), 1)
        self.lagged = np.zeros((self.lags, self.lags))
        self.lagged_columns = np.zeros((k, self.lags))
        self.lagged_residual = np.zeros(self.lags)
        self.differences = 0.0
        self.few = min(pilot_lags(n, 4), longest_lag(n))
        self.products = np.zeros((longest_lag(n) + 1, k))
        self.variances = np.zeros((self.few + 1, k))
        self._past = np.zeros(0)
        self._past_terms = np.zeros((0, k))

    def see(self, rows: FittedRows) -> None:
        """Add one block, the rows of which follow those of the block before."""
        self._see_residuals(rows)
        self._see_terms(rows.weights * rows.residual[:, None])

    def _see_residuals(self, rows: FittedRows) -> None:
        e = np.concatenate([np.zeros(self.lags), self._past, rows.residual])[-len(rows.residual) - self.lags :]
        lagged = np.lib.stride_tricks.sliding_window_view(e, self.lags)[:-1, ::-1]
        self.lagged += lagged.T @ lagged
        self.lagged_columns += rows.q.T @ lagged
        self.lagged_residual += lagged.T @ rows.residual
        self.differences += float(np.sum(np.diff(np.concatenate([self._past[-1:], rows.residual])) ** 2))
        self._past = np.concatenate([self._past, rows.residual])[-self.lags :]

    def _see_terms(self, terms: np.ndarray) -> None:
        """Products of the terms of each coefficient's estimating sum (rows, p+1), at every lag."""
        past = len(self._past_terms)
        both = np.concatenate([self._past_terms, terms])
        for lag in range(min(len(self.products), len(both))):
            start = max(past, lag)
            product = both[start:] * both[start - lag : len(both) - lag]
            self.products[lag] += product.sum(0)
            if lag <= self.few:
                self.variances[lag] += np.einsum("ij,ij->j", product, product)
        self._past_terms = both[1 - len(self.products) :]

    @property
    def statistic(self) -> float:
        """Breusch and Godfrey's n R²."""
        explained = added(self.lagged, self.lagged_columns, self.lagged_residual).explained
        return self.fit.n * explained / self.fit.rss

    @property
    def p(self) -> float:
        """Its probability without autocorrelation."""
        return float(chdtrc(self.lags, self.statistic))

    @property
    def durbin_watson(self) -> float:
        """Sum of squared differences of neighbouring residuals over the sum of their squares."""
        return self.differences / self.fit.rss

    @property
    def first(self) -> float:
        """The correlation of neighbouring residuals."""
        return float(self.lagged_residual[0] / self.fit.rss)

    def newey_west(self, lag: int) -> np.ndarray:
        """Newey and West's standard errors with a given lag, without a filter, times √(n / (n − p − 1)), (p+1,)."""
        sums = self.products[0] + 2 * (bartlett(lag) @ self.products[1 : lag + 1])
        return np.sqrt(sums * self.fit.n / self.fit.df)

    @cached_property
    def ratio(self) -> np.ndarray:
        """The long-run standard deviation of each coefficient's estimating sum over that without dependence, (p+1,)."""
        correlations = self.products / np.maximum(self.products[0], np.finfo(float).tiny)
        return np.array([long_run_ratio(c, self.fit.n) for c in correlations.T])

    @property
    def robust_errors(self) -> np.ndarray:
        """The HAC standard errors, intercept first, (p+1,)."""
        return np.sqrt(self.products[0] * self.fit.n / self.fit.df) * self.ratio

    @property
    def coverage(self) -> np.ndarray:
        """What the usual interval of each coefficient really covers, (p+1,)."""
        return implied_coverage(self.ratio, self.fit.df, self.fit.level)

    @cached_property
    def chance(self) -> np.ndarray:
        """How probable so much dependence in each coefficient's terms is without autocorrelation, (p+1,).

        The weighted sum of the products at the first lags over its standard deviation, adjusted for the number of
        coefficients.
        """
        weights = bartlett(self.few)
        spread = np.sqrt(weights**2 @ self.variances[1:])
        score = weights @ self.products[1 : self.few + 1] / np.maximum(spread, np.finfo(float).tiny)
        return sidak(ndtr(-score), self.fit.p + 1)

    def _judged(self) -> tuple[Verdict, int]:
        verdict, place = worst(self.coverage, self.fit.level, self.chance, self.fit.df)
        if verdict == "fine" and self.fit.n < FEW_ROWS and self.p < EVIDENT:
            return "unsure", place
        return verdict, place

    def verdict(self) -> Check:
        """Answer from what was seen."""
        verdict, place = self._judged()
        effect = Finding(
            "first_autocorrelation",
            f"Neighbouring residuals correlate by {number(self.first, 2)} (Durbin–Watson "
            f"{number(self.durbin_watson, 3)}).",
            "measured on these rows",
            self.first,
        )
        return Check(
            "autocorrelation",
            f"{self.test}, {number(self.lags)} lag{'s' if self.lags > 1 else ''}",
            verdict,
            self.statistic,
            self.p,
            effect,
            self._consequence(verdict, place),
            "None needed." if verdict == "fine" else REMEDY,
            interval_table(self.fit, self.robust_errors, self.coverage, "HAC"),
            float(self.chance[place]),
            self._notes(),
        )

    def _consequence(self, verdict: Verdict, place: int) -> str:
        name, coverage = self.fit.labels[place], self.coverage[place]
        if verdict == "fine":
            return holds(self.fit.level, name, coverage)
        rows, worth = number(self.fit.n), number(round(self.fit.n / self.ratio[place] ** 2))
        text = f"{really_covers(self.fit.level, name, coverage)}: for it the {rows} rows are worth about {worth}"
        return perhaps(text, self.fit.n, self.fit.df) if verdict == "unsure" else f"{text[0].upper()}{text[1:]}."

    def _notes(self) -> tuple[str, ...]:
        if self.fit.n >= FEW_ROWS:
            return ()
        return (f"On {number(self.fit.n)} rows HAC standard errors are too small; the truth is likely to be worse.",)
