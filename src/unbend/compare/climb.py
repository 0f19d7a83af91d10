"""The climb: every rung fitted on each fold's other rows and judged on the fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from unbend.compare.gather import Gathered, block_rows
from unbend.compare.ladder import Model, Rung
from unbend.compare.loss import divergence, losses
from unbend.compare.training import LeftOutError
from unbend.data import Rows
from unbend.errors import ModelError
from unbend.pairing import Pair


@dataclass(frozen=True, eq=False)
class Judged:
    """What the held-out rows said.

    Attributes
    ----------
    numbers : (n,) of the rows in the source, from 0
    fold : (n,)
    losses : by rung, (n,)
    right : by rung, (n,) whether the most probable class is the row's; empty for numbers
    apart : by two rungs, lower first: how far their predictions are apart, a mean over rows in units of loss
    parameters : by rung
    left_out : by rung, the reason
    notes : what the rungs have to say
    """

    numbers: np.ndarray
    fold: np.ndarray
    losses: dict[str, np.ndarray]
    right: dict[str, np.ndarray]
    apart: dict[tuple[str, str], float]
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
    fitted, left_out = fit(gathered, ladder)
    verdicts = _Verdicts(split.judged_table.source.name)
    for rows, fold in split.judging(block_rows(len(gathered.expansion.names(split.table.names)))):
        predicted = {name: predict(models, rows.x, fold) for name, models in fitted.items()}
        if pair is not None:
            predicted["network"] = pair.predict(rows)
        verdicts.see(predicted, rows, fold)
    parameters = {name: models[0].parameters for name, models in fitted.items()}
    if pair is not None:
        parameters["network"] = pair.network.parameters
    notes = dict.fromkeys(note for models in fitted.values() for model in models for note in model.notes)
    return verdicts.judged(parameters, left_out, tuple(notes))


def fit(gathered: Gathered, ladder: Sequence[Rung]) -> tuple[dict[str, list[Model]], dict[str, str]]:
    """By rung a model for each fold; and by rung that is left out, the reason."""
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


def predict(models: Sequence[Model], x: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Each row of x (n, p) by the model that was fitted without its fold."""
    parts = [(fold == k, models[k]) for k in np.unique(fold).tolist()]
    predicted = [(here, model.predict(x[here])) for here, model in parts]
    whole = np.empty((len(fold), *predicted[0][1].shape[1:]))
    for here, values in predicted:
        whole[here] = values
    return whole


@dataclass
class _Verdicts:
    """Losses, collected block by block."""

    source: str
    numbers: list[np.ndarray] = field(default_factory=list)
    folds: list[np.ndarray] = field(default_factory=list)
    losses: dict[str, list[np.ndarray]] = field(default_factory=dict)
    right: dict[str, list[np.ndarray]] = field(default_factory=dict)
    apart: dict[tuple[str, str], float] = field(default_factory=dict)

    def see(self, predicted: dict[str, np.ndarray], rows: Rows, fold: np.ndarray) -> None:
        """One block of held-out rows, with what each rung predicts for them."""
        self.numbers.append(rows.index)
        self.folds.append(fold)
        for name, values in predicted.items():
            self._refuse_not_finite(name, values, rows)
            self.losses.setdefault(name, []).append(losses(values, rows.y))
            right = values.argmax(axis=1) == rows.y if values.ndim == 2 else np.empty(0, dtype=bool)
            self.right.setdefault(name, []).append(right)
        for lower, upper in combinations(predicted, 2):
            sum_so_far = self.apart.get((lower, upper), 0.0)
            self.apart[lower, upper] = sum_so_far + divergence(predicted[lower], predicted[upper])

    def _refuse_not_finite(self, name: str, predicted: np.ndarray, rows: Rows) -> None:
        finite = np.isfinite(predicted.reshape(len(predicted), -1)).all(axis=1)
        if not finite.all():
            first = int(np.argmin(finite))
            raise ModelError(
                f"the {name} rung predicts {predicted[first]}",
                where=f"row {rows.index[first]} of {self.source} (the first row is 0)",
                try_="look at that row: a number far outside the range of the others can overflow",
            )

    def judged(self, parameters: dict[str, int], left_out: dict[str, str], notes: tuple[str, ...]) -> Judged:
        """All blocks together."""
        fold = np.concatenate(self.folds)
        return Judged(
            numbers=np.concatenate(self.numbers),
            fold=fold,
            losses={name: np.concatenate(parts) for name, parts in self.losses.items()},
            right={name: np.concatenate(parts) for name, parts in self.right.items()},
            apart={pair: total / len(fold) for pair, total in self.apart.items()},
            parameters=parameters,
            left_out=left_out,
            notes=notes,
        )
