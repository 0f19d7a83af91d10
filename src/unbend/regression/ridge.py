"""Ridge regression, on standardised columns unless asked otherwise, from one eigendecomposition of the moments.

With columns z of mean 0 and standard deviation 1, the coefficients minimise |y − z b|² + strength |b|² (the convention
of `MASS::lm.ridge` and of scikit-learn's `Ridge` after `StandardScaler`); the intercept is not penalised. The same
eigendecomposition gives every strength, so generalised cross-validation costs nothing more, and leave-one-out
one product with the rows a strength.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from unbend.errors import UsageError
from unbend.regression.leverages import PINNED
from unbend.regression.moments import Block, Moments
from unbend.regression.solution import Solution, intercept_of
from unbend.regression.triangle import EPS

GCV = "strength by generalised cross-validation"
CHOSEN = {"gcv": GCV, "auto": GCV, "loo": "strength by leaving one row out"}
WEAKEST, STRONGEST, GRID = 1e-10, 1e4, 57
"""Range of strengths that are tried, in units of the largest eigenvalue, and how many: four a decade."""
NEXT = 10 ** (1 / 4)
"""From one strength that is tried to the next: a strength within it of an end of the range is at that end."""


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The standardised problem in the axes of its eigenvectors.

    Attributes
    ----------
    n : sum of the rows' weights, which count as repetitions
    values : (k,) eigenvalues of zᵀz that are not 0
    vectors : (columns, k)
    along : (k,) vectorsᵀ zᵀ y
    apart : sum of squares of what no strength explains
    free : parameters that are not penalised: 1 with an intercept, else 0
    """

    n: float
    values: np.ndarray
    vectors: np.ndarray
    along: np.ndarray
    apart: float
    free: int = 1

    def effective_df(self, strength: float) -> float:
        """Parameters used at this strength, the intercept included."""
        return self.free + float(np.sum(self.values / (self.values + strength)))

    def rss(self, strength: float) -> float:
        """Sum of squared residuals at this strength."""
        left = strength / (self.values + strength)
        return self.apart + float(np.sum(np.square(self.along * left) / self.values))

    def coefficients(self, strength: float) -> np.ndarray:
        """Coefficients of the standardised columns at this strength."""
        return self.vectors @ (self.along / (self.values + strength))

    def gcv(self, strength: float) -> float:
        """Generalised cross-validation: n RSS / (n − effective df)².

        Source: Golub, Heath and Wahba (1979), Technometrics 21, 215-223.
        """
        free = self.n - self.free - len(self.values) + float(np.sum(strength / (self.values + strength)))
        return self.n * self.rss(strength) / free**2 if free > 0 else np.inf

    def best_strength(self, error: Callable[[float], float]) -> float:
        """The strength with the least error, of a grid and then between its neighbours."""
        from scipy.optimize import minimize_scalar  # 15 MB, and few fits need it

        largest = float(self.values.max(initial=1e-300))
        grid = np.linspace(np.log(WEAKEST), np.log(STRONGEST), GRID)
        errors = [error(largest * float(np.exp(step))) for step in grid]
        best = int(np.argmin(errors))
        bounds = grid[max(best - 1, 0)], grid[min(best + 1, GRID - 1)]
        found = minimize_scalar(lambda step: error(largest * float(np.exp(step))), bounds=bounds, method="bounded")
        step = found.x if found.fun < errors[best] else grid[best]
        return largest * float(np.exp(step))


def ridge(
    moments: Moments,
    strength: float | Literal["gcv", "auto", "loo"],
    names: Sequence[str] | None = None,
    *,
    standardise: bool = True,
    intercept: bool = True,
    rows: Block | None = None,
) -> Solution:
    """Ridge coefficients for the columns as they are; constant columns get 0.

    Parameters
    ----------
    moments : of [x | y]; `Moments.about_origin` without an intercept
    strength : of the penalty, or "gcv" to choose it by generalised cross-validation, "loo" by leaving one row out
    names : of the columns, x0, x1, … if None
    standardise : whether the penalty is on the coefficients of standardised columns, or of the columns as they are
    intercept : whether there is one, which is not penalised
    rows : the rows themselves, which "loo" needs

    Raises
    ------
    UsageError
        As `strength_of`.
    """
    p = len(moments.shift) - 1
    centred = moments.centred
    spread = np.sqrt(np.maximum(np.diag(centred), 0.0) / moments.weight)
    kept = np.flatnonzero(spread[:p] > 0)
    unit = spread[kept] if standardise else np.ones(len(kept))
    scaled = centred[np.ix_(kept, kept)] / np.outer(unit, unit)
    spectrum = _spectrum(moments, scaled, centred[kept, p] / unit, float(centred[p, p]), int(intercept))
    left_out = None if rows is None else LeftOut.of(rows, moments, spectrum, kept, unit)
    chosen = strength_of(spectrum, strength, left_out, moments.n)
    coef = np.zeros(p)
    coef[kept] = spectrum.coefficients(chosen) / unit
    return solution_of(
        spectrum,
        chosen,
        tuple(names) if names is not None else tuple(f"x{j}" for j in range(p)),
        coef,
        np.array([moments.shift, moments.offset]),
        spread[:p],
        n=moments.n,
        tss=float(centred[p, p]),
        standardise=standardise,
        method=f"eigenvalues of shifted moments, {chosen_how(spectrum, strength, chosen)}",
        intercept=intercept,
    )


