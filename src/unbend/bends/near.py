"""`near`: the linear regression that a network is at one row of the user's table.

On the piece around the row the network is W x + b exactly, if its bends are piecewise linear. How far that holds is
read off the same tangents: a unit with input a and derivative g by a column switches when that column moves by −a / g,
so the nearest switch on each side bounds, for each column alone, the range on which this regression is the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from unbend.bends.tangent import MAX_INPUTS, Tangent, Visit, tangent, walk
from unbend.bends.walls import walls
from unbend.data import Rows, Table, open_table
from unbend.document import Block, Cell, Column, Heading, Paragraph, number
from unbend.document import Table as Grid
from unbend.errors import DataError, SelfCheckError
from unbend.findings import Grade
from unbend.network import Network, Runner, input_shape, read
from unbend.pairing import Pair, pair
from unbend.pairing.pair import Scale
from unbend.result import Result

AGREES = 1e-3
"""The local regression at the row and onnxruntime's answer differ by the network's rounding, relative to its scale."""


@dataclass(frozen=True)
class Coefficient:
    """One column of the local regression: its value at the row, its coefficient for each output, and the range of the
    column, alone, on which this regression is the network (None where that is not known)."""

    name: str
    value: float
    weights: tuple[float, ...]
    low: float | None
    high: float | None


@dataclass(frozen=True)
class LocalRegression(Result):
    """The regression that a network is at a row.

    `intercept` and `prediction` have one number for each output; `exact` says that the regression is the network on a
    whole piece around the row, not only tangent to it; `walls` is how many units could switch.
    """

    verb: ClassVar[str] = "near"

    name: str
    data: str
    row: int
    outputs: tuple[str, ...]
    coefficients: tuple[Coefficient, ...]
    intercept: tuple[float, ...]
    prediction: tuple[float, ...]
    exact: bool
    walls: int
    what: str
    notes: tuple[str, ...]

    @property
    def weight(self) -> np.ndarray:
        """W, (outputs, columns)."""
        return np.array([c.weights for c in self.coefficients]).T

    def document(self) -> list[Block]:
        """The answer and a row for each column."""
        return [Heading(f"{self.name} at row {self.row} of {self.data}", 1), *_blocks(self)]


def near(
    model: Any,
    data: Any,
    row: int = 0,
    *,
    example: Any = None,
    target: str | None = None,
    exclude: Sequence[str] = (),
    scale: Scale = "auto",
) -> LocalRegression:
    """The linear regression that `model` is at row `row` of `data` (rows count from 0, as they are in the file).

    Raises
    ------
    DataError
        There is no such row, or a value of it is missing.
    ModelError
        An op on the way has no tangent.
    SelfCheckError
        The local regression does not give the network's answer at the row.
    """
    network = read(model, example)
    table = open_table(data, target, exclude=exclude)
    matched = pair(network, table, scale=scale)
    return local_regression(matched, _find(table, row))


def _find(table: Table, row: int) -> Rows:
    """The row as a block of one."""
    if row < 0 or row >= table.n_read:
        raise DataError(
            f"no row {row} in {table.source.name}",
            where=f"its {table.n_read} rows count from 0 to {table.n_read - 1}",
            try_="choose another --row",
        )
    for rows in table.blocks():
        at = np.flatnonzero(rows.index == row)
        if len(at):
            i = int(at[0])
            return Rows(rows.x[i : i + 1], rows.y[i : i + 1], rows.index[i : i + 1], rows.batch.slice(i, 1))
    raise DataError(
        f"row {row} of {table.source.name} has a missing value",
        try_="choose another --row, or fill the value in",
    )


def local_regression(matched: Pair, rows: Rows) -> LocalRegression:
    """The regression at a block of one row, in the table's own units."""
    network = matched.network
    x = matched.inputs(rows)[0]
    found = tangent(network, x, matched.head.logits)
    _check(network, found, x, matched.head.logits)
    low, high, count = _reach(network, x, matched.head.logits)
    weight, offset = found.weight, found.offset
    shift, unit = (0.0, 1.0) if matched.scaling is None else (matched.scaling.shift, matched.scaling.scale)
    offset, weight = offset - weight @ (np.broadcast_to(shift, x.shape) / unit), weight / unit
    if matched.rescale is not None:
        offset, weight = matched.rescale[0] + matched.rescale[1] * offset, matched.rescale[1] * weight
    own = x * unit + shift
    low, high = (None if bound is None else bound * unit + shift for bound in (low, high))
    return LocalRegression(
        name=network.name,
        data=matched.table.source.name,
        row=int(rows.index[0]),
        outputs=_outputs(matched, len(offset)),
        coefficients=tuple(
            Coefficient(
                name,
                float(own[j]),
                tuple(float(w) for w in weight[:, j]),
                None if low is None else float(low[j]),
                None if high is None else float(high[j]),
            )
            for j, name in enumerate(matched.names)
        ),
        intercept=tuple(float(b) for b in offset),
        prediction=tuple(float(v) for v in weight @ own + offset),
        exact=found.exact,
        walls=count,
        what=_what(matched),
        notes=matched.notes,
    )


