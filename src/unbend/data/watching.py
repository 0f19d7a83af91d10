"""Saying how far a reading of the rows is, for whoever listens to `unbend.progress`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from time import monotonic

import pyarrow as pa

from unbend import progress

EVERY = 0.5
"""Seconds between two sayings; a reading that takes less says nothing."""


def watched(batches: Iterable[pa.RecordBatch], total: int | None) -> Iterator[pa.RecordBatch]:
    """The batches, of which there are `total` rows if that is known."""
    begun = said = monotonic()
    read = 0
    for batch in batches:
        yield batch
        read += batch.num_rows
        if monotonic() - said >= EVERY:
            said = monotonic()
            progress.at(so_far(read, total, said - begun))


def so_far(read: int, total: int | None, seconds: float) -> str:
    """How many rows were read in so many seconds.

    >>> so_far(1_234_567, 5_000_000, 2.0)
    '1,234,567 rows read, 24 %, 617,000 rows/s'
    >>> so_far(1000, None, 0.7)
    '1,000 rows read, 1,430 rows/s'
    """
    share = f", {100 * min(read, total) // total} %" if total else ""
    return f"{read:,} rows read{share}, {float(f'{read / seconds:.3g}'):,.0f} rows/s"
