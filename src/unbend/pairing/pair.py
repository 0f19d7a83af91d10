"""The network applied to rows of the table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from unbend.data import Coding, Rows, Table
from unbend.document import number
from unbend.errors import DataError, ModelError, UsageError
from unbend.network import Network, Runner, input_shape
from unbend.pairing.features import match
from unbend.pairing.head import Head, head
from unbend.pairing.scaling import (
    CLEARLY,
    KINDS,
    ROWS,
    WORDS,
    WORTH_RESCALING,
    Scaling,
    correlation_squared,
    inner,
    r_squared,
)

Scale = Literal["auto", "none", "standard", "minmax"]


@dataclass(frozen=True, eq=False)
class Pair:
    """A network and a table, matched; `predict` gives its answers for rows of the table.

    `rescale` is (a, b) where the network's answer f is on another scale than the target and a + b f is taken.
    `order` says which of the network's classes each of the table's is.
    """

    network: Network
    table: Table
    coding: Coding
    how: str
    head: Head
    notes: tuple[str, ...]
    scaling: Scaling | None = None
    rescale: tuple[float, float] | None = None
    order: tuple[int, ...] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns in the order of the network's input."""
        return self.coding.names

    @property
    def classifier(self) -> bool:
        """Whether the network gives scores of classes."""
        return self.table.classes is not None

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes, in the table's order."""
        return self.table.classes

    @property
    def logits(self) -> str:
        """Name of the value before the last Softmax or Sigmoid."""
        return self.head.logits

    @cached_property
    def runner(self) -> Runner:
        """The network under onnxruntime, giving its answer and the value before its last Softmax or Sigmoid."""
        return Runner(self.network, [self.head.logits])

    def inputs(self, rows: Rows) -> np.ndarray:
        """The network's input for rows of the table, (n, d), scaled where a scaler was outside the network."""
        x = self.coding.encode(rows.batch)
        return self.scaling(x) if self.scaling is not None else x

    def predict(self, rows: Rows) -> np.ndarray:
        """The network's answers: (n,) numbers, or (n, classes) probabilities in the table's order of classes.

        Raises
        ------
        ModelError
            An answer is not a number.
        """
        answers = self._run(rows, self.head.output)
        if not self.classifier:
            flat = answers[:, 0]
            return flat if self.rescale is None else self.rescale[0] + self.rescale[1] * flat
        return self._in_order(self._probabilities(answers))

    def scores(self, rows: Rows) -> np.ndarray:
        """The values before the last Softmax or Sigmoid, (n, outputs)."""
        return self._run(rows, self.head.logits)

    def _run(self, rows: Rows, name: str) -> np.ndarray:
        values = self.runner(self.inputs(rows).reshape(len(rows.index), *input_shape(self.network)))[name]
        found = values.reshape(len(rows.index), -1).astype(np.float64)
        bad = np.flatnonzero(~np.isfinite(found).all(axis=1))
        if len(bad):
            raise ModelError(
                f"{self.network.name} gives {found[bad[0]][~np.isfinite(found[bad[0]])][0]} as its answer",
                where=f"for {len(bad)} rows; the first is row {rows.index[bad[0]]} of {self.table.source.name}",
                try_="look at that row; columns in other units than those the network was trained on can do this",
            )
        return found

    def _probabilities(self, answers: np.ndarray) -> np.ndarray:
        if self.head.last == "LogSoftmax":
            return np.exp(answers)
        if self.head.kind == "binary":
            return np.column_stack([1.0 - answers[:, 0], answers[:, 0]])
        if self.head.kind == "number":
            return _softmax(np.column_stack([np.zeros(len(answers)), answers[:, 0]]))
        return _softmax(answers) if self.head.kind == "numbers" else answers / answers.sum(axis=1, keepdims=True)

    def _in_order(self, probabilities: np.ndarray) -> np.ndarray:
        return probabilities if self.order is None else probabilities[:, self.order]


def _softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def pair(network: Network, table: Table, *, scale: Scale = "auto") -> Pair:
    """Match `network` and `table`.

    `scale` says whether columns are scaled before the network: `none`, `standard` (mean 0, standard deviation 1),
    `minmax` (0 to 1), or `auto`, which asks the rows and says in `notes` what it found.

    Raises
    ------
    DataError
        The columns or the classes do not fit to the network.
    ModelError
        The network has no output that could be the target.
    """
    if scale not in ("auto", "none", *KINDS):
        raise UsageError(f"no scaling is called {scale}", try_="choose auto, none, standard or minmax")
    features, end = match(network, table), head(network)
    _check_head(network, table, end)
    order = _class_order(network, table, end)
    ways = [Pair(network, table, one.coding, one.how, end, (one.note,), order=order) for one in features]
    if scale in KINDS:
        note = f"The columns are scaled to {WORDS[scale]} before the network, as asked."
        ways = [_scaled(way, scale, note) for way in ways]
    if not table.target:
        return ways[0]
    found = _likeliest(ways, scale)
    return _asked(found) if scale == "auto" else found