def _what(matched: Pair) -> str:
    if matched.head.classifier:
        return f"the {'log-odds' if matched.head.kind == 'binary' else 'scores'} before its {matched.head.last}"
    return "its output"


def _outputs(matched: Pair, count: int) -> tuple[str, ...]:
    names = matched.network.classes or matched.classes
    if names is not None and len(names) == count:
        return tuple(names)
    if count == 1:
        return (matched.table.target or matched.head.output,)
    return tuple(f"{matched.head.logits}[{i}]" for i in range(count))


def _check(network: Network, found: Tangent, x: np.ndarray, output: str) -> None:
    """onnxruntime gives the same at the row."""
    run = Runner(network, [output])(x.reshape(1, *input_shape(network)))[output].reshape(-1).astype(np.float64)
    scale = np.max(np.abs(found.weight) @ np.abs(x) + np.abs(found.offset), initial=1e-30)
    if np.max(np.abs(run - found.value)) > AGREES * scale:
        raise SelfCheckError(
            f"the local regression of {network.name} is not the network",
            where=f"at this row onnxruntime gives {run[:3]}, the evaluation in float64 {found.value[:3]}",
            try_="please report this with the model",
        )


def _reach(network: Network, x: np.ndarray, output: str) -> tuple[np.ndarray | None, np.ndarray | None, int]:
    """For each input alone, the range on which no unit switches, and how many units there are; None if not known."""
    if x.size > MAX_INPUTS:
        return None, None, 0
    low, high, count = np.full(x.size, -np.inf), np.full(x.size, np.inf), 0
    for visit in walk(network, x):
        if output in visit.values:
            break
        if network.reach(visit.node) == "everywhere":
            continue
        distances = _distances(visit)
        if distances is None:
            return None, None, 0
        count += distances.shape[1]
        high = np.minimum(high, np.min(distances, axis=1, where=distances > 0, initial=np.inf))
        low = np.maximum(low, np.max(distances, axis=1, where=distances < 0, initial=-np.inf))
    return x + low, x + high, count


def _distances(visit: Visit) -> np.ndarray | None:
    """How far each input must move, alone, until each wall of the node is met: (inputs, walls); inf for never."""
    gaps = walls(visit)
    if gaps is None:
        return None
    gap, slope = gaps
    with np.errstate(divide="ignore", invalid="ignore"):
        moves = -gap / slope
    return np.where(np.isfinite(moves), moves, np.inf)


def _blocks(found: LocalRegression) -> list[Block]:
    blocks: list[Block] = [Paragraph(_sentence(found), "strong", _grade(found))]
    blocks.append(coefficients(found))
    blocks += [Paragraph(note, "quiet") for note in found.notes]
    return blocks


def coefficients(found: LocalRegression) -> Grid:
    """A row for each column: its value, its coefficients, and the range on which they hold where that is limited."""
    limited = found.exact and found.walls > 0 and found.coefficients[0].low is not None
    several = len(found.outputs) > 1
    columns = [Column("column", "left"), Column("value")]
    columns += [Column(name) for name in found.outputs] if several else [Column("coefficient"), Column("contribution")]
    columns += [Column("holds from"), Column("to")] if limited else []
    rows: list[tuple[Cell, ...]] = []
    for c in found.coefficients:
        own = c.weights if several else (c.weights[0], c.weights[0] * c.value)
        rows.append((c.name, c.value, *own, *((c.low, c.high) if limited else ())))
    intercept = found.intercept if several else (found.intercept[0], found.intercept[0])
    rows.append(("(intercept)", None, *intercept, *((None, None) if limited else ())))
    note = "Holds from … to: the range of this column, the others fixed, on which the network is this regression."
    return Grid(columns, rows, note=note if limited else "")


def _grade(found: LocalRegression) -> Grade:
    return "exact" if found.exact else "measured on these rows"


def _sentence(found: LocalRegression) -> str:
    values = ", ".join(
        f"{name} = {number(value)}" for name, value in list(zip(found.outputs, found.prediction, strict=True))[:5]
    )
    if found.exact and not found.walls:
        return f"The network is this one linear regression everywhere ({found.what}): {values}."
    if found.exact:
        return f"Near this row the network is this linear regression ({found.what}): {values}."
    return f"At this row this linear regression is tangent to the network ({found.what}): {values}."
