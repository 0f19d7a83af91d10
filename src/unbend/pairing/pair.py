"""A network and a table matched: the network applied to rows of the table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from unbend.data import Coding, Rows, Table
from unbend.document import number
from unbend.errors import ModelError, UsageError
from unbend.network import Network, Runner
from unbend.pairing.answering import Answering, Meaning, look_again, meaning_note, meaning_of, probabilities
from unbend.pairing.asking import Way, ask, sample
from unbend.pairing.classes import class_note, class_order, refuse_head
from unbend.pairing.features import Features, candidates
from unbend.pairing.head import Head, head
from unbend.pairing.learning import Learning
from unbend.pairing.scaling import FIGURES, KINDS, WORDS, Scaling
from unbend.pairing.units import FROM_ROWS, SAME, UNITS

Scale = Literal["auto", "none", "standard", "minmax"]


@dataclass(frozen=True, eq=False)
class Pair:
    """A network and a table, matched; `predict` gives its answers for rows of the table.

    Attributes
    ----------
    network, table : what was matched
    coding : the coded columns in the order of the network's input
    how : `by name` or `by position`
    head : how the network ends
    answering : the network under onnxruntime
    meaning : what its answers are
    notes : sentences that say what was matched how, and what was done
    scaling : applied to the columns before the network, None if none is
    rescale : (a, b) where the network's answer f is in another unit than the target and a + b f is taken
    order : which of the network's classes each of the table's is, None for the same order
    failing : the one of `notes` that says that the network is no better than a constant, "" if it is
    """

    network: Network
    table: Table
    coding: Coding
    how: str
    head: Head
    answering: Answering
    meaning: Meaning
    notes: tuple[str, ...]
    scaling: Scaling | None = None
    rescale: tuple[float, float] | None = None
    order: tuple[int, ...] | None = None
    failing: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns in the order of the network's input."""
        return self.coding.names

    @property
    def classifier(self) -> bool:
        """Whether the target is a class."""
        return self.table.classes is not None

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes, in the table's order."""
        return self.table.classes

    @property
    def logits(self) -> str:
        """Name of the value before the last Softmax or Sigmoid."""
        return self.head.logits

    @property
    def runner(self) -> Runner:
        """The session under onnxruntime; ModelError where it cannot run the network."""
        return self.answering.runner

    def inputs(self, rows: Rows) -> np.ndarray:
        """The network's input for rows of the table, (n, d), scaled where a scaler was outside the network."""
        x = self.coding.encode(rows.batch)
        return self.scaling(x) if self.scaling is not None else x

    def predict(self, rows: Rows) -> np.ndarray:
        """The network's answers: (n,) numbers, or (n, classes) probabilities in the table's order of classes.

        Raises
        ------
        ModelError
            An answer is not a number; it says for which row.
        """
        answers = self.respond(self.inputs(rows), rows.index)
        return answers if self.rescale is None else self.rescale[0] + self.rescale[1] * answers

    def scores(self, rows: Rows) -> np.ndarray:
        """The values before the last Softmax or Sigmoid, (n, outputs), in the network's order."""
        return self.answering(self.inputs(rows), self.head.logits, rows.index)

    def respond(self, x: np.ndarray, index: np.ndarray) -> np.ndarray:
        """As `predict`, for input rows (n, d) with their numbers, in the network's own unit."""
        answers = self.answering(x, self.head.output, index)
        if not self.classifier:
            return answers[:, 0]
        found = probabilities(answers, self.meaning)
        return found if self.order is None else found[:, self.order]


def pair(network: Network, table: Table, *, scale: Scale = "auto", learning: Learning | None = None) -> Pair:
    """Match `network` and `table`.

    `scale` says how columns are scaled before the network: `none`, `standard` (mean 0, standard deviation 1), `minmax`
    (0 to 1), or `auto`, which asks the rows (see `unbend.pairing.asking`). `notes` says what was found.
    `learning` are the rows of the table that the scaler, the target's unit and the choice between them are learned
    from: those that are not held out; None for all rows.

    Raises
    ------
    DataError
        The columns or the classes do not fit to the network.
    ModelError
        The network has no output that could be the target.
    """
    if scale not in ("auto", "none", *KINDS):
        raise UsageError(f"no scaling is called {scale}", try_="choose auto, none, standard or minmax")
    learning = Learning.everything(table) if learning is None else learning
    options, end = candidates(network, table), head(network)
    refuse_head(network, table, end)
    found = _plain(network, table, options[0], end)
    scalings = ("none", *KINDS) if scale == "auto" else (scale,)
    if table.target and _runs(found):
        found = _understood(found, learning)
        plain, taken = ask(learning, found.respond, options, scalings)
        found = replace(found, failing=_failing(found, taken, learning))
        reasons = [*_reasons(found, plain, taken, scale, learning), found.failing]
        return _used(found, taken, reasons, learning)
    taken = Way(options[0], scalings[0], SAME, 0.0, 0.0, 0)
    return _used(found, taken, [*_asked_for(scale), *_learned(taken, table, learning)], learning)


