"""The certificate as the checker reads it: what it says of each stretch, checked for form only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unbend.errors import InputError

FORMAT = 2
"""The form of the file that this checker reads."""

WRITES = "unbend collapse MODEL -o SMALLER writes it beside SMALLER"


@dataclass(frozen=True)
class Stated:
    """|f(x) - g(x)| ≤ collapsed · |W_g| |x| + offset · |g|(0) + original · |f|(x) + settled · |f|(0), each number."""

    collapsed: float
    original: float
    offset: float
    settled: float


@dataclass(frozen=True, eq=False)
class Turn:
    """In what units the collapsed file holds a value: v_collapsed = scale · v_original + shift.

    With `alike`, up to a number that is not known and the same along the last axis: a softmax does not see it.
    """

    scale: np.ndarray
    shift: np.ndarray
    alike: bool = False

    @staticmethod
    def of(scale: Any = 1.0, shift: Any = 0.0, *, alike: bool = False) -> Turn:
        """The turn with these numbers."""
        return Turn(np.asarray(scale, dtype=np.float64), np.asarray(shift, dtype=np.float64), alike)

    @property
    def is_none(self) -> bool:
        """Whether the value is what it was."""
        return not self.alike and not self.shift.any() and bool((self.scale == 1.0).all())


@dataclass(frozen=True, eq=False)
class End:
    """A value at an end of a stretch: its names in both files, and the units in which the collapsed one holds it.

    One that is `given` is a factor of a product of two values, which may be any.
    """

    original: str
    collapsed: str
    turn: Turn
    given: bool = False


Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class Stretch:
    """What is said of one stretch; `shapes` are those of its sources in the original, at each size that is tried."""

    label: str
    sources: tuple[End, ...]
    outputs: tuple[End, ...]
    shapes: tuple[Shapes, ...]
    bound: Stated


@dataclass(frozen=True, eq=False)
class Certificate:
    """What the file says: the fingerprints of both models (empty where a model was no file), and the stretches.

    `sizes` are the shapes of the models' inputs at which the stretches are tried.
    """

    original: Mapping[str, str]
    collapsed: Mapping[str, str]
    sizes: tuple[Shapes, ...]
    stretches: tuple[Stretch, ...]


def load(path: str | Path) -> Certificate:
    """The certificate in a file.

    Raises
    ------
    InputError
        It is none, or of a form that this version does not know.
    """
    path = Path(path)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", try_=f"check the path\n{WRITES}") from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON, or it is truncated", where=str(error)) from error
    if not isinstance(found, dict) or found.get("verb") != "certificate":
        raise InputError(f"{path} is not a certificate of unbend", try_=WRITES)
    if found.get("format") != FORMAT:
        raise InputError(f"{path} is of form {found.get('format')}, and this version reads form {FORMAT}", try_=WRITES)
    try:
        return Certificate(
            original=_hashes(found["original"]),
            collapsed=_hashes(found["collapsed"]),
            sizes=tuple(map(_shapes, found["sizes"])),
            stretches=tuple(_stretch(one) for one in found["stretches"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{path} does not hold what a certificate holds", where=f"missing or wrong: {error}"
        ) from error


def _hashes(file: Mapping[str, Any]) -> dict[str, str]:
    if file["sha256"] is None:
        return {}
    return {"": str(file["sha256"])} | {str(key): str(value) for key, value in file["data"].items()}


def _stretch(one: Mapping[str, Any]) -> Stretch:
    bound = one["bound"]
    return Stretch(
        label=str(one["label"]),
        sources=tuple(map(_end, one["sources"])),
        outputs=tuple(map(_end, one["outputs"])),
        shapes=tuple(map(_shapes, one["shapes"])),
        bound=Stated(*(float(bound[key]) for key in ("collapsed", "original", "offset", "settled"))),
    )


def _shapes(found: Mapping[str, Any]) -> Shapes:
    return {str(name): tuple(map(int, shape)) for name, shape in found.items()}


def _end(found: Mapping[str, Any]) -> End:
    turn = Turn.of(found.get("scale", 1.0), found.get("shift", 0.0))
    if not np.isfinite(turn.scale).all() or not turn.scale.all() or not np.isfinite(turn.shift).all():
        raise ValueError("a scale that is zero, or a number that is not finite")
    given = bool(found.get("given", False))
    if given and not turn.is_none:
        raise ValueError("a value that is given in other units")
    return End(str(found["original"]), str(found["collapsed"]), turn, given)
