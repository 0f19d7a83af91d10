"""The reading of all rows that tells a formula the levels of its categories, and what its transforms keep."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from unbend.data.columns import as_text, is_missing, kind_of, of_numpy
from unbend.data.formula.model import Model, frame, quiet
from unbend.data.formula.parsing import Parsed, called_in, formulaic_of, tree_of, words_in
from unbend.data.formula.state import Call, PowerSums, recorder, state_of
from unbend.data.naming import nearest
from unbend.data.source import Source
from unbend.data.survey import LEVELS
from unbend.errors import DataError, UsageError

if TYPE_CHECKING:
    import pandas as pd


def fitted(source: Source, formula: Parsed) -> Model:
    """Read the rows once for what a formula must know of them.

    Raises
    ------
    DataError
        If a column is not there, is a date, or is a category of too many levels.
    """
    import pandas as pd

    categories = _categories(source, formula)
    known: dict[str, set[str]] = {name: set() for name in categories}
    examples: list[pd.DataFrame] = []
    sums: dict[str, tuple[Call, PowerSums]] = {}
    missing = dict.fromkeys(formula.names, 0)
    for read in source.batches():
        for name in formula.names:
            missing[name] += int(is_missing(read.column(name)).sum())
        batch = _complete(read, formula.names)
        if batch.num_rows == 0:
            continue
        data = frame(batch, formula.names)
        if rows := [*range(0 if examples else min(2, len(data))), *_first_rows(batch, known)]:
            examples.append(data.iloc[rows])
        for expression in formula.running:
            for call in _calls(expression, data):
                sums.setdefault(expression, (call, PowerSums(2 * call.degree)))[1].see(call.x)
    states = {expression: state_of(call, total, expression) for expression, (call, total) in sums.items()}
    few = pd.concat(examples or [frame(_empty(source, formula.names), formula.names)], ignore_index=True)
    levels = {name: tuple(sorted(found)) for name, found in known.items()}
    return Model(formula, levels, _specified(formula, formula.right, few, states), _left(formula, few, states), missing)


def _categories(source: Source, formula: Parsed) -> tuple[str, ...]:
    """The columns whose values are levels: text, and what `C` is called with."""
    names = source.schema.names
    lacking = [name for name in formula.names if name not in names]
    if lacking:
        near = nearest(lacking[0], names)
        raise DataError(
            f"no column {lacking[0]!r} in {source.name}",
            where=f"the formula {formula.text} uses it; the columns are {', '.join(names[:20])}",
            try_=f"did you mean {near}?"
            if near
            else "name columns with blanks or signs between backticks: `net income`",
        )
    kinds = {name: kind_of(source.schema.field(name).type) for name in formula.names}
    for name, kind in kinds.items():
        if kind in ("time", "other"):
            raise DataError(f"{name} cannot be used in a formula: it is {source.schema.field(name).type}")
    coded = {name for one in formula.expressions if _calls_c(one) for name in words_in(one)}
    target = formula.target if formula.code is None else None
    return tuple(name for name, kind in kinds.items() if name != target and (kind == "text" or name in coded))


def _calls_c(expression: str) -> bool:
    return any(called_in(node) == "C" for node in ast.walk(tree_of(expression)))


def _first_rows(batch: pa.RecordBatch, known: dict[str, set[str]]) -> Iterator[int]:
    """Rows that have levels for the first time, which are known from then on."""
    for name, levels in known.items():
        texts = as_text(batch.column(name))
        new = sorted(set(texts.unique().to_pylist()) - levels)
        levels.update(new)
        if len(levels) > LEVELS:
            raise DataError(f"{name} is a category with more than {LEVELS} levels", try_="leave it out of the formula")
        yield from (texts.index(value).as_py() for value in new)


def _calls(expression: str, data: pd.DataFrame) -> list[Call]:
    """The call of a transform in an expression, with the numbers that it gets from these rows."""
    calls: list[Call] = []
    with quiet():
        formulaic_of(f"0 + {expression}").get_model_matrix(data, context=recorder(calls), na_action="ignore")
    return calls


def _specified(formula: Parsed, side: Any, few: pd.DataFrame, states: Mapping[str, Any]) -> Any:
    """formulaic's specification of a side, from a few rows with every level, and from what is known of all rows."""
    from formulaic.errors import FormulaicError

    try:
        with quiet():
            spec = side.get_model_matrix(few, context={}, na_action="ignore").model_spec
    except FormulaicError as error:
        raise UsageError(f"cannot use the formula {formula.text}", where=str(error).splitlines()[0]) from error
    known = {_key(expression, few): state for expression, state in states.items()}
    kept = {key: known.get(key, state) for key, state in spec.transform_state.items()}
    return spec.update(transform_state=kept)


def _key(expression: str, few: pd.DataFrame) -> str:
    """What formulaic keeps the state of an expression under: names with blanks are changed in it."""
    with quiet():
        spec: Any = formulaic_of(f"0 + {expression}").get_model_matrix(few, context={}, na_action="ignore").model_spec
    return next(iter(spec.transform_state))


def _left(formula: Parsed, few: pd.DataFrame, states: Mapping[str, Any]) -> Any:
    side = formula.code
    spec = None if side is None else _specified(formula, side, few, states)
    if spec is not None and len(spec.column_names) != 1:
        raise UsageError(f"the left side of a formula must be one column: {formula.text}")
    return spec


def _complete(batch: pa.RecordBatch, names: Sequence[str]) -> pa.RecordBatch:
    missing = np.zeros(batch.num_rows, dtype=bool)
    for name in names:
        missing |= is_missing(batch.column(name))
    return batch.filter(of_numpy(~missing)) if missing.any() else batch


def _empty(source: Source, names: Sequence[str]) -> pa.RecordBatch:
    types = [source.schema.field(name).type for name in names]
    return pa.RecordBatch.from_arrays([pa.nulls(0, type_) for type_ in types], names=list(names))