def _plain(network: Network, table: Table, features: Features, end: Head) -> Pair:
    meaning: Meaning = "numbers" if table.classes is None else meaning_of(end)
    answering, order = Answering(network, end), class_order(network, table)
    return Pair(network, table, features.coding, features.how, end, answering, meaning, (), order=order)


def _runs(found: Pair) -> bool:
    """Whether onnxruntime can run the network; one that it cannot run can still be collapsed."""
    try:
        return found.runner is not None
    except ModelError:
        return False


def _understood(found: Pair, learning: Learning) -> Pair:
    """What the answers mean, and the sentences that say what was assumed about classes."""
    if not found.classifier:
        return found
    rows = sample(learning)
    try:
        meaning = look_again(found.meaning, found.answering(found.inputs(rows), found.head.output, rows.index))
    except ModelError:
        return found
    return replace(found, meaning=meaning)


def _used(found: Pair, way: Way, reasons: list[str], learning: Learning) -> Pair:
    """The network used in that way."""
    about_classes = [meaning_note(found.meaning, found.head), class_note(found.network, found.table, found.head)]
    return replace(
        found,
        coding=way.features.coding,
        how=way.features.how,
        scaling=_scaling(learning, way),
        rescale=_unit(learning, way.unit),
        notes=tuple(note for note in (way.features.note, *reasons, *about_classes) if note),
    )


def _scaling(learning: Learning, way: Way) -> Scaling | None:
    if way.scaling not in KINDS:
        return None
    return KINDS[way.scaling](way.features.coding.encode(rows.batch) for rows in learning.blocks())


def _unit(learning: Learning, unit: str) -> tuple[float, float] | None:
    return None if unit == SAME else UNITS[unit](rows.y[:, None] for rows in learning.blocks())


def _learned(taken: Way, table: Table, learning: Learning) -> Iterator[str]:
    """Which rows gave the figures of the scaler and of the target's unit."""
    what = ["the columns"] if taken.scaling in KINDS else []
    what += [table.target] if taken.unit in FROM_ROWS else []
    if what:
        figures = {FROM_ROWS.get(taken.unit, ""), FIGURES.get(taken.scaling, "")} - {""}
        yield f"The {' and the '.join(sorted(figures))} of {' and of '.join(what)} are those of {learning.which}."


def _asked_for(scale: Scale) -> list[str]:
    return [f"The columns are scaled to {WORDS[scale]} before the network, as asked."] if scale in WORDS else []


def _reasons(found: Pair, plain: Way, taken: Way, scale: Scale, learning: Learning) -> Iterator[str]:
    """Why the network is used in that way."""
    yield from _asked_for(scale)
    target, said = found.table.target, f"{_score(found, plain)} as they are, {_score(found, taken)} so"
    if taken.features is not plain.features:
        yield f"Another order of the columns fits to the network as well, but on this one it predicts better ({said})."
    if taken.scaling != plain.scaling:
        yield (
            f"The columns are scaled to {WORDS[taken.scaling]} before the network, since that is how it predicts "
            f"{target} ({said}): it was trained with a scaler outside it (--scale none leaves the columns alone)."
        )
    if taken.unit != SAME:
        a, b = _unit(learning, taken.unit) or (0.0, 1.0)
        yield (
            f"The network's answer f is on another scale than {target}: it was trained on {target} {taken.unit}, "
            f"so {number(a)} + {number(b)} f is taken for its prediction ({said})."
        )
    yield from _learned(taken, found.table, learning)


def _failing(found: Pair, taken: Way, learning: Learning) -> str:
    """That the network is no better than a constant, whatever was tried; nothing is repaired."""
    if taken.score >= 0:
        return ""
    where = "these rows" if learning.held_out is None else learning.which
    return (
        f"On {where} the network predicts {found.table.target} worse than a constant ({_score(found, taken)}), with "
        "its columns and its target as they are or scaled. It is scored as it is. If it is better elsewhere, its "
        "columns were prepared in another way, or stand in another order, than in this table."
    )


def _score(found: Pair, way: Way) -> str:
    if not np.isfinite(way.score):
        return "answers that are no numbers"
    return f"R² {number(way.score, 3)}" if not found.classifier else f"{number(100 * way.right, 3)} % of rows right"
