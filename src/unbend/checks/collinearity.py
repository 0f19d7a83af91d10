"""No collinearity: no column is nearly a straight-line function of the others."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import solve_triangular

from unbend.checks.fitted import Fitted
from unbend.checks.table import check
from unbend.checks.verdict import Check, Verdict
from unbend.document import Column, Table, number
from unbend.findings import Finding

HARDLY_WIDER = 1.05
"""Where no interval is wider by this factor than if the columns were unrelated, they are said to be hardly related."""
NOTICEABLE_WIDTH = np.sqrt(5)
HARMFUL_WIDTH = np.sqrt(10)
"""How many times wider an interval may be than without the other columns: the usual limits of the variance inflation
factor, 5 and 10, where 80 % and 90 % of what a column could have told is told by the others."""

IN_GROUP = 0.5
"""A column belongs to a near-dependency if it takes more than this share of the column's variance (Belsley, Kuh and
Welsch)."""

ROWS_SHOWN = 15


@dataclass(frozen=True)
class Decomposition:
    """Belsley, Kuh and Welsch's table: `indices` (k,) from 1 upwards, and `proportions` (k components, k columns),
    the share of each column's variance that each component brings."""

    indices: np.ndarray
    proportions: np.ndarray


def decompose(factor: np.ndarray) -> Decomposition:
    """Condition indices and variance proportions of any X with XᵀX = factorᵀ factor, columns scaled to length 1."""
    _, singular, vt = np.linalg.svd(factor / np.linalg.norm(factor, axis=0), full_matrices=False)
    share = (vt / singular[:, None]) ** 2
    return Decomposition(singular[0] / singular, share / share.sum(0))


