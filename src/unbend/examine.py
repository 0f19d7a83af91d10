"""`examine`: every part asked about one network and one table, and their findings gathered into an Answer."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from unbend.bends import Bends, LocalRegression, Straightness, straightness
from unbend.bends.activity import count, summary
from unbend.bends.near import local_regression
from unbend.bends.straightness import sentence
from unbend.bends.straightness import why_not as too_few
from unbend.bends.walk import upstream
from unbend.checks import Checks, check
from unbend.collapse import Collapse, collapse
from unbend.compare import Comparison
from unbend.compare.compare import judge, refuse_options, split_rows
from unbend.data import Rows, column_name, column_names, open_source
from unbend.data.opening import refuse_unknown
from unbend.errors import DataError, ModelError
from unbend.findings import Finding
from unbend.network import Network, mixes_rows, read
from unbend.pairing import Pair, Scale, open_with_target, pair
from unbend.report import Answer

MIXED = (
    "The network is no regression of one row: it mixes the rows of a batch, so that its answer for a row depends on the"
    " others. Three rows run at once, and each alone, give different answers."
)


def examine(
    model: Any,
    data: Any,
    target: str,
    *,
    example: Any = None,
    order: str | None = None,
    holdout: Any = None,
    holdout_column: str | None = None,
    exclude: Sequence[str] = (),
    classes: bool | None = None,
    scale: Scale = "auto",
    folds: int = 5,
    seed: int = 0,
    level: float = 0.95,
) -> Answer:
    """Is this network a linear regression, and would one have done as well?

    Parameters
    ----------
    model : path of an ONNX file, onnx.ModelProto, torch module (with `example`), scikit-learn network
    data : a table: a path, a folder, a glob, a frame
    target : the column that the network predicts
    example : one input with its batch axis, for a torch module
    order : a column that says which row comes after which; folds are then blocks of consecutive rows
    holdout, holdout_column : other rows, or a column that is true for rows, that the network has not seen in training
    exclude : columns that are not used
    classes : True takes a numeric target for classes; None does so if the network gives classes
    scale : scaling of the columns before the network (see `unbend.pairing.pair`)
    folds, seed, level : of the cross-validation and of the intervals

    Raises
    ------
    UnbendError
        The network or the table cannot be read, or they do not fit together; see `unbend.errors`.
    """
    refuse_options(holdout, holdout_column, seed, level, data)
    network, source = read(model, example), open_source(data)
    refuse_unknown(source, [("--holdout-column", one) for one in column_names(holdout_column)])
    shape = collapse(network, cost="macs")  # nothing in its report hangs on this machine
    exclude, target = column_names(exclude), column_name(target)
    unused = (*exclude, *([holdout_column] if holdout_column else []))
    if holdout is None and holdout_column is None:
        table = open_with_target(network, source, target, exclude=unused, order=order, classes=classes)
    else:  # no folds, so that the order decides nothing, and a hold-out file need not have it
        ordering = [order] if order else []
        table = open_with_target(network, source, target, exclude=(*unused, *ordering), classes=classes)
    split = split_rows(table, holdout, holdout_column, folds, seed)
    matched = pair(network, table, scale=scale, learning=split.learning)
    ran, why_not = _runs(matched)
    mixed = ran and mixes_rows(network)
    comparison = judge(split, matched if ran else None, level)
    straight = straightness(matched, folds=folds, seed=seed, level=level) if ran else None
    found = count(matched) if ran else None
    regression = _regression(matched, network) if ran and not mixed else None
    checks, not_checked = _checks(data, target, order, level, unused, table.classes)
    return Answer(
        model=network.name,
        data=table.source.name,
        target=target,
        collapse=shape,
        regression=regression,
        until=matched.head.last if regression is not None else "",
        straightness=straight,
        bends=found,
        comparison=comparison,
        checks=checks,
        findings=tuple(_findings(shape, regression, mixed, matched, straight, found, comparison, checks)),
        notes=_notes(
            table.notes, () if ran else matched.notes, comparison.notes, checks.notes if checks else (), (why_not,)
        ),
        command=_command(
            (model, data, holdout),
            exclude,
            {
                "--target": target,
                "--order": order,
                "--holdout": holdout,
                "--holdout-column": holdout_column,
                "--classes": classes or None,
                "--scale": scale if scale != "auto" else None,
                "--folds": folds if folds != 5 else None,
                "--seed": seed or None,
                "--level": level if level != 0.95 else None,
            },
        ),
        unasked={"bends": why_not, "checks": not_checked, "straightness": why_not or too_few(matched, folds)},
        classes=network.classes or table.classes,
    )


def _notes(*parts: Sequence[str]) -> tuple[str, ...]:
    """What the parts did, each said once."""
    return tuple(dict.fromkeys(note for part in parts for note in part if note))


def _runs(matched: Pair) -> tuple[bool, str]:
    """Whether onnxruntime can run the network, and why not."""
    try:
        _ = matched.runner
    except ModelError as error:
        return False, f"{error.what}: {error.where}" if error.where else error.what
    return True, ""


def _regression(matched: Pair, network: Network) -> LocalRegression | None:
    """The one regression that the network is, if no bend stands before its scores and it can be worked out."""
    if any(node in network.bends for node in upstream(network, matched.head.logits)):
        return None
    first = next(matched.table.blocks(1))
    row = Rows(first.x[:1], first.y[:1], first.index[:1], first.batch.slice(0, 1))
    try:
        return local_regression(matched, row)
    except ModelError:
        return None


def _checks(
    data: Any, target: str, order: str | None, level: float, exclude: Sequence[str], classes: tuple[str, ...] | None
) -> tuple[Checks | None, str]:
    if classes is not None:
        return None, f"{target} is a class; these assumptions are those of a regression of a number"
    try:
        return check(data, target, order=order, level=level, exclude=exclude), ""
    except DataError as error:
        return None, error.what


def _findings(
    shape: Collapse,
    regression: LocalRegression | None,
    mixed: bool,
    matched: Pair,
    straight: Straightness | None,
    found: Bends | None,
    comparison: Comparison,
    checks: Checks | None,
) -> Iterator[Finding]:
    """One finding for each question."""
    if mixed:
        yield Finding("is_regression", MIXED, "exact")
    else:
        yield Finding("is_regression", _is_regression(shape, regression, matched), "exact")
    if straight is not None and regression is None:
        yield Finding(
            "straightness", sentence(straight), "measured on held-out rows", straight.value, straight.interval
        )
    if found is not None and found.bends:
        share = found.switching / found.units if found.units else None
        yield Finding("bends", summary(found), "measured on these rows", share)
    yield comparison.answer if found is not None else _without_the_network(comparison.answer, matched)
    if checks is not None:
        yield Finding("trust", f"May the linear fit be trusted? {checks.sentence}", "measured on these rows")


def _without_the_network(answer: Finding, matched: Pair) -> Finding:
    """The ladder's answer, where the network on it is not the user's."""
    said = f"The network here is a small one that was fitted for the comparison: {matched.network.name} cannot be run."
    return replace(answer, sentence=f"{answer.sentence} {said}")


def _is_regression(shape: Collapse, regression: LocalRegression | None, matched: Pair) -> str:
    if regression is None:
        return _bends_at(shape, matched)
    if matched.head.classifier:
        return f"The network is a logistic regression: W_z x + b_z, then {matched.head.last}."
    return "The network is a linear regression: it has no bend, and W_z and b_z are below."


def _bends_at(shape: Collapse, matched: Pair) -> str:
    """Where the network bends on the way to its scores; what other outputs are made with is not asked."""
    network = matched.network
    before = set(upstream(network, matched.head.logits))
    bends = [bend for node, bend in zip(network.bends, shape.bends, strict=True) if node in before]
    until = f" before its last {matched.head.last}" if matched.head.last else ""
    if drawn := list(dict.fromkeys(node.random for node in network.bends if node.random)):
        return f"The network is no linear regression: its answer for one row is not always the same. {drawn[0]}."
    count, kinds = len(bends), ", ".join(sorted({bend.op_type for bend in bends}))
    if not count:
        return f"The network has no bend{until}, but W_z and b_z could not be worked out."
    if not any(bend.known for bend in bends):
        return f"Whether the network is a linear regression cannot be said: unbend does not know what {kinds} computes."
    return f"The network is no linear regression: it bends at {count} node{'s' if count > 1 else ''}{until} ({kinds})."


def _command(places: tuple[Any, Any, Any], exclude: Sequence[str], options: Mapping[str, Any]) -> str:
    """What to type for the same again; empty if the model, the data or the hold-out is no file."""
    if not all(isinstance(place, (str, Path)) for place in places if place is not None):
        return ""
    words = ["unbend", "examine", str(places[0]), str(places[1])]
    for option, value in options.items():
        if value is not None:
            words += [option] if value is True else [option, str(value)]
    for name in exclude:
        words += ["--exclude", name]
    return shlex.join(words)
