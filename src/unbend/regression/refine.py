"""The last digits: Newton's method on the normal equations, with residuals in two parts.

One reading of the rows gives the residuals y − b₀ − x b and their products with the columns, all to about 32 digits
(`unbend.exact.gradient`), at coefficients that are kept in two parts as well. The factor that the first solution came
from turns them into a step. It need not be exact: each step multiplies the error by the rounding of the factor (the
condition number in roundings if it is from the rows, its square if it is from moments), so that one reading is enough
where columns are not nearly collinear, and as many are taken as it takes until a float64 is right to its last bit.
The inverse of the cross products, which standard errors need, is refined by the same steps: its columns are the
solutions for the right-hand sides (1, 0, …), (0, 1, …), ….

Source: Björck (1967), BIT 7, 257-278; Demmel, Hida, Riedy and Li (2009), ACM TOMS 35(4), 28.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from unbend.exact import Double, Gradient, gradient
from unbend.regression.moments import Block, Moments
from unbend.regression.rows import Blocks, summed
from unbend.regression.solution import Solution
from unbend.regression.triangle import EPS, Triangle, power_of_two
from unbend.regression.trust import inflation, row_lengths

LAST_BIT, BEYOND = 56, 84
"""With so many bits right a float64 is rounded right, but for ties; and what may cancel needs some 8 digits more."""
TWO_PARTS = 2.0**-102
"""A rounding of numbers in two parts, and some."""
NOTHING = 1e-12
"""A coefficient with less than this share of the target's spread need not be right to its own last digit."""
EXACT = 0.5 ** (3 * LAST_BIT)
"""A sum of squared residuals below this share of the target's need not be told from 0."""
GAIN = 0.25
"""A step that is not shorter than the one before by this factor (squared) gains nothing."""
MOST = 24
"""Readings after which there is no hope."""


@dataclass(frozen=True, eq=False)
class Left:
    """What is left of the right-hand sides of the normal equations, (1 + p, k), the intercept's row first, and the sums
    of squares, (k,), of the residuals and of the targets about their means."""

    right: Double
    squares: Double
    about_mean: Double


@dataclass(frozen=True, eq=False)
class Step:
    """A step (1 + p, k), the squared length that it moves the predictions by (k,), and a bound on the error after it
    (1 + p, k)."""

    move: np.ndarray
    energy: np.ndarray
    error: np.ndarray


@dataclass(frozen=True, eq=False)
class Ended:
    """Where the steps led: the solution (1 + p, k), the last step, sums of squares (k,), and readings."""

    at: Double
    step: Step
    rss: Double
    tss: Double
    readings: int


