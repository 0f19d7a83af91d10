"""Where rows come from: a name, a schema, and batches that can be read again and again.

The source table: each file in `unbend.data.sources` marks one function with `@source`, which opens one kind of data.
To read something new, add a file there; nothing else has to know about it.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import pkgutil
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import pyarrow as pa

from unbend.errors import DataError

BLOCK = 65_536
"""Most rows in a batch."""
NUMBERS = 800_000
"""About how many numbers a block holds, 6 MB: large enough for BLAS, and there are several blocks at a time."""


T = TypeVar("T")


@runtime_checkable
class Source(Protocol):
    """Rows in batches, in the same order each time `batches` is called."""

    @property
    def name(self) -> str:
        """What messages call it, such as `customers.csv` or `pandas DataFrame`."""
        ...

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns; every batch has exactly these."""
        ...

    def batches(self, rows: int = BLOCK) -> Iterator[pa.RecordBatch]:
        """All rows, at most `rows` at a time."""
        ...


@dataclass(frozen=True)
class Opener:
    """An entry of the source table: what it takes, and the function that opens it."""

    suffixes: tuple[str, ...]
    accepts: Callable[[Any], bool]
    open: Callable[[Any], Source]


_openers: list[Opener] = []


def source(
    *, suffixes: Sequence[str] = (), accepts: Callable[[Any], bool] | None = None
) -> Callable[[Callable[[Any], Source]], Callable[[Any], Source]]:
    """Enter a function that opens one kind of data into the source table.

    With `suffixes` it is given a path that ends in one of them; with `accepts` any object for which that says yes.
    """

    def ends_right(data: Any) -> bool:
        return isinstance(data, Path) and data.name.lower().endswith(tuple(suffixes)) and data.is_file()

    def enter(function: Callable[[Any], Source]) -> Callable[[Any], Source]:
        _openers.append(Opener(tuple(suffixes), accepts or ends_right, function))
        return function

    return enter


@functools.cache
def openers() -> tuple[Opener, ...]:
    """The source table, from every file in `unbend.data.sources`."""
    package = importlib.import_module("unbend.data.sources")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return tuple(_openers)


def suffixes() -> tuple[str, ...]:
    """The file name endings that can be read."""
    return tuple(sorted(ending for opener in openers() for ending in opener.suffixes))


def open_source(data: Any) -> Source:
    """The rows of a file, a folder, a glob, a frame or a `Source`.

    Raises
    ------
    DataError
        If there is no such file, if nothing reads this kind, or if two columns have the same name.
    """
    if callable(getattr(type(data), "batches", None)):
        return data
    if isinstance(data, str):
        data = Path(data).expanduser()
    for opener in openers():
        if opener.accepts(data):
            opened = opener.open(data)
            refuse_same_names(opened.name, supposed(opened).schema.names)
            return opened
    raise _unreadable(data)


class OtherTypes(DataError):
    """A value is of another type than the rows before it made one suppose."""


def supposed(source: Source) -> Source:
    """The same rows, without a reading of all of them to be sure of their types; reading them may raise OtherTypes.

    Only a source of text has a method `supposed`.
    """
    suppose = getattr(type(source), "supposed", None)
    return source if suppose is None else suppose(source)


def rows_of(source: Source) -> int | None:
    """How many rows there are, if the source knows without reading them: it has an attribute `rows` then."""
    return getattr(source, "rows", None)


def as_written(source: Source, columns: Collection[str]) -> Source:
    """The same rows, with the text of the numbers in these columns where the source is text.

    Only a source of text has a method `as_written`.
    """
    change = getattr(type(source), "as_written", None)
    return source if change is None else change(source, columns)


def with_types(data: Any, use: Callable[[Source], T]) -> T:
    """`use` of a source whose types are right, as one reading of all rows in `use` shows, or else one before it."""
    source = open_source(data)
    try:
        return use(supposed(source))
    except OtherTypes:
        return use(source)


def refuse_same_names(where: str, names: Sequence[Any]) -> None:
    """Raise DataError if two columns have the same name."""
    twice = [str(name) for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(
            f"two columns of {where} have the same name: {', '.join(name or '(no name)' for name in twice)}",
            try_="rename them so that every column has a name of its own",
        )


def _unreadable(data: Any) -> DataError:
    files = f"unbend reads {', '.join(suffixes())}, a folder or a glob of one of these"
    readable = f"{files}, and in Python frames, a dict of columns or a matrix"
    if not isinstance(data, Path):
        package = type(data).__module__.split(".")[0]
        kind = type(data).__name__ if package == "builtins" else f"{package} {type(data).__name__}"
        lazy = "\ncollect the lazy frame first" if hasattr(data, "collect") else ""
        return DataError(f"cannot read {_a(kind)} as a table", try_=readable + lazy)
    if data.exists():
        return DataError(f"do not know how to read {data.name}", where=str(data), try_=readable)
    return DataError(f"no such file: {data}", try_=_near_names(data))


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _near_names(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"there is no folder {folder} either; check the path"
    near = difflib.get_close_matches(path.name, [entry.name for entry in folder.iterdir()], n=3)
    if not near:
        return "check the path"
    return "did you mean " + " or ".join(str(folder / name) for name in near) + "?"


def block_rows(columns: int) -> int:
    """How many rows of so many columns to take at a time.

    >>> block_rows(10), block_rows(1000)
    (65536, 800)
    """
    return max(1, min(BLOCK, NUMBERS // max(columns, 1)))


def slices(batch: pa.RecordBatch, rows: int) -> Iterator[pa.RecordBatch]:
    """`batch` in pieces of at most `rows` rows, without a copy."""
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)


READERS_ERRORS = (
    pa.ArrowException,
    OSError,
    EOFError,
    ValueError,
    TypeError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
)


OTHER_LETTERS = "write it as UTF-8 text, such as: iconv -f latin1 -t utf-8 OLD > NEW"
"""What to do about letters in another encoding."""


@contextmanager
def unreadable_as_data_error(
    name: str, kind: str, advice: str = "check that the file is complete and that its ending says what it is"
) -> Iterator[None]:
    """Turn the errors of a reader into one `DataError` that says which file, and what the reader said."""
    try:
        yield
    except READERS_ERRORS as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise DataError(
            f"cannot read {name} as {kind}",
            where=reason[0][:300],
            try_=OTHER_LETTERS if "utf-8" in reason[0].lower() or "utf8" in reason[0].lower() else advice,
        ) from error


@dataclass(frozen=True)
class ArrowTable:
    """A table that is in memory already."""

    name: str
    table: pa.Table
    in_memory = True

    @property
    def rows(self) -> int:
        """How many there are."""
        return self.table.num_rows

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        return self.table.schema

    def batches(self, rows: int = BLOCK) -> Iterator[pa.RecordBatch]:
        """All rows, at most `rows` at a time, without a copy."""
        yield from self.table.to_batches(max_chunksize=rows)
