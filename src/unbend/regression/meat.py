"""The middle of a sandwich: sums over the rows of e² u uᵀ, of products of near rows, or of products within clusters.

Each class sees the rows block by block: their coordinates u (n, q), whose cross products sum to the identity, their
residuals e (n,), and the rows as they are in the source.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from unbend.data import Rows
from unbend.data.columns import as_text, is_missing
from unbend.errors import DataError
from unbend.regression.leverages import PINNED


class Meat(Protocol):
    """A sum over rows."""

    def see(self, u: np.ndarray, residual: np.ndarray, rows: Rows) -> None:
        """Take in a block of rows."""
        ...

    def sum(self) -> np.ndarray:
        """The (q, q) sum over all rows."""
        ...


class Heteroskedastic:
    """Σ e² u uᵀ, each squared residual over (1 − leverage) to a power: 0 for HC0 and HC1, 1 for HC2, 2 for HC3.

    For HC4 it is the leverage over the average leverage, 4 at most.

    Source: White (1980), Econometrica 48, 817-838; MacKinnon and White (1985), Journal of Econometrics 29, 305-325;
    Cribari-Neto (2004), Computational Statistics and Data Analysis 45, 215-233.
    """

    def __init__(self, kind: str, average: float) -> None:
        self.kind, self.average = kind, average
        self._sum: Any = 0.0

    def see(self, u: np.ndarray, residual: np.ndarray, rows: Rows) -> None:
        """Take in a block of rows."""
        if self.kind not in ("HC0", "HC1"):
            leverage = np.square(u).sum(axis=1)
            if (leverage >= 1.0 - PINNED).any():
                raise _pinned(int(rows.index[np.argmax(leverage)]), self.kind)
            power = np.minimum(4.0, leverage / self.average) if self.kind == "HC4" else {"HC2": 1, "HC3": 2}[self.kind]
            residual = residual * (1.0 - leverage) ** (-power / 2)
        scores = u * residual[:, None]
        self._sum += scores.T @ scores

    def sum(self) -> np.ndarray:
        """The (q, q) sum over all rows."""
        return np.asarray(self._sum)


class Autocorrelated:
    """Σ e² u uᵀ and the products of rows up to `lags` apart, with weights that fall to 0 (Bartlett's).

    Source: Newey and West (1987), Econometrica 55, 703-708.
    """

    def __init__(self, lags: int) -> None:
        self.lags = lags
        self._before: np.ndarray | None = None
        self._sum: Any = 0.0

    def see(self, u: np.ndarray, residual: np.ndarray, rows: Rows) -> None:
        """Take in a block of rows."""
        scores = u * residual[:, None]
        before = np.empty((0, scores.shape[1])) if self._before is None else self._before
        line = np.vstack([before, scores])
        cross = scores.T @ self._earlier(line, len(before))
        self._sum += scores.T @ scores + cross + cross.T
        self._before = line[max(len(line) - self.lags, 0) :]

    def _earlier(self, line: np.ndarray, start: int) -> np.ndarray:
        """For each row from `start` on, the weighted sum of those up to `lags` before it."""
        earlier = np.zeros((len(line) - start, line.shape[1]))
        for lag in range(1, min(self.lags, len(line) - 1) + 1):
            first = max(start, lag)
            earlier[first - start :] += (1 - lag / (self.lags + 1)) * line[first - lag : len(line) - lag]
        return earlier

    def sum(self) -> np.ndarray:
        """The (q, q) sum over all rows."""
        return np.asarray(self._sum)


class Clustered:
    """Σ s sᵀ with s the sum of e u in a cluster: the rows that have the same values in some columns."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = tuple(columns)
        self._numbers: dict[tuple[str, ...], int] = {}
        self._sums: list[np.ndarray] = []

    @property
    def count(self) -> int:
        """Clusters so far."""
        return len(self._numbers)

    def see(self, u: np.ndarray, residual: np.ndarray, rows: Rows) -> None:
        """Take in a block of rows."""
        labels, member = _labels([_texts(rows, name) for name in self.columns])
        sums = np.zeros((len(labels), u.shape[1]))
        np.add.at(sums, member, u * residual[:, None])
        for label, score in zip(labels, sums, strict=True):
            number = self._numbers.setdefault(label, len(self._sums))
            if number == len(self._sums):
                self._sums.append(np.zeros(len(score)))
            self._sums[number] += score

    def sum(self) -> np.ndarray:
        """The (q, q) sum over all clusters."""
        scores = np.array(self._sums)
        return scores.T @ scores


def _texts(rows: Rows, column: str) -> pa.Array:
    values = rows.batch.column(column)
    missing = is_missing(values)
    if missing.any():
        raise DataError(
            f"{column} has missing values, so not every row belongs to a cluster",
            where=f"the first is in row {int(rows.index[np.argmax(missing)])} (the first row is 0)",
            try_=f"fill {column} in, or leave these rows out",
        )
    return as_text(values)


def _labels(columns: Sequence[pa.Array]) -> tuple[list[tuple[str, ...]], np.ndarray]:
    """The different combinations of labels in a block, and the number of each row's."""
    encoded = [column.dictionary_encode() for column in columns]
    numbers = np.column_stack([part.indices.to_numpy() for part in encoded])
    kinds, member = np.unique(numbers, axis=0, return_inverse=True)
    names = [part.dictionary.to_pylist() for part in encoded]
    return [tuple(name[i] for name, i in zip(names, kind, strict=True)) for kind in kinds], member.reshape(-1)


def _pinned(row: int, kind: str) -> DataError:
    return DataError(
        f"{kind} is not defined here: one row has a leverage of 1, so the fit passes through it whatever it is",
        where=f"row {row} (the first row is 0)",
        try_="take HC1: --covariance HC1\nor leave out the column that only this row determines",
    )
