"""Rows in partitions of Dask as an estimator gets them: their types are checked here, their numbers where they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from unbend.data.distributed import HEAD, computed, summed
from unbend.data.parallel import Sum, added
from unbend.data.sources.dask_collections import is_dask, row_blocks
from unbend.regression.estimators.sample import Sample, parts, take
from unbend.regression.moments import Block, Moments
from unbend.regression.reading import block_moments, refuse_unsquarable

Promises = tuple[Any, Any, Any]
"""Of the columns, the targets and the weights (or None) of some rows."""


@dataclass(frozen=True, eq=False)
class Partitioned:
    """Rows of columns and targets in partitions.

    Attributes
    ----------
    partitions : promises
    targets : how many there are
    names : of the columns
    flat : whether the target came as one column without a second axis
    """

    partitions: Sequence[Promises]
    targets: int
    names: tuple[str, ...]
    flat: bool

    @property
    def blocks(self) -> Partitioned:
        """What reads the rows again."""
        return self

    def __call__(self) -> Iterator[Block]:
        """The rows block by block, brought to this process."""
        for x, y, weights in self.partitions:
            yield from _rows(computed(x), computed(y), None if weights is None else computed(weights), None)

    def added(self, part: Callable[[Block, Sum | None], Sum], *, shared: bool = False) -> Sum | None:
        """The sum of `part(block, first)` over all rows, where they are; see `unbend.regression.rows`."""
        heads = (computed(_of_partition, *one, HEAD, part, None) for one in self.partitions if shared)
        first = next((head for head in heads if head is not None), None)
        return summed(_of_partition, [(*one, None) for one in self.partitions], (part, first))

    def moments(self, intercept: bool = True) -> Moments:
        """Of [x | y] with all targets.

        Raises
        ------
        DataError
            If squares of the numbers overflow or vanish.
        ValueError
            If a number is missing or infinite, or if there are no rows.
        """
        found = self.added(block_moments, shared=True) if intercept else self.added(_about_origin)
        if found is None or found.n == 0:
            raise ValueError("Found no row in the partitions: at least one is required.")
        if not np.isfinite(found.sums).all():
            raise ValueError("Input X or y contains NaN or infinity.")
        refuse_unsquarable(found, (*self.names, *(f"target {j}" for j in range(self.targets))))
        return found


def take_anywhere(estimator: BaseEstimator, x: Any, y: Any, sample_weight: Any = None) -> Sample | Partitioned:
    """`take`, of rows in this process or in partitions of Dask.

    Raises
    ------
    ValueError
        If they cannot be used.
    """
    if not is_dask(x):
        return take(estimator, x, y, sample_weight, finite=False)
    if not is_dask(y):
        raise ValueError("X is a collection of Dask, so y must be one as well, in the same partitions")
    return partitioned(take(estimator, _few_rows(x), _few_rows(y)), x, y, sample_weight)


def partitioned(sample: Sample, x: Any, y: Any, sample_weight: Any = None) -> Partitioned:
    """Rows of Dask's collections; `sample` is of a few rows like these, made up from their types.

    Raises
    ------
    ValueError
        If the collections do not have the same partitions.
    """
    given = [x, y] if sample_weight is None else [x, y, sample_weight]
    if not all(map(is_dask, given)):
        raise ValueError("X, y and sample_weight must all be collections of Dask, in the same partitions")
    frames = [not hasattr(one, "chunks") for one in given]
    promises = _together(given) if all(frames) else [_promises(one) for one in given]
    if len({len(one) for one in promises}) > 1:
        counts = ", ".join(str(len(one)) for one in promises)
        raise ValueError(f"X, y and sample_weight must have the same partitions; they have {counts}")
    weights = promises[2] if sample_weight is not None else [None] * len(promises[0])
    rows = list(zip(promises[0], promises[1], weights, strict=True))
    return Partitioned(rows, sample.y.shape[1], sample.names, sample.flat)


def _promises(collection: Any) -> Sequence[Any]:
    return row_blocks(collection) if hasattr(collection, "chunks") else collection.to_delayed()


def _together(frames: Sequence[Any]) -> list[list[Any]]:
    """The partitions of several frames, as Dask makes them for one frame of all their columns.

    Alone, frames of the same files may be cut in different ways, as few columns make larger partitions.
    """
    from dask.delayed import delayed

    columns = [list(one.columns) if one.ndim == 2 else [None] for one in frames]
    others = {
        f"\0{i}.{j}": one if name is None else one[name]
        for i, (one, names) in enumerate(zip(frames, columns, strict=True))
        for j, name in enumerate(names)
        if i
    }
    parts = frames[0].assign(**others).to_delayed()
    of_first = [[delayed(_columns)(part, columns[0]) for part in parts]]
    return of_first + [
        [delayed(_columns)(part, [f"\0{i}.{j}" for j in range(len(names))], names == [None]) for part in parts]
        for i, names in enumerate(columns)
        if i
    ]


def _columns(part: Any, names: list[str], flat: bool = False) -> np.ndarray:
    found = part[names].to_numpy()
    return found[:, 0] if flat else found


def _few_rows(collection: Any) -> Any:
    """A few made-up rows of the type of a collection."""
    if hasattr(collection, "_meta_nonempty"):
        return collection._meta_nonempty
    return np.ones((2, *collection.shape[1:]), dtype=collection.dtype)


def _of_partition(x: Any, y: Any, weights: Any, most: int | None, part: Callable[[Block, Any], Any], first: Any) -> Any:
    return added(part, _rows(x, y, weights, most), first=first)


def _rows(x: Any, y: Any, weights: Any, most: int | None) -> Iterator[Block]:
    """The rows of a partition, or its first; those of weight 0 are left out."""
    x, y = np.asarray(x)[:most], np.asarray(y, dtype=np.float64)[:most]
    if len(x) != len(y):
        raise ValueError(f"a partition has {len(x)} rows of X and {len(y)} of y")
    x, y = x if x.dtype == np.float32 else x.astype(np.float64), y.reshape(len(y), -1)
    if weights is not None:
        weights = np.asarray(weights, dtype=np.float64)[:most]
        if (weights < 0).any():
            raise ValueError("sample_weight must not be negative")
        kept = weights != 0
        x, y, weights = x[kept], y[kept], weights[kept]
    yield from map(Block(x, y, weights).part, parts(len(x), x.shape[1] + y.shape[1]))


def _about_origin(block: Block, first: object = None) -> Moments:
    with np.errstate(over="ignore", invalid="ignore"):
        return Moments.about_origin(block)
