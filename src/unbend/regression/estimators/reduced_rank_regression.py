"""`ReducedRankRegression`: the best that a deep linear network with a waist can do, and the loss of every width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from unbend.errors import ModelError, UsageError
from unbend.regression.estimators.layers import linear_layers
from unbend.regression.estimators.linear_model import LinearModel
from unbend.regression.estimators.linear_regression import solutions, warn_of
from unbend.regression.estimators.sample import Sample, take
from unbend.regression.estimators.waists import Trained, Waists
from unbend.regression.solution import Solution, intercept_of

EQUAL = 1e-12
"""Singular values that differ by less than this share of the largest are equal to rounding."""


class ReducedRankRegression(LinearModel):
    """Least squares for several targets through a waist: coefficients of rank `rank` at most.

    A network of linear layers whose narrowest has r units computes W_L … W_1 x + b, and the matrices of that form are
    those of rank r: its training loss has no bad local minimum, and the least one is here, from the singular values of
    the predictions of ordinary least squares, B_r = B V_r V_rᵀ. The same decomposition gives the loss of every width.

    Parameters
    ----------
    rank : units of the narrowest layer, 1 or more; more than there are targets or columns is no waist
    fit_intercept : whether there is an intercept
    network : a trained network of linear layers, to be told how far it is from the optimum (see `from_network`)

    Attributes
    ----------
    coef_ : (p,), or (q, p) if the target had two axes
    intercept_ : float, or (q,)
    losses_ : (m + 1,) least sum of squared residuals over all targets with a waist of 0, 1, … m units
    singular_values_ : (m,) of the predictions of ordinary least squares, about their mean
    encoder_ : (r, p), decoder_ : (q, r), two layers that are the optimum: coef = decoder encoder. So is any other pair
        with an invertible matrix and its inverse between them
    unique_ : whether the optimum is the only one (two equal singular values at the cut leave a choice)
    report() : the losses of all widths as a table to read
    network_loss_ : with a network, its sum of squared residuals on these rows, over all targets
    network_excess_ : with a network, by what share its loss is above the least of its waist, 0 at the optimum
    network_distance_ : with a network, root mean square of the difference of its predictions and the optimum's
    dropped_ : a sentence for each column that was left out because it follows from others
    rank_, condition_, digits_ : the rank of the coefficients; of the ordinary least squares that it is cut from
    n_features_in_, feature_names_in_ : of the columns

    Notes
    -----
    Checked against: alternating least squares over the layers, 1e-8; the singular value decomposition of the
    predictions, 1e-10; principal components where the targets are the columns, 1e-10.
    Source: Izenman (1975), Journal of Multivariate Analysis 5, 248-264; Baldi and Hornik (1989), Neural Networks 2,
    53-58.

    Examples
    --------
    >>> x, y = [[0.0], [1.0], [2.0], [3.0]], [[0.0, 1.0], [2.0, 2.0], [4.0, 3.0], [6.0, 4.0]]
    >>> model = ReducedRankRegression(rank=1).fit(x, y)
    >>> model.coef_.round(9), model.losses_.round(9) + 0.0
    (array([[2.],
           [1.]]), array([25.,  0.]))
    """

    losses_: np.ndarray
    singular_values_: np.ndarray
    encoder_: np.ndarray
    decoder_: np.ndarray
    unique_: bool
    network_loss_: float
    network_excess_: float
    network_distance_: float

    def __init__(self, rank: int = 1, *, fit_intercept: bool = True, network: Any = None) -> None:
        self.rank = rank
        self.fit_intercept = fit_intercept
        self.network = network

    @classmethod
    def from_network(cls, network: Any, *, fit_intercept: bool = True) -> ReducedRankRegression:
        """The regression with the waist of a linear network; `fit` then also tells how far the network is from it.

        Parameters
        ----------
        network : pairs (W, b), the first layer first; a torch module of Linear layers; a scikit-learn MLP with the
            activation "identity"; or what `unbend.explain` gives for a network without a bend, whose waist is then
            taken to be the rank of W_z
        fit_intercept : whether the optimum has an intercept

        Raises
        ------
        ModelError
            If its layers cannot be told, or it has a bend.

        Examples
        --------
        >>> x, y = [[0.0], [1.0], [2.0], [3.0]], [1.0, 3.0, 5.0, 7.5]
        >>> trained = [([[2.0]], [0.5]), ([[1.0]], [0.5])]
        >>> model = ReducedRankRegression.from_network(trained).fit(x, y)
        >>> round(model.network_loss_, 9), round(float(model.losses_[1]), 9), round(model.network_excess_, 9)
        (0.25, 0.075, 2.333333333)
        """
        return cls(linear_layers(network).waist, fit_intercept=fit_intercept, network=network)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> ReducedRankRegression:
        """Fit to rows X (n, p) and targets (n, q) or one (n,); weights (n,) are relative to one another.

        Raises
        ------
        UsageError
            If the rank is not a whole number from 1.
        ValueError
            If the arguments cannot be used.
        """
        if not isinstance(self.rank, (int, np.integer)) or self.rank < 1:
            raise UsageError(f"the rank must be a whole number from 1, not {self.rank}")
        sample = take(self, X, y, sample_weight).normalised()
        found = solutions(sample, self.fit_intercept, "drop")
        self._cut(sample, found)
        warn_of(self.dropped_)
        return self

    def report(self) -> Waists:
        """What every width costs, to read: `print(model.report())`."""
        check_is_fitted(self)
        one, total = self.solutions_[0], float(self.losses_[0])
        trained = (
            Trained(self.network_loss_, self.network_excess_, self.network_distance_)
            if self.network is not None
            else None
        )
        r2 = 1.0 - self.losses_ / total if total > 0 else np.zeros(len(self.losses_))
        return Waists(one.n, len(one.coef), len(self.solutions_), self.rank_, self.losses_, r2, self.unique_, trained)

    def _cut(self, sample: Sample, found: Sequence[Solution]) -> None:
        coef = np.column_stack([one.coef for one in found])
        values, axes = _singular(found, coef)
        rank = min(self.rank, len(values))
        self.singular_values_ = values
        beyond = np.append(np.cumsum(np.square(values)[::-1])[::-1], 0.0)
        self.losses_ = sum(one.rss for one in found) + beyond
        self.unique_ = rank == len(values) or bool(values[rank - 1] - values[rank] > EQUAL * values[0])
        self.decoder_ = axes[:, :rank]
        self.encoder_ = self.decoder_.T @ coef.T
        self._keep(_with(found, coef @ self.decoder_ @ self.decoder_.T), sample.flat)
        if self.network is not None:
            self._compare(sample, float(self.losses_[rank]))
        self.rank_ = rank
        self.digits_ = min(one.digits for one in found)

    def _compare(self, sample: Sample, least: float) -> None:
        """How far the network is from the optimum, which has the sum of squared residuals `least`."""
        layers = linear_layers(self.network)
        q, p = sample.y.shape[1], sample.x.shape[1]
        if layers.coef.shape != (q, p):
            raise ModelError(
                f"the network takes {layers.coef.shape[1]} columns and gives {layers.coef.shape[0]} targets",
                where=f"the rows have {p} and {q}",
                try_="give the columns and targets that it was trained on",
            )
        weights = np.ones(len(sample.x)) if sample.weights is None else sample.weights
        predicted = sample.x @ layers.coef.T + layers.intercept
        best = sample.x @ np.atleast_2d(self.coef_).T + self.intercept_
        self.network_loss_ = float((weights @ np.square(sample.y - predicted)).sum())
        self.network_excess_ = self.network_loss_ / least - 1.0 if least > 0 else float("inf")
        self.network_distance_ = float(np.sqrt((weights @ np.square(predicted - best)).sum() / weights.sum() / q))


def _singular(found: Sequence[Solution], coef: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Singular values of the predictions and their axes (q, m), the largest entry of each axis positive."""
    root = found[0].root
    assert root is not None  # ordinary least squares has one
    along = np.linalg.lstsq(root, coef, rcond=None)[0]
    _, values, axes = np.linalg.svd(along, full_matrices=False)
    largest = axes[np.arange(len(axes)), np.argmax(np.abs(axes), axis=1)]
    return values, (axes * np.where(largest < 0, -1.0, 1.0)[:, None]).T


def _with(found: Sequence[Solution], coef: np.ndarray) -> list[Solution]:
    """The solutions with other coefficients (p, q)."""
    cut = []
    for one, own in zip(found, coef.T, strict=True):
        shift = np.append(one.mean, one.y_mean)
        offset = np.zeros(len(shift)) if one.mean_low is None else np.append(one.mean_low, 0.0)
        cut.append(replace(one, coef=own, intercept=intercept_of(shift, offset, own), low=None))
    return cut