def solution_of(
    spectrum: Spectrum,
    strength: float,
    names: Sequence[str],
    coef: np.ndarray,
    mean: np.ndarray,
    spread: np.ndarray,
    *,
    n: int,
    tss: float,
    standardise: bool,
    method: str,
    intercept: bool,
) -> Solution:
    """The solution at a strength, of coefficients (p,) of the columns as they are.

    `mean` are the means in two parts, (2, p + 1), the target's last, and `spread` the standard deviations (p,).
    """
    shift, offset = mean
    least = 0.0 if len(spectrum.values) < np.count_nonzero(spread) else spectrum.values.min(initial=np.inf)
    condition = (
        float((spectrum.values.max(initial=0.0) + strength) / (least + strength)) if len(spectrum.values) else 1.0
    )
    on = "standardised columns" if standardise else "the columns as they are"
    return Solution(
        names=tuple(names),
        coef=coef,
        intercept=intercept_of(shift, offset, coef),
        n=n,
        mean=(shift + offset)[:-1],
        y_mean=float(shift[-1] + offset[-1]),
        rss=spectrum.rss(strength),
        tss=tss,
        effective_df=spectrum.effective_df(strength),
        root=None,
        length=spread * np.sqrt(spectrum.n),
        squared=True,
        condition=condition,
        method=f"ridge on {on}, {method}",
        strength=strength,
        has_intercept=intercept,
    )


@dataclass(frozen=True, eq=False)
class LeftOut:
    """The rows in the axes of the spectrum: what a row's prediction is when it alone is left out of the fit.

    Attributes
    ----------
    spectrum : of the same rows
    rotated : (n, k) rows, standardised, times the eigenvectors
    y : (n,) target about its mean
    weights : (n,), which count as repetitions: one of them is left out
    pull : leverage of the intercept
    """

    spectrum: Spectrum
    rotated: np.ndarray
    y: np.ndarray
    weights: np.ndarray
    pull: float

    @classmethod
    def of(cls, rows: Block, moments: Moments, spectrum: Spectrum, kept: np.ndarray, unit: np.ndarray) -> LeftOut:
        """From rows with one target."""
        moved = rows.z - moments.mean
        counts = np.ones(len(moved)) if rows.weights is None else rows.weights
        return cls(
            spectrum, moved[:, kept] / unit @ spectrum.vectors, moved[:, -1], counts, spectrum.free / moments.weight
        )

    def error(self, strength: float) -> float:
        """Sum of squared errors of every row's prediction without it: (residual / (1 − leverage))².

        Checked against: fits without each row, 1e-9.
        Source: Allen (1974), Technometrics 16, 125-127.
        """
        shrunk = 1.0 / (self.spectrum.values + strength)
        residual = self.y - self.rotated @ (shrunk * self.spectrum.along)
        left = 1.0 - self.pull - np.square(self.rotated) @ shrunk
        return float(self.weights @ np.square(residual / left)) if left.min() > PINNED else np.inf


def _spectrum(moments: Moments, gram: np.ndarray, cross: np.ndarray, tss: float, free: int) -> Spectrum:
    values, vectors = np.linalg.eigh(gram)
    kept = values > len(gram) * EPS * values.max(initial=0.0)
    values, vectors = values[kept], vectors[:, kept]
    along = vectors.T @ cross
    apart = tss - float(np.sum(np.square(along) / values)) if len(values) < moments.n - free else 0.0
    return Spectrum(moments.weight, values, vectors, along, max(apart, 0.0), free)


def chosen_how(spectrum: Spectrum, asked: float | str, strength: float) -> str:
    """How a strength was come by, in words."""
    words = CHOSEN.get(str(asked), "strength as given")
    share = strength / float(spectrum.values.max(initial=1e-300))
    if asked not in CHOSEN or WEAKEST * NEXT < share < STRONGEST / NEXT:
        return words
    edge = "weakest" if share < 1 else "strongest"
    return f"{words}: the {edge} that is tried, as it finds no best one"


def strength_of(spectrum: Spectrum, strength: float | str, left_out: LeftOut | None, n: int) -> float:
    """The strength that is given, or that has the least error of the kind that is asked for; of n rows.

    Raises
    ------
    UsageError
        If the strength is negative, not finite, or another word; if it is to be chosen by weights that, as repetitions,
        are fewer rows than there are parameters.
    """
    parameters = spectrum.free + len(spectrum.values)
    if strength in CHOSEN and round(spectrum.n) < min(n, parameters):
        raise UsageError(
            f"the strength cannot be chosen: weights count as repetitions, and these add up to {spectrum.n:.3g} rows, "
            f"fewer than the {parameters} parameters",
            try_="give weights of mean 1: weights / weights.mean()",
        )
    if strength in ("gcv", "auto"):
        return spectrum.best_strength(spectrum.gcv)
    if strength == "loo" and left_out is not None:
        return spectrum.best_strength(left_out.error)
    if isinstance(strength, (str, bool)) or not 0 < strength < np.inf:
        raise UsageError(
            f"the ridge strength must be a positive number or auto (gcv), not {strength}",
            try_="leave-one-out needs every row's leverage; gcv is its rotation-invariant form and needs only moments"
            if strength == "loo"
            else "",
        )
    return float(strength)
