"""Logistic regression, of two classes or more, by Newton's method on weighted moments of a stream of rows.

P(class k) is proportional to exp(b₀k + bk · x), the first class having b = 0. In coordinates u in which the cross
products of the rows are the identity, each step is one reading that sums p (1 − p) u uᵀ: small, additive, and well
conditioned whatever the units of the columns. Without a penalty there may be no finite optimum: see
`unbend.regression.separation`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from unbend.errors import SelfCheckError
from unbend.regression.least_squares import least_squares
from unbend.regression.likelihood import Axes, Reading, log_probabilities, read
from unbend.regression.moments import Block, Moments
from unbend.regression.ordinary import Collinear
from unbend.regression.separation import refuse_separation
from unbend.regression.triangle import EPS

CLOSE = 1e-11
"""A Newton step that would gain less than this share of the loss is the last: the error after it is its square."""
SUSPICIOUS = 10.0
"""Log-odds beyond which it is asked whether the classes are separated."""
NEAR = 1e-3
"""A Hessian serves for a second step where the first would gain less than this share of the loss."""
SAMPLE, WORTH, ROUGH = 1000, 10, 1.0
"""Rows for each coefficient to start from, if there are `WORTH` times as many, and how near to their optimum is enough:
its noise is half a unit of likelihood for each coefficient."""
FAR = 4.0
"""Columns whose mean is more than this many standard deviations from 0 are shifted."""
STEPS, HALVINGS = 100, 30


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
    solved = newton.run(_start(axes, blocks, len(classes), moments.n, strength, penalty))
    if not strength and (solved is None or (solved.reading.largest > SUSPICIOUS and not newton.has_optimum)):
        refuse_separation(axes, blocks, classes)
    if solved is None:
        raise SelfCheckError(
            f"Newton's method did not end within {STEPS} steps", try_="shrink the coefficients: --ridge 1"
        )
    return newton.solution(solved)


def _start(
    axes: Axes,
    blocks: Callable[[], Iterable[Block]],
    classes: int,
    n: int,
    strength: float,
    penalty: np.ndarray | None,
) -> np.ndarray | None:
    """The optimum of a few rows of the first block, from which few readings of all rows are left; None if it has none.

    It is only where Newton's method starts: the steps over all rows are held to their own loss.
    """
    few = SAMPLE * (axes.root.shape[1] + 1) * (classes - 1)
    if n < WORTH * few:
        return None
    first = next(iter(blocks()))
    rows = slice(None, None, max(1, len(first.x) // few))
    weights = None if first.weights is None else first.weights[rows]
    sample = Block(np.ascontiguousarray(first.x[rows]), first.y[rows], weights)
    newton = _Newton(axes, lambda: [sample], classes, strength * len(sample.x) / n, penalty)
    solved = newton.run(close=ROUGH / few)
    known = solved is not None and bool((solved.reading.counts > 0).all()) and solved.reading.largest < SUSPICIOUS
    return solved.gamma if solved is not None and known else None


def _plain_axes(
    moments: Moments, names: Sequence[str], blocks: Callable[[], Iterable[Block]], collinear: Collinear, intercept: bool
) -> Axes:
    few = "as few as possible"
    one, *_ = least_squares(moments, names, blocks, collinear=collinear, intercept=intercept, readings=few)
    assert one.root is not None  # ordinary least squares has one
    found = one.condition, one.dropped, one.relations, _shift(moments)
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
    root = axes / unit[:, None]
    shift = _shift(moments)
    found = Axes(tuple(names), moments.mean[:-1], root, moments.weight, intercept, condition**0.5, shift=shift)
    return found, np.diag(1.0 / values[kept])


def _shift(moments: Moments) -> np.ndarray:
    """The means of columns that are far from 0, to the few digits that the moments' own shift has."""
    mean, squares = moments.mean[:-1], np.diag(moments.centred)[:-1]
    far = np.square(mean) * moments.weight > FAR**2 * squares
    return np.where(far, moments.shift[:-1], 0.0)


