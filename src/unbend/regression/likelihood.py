"""One reading of the rows for logistic regression: the likelihood, its gradient and its Hessian.

The sums are over the rows as they are, less the shift of their moments: a small matrix takes them to the coordinates
that Newton's method works in. Where the columns are nearly collinear that would cost digits, and the rows themselves
are taken there first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.special import log_softmax

from unbend.exact import compiled_odds, odds
from unbend.regression.moments import Block

PLAIN = 1e4
"""Condition number up to which sums over rows as they are carry the digits: the Hessian loses its square."""
IN_CACHE = 1 << 15
"""Numbers of a block of rows at a time, so that what is made of them stays in the second cache."""


@dataclass(frozen=True, eq=False)
class Axes:
    """Coordinates u = [1/√weight, (x − mean) root] whose weighted cross products are the identity.

    Without an intercept there is no first coordinate, and `mean` is 0. Of the columns, `dropped` were left out, each
    with its relation; `condition` is that of the columns, centred and scaled to one length. `shift` is a number for
    each column near its mean, 0 where that is near enough.
    """

    names: tuple[str, ...]
    mean: np.ndarray
    root: np.ndarray
    weight: float
    intercept: bool
    condition: float
    dropped: tuple[str, ...] = ()
    relations: tuple[str, ...] = ()
    shift: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def rows(self, x: np.ndarray) -> np.ndarray:
        """The coordinates of rows x (n, p); (n, q)."""
        u = (x - self.mean) @ self.root
        return np.column_stack([np.full(len(x), self.weight**-0.5), u]) if self.intercept else u

    @cached_property
    def back(self) -> np.ndarray:
        """(1 + p, q) that turns coordinates of a score into its intercept and coefficients."""
        return self._back(self.mean)

    @cached_property
    def shifted_back(self) -> np.ndarray:
        """The same for rows less the shift."""
        return self._back(self.mean - self.shift)

    def _back(self, mean: np.ndarray) -> np.ndarray:
        below = np.column_stack([np.zeros(len(mean)), self.root]) if self.intercept else self.root
        first = -mean @ below
        if self.intercept:
            first[0] += self.weight**-0.5
        return np.vstack([first, below])


@dataclass(eq=False)
class Reading:
    """Sums over rows at scores `gamma` (K − 1, q) of all classes but the first.

    Attributes
    ----------
    loss : less the log-likelihood
    gradient : (K − 1, q)
    hessian : (K − 1, q, K − 1, q), or None if it was not asked for
    counts : (K,) weight of each class
    n : rows
    largest : the largest log-odds of a row
    weighted : whether rows have weights
    """

    loss: float
    gradient: np.ndarray
    hessian: np.ndarray | None
    counts: np.ndarray
    n: int = 0
    largest: float = 0.0
    weighted: bool = False

    def _add(self, loss: float, largest: float, counts: np.ndarray) -> None:
        self.loss += loss
        self.largest = max(self.largest, largest)
        self.counts += counts


def log_probabilities(scores: np.ndarray) -> np.ndarray:
    """(n, K) from the scores (n, K − 1) of all classes but the first."""
    return np.asarray(log_softmax(np.column_stack([np.zeros(len(scores)), scores]), axis=1))


def read(
    axes: Axes, blocks: Callable[[], Iterable[Block]], gamma: np.ndarray, *, classes: int, hessian: bool = True
) -> Reading:
    """All rows once.

    Parameters
    ----------
    axes : the coordinates that `gamma` is in
    blocks : reads the rows; the target is the number of the class
    gamma : (K − 1, q)
    classes : K
    hessian : whether it is wanted
    """
    plain = axes.condition <= PLAIN
    to = axes.shifted_back if plain else np.eye(gamma.shape[1])
    beta = gamma @ to.T if plain else gamma
    found = _empty(classes, beta.shape[1], hessian)
    if classes == 2 and plain and compiled_odds(len(axes.mean)):
        _in_one_pass(found, axes, blocks(), beta[0])
    else:
        sums = _of_two if classes == 2 else _of_many
        for x, y, weights in _pieces(blocks()):
            rows = (x - axes.shift if axes.shift.any() else x) if plain else axes.rows(x)
            sums(found, rows, y, weights, beta, plain)
            found.n += len(x)
            found.weighted |= weights is not None
    found.gradient = found.gradient @ to
    if found.hessian is not None:
        found.hessian = np.einsum("ajbk,jm,kn->ambn", _mirrored(found.hessian), to, to, optimize=True)
    return found


def _empty(classes: int, q: int, hessian: bool) -> Reading:
    k = classes - 1
    return Reading(0.0, np.zeros((k, q)), np.zeros((k, q, k, q)) if hessian else None, np.zeros(classes))


def _mirrored(hessian: np.ndarray) -> np.ndarray:
    """With the blocks above the diagonal as below it."""
    for a in range(len(hessian)):
        for b in range(a):
            hessian[b, :, a, :] = hessian[a, :, b, :].T
    return hessian


def _pieces(blocks: Iterable[Block]) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
    """Rows, classes and weights, so many at a time as stay in cache."""
    for block in blocks:
        size = max(IN_CACHE // max(block.x.shape[1], 1), 256)
        for start in range(0, len(block.x), size):
            part = slice(start, start + size)
            yield block.x[part], block.y[part, 0], None if block.weights is None else block.weights[part]


def _in_one_pass(found: Reading, axes: Axes, blocks: Iterable[Block], beta: np.ndarray) -> None:
    """Add the sums of rows of two classes, in a compiled pass."""
    for block in blocks:
        y = block.y[:, :1]
        loss, largest, gradient, hessian = odds(
            block.x, y, block.weights, axes.shift, beta, hessian=found.hessian is not None
        )
        total = float(len(y)) if block.weights is None else float(block.weights.sum())
        of_second = float(y.sum() if block.weights is None else block.weights @ y[:, 0])
        found._add(loss, largest, np.array([total - of_second, of_second]))
        found.gradient[0] += gradient
        if found.hessian is not None and hessian is not None:
            found.hessian[0, :, 0, :] += hessian
        found.n += len(y)
        found.weighted |= block.weights is not None


def _of_two(
    found: Reading, rows: np.ndarray, y: np.ndarray, weights: np.ndarray | None, beta: np.ndarray, ones: bool
) -> None:
    """Add the sums of rows of two classes; with `ones` the first coefficient is that of a column of ones."""
    score = rows @ beta[0, 1:] + beta[0, 0] if ones else rows @ beta[0]
    size = np.abs(score)
    odds = np.exp(-size)
    far = 1.0 / (1.0 + odds)
    near = odds * far
    residual = np.where(score > 0, far, near) - y
    loss = np.log(1.0 + odds) + np.maximum(score, 0.0) - y * score
    if weights is not None:
        residual, loss = residual * weights, loss * weights
    total = float(len(y)) if weights is None else float(weights.sum())
    of_second = float(y.sum() if weights is None else weights @ y)
    found._add(float(loss.sum()), float(size.max()), np.array([total - of_second, of_second]))
    _add_row(found.gradient[0], rows, residual, ones)
    if found.hessian is not None:
        spread = far * near if weights is None else far * near * weights
        _add_square(found.hessian[0, :, 0, :], rows, spread, ones)


def _of_many(
    found: Reading, rows: np.ndarray, y: np.ndarray, weights: np.ndarray | None, beta: np.ndarray, ones: bool
) -> None:
    """Add the sums of rows of several classes."""
    given = np.ones(len(y)) if weights is None else weights
    scores = rows @ beta[:, 1:].T + beta[:, 0] if ones else rows @ beta.T
    logs, at = log_probabilities(scores), y.astype(np.intp)
    share = np.exp(logs[:, 1:])
    true = np.eye(len(beta) + 1)[at]
    loss = -float(given @ logs[np.arange(len(at)), at])
    found._add(loss, float(np.max(logs.max(axis=1) - logs.min(axis=1))), given @ true)
    for a in range(len(beta)):
        _add_row(found.gradient[a], rows, (share[:, a] - true[:, a + 1]) * given, ones)
        for b in range(a + 1 if found.hessian is not None else 0):
            spread = given * share[:, a] * ((a == b) - share[:, b])
            assert found.hessian is not None
            _add_product(found.hessian[a, :, b, :], rows, spread, ones)


def _add_row(total: np.ndarray, rows: np.ndarray, weights: np.ndarray, ones: bool) -> None:
    """Add Σ weights · [1 rows]."""
    if ones:
        total[0] += weights.sum()
    total[ones:] += weights @ rows


def _add_square(total: np.ndarray, rows: np.ndarray, weights: np.ndarray, ones: bool) -> None:
    """Add Σ weights · [1 rows]ᵀ [1 rows], for weights that are not negative."""
    root = np.sqrt(weights)
    scaled = rows * root[:, None]
    total[ones:, ones:] += scaled.T @ scaled
    if ones:
        total[0, 0] += weights.sum()
        total[0, 1:] += root @ scaled
        total[1:, 0] = total[0, 1:]


def _add_product(total: np.ndarray, rows: np.ndarray, weights: np.ndarray, ones: bool) -> None:
    """Add Σ weights · [1 rows]ᵀ [1 rows], for any weights."""
    total[ones:, ones:] += (rows * weights[:, None]).T @ rows
    if ones:
        total[0, 0] += weights.sum()
        total[0, 1:] += weights @ rows
        total[1:, 0] = total[0, 1:]
