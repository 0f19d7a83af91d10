"""`DeepLinearRidge`: a deep linear network with weight decay is a ridge regression; this one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.optimize import bisect

from unbend.errors import UsageError
from unbend.regression.estimators.deep_matrix import Matrices, best_product
from unbend.regression.estimators.linear_model import LinearModel
from unbend.regression.estimators.sample import take
from unbend.regression.moments import Moments
from unbend.regression.ridge import ridge
from unbend.regression.solution import Solution, intercept_of
from unbend.regression.triangle import EPS

FINE, FINEST = 1e-3, 1e-6
"""Lengths, in log μ, of intervals that hold one root and that hold none: two that are nearer than the second are a
minimum that is just vanishing, and another or zero is better."""


class DeepLinearRidge(LinearModel):
    """The optimum of a network of `depth` linear layers with weight decay.

    The network minimises mean |y − W_L … W_1 x − b₀|² + weight_decay (|W_1|² + … + |W_L|²), the mean being over rows,
    the bias b₀ not decayed, the layers as wide as one likes. For one output, with b = W_L … W_1, the penalty is at
    least weight_decay L |b|^(2/L), and that is reached; so b solves the ridge regression (XᵀX/n + μ) b = Xᵀy/n whose
    strength depends on b itself, μ = weight_decay |b|^(2/L − 2). All its roots are found, and the best of them and of
    b = 0 is taken. From three layers on a small enough b jumps to 0.

    For several outputs each singular direction of B = W_L … W_1 has a strength of its own, weight_decay σ^(2/L − 2).
    One and two layers are solved to the least value there is (`gap_` bounds what is left); three and more have several
    minima, and the best that is found from least squares of every rank is taken.

    PyTorch's `weight_decay` of SGD and Adam adds half of it times |W|² to the loss, and its mean squared error is over
    rows and outputs: give `weight_decay / 2` here, times the outputs. It decays biases too unless they are in a
    parameter group of their own, and AdamW's decay is no penalty on the loss: for that one nothing is claimed here.

    Parameters
    ----------
    depth : layers; 1 is ridge regression
    weight_decay : a positive number
    fit_intercept : whether the last layer has a bias

    Attributes
    ----------
    coef_ : (p,), or (q, p) if the target had two axes
    intercept_ : float, or (q,)
    alpha_ : `Ridge(alpha_)` is the same function (infinite where the coefficients are 0); for several targets (m,), the
        strength along each singular direction of `coef_`
    objective_ : the least value of the mean squares plus decay
    gap_ : how far that can be above the least value there is; NaN where the best of several minima was taken
    weights_ : the layers of an optimal network, as narrow as can be: (r, p), (r, r), …, (q, r) with r the rank of
        `coef_`, or 1
    rank_, condition_, digits_, n_features_in_, feature_names_in_ : as in `Ridge`; of several targets `rank_` is r

    Notes
    -----
    Checked against: numerical minimisation over the layers, depth 1 to 4, 1e-8 of the objective.
    Source: Shang, Liu and Cheng (2016), AAAI, on Schatten norms as sums over factors; Kamber and Parhi (2026),
    arXiv:2603.27072.

    Examples
    --------
    >>> x, y = [[0.0], [1.0], [2.0], [3.0]], [1.0, 3.0, 5.0, 7.0]
    >>> model = DeepLinearRidge(depth=2, weight_decay=0.5).fit(x, y)
    >>> round(float(model.coef_[0]), 12), round(model.alpha_, 12)
    (1.6, 1.25)
    """

    alpha_: float | np.ndarray
    objective_: float
    gap_: float
    weights_: tuple[np.ndarray, ...]

    def __init__(self, depth: int = 2, weight_decay: float = 1e-3, *, fit_intercept: bool = True) -> None:
        self.depth = depth
        self.weight_decay = weight_decay
        self.fit_intercept = fit_intercept

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> DeepLinearRidge:
        """Fit to rows X (n, p) and a target (n,) or several (n, q); weights (n,) are relative to one another.

        Raises
        ------
        UsageError
            If the depth is not a whole number from 1, or the weight decay not a positive number.
        ValueError
            If the arguments cannot be used.
        """
        _refuse(self.depth, self.weight_decay)
        sample = take(self, X, y, sample_weight).normalised()
        moments, decay = sample.moments(self.fit_intercept), float(self.weight_decay)
        if sample.y.shape[1] > 1:
            self._fit_several(moments, decay, sample.names, sample.y.shape[1])
            return self
        solution = _best(moments, self.depth, decay, sample.names, self.fit_intercept)
        self._keep([solution], sample.flat)
        self.alpha_ = float(solution.strength or np.inf)
        self.objective_ = _objective(solution, self.depth, decay)
        self.gap_ = 0.0
        self.weights_ = _layers(solution.coef, self.depth)
        return self

    def _fit_several(self, moments: Moments, decay: float, names: tuple[str, ...], targets: int) -> None:
        problem = Matrices.of(moments, targets)
        product = best_product(problem, self.depth, decay)
        losses, coef = problem.losses(product.b), problem.vectors @ product.b
        self._keep(_of_targets(moments, names, coef, losses, decay, self.fit_intercept), False)
        self.rank_ = len(product.values)
        strengths = moments.n * decay * product.values ** (2 / self.depth - 2)
        self.alpha_ = np.append(strengths, np.full(min(coef.shape) - self.rank_, np.inf))
        self.objective_ = float(losses.sum()) + decay * product.penalty(self.depth)
        self.gap_ = {1: 0.0, 2: problem.gap(product.b, decay)}.get(self.depth, np.nan)
        self.weights_ = product.layers(problem.vectors, self.depth)


def _refuse(depth: Any, decay: Any) -> None:
    if not isinstance(depth, (int, np.integer)) or depth < 1:
        raise UsageError(f"the depth must be a whole number from 1, not {depth}")
    if not 0 < decay < np.inf:
        raise UsageError(
            f"the weight decay must be a positive number, not {decay}", try_="without decay: LinearRegression"
        )


def _best(moments: Moments, depth: int, decay: float, names: tuple[str, ...], intercept: bool) -> Solution:
    """The ridge solution of least objective among those whose strength fits them, or zero."""
    n = moments.n
    weakest = ridge(moments, n * decay, names, standardise=False, intercept=intercept)
    if depth == 1:
        return weakest
    strengths = [np.exp(step) for step in _roots(moments, depth, decay)]
    candidates = [ridge(moments, n * mu, names, standardise=False, intercept=intercept) for mu in strengths]
    zero = replace(
        weakest,
        coef=np.zeros_like(weakest.coef),
        intercept=weakest.y_mean if intercept else 0.0,
        rss=weakest.tss,
        effective_df=float(intercept),
        strength=float("inf"),
    )
    return min([zero, *candidates], key=lambda one: _objective(one, depth, decay))


def _of_targets(
    moments: Moments, names: tuple[str, ...], coef: np.ndarray, losses: np.ndarray, decay: float, intercept: bool
) -> list[Solution]:
    """A solution for each target, with coefficients (p, q) and mean squared residuals (q,)."""
    found, p = [], len(coef)
    for j, loss in enumerate(losses.tolist()):
        at = [*range(p), p + j]
        one = ridge(moments.of_columns(at), moments.n * decay, names, standardise=False, intercept=intercept)
        start = intercept_of(moments.shift[at], moments.offset[at], coef[:, j]) if intercept else 0.0
        method = "ridge regression with a strength of its own for each singular direction"
        found.append(replace(one, coef=coef[:, j], intercept=start, rss=loss * moments.n, method=method))
    return found


def _objective(solution: Solution, depth: int, decay: float) -> float:
    size = float(np.linalg.norm(solution.coef))
    return solution.rss / solution.n + decay * depth * size ** (2 / depth)


def _roots(moments: Moments, depth: int, decay: float) -> list[float]:
    """Every log μ with μ = decay |b(μ)|^(2/L − 2) at which b may be better than 0."""
    gram = moments.centred / moments.n
    values, vectors = np.linalg.eigh(gram[:-1, :-1])
    kept = values > len(values) * EPS * values.max(initial=0.0)
    values, along = values[kept], vectors[:, kept].T @ gram[:-1, -1]
    size = float(np.linalg.norm(along))
    if size == 0.0 or (depth == 2 and size <= decay):
        return []
    power = 2 / depth - 2

    def off(step: float) -> float:
        return np.log(decay) + power * np.log(np.linalg.norm(along / (values + np.exp(step)))) - step

    first = np.log(decay) + power * np.log(np.linalg.norm(along / values))
    last = _last(float(values.max()), size, depth, decay)
    return _all_roots(off, float(first) - 1e-6, last + 1e-6) if last > first else []


def _last(largest: float, size: float, depth: int, decay: float) -> float:
    """A log μ beyond which there is no root (two layers), or none that is better than 0 (more)."""
    if depth == 2:
        return float(np.log(decay * largest) - np.log(size - decay))
    least = np.log(decay * depth / (2 * size)) / (1 - 2 / depth)
    return float(np.log(decay) + (2 / depth - 2) * least)


def _all_roots(off: Callable[[float], float], first: float, last: float) -> list[float]:
    """All changes of sign of a function whose slope is between −1 and 1.

    An interval without a change of sign at its ends has one inside only if the sizes at its ends add up to no more than
    its length; it is halved until they do not, or until it is `FINEST`.
    """
    found: list[float] = []
    stack = [(first, off(first), last, off(last))]
    while stack:
        a, at_a, b, at_b = stack.pop()
        changes = at_a * at_b <= 0
        if not changes and (b - a < FINEST or abs(at_a) + abs(at_b) > b - a):
            continue
        if changes and b - a < FINE:
            found.append(float(bisect(off, a, b, xtol=1e-14)))  # pyright: ignore[reportArgumentType]
            continue
        middle = (a + b) / 2
        value = off(middle)
        stack += [(a, at_a, middle, value), (middle, value, b, at_b)]
    return found


def _layers(coef: np.ndarray, depth: int) -> tuple[np.ndarray, ...]:
    """Layers one unit wide, all of one norm, whose product is the coefficients."""
    size = float(np.linalg.norm(coef))
    each = size ** (1 / depth)
    first = coef[None, :] * (each / size if size else 0.0)
    return (first, *(np.array([[each]]) for _ in range(depth - 1)))
