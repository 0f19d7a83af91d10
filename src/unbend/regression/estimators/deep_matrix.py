"""The optimum of a deep linear network with weight decay and several outputs.

With C = XᵀY/n, G = XᵀX/n and B (p, q) the product of L layers, the least decay of layers with that product is L times
the sum of σ^(2/L) over its singular values, and a minimum solves G B + B M = C with M = decay (BᵀB)^(1/L − 1): ridge
regression with a strength for each singular direction, which depends on B itself. B is solved for with the M of the
last B, in the eigenvectors of G and M; no step raises the objective, as σ^(2/L) is concave in σ². For two layers the
objective is convex, and the gap to its dual bounds what is left.

Source: Shang, Liu and Cheng (2016), AAAI; Daubechies, DeVore, Fornasier and Güntürk (2010), Communications on Pure and
Applied Mathematics 63, 1-38, on the iteration.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from unbend.errors import SelfCheckError
from unbend.regression.moments import Moments
from unbend.regression.triangle import EPS

STEPS = 20_000
SETTLED = 1e-15
"""A step that moves the predictions by no more than this share of those of least squares, times the root of how many
coefficients there are, is the last."""
NEAR = 1e-10
"""Two layers that have not settled are near enough if the objective is within this share of its least value."""
GONE = 1e-13
"""A singular value below this share of the largest of least squares has vanished."""


@dataclass(frozen=True, eq=False)
class Matrices:
    """The problem in the eigenvectors of XᵀX/n that are not of 0.

    Attributes
    ----------
    values : (k,) eigenvalues
    vectors : (p, k)
    along : (k, q) vectorsᵀ XᵀY/n
    apart : (q,) mean squares of the targets that no coefficients explain
    """

    values: np.ndarray
    vectors: np.ndarray
    along: np.ndarray
    apart: np.ndarray

    @classmethod
    def of(cls, moments: Moments, targets: int) -> Matrices:
        """Of the moments of [x | targets]."""
        gram = moments.centred / moments.weight
        p = len(gram) - targets
        values, vectors = np.linalg.eigh(gram[:p, :p])
        kept = values > p * EPS * values.max(initial=0.0)
        values, vectors = values[kept], vectors[:, kept]
        along = vectors.T @ gram[:p, p:]
        explained = (np.square(along) / values[:, None]).sum(axis=0)
        return cls(values, vectors, along, np.maximum(np.diag(gram)[p:] - explained, 0.0))

    @property
    def gone(self) -> float:
        """A singular value that has vanished."""
        return GONE * float(np.linalg.norm(self.along / self.values[:, None], 2)) if self.along.size else 0.0

    @property
    def noise(self) -> float:
        """Rounding of the predictions, as a length."""
        size = np.linalg.norm(self.along / np.sqrt(self.values)[:, None])
        return SETTLED * float(size) * float(np.sqrt(self.along.size))

    def losses(self, b: np.ndarray) -> np.ndarray:
        """Mean squared residuals of each target with the coefficients b (k, q); (q,)."""
        missed = self.along - self.values[:, None] * b
        return self.apart + (np.square(missed) / self.values[:, None]).sum(axis=0)

    def gap(self, b: np.ndarray, decay: float) -> float:
        """How far the objective of two layers at b can be above its least value, by its dual."""
        missed = self.along - self.values[:, None] * b
        share = min(1.0, decay / max(float(np.linalg.norm(missed, 2)), np.finfo(float).tiny))
        loss, fit = float(self.losses(b).sum()), float(np.sum(b * missed))
        size = float(np.linalg.svd(b, compute_uv=False).sum())
        return loss + 2 * decay * size - 2 * share * (loss + fit) + share**2 * loss


@dataclass(frozen=True, eq=False)
class Product:
    """What the layers of a network multiply to: b = left values rightᵀ in the eigenvectors of XᵀX/n."""

    left: np.ndarray
    values: np.ndarray
    right: np.ndarray

    @classmethod
    def of(cls, b: np.ndarray, gone: float) -> Product:
        """Of b (k, q), without singular values up to `gone`."""
        left, values, right = np.linalg.svd(b, full_matrices=False)
        there = values > gone
        return cls(left[:, there], values[there], right[there].T)

    @property
    def b(self) -> np.ndarray:
        """(k, q)."""
        return (self.left * self.values) @ self.right.T

    def penalty(self, depth: int) -> float:
        """The least sum of squares of the layers."""
        return depth * float(np.sum(self.values ** (2 / depth)))

    def layers(self, vectors: np.ndarray, depth: int) -> tuple[np.ndarray, ...]:
        """The first to the last layer of a network of that product, all of one norm; `vectors` are (p, k)."""
        rank = max(len(self.values), 1)
        root = np.zeros(rank)
        root[: len(self.values)] = self.values ** (1 / depth)
        first, last = np.zeros((rank, len(vectors))), np.zeros((len(self.right), rank))
        first[: len(self.values)], last[:, : len(self.values)] = (vectors @ self.left).T, self.right
        if depth == 1:
            return (last * root @ first,)
        return (root[:, None] * first, *(np.diag(root) for _ in range(depth - 2)), last * root)


def best_product(problem: Matrices, depth: int, decay: float) -> Product:
    """The product of the layers with the least objective: the least of all for one or two layers, else the best found.

    Raises
    ------
    SelfCheckError
        If the iteration does not settle.
    """
    if depth == 1:
        return Product.of(problem.along / (problem.values[:, None] + decay), 0.0)
    found = [_settled(problem, depth, decay, start) for start in _starts(problem, depth)]
    return min(found, key=lambda one: float(problem.losses(one.b).sum()) + decay * one.penalty(depth))


def _starts(problem: Matrices, depth: int) -> Iterator[np.ndarray]:
    """Least squares; from three layers on, where minima are several, also cut to every smaller rank, and 0."""
    whole = problem.along / problem.values[:, None]
    yield whole
    if depth > 2:
        root = np.sqrt(problem.values)[:, None]
        left, values, right = np.linalg.svd(root * whole, full_matrices=False)
        for rank in range(len(values)):
            yield (left[:, :rank] * values[:rank]) @ right[:rank] / root


def _settled(problem: Matrices, depth: int, decay: float, start: np.ndarray) -> Product:
    """Where the iteration ends that begins at `start`."""
    size = np.sqrt(problem.values)[:, None]
    now = Product.of(start, problem.gone)
    for _ in range(STEPS):
        after = _with_rows(problem, depth, decay, _with_columns(problem, depth, decay, now))
        if np.linalg.norm(size * (after.b - now.b)) <= problem.noise:
            return after
        now = after
    if depth == 2 and problem.gap(now.b, decay) > NEAR * float(problem.losses(now.b).sum()):
        raise SelfCheckError(f"the coefficients did not settle in {STEPS} steps", try_="take another weight decay")
    return now


def _with_columns(problem: Matrices, depth: int, decay: float, now: Product) -> Product:
    """The solution of G B + B M = C with the M of a product."""
    strength = decay * now.values ** (2 / depth - 2)
    b = (problem.along @ now.right) / (problem.values[:, None] + strength) @ now.right.T
    return Product.of(b, problem.gone)


def _with_rows(problem: Matrices, depth: int, decay: float, now: Product) -> Product:
    """The solution of (G + N) B = C with the N of a product, decay (BBᵀ)^(1/L − 1)."""
    strength = decay * now.values ** (2 / depth - 2)
    within = now.left.T @ (problem.values[:, None] * now.left) + np.diag(strength)
    return Product.of(now.left @ np.linalg.solve(within, now.left.T @ problem.along), problem.gone)
