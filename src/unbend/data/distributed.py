"""Rows in parts that Dask has: partitions of its collections, or files that its workers read.

A part becomes a `Source` on the worker that has it, so that there is one way to code, to drop and to count rows. What
is wanted of all rows is a sum of something small over the parts, added as a tree; a part whose worker dies is worked on
again by another. Dask's own settings say where: the client that is there, else threads of this process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from unbend.data.columns import as_text, kind_of
from unbend.data.parallel import Sum
from unbend.data.source import BLOCK, Source, open_source, supposed
from unbend.errors import DataError, UsageError

BRANCHES = 8
"""Sums that are added at a time."""
HEAD = 1000
"""Rows from which all parts are told what they must share, such as a shift."""


@dataclass(frozen=True)
class Part:
    """One part as a source, in the types of the whole; `most` limits the rows."""

    name: str
    schema: pa.Schema
    data: Any
    most: int | None = None

    def batches(self, rows: int = BLOCK) -> Iterator[pa.RecordBatch]:
        """All rows, at most `rows` at a time."""
        if self.most is None:
            batches = open_source(self.data).batches(rows)
        else:
            batches = (batch.slice(0, self.most) for batch in islice(open_source(self.data).batches(self.most), 1))
        for batch in batches:
            yield conformed(batch, self.schema)


@dataclass(frozen=True)
class Parts:
    """Rows in parts.

    Attributes
    ----------
    name : of the whole
    types : gives the schema of the whole
    parts : Dask's promises of what `open_source` takes, or sources that every worker can read
    whole : the same rows as one source that this process can read, if there is one
    """

    name: str
    types: Callable[[], pa.Schema]
    parts: tuple[Any, ...]
    whole: Source | None = None

    @cached_property
    def schema(self) -> pa.Schema:
        """Names and types of the columns, with text for categories, whose codes each part may have its own."""
        columns = [(field.name, pa.string() if kind_of(field.type) == "text" else field.type) for field in self.types()]
        return pa.schema(columns)

    def batches(self, rows: int = BLOCK) -> Iterator[pa.RecordBatch]:
        """All rows, part by part, brought to this process."""
        if self.whole is not None:
            yield from self.whole.batches(rows)
            return
        for i in range(len(self.parts)):
            yield from Part(self._named(i), self.schema, computed(self.parts[i])).batches(rows)

    def supposed(self) -> Parts:
        """The same parts in the types that the first rows have; see `unbend.data.source.supposed`."""
        if self.whole is None:
            return self
        source = supposed(self.whole)
        parts = tuple(map(supposed, self.parts))
        return Parts(self.name, lambda: source.schema, parts, source)

    def added(self, step: Callable[[Source, Any], Sum | None], *, shared: bool = False) -> Sum | None:
        """The sum of `step(part, first)` over all parts, where they are; None where no part gives anything.

        With `shared`, `first` is what the first rows gave, which got None: from it the parts know what all must share.
        """
        named = [(part, self._named(i)) for i, part in enumerate(self.parts)]
        heads = (computed(_of_part, part, name, self.schema, HEAD, step, None) for part, name in named if shared)
        first = next((head for head in heads if getattr(head, "n", head is not None)), None)
        return summed(_of_part, named, (self.schema, None, step, first))

    def _named(self, i: int) -> str:
        return f"part {i + 1} of {len(self.parts)} of {self.name}"


def _of_part(
    data: Any, name: str, schema: pa.Schema, most: int | None, step: Callable[[Source, Any], Sum | None], first: Any
) -> Sum | None:
    try:
        return step(Part(name, schema, data, most), first)
    except DataError as error:
        raise DataError(error.what, where=f"{error.where}\nin {name}".strip(), try_=error.try_) from error


def parts_of(source: Source) -> tuple[Source, ...]:
    """What one worker can read of a source by itself: its files, and the row groups of one."""
    split = getattr(source, "split", None)
    parts = getattr(source, "parts", None)
    if split is not None:
        return tuple(split())
    return tuple(one for part in parts for one in parts_of(part)) if parts else (source,)


def conformed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """A batch in the columns and types of a schema; text where the schema has text."""
    if batch.schema.equals(schema):
        return batch
    columns = [batch.column(name) for name in schema.names]
    cast = [
        column if column.type == field.type else (as_text(column) if kind_of(field.type) == "text" else column)
        for column, field in zip(columns, schema, strict=True)
    ]
    return pa.record_batch([one.cast(field.type) for one, field in zip(cast, schema, strict=True)], schema=schema)


def computed(function: Any, *arguments: Any) -> Any:
    """One result of Dask: of a promise, or of a function of promises and other things."""
    from dask.delayed import delayed

    if not arguments:
        return function.compute() if hasattr(function, "compute") else function
    return delayed(function, pure=False)(*map(_node, arguments)).compute()


def summed(
    function: Callable[..., Sum | None], items: Sequence[tuple[Any, ...]], shared: tuple[Any, ...] = ()
) -> Sum | None:
    """The sum of `function(*item, *shared)` over all items, as a tree, on whatever Dask computes with."""
    from dask.delayed import delayed

    common = [_node(one) for one in shared]
    level = [delayed(function, pure=False)(*map(_node, item), *common) for item in items]
    while len(level) > 1:
        level = [delayed(_sum, pure=False)(level[i : i + BRANCHES]) for i in range(0, len(level), BRANCHES)]
    return level[0].compute() if level else None


def _node(value: Any) -> Any:
    """A value as Dask takes it without looking into it."""
    from dask.delayed import Delayed, delayed

    plain = value is None or isinstance(value, (str, int, Delayed))
    return value if plain else delayed(value, pure=False, traverse=False)


def _sum(parts: Sequence[Sum | None]) -> Sum | None:
    total: Sum | None = None
    for part in parts:
        total = part if total is None else total if part is None else total + part
    return total


@contextmanager
def connected(scheduler: str | None) -> Iterator[None]:
    """While the block runs, Dask computes on the cluster of this scheduler, such as "tcp://10.0.0.1:8786".

    Raises
    ------
    UsageError
        If Dask is not installed, or nothing answers there.
    """
    if scheduler is None:
        yield
        return
    try:
        from distributed import Client  # pyright: ignore[reportAttributeAccessIssue]
    except ImportError as error:
        raise UsageError("a scheduler needs Dask, which is not installed", try_='pip install "unbend[dask]"') from error
    try:
        client = Client(scheduler, timeout=TIMEOUT)
    except (OSError, ValueError, TimeoutError) as error:
        raise UsageError(
            f"no Dask scheduler answers at {scheduler}",
            where=str(error).splitlines()[0] if str(error) else "",
            try_="start one: dask scheduler\nand workers: dask worker tcp://HOST:8786",
        ) from error
    with client:
        yield


TIMEOUT = "10s"
"""How long to wait for a scheduler to answer."""


def on_workers(data: Any) -> Parts:
    """The rows of files, to be read by Dask's workers, which must see them under the same paths.

    Raises
    ------
    UsageError
        If the data are not in files, nor in a collection of Dask.
    """
    source = open_source(data)
    if isinstance(source, Parts):
        return source
    if not isinstance(data, (str, Path)):
        raise UsageError(
            f"{source.name} is in this process, where a scheduler's workers cannot read it",
            try_="give files that the workers see under the same path, or a collection of Dask",
        )
    seen = open_source(Path(data).expanduser().absolute())
    return Parts(source.name, lambda: source.schema, parts_of(seen), source)
