"""Text files with a header line and separated values.

The types of the columns are supposed to be those of the first block, and every later value must be one of them: where
the first decimal comes ten million rows after whole numbers, the reading stops with `OtherTypes`, and the types are
found by reading the whole file once as text. The separator is the one of `,` `;` tab and `|` that the header has most
of.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv

from unbend.data.columns import kind_of, trimmed
from unbend.data.source import BLOCK, OtherTypes, Source, slices, source, unreadable_as_data_error
from unbend.errors import DataError

BYTES_AT_A_TIME = 1 << 20
"""Enough to fit a cache."""
HEADERS_AT_A_TIME = 16
"""Where the header is long, rows are too, and a row must fit into what is read at a time."""
LONGEST_HEADER = 1 << 26
MISSING = [*pacsv.ConvertOptions().null_values, "None", "<NA>"]
GLANCE = 20
"""Values that are tried before all are: Arrow goes on to the end after the first that fails."""
KINDS = (pa.int64(), pa.float64(), pa.bool_(), pa.date32(), pa.timestamp("us"), pa.timestamp("us", "UTC"))
"""What a column may be, the narrowest first; text if it is none of these."""


@dataclass(frozen=True)
class Separated:
    """A text file of which the separator is known, and how much of it to read at a time."""

    path: Path
    separator: str
    bytes_at_a_time: int

    def read(self, types: Mapping[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
        """All rows, with the columns in these types."""
        name = self.path.name
        with unreadable_as_data_error(name, "separated values"), _other_types(name), self._open(types) as reader:
            yield from reader

    @cached_property
    def names(self) -> list[str]:
        """Names of the columns."""
        with unreadable_as_data_error(self.path.name, "separated values"), self._open({}) as reader:
            return reader.schema.names

    def as_text(self) -> Iterator[pa.RecordBatch]:
        """All rows as they are written."""
        return self.read(dict.fromkeys(self.names, pa.string()))

    def _open(self, types: Mapping[str, pa.DataType]) -> pacsv.CSVStreamingReader:
        return pacsv.open_csv(
            self.path,
            read_options=pacsv.ReadOptions(block_size=self.bytes_at_a_time, use_threads=False),
            parse_options=pacsv.ParseOptions(delimiter=self.separator, newlines_in_values=True),
            convert_options=pacsv.ConvertOptions(
                column_types=dict(types), null_values=MISSING, strings_can_be_null=True
            ),
        )


@contextmanager
def _other_types(name: str) -> Iterator[None]:
    """Tell values of another type from files that cannot be read."""
    try:
        yield
    except pa.ArrowInvalid as error:
        reason = str(error).splitlines()[0]
        if "conversion error to" in reason and "to string" not in reason:
            raise OtherTypes(f"cannot read {name} as separated values", where=reason) from error
        raise


@dataclass(frozen=True)
class TypedCsv:
    """A text file whose columns are read as these types."""

    file: Separated
    schema: pa.Schema

    @property
    def name(self) -> str:
        """The file's name."""
        return self.file.path.name

    def batches(self, rows: int = BLOCK) -> Iterator[pa.RecordBatch]:
        """All rows, at most `rows` at a time."""
        for batch in self.file.read(dict(zip(self.schema.names, self.schema.types, strict=True))):
            yield from slices(batch, rows)

    def as_written(self, columns: Collection[str]) -> TypedCsv:
        """The same rows, with the text of these columns."""
        texts = {field.name for field in self.schema if kind_of(field.type) == "number" and field.name in columns}
        types = [(field.name, pa.string() if field.name in texts else field.type) for field in self.schema]
        return TypedCsv(self.file, pa.schema(types))


@dataclass(frozen=True)
class CsvSource:
    """A text file."""

    file: Separated

    @property
    def name(self) -> str:
        """The file's name."""
        return self.file.path.name

    @cached_property
    def schema(self) -> pa.Schema:
        """The narrowest types that hold all values; takes a reading."""
        return _types(self.file.names, self.file.as_text())

    @cached_property
    def _first_types(self) -> pa.Schema:
        return _types(self.file.names, islice(self.file.as_text(), 1))

    def supposed(self) -> TypedCsv:
        """The same rows with the types of the first ones; reading it may raise OtherTypes."""
        return TypedCsv(self.file, self.__dict__.get("schema") or self._first_types)

    def batches(self, rows: int = BLOCK) -> Iterator[pa.RecordBatch]:
        """All rows, at most `rows` at a time."""
        return TypedCsv(self.file, self.schema).batches(rows)

    def as_written(self, columns: Collection[str]) -> TypedCsv:
        """The same rows, with the text of these columns."""
        return TypedCsv(self.file, self.schema).as_written(columns)


@source(suffixes=(".csv", ".tsv", ".csv.gz"))
def open_csv(path: Path) -> Source:
    """Find the separator and the type of every column."""
    with unreadable_as_data_error(path.name, "separated values"):
        header = _header(path)
    outside_quotes = re.sub(r'"[^"]*"', "", header)
    separator = max(",;\t|", key=outside_quotes.count)
    file = Separated(path, separator, max(BYTES_AT_A_TIME, HEADERS_AT_A_TIME * len(header)))
    _refuse_numbers_for_names(path, file.names)
    return CsvSource(file)


def _header(path: Path) -> str:
    with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
        line = file.readline(LONGEST_HEADER)
        while line.strip() == b"" != line:
            line = file.readline(LONGEST_HEADER)
    if not line:
        raise DataError(f"{path.name} is empty", try_="give a file with a header line and rows")
    if line[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in line:
        raise DataError(f"{path.name} is not UTF-8 text", try_="save it as CSV in UTF-8")
    return line.decode("utf-8", errors="replace")


def _refuse_numbers_for_names(path: Path, names: list[str]) -> None:
    if names and all(re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?", name, re.IGNORECASE) for name in names):
        raise DataError(
            f"the first line of {path.name} holds numbers, not the names of the columns",
            where=f"it reads {', '.join(names[:5])}",
            try_="put a line with the names of the columns before the first row",
        )


@dataclass
class _Column:
    """The kinds that all values of a column so far can be read as."""

    possible: tuple[pa.DataType, ...] = KINDS
    any_value: bool = False

    def see(self, values: pa.Array) -> None:
        values = trimmed(values.drop_null())
        if len(values) == 0 or not self.possible:
            return
        self.any_value = True
        if self.possible[0] == pa.int64() and _reads_as(values, pa.int64()):
            self.possible = KINDS[:2]
        else:
            self.possible = tuple(kind for kind in self.possible if _reads_as(values, kind))

    def type(self) -> pa.DataType:
        if not self.any_value:
            return pa.null()
        return self.possible[0] if self.possible else pa.string()


def _reads_as(values: pa.Array, kind: pa.DataType) -> bool:
    try:
        values[:GLANCE].cast(kind)
        values.cast(kind)
    except pa.ArrowInvalid:
        return False
    return True


def _types(names: list[str], texts: Iterable[pa.RecordBatch]) -> pa.Schema:
    """The narrowest type of each column that holds all of its values."""
    if len(set(names)) < len(names):
        return pa.schema([(name, pa.string()) for name in names])
    columns = {name: _Column() for name in names}
    for batch in texts:
        for name, column in columns.items():
            column.see(batch.column(name))
    return pa.schema([(name, column.type()) for name, column in columns.items()])