def _likeliest(ways: list[Pair], scale: Scale) -> Pair:
    """Of several orders of the columns, the one in which the network predicts clearly best; else the first."""
    if len(ways) == 1:
        return ways[0]
    rows = _sample(ways[0].table)
    shapes = [_best_shape(way, rows, scale) for way in ways]
    best = int(np.argmax(shapes))
    clear = shapes[best] > shapes[0] + CLEARLY
    note = (
        f"{len(ways)} orders of the columns have the right number; in this one the network predicts best on these rows."
        if clear or best == 0
        else f"{len(ways)} orders of the columns have the right number, and these rows do not tell which is the "
        "network's: name its columns in the model file, or check their order."
    )
    chosen = ways[best if clear else 0]
    return replace(chosen, notes=(*chosen.notes, note))


def _best_shape(way: Pair, rows: Rows, scale: Scale) -> float:
    """How well the answers follow the target, with the scaling that suits them best where that is open."""
    variants = [way, *(_scaled(way, kind, "") for kind in KINDS)] if scale == "auto" else [way]
    return max(_scored(variant, rows)[1] for variant in variants)


def _check_head(network: Network, table: Table, end: Head) -> None:
    if not table.target:
        return
    if table.classes is None and end.kind != "number":
        what = "class scores" if end.classifier else f"{end.size} numbers"
        raise DataError(
            f"{network.name} gives {what} for a row; {table.target} is one number",
            where=f"output {end.output} has {end.size} values",
            try_="choose the target that the network was trained for: --target NAME",
        )
    if table.classes is not None:
        classes = 2 if end.size == 1 else end.size
        if classes != len(table.classes):
            raise DataError(
                f"{network.name} tells {classes} classes apart; {table.target} has {len(table.classes)}",
                where=f"the classes of {table.target} are {', '.join(table.classes)}",
                try_="choose the target that the network was trained for (--target)",
            )


def _class_order(network: Network, table: Table, end: Head) -> tuple[int, ...] | None:
    """Where each of the table's classes is among the network's, if the model names them."""
    if table.classes is None or network.classes is None or set(network.classes) != set(table.classes):
        return None
    return tuple(network.classes.index(name) for name in table.classes)


def _sample(table: Table) -> Rows:
    """The first complete rows."""
    return next(table.blocks(ROWS))


def _scaled(found: Pair, kind: str, note: str) -> Pair:
    x = found.coding.encode(_sample(found.table).batch)
    return replace(found, scaling=KINDS[kind](x), notes=(*found.notes, note))


def _asked(found: Pair) -> Pair:
    """Ask the rows whether a scaler was outside the network."""
    rows = _sample(found.table)
    plain, shape = _scored(found, rows)
    if plain < 0:
        scaled = {kind: _scaled(found, kind, _note(kind)) for kind in KINDS}
        shapes = {kind: _scored(other, rows)[1] for kind, other in scaled.items()}
        best = max(shapes, key=lambda kind: shapes[kind])
        if shapes[best] > shape + CLEARLY:
            found = scaled[best]
    return found if found.classifier else _on_target_scale(found, rows)


def _note(kind: str) -> str:
    return (
        "On the columns as they are the network predicts worse than a constant, and well on columns "
        f"scaled to {WORDS[kind]}: it was trained with a scaler outside it, so the columns are scaled (see --scale)."
    )


def _scored(found: Pair, rows: Rows) -> tuple[float, float]:
    """How good the answers are against a constant, and how good in shape alone; answers that are no numbers are bad."""
    try:
        predicted = found.predict(rows)
    except ModelError:
        return -np.inf, 0.0
    if not found.classifier:
        return r_squared(rows.y, predicted), correlation_squared(rows.y, predicted)
    right = float(np.mean(predicted.argmax(axis=1) == rows.y))
    return right - float(np.bincount(rows.y.astype(int)).max() / len(rows.y)), right


def _on_target_scale(found: Pair, rows: Rows) -> Pair:
    """Take a + b f where the network's answer f follows the target in shape and not in units.

    A few wild answers are no other scale, so the question is asked of the rows without the most extreme ones.
    """
    r2, shape = _scored(found, rows)
    if r2 >= 0 or shape < WORTH_RESCALING:
        return found
    predicted = found.predict(rows)
    usual = inner(predicted)
    if r_squared(rows.y[usual], predicted[usual]) >= 0:
        return found
    slope = float(np.cov(rows.y, predicted)[0, 1] / np.var(predicted, ddof=1))
    intercept = float(rows.y.mean() - slope * predicted.mean())
    note = (
        f"The network's answer f is on another scale than {found.table.target}; it is scored as "
        f"{number(intercept)} + {number(slope)} f, the regression of {found.table.target} on it."
    )
    return replace(found, rescale=(intercept, slope), notes=(*found.notes, note))
