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


def notes(gathered: Gathered, judged: Judged, pair: Pair | None, scores: Sequence[Score]) -> tuple[str, ...]:
    """All notes, what limits the answer first."""
    return (
        *_network(gathered, judged, pair, scores),
        *judged.left_out.values(),
        *_fitting(gathered, judged),
        *judged.notes,
        *_data(gathered),
        *(pair.notes if pair is not None else ()),
    )


def _network(gathered: Gathered, judged: Judged, pair: Pair | None, scores: Sequence[Score]) -> Iterator[str]:
    if pair is None:
        if gathered.split.holdout and scores[-1].name == "network":
            yield "The network was trained once: its interval leaves out that another training gives another network."
        return
    if not gathered.split.holdout:
        yield FLATTER
    if (row := _single_row(judged)) is not None:
        yield row
    elif scores[-1].loss > FAR_WORSE * scores[0].loss:
        yield _far_worse(pair)


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


def _far_worse(pair: Pair) -> str:
    matched = "name: check their units." if pair.how == "by name" else "position: check their order."
    return (
        f"{pair.network.name} is far worse than a constant on these rows. Likely its columns are in another order or "
        "in other units than those it was trained on, a scaler that stood before it is not in the file, or it was "
        f"trained for another target. Columns are matched by {matched} Put the scaler into the model, or name it with "
        "--scale standard or --scale minmax."
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
    yield from split.table.notes
    if split.file is not None:
        yield from (f"{split.file.source.name}: {note}" for note in split.file.notes)
    if gathered.zero_or_one and split.table.classes is None:
        yield (
            f"{split.table.target} is 0 or 1 and is taken for a number; to compare class probabilities write it as "
            "text, such as no and yes (in Python: classes=True)."
        )
