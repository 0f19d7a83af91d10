"""Text files with a header line and separated values.

The types of the columns are found by reading the whole file once as text: a reader that looks at the first block only
takes a column for integers and stops at the first decimal, ten million rows later. The separator is the one of `,` `;`
tab and `|` that the header has most of.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv

from unbend.data.columns import trimmed
from unbend.data.source import BLOCK, Source, slices, source, unreadable_as_data_error
from unbend.errors import DataError

BYTES_AT_A_TIME = 8 << 20
MISSING = [*pacsv.ConvertOptions().null_values, "None", "<NA>"]
KINDS = (pa.int64(), pa.float64(), pa.bool_(), pa.date32(), pa.timestamp("us"), pa.timestamp("us", "UTC"))
"""What a column may be, the narrowest first; text if it is none of these."""


@dataclass(frozen=True)
class CsvSource:
    """One text file whose columns' types are known."""

    path: Path
    separator: str
    schema: pa.Schema

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    def batches(self, rows: int = BLOCK) -> Iterator[pa.RecordBatch]:
        """All rows, at most `rows` at a time."""
        types = dict(zip(self.schema.names, self.schema.types, strict=True))
        for batch in _read(self.path, self.separator, types):
            yield from slices(batch, rows)


def _read(path: Path, separator: str, types: Mapping[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
    with (
        unreadable_as_data_error(path.name, "separated values"),
        pacsv.open_csv(
            path,
            read_options=pacsv.ReadOptions(block_size=BYTES_AT_A_TIME, use_threads=False),
            parse_options=pacsv.ParseOptions(delimiter=separator, newlines_in_values=True),
            convert_options=pacsv.ConvertOptions(
                column_types=dict(types), null_values=MISSING, strings_can_be_null=True
            ),
        ) as reader,
    ):
        yield from reader


@source(suffixes=(".csv", ".tsv", ".csv.gz"))
def open_csv(path: Path) -> Source:
    """Find the separator and the type of every column."""
    with unreadable_as_data_error(path.name, "separated values"):
        header = _header(path)
    separator = _separator(header)
    names = _names(path, separator)
    return CsvSource(path, separator, _types(path, separator, names))


def _header(path: Path) -> str:
    with pa.input_stream(str(path), compression="detect") as file:
        start = file.read(1 << 20)
    if not start.strip():
        raise DataError(f"{path.name} is empty", try_="give a file with a header line and rows")
    if start[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in start:
        raise DataError(f"{path.name} is not UTF-8 text", try_="save it as CSV in UTF-8")
    return start.decode("utf-8-sig", errors="replace").lstrip("\r\n").partition("\n")[0]


def _separator(header: str) -> str:
    outside_quotes = re.sub(r'"[^"]*"', "", header)
    return max(",;\t|", key=outside_quotes.count)


def _names(path: Path, separator: str) -> list[str]:
    with (
        unreadable_as_data_error(path.name, "separated values"),
        pacsv.open_csv(
            path,
            read_options=pacsv.ReadOptions(block_size=BYTES_AT_A_TIME, use_threads=False),
            parse_options=pacsv.ParseOptions(delimiter=separator, newlines_in_values=True),
        ) as reader,
    ):
        names = reader.schema.names
    if names and all(re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?", name, re.IGNORECASE) for name in names):
        raise DataError(
            f"the first line of {path.name} holds numbers, not the names of the columns",
            where=f"it reads {', '.join(names[:5])}",
            try_="put a line with the names of the columns before the first row",
        )
    return names


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
            self.possible = (pa.int64(), pa.float64())[: len(self.possible)]
        else:
            self.possible = tuple(kind for kind in self.possible if _reads_as(values, kind))

    def type(self) -> pa.DataType:
        if not self.any_value:
            return pa.null()
        return self.possible[0] if self.possible else pa.string()


def _reads_as(values: pa.Array, kind: pa.DataType) -> bool:
    try:
        values.cast(kind)
    except pa.ArrowInvalid:
        return False
    return True


def _types(path: Path, separator: str, names: list[str]) -> pa.Schema:
    if len(set(names)) < len(names):
        return pa.schema([(name, pa.string()) for name in names])
    columns = {name: _Column() for name in names}
    for batch in _read(path, separator, dict.fromkeys(names, pa.string())):
        for name, column in columns.items():
            column.see(batch.column(name))
    return pa.schema([(name, column.type()) for name, column in columns.items()])
