"""What a formula says of a fit: which columns are regressed on, the target, and whether there is an intercept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from unbend.data import Source
from unbend.data.formula import FormulaSource, parsed
from unbend.errors import UsageError

_COLUMNS_AS_THEY_ARE = "leave that option out, or take the columns as they are: --target NAME instead of the formula"
_SUMS = "a saved fit is sums over the columns of a file; it does not know what a formula makes of them"
_WHY = {"save": _SUMS, "update": _SUMS, "digits": "what a formula computes of decimals is rounded to 64 bits"}
"""Why not."""
_INSTEAD = {
    "degree": "say it in the formula: a*b, a**2 or poly(a, 3)",
    "exclude": "leave the column out of the formula",
    "save": _COLUMNS_AS_THEY_ARE,
    "update": _COLUMNS_AS_THEY_ARE,
    "digits": _COLUMNS_AS_THEY_ARE,
}
"""What to do about an option that does not go with a formula."""


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
            why = _WHY.get(option, "")
            raise UsageError(f"a formula and --{option} do not go together", where=why, try_=_INSTEAD[option])
    found = parsed(formula)
    if found.target is not None and target not in (None, found.target):
        raise UsageError(f"the formula explains {found.target}, not {target}", try_="leave --target out")
    explained = found.target or target
    if explained is None:
        raise UsageError(
            f"the formula {formula} names no target", try_=f"write it before the tilde: 'y ~ {formula.lstrip(' ~')}'"
        )
    if found.target is None:
        kept = (*kept, explained)
    return FormulaSource(source, found, tuple(kept)), explained, found.intercept
