"""Rows that come in blocks from Python: an iterator, a function that gives one, or a list of blocks.

A block is a frame, a record batch, a dict of columns, a matrix, or a pair (X, y). An iterator can be read once, and a
regression may need its rows twice, so its blocks are kept in a temporary file when they have come by.
"""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import count, islice
from types import FunctionType, MethodType
from typing import Any

import numpy as np
import pyarrow as pa

from unbend.data.source import BLOCK, OtherTypes, Source, open_source, source
from unbend.data.sources.frame import is_frame
from unbend.data.sources.numpy_arrays import Arrays, open_array
from unbend.errors import DataError

KEPT = "The rows came from an iterator, which can be read once, so they were kept in a temporary file meanwhile."


@dataclass(frozen=True)
class TypedBlocks:
    """Blocks whose columns are given in these types."""

    name: str
    schema: pa.Schema
    blocks: Callable[[], Iterator[Source]]
    widen: bool
    notes: tuple[str, ...] = ()

    def batches(self, rows: int = BLOCK) -> Iterator[pa.RecordBatch]:
        """All rows, at most `rows` at a time."""
        for number, block in enumerate(self.blocks(), 1):
            _refuse_other_columns(self.name, number, block.schema, self.schema)
            for batch in block.batches(rows):
                yield self._typed(batch.select(self.schema.names), number)

    def _typed(self, batch: pa.RecordBatch, number: int) -> pa.RecordBatch:
        if batch.schema.types == self.schema.types:
            return batch
        if not self.widen:
            _common(self.schema, batch.schema, self.name, number)
            raise OtherTypes(f"block {number} of {self.name} has columns of other types than the blocks before")
        return batch.cast(self.schema, safe=False)


@dataclass(frozen=True)
class Blocks:
    """Blocks whose types are known when all were seen."""

    name: str
    blocks: Callable[[], Iterator[Source]]
    notes: tuple[str, ...] = ()

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns of the first block, in types that hold the values of all; takes a reading."""
        total = self._first
        for number, block in enumerate(self.blocks(), 1):
            _refuse_other_columns(self.name, number, block.schema, total)
            total = _common(total, block.schema, self.name, number)
        return total

    @cached_property
    def _first(self) -> pa.Schema:
        schemas = [block.schema.remove_metadata() for block in islice(self.blocks(), 1)]
        if not schemas:
            raise DataError(f"{self.name} has no rows", try_="give at least one block of rows")
        return schemas[0]

    def supposed(self) -> TypedBlocks:
        """The same rows with the types of the first block; reading it may raise OtherTypes."""
        return TypedBlocks(self.name, self._first, self.blocks, widen=False, notes=self.notes)

    def batches(self, rows: int = BLOCK) -> Iterator[pa.RecordBatch]:
        """All rows, at most `rows` at a time."""
        return TypedBlocks(self.name, self.schema, self.blocks, widen=True).batches(rows)


def _refuse_other_columns(name: str, number: int, found: pa.Schema, first: pa.Schema) -> None:
    differing = set(found.names) ^ set(first.names)
    if differing:
        raise DataError(
            f"block {number} of {name} has other columns than the first",
            where=f"only in one of them: {', '.join(sorted(differing))}",
            try_="give every block the same columns",
        )


def _common(total: pa.Schema, other: pa.Schema, name: str, number: int) -> pa.Schema:
    for column in total:
        type_ = other.field(column.name).type
        try:
            pa.unify_schemas([pa.schema([column]), pa.schema([(column.name, type_)])], promote_options="permissive")
        except pa.ArrowException as error:
            raise DataError(
                f"{column.name} holds another kind of values in block {number} of {name}",
                where=f"it is {type_} there, and {column.type} in the blocks before",
                try_=f"give {column.name} in one kind in every block",
            ) from error
    return pa.unify_schemas([total, other.remove_metadata()], promote_options="permissive")


@dataclass
class Kept:
    """The blocks of an iterator, as often as they are asked for: in a temporary file once they have come by."""

    iterator: Iterator[Any]
    file: Any = field(default_factory=tempfile.TemporaryFile)
    places: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        weakref.finalize(self, self.file.close)

    def __call__(self) -> Iterator[Source]:
        """All blocks from the first."""
        for i in count():
            if i == len(self.places) and not self._next():
                return
            yield self._read(*self.places[i])

    def _next(self) -> bool:
        """Keep the next block, if there is one."""
        for block in islice(self.iterator, 1):
            opened = _opened(block)
            start = self.file.seek(0, 2)
            with pa.ipc.new_stream(self.file, opened.schema) as stream:
                for batch in opened.batches():
                    stream.write_batch(batch)
            self.places.append((start, self.file.tell() - start))
            return True
        return False

    def _read(self, start: int, size: int) -> Source:
        self.file.seek(start)
        with pa.ipc.open_stream(self.file.read(size)) as stream:
            return open_source(stream.read_all())


def is_block(data: Any) -> bool:
    """Whether `data` is rows that are all there."""
    return is_frame(data) or isinstance(data, Mapping | np.ndarray) or is_pair(data)


def is_pair(data: Any) -> bool:
    """Whether `data` is a pair (X, y) of a matrix or a frame, and a vector."""
    if not isinstance(data, tuple) or len(data) != 2:
        return False
    x, y = data
    return getattr(x, "ndim", 2) == 2 and (is_frame(x) or isinstance(x, np.ndarray)) and getattr(y, "ndim", 0) == 1


@source(accepts=is_pair)
def open_pair(data: tuple[Any, Any]) -> Source:
    """Take columns and a target; the target's name is y, unless it has one."""
    x, y = data
    target = str(getattr(y, "name", None) or "y")
    if isinstance(x, np.ndarray):
        matrix = open_array(x)
        assert isinstance(matrix, Arrays)  # it is what that gives
        return Arrays.of("pair (X, y)", {**matrix.columns, target: _as_long_as(np.asarray(y), len(x))}, matrix.notes)
    table = pa.Table.from_batches(open_source(x).batches())
    return open_source(table.append_column(target, pa.array(_as_long_as(y, table.num_rows))))


def _as_long_as(y: Any, rows: int) -> Any:
    if len(y) != rows:
        raise DataError(f"X has {rows} rows and y has {len(y)}", try_="give both with one value a row")
    return y


@source(accepts=lambda data: isinstance(data, list) and len(data) > 0 and all(map(is_block, data)))
def open_list(data: list[Any]) -> Source:
    """Take several blocks that are in memory."""
    return Blocks("list of blocks", lambda: map(_opened, data))


@source(accepts=lambda data: hasattr(data, "__next__"))
def open_iterator(data: Iterator[Any]) -> Source:
    """Take an iterator over blocks."""
    return Blocks("iterator", Kept(data), notes=(KEPT,))


@source(accepts=lambda data: isinstance(data, FunctionType | MethodType | partial))
def open_function(data: Callable[[], Any]) -> Source:
    """Take a function that gives a new iterator over the blocks each time it is called."""

    def blocks() -> Iterator[Source]:
        given = data()
        return map(_opened, [given] if is_block(given) else given)

    return Blocks(getattr(data, "__name__", "function"), blocks)


def _opened(block: Any) -> Source:
    if not is_block(block):
        raise DataError(
            f"a block of rows cannot be a {type(block).__name__}",
            try_="give frames, record batches, dicts of columns, matrices or pairs (X, y)",
        )
    return open_source(block)
