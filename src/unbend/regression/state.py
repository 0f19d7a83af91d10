"""What a linear fit keeps of its rows, so that it can go on without them: to be saved, merged, added to, taken from.

The sums are in two parts (`unbend.regression.sums`), so the coefficients are those of one fit of all rows to the last
digits, in whatever pieces and order the rows came and went.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from unbend.data import Coding, Table, column_names, open_source, open_table
from unbend.data.distributed import Parts
from unbend.data.source import ArrowTable
from unbend.data.table import rows_note
from unbend.errors import DataError, UsageError
from unbend.regression import saving
from unbend.regression.design import Powers
from unbend.regression.from_sums import from_sums
from unbend.regression.linear import LinearFit, Origin, linear_fit
from unbend.regression.moments import Block
from unbend.regression.ordinary import Collinear, without_hyphen
from unbend.regression.polynomial import Polynomial, polynomial
from unbend.regression.reading import refuse_unsquarable, rows_are_gone
from unbend.regression.refusals import only_value, refuse_options, refuse_table, too_few_rows
from unbend.regression.ridge import ridge as solve_ridge
from unbend.regression.rows import TableBlocks, added_where_they_are
from unbend.regression.sums import Sums
from unbend.regression.weighting import PRECISION, Weights, no_weight, refuse_weights, weighting


@dataclass(frozen=True, eq=False)
class FitState:
    """Sufficient statistics of a linear regression, with the columns that they are of.

    `a + b` are the rows of both and `a - b` those of a without those of b, which must be among them.

    Attributes
    ----------
    target : the column to explain
    coding : how the columns are coded
    features : the columns that are used
    degree : 1, or 2 with squares and products
    sums : of [columns | target]
    n_read : all rows; `sums.n` of them are complete
    missing : number of missing values by column
    sources : names of what was read
    notes : sentences that say what was done to the columns
    weights : the column that rows are weighted by, as precisions; None without
    unweighted : complete rows of weight 0, which are left out
    intercept : whether the fit has one

    Examples
    --------
    >>> first = FitState.of({"x": [0.0, 1.0, 2.0, 3.0], "y": [1.0, 3.0, 5.0, 7.5]}, "y")
    >>> both = first.more({"x": [4.0, 5.0], "y": [9.0, 11.0]})
    >>> both.fit().n, round(float(both.fit().coef[0]), 12)
    (6, 2.014285714286)
    >>> round(float((both - first + first).fit().coef[0]), 12)
    2.014285714286
    """

    target: str
    coding: Coding
    features: tuple[str, ...]
    degree: int
    sums: Sums
    n_read: int
    missing: Mapping[str, int]
    sources: tuple[str, ...]
    notes: tuple[str, ...] = ()
    weights: str | None = None
    unweighted: int = 0
    intercept: bool = True

    @classmethod
    def of(
        cls,
        data: Any,
        target: str,
        *,
        degree: int = 1,
        exclude: Sequence[str] = (),
        weights: str | None = None,
        intercept: bool = True,
    ) -> FitState:
        """Read data once for its columns and once for its sums; the arguments are those of `unbend.fit`.

        Raises
        ------
        DataError
            If the data cannot be read, or the target is a class.
        """
        refuse_options(degree, 0.95, "error")
        if degree > 2:
            raise UsageError(f"a saved fit of degree {degree} is not offered", try_="choose 1 or 2")
        source = open_source(data)
        refuse_weights(weights, target, source)
        table = open_table(source, target, exclude=(*exclude, *column_names(weights)))
        return cls.of_table(table, degree, weights, intercept)

    @classmethod
    def of_table(cls, table: Table, degree: int = 1, weights: str | None = None, intercept: bool = True) -> FitState:
        """The same for a table that is open already."""
        refuse_table(table)
        about_rows = rows_note(table.n, table.n_read, table.missing)
        sums = table_sums(table, _terms(table.coding, degree), weights=weights)
        return cls(
            table.target,
            table.coding,
            table.features,
            degree,
            sums,
            table.n_read,
            table.missing,
            (table.source.name,),
            tuple(note for note in table.notes if note not in about_rows),
            weights,
            table.n - sums.n,
            intercept,
        )

    def more(self, data: Any) -> FitState:
        """With more rows, which need the same columns and no other levels; a note says if a file comes again."""
        source = open_source(data)
        both = self + self._of_other(source)
        if source.name not in self.sources or getattr(source, "in_memory", False) or isinstance(source, Parts):
            return both
        note = f"{source.name} is in this fit already: its rows are counted again, unless it is another file."
        return replace(both, notes=tuple(dict.fromkeys((*self.notes, note))))

    def without(self, data: Any) -> FitState:
        """Without rows that were read before."""
        return self - self._of_other(data)

    @property
    def terms(self) -> Polynomial | None:
        """Squares and products, if there are any."""
        return _terms(self.coding, self.degree)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns of the regression."""
        return self.coding.names if self.terms is None else self.terms.names

    def fit(
        self,
        *,
        ridge: float | Literal["gcv", "auto"] | None = None,
        level: float = 0.95,
        collinear: Collinear = "error",
    ) -> LinearFit:
        """The linear regression of all rows; the arguments are those of `unbend.fit`.

        Raises
        ------
        DataError
            If the rows cannot be regressed: too few, a constant target, collinear columns.
        """
        refuse_options(self.degree, level, collinear)
        collinear = without_hyphen(collinear)
        n, p = self.sums.n, len(self.names)
        sums = self.sums if self.weights is None else self.sums.scaled(n / self.sums.weight)
        about = sums if self.intercept else sums.about_origin()
        moments = about.moments()
        refuse_unsquarable(moments, (*self.names, self.target))
        if about.centred.hi[-1, -1] <= about.error[-1]:
            raise only_value(self.target, n, f"{float(sums.mean.hi[-1]):.6g}")
        if ridge:
            found = solve_ridge(moments, ridge, self.names, intercept=self.intercept)
        elif n < p + 1 + self.intercept:
            raise too_few_rows(n, p, intercept=self.intercept)
        else:
            optional = [j >= len(self.coding.terms) for j in range(p)]
            found = from_sums(sums, self.names, collinear=collinear, optional=optional, intercept=self.intercept)
        return linear_fit(self.origin, self.terms, replace(found, shares=self.sums.shares), level)

    @property
    def origin(self) -> Origin:
        """Where the rows come from, for people."""
        n = self.sums.n
        notes = (*rows_note(n + self.unweighted, self.n_read, self.missing), *self.notes)
        origin = Origin(_listed(self.sources), self.target, notes, self.coding)
        if self.weights is None:
            return origin
        weighted = origin.with_note(weighting(self.weights, PRECISION, self.unweighted))
        return replace(weighted, weights=Weights(self.weights, self.sums.weight / n))

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write everything to a file, from which `FitState.load` makes the same again.

        Raises
        ------
        UsageError
            If it may not be written there: `force` overwrites files that unbend did not make.
        """
        saving.save(self, path, force=force)

    @classmethod
    def load(cls, path: str | Path) -> FitState:
        """What `save` wrote.

        Raises
        ------
        DataError
            If the file is not a saved fit, or of a later version.
        """
        return saving.load(cls, path)

    def __add__(self, other: FitState) -> FitState:
        self._refuse_other(other)
        return replace(
            self,
            sums=self.sums + other.sums,
            n_read=self.n_read + other.n_read,
            unweighted=self.unweighted + other.unweighted,
            missing=dict(Counter(self.missing) + Counter(other.missing)),
            sources=tuple(dict.fromkeys((*self.sources, *other.sources))),
        )

    def __sub__(self, other: FitState) -> FitState:
        self._refuse_other(other)
        left = self.sums - other.sums
        if left.n < 0 or np.any(np.diag(left.products.hi) < -left.error):
            raise DataError(
                f"rows cannot be taken away that are not there: {_listed(other.sources)}",
                where=f"{other.sums.n} rows of {self.sums.n}",
                try_="take away only rows that were read before",
            )
        fewer = Counter(self.missing)
        fewer.subtract(other.missing)
        return replace(
            self,
            sums=left,
            n_read=self.n_read - other.n_read,
            unweighted=self.unweighted - other.unweighted,
            missing={name: count for name, count in fewer.items() if count > 0},
            sources=tuple(name for name in self.sources if name not in other.sources) or self.sources,
        )

    def _of_other(self, data: Any) -> FitState:
        """The state of other rows in the same columns and coding, and about the same shift."""
        known, source = ArrowTable(_listed(self.sources), pa.table({})), open_source(data)
        refuse_weights(self.weights, self.target, source)
        table = Table(known, self.target, self.coding, self.features, None, 0, 0, {}, ()).reading(source)
        sums = table_sums(table, self.terms, self.sums.shift, self.weights)
        return replace(
            self,
            sums=sums,
            n_read=table.n_read,
            unweighted=table.n - sums.n,
            missing=table.missing,
            sources=(table.source.name,),
        )

    def _refuse_other(self, other: FitState) -> None:
        """Raise UsageError if the two are not of the same columns."""
        if (self.target, self.degree) != (other.target, other.degree):
            raise _different(f"one is of {self.target} (degree {self.degree})", f"{other.target} ({other.degree})")
        if (self.weights, self.intercept) != (other.weights, other.intercept):
            raise _different(*(_rows_and_intercept(one) for one in (self, other)))
        mine, theirs = dict(self.coding.levels), dict(other.coding.levels)
        for name in mine.keys() & theirs.keys():
            if mine[name] != theirs[name]:
                raise _different(f"{name} has the levels {', '.join(mine[name])}", ", ".join(theirs[name]))
        if self.coding.terms != other.coding.terms:
            raise _different(f"one has the columns {', '.join(self.coding.names)}", ", ".join(other.coding.names))


def _rows_and_intercept(state: FitState) -> str:
    rows = "has no weights" if state.weights is None else f"is weighted by {state.weights}"
    return f"one {rows}" + ("" if state.intercept else " and has no intercept")


def _terms(coding: Coding, degree: int) -> Polynomial | None:
    return polynomial(coding, degree) if degree > 1 else None


def table_sums(
    table: Table, terms: Polynomial | None = None, shift: np.ndarray | None = None, weights: str | None = None
) -> Sums:
    """One reading of a table, about this shift or that of its first rows; `weights` names a column.

    Raises
    ------
    DataError
        If there are no rows any more, or none of a weight; if squares of the numbers overflow or vanish.
    """
    rows = TableBlocks(table, weights=weights)
    total = added_where_they_are(
        rows if terms is None else Powers(rows, terms), partial(_block_sums, shift), shared=True
    )
    if total is None:
        raise rows_are_gone(table)
    if total.n == 0 and weights is not None:
        raise no_weight(table, weights)
    with np.errstate(over="ignore", invalid="ignore"):
        moments = total.moments()
    refuse_unsquarable(moments, (*(table.names if terms is None else terms.names), table.target))
    return total


def _block_sums(shift: np.ndarray | None, block: Block, first: Sums | None = None) -> Sums:
    with np.errstate(over="ignore", invalid="ignore"):
        return Sums.of(block, shift if first is None else first.shift)


def _listed(sources: Sequence[str]) -> str:
    if len(sources) > 3:
        return f"{sources[0]} and {len(sources) - 1} more"
    return " and ".join([", ".join(sources[:-1]), sources[-1]] if len(sources) > 1 else sources)


def _different(mine: str, theirs: str) -> UsageError:
    return UsageError(
        "two fits of different columns cannot be put together",
        where=f"{mine}, the other {theirs}",
        try_="read the other rows as the first were read: unbend fit MORE --update FIRST.fit, or first.more(rows)",
    )
