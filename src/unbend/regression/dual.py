"""Ridge regression with more columns than rows: from the n × n products of the rows, never the p × p of the columns.

The eigenvalues of z zᵀ that are not 0 are those of zᵀ z, so every strength, its effective parameters, and its errors by
generalised cross-validation or without each row come from one eigendecomposition, as in `unbend.regression.ridge`.

Source: Saunders, Gammerman and Vovk (1998), ICML, 515-521.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from unbend.regression.least_norm import centred
from unbend.regression.moments import Block
from unbend.regression.ridge import LeftOut, Spectrum, chosen_how, solution_of, strength_of
from unbend.regression.solution import Solution
from unbend.regression.triangle import EPS


@dataclass(frozen=True, eq=False)
class DualSpectrum(Spectrum):
    """A spectrum whose `vectors` are of the rows, (n, k); `rows` are the standardised rows z (n, columns)."""

    rows: np.ndarray = field(kw_only=True)

    def coefficients(self, strength: float) -> np.ndarray:
        """Coefficients of the standardised columns at this strength."""
        dual = self.vectors @ (self.along / np.sqrt(self.values) / (self.values + strength))
        return self.rows.T @ dual


def dual_ridge(
    rows: Block,
    strength: float | Literal["gcv", "auto", "loo"],
    names: Sequence[str],
    *,
    standardise: bool = True,
    intercept: bool = True,
) -> Solution:
    """`ridge`, of rows with one target that are fewer than their columns.

    Checked against: `unbend.regression.ridge.ridge`, 1e-9.

    Raises
    ------
    UsageError
        As `unbend.regression.ridge.strength_of`.
    """
    x, y, mean, weight = centred(rows, intercept)
    spread = np.linalg.norm(x, axis=0) / np.sqrt(weight)
    varies = spread > 0
    unit = np.where(varies, spread, 1.0) if standardise else np.ones(len(spread))
    x /= unit
    spectrum = _spectrum(x, y, weight, intercept)
    chosen = strength_of(spectrum, strength, _left_out(spectrum, y, rows, weight), len(x))
    return solution_of(
        spectrum,
        chosen,
        names,
        spectrum.coefficients(chosen) / unit,
        mean,
        spread,
        n=len(x),
        tss=float(y @ y),
        standardise=standardise,
        method=f"eigenvalues of the products of the rows, {chosen_how(spectrum, strength, chosen)}",
        intercept=intercept,
    )


def _spectrum(z: np.ndarray, y: np.ndarray, weight: float, intercept: bool) -> DualSpectrum:
    values, vectors = np.linalg.eigh(z @ z.T)
    kept = values > len(z) * EPS * values.max(initial=0.0)
    values, vectors = values[kept], vectors[:, kept]
    along = np.sqrt(values) * (vectors.T @ y)
    free = int(intercept)
    apart = float(y @ y) - float(np.sum(np.square(vectors.T @ y))) if len(values) < len(z) - free else 0.0
    return DualSpectrum(weight, values, vectors, along, max(apart, 0.0), free, rows=z)


def _left_out(spectrum: DualSpectrum, y: np.ndarray, rows: Block, weight: float) -> LeftOut:
    """The rows in the axes of the spectrum; weights count as repetitions, so their roots are taken out again."""
    counts = np.ones(len(y)) if rows.weights is None else rows.weights
    root = np.sqrt(counts)
    rotated = spectrum.vectors * np.sqrt(spectrum.values) / root[:, None]
    return LeftOut(spectrum, rotated, y / root, counts, spectrum.free / weight)
