"""Logistic regression of rows in memory: CPU time, and how small a gradient it is bought with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from benchmarks.measure import OURS, Contest, benchmark

LARGE, SMALL = "scikit-learn lbfgs, as it comes (tol 1e-4)", "scikit-learn lbfgs, the least gradient (tol 1e-10)"
NEWTON = "scikit-learn newton-cholesky, tol 1e-10"


@dataclass(frozen=True, eq=False)
class Fitted:
    """Scores (K, 1 + p) of the classes, intercept first; those of two classes are of the second."""

    scores: np.ndarray


@dataclass(frozen=True, eq=False)
class Rows:
    """Columns (n, p) and the number of each row's class (n,)."""

    x: np.ndarray
    y: np.ndarray
    classes: int

    def gradient(self, fitted: Fitted) -> float:
        """The largest part of the gradient of the mean log-likelihood."""
        scores = self.x @ fitted.scores[:, 1:].T + fitted.scores[:, 0]
        scores = np.column_stack([np.zeros(len(scores)), scores]) if self.classes == 2 else scores
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        shares[np.arange(len(self.y)), self.y] -= 1.0
        return float(max(np.abs(self.x.T @ shares).max(), np.abs(shares.sum(axis=0)).max()) / len(self.y))


@cache
def rows(n: int, p: int, classes: int) -> Rows:
    """Columns that tell something of the class."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, p))
    scores = x @ (0.4 * rng.normal(size=(p, classes))) + rng.gumbel(size=(n, classes))
    return Rows(x, scores.argmax(axis=1), classes)


def contest(contest: Contest, n: int, p: int, classes: int) -> None:
    """All that fit such rows without a penalty."""
    contest.numbers = lambda fitted: fitted.scores
    contest.figures = lambda fitted: gradients(rows(n, p, classes), fitted)

    @contest.contender(OURS, "unbend")
    def unbend() -> Callable[[], Fitted]:
        return lambda: ours(rows(n, p, classes))

    for name, options in {
        LARGE: {"solver": "lbfgs"},
        SMALL: {"solver": "lbfgs", "tol": 1e-10, "max_iter": 1000},
        NEWTON: {"solver": "newton-cholesky", "tol": 1e-10},
    }.items():

        @contest.contender(name, "scikit-learn")
        def scikit_learn(options: Mapping[str, Any] = options) -> Callable[[], Fitted]:
            import sklearn.linear_model  # noqa: F401

            return lambda: scikit_learns(rows(n, p, classes), options)

    @contest.contender("statsmodels, with standard errors", "statsmodels")
    def statsmodels() -> Callable[[], Fitted]:
        import statsmodels.api  # noqa: F401

        return lambda: statsmodelss(rows(n, p, classes))


def gradients(rows: Rows, fitted: Fitted) -> Mapping[str, float]:
    """For the table."""
    return {"gradient of the mean log-likelihood": rows.gradient(fitted)}


def ours(rows: Rows) -> Fitted:
    """With the proof that there is an optimum, and standard errors."""
    from unbend import LogisticRegression

    model = LogisticRegression(alpha=0).fit(rows.x, rows.y)
    assert np.isfinite(model.solution_.standard_errors).all()
    return Fitted(np.column_stack([model.intercept_, model.coef_]))


def scikit_learns(rows: Rows, options: Mapping[str, Any]) -> Fitted:
    """Without a penalty, and without standard errors."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=np.inf, **options).fit(rows.x, rows.y)
    found = np.column_stack([model.intercept_, model.coef_])
    return Fitted(found if rows.classes == 2 else found - found.mean(axis=0))


def statsmodelss(rows: Rows) -> Fitted:
    """`Logit` or `MNLogit` by its own Newton's method."""
    import statsmodels.api as sm

    kind = sm.Logit if rows.classes == 2 else sm.MNLogit
    result = kind(rows.y, sm.add_constant(rows.x)).fit(disp=False)
    assert np.isfinite(result.bse).all()
    if rows.classes == 2:
        return Fitted(result.params[None])
    found = np.vstack([np.zeros(len(result.params)), result.params.T])
    return Fitted(found - found.mean(axis=0))


@benchmark(
    "Logistic regression of two classes, 1,000,000 × 20 float64 in memory, no penalty. Ours has standard errors and "
    "the proof that the classes are not separated.",
    rounds=5,
)
def logistic(taking_part: Contest) -> None:
    """1,000,000 × 20."""
    contest(taking_part, 1_000_000, 20, 2)


@benchmark("The same of four classes, 100,000 × 20.", rounds=5)
def logistic_of_four(taking_part: Contest) -> None:
    """As `logistic`."""
    contest(taking_part, 100_000, 20, 4)
