"""The unit of the network's answer: it may have been trained on a target that was standardised, or in thousands.

Each unit is a pair (a, b) that follows from the target alone, and a + b f is the answer f in the target's own unit.
Nothing is fitted to the answers: a network that predicts badly is not made better by a unit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from unbend.pairing.scaling import FIGURES, minmax, standard

Unit = tuple[float, float]
Blocks = Iterable[np.ndarray]

SAME = "same"


def _standardised(blocks: Blocks) -> Unit:
    found = standard(blocks)
    return float(found.shift[0]), float(found.scale[0])


def _between_0_and_1(blocks: Blocks) -> Unit:
    found = minmax(blocks)
    return float(found.shift[0]), float(found.scale[0])


def _centred(blocks: Blocks) -> Unit:
    return _standardised(blocks)[0], 1.0


def _times(factor: float) -> Callable[[Blocks], Unit]:
    return lambda blocks: (0.0, factor)


STANDARDISED = "standardised (less its mean, divided by its standard deviation)"
RANGE = "scaled to the range 0 to 1"
CENTRED = "less its mean"

UNITS: dict[str, Callable[[Blocks], Unit]] = {
    SAME: _times(1.0),
    STANDARDISED: _standardised,
    RANGE: _between_0_and_1,
    CENTRED: _centred,
    "in hundreds": _times(1e2),
    "in thousands": _times(1e3),
    "in millions": _times(1e6),
    "in hundredths": _times(1e-2),
    "in thousandths": _times(1e-3),
}
"""What the target may have been in training, and from the blocks (n, 1) of the target the pair (a, b)."""
FROM_ROWS = {STANDARDISED: FIGURES["standard"], RANGE: FIGURES["minmax"], CENTRED: "mean"}
"""What a unit takes from rows, where it takes anything."""
