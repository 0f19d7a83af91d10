"""Parquet files, read one row group at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from unbend.data.parallel import cores
from unbend.data.source import BLOCK, Source, source, unreadable_as_data_error

BYTES_AT_A_TIME = 1 << 15
"""Of each column; the default reads whole row groups, and with `pre_buffer` a file of 1.6 GB takes 1.7 GB."""
ROWS_AT_A_TIME, NUMBERS_AT_A_TIME = 1 << 13, 1 << 18
"""At most the one or the other, whichever are more rows: what Arrow has in hand is little beside a page of each column
then."""

NUMBERS_IN_A_PART = 25_000_000
"""About how many numbers make a part for a worker, which reads them in blocks: a tenth of a second of work, which
is much beside a message, little to lose, and little to wait for at the end."""


@dataclass(frozen=True)
class ParquetSource:
    """One Parquet file, or some of its row groups."""

    path: Path
    schema: pa.Schema
    groups: tuple[int, ...] | None = None
    rows: int | None = None

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    def split(self) -> list[ParquetSource]:
        """The file in parts of some row groups each, of about `NUMBERS_IN_A_PART` numbers."""
        with unreadable_as_data_error(self.name, "Parquet"):
            footer = pq.read_metadata(self.path)
        rows = np.cumsum([footer.row_group(i).num_rows for i in range(footer.num_row_groups)], dtype=np.int64)
        part = np.unique(rows * len(self.schema) // NUMBERS_IN_A_PART, return_inverse=True)[1]
        groups = [tuple(np.flatnonzero(part == i).tolist()) for i in range(max(part, default=-1) + 1)]
        return [replace(self, groups=some, rows=None) for some in groups] if len(groups) > 1 else [self]

    def batches(self, rows: int = BLOCK) -> Iterator[pa.RecordBatch]:
        """All rows, at most `rows` at a time."""
        rows = min(rows, _rows_at_a_time(len(self.schema)))
        with unreadable_as_data_error(self.name, "Parquet"), self._opened() as file:
            groups = None if self.groups is None else list(self.groups)
            yield from file.iter_batches(batch_size=rows, row_groups=groups, use_threads=cores() > 1)

    def _opened(self) -> pq.ParquetFile:
        return pq.ParquetFile(self.path, pre_buffer=False, buffer_size=BYTES_AT_A_TIME, page_checksum_verification=True)


def _rows_at_a_time(columns: int) -> int:
    """A power of two, as Arrow takes room for so many.

    >>> _rows_at_a_time(3), _rows_at_a_time(21), _rows_at_a_time(1000), _rows_at_a_time(300_000)
    (65536, 8192, 8192, 8192)
    """
    return max(ROWS_AT_A_TIME, 1 << max(NUMBERS_AT_A_TIME // max(columns, 1), 1).bit_length() - 1)


@source(suffixes=(".parquet", ".pq"))
def open_parquet(path: Path) -> Source:
    """Read the footer of a Parquet file."""
    with unreadable_as_data_error(path.name, "Parquet"), pq.ParquetFile(path) as file:
        return ParquetSource(path, file.schema_arrow, rows=file.metadata.num_rows)
