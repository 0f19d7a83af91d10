"""What a linear fit says of single rows: prediction, intervals, residual, leverage; also into a file, by the block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from unbend.data import Source
from unbend.data.columns import as_numbers, kind_of
from unbend.data.source import with_types
from unbend.errors import UsageError
from unbend.output import ROWS_MARK, refuse, replacing
from unbend.regression.inference import prediction
from unbend.regression.influence import influence
from unbend.regression.new_rows import coded
from unbend.regression.refusals import refuse_level

if TYPE_CHECKING:
    from unbend.regression.linear import LinearFit

KINDS = (".csv", ".parquet", ".arrow")
"""Files of rows that can be written."""


def augment(fit: LinearFit, data: Any, level: float | None = None) -> pa.Table:
    """A row for each row of `data`; see `LinearFit.augment`."""
    level = fit.level if level is None else level
    refuse_level(level)
    return with_types(
        data,
        lambda source: pa.Table.from_batches(
            list(_batches(fit, source, level, _schema(fit, source))), _schema(fit, source)
        ),
    )


def refuse_rows(path: str | Path, *, inputs: Sequence[str | Path] = (), force: bool = False) -> None:
    """Raise UsageError if rows cannot be written there, or if that is one of the `inputs`."""
    if Path(path).suffix.lower() not in KINDS:
        raise UsageError(f"cannot write rows to {path}", try_=f"name a file that ends in {', '.join(KINDS)}")
    refuse(Path(path), inputs=inputs, force=force)


def linear_rows(fit: LinearFit, source: Source, *, fitted: bool = True) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """The columns of `augment` at the fit's level, and the rows block by block.

    Of rows that were not fitted the residual is the error of the prediction, and nothing moves with them: they have no
    studentised residual and no Cook's distance.
    """
    schema = _schema(fit, source, fitted)
    return schema, _batches(fit, source, fit.level, schema)


def write_rows(
    rows: Callable[[Source], tuple[pa.Schema, Iterator[pa.RecordBatch]]],
    data: Any,
    path: str | Path,
    *,
    force: bool = False,
) -> None:
    """What `rows` makes of a source into a file, block by block, whole or not at all.

    Raises
    ------
    UsageError
        If it cannot be written there, or is of no kind that can be.
    """
    refuse_rows(path, force=force)

    def written(source: Source) -> None:
        schema, batches = rows(source)
        schema = schema.with_metadata({ROWS_MARK: ""})
        with replacing(path, force=True) as draft, _writer(draft)(draft, schema) as file:
            for batch in batches:
                file.write_batch(batch)

    with_types(data, written)


def _writer(path: Path) -> Callable[[Path, pa.Schema], Any]:
    import pyarrow.csv
    import pyarrow.ipc
    import pyarrow.parquet

    return {
        ".csv": pyarrow.csv.CSVWriter,
        ".parquet": pyarrow.parquet.ParquetWriter,
        ".arrow": lambda path, schema: pyarrow.ipc.new_file(str(path), schema),
    }[path.suffix.lower()]


def _schema(fit: LinearFit, source: Source, fitted: bool = True) -> pa.Schema:
    alike = _alike(fit, source)
    names = ["prediction"]
    if fit.solution.root is not None:
        names += ["mean_low", "mean_high", "low", "high", *(["leverage"] if alike else [])]
    if _target(fit, source):
        names += ["residual"]
        if fit.solution.root is not None and alike and fitted:
            names += ["standardised", "studentised", "cook"]
    return pa.schema([("row", pa.int64()), *((name, pa.float64()) for name in names)])


def _alike(fit: LinearFit, source: Source) -> bool:
    """Whether all rows weigh the same, or have their weights with them."""
    if fit.weights is None:
        return fit.solution.shares == 0.0
    return fit.weights.column in source.schema.names


def _target(fit: LinearFit, source: Source) -> bool:
    """Whether the rows have the target."""
    known = fit.target in source.schema.names
    return known and kind_of(source.schema.field(fit.target).type) in ("number", "boolean", "empty")


def _batches(fit: LinearFit, source: Source, level: float, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for start, batch, x in coded(fit.coding, source):
        y = as_numbers(batch.column(fit.target)) if "residual" in schema.names else None
        found = {"row": np.arange(start, start + len(x)), **_of_block(fit, x, y, level, batch)}
        arrays = [pa.array(found[name], schema.field(name).type, from_pandas=True) for name in schema.names]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _of_block(
    fit: LinearFit, x: np.ndarray, y: np.ndarray | None, level: float, batch: pa.RecordBatch
) -> dict[str, np.ndarray]:
    """All columns of a block, more than are asked for."""
    share = None if fit.weights is None else fit.weights.shares(batch)
    expand = None if fit.terms is None else fit.terms.expand
    wide = x if expand is None else expand(x)
    said = prediction(fit.solution, wide, level, fit.uncertainty, share)
    found = {"prediction": said.value, "mean_low": said.mean_low, "mean_high": said.mean_high}
    found |= {"low": said.low, "high": said.high}
    if y is None:
        return found | {"leverage": fit.solution.leverage(wide) * (1.0 if share is None else share)}
    with np.errstate(invalid="ignore", divide="ignore"):
        rows = influence(fit.solution, x, y, share, expand, mean=1.0)
        return found | {
            "leverage": rows.leverage,
            "residual": rows.residual,
            "standardised": rows.standardised,
            "studentised": rows.studentised,
            "cook": rows.cook,
        }
