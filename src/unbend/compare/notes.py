"""What the reader of a comparison must know besides the numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from unbend.compare.climb import Judged
from unbend.compare.comparison import Score
from unbend.compare.gather import Gathered
from unbend.document import number
from unbend.pairing import Pair

FAR_WORSE = 1.5
"""A network that loses this many times what a constant loses was hardly given the columns that it was trained on."""

MOST = 0.5
"""A single row that makes this share of the network's loss is named."""

FLATTER = (
    "The network was trained elsewhere, and its file does not say on which rows: it may have seen some of these, and "
    "then its score flatters it. Say which rows it has not seen, with --holdout FILE or with --holdout-column NAME (a "
    "column that is true where the network has not seen the row)."
)

AGAINST = (
    "R² is measured against a constant that is fitted on the same rows as the other rungs, not against the mean of the "
    "held-out rows, which no rung knows: it differs a little from scikit-learn's r2_score on the held-out rows."
)


def notes(gathered: Gathered, judged: Judged, pair: Pair | None, scores: Sequence[Score]) -> tuple[str, ...]:
    """All notes, what limits the answer first."""
    return (
        *_network(gathered, judged, pair, scores),
        *judged.left_out.values(),
        *_fitting(gathered, judged),
        *judged.notes,
        *_data(gathered),
        *([] if pair is None else [note for note in pair.notes if note != pair.failing or not far_worse(scores)]),
    )


def far_worse(scores: Sequence[Score]) -> bool:
    """Whether the highest rung, the network, loses far more than a constant."""
    return scores[-1].name == "network" and scores[-1].loss > FAR_WORSE * scores[0].loss


def warning(gathered: Gathered, scores: Sequence[Score]) -> str:
    """That the network is far worse than a constant, for the verdict; empty if it is not."""
    if not far_worse(scores):
        return ""
    network, constant = scores[-1], scores[0]
    measured = (
        f"log-loss {number(network.loss, 3)} against {number(constant.loss, 3)}"
        if network.r2 is None
        else f"R² {number(network.r2, 3)}"
    )
    logit = gathered.zero_or_one and gathered.split.table.classes is None
    hint = "if it answers with log-odds, add --classes" if logit else "see the notes"
    return f"The network is far worse than a constant on these rows ({measured}): {hint}."


def _network(gathered: Gathered, judged: Judged, pair: Pair | None, scores: Sequence[Score]) -> Iterator[str]:
    if pair is None:
        if gathered.split.holdout and scores[-1].name == "network":
            yield "The network was trained once: its interval leaves out that another training gives another network."
        return
    if not gathered.split.holdout:
        yield FLATTER
    if (row := _single_row(judged)) is not None:
        yield row
    elif far_worse(scores):
        yield _far_worse(gathered, pair)


def _single_row(judged: Judged) -> str | None:
    """The row that alone makes most of the network's loss, if there is one."""
    loss = judged.losses["network"]
    worst = int(loss.argmax())
    share = float(loss[worst] / loss.sum()) if loss.sum() > 0 else 0.0
    if share < MOST or len(loss) < 1 / MOST**2:
        return None
    return (
        f"One row, number {judged.numbers[worst]} (the first is 0), makes {number(100 * share, 3)} % of all that the "
        "network loses: look at it, and at whether the network was trained on rows like it."
    )


def _far_worse(gathered: Gathered, pair: Pair) -> str:
    if gathered.zero_or_one and gathered.split.table.classes is None:
        return (
            f"{pair.network.name} is far worse than a constant on these rows. {gathered.split.table.target} is 0 or 1, "
            "and the network's answer is no such number: likely it is log-odds. Add --classes (in Python: "
            "classes=True), and the classes are compared."
        )
    matched = "name: check their units." if pair.how == "by name" else "position: check their order."
    tried = (
        "The rows do not speak for columns or a target that were scaled outside the network either."
        if pair.failing
        else "Put the scaler into the model, or name it with --scale standard or --scale minmax."
    )
    return (
        f"{pair.network.name} is far worse than a constant on these rows, and is scored as it is. Likely its columns "
        "are in another order or in other units than those it was trained on, a scaler that stood before it is not in "
        f"the file, or it was trained for another target. Columns are matched by {matched} {tried}"
    )


def _fitting(gathered: Gathered, judged: Judged) -> Iterator[str]:
    used = gathered.expansion.note
    if used and used not in judged.left_out.values():
        yield used
    if gathered.is_sample:
        yield (
            f"What cannot be fitted from moments is fitted on a random sample of {number(len(gathered.y))} rows; all "
            "held-out rows are judged."
        )


def _data(gathered: Gathered) -> Iterator[str]:
    split = gathered.split
    if split.table.classes is None:
        yield AGAINST
    if split.table.order is not None and not split.holdout:
        yield (
            f"Neighbouring rows may be alike, so the folds are {split.folds} blocks of consecutive rows in the order "
            f"of {split.table.order}. The intervals take every row for one of its own all the same: with rows that "
            "depend on each other they are too narrow."
        )
    yield from split.table.notes
    if split.file is not None:
        yield from (f"{split.file.source.name}: {note}" for note in split.file.notes)
    if gathered.zero_or_one and split.table.classes is None:
        yield (
            f"{split.table.target} is 0 or 1 and is taken for a number; to compare class probabilities add --classes "
            "(in Python: classes=True)."
        )
