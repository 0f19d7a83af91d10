"""A folder or a glob of files of one kind, read one after the other in the order of their names."""

from __future__ import annotations

import glob
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from unbend.data.source import BLOCK, Source, as_written, open_source, rows_of, source, suffixes, supposed
from unbend.errors import DataError


@dataclass(frozen=True)
class Files:
    """Several files with the same columns."""

    name: str
    parts: tuple[Source, ...]

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns of the first file, in the types that hold the values of all files."""
        return _common_schema(self.parts)

    @property
    def rows(self) -> int | None:
        """How many there are, if every file knows."""
        counts = [rows_of(part) for part in self.parts]
        return None if None in counts else sum(count or 0 for count in counts)

    def place(self, row: int) -> str:
        """The file that a row is in, and its number there; files that do not know how many they have are counted."""
        for part in self.parts:
            known = rows_of(part)
            count = sum(batch.num_rows for batch in part.batches()) if known is None else known
            if row < count:
                return f"row {row} of {part.name}"
            row -= count
        return f"row {row} after the last file"

    def supposed(self) -> Files:
        """The same rows with the types that the first rows of the files have; reading it may raise OtherTypes."""
        files = Files(self.name, tuple(supposed(part) for part in self.parts))
        return self if files._contradicts() else files

    def _contradicts(self) -> bool:
        try:
            return len(self.schema) == 0
        except DataError:
            return True

    def as_written(self, columns: Collection[str]) -> Files:
        """The same rows with the text of the numbers in these columns, where the files hold text."""
        return Files(self.name, tuple(as_written(part, columns) for part in self.parts))

    def batches(self, rows: int = BLOCK) -> Iterator[pa.RecordBatch]:
        """All rows, file by file."""
        for part in self.parts:
            for batch in part.batches(rows):
                yield batch.select(self.schema.names).cast(self.schema, safe=False)


def is_folder_or_glob(data: Any) -> bool:
    """Whether `data` is a path to a folder, or a pattern such as `parts/*.parquet`."""
    return isinstance(data, Path) and (data.is_dir() or (glob.has_magic(str(data)) and not data.exists()))


@source(accepts=is_folder_or_glob)
def open_folder(path: Path) -> Source:
    """Open every file of a folder or of a glob.

    Raises
    ------
    DataError
        If there is no file to read, if there are several kinds, or if the columns differ.
    """
    files = _files(path)
    _same_kind(path, files)
    parts = tuple(open_source(file) for file in files)
    return Files(str(path), parts)


def files_of(path: str | Path) -> list[Path]:
    """The files that are read where a path is given: that one, or those of a folder or a glob, in their order."""
    path = Path(path).expanduser()
    if not is_folder_or_glob(path):
        return [path]
    found = path.iterdir() if path.is_dir() else Path(path.anchor).glob(str(path.relative_to(path.anchor)))
    return sorted(file for file in found if file.is_file() and file.name.lower().endswith(suffixes()))


def _files(path: Path) -> list[Path]:
    files = files_of(path)
    if not files:
        raise DataError(
            f"no file to read in {path}",
            where=f"unbend reads {', '.join(suffixes())}",
            try_=f"for files in folders below it: '{path / '**' / '*.parquet'}'" if path.is_dir() else "",
        )
    return files


def _same_kind(path: Path, files: list[Path]) -> None:
    kinds = sorted({file.suffix.lower() for file in files})
    if len(kinds) > 1:
        raise DataError(
            f"{path} holds files of {len(kinds)} kinds: {', '.join(kinds)}",
            try_=f"choose one with a glob: '{path / ('*' + kinds[0])}'",
        )


def _common_schema(parts: tuple[Source, ...]) -> pa.Schema:
    first = parts[0]
    for part in parts[1:]:
        differing = set(first.schema.names) ^ set(part.schema.names)
        if differing:
            raise DataError(
                f"{part.name} has other columns than {first.name}",
                where=f"only in one of them: {', '.join(sorted(differing))}",
                try_="read files with the same columns",
            )
    for column in first.schema.names:
        _refuse_other_kinds(column, parts)
    return pa.unify_schemas([part.schema for part in parts], promote_options="permissive").remove_metadata()


def _refuse_other_kinds(column: str, parts: tuple[Source, ...]) -> None:
    """Raise DataError for the first file in which a column cannot be read together with the files before."""
    total = pa.schema([parts[0].schema.field(column)])
    for part in parts[1:]:
        field = part.schema.field(column)
        try:
            total = pa.unify_schemas([total, pa.schema([field])], promote_options="permissive")
        except pa.ArrowException as error:
            raise DataError(
                f"{column} holds different kinds of values in the files: {field.type} in {part.name}",
                where=f"it is {total.field(column).type} in the files before, such as {parts[0].name}",
                try_=f"write {column} in the same kind in every file",
            ) from error
