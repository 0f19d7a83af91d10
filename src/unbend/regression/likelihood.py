"""One reading of the rows for logistic regression: the likelihood, its gradient and its Hessian.

The sums are over the rows as they are, less the shift of their moments: a small matrix takes them to the coordinates
that Newton's method works in. Where the columns are nearly collinear that would cost digits, and the rows themselves
are taken there first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial, reduce
from operator import add

import numpy as np
from scipy.special import log_softmax

from unbend.exact import compiled_odds, odds
from unbend.regression.axes import Axes
from unbend.regression.moments import Block
from unbend.regression.rows import Blocks, summed

IN_CACHE = 1 << 15
"""Numbers of a block of rows at a time, so that what is made of them stays in the second cache."""


@dataclass(frozen=True, eq=False)
class Reading:
    """Sums over rows at scores `gamma` (K − 1, q) of all classes but the first; readings of other rows add up.

    Attributes
    ----------
    loss : less the log-likelihood
    gradient : (K − 1, q)
    hessian : (K − 1, q, K − 1, q), or None if it was not asked for
    counts : (K,) weight of each class
    n : rows
    largest : the largest log-odds of a row
    lightest : the smallest weight of a row, 1 without weights
    """

    loss: float
    gradient: np.ndarray
    hessian: np.ndarray | None
    counts: np.ndarray
    n: int
    largest: float
    lightest: float

    def __add__(self, other: Reading) -> Reading:
        """Of the rows of both."""
        mine, others = self.hessian, other.hessian
        return Reading(
            self.loss + other.loss,
            self.gradient + other.gradient,
            None if mine is None or others is None else mine + others,
            self.counts + other.counts,
            self.n + other.n,
            max(self.largest, other.largest),
            min(self.lightest, other.lightest),
        )


def log_probabilities(scores: np.ndarray) -> np.ndarray:
    """(n, K) from the scores (n, K − 1) of all classes but the first."""
    return np.asarray(log_softmax(np.column_stack([np.zeros(len(scores)), scores]), axis=1))


def read(axes: Axes, blocks: Blocks, gamma: np.ndarray, *, hessian: bool = True) -> Reading:
    """All rows once.

    Parameters
    ----------
    axes : the coordinates that `gamma` is in
    blocks : reads the rows; the target is the number of the class
    gamma : (K − 1, q)
    hessian : whether it is wanted
    """
    if not axes.plain:
        return summed(blocks, partial(_of_block, axes, gamma, hessian))
    to = axes.shifted_back
    found = summed(blocks, partial(_of_block, axes, gamma @ to.T, hessian))
    turned = None if found.hessian is None else _turned(found.hessian, to)
    return replace(found, gradient=found.gradient @ to, hessian=turned)


def _turned(hessian: np.ndarray, to: np.ndarray) -> np.ndarray:
    """toᵀ H to for each pair of classes."""
    pairs = to.T @ hessian.transpose(0, 2, 1, 3) @ to
    return pairs.transpose(0, 2, 1, 3)


def _of_block(axes: Axes, beta: np.ndarray, hessian: bool, block: Block, first: object = None) -> Reading:
    """The sums of a block: of rows as they are where `axes.plain`, beta then (K − 1, 1 + p), else of coordinates."""
    if axes.plain and compiled_odds(len(axes.mean), len(beta) + 1):
        return _in_one_pass(axes, beta, hessian, block)
    return reduce(add, (_of_piece(axes, beta, hessian, piece) for piece in _pieces(block)))


def _in_one_pass(axes: Axes, beta: np.ndarray, hessian: bool, block: Block) -> Reading:
    found = odds(block.x, block.y[:, :1], block.weights, axes.shift, beta, hessian=hessian)
    counts = np.array([block.weight - found.weights.sum(), *found.weights])
    seen = len(block.x), found.largest, _lightest(block)
    return Reading(found.loss, found.gradient, found.hessian, counts, *seen)


def _lightest(block: Block) -> float:
    return 1.0 if block.weights is None else float(block.weights.min(initial=np.inf))


def _pieces(block: Block) -> Iterator[Block]:
    """So many rows at a time as stay in cache."""
    size = max(IN_CACHE // max(block.x.shape[1], 1), 256)
    for start in range(0, max(len(block.x), 1), size):
        yield block.part(slice(start, start + size))


def _of_piece(axes: Axes, beta: np.ndarray, hessian: bool, block: Block) -> Reading:
    rows = axes.shifted(block.x) if axes.plain else axes.rows(block.x)
    at = block.y[:, 0].astype(np.intp)
    weights = np.ones(len(at)) if block.weights is None else block.weights
    scores = rows @ beta[:, 1:].T + beta[:, 0] if axes.plain else rows @ beta.T
    likelihood = _of_two if len(beta) == 1 else _of_many
    logs, share, rest = likelihood(scores)
    is_class = np.eye(len(beta) + 1)[at]
    own = float(weights @ logs[np.arange(len(at)), at])
    residuals = np.where(is_class[:, 1:] == 1, -rest, share) * weights[:, None]
    largest = float(np.max(logs.max(axis=1) - logs.min(axis=1), initial=0.0))
    return Reading(
        -own,
        _products(residuals.T, rows, axes.plain),
        _hessian(rows, share, rest, weights, axes.plain) if hessian else None,
        weights @ is_class,
        len(at),
        largest,
        _lightest(block),
    )


def _of_two(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `_of_many`, with digits in a share that is small and in one that is nearly 1."""
    odds = np.exp(-np.abs(scores))
    far = 1.0 / (1.0 + odds)
    near = odds * far
    more = np.log1p(odds)
    logs = -np.hstack([np.maximum(scores, 0.0) + more, np.maximum(-scores, 0.0) + more])
    return logs, np.where(scores > 0, far, near), np.where(scores > 0, near, far)


def _of_many(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The logarithms of the shares (n, K); the shares of all classes but the first, and 1 less them; (n, K − 1)."""
    logs = log_probabilities(scores)
    share = np.exp(logs[:, 1:])
    return logs, share, 1.0 - share


def _products(weights: np.ndarray, rows: np.ndarray, ones: bool) -> np.ndarray:
    """Weights (k, n) times rows; with `ones`, times [1 rows]."""
    found = weights @ rows
    return np.column_stack([weights.sum(axis=1), found]) if ones else found


def _hessian(rows: np.ndarray, share: np.ndarray, rest: np.ndarray, weights: np.ndarray, ones: bool) -> np.ndarray:
    """(k, q, k, q)"""
    k, q = share.shape[1], rows.shape[1] + ones
    found = np.empty((k, q, k, q))
    for a in range(k):
        for b in range(a + 1):
            block = _square(rows, weights * share[:, a] * (rest if a == b else share)[:, b], ones)
            found[a, :, b, :] = found[b, :, a, :] = block if a == b else -block
    return found


def _square(rows: np.ndarray, weights: np.ndarray, ones: bool) -> np.ndarray:
    """Σ weights · [1 rows]ᵀ [1 rows], for weights that are not negative; `ones` says whether there are ones."""
    root = np.sqrt(weights)
    scaled = rows * root[:, None]
    inner = scaled.T @ scaled
    if not ones:
        return inner
    found = np.empty((len(inner) + 1,) * 2)
    found[0, 0], found[0, 1:], found[1:, 1:] = weights.sum(), root @ scaled, inner
    found[1:, 0] = found[0, 1:]
    return found