@dataclass(frozen=True, eq=False)
class Newton:
    """Steps of Newton's method, by a factor of the columns that rounding has touched.

    Attributes
    ----------
    root : (p, k) root rootᵀ is nearly the inverse of the centred cross products
    mean : (p,) of the columns; zeros without an intercept
    length : (p,) of the columns, about the mean
    weight : sum of the rows' weights
    squared : whether the factor was formed from squares
    intercept : whether there is one
    """

    root: np.ndarray
    mean: Double
    length: np.ndarray
    weight: float
    squared: bool
    intercept: bool

    @classmethod
    def of(cls, solution: Solution, triangle: Triangle, weight: float) -> Newton:
        """By the factor of a solution."""
        if solution.root is None:
            raise TypeError("ridge has no factor of the columns")
        p, intercept = triangle.p, solution.has_intercept
        mean = Double.of(triangle.shift[:p], triangle.offset[:p]) if intercept else Double.zeros(p)
        return cls(solution.root, mean, solution.length, weight, solution.squared, intercept)

    def run(
        self, start: Double, read: Callable[[Double], Left], enough: Callable[[Ended], bool], most: int = MOST
    ) -> Ended:
        """Steps from `start` (1 + p, k) until there is `enough`, or until they gain nothing."""
        at, before, reading = start, np.full(start.shape[1], np.inf), 0
        while True:
            left = read(at)
            step, reading = self.step(left.right), reading + 1
            if not (step.energy < GAIN * before).any():
                return Ended(
                    at, replace(step, error=np.abs(step.move)), self._rss(left, step), left.about_mean, reading
                )
            at, before = at + step.move, step.energy
            ended = Ended(at, step, self._rss(left, step), left.about_mean, reading)
            if reading == most or enough(ended):
                return ended

    def step(self, right: Double) -> Step:
        """The step that the right-hand sides (1 + p, k) ask for."""
        total = right[0] if self.intercept else Double.zeros(right.shape[1])
        about_mean = (right[1:] - self.mean[:, None] * total).to_float()
        along = self.root.T @ about_mean
        slopes, energy = self.root @ along, np.square(along).sum(axis=0)
        base = (total / self.weight - (self.mean[:, None] * slopes).sum(axis=0)).to_float()
        level = np.abs(total.hi) / np.sqrt(self.weight)
        return Step(np.vstack([base * self.intercept, slopes]), energy, self._error_after(slopes, energy, level))

    def _error_after(self, slopes: np.ndarray, energy: np.ndarray, level: np.ndarray) -> np.ndarray:
        """What the factor's rounding leaves of a step, and that of the means, which is in proportion to its `level`."""
        moved = self.length @ np.abs(slopes) + self._inflation * level
        error = 2 * EPS * self.rows[:, None] * (moved + self._inflation * (moved if self.squared else np.sqrt(energy)))
        error[0] += EPS**2 * (np.abs(self.mean.hi) @ np.abs(slopes))
        return error

    def _rss(self, left: Left, step: Step) -> Double:
        """Sums of squared residuals after a step."""
        rss = left.squares - step.energy
        if self.intercept:
            rss = rss - left.right[0] * left.right[0] / self.weight
        return Double(np.maximum(rss.hi, 0.0), np.where(rss.hi > 0, rss.lo, 0.0))

    @property
    def contraction(self) -> float:
        """What a step leaves, at most about, of the squared length that it moves the predictions by."""
        return 2 * EPS * (self._inflation**2 if self.squared else self._inflation)

    def noise(self, coef: np.ndarray, spread: np.ndarray, residual: np.ndarray) -> np.ndarray:
        """(1 + p, k) error that the rounding of numbers in two parts leaves, of coefficients (p, k)."""
        size = np.sqrt(np.square(self.length) + self.weight * np.square(self.mean.hi))
        fitted = size @ np.abs(coef) + spread
        return TWO_PARTS * self.rows[:, None] * (fitted + float(self.rows[1:] @ size) * residual)

    @cached_property
    def rows(self) -> np.ndarray:
        """(1 + p,) how far noise of variance 1 moves the intercept (but for the mean's) and each coefficient."""
        return row_lengths(self.root, self.mean.hi)

    @cached_property
    def _inflation(self) -> float:
        return inflation(self.root, self.length)


def refined(
    solutions: Sequence[Solution],
    triangle: Triangle,
    moments: Moments,
    blocks: Blocks,
    *,
    most: int = MOST,
    bits: int = LAST_BIT,
    rows: Double | None = None,
) -> tuple[Solution, ...]:
    """Solutions for several targets, right to the last digit, as far as the columns allow.

    Parameters
    ----------
    solutions, triangle : of ordinary least squares, and the factor that they were read from
    moments : of the same rows
    blocks : reads the rows again
    most : readings, after which the result is taken as it is
    bits : of the coefficients that are to be right; those beyond a float64 are in `Solution.low`
    rows : (m, 1 + p) combinations of the intercept and the coefficients whose variances are to be right as well, which
        takes the work of m readings
    """
    newton = Newton.of(solutions[0], triangle, moments.weight)
    spread = np.sqrt([max(one.tss, 0.0) for one in solutions])
    start = Double.of(np.array([[one.intercept, *one.coef] for one in solutions]).T)
    mean = (
        Double.of(triangle.shift, triangle.offset)[triangle.p :] if newton.intercept else Double.zeros(len(solutions))
    )
    read = partial(_residuals, blocks, mean, moments.weight)
    ended = newton.run(start, read, partial(_enough, newton, spread, bits), most)
    sway = None if rows is None else _sway(newton, blocks, rows)
    coef, rss, tss = ended.at, ended.rss, ended.tss
    noise = newton.noise(coef.hi[1:], spread, np.sqrt(rss.hi))
    error, explained = ended.step.error + noise, (tss - rss).to_float()
    readings = "one reading" if ended.readings == 1 else f"{ended.readings} readings"
    return tuple(
        replace(
            one,
            intercept=float(coef.hi[0, j]),
            coef=coef.hi[1:, j],
            low=coef.lo[:, j],
            rss=float(rss.hi[j]),
            tss=float(tss.hi[j]),
            explained=float(explained[j]),
            error=error[:, j],
            refined_sway=sway,
            method=f"{triangle.method}, then {readings} with residuals to 32 digits",
        )
        for j, one in enumerate(solutions)
    )


