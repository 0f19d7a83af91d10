"""Normal errors: the noise has the shape of the normal distribution."""

from __future__ import annotations

import numpy as np
from scipy.special import chdtrc, ndtr, ndtri

from unbend.checks.bins import Bins
from unbend.checks.fitted import Fitted, FittedRows
from unbend.checks.table import check
from unbend.checks.verdict import Check, Verdict, judge, percent, perhaps
from unbend.document import Column, Table, number
from unbend.findings import Finding


@check(assumption="normal errors", needs="residuals")
class JarqueBera:
    """The noise is normal.

    For the record Jarque and Bera's n (skewness² / 6 + excess kurtosis² / 24), chi-squared with 2 degrees of freedom.
    For the consequence, how many rows fall outside the prediction interval that the other rows give for them
    (|studentised residual| beyond Student's quantile), on each side: misses beyond the promised half on one side are
    not made good by too few on the other. For the coefficients, the coverage that their own skewness and kurtosis
    imply, which sums over many rows bring close to nothing.

    Checked against: statsmodels jarque_bera, R tseries::jarque.bera.test, 1e-8; the studentised residuals against
    statsmodels' resid_studentized_external.
    Source: Jarque and Bera (1980), Economics Letters 6, 255-259; Hall (1992), The Bootstrap and Edgeworth Expansion,
    section 2.
    """

    test = "Jarque–Bera"

    def __init__(self, fitted: Fitted) -> None:
        self.fit = fitted
        self.cubes = 0.0
        self.fourths = 0.0
        self.missed = np.zeros(2)
        self.third_weights = np.zeros(fitted.p + 1)
        self.fourth_weights = np.zeros(fitted.p + 1)
        self.residuals = Bins(np.zeros(1), np.full(1, fitted.sigma), sums=0, bins=8192)

    def see(self, rows: FittedRows) -> None:
        """Add one block: sums of e³ and e⁴, of the third and fourth powers of the weights, and the misses."""
        squared = rows.residual**2
        self.cubes += float(squared @ rows.residual)
        self.fourths += float(squared @ squared)
        reach = self.fit.critical(self.fit.df - 1)
        self.missed += np.array([(rows.studentised < -reach).sum(), (rows.studentised > reach).sum()])
        self.third_weights += np.einsum("ij,ij->j", rows.shares, rows.weights) / np.sqrt(self.fit.unscaled)
        self.fourth_weights += np.einsum("ij,ij->j", rows.shares, rows.shares)
        self.residuals.see(rows.deleted)

    @property
    def skewness(self) -> float:
        """The third standardised moment of the residuals."""
        return self.cubes / self.fit.n / (self.fit.rss / self.fit.n) ** 1.5

    @property
    def excess_kurtosis(self) -> float:
        """The fourth standardised moment of the residuals, less a normal's 3."""
        return self.fourths / self.fit.n / (self.fit.rss / self.fit.n) ** 2 - 3

    @property
    def statistic(self) -> float:
        """Jarque and Bera's statistic."""
        return self.fit.n * (self.skewness**2 / 6 + self.excess_kurtosis**2 / 24)

    @property
    def p(self) -> float:
        """Its probability for normal noise."""
        return float(chdtrc(2, self.statistic))

    @property
    def sides(self) -> np.ndarray:
        """The shares of rows below and above their prediction interval, (2,)."""
        return self.missed / self.fit.n

    @property
    def prediction_coverage(self) -> float:
        """The level, less what is missed on either side beyond the promised half."""
        promised = (1 - self.fit.level) / 2
        return self.fit.level - float(np.maximum(self.sides - promised, 0).sum())

    @property
    def coverage(self) -> np.ndarray:
        """What the interval of each coefficient covers, by its Edgeworth expansion, (p+1,)."""
        z = ndtri((1 + self.fit.level) / 2)
        skewness = self.skewness * self.third_weights
        kurtosis = self.excess_kurtosis * self.fourth_weights
        density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
        shift = kurtosis / 24 * (z**3 - 3 * z) + skewness**2 / 72 * (z**5 - 10 * z**3 + 15 * z)
        return np.clip(2 * ndtr(z) - 1 - 2 * density * shift, 0, 1)

    def verdict(self) -> Check:
        """Answer from what was seen."""
        coverage = min(self.prediction_coverage, float(self.coverage.min()))
        verdict = judge(coverage, self.fit.level, self.p, self.fit.df)
        effect = Finding(
            "skewness",
            f"The residuals have skewness {number(self.skewness, 2)} and excess kurtosis "
            f"{number(self.excess_kurtosis, 2)} (normal: 0 and 0).",
            "measured on these rows",
            self.skewness,
        )
        return Check(
            "normal errors",
            self.test,
            verdict,
            self.statistic,
            self.p,
            effect,
            self._consequence(verdict),
            self._remedy(verdict),
            self._table(),
            self.p,
        )

    def _consequence(self, verdict: Verdict) -> str:
        level = percent(self.fit.level)
        below, above = map(percent, self.sides)
        promised = percent((1 - self.fit.level) / 2)
        place = int(np.argmin(self.coverage))
        slopes = (
            f"The intervals of the coefficients are barely affected (at worst {self.fit.labels[place]}: "
            f"{percent(self.coverage[place])})."
        )
        text = (
            f"{level} prediction intervals miss {below} of the rows below and {above} above (promised {promised} each)"
        )
        return f"{perhaps(text, self.fit.n, self.fit.df) if verdict == 'unsure' else text + '.'} {slopes}"

    def _remedy(self, verdict: Verdict) -> str:
        if verdict == "fine":
            return "None needed."
        return (
            "The coefficients need none. For predictions use the reach in the table, taken from the residuals "
            "themselves; if the target is positive and skewed, fit its logarithm."
        )

    def _table(self) -> Table:
        tail = (1 - self.fit.level) / 2
        usual = self.fit.critical() * self.fit.sigma
        low, high = (float(self.residuals.quantile(q)[0]) for q in (tail, 1 - tail))
        columns = (
            Column("side", "left"),
            Column("promised %", digits=3),
            Column("missed %", digits=3),
            Column("usual reach"),
            Column("reach from residuals"),
        )
        below, above = (100 * float(s) for s in self.sides)
        rows = [("below", 100 * tail, below, -usual, low), ("above", 100 * tail, above, usual, high)]
        return Table(columns, rows, title=f"{percent(self.fit.level)} prediction intervals, from the prediction")
