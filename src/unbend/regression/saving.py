"""A saved fit: NumPy arrays in an `.npz` container, without pickles, that begin with what they are, in JSON.

The sums are in the units of the columns, less the shift.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unbend.data import Coding, Term
from unbend.errors import DataError
from unbend.exact import Double
from unbend.output import replacing
from unbend.regression.sums import Sums

if TYPE_CHECKING:
    from unbend.regression.state import FitState

HEAD = "unbend_fit"
"""Name of the array that comes first, so that the file says at its beginning what it is."""
VERSION = 2


def save(state: FitState, path: str | Path, *, force: bool = False) -> None:
    """Write a state to a file."""
    head = {
        "version": VERSION,
        "units": "sums over rows of products of [1, columns and target less the shift], in the units of the columns",
        "target": state.target,
        "degree": state.degree,
        "terms": [[term.name, term.column, term.level, term.two_valued] for term in state.coding.terms],
        "levels": {name: list(levels) for name, levels in state.coding.levels.items()},
        "features": state.features,
        "n": state.sums.n,
        "n_read": state.n_read,
        "missing": dict(state.missing),
        "sources": state.sources,
        "notes": state.notes,
        "weights": state.weights,
        "unweighted": state.unweighted,
        "logs_of_weights": state.sums.logs,
        "intercept": state.intercept,
    }
    sums = state.sums
    with replacing(path, force=force) as draft, draft.open("wb") as file:
        np.savez(
            file,
            allow_pickle=False,
            **{HEAD: np.frombuffer(json.dumps(head).encode(), np.uint8)},
            shift=sums.shift,
            products=sums.products.hi,
            products_low=sums.products.lo,
            error=sums.error,
        )


def load(kind: type[FitState], path: str | Path) -> FitState:
    """Read what `save` wrote."""
    path = Path(path)
    head, arrays = _read(path)
    if head.get("version") != VERSION:
        raise DataError(
            f"{path} was saved by another version of unbend",
            where=f"it has version {head.get('version')} of the format, this is version {VERSION}",
            try_="read it with the unbend that saved it, or fit the rows again",
        )
    try:
        return _state(kind, head, arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise _not_a_fit(path, f"it lacks or has wrong: {error}") from error


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    if not path.exists():
        raise DataError(f"no such file: {path}", try_="check the path")
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        head = json.loads(arrays.pop(HEAD).tobytes())
    except (OSError, EOFError, ValueError, KeyError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise _not_a_fit(path, "it does not begin as one") from error
    if not isinstance(head, dict):
        raise _not_a_fit(path, "it does not begin as one")
    return head, arrays


def _state(kind: type[FitState], head: dict[str, Any], arrays: dict[str, np.ndarray]) -> FitState:
    terms = tuple(Term(*term) for term in head["terms"])
    levels = {name: tuple(values) for name, values in head["levels"].items()}
    products = Double(arrays["products"], arrays["products_low"])
    sums = Sums(int(head["n"]), arrays["shift"], products, arrays["error"], float(head["logs_of_weights"]))
    state = kind(
        target=str(head["target"]),
        coding=Coding(terms, levels),
        features=tuple(head["features"]),
        degree=int(head["degree"]),
        sums=sums,
        n_read=int(head["n_read"]),
        missing={name: int(count) for name, count in head["missing"].items()},
        sources=tuple(head["sources"]),
        notes=tuple(head["notes"]),
        weights=None if head["weights"] is None else str(head["weights"]),
        unweighted=int(head["unweighted"]),
        intercept=bool(head["intercept"]),
    )
    _refuse_shapes(state)
    return state


def _refuse_shapes(state: FitState) -> None:
    q = len(state.names) + 1
    sums = state.sums
    found = [array.shape for array in (sums.shift, sums.products.hi, sums.products.lo, sums.error)]
    if found != [(q,), (1 + q, 1 + q), (1 + q, 1 + q), (1 + q,)]:
        raise ValueError(f"arrays of the shapes {found} for {q} columns")
    if not all(np.isfinite(array).all() for array in (sums.shift, sums.products.hi, sums.products.lo)):
        raise ValueError("numbers that are not finite")


def _not_a_fit(path: Path, why: str) -> DataError:
    return DataError(
        f"{path} is not a saved fit",
        where=why,
        try_="save one: unbend fit DATA --target NAME --save FIRST.fit",
    )
