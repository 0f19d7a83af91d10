"""Arrow IPC: the file format (also called Feather version 2) and the stream format."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from unbend.data.source import BLOCK, Source, slices, source, unreadable_as_data_error

FILE_MAGIC = b"ARROW1"


@dataclass(frozen=True)
class ArrowSource:
    """One Arrow file or stream, memory-mapped."""

    path: Path
    schema: pa.Schema

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    def batches(self, rows: int = BLOCK) -> Iterator[pa.RecordBatch]:
        """All rows, at most `rows` at a time."""
        with unreadable_as_data_error(self.name, "Arrow"), _reader(self.path) as reader:
            for batch in _stored(reader):
                yield from slices(batch, rows)


@contextmanager
def _reader(path: Path) -> Iterator[pa.RecordBatchReader | pa.RecordBatchFileReader]:
    with pa.memory_map(str(path)) as file:
        is_file = file.read(len(FILE_MAGIC)) == FILE_MAGIC
        file.seek(0)
        with pa.ipc.open_file(file) if is_file else pa.ipc.open_stream(file) as reader:
            yield reader


def _stored(reader: pa.RecordBatchReader | pa.RecordBatchFileReader) -> Iterator[pa.RecordBatch]:
    if isinstance(reader, pa.RecordBatchFileReader):
        return (reader.get_batch(i) for i in range(reader.num_record_batches))
    return iter(reader)


@source(suffixes=(".arrow", ".arrows", ".feather", ".ipc"))
def open_arrow(path: Path) -> Source:
    """Read the schema of an Arrow file or stream."""
    with unreadable_as_data_error(path.name, "Arrow"), _reader(path) as reader:
        return ArrowSource(path, reader.schema)
