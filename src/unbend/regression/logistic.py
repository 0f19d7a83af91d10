"""Logistic regression, of two classes or more, by Newton's method on weighted moments of a stream of rows.

P(class k) is proportional to exp(b₀k + bk · x), the first class having b = 0. In coordinates u in which the cross
products of the rows are the identity, each step is one reading that sums p (1 − p) u uᵀ: small, additive, and well
conditioned whatever the units of the columns. Without a penalty there may be no finite optimum: see
`unbend.regression.separation`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.special import log_softmax

from unbend.errors import SelfCheckError
from unbend.regression.least_squares import least_squares
from unbend.regression.moments import Block, Moments
from unbend.regression.ordinary import Collinear
from unbend.regression.separation import refuse_separation
from unbend.regression.triangle import EPS

CLOSE = 1e-11
"""A Newton step that would gain less than this share of the loss is the last: the error after it is its square."""
SUSPICIOUS = 10.0
"""Log-odds beyond which it is asked whether the classes are separated."""
STEPS, HALVINGS = 100, 30


@dataclass(frozen=True, eq=False)
class Axes:
    """Coordinates u = [1/√weight, (x − mean) root] whose weighted cross products are the identity.

    Without an intercept there is no first coordinate, and `mean` is 0. Of the columns, `dropped` were left out, each
    with its relation; `condition` is that of the columns, centred and scaled to one length.
    """

    names: tuple[str, ...]
    mean: np.ndarray
    root: np.ndarray
    weight: float
    intercept: bool
    condition: float
    dropped: tuple[str, ...] = ()
    relations: tuple[str, ...] = ()

    def rows(self, x: np.ndarray) -> np.ndarray:
        """The coordinates of rows x (n, p); (n, q)."""
        u = (x - self.mean) @ self.root
        return np.column_stack([np.full(len(x), self.weight**-0.5), u]) if self.intercept else u

    @cached_property
    def back(self) -> np.ndarray:
        """(1 + p, q) that turns coordinates of a score into its intercept and coefficients."""
        below = np.column_stack([np.zeros(len(self.mean)), self.root]) if self.intercept else self.root
        first = -self.mean @ below
        if self.intercept:
            first[0] += self.weight**-0.5
        return np.vstack([first, below])


@dataclass(frozen=True, eq=False)
class LogisticSolution:
    """Coefficients of a logistic regression.

    Attributes
    ----------
    axes : the coordinates that it was computed in
    gamma : (K − 1, q) the scores of all classes but the first, in these coordinates
    covariance : ((K − 1) q, (K − 1) q) of gamma, None with a penalty
    log_likelihood, null : of the fit, and of one that knows only how frequent the classes are
    n : rows
    steps : of Newton's method
    strength : of the penalty
    """

    axes: Axes
    gamma: np.ndarray
    covariance: np.ndarray | None
    log_likelihood: float
    null: float
    n: int
    steps: int
    strength: float

    @property
    def coefficients(self) -> np.ndarray:
        """(K − 1, 1 + p) intercept and coefficients of each class but the first."""
        return self.gamma @ self.axes.back.T

    @property
    def standard_errors(self) -> np.ndarray:
        """(K − 1, 1 + p), from the information matrix; NaN with a penalty."""
        if self.covariance is None:
            return np.full((len(self.gamma), len(self.axes.back)), np.nan)
        classes, q = self.gamma.shape
        blocks = self.covariance.reshape(classes, q, classes, q)
        back = self.axes.back
        return np.sqrt([np.einsum("ij,jk,ik->i", back, blocks[k, :, k, :], back) for k in range(classes)])

    def probabilities(self, x: np.ndarray) -> np.ndarray:
        """(n, K) of each class at rows x (n, p)."""
        return np.exp(log_probabilities(self.axes.rows(x) @ self.gamma.T))


def log_probabilities(scores: np.ndarray) -> np.ndarray:
    """(n, K) from the scores (n, K − 1) of all classes but the first."""
    return np.asarray(log_softmax(np.column_stack([np.zeros(len(scores)), scores]), axis=1))


def logistic(
    moments: Moments,
    names: Sequence[str],
    blocks: Callable[[], Iterable[Block]],
    classes: Sequence[str],
    *,
    strength: float = 0.0,
    standardise: bool = False,
    intercept: bool = True,
    collinear: Collinear = "error",
) -> LogisticSolution:
    """The coefficients that maximise the likelihood less strength / 2 · |coefficients|².

    With more than two classes the penalty is on all classes alike, about their mean, as in scikit-learn (C = 1 /
    strength).

    Parameters
    ----------
    moments : of [x | number of the class]; `Moments.about_origin` without an intercept
    names : of the columns
    blocks : reads the same rows again
    classes : names, in the order of their numbers
    strength : of the penalty, 0 for none
    standardise : whether the penalty is on coefficients of columns of standard deviation 1
    intercept : whether there is one, which is not penalised
    collinear : as `ordinary` has it; a penalty needs no column left out

    Raises
    ------
    DataError
        If columns are collinear, or if without a penalty the classes are separated, so that no coefficients are best.
    SelfCheckError
        If Newton's method does not end.

    Notes
    -----
    Checked against: scikit-learn's `LogisticRegression`, 1e-7; statsmodels `Logit` and `MNLogit`, 1e-7.
    """
    if strength:
        axes, penalty = _penalised_axes(moments, names, standardise, intercept)
    else:
        axes, penalty = _plain_axes(moments, names, blocks, collinear, intercept), None
    newton = _Newton(axes, blocks, len(classes), strength, penalty)
    solved = newton.run()
    if not strength and (solved is None or newton.largest > SUSPICIOUS):
        refuse_separation(axes, blocks, classes)
    if solved is None:
        raise SelfCheckError(
            f"Newton's method did not end within {STEPS} steps", try_="shrink the coefficients: --ridge 1"
        )
    return newton.solution(solved)


def _plain_axes(
    moments: Moments, names: Sequence[str], blocks: Callable[[], Iterable[Block]], collinear: Collinear, intercept: bool
) -> Axes:
    one = least_squares(moments, names, blocks, collinear=collinear, intercept=intercept)
    assert one.root is not None  # ordinary least squares has one
    found = one.condition, one.dropped, one.relations
    return Axes(tuple(names), one.mean, one.root, moments.weight, intercept, *found)


def _penalised_axes(
    moments: Moments, names: Sequence[str], standardise: bool, intercept: bool
) -> tuple[Axes, np.ndarray]:
    """Axes that span all columns, and the matrix (k, k) of the penalty in them."""
    gram = moments.centred[:-1, :-1]
    spread = np.sqrt(np.maximum(np.diag(gram), 0.0) / moments.weight)
    unit = np.where(spread > 0, spread, 1.0) if standardise else np.ones(len(gram))
    values, vectors = np.linalg.eigh(gram / np.outer(unit, unit))
    kept = values > len(values) * EPS * values.max(initial=0.0)
    axes = vectors[:, kept] / np.sqrt(values[kept])
    condition = float(values[kept].max(initial=1.0) / values[kept].min(initial=1.0))
    found = Axes(tuple(names), moments.mean[:-1], axes / unit[:, None], moments.weight, intercept, condition**0.5)
    return found, np.diag(1.0 / values[kept])


@dataclass(eq=False)
class _State:
    """Loss, gradient ((K − 1) q,) and Hessian at `gamma` (K − 1, q)."""

    gamma: np.ndarray
    loss: float
    gradient: np.ndarray
    hessian: np.ndarray


class _Newton:
    """Newton's method with halved steps; `largest` is the largest log-odds of the last reading."""

    def __init__(
        self,
        axes: Axes,
        blocks: Callable[[], Iterable[Block]],
        classes: int,
        strength: float,
        penalty: np.ndarray | None,
    ) -> None:
        self.axes, self.blocks, self.strength = axes, blocks, strength
        self.shape = (classes - 1, axes.root.shape[1] + axes.intercept)
        self.counts = np.zeros(classes)
        self.n, self.steps, self.largest = 0, 0, 0.0
        between = np.eye(classes - 1) - (classes > 2) / classes
        inner = np.zeros((self.shape[1], self.shape[1]))
        if penalty is not None:
            inner[-len(penalty) :, -len(penalty) :] = strength * penalty
        self._penalty = np.kron(between, inner)

    def run(self) -> _State | None:
        """The state after the last step; None if there is no last step."""
        state = self._read(np.zeros(self.shape))
        for self.steps in range(1, STEPS + 1):
            try:
                step = -cho_solve(cho_factor(state.hessian), state.gradient)
            except LinAlgError:
                return None
            gain = -float(state.gradient @ step)
            ended = gain <= CLOSE * max(state.loss, 1.0)
            after = self._read(state.gamma + step.reshape(self.shape)) if ended else self._shorter(state, step, gain)
            if after is None or ended:
                return after
            state = after
        return None

    def _shorter(self, state: _State, step: np.ndarray, gain: float) -> _State | None:
        """The state after the step, halved until the loss falls."""
        for halving in range(HALVINGS):
            share = 0.5**halving
            after = self._read(state.gamma + share * step.reshape(self.shape))
            if after.loss <= state.loss - 1e-4 * share * gain:
                return after
        return None

    def _read(self, gamma: np.ndarray) -> _State:
        classes, q = self.shape
        loss, gradient, hessian = 0.0, np.zeros(self.shape), np.zeros((classes, q, classes, q))
        self.counts[:], self.n, self.largest = 0.0, 0, 0.0
        for block in self.blocks():
            weights = np.ones(len(block.x)) if block.weights is None else block.weights
            u, y = self.axes.rows(block.x), block.y[:, 0].astype(np.intp)
            logs = log_probabilities(u @ gamma.T)
            share, true = np.exp(logs[:, 1:]), np.eye(classes + 1)[y]
            loss -= float(weights @ logs[np.arange(len(y)), y])
            gradient += ((share - true[:, 1:]) * weights[:, None]).T @ u
            for a in range(classes):
                for b in range(a + 1):
                    spread = weights * share[:, a] * ((a == b) - share[:, b])
                    hessian[a, :, b, :] += (u * spread[:, None]).T @ u
            self.counts += weights @ true
            self.n += len(y)
            self.largest = max(self.largest, float(np.max(logs.max(axis=1) - logs.min(axis=1))))
        for a in range(classes):
            for b in range(a):
                hessian[b, :, a, :] = hessian[a, :, b, :].T
        flat = gamma.reshape(-1)
        pull = self._penalty @ flat
        return _State(
            gamma,
            loss + float(flat @ pull) / 2,
            gradient.reshape(-1) + pull,
            hessian.reshape(classes * q, classes * q) + self._penalty,
        )

    def solution(self, state: _State) -> LogisticSolution:
        """What a last state says."""
        flat = state.gamma.reshape(-1)
        covariance = None if self.strength else cho_solve(cho_factor(state.hessian), np.eye(len(flat)))
        seen = self.counts[self.counts > 0]
        null = float(seen @ np.log(seen / seen.sum()))
        likelihood = float(flat @ self._penalty @ flat) / 2 - state.loss
        return LogisticSolution(self.axes, state.gamma, covariance, likelihood, null, self.n, self.steps, self.strength)
