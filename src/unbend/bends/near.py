"""`near`: the linear regression that a network is at one row of the user's table.

On the piece around the row the network is W x + b exactly, if its bends are piecewise linear. How far that holds is
read off the same tangents: a unit with input a and derivative g by a column switches when that column moves by −a / g,
so the nearest switch on each side bounds, for each column alone, the range on which this regression is the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any

import numpy as np
import pyarrow as pa

from unbend.bends.local_regression import Coefficient, LocalRegression
from unbend.bends.tangent import Tangent, tangent
from unbend.data import Rows, Table, column_names
from unbend.data.columns import is_missing
from unbend.errors import DataError, SelfCheckError, UsageError
from unbend.findings import Grade
from unbend.network import Network, Runner, input_shape, read
from unbend.pairing import Pair, Scale, open_for, pair

AGREES = 1e-3
"""The local regression at the row and onnxruntime's answer differ by the network's rounding, relative to its scale."""


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

    Parameters
    ----------
    model : anything that `unbend.network.read` reads
    data : a table; its columns are matched to the network's input
    row : the number of the row
    example : one input with its batch axis, for a torch module
    target, exclude : columns that are not inputs of the network
    scale : scaling before the network (see `unbend.pairing.pair`)

    Raises
    ------
    DataError
        There is no such row, or a value of it that the network reads is missing.
    UsageError
        `row` is not a whole number.
    ModelError
        An op on the way has no tangent.
    SelfCheckError
        The local regression does not give the network's answer at the row.
    """
    network = read(model, example)
    table = open_for(network, data, target, exclude=column_names(exclude))
    found = find_row(table, row)
    return local_regression(pair(network, table, scale=scale), found)


def find_row(table: Table, row: int) -> Rows:
    """The row as a block of one; its target, which is no input of the network, may be missing.

    Raises
    ------
    DataError
        There is no such row, or a value of it is missing.
    UsageError
        `row` is not a whole number.
    """
    row = _whole_number(row)
    if not 0 <= row < table.n_read:
        raise DataError(
            f"no row {row} in {table.source.name}",
            where=f"it has {table.n_read:,} rows, from row 0 to row {table.n_read - 1}",
            try_="choose another row: --row N",
        )
    for rows in table.blocks():
        at = rows.index == row
        if at.any():
            return Rows(rows.x[at], rows.y[at], rows.index[at], rows.batch.filter(pa.array(at)))
    raw = _as_it_is(table, row)
    lacking = [name for name in table.features if is_missing(raw.column(name)).any()]
    if not lacking:
        return Rows(table.coding.encode(raw), np.full(1, np.nan), np.array([row]), raw)
    raise DataError(
        f"row {row} of {table.source.name} has a missing value",
        where=f"in {', '.join(lacking)}",
        try_="choose another row: --row N\nor fill the value in",
    )


def _whole_number(row: Any) -> int:
    try:
        return index(row)
    except TypeError:
        raise UsageError(f"a row is a whole number, the first is 0; not {row!r}", try_="for the first: row=0") from None


def _as_it_is(table: Table, row: int) -> pa.RecordBatch:
    """One row of the source, whether complete or not."""
    start = 0
    for batch in table.source.batches():
        if row < start + batch.num_rows:
            return batch.slice(row - start, 1)
        start += batch.num_rows
    raise AssertionError("the caller knows how many rows there are")


def local_regression(matched: Pair, rows: Rows) -> LocalRegression:
    """The regression at a block of one row, in the table's own units."""
    x = matched.inputs(rows)[0]
    found = tangent(matched.network, x, matched.head.logits)
    self_check(matched.network, found, x, matched.head.logits)
    weight, offset = _in_units(matched, found)
    own = matched.coding.encode(rows.batch)[0]
    low, high = (_bound(matched, own, move) for move in (found.low, found.high))
    return LocalRegression(
        name=matched.network.name,
        data=matched.table.source.name,
        row=int(rows.index[0]),
        outputs=_outputs(matched, len(offset)),
        coefficients=tuple(
            Coefficient(name, float(own[j]), tuple(weight[:, j].tolist()), low[j], high[j])
            for j, name in enumerate(matched.names)
        ),
        intercept=tuple(offset.tolist()),
        prediction=tuple((weight @ own + offset).tolist()),
        exact=found.exact,
        walls=found.walls,
        bends=found.smooth or found.unbounded,
        grade=_grade(found),
        what=_what(matched),
        notes=matched.notes,
    )


def _in_units(matched: Pair, found: Tangent) -> tuple[np.ndarray, np.ndarray]:
    """W and b with a scaler before the network and the target's unit after it multiplied in."""
    weight, offset = found.weight, found.offset
    if matched.scaling is not None:
        weight = weight / matched.scaling.scale
        offset = offset - weight @ matched.scaling.shift
    if matched.rescale is not None and matched.head.logits == matched.head.output:
        weight, offset = matched.rescale[1] * weight, matched.rescale[0] + matched.rescale[1] * offset
    return weight, offset


def _bound(matched: Pair, own: np.ndarray, move: np.ndarray | None) -> list[float | None]:
    """Where each column, alone, meets the first wall, in its own unit."""
    if move is None:
        return [None] * len(own)
    unit = matched.scaling.scale if matched.scaling is not None else 1.0
    return (own + move * unit).tolist()


def _grade(found: Tangent) -> Grade:
    if found.smooth or found.unbounded:
        return "exact at this row"
    return "proved on the range" if found.walls else "exact"


def _what(matched: Pair) -> str:
    if matched.head.classifier:
        return f"the {'log-odds' if matched.head.kind == 'binary' else 'scores'} before its {matched.head.last}"
    return "its output"


def _outputs(matched: Pair, count: int) -> tuple[str, ...]:
    """What to call the outputs: by class where they are known, else by target."""
    classes = matched.network.classes or matched.classes or ()
    if len(classes) == count > 1:
        return classes
    if count == 1 and len(classes) == 2:
        return (classes[1],)
    if count == 1:
        return (matched.table.target or matched.head.output,)
    return tuple(f"{matched.head.logits}[{i}]" for i in range(count))


def self_check(network: Network, found: Tangent, x: np.ndarray, output: str) -> None:
    """Raise SelfCheckError if onnxruntime does not give the same at the row."""
    run = Runner(network, [output])(x.reshape(1, *input_shape(network)))[output].reshape(-1).astype(np.float64)
    scale = np.max(np.abs(found.weight) @ np.abs(x) + np.abs(found.offset), initial=1e-30)
    if not np.max(np.abs(run - found.value)) <= AGREES * scale:
        raise SelfCheckError(
            f"the local regression of {network.name} is not the network",
            where=f"at this row onnxruntime gives {run[:3]}, the evaluation in float64 {found.value[:3]}",
            try_="please report this with the model",
        )
