"""The rows that pictures show: all of them, or 2,000 drawn at random."""

from __future__ import annotations

import numpy as np

from unbend.checks.fitted import Fitted, FittedRows
from unbend.document import number

MOST_DOTS = 2000


class Sample:
    """Keeps the position, prediction, residual and studentised residual of at most 2,000 rows.

    Which rows is settled before the first is read, so it does not depend on how they come in blocks.
    """

    def __init__(self, fitted: Fitted, seed: int = 0) -> None:
        self.n = fitted.n
        self.positions = np.arange(fitted.n)
        if fitted.n > MOST_DOTS:
            self.positions = np.sort(np.random.default_rng(seed).choice(fitted.n, MOST_DOTS, replace=False))
        self._seen = 0
        self._kept = [np.empty((0, 3))]

    def see(self, rows: FittedRows) -> None:
        """Keep the chosen rows of a block."""
        first, last = np.searchsorted(self.positions, [self._seen, self._seen + len(rows.y)])
        place = self.positions[first:last] - self._seen
        self._seen += len(rows.y)
        self._kept.append(np.column_stack([rows.fitted[place], rows.residual[place], rows.studentised[place]]))

    @property
    def fitted(self) -> np.ndarray:
        """The predictions, (dots,)."""
        return np.concatenate(self._kept)[:, 0]

    @property
    def residual(self) -> np.ndarray:
        """The residuals, (dots,)."""
        return np.concatenate(self._kept)[:, 1]

    @property
    def studentised(self) -> np.ndarray:
        """The studentised residuals, (dots,)."""
        return np.concatenate(self._kept)[:, 2]

    @property
    def drawn(self) -> str:
        """A sentence that says which rows are shown."""
        if self.n <= MOST_DOTS:
            return f"All {number(self.n)} rows."
        return f"{number(MOST_DOTS)} of {number(self.n)} rows, drawn at random."
