"""What a formula says of a fit: which columns are regressed on, the target, and whether there is an intercept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from unbend.data import Source
from unbend.data.formula import FormulaSource, parsed
from unbend.errors import UsageError


def named(target: str | None) -> str:
    """A target that there must be."""
    if target is None:
        raise UsageError("no target is named", try_="name the column to explain: --target NAME")
    return target


def of_formula(
    source: Source, formula: str, target: str | None, *, kept: Sequence[str], refused: dict[str, Any]
) -> tuple[Source, str, bool]:
    """The columns of a formula over a source, the target, and whether there is an intercept.

    Parameters
    ----------
    kept : columns that are needed as they are
    refused : options that do not go with a formula, by name, with their values

    Raises
    ------
    UsageError
        If the formula cannot be used, if there is no target or two, or if an option does not go with it.
    """
    for option, value in refused.items():
        if value:
            raise UsageError(f"a formula and --{option} do not go together", try_="say all of it in the formula")
    found = parsed(formula)
    if found.target is not None and target not in (None, found.target):
        raise UsageError(f"the formula explains {found.target}, not {target}", try_="leave --target out")
    explained = found.target or target
    if explained is None:
        raise UsageError(f"the formula {formula} names no target", try_=f"write it before a tilde: 'y ~ {formula}'")
    if found.target is None:
        kept = (*kept, explained)
    return FormulaSource(source, found, tuple(kept)), explained, found.intercept
