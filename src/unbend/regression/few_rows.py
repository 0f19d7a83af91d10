"""Tables with no more rows than columns: ridge from the products of the rows, or the coefficients of least norm."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

import numpy as np

from unbend.data import Table
from unbend.regression.dual import dual_ridge
from unbend.regression.least_norm import least_norm_of_rows
from unbend.regression.moments import Block, logs_of_shares, sum_of_logs
from unbend.regression.ordinary import Collinear
from unbend.regression.reading import refuse_sizes, rows_are_gone
from unbend.regression.refusals import constant_target, too_few_rows
from unbend.regression.solution import Solution
from unbend.regression.weighting import no_weight


def of_few_rows(
    table: Table,
    blocks: Iterable[Block],
    names: Sequence[str],
    ridge: float | Literal["gcv", "auto"] | None,
    collinear: Collinear,
    *,
    intercept: bool = True,
    weights: str | None = None,
) -> Solution:
    """The solution that is asked for; the rows are taken into memory, those of weight 0 left out.

    Raises
    ------
    DataError
        If neither is asked for, or the target does not vary, or squares of the numbers overflow or vanish.
    """
    if not ridge and collinear != "least norm":
        raise too_few_rows(table.n, len(names), intercept=intercept)
    rows = together(blocks)
    if not len(rows.y):
        raise rows_are_gone(table) if weights is None else no_weight(table, weights)
    if (rows.y == rows.y[0]).all():
        raise constant_target(table, len(rows.y), float(rows.y[0, 0]))
    with np.errstate(over="ignore"):
        squares = np.append(*(np.square(part - part[0]).sum(axis=0) for part in rows[:2]))
    refuse_sizes(squares, np.append(*((part != part[0]).any(axis=0) for part in rows[:2])), (*names, table.target))
    how = partial(dual_ridge, strength=ridge) if ridge else least_norm_of_rows
    if rows.weights is None:
        return how(rows, names=names, intercept=intercept)
    found = how(rows._replace(weights=rows.weights / rows.weights.mean()), names=names, intercept=intercept)
    logs = logs_of_shares(sum_of_logs(rows.weights), len(rows.y), float(rows.weights.sum()))
    return replace(found, shares=logs)


def together(blocks: Iterable[Block]) -> Block:
    """All rows as one block."""
    parts = list(blocks)
    weights = None if parts[0].weights is None else np.concatenate([np.asarray(one.weights) for one in parts])
    return Block(np.vstack([one.x for one in parts]), np.vstack([one.y for one in parts]), weights)