@dataclass(eq=False)
class _State:
    """Loss with the penalty, gradient ((K − 1) q,) and Hessian at `gamma` (K − 1, q); no Hessian if not asked for."""

    gamma: np.ndarray
    loss: float
    gradient: np.ndarray
    hessian: np.ndarray | None
    reading: Reading


class _Newton:
    """Newton's method with halved steps.

    Near the optimum a Hessian serves for two steps. `close` is the gain, as a share of the loss, below which a step is
    the last. `has_optimum` says that after the last step it is proved that there is one: with a decrement ν, a Hessian
    of at least λ and rows no longer than R, ν R ≤ √λ / 2 is enough (R is 1 in these coordinates, as no row has more
    than all of the cross products; a difference of two classes makes it √2).

    Source: Bach (2010), Electronic Journal of Statistics 4, 384-414, proposition 2.
    """

    has_optimum = False

    def __init__(
        self,
        axes: Axes,
        blocks: Callable[[], Iterable[Block]],
        classes: int,
        strength: float,
        penalty: np.ndarray | None,
    ) -> None:
        self.axes, self.blocks, self.classes, self.strength, self.steps = axes, blocks, classes, strength, 0
        self.shape = (classes - 1, axes.root.shape[1] + axes.intercept)
        between = np.eye(classes - 1) - (classes > 2) / classes
        inner = np.zeros((self.shape[1], self.shape[1]))
        if penalty is not None:
            inner[-len(penalty) :, -len(penalty) :] = strength * penalty
        self._penalty = np.kron(between, inner)

    def run(self, start: np.ndarray | None = None, close: float = CLOSE) -> _State | None:
        """The state after the last step; None if there is no last step."""
        state = self._read(np.zeros(self.shape) if start is None else start)
        hessian = state.hessian
        for self.steps in range(1, STEPS + 1):
            assert hessian is not None
            try:
                step = -cho_solve(cho_factor(hessian), state.gradient)
            except LinAlgError:
                return None
            gain = -float(state.gradient @ step)
            ended = gain <= close * max(state.loss, 1.0)
            if ended:
                state = self._read(state.gamma + step.reshape(self.shape))
                self.has_optimum = self._proved(state)
                return state
            again = state.hessian is not None and gain <= NEAR * state.loss
            after = self._shorter(state, step, gain, hessian=not again)
            if after is None:
                return None
            state, hessian = after, hessian if after.hessian is None else after.hessian
        return None

    def _proved(self, state: _State) -> bool:
        if state.hessian is None or state.reading.weighted:
            return False
        values, vectors = np.linalg.eigh(state.hessian)
        if values[0] <= 0:
            return False
        return 8.0 * float(np.square(state.gradient @ vectors) @ (1.0 / values)) <= values[0]

    def _shorter(self, state: _State, step: np.ndarray, gain: float, *, hessian: bool) -> _State | None:
        """The state after the step, halved until the loss falls."""
        for halving in range(HALVINGS):
            share = 0.5**halving
            after = self._read(state.gamma + share * step.reshape(self.shape), hessian=hessian)
            if after.loss <= state.loss - 1e-4 * share * gain:
                return after
        return None

    def _read(self, gamma: np.ndarray, *, hessian: bool = True) -> _State:
        found = read(self.axes, self.blocks, gamma, classes=self.classes, hessian=hessian)
        flat = gamma.reshape(-1)
        pull = self._penalty @ flat
        size = len(flat)
        return _State(
            gamma,
            found.loss + float(flat @ pull) / 2,
            found.gradient.reshape(-1) + pull,
            None if found.hessian is None else found.hessian.reshape(size, size) + self._penalty,
            found,
        )

    def solution(self, state: _State) -> LogisticSolution:
        """What a last state says."""
        flat = state.gamma.reshape(-1)
        covariance = None if self.strength else cho_solve(cho_factor(state.hessian), np.eye(len(flat)))
        counts = state.reading.counts
        seen = counts[counts > 0]
        null = float(seen @ np.log(seen / seen.sum()))
        likelihood = float(flat @ self._penalty @ flat) / 2 - state.loss
        return LogisticSolution(
            self.axes, state.gamma, covariance, likelihood, null, state.reading.n, self.steps, self.strength
        )
