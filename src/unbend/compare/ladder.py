"""THE RUNG TABLE, and the climb: every rung fitted on each fold's other rows and judged on the fold.

A rung is a function from `Training` to a `Model`, marked with `@rung`; the order in the file is the order of the
ladder. `needs` says whether the moments are enough or rows must be in memory. A rung that cannot be fitted raises
`LeftOutError` with the reason, and the ladder goes on without it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from unbend.compare.split import Split
from unbend.compare.training import Gathered, LeftOutError, Training, block_rows
from unbend.data import Rows
from unbend.errors import ModelError
from unbend.pairing import Pair

Task = Literal["number", "classes"]
Needs = Literal["moments", "rows"]

LEAST_PROBABILITY = 1e-7
"""Probabilities are taken for at least this in the log-loss (16 nats): a float32 cannot hold 1 − p for a smaller p."""


@dataclass(frozen=True)
class Model:
    """A fitted rung.

    Attributes
    ----------
    predict : from coded columns (n, p) to numbers (n,), or to probabilities (n, classes)
    parameters : numbers that were fitted
    notes : sentences that the reader should see
    """

    predict: Callable[[np.ndarray], np.ndarray]
    parameters: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rung:
    """An entry of the table; `unstable` if training it again would give another model."""

    name: str
    label: str
    task: Task
    needs: Needs
    unstable: bool
    fit: Callable[[Training], Model]


_table: list[Rung] = []


def rung(
    name: str, label: str, *, task: Task, needs: Needs = "moments", unstable: bool = False
) -> Callable[[Callable[[Training], Model]], Callable[[Training], Model]]:
    """Enter a function into the table as the next rung for `task`; `label` is what sentences call it."""

    def enter(fit: Callable[[Training], Model]) -> Callable[[Training], Model]:
        _table.append(Rung(name, label, task, needs, unstable, fit))
        return fit

    return enter


@cache
def rungs(task: Task) -> tuple[Rung, ...]:
    """The ladder for a target of this kind, lowest rung first."""
    importlib.import_module("unbend.compare.rungs")
    return tuple(entry for entry in _table if entry.task == task)


@dataclass(frozen=True, eq=False)
class Judged:
    """What the held-out rows said.

    Attributes
    ----------
    fold : (n,)
    losses : by rung, (n,): squared errors, or negative log-probabilities of the row's class
    right : by rung, (n,): whether the most probable class is the row's; for classes only
    parameters : by rung
    left_out : by rung, the reason
    notes : what the rungs have to say
    """

    fold: np.ndarray
    losses: dict[str, np.ndarray]
    right: dict[str, np.ndarray]
    parameters: dict[str, int]
    left_out: dict[str, str]
    notes: tuple[str, ...]


def climb(gathered: Gathered, ladder: Sequence[Rung], pair: Pair | None) -> Judged:
    """Fit the rungs for every fold, then read the rows once more and judge them; a given network is scored as it is.

    Raises
    ------
    ModelError
        If a rung predicts something that is not a number.
    """
    split = gathered.split
    fitted, left_out = _fit(gathered, ladder)
    folds: list[np.ndarray] = []
    answers: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {name: [] for name in fitted}
    if pair is not None:
        answers["network"] = []
    for rows, fold in split.judging(block_rows(len(gathered.expansion.names(split.table.names)))):
        folds.append(fold)
        for name, models in fitted.items():
            answers[name].append(_score(name, _predict(models, rows.x, fold), rows, split))
        if pair is not None:
            answers["network"].append(_score("network", pair.predict(rows), rows, split))
    parameters = {name: models[0].parameters for name, models in fitted.items()}
    if pair is not None:
        parameters["network"] = pair.network.parameters
    return Judged(
        fold=np.concatenate(folds),
        losses={name: np.concatenate([loss for loss, _ in parts]) for name, parts in answers.items()},
        right={name: np.concatenate([right for _, right in parts]) for name, parts in answers.items()},
        parameters=parameters,
        left_out=left_out,
        notes=tuple(dict.fromkeys(note for models in fitted.values() for model in models for note in model.notes)),
    )


def _fit(gathered: Gathered, ladder: Sequence[Rung]) -> tuple[dict[str, list[Model]], dict[str, str]]:
    fitted: dict[str, list[Model]] = {entry.name: [] for entry in ladder}
    left_out: dict[str, str] = {}
    for fold in range(gathered.split.folds):
        training = gathered.training(fold)
        for entry in ladder:
            if entry.name in left_out:
                continue
            try:
                fitted[entry.name].append(entry.fit(training))
            except LeftOutError as reason:
                left_out[entry.name] = str(reason)
    return {name: models for name, models in fitted.items() if name not in left_out}, left_out


def _predict(models: Sequence[Model], x: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Each row by the model that was fitted without its fold."""
    present = np.unique(fold)
    if len(present) == 1:
        return models[int(present[0])].predict(x)
    parts = [(fold == number, models[int(number)]) for number in present]
    predicted = [(here, model.predict(x[here])) for here, model in parts]
    whole = np.empty((len(fold), *predicted[0][1].shape[1:]))
    for here, values in predicted:
        whole[here] = values
    return whole


def _score(name: str, predicted: np.ndarray, rows: Rows, split: Split) -> tuple[np.ndarray, np.ndarray]:
    """The loss of each row (n,), and whether the class is right (n,), nothing for numbers."""
    finite = np.isfinite(predicted.reshape(len(predicted), -1)).all(axis=1)
    if not finite.all():
        first = int(np.argmin(finite))
        raise ModelError(
            f"the {name} rung predicts {predicted[first]}",
            where=f"row {rows.index[first]} of {split.judged_table.source.name} (the first row is 0)",
            try_="look at that row: a number far outside the range of the others can overflow",
        )
    if split.table.classes is None:
        return np.square(rows.y - predicted), np.empty(0, dtype=bool)
    number = rows.y.astype(int)
    own = predicted[np.arange(len(number)), number]
    return -np.log(np.clip(own, LEAST_PROBABILITY, 1.0)), predicted.argmax(axis=1) == number
