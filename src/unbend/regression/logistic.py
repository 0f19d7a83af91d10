"""Logistic regression, of two classes or more, by Newton's method on weighted moments of a stream of rows.

P(class k) is proportional to exp(b₀k + bk · x), the first class having b = 0. In coordinates u in which the cross
products of the rows are the identity, each step is one reading that sums p (1 − p) u uᵀ: small, additive, and well
conditioned whatever the units of the columns. Without a penalty there may be no finite optimum: see
`unbend.regression.separation`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit

from unbend.errors import SelfCheckError
from unbend.regression.axes import Axes, penalised_axes, plain_axes
from unbend.regression.first_guess import first_guess
from unbend.regression.likelihood import log_probabilities
from unbend.regression.moments import Moments
from unbend.regression.newton import STEPS, SUSPICIOUS, Newton, Optimum, Suspect
from unbend.regression.ordinary import Collinear
from unbend.regression.rows import Blocks
from unbend.regression.separation import refuse_empty_class, refuse_separation


@dataclass(frozen=True, eq=False)
class LogisticSolution:
    """Coefficients of a logistic regression.

    Attributes
    ----------
    axes : the coordinates that it was computed in
    gamma : (K − 1, q) the scores of all classes but the first, in these coordinates
    covariance : ((K − 1) q, (K − 1) q) of gamma, None with a penalty
    log_likelihood, null : of the fit, and of one that knows only how frequent the classes are (without an intercept: of
        one to which all are equally frequent)
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
        scores = self.axes.scores(x, self.gamma)
        if scores.shape[1] == 1:
            return expit(np.hstack([-scores, scores]))
        return np.exp(log_probabilities(scores))


def logistic(
    moments: Moments,
    names: Sequence[str],
    blocks: Blocks,
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
        axes, shape = penalised_axes(moments, names, standardise, intercept)
        penalty = _penalty(axes, len(classes), strength * shape)
    else:
        axes = plain_axes(moments, names, blocks, collinear, intercept)
        penalty = _penalty(axes, len(classes))
    newton = Newton(axes, blocks, len(classes), penalty, wary=not strength)
    guess = first_guess(axes, blocks, len(classes), moments.n, penalty)
    found = newton.run(guess)
    if found is None and guess is not None:  # the sample was like no other rows
        found = newton.run()
    if not isinstance(found, Optimum) or not found.reading.counts.all():
        refuse_empty_class(axes, blocks, classes)
    if not strength and not _has_optimum(found):
        refuse_separation(axes, blocks, classes)
    if isinstance(found, Suspect):
        found = replace(newton, wary=False).run(found.gamma)
    if not isinstance(found, Optimum):
        raise SelfCheckError(
            f"Newton's method did not end within {STEPS} steps", try_="shrink the coefficients: --ridge 1"
        )
    return _solution(axes, found, penalty, strength)


def _has_optimum(found: Optimum | Suspect | None) -> bool:
    """Whether it needs no asking."""
    return isinstance(found, Optimum) and (found.proved or found.reading.largest <= SUSPICIOUS)


def _penalty(axes: Axes, classes: int, inner: np.ndarray | None = None) -> np.ndarray:
    """The penalty on all coefficients, `inner` being that on one class: (k, k), without the intercept."""
    between = np.eye(classes - 1) - (classes > 2) / classes
    whole = np.zeros((axes.size, axes.size))
    if inner is not None and len(inner):
        whole[-len(inner) :, -len(inner) :] = inner
    return np.kron(between, whole)


def _solution(axes: Axes, found: Optimum, penalty: np.ndarray, strength: float) -> LogisticSolution:
    flat = found.gamma.reshape(-1)
    covariance = None if strength else cho_solve(cho_factor(found.hessian), np.eye(len(flat)))
    seen = found.reading.counts[found.reading.counts > 0]
    shares = seen / seen.sum() if axes.intercept else np.full(len(seen), 1 / len(found.reading.counts))
    null = float(seen @ np.log(shares))
    likelihood = float(flat @ penalty @ flat) / 2 - found.loss
    return LogisticSolution(axes, found.gamma, covariance, likelihood, null, found.reading.n, found.steps, strength)
