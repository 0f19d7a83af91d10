"""`unbend compare`: does this data need a network at all?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unbend.compare.climb import Judged, climb
from unbend.compare.comparison import Comparison
from unbend.compare.expansion import Expansion, expansion
from unbend.compare.gather import IN_MEMORY, Gathered, gather
from unbend.compare.ladder import Task, rungs
from unbend.compare.report import report
from unbend.compare.split import Split, refuse_folds
from unbend.data import Source, Table, column_names, open_source, open_table
from unbend.data.opening import refuse_unknown
from unbend.errors import DataError, UsageError
from unbend.network import Network, read
from unbend.pairing import Pair, head, pair
from unbend.pairing.pair import Scale

NOTHING_LOST = 1e-20
"""A constant whose loss is below this share of the target's variance is right to ten digits: the rest is rounding."""


def compare(
    data: Any,
    target: str,
    model: Any = None,
    *,
    example: Any = None,
    holdout: Any = None,
    holdout_column: str | None = None,
    folds: int = 5,
    seed: int = 0,
    scale: Scale = "auto",
    level: float = 0.95,
    order: str | None = None,
    exclude: Sequence[str] = (),
    classes: bool | None = None,
) -> Comparison:
    """The ladder constant, linear, quadratic, network on the same held-out rows.

    The rungs below the network are fitted here, on rows that they are not judged on. A network that is given is scored
    as it is; without one, a small default network is fitted in the same way as the other rungs.

    Parameters
    ----------
    data : a path, a folder, a glob, a frame or a `Source`
    target : the column to predict
    model : a network as in `unbend.network.read`, or None for the small default one
    example : an input of the model, needed for a torch module
    holdout : other rows, that the network has not seen in training; all rungs are judged on them
    holdout_column : a column that is true where the network has not seen the row
    folds : of the cross-validation, where there is no hold-out
    seed : decides the folds and whatever else is random
    scale : how the columns were scaled before they entered the network, see `unbend.pairing.pair`
    level : of the intervals
    order : a column that says which row comes after which, and is no input; folds are then blocks of consecutive rows
    exclude : columns that are not used
    classes : True takes a numeric target for classes; None does so if the network gives classes

    Raises
    ------
    UsageError
        If the options do not fit together.
    DataError
        If the data cannot be read or compared: the target constant, too few rows.
    ModelError
        If the network cannot be read or does not predict numbers.
    """
    refuse_options(holdout, holdout_column, seed, level, data)
    network = None if model is None else read(model, example)
    source = open_source(data)
    refuse_unknown(source, [("--holdout-column", one) for one in column_names(holdout_column)])
    refuse_unknown(source, [("--order", one) for one in column_names(order)])
    unused = (*column_names(exclude), *column_names(holdout_column))
    if holdout is not None or holdout_column is not None:  # no folds, so that the order decides nothing
        unused, order = (*unused, *column_names(order)), None
    table = _open(source, target, unused, classes, network, order)
    split = split_rows(table, holdout, holdout_column, folds, seed)
    paired = None if network is None else pair(network, table, scale=scale, learning=split.learning)
    return judge(split, paired, level)


def refuse_options(holdout: Any, holdout_column: str | None, seed: int, level: float, data: Any) -> None:
    """Raise UsageError if the options do not fit together."""
    if holdout is not None and holdout_column is not None:
        raise UsageError("a hold-out file and a hold-out column at once", try_="give --holdout or --holdout-column")
    if not 0 < level < 1:
        raise UsageError(f"the level must be between 0 and 1, not {level}", try_="for 95 % intervals: 0.95")
    if seed < 0:
        raise UsageError(f"the seed must be 0 or more, not {seed}")
    paths = [Path(place) for place in (data, holdout) if isinstance(place, (str, Path))]
    if len(paths) == 2 and paths[0].resolve() == paths[1].resolve():
        raise UsageError(
            f"the hold-out file is the data file itself: {holdout}",
            try_="give rows that are not in the data, or mark rows in it with --holdout-column NAME",
        )


def _open(
    source: Source,
    target: str,
    exclude: Sequence[str],
    classes: bool | None,
    network: Network | None,
    order: str | None,
) -> Table:
    """The table; a network of classes makes a numeric target one, if its values can be."""
    if classes is None and network is not None and head(network).kind != "number":
        try:
            return open_table(source, target, exclude=exclude, order=order, classes=True)
        except DataError:
            pass  # what is wrong is said better by what follows
    return open_table(source, target, exclude=exclude, order=order, classes=classes)


def split_rows(table: Table, holdout: Any, column: str | None, folds: int, seed: int) -> Split:
    """Which rows of the table are held out.

    Raises
    ------
    UsageError, DataError
        The rows cannot be split so, or nothing can be fitted to them.
    """
    if table.p == 0:
        raise DataError(
            f"every column of {table.source.name} that could explain {table.target} is the same in every row",
            where=", ".join(table.features),
            try_="add a column that varies",
        )
    if holdout is not None:
        return Split(table, 1, seed, file=table.reading(holdout))
    if column is not None:
        return Split.by_column(table, column, seed)
    refuse_folds(folds, table.n, table.source.name)
    return Split(table, folds, seed)


def judge(split: Split, paired: Pair | None, level: float) -> Comparison:
    """The ladder on a split; `paired` is the user's network, None to fit the default one.

    Raises
    ------
    DataError, ModelError
        As `compare`.
    """
    task: Task = "number" if split.table.classes is None else "classes"
    fitted = [entry for entry in rungs(task) if paired is None or entry.name != "network"]
    in_memory = any(entry.needs == "rows" for entry in fitted)
    gathered = gather(split, _expansion(split, task), in_memory)
    _refuse_gathered(gathered)
    judged = climb(gathered, fitted, paired)
    _refuse_judged(judged, gathered)
    return report(gathered, judged, paired, level)


def _expansion(split: Split, task: Task) -> Expansion:
    """The quadratic's columns; a logistic regression has its rows in memory and iterates on each class."""
    rows = split.fitted_rows
    if task == "number":
        return expansion(split.table.coding, rows)
    rows = min(rows, IN_MEMORY)
    return expansion(split.table.coding, rows, in_memory=rows * len(split.table.classes or ()))


def _refuse_gathered(gathered: Gathered) -> None:
    table = gathered.split.table
    whole = gathered.everything()
    same = whole.moments is not None and whole.moments.centred[-1, -1] <= 0
    if same or (whole.moments is None and np.count_nonzero(whole.counts) < 2):
        raise DataError(
            f"the target {table.target} is the same in every row: there is nothing to explain",
            where=f"{whole.n} rows of {table.source.name}",
            try_="choose another target",
        )


def _refuse_judged(judged: Judged, gathered: Gathered) -> None:
    split = gathered.split
    if len(judged.losses) < 2:
        raise DataError(
            f"{split.table.source.name} has too few rows to fit anything but a constant",
            where="\n".join(judged.left_out.values()),
            try_="leave columns out with --exclude NAME, or give more rows",
        )
    moments = gathered.everything().moments
    spread = 1.0 if moments is None else float(moments.centred[-1, -1] / moments.weight)
    if judged.losses["constant"].mean() <= NOTHING_LOST * spread:
        raise DataError(
            f"a constant predicts {split.table.target} exactly on every held-out row: there is nothing to explain",
            where=f"held out: {split.how}",
            try_="hold out rows in which the target varies",
        )