@check(assumption="collinearity", needs="moments")
class VarianceInflation:
    """No column is nearly a combination of the others.

    The variance inflation factor of each column, 1 / (1 − R² on the others); for a category the generalised one of all
    its coded columns together. The interval of a coefficient is √VIF times as wide as if the columns were unrelated;
    nothing is wrong with predictions.

    Checked against: statsmodels variance_inflation_factor, R car::vif, and Belsley's table in stored R values, 1e-8
    (longley 1e-6).
    Source: Belsley, Kuh and Welsch (1980), Regression Diagnostics, chapter 3; Fox and Monette (1992), JASA 87, 178-183;
    Hoerl, Kennard and Baldwin (1975), Communications in Statistics 4, 105-123 for the strength of the ridge.
    """

    test = "largest VIF"

    def __init__(self, fitted: Fitted) -> None:
        self.fit = fitted
        self.columns = tuple(dict.fromkeys(fitted.columns))
        self.terms = [[i for i, c in enumerate(fitted.columns) if c == column] for column in self.columns]

    @cached_property
    def factors(self) -> np.ndarray:
        """The (generalised) variance inflation factor of each column of the source, (columns,)."""
        return inflation(self.fit.factor, self.terms)

    @cached_property
    def widths(self) -> np.ndarray:
        """How many times wider the intervals of each column are than if it were unrelated to the rest, (columns,)."""
        return self.factors ** (0.5 / np.array([len(own) for own in self.terms]))

    @cached_property
    def belsley(self) -> Decomposition:
        """Belsley's table with the constant first, the columns not centred."""
        whole = np.zeros((self.fit.p + 1, self.fit.p + 1))
        whole[0] = np.sqrt(self.fit.n) * np.append(1.0, self.fit.mean)
        whole[1:, 1:] = self.fit.factor
        return decompose(whole)

    @cached_property
    def group(self) -> tuple[int, ...]:
        """The columns of the source in the nearest dependency (the constant taken out first), the widest first."""
        shares = decompose(self.fit.factor).proportions[-1]
        inside = [i for i, own in enumerate(self.terms) if shares[own].max() > IN_GROUP]
        return tuple(sorted({*inside, int(self.widths.argmax())}, key=lambda i: -self.widths[i]))

    def without(self, column: int) -> tuple[float, float]:
        """The largest width that is left, and R², if one column of the source is dropped."""
        kept = [own for i, own in enumerate(self.terms) if i != column]
        if not kept:
            return 1.0, 0.0
        places = [i for own in kept for i in own]
        factor = np.asarray(np.linalg.qr(self.fit.factor[:, places], mode="r"))
        sizes = np.array([len(own) for own in kept])
        renumbered = np.split(np.arange(len(places)), np.cumsum(sizes)[:-1])
        widths = inflation(factor, [list(own) for own in renumbered]) ** (0.5 / sizes)
        solved = np.linalg.lstsq(self.fit.factor[:, places], self.fit.coordinates, rcond=None)[0]
        explained = np.sum((self.fit.factor[:, places] @ solved) ** 2)
        return float(widths.max()), float(explained / self.fit.tss)

    @cached_property
    def ridge_widths(self) -> np.ndarray:
        """`widths` under ridge regression, with the strength that Hoerl, Kennard and Baldwin give, (columns,)."""
        size = np.linalg.norm(self.fit.factor, axis=0)
        _, singular, vt = np.linalg.svd(self.fit.factor / size)
        signal, noise = np.sum((self.fit.slopes * size) ** 2), self.fit.p * self.fit.sigma**2
        shrunk = singular * signal / (singular**2 * signal + noise)
        widths = np.linalg.norm(vt * shrunk[:, None], axis=0)
        return np.array([widths[own].max() for own in self.terms])

    def verdict(self) -> Check:
        """Answer from the moments alone."""
        worst = self.group[0]
        effect = Finding(
            "width_factor",
            f"The largest variance inflation factor is {number(self.factors[worst])} ({self.columns[worst]}); the "
            f"condition index of the columns is {number(self.belsley.indices[-1], 3)}.",
            "measured on these rows",
            float(self.widths[worst]),
        )
        return Check(
            "collinearity",
            self.test,
            self._word(),
            float(self.factors[worst]),
            None,
            effect,
            self._consequence(),
            self._remedy(),
            self._table(),
        )

    def _word(self) -> Verdict:
        if self.fit.relations or self.widths.max() > HARMFUL_WIDTH:
            return "harmful"
        return "noticeable" if self.widths.max() > NOTICEABLE_WIDTH else "fine"

    def _consequence(self) -> str:
        worst = self.group[0]
        exact = "".join(
            f"{relation}, exactly: a column that the others give has no coefficient of its own and was left out. "
            for relation in self.fit.relations
        )
        if self.fit.p == 1:
            return exact + "There is only one column to estimate."
        if self.widths.max() < HARDLY_WIDER:
            return f"{exact}The columns are hardly related: no interval is noticeably wider for it."
        return (
            f"{exact}The interval of {self.columns[worst]} is {number(self.widths[worst], 3)} times as wide as if the "
            "columns were unrelated; predictions are not affected."
        )

    def _remedy(self) -> str:
        if self.widths.max() <= NOTICEABLE_WIDTH:
            return "None needed." if not self.fit.relations else "None needed beyond leaving out what is exact."
        names = [self.columns[i] for i in self.group]
        width, r2 = self.without(self.group[0])
        together = " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else f"{names[0]} and the others"
        return (
            f"{together} say nearly the same. Without {names[0]} the widest interval is {number(width, 3)} "
            f"times as wide and R² goes from {number(self.fit.r2)} to {number(r2)}; ridge keeps every column, for a "
            "small bias. For predictions alone nothing need be done."
        )

    def _table(self) -> Table:
        order = np.argsort(-self.widths, kind="stable")[:ROWS_SHOWN]
        rows = []
        for i in order:
            left, r2 = self.without(int(i))
            rows.append(
                (self.columns[i], float(self.factors[i]), float(self.widths[i]), float(self.ridge_widths[i]), left, r2)
            )
        columns = (
            Column("column", "left"),
            Column("VIF"),
            Column("times wider", digits=3),
            Column("… with ridge", digits=3),
            Column("widest without it", digits=3),
            Column("R² without it"),
        )
        return Table(columns, rows, title="How much wider each interval is than if the columns were unrelated")


def inflation(factor: np.ndarray, terms: list[list[int]]) -> np.ndarray:
    """Generalised variance inflation factors of groups of columns of X with XᵀX = factorᵀ factor, X centred.

    det(XᵀX)_own · det((XᵀX)⁻¹)_own, which for one column is 1 / (1 − R²).
    """
    inverse = solve_triangular(factor, np.eye(len(factor)))
    volumes = [np.linalg.svd(factor[:, own], compute_uv=False) for own in terms]
    others = [np.linalg.svd(inverse[own], compute_uv=False) for own in terms]
    return np.array([np.prod(v * o) ** 2 for v, o in zip(volumes, others, strict=True)])
