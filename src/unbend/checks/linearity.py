"""Linearity: the target rises in a straight line with every column, so no prediction is off on purpose."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.special import fdtrc, ndtr, ndtri

from unbend.checks.bins import Bins
from unbend.checks.fitted import Fitted, FittedRows
from unbend.checks.partial import STRAIGHT, Added, added
from unbend.checks.table import check
from unbend.checks.verdict import SUGGESTIVE, Check, Verdict, percent, perhaps, sidak, worst
from unbend.document import Column, Table, number
from unbend.findings import Finding

ROWS_SHOWN = 10


@check(assumption="linearity", needs="residuals")
class Reset:
    """The target is a straight line in every column.

    For the record Ramsey's RESET: the F test of adding the squares and cubes of the predictions. It is blind to a bend
    that leaves the predictions flat, so the square of every column is tried as well (its partial correlation). For the
    consequence: where a bend is evident, how far predictions are off in the outer tenths of that column.

    Checked against: statsmodels linear_reset(power=3, use_f=True), R lmtest::resettest(power=2:3), 1e-8; the squares
    against an ordinary fit with each square added.
    Source: Ramsey (1969), J. Royal Statistical Society B 31, 350-371.
    """

    test = "RESET (squares, cubes)"

    def __init__(self, fitted: Fitted) -> None:
        self.fit = fitted
        self.names = (*(fitted.names[i] for i in fitted.bendable), "the prediction")
        k = len(self.names)
        self.columns = np.zeros((fitted.p + 1, k + 1))
        self.residual = np.zeros(k + 1)
        self.powers = np.zeros((2, 2))
        self.squares = np.zeros(k - 1)
        centre = np.append(fitted.mean[fitted.bendable], fitted.target_mean)
        scale = np.append(fitted.scale[fitted.bendable], fitted.spread)
        self.places = Bins(centre, scale, sums=1, bins=512)

    def see(self, rows: FittedRows) -> None:
        """Add one block: products of the powers and squares with the columns, the residual and themselves."""
        fitted = (rows.fitted - self.fit.target_mean) / self.fit.spread
        new = np.column_stack([fitted**2, fitted**3, rows.standard[:, self.fit.bendable] ** 2])
        self.columns += rows.q.T @ new
        self.residual += new.T @ rows.residual
        self.powers += new[:, :2].T @ new[:, :2]
        self.squares += np.einsum("ij,ij->j", new[:, 2:], new[:, 2:])
        self.places.see(np.column_stack([rows.x[:, self.fit.bendable], rows.fitted]), rows.residual)

    @cached_property
    def powers_added(self) -> Added:
        """What the squares and cubes of the predictions explain; of rank 0 where the predictions take two values."""
        if self.fit.r2 <= STRAIGHT:
            return Added(0.0, 0)
        found = added(self.powers, self.columns[:, :2], self.residual[:2])
        return Added(min(found.explained, self.fit.rss), found.rank)

    @property
    def statistic(self) -> float | None:
        """RESET's F, None where the predictions take two values only or too few rows are left."""
        new, spare = self.powers_added, self.fit.df - self.powers_added.rank
        if new.rank == 0 or spare < 1 or new.explained >= self.fit.rss:
            return None
        return new.explained / new.rank / ((self.fit.rss - new.explained) / spare)

    @property
    def p(self) -> float | None:
        """Its probability if every column enters in a straight line."""
        rank = self.powers_added.rank
        return None if self.statistic is None else float(fdtrc(rank, self.fit.df - rank, self.statistic))

    @cached_property
    def gains(self) -> np.ndarray:
        """The sum of squares that the square of each bendable column explains; NaN where it is a straight line."""
        left = self.squares - np.sum(self.columns[:, 2:] ** 2, axis=0)
        bent = left > STRAIGHT * self.squares
        gain = self.residual[2:] ** 2 / np.where(bent, left, 1.0)
        return np.where(bent, np.minimum(gain, self.fit.rss), np.nan)

    @cached_property
    def square_p(self) -> np.ndarray:
        """The p value of the square of each bendable column on its own; NaN where there is none to ask about."""
        spare = self.fit.df - 1
        if spare < 1:
            return np.full(len(self.gains), np.nan)
        rest = np.maximum(self.fit.rss - self.gains, np.finfo(float).eps * self.fit.rss)
        return fdtrc(1, spare, self.gains / rest * spare)

    @cached_property
    def chance(self) -> np.ndarray:
        """How probable so much bend is in each bendable column, and last in the predictions, if all is straight."""
        own = sidak(np.nan_to_num(self.square_p, nan=1.0), int(np.isfinite(self.square_p).sum()))
        reset = 1.0 if self.p is None else self.p
        return np.minimum(2 * np.append(own, reset), 1.0)

    @cached_property
    def bias(self) -> np.ndarray:
        """Mean residual over the residual standard error, in the lowest and the highest tenth (2, places)."""
        counts, (total,) = self.places.tenths()
        return total / counts / self.fit.sigma

    @property
    def coverage(self) -> np.ndarray:
        """What prediction intervals cover in the tenth that is further off, (places,)."""
        off = np.abs(self.bias).max(0)
        reach = ndtri((1 + self.fit.level) / 2)
        return ndtr(reach - off) - ndtr(-reach - off)

    @property
    def asked(self) -> bool:
        """Whether there is a bend to ask about."""
        return self.p is not None or bool(np.isfinite(self.square_p).any())

    def verdict(self) -> Check:
        """Answer from what was seen."""
        verdict, place = worst(self.coverage, self.fit.level, self.chance, self.fit.df)
        verdict = verdict if self.asked else "not asked"
        share = self.powers_added.explained / self.fit.rss
        effect = Finding(
            "partial_r2",
            f"Squares and cubes of the predictions explain {percent(share)} of what the straight lines leave.",
            "measured on these rows",
            share,
        )
        return Check(
            "linearity",
            self.test,
            verdict,
            self.statistic,
            self.p,
            effect,
            self._consequence(verdict, place),
            self._remedy(verdict),
            self._table(),
            float(self.chance[place]),
        )

    def _consequence(self, verdict: Verdict, place: int) -> str:
        if verdict == "not asked":
            return "No column has more than two values, or too few rows are left: there is no bend to ask about."
        if verdict == "fine":
            return "No column shows a bend that would put predictions off in its outer tenths."
        end = int(np.abs(self.bias[:, place]).argmax())
        off = float(self.bias[end, place])
        text = (
            f"where {self.names[place]} is in its {('lowest', 'highest')[end]} tenth, predictions are too "
            f"{'low' if off > 0 else 'high'} by {number(abs(off), 2)} sd of the noise, and a "
            f"{percent(self.fit.level)} prediction interval covers about {percent(self.coverage[place])}"
        )
        if verdict == "unsure":
            return perhaps(text, self.fit.n, self.fit.df)
        return text[0].upper() + text[1:] + "."

    def _remedy(self, verdict: Verdict) -> str:
        if verdict in ("fine", "not asked"):
            return "None needed."
        best = [i for i in self._by_gain() if self.chance[i] < SUGGESTIVE][:3]
        if not best:
            return "Add squares and products of the columns (degree 2) and compare on held-out rows."
        first = best[0]
        return (
            f"Add {', '.join(f'{self.names[i]}²' for i in best)}: {self.names[first]}² alone raises R² from "
            f"{number(self.fit.r2, 3)} to {number(self.fit.r2 + self.gains[first] / self.fit.tss, 3)}."
        )

    def _by_gain(self) -> list[int]:
        """The bendable columns whose square can be asked about, the most helpful first."""
        order = np.argsort(-self.gains, kind="stable")
        return [int(i) for i in order if np.isfinite(self.gains[i])]

    def _table(self) -> Table | None:
        added_r2 = 100 * self.gains / self.fit.tss
        rows = [
            (self.names[i], float(added_r2[i]), float(self.square_p[i]), *map(float, self.bias[:, i]))
            for i in self._by_gain()
        ]
        columns = (
            Column("column", "left"),
            Column("R² points", digits=3),
            Column("p", digits=2),
            Column("off, lowest tenth", digits=2),
            Column("off, highest tenth", digits=2),
        )
        title = "What the square of each column adds on its own, and how far off predictions are"
        note = "off: mean residual over the residual standard error; above 0, predictions are too low there"
        return Table(columns, rows, title, note, ROWS_SHOWN) if rows else None
