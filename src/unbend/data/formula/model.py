"""A formula that knows what it must of the rows it was fitted on: it makes any rows into columns."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from unbend.data.coding import Coding, unknown_level
from unbend.data.columns import as_numbers, as_text, is_missing, kind_of
from unbend.data.formula.parsing import Parsed
from unbend.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

INTERCEPT = "Intercept"


@dataclass(frozen=True)
class Model:
    """A formula with all that it must know of the rows it was fitted on.

    Attributes
    ----------
    formula : what was parsed
    levels : of the columns that are categories
    spec, left : formulaic's specification of the right side, and of the left if that is not one column as it is
    missing : number of missing values of the columns that it uses, in those rows
    """

    formula: Parsed
    levels: dict[str, tuple[str, ...]]
    spec: Any
    left: Any
    missing: Mapping[str, int] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, as formulaic writes them, without the intercept."""
        return tuple(str(name) for name in self.spec.column_names if name != INTERCEPT)

    def of(self, batch: pa.RecordBatch, start: int | None = None) -> dict[str, np.ndarray]:
        """The columns (n,) float64 of raw rows by name, NaN where a value is missing; with the left side if it is code.

        Raises
        ------
        DataError
            If a category has a new level, or if a function has no value; it names the row if the first one's number
            is given.
        """
        self._refuse_new_levels(batch, start)
        made = dict(zip(self.columns, self._side(self.spec, batch, start).T, strict=True))
        if self.left is not None:
            made[self.formula.target or ""] = self._side(self.left, batch, start)[:, 0]
        return made

    def _side(self, spec: Any, batch: pa.RecordBatch, start: int | None) -> np.ndarray:
        data = frame(batch, self.formula.names)
        with quiet():
            matrix = np.array(spec.get_model_matrix(data, context={}, na_action="ignore"), dtype=float)
        matrix = matrix.reshape(batch.num_rows, -1)
        names = list(spec.column_names)
        incomplete = np.zeros(batch.num_rows, dtype=bool)
        for name in self.formula.names:
            missing = is_missing(batch.column(name)) if name in batch.schema.names else incomplete
            incomplete |= missing
            for term in spec.variable_terms.get(name, ()):
                matrix[np.ix_(missing, spec.term_indices[term])] = np.nan
        wrong = np.isnan(matrix) & ~incomplete[:, None]
        if wrong.any():
            row, column = (int(at) for at in np.argwhere(wrong)[0])
            place = "" if start is None else f" in row {start + row}"
            raise DataError(
                f"{names[column]} is not a number{place}",
                where=f"formula {self.formula.text}",
                try_="such as the logarithm of a negative number: leave these rows out, or choose another function",
            )
        kept = [j for j, name in enumerate(names) if name != INTERCEPT]
        return matrix[:, kept]

    def _refuse_new_levels(self, batch: pa.RecordBatch, start: int | None) -> None:
        for name, levels in self.levels.items():
            texts = as_text(batch.column(name))
            for value in set(texts.unique().drop_null().to_pylist()) - set(levels):
                row = None if start is None else start + texts.index(value).as_py()
                raise unknown_level(name, value, levels, row)


@dataclass(frozen=True)
class FormulaCoding(Coding):
    """The columns of a formula: of raw rows, or of rows that have these columns already."""

    model: Model | None = field(default=None, repr=False)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of a table that it needs."""
        if self.model is None:
            return super().columns
        needed = set(map(str, self.model.spec.required_variables))
        return tuple(name for name in self.model.formula.names if name in needed)

    @property
    def apart(self) -> tuple[bool, ...]:
        """Of each coded column, whether what it is made of is in no other term, and it is no power among others."""
        if self.model is None:
            return super().apart
        spec, columns = self.model.spec, self.model.spec.column_names
        of_columns = (spec.variable_terms.get(name, ()) for name in self.model.formula.names)
        shared = {term for terms in of_columns if len(terms) > 1 for term in terms}
        alone = [term for term in spec.terms if term not in shared and len(term.factors) == 1]
        names = {str(columns[j]) for term in alone if "poly(" not in str(term) for j in spec.term_indices[term]}
        return tuple(name in names for name in self.names)

    def encode(self, batch: pa.RecordBatch, start: int | None = None) -> np.ndarray:
        """The coded columns of a batch; (n, len(terms)) float64 in C order, NaN where a value is missing."""
        if self.model is None or set(self.names) <= set(batch.schema.names):
            return super().encode(batch, start)
        made = replace(self.model, left=None).of(batch, start)
        return np.column_stack([np.empty((batch.num_rows, 0)), *(made[name] for name in self.names)])


def frame(batch: pa.RecordBatch, names: Sequence[str]) -> pd.DataFrame:
    """The columns of a formula, as far as a batch has them, as formulaic takes them."""
    import pandas as pd

    columns = {}
    for name in names:
        if name in batch.schema.names:
            columns[name] = _values(batch.column(name))
    return pd.DataFrame(columns, index=range(batch.num_rows))


def _values(column: pa.Array) -> np.ndarray:
    """Numbers as whole ones or yes/no where they are and all are there, which shows in the names of levels; text."""
    if kind_of(column.type) not in ("number", "boolean"):
        return np.array(as_text(column).to_pylist(), dtype=object)
    if column.null_count == 0 and not pa.types.is_floating(column.type) and not pa.types.is_decimal(column.type):
        return column.to_numpy(zero_copy_only=False)
    return as_numbers(column)


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings of functions that have no value somewhere: that is found out, and named, afterwards."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield
