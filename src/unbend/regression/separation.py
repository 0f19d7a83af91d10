"""Classes that a plane tells apart without error, for which no finite coefficients are the most likely.

There is such a plane if some scores put no row nearer to another class than to its own, and some row strictly farther:
a linear programme. Only rows that a candidate gets wrong become constraints, and candidates are read against all rows
until none is wrong (there is a plane) or the programme has no candidate left (there is none).

Source: Albert and Anderson (1984), Biometrika 71, 1-10; Konis (2007), thesis, University of Oxford.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from unbend.document import number
from unbend.errors import DataError, SelfCheckError
from unbend.regression.axes import Axes
from unbend.regression.likelihood import read
from unbend.regression.rows import Blocks

WRONG, RIGHT = 1e-6, 1e-4
"""Margins, for scores of coordinates of mean square 1 with factors up to 1: one below −the first is on the wrong side,
one above the second is clearly on the right side. The linear programme is solved to 1e-9."""
ADDED, READINGS = 2000, 200
"""Constraints that one reading adds at most, and readings at most."""
ZERO = 1e-9
"""A limit smaller than this share of what the largest term varies by is 0."""
SMALL = 1e-6
"""A term whose part of a plane is smaller than this share of the largest is left out of the sentence."""


def refuse_empty_class(axes: Axes, blocks: Blocks, classes: Sequence[str]) -> None:
    """Raise DataError if no row is of a class."""
    nowhere = np.zeros((len(classes) - 1, axes.size))
    counts = read(axes, blocks, nowhere, hessian=False).counts
    if not counts.all():
        raise DataError(
            f"no row is of class {classes[int(np.argmin(counts))]}, so nothing tells what makes it likely",
            where=", ".join(f"{name}: {number(float(count))}" for name, count in zip(classes, counts, strict=True)),
            try_="leave the class out of those of the target, or give its rows a weight",
        )


def refuse_separation(axes: Axes, blocks: Blocks, classes: Sequence[str]) -> None:
    """Raise DataError with the plane if the classes are separated."""
    plane = separating(axes, blocks, len(classes))
    if plane is None:
        return
    a, b = _pair(plane)
    widest = _widest(axes, blocks, (a, b), plane.gamma[b] - plane.gamma[a])
    gamma = plane.gamma[b] - plane.gamma[a] if widest is None else widest
    raise DataError(
        f"{classes[a]} and {classes[b]} are told apart without error, so no coefficients are the most likely",
        where=_sentence(axes, gamma, (classes[a], classes[b]), widest is not None),
        try_="shrink the coefficients: --ridge 1, or alpha=1 of the estimator\n"
        "or leave out the column that gives the answer away",
    )


class Plane:
    """Scores (K, q) of the classes, the largest margin of each over each other, and constraints that they break."""

    def __init__(self, gamma: np.ndarray) -> None:
        self.gamma = gamma
        self.largest = np.full((len(gamma), len(gamma)), -np.inf)
        self.wrong: list[np.ndarray] = []

    def see(self, u: np.ndarray, y: np.ndarray) -> None:
        """Take in rows and keep the constraints of those that are most on the wrong side."""
        scores = u @ self.gamma.T
        margins = scores[np.arange(len(y)), y][:, None] - scores
        for a in range(len(self.gamma)):
            if (y == a).any():
                self.largest[a] = np.maximum(self.largest[a], margins[y == a].max(axis=0))
        worst = np.argsort(margins.min(axis=1))[:ADDED]
        for i in worst[margins[worst].min(axis=1) < -WRONG]:
            self.wrong.append(_constraint(u[i], int(y[i]), int(np.argmin(margins[i])), len(self.gamma)))


def separating(axes: Axes, blocks: Blocks, classes: int) -> Plane | None:
    """Scores that get no row wrong and some clearly right; None if there are none."""
    q = axes.root.shape[1] + axes.intercept
    total = np.zeros((classes, q))
    for u, y in _rows(axes, blocks):
        sums = np.array([u[y == k].sum(axis=0) for k in range(classes)])
        total += classes * sums - sums.sum(axis=0)
    total[0] = 0.0  # the first class has a score of 0
    constraints: list[np.ndarray] = []
    for _ in range(READINGS):
        plane = Plane(_candidate(total, constraints))
        for u, y in _rows(axes, blocks):
            plane.see(u, y)
        if plane.largest.max() <= RIGHT:
            return None
        if not plane.wrong:
            return plane
        plane.wrong.sort(key=lambda row: float(row @ plane.gamma.reshape(-1)))
        constraints += plane.wrong[:ADDED]
    raise SelfCheckError(
        "whether the classes are separated could not be settled", try_="shrink the coefficients: --ridge 1"
    )


def _rows(axes: Axes, blocks: Blocks) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    for block in blocks():
        yield axes.rows(block.x) * axes.weight**0.5, block.y[:, 0].astype(np.intp)


def _candidate(total: np.ndarray, constraints: list[np.ndarray]) -> np.ndarray:
    """Scores with factors from −1 to 1 that maximise the sum of the margins under the constraints so far."""
    bounds = [(0, 0)] * total.shape[1] + [(-1, 1)] * (total.size - total.shape[1])
    rows = -np.array(constraints) if constraints else None
    limits = np.zeros(len(constraints)) if constraints else None
    size = max(float(np.abs(total).max()), 1e-300)
    return _solved(-total.reshape(-1) / size, rows, limits, bounds).reshape(total.shape)


def _solved(objective: np.ndarray, rows: np.ndarray | None, limits: np.ndarray | None, bounds: Sequence) -> np.ndarray:
    """The z of least objective · z with rows · z ≤ limits."""
    from scipy.optimize import linprog  # 15 MB, and few fits need it

    options = {"primal_feasibility_tolerance": 1e-9, "dual_feasibility_tolerance": 1e-9}
    done = linprog(objective, rows, limits, bounds=bounds, method="highs", options=options)
    if done.x is None:
        raise SelfCheckError(f"the linear programme of the separation was not solved: {done.message}")
    return np.asarray(done.x)


def _constraint(u: np.ndarray, own: int, other: int, classes: int) -> np.ndarray:
    row = np.zeros((classes, len(u)))
    row[own] += u
    row[other] -= u
    return row.reshape(-1)


def _pair(plane: Plane) -> tuple[int, int]:
    """The two classes that the plane tells apart most clearly."""
    a, b = sorted(int(k) for k in np.unravel_index(np.argmax(plane.largest), plane.largest.shape))
    return a, b


def _widest(axes: Axes, blocks: Blocks, pair: tuple[int, int], gamma: np.ndarray) -> np.ndarray | None:
    """The score (q,) that keeps two classes farthest apart; None if every plane between them has a row on it."""
    a, b = pair
    width, constraints = np.inf, np.empty((0, len(gamma)))
    for _ in range(READINGS):
        wrong = np.empty((0, len(gamma)))
        for u, y in _rows(axes, blocks):
            kept = (y == a) | (y == b)
            signed = u[kept] * np.where(y[kept] == b, 1.0, -1.0)[:, None]
            wrong = np.vstack([wrong, signed[signed @ gamma < width - WRONG]])
            wrong = wrong[np.argsort(wrong @ gamma)[:ADDED]]
        if not len(wrong):
            return gamma if width > RIGHT else None
        constraints = np.vstack([constraints, wrong])
        gamma, width = _between(constraints)
    return None


def _between(constraints: np.ndarray) -> tuple[np.ndarray, float]:
    """The score with factors from −1 to 1 whose least value on rows is largest, and that value."""
    q = constraints.shape[1]
    rows = np.column_stack([-constraints, np.ones(len(constraints))])
    objective = np.append(np.zeros(q), -1.0)
    bounds = [(-1, 1)] * q + [(0, None)]
    done = _solved(objective, rows, np.zeros(len(rows)), bounds)
    return done[:-1], float(done[-1])


def _sentence(axes: Axes, gamma: np.ndarray, classes: tuple[str, str], sides: bool) -> str:
    """Where the second of two classes lies, in the columns' own units."""
    constant, *coef = axes.back @ gamma
    spread = np.linalg.norm(np.linalg.pinv(axes.root), axis=0)
    parts = np.abs(coef) * spread
    taking_part = np.flatnonzero(parts > SMALL * parts.max())
    unit = np.asarray(coef)[taking_part]
    unit = np.abs(unit).max() * np.sign(unit[0])  # the first term gets no minus
    text = _sum([(coef[j] / unit, axes.names[j]) for j in taking_part])
    limit = number(-constant / unit if abs(constant) > ZERO * parts.max() else 0.0)
    more, less = ">" if unit > 0 else "<", "<" if unit > 0 else ">"
    if sides:
        return f"every row of {classes[1]}, and none of {classes[0]}, has {text} {more} {limit}"
    return f"no row of {classes[1]} has {text} {less} {limit}, and no row of {classes[0]} has it {more} {limit}"


def _sum(terms: Sequence[tuple[float, str]]) -> str:
    """Terms of which the first has a positive factor."""
    text = ""
    for factor, name in terms:
        size = number(abs(factor))
        text += f" {'−' if factor < 0 else '+'} {name if size == '1' else f'{size} {name}'}"
    return text.removeprefix(" + ")