def _enough(newton: Newton, spread: np.ndarray, bits: int, ended: Ended) -> bool:
    """Whether so many bits of every coefficient are right, and every sum of squares to its last."""
    length = np.append(np.sqrt(newton.weight), np.where(newton.length > 0, newton.length, np.inf))
    size = np.maximum(np.abs(ended.at.hi), NOTHING * spread / length[:, None])
    known = np.maximum(0.5**LAST_BIT * ended.rss.hi, EXACT * np.square(spread))
    return bool(
        (ended.step.error <= 0.5**bits * size).all() and (newton.contraction * ended.step.energy <= known).all()
    )


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums of residuals, and of the targets about a mean; + adds the rows of another."""

    residuals: Gradient
    targets: Gradient

    def __add__(self, other: Sums) -> Sums:
        """The sums over the rows of both."""
        return Sums(self.residuals + other.residuals, self.targets + other.targets)


def _residuals(blocks: Blocks, y_mean: Double, weight: float, at: Double) -> Left:
    """[1 x]ᵀ (y − [1 x] at) over all rows, and the sums of squares about means that need not be exact."""
    sums = summed(blocks, partial(_of_block, at, y_mean))
    off, squares = sums.targets.total, sums.targets.squares
    about_mean = squares - off * off / weight if y_mean.hi.any() else squares
    return replace(_left(sums.residuals), about_mean=about_mean)


def _of_block(at: Double, y_mean: Double, b: Block, first: object = None) -> Sums:
    none = Double.zeros((0, len(y_mean)))
    return Sums(
        gradient(b.x, b.y, at[0], at[1:], b.weights, x_low=b.x_low, y_low=b.y_low),
        gradient(b.x[:, :0], b.y, y_mean, none, b.weights, y_low=b.y_low),
    )


def _left(sums: Gradient) -> Left:
    right = Double(np.vstack([sums.total.hi, sums.cross.hi]), np.vstack([sums.total.lo, sums.cross.lo]))
    return Left(right, sums.squares, sums.squares)


def _sway(newton: Newton, blocks: Blocks, rows: Double) -> np.ndarray:
    """(m,) root of r (inverse of the cross products of [1 x]) rᵀ for each row r of `rows` (m, 1 + p)."""
    unit = power_of_two(np.abs(rows.hi).max(axis=1))
    rows = rows * (1.0 / unit)[:, None]
    start = newton.step(rows.T).move

    def read(inverse: Double) -> Left:
        left = _left(summed(blocks, partial(_of_columns, inverse)))
        return replace(left, right=left.right + rows.T)

    def enough(ended: Ended) -> bool:
        wanted = np.abs(rows.hi)
        errors = (wanted * ended.step.error.T).sum(axis=1)
        return bool((errors <= 0.5**LAST_BIT * (rows.hi * ended.at.hi.T).sum(axis=1)).all())

    return unit * (rows * newton.run(Double.of(start), read, enough).at.T).sum(axis=1).sqrt().to_float()


def _of_columns(at: Double, b: Block, first: object = None) -> Gradient:
    return gradient(b.x, None, at[0], at[1:], b.weights, x_low=b.x_low)
