"""Even spread: the noise is equally large everywhere (homoskedasticity)."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.special import chdtrc

from unbend.checks.bins import Bins
from unbend.checks.fitted import Fitted, FittedRows
from unbend.checks.intervals import interval_table
from unbend.checks.partial import Added, added
from unbend.checks.table import check
from unbend.checks.verdict import (
    Check,
    Verdict,
    holds,
    implied_coverage,
    p_text,
    percent,
    perhaps,
    really_covers,
    sidak,
    worst,
)
from unbend.document import number
from unbend.findings import Finding

ONE_TENTH_ONLY = 2.0
"""Prediction intervals that fail only in the tenth of the rows with the largest (or smallest) predictions may miss
twice as often as intervals about all rows before they get the same word."""

LEAST_KURTOSIS = 1.5
"""The least kurtosis taken for the noise (a uniform's is 1.8), so that a few rows alike by chance prove nothing."""

TESTS = 3
"""Breusch–Pagan, White, and the contrast of the two standard errors: a p value has to be this much smaller."""


@check(assumption="even spread", needs="residuals")
class BreuschPagan:
    """The noise is equally large everywhere.

    For the record n R² of the squared residuals regressed on the columns, chi-squared with p degrees of freedom if the
    assumption holds; and the same with the squares of the columns added (White), which sees a spread that grows to
    both sides. For the consequence the HC3 standard error over the usual one, for each coefficient.

    Checked against: statsmodels het_breuschpagan(robust=True), het_white's squares and cov_HC3; R lmtest::bptest and
    sandwich::vcovHC, 1e-8.
    Source: Koenker (1981), J. Econometrics 17, 107-112; White (1980), Econometrica 48, 817-838; MacKinnon and White
    (1985), J. Econometrics 29, 305-325.
    """

    test = "Koenker's Breusch–Pagan"

    def __init__(self, fitted: Fitted) -> None:
        k = fitted.p + 1
        self.fit = fitted
        self.along, self.fourth, self.standard_fourth = np.zeros(k), 0.0, 0.0
        squares = len(fitted.bendable)
        self.squares = np.zeros((squares, squares))
        self.squares_columns, self.squares_along = np.zeros((k, squares)), np.zeros(squares)
        self.hc3, self.concentration = np.zeros(k), np.zeros(k)
        self.even = np.full(k, np.finfo(float).eps)
        self.decided = 0
        self.tenths = Bins(np.array(fitted.target_mean), np.array(fitted.spread), sums=3)

    def see(self, rows: FittedRows) -> None:
        """Add one block: e² and e⁴ with the columns and their squares, and what each row gives to HC3."""
        squared = rows.residual**2
        self.along += rows.q.T @ squared
        self.fourth += float(squared @ squared)
        self.standard_fourth += float(np.sum((squared / rows.freedom) ** 2))
        squares = rows.standard[:, self.fit.bendable] ** 2
        self.squares += squares.T @ squares
        self.squares_columns += rows.q.T @ squares
        self.squares_along += squares.T @ squared
        self._see_shares(rows)
        missed = np.abs(rows.studentised) > self.fit.critical(self.fit.df - 1)
        self.tenths.see(rows.fitted, rows.residual, squared, missed.astype(float))

    def _see_shares(self, rows: FittedRows) -> None:
        even = rows.shares / rows.freedom[:, None]
        self.hc3 += rows.shares.T @ rows.deleted**2
        self.even += even.sum(0)
        self.concentration += (even**2).sum(0)
        self.decided += int(np.isinf(rows.freedom).sum())

    @property
    def statistic(self) -> float:
        """Koenker's n R²."""
        return self._explained(float(self.along[1:] @ self.along[1:]))

    def _explained(self, sum_of_squares: float) -> float:
        total = self.fourth - self.along[0] ** 2
        return self.fit.n * sum_of_squares / total if total > 0 else 0.0

    @property
    def p(self) -> float:
        """Its probability if the spread is even."""
        return float(chdtrc(self.fit.p, self.statistic))

    @cached_property
    def _white(self) -> Added:
        return added(self.squares, self.squares_columns, self.squares_along - self.squares_columns.T @ self.along)

    @property
    def white_statistic(self) -> float:
        """White's n R², with squares and without products of the columns."""
        return self.statistic + self._explained(self._white.explained)

    @property
    def white_p(self) -> float:
        """Its probability if the spread is even."""
        return float(chdtrc(self.fit.p + self._white.rank, self.white_statistic))

    @property
    def robust_errors(self) -> np.ndarray:
        """The HC3 standard errors, intercept first, (p+1,)."""
        return np.sqrt(self.fit.unscaled * self.hc3)

    @property
    def ratio(self) -> np.ndarray:
        """HC3 over the usual standard error, half of what even rows add to it taken out, (p+1,).

        On even rows its square is `even` on average, 1.05 to 1.5 on few rows. To take out all of it (HC2) would be
        right there but hides a third of a harmful spread, to take out nothing invents one; half keeps the implied
        coverage within 3 points of the real one in both (simulated, 50 rows or more, up to 10 columns).
        """
        return np.sqrt(self.hc3 / np.sqrt(self.even)) / self.fit.sigma

    @property
    def coverage(self) -> np.ndarray:
        """What the usual interval of each coefficient really covers, (p+1,)."""
        return implied_coverage(self.ratio, self.fit.df, self.fit.level)

    @cached_property
    def chance(self) -> np.ndarray:
        """How probable so uneven a spread is in each coefficient's interval if the spread is even, (p+1,).

        The squared ratio is a weighted mean of squared noise: scaled chi-squared, its variance from the noise's own
        kurtosis. Adjusted for the number of coefficients, and for asking the two tests as well.
        """
        n = self.fit.n
        kurtosis = max(self.standard_fourth / n / self.fit.sigma**4, LEAST_KURTOSIS)
        variance = (kurtosis - 1) * np.maximum(self.concentration / self.even**2 - 1 / n, np.finfo(float).eps)
        freedom = 2 / variance
        excess = self.hc3 / self.even / self.fit.sigma**2
        own = sidak(chdtrc(freedom, freedom * excess), self.fit.p + 1)
        return np.minimum(TESTS * np.minimum(own, min(self.p, self.white_p)), 1.0)

    @cached_property
    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Residual standard deviation, and coverage of prediction intervals, in the lowest and highest tenth, (2,)."""
        counts, (total, squares, missed) = self.tenths.tenths()
        mean = total / counts
        return np.sqrt(np.maximum(squares / counts - mean**2, 0))[:, 0], (1 - missed / counts)[:, 0]

    def _judged(self) -> tuple[Verdict, int]:
        """The verdict, and the coefficient that earned it, or p + 1 where the prediction intervals did."""
        coverage = np.append(self.coverage, self.ends[1].min())
        chance = np.append(self.chance, min(2 * min(self.p, self.white_p), 1.0))
        slack = np.append(np.ones(self.fit.p + 1), ONE_TENTH_ONLY)
        return worst(coverage, self.fit.level, chance, self.fit.df, slack)

    def verdict(self) -> Check:
        """Answer from what was seen."""
        verdict, place = self._judged()
        low, high = self.ends[0]
        named = int(np.argmin(self.coverage)) if place > self.fit.p else place
        effect = Finding(
            "hc3_ratio",
            f"The standard error of {self.fit.labels[named]} without this assumption (HC3) is "
            f"{number(self.ratio[named], 3)} times the usual one. Residuals have standard "
            f"deviation {number(high, 3)} in the tenth of the rows with the largest predictions and {number(low, 3)} "
            f"in the tenth with the smallest. White's test with squares: {p_text(self.white_p)}.",
            "measured on these rows",
            float(self.ratio[named]),
        )
        return Check(
            "even spread",
            self.test,
            verdict,
            self.statistic,
            self.p,
            effect,
            self._consequence(verdict, place),
            "None needed." if verdict == "fine" else REMEDY,
            interval_table(self.fit, self.robust_errors, self.coverage, "HC3"),
            float(self.chance[named]),
            self._notes(),
        )

    def _consequence(self, verdict: Verdict, place: int) -> str:
        level, (low, high) = self.fit.level, self.ends[1]
        worst_place = int(np.argmin(self.coverage))
        if verdict == "fine":
            return holds(level, self.fit.labels[worst_place], self.coverage[worst_place])
        where = ("smallest", "largest") if low < high else ("largest", "smallest")
        text = (
            f"the {percent(level)} prediction intervals cover {percent(min(low, high))} of the tenth of the rows with "
            f"the {where[0]} predictions, and {percent(max(low, high))} of the tenth with the {where[1]}"
        )
        if place <= self.fit.p:
            text = f"{really_covers(level, self.fit.labels[place], self.coverage[place])}; {text}"
        if verdict == "unsure":
            return perhaps(text, self.fit.n, self.fit.df)
        return text[0].upper() + text[1:] + "."

    def _notes(self) -> tuple[str, ...]:
        if not self.decided:
            return ()
        rows = "1 row decides" if self.decided == 1 else f"{number(self.decided)} rows decide"
        return (f"{rows} a coefficient alone (leverage 1), so nothing can be said about the noise there.",)


REMEDY = (
    "Use the HC3 intervals in the table, which need no even spread; if the spread grows with the prediction and the "
    "target is positive, fit its logarithm."
)
