"""The rows of a source as the columns of a formula: a source itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from unbend.data.coding import Coding
from unbend.data.columns import of_numpy
from unbend.data.formula.fitting import fitted
from unbend.data.formula.model import FormulaCoding, Model
from unbend.data.formula.parsing import Parsed
from unbend.data.source import BLOCK, Source, supposed


@dataclass(frozen=True)
class ModelRows:
    """The columns of a formula over the rows of a source, which is itself a source."""

    source: Source
    model: Model
    kept: tuple[str, ...]

    @property
    def name(self) -> str:
        """That of the source."""
        return self.source.name

    @property
    def notes(self) -> tuple[str, ...]:
        """Those of the source."""
        return getattr(self.source, "notes", ())

    @property
    def rows(self) -> int | None:
        """How many there are, if the source knows."""
        return getattr(self.source, "rows", None)

    @property
    def in_memory(self) -> bool:
        """Whether the rows are in memory; they are made into columns again at every reading."""
        return getattr(self.source, "in_memory", False)

    @property
    def schema(self) -> pa.Schema:
        """The columns of the formula, and those that are kept as they are."""
        made = [(name, pa.float64()) for name in (*self.model.columns, *self._left)]
        return pa.schema([*made, *(self.source.schema.field(name) for name in self._raw)])

    @property
    def _left(self) -> tuple[str, ...]:
        return () if self.model.left is None else (self.model.formula.target or "",)

    @property
    def _raw(self) -> tuple[str, ...]:
        target = self.model.formula.target
        raw = [*([target] if target and self.model.left is None else []), *self.kept]
        return tuple(name for name in dict.fromkeys(raw) if name not in (*self.model.columns, *self._left))

    def batches(self, rows: int = BLOCK) -> Iterator[pa.RecordBatch]:
        """All rows, at most `rows` at a time."""
        start, schema = 0, self.schema
        for batch in self.source.batches(rows):
            made = self.model.of(batch, start)
            start += batch.num_rows
            arrays = [of_numpy(made[name]) if name in made else batch.column(name) for name in schema.names]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def missing(self, counted: Mapping[str, int]) -> dict[str, int]:
        """Numbers of missing values by column of the source, from those that were counted in the columns made of it."""
        made = (*self.model.columns, *self._left)
        return {**{name: n for name, n in counted.items() if name not in made}, **self.model.missing}

    def coding(self, *of_columns: Any) -> Coding:
        """The coding of these columns, which takes raw rows as well."""
        return FormulaCoding(*of_columns, model=self.model)


@dataclass(frozen=True)
class FormulaSource:
    """The same, before the rows are read for what the formula must know of them."""

    source: Source
    formula: Parsed
    kept: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """That of the source."""
        return self.source.name

    @cached_property
    def _made(self) -> ModelRows:
        return ModelRows(self.source, fitted(self.source, self.formula), self.kept)

    @property
    def schema(self) -> pa.Schema:
        """The columns of the formula; takes a reading."""
        return self._made.schema

    def supposed(self) -> ModelRows:
        """The rows as the types of the first ones have it; takes a reading, which may raise OtherTypes."""
        source = supposed(self.source)
        return self._made if source is self.source else ModelRows(source, fitted(source, self.formula), self.kept)

    def batches(self, rows: int = BLOCK) -> Iterator[pa.RecordBatch]:
        """All rows, at most `rows` at a time."""
        return self._made.batches(rows)
