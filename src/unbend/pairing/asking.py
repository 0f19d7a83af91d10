"""What is not written in a model file is asked of the rows: the order of columns, a scaler outside, the target's unit.

Each way to use the network is scored on the rows as it stands, with nothing fitted. Another way than the plain one is
taken only if the plain one fails and the other one clearly does not. Where no way is good the network is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from unbend.data import Rows, Table
from unbend.data.folds import sampled
from unbend.errors import ModelError
from unbend.pairing.features import Features
from unbend.pairing.learning import Learning, only
from unbend.pairing.scaling import KINDS
from unbend.pairing.units import SAME, UNITS

ROWS = 4096
"""About how many rows are asked."""

CLEARLY = 0.05
"""A way must predict this much better than a constant (share of variance or of log-loss), and each departure from the
plain way must be worth as much again."""

FAR = 0.3
"""A plain way that does beat a constant is given up only for one that is better by this much."""

DOUBT = 20.0
"""Divided by the number of rows: with few rows, chance does better than `CLEARLY`."""

LEAST = 1e-7
"""Probabilities are taken for at least this in the log-loss."""

Respond = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From input rows (n, d) and their numbers to answers: (n,) numbers or (n, classes) probabilities."""


@dataclass(frozen=True)
class Way:
    """One way to use the network: an order of columns, a scaling, a unit of the target; and how good its answers are.

    `score` is 1 less the ratio of its loss to a constant's (R² for a number, the same of the log-loss for classes);
    `right` is the share of rows whose class it predicts; `departures` is in how many of the three it is not plain.
    """

    features: Features
    scaling: str
    unit: str
    score: float
    right: float
    departures: int

    @property
    def worth(self) -> float:
        """The score, less what its departures from the plain way must be worth."""
        return self.score - CLEARLY * self.departures


def ask(learning: Learning, respond: Respond, options: Sequence[Features], scalings: Sequence[str]) -> tuple[Way, Way]:
    """The plain way (the first option and the first scaling), and the way that the rows speak for."""
    rows = sample(learning)
    ways = list(_ways(learning.table, respond, rows, options, scalings))
    plain = ways[0]
    best = max(ways, key=lambda way: way.worth)
    return plain, best if _clearly(plain, best, len(rows.y)) else plain


def _clearly(plain: Way, best: Way, rows: int) -> bool:
    if best.worth < max(CLEARLY, DOUBT / rows) or best.right < plain.right:
        return False
    return plain.score < 0 or best.score - plain.score > FAR


def sample(learning: Learning) -> Rows:
    """Some of the complete rows that may be learned from, from all over the table."""
    share = ROWS / learning.n
    parts = [rows if share >= 1 else only(rows, sampled(rows.index, share, 0)) for rows in learning.blocks()]
    return Rows(
        np.concatenate([part.x for part in parts]),
        np.concatenate([part.y for part in parts]),
        np.concatenate([part.index for part in parts]),
        pa.Table.from_batches([part.batch for part in parts]).combine_chunks().to_batches()[0],
    )


def _ways(
    table: Table, respond: Respond, rows: Rows, options: Sequence[Features], scalings: Sequence[str]
) -> Iterator[Way]:
    for i, features in enumerate(options):
        x = features.coding.encode(rows.batch)
        for j, kind in enumerate(scalings):
            answers = _answers(respond, KINDS[kind]([x])(x) if kind in KINDS else x, rows)
            for k, unit in enumerate(UNITS if table.classes is None else (SAME,)):
                score, right = _scored(table, answers, rows.y, unit)
                yield Way(features, kind, unit, score, right, (i > 0) + (j > 0) + (k > 0))


def _answers(respond: Respond, x: np.ndarray, rows: Rows) -> np.ndarray | None:
    """The answers for input rows, None if one of them is not a number."""
    try:
        return respond(x, rows.index)
    except ModelError:
        return None


def _scored(table: Table, answers: np.ndarray | None, y: np.ndarray, unit: str) -> tuple[float, float]:
    if answers is None:
        return -np.inf, 0.0
    if table.classes is not None:
        return class_score(y, answers)
    a, b = UNITS[unit]([y[:, None]])
    return r_squared(y, a + b * answers), 0.0


def r_squared(y: np.ndarray, predicted: np.ndarray) -> float:
    """1 − Σ(y − ŷ)² / Σ(y − ȳ)²; 0 where y is constant."""
    spread = float(np.sum((y - y.mean()) ** 2))
    return 1.0 - float(np.sum((y - predicted) ** 2)) / spread if spread > 0 else 0.0


def class_score(y: np.ndarray, predicted: np.ndarray) -> tuple[float, float]:
    """1 − log-loss / log-loss of the classes' shares (0 where there is one class only), and the share of rows right."""
    classes = y.astype(int)
    shares = np.bincount(classes, minlength=predicted.shape[1]) / len(y)
    constant = -float(np.mean(np.log(shares[classes])))
    loss = -float(np.mean(np.log(np.clip(predicted[np.arange(len(y)), classes], LEAST, 1.0))))
    right = float(np.mean(predicted.argmax(axis=1) == classes))
    return (1.0 - loss / constant if constant > 0 else 0.0), right
