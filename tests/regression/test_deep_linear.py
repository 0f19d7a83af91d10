"""Deep linear networks: their closed forms against numerical minimisation over the layers."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.decomposition import PCA

from unbend import DeepLinearRidge, LinearRegression, ReducedRankRegression, Ridge
from unbend.errors import UsageError
from unbend.regression.estimators.linear_regression import CollinearWarning


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(size=(200, 6)) @ rng.normal(size=(6, 6)) + 3.0


@pytest.fixture(scope="module")
def y(x: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(1)
    return x @ rng.normal(size=(6, 2)) @ rng.normal(size=(2, 4)) + rng.normal(size=(200, 4)) + 5.0


# A waist


def direct(x: np.ndarray, y: np.ndarray, rank: int) -> np.ndarray:
    """Coefficients (q, p) from the singular value decomposition of the predictions."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    b = np.linalg.lstsq(x, y, rcond=None)[0]
    axes = np.linalg.svd(x @ b, full_matrices=False)[2][:rank]
    return axes.T @ axes @ b.T


@pytest.mark.parametrize("rank", [1, 2, 3, 4])
def test_waist_is_the_cut_of_the_predictions(x: np.ndarray, y: np.ndarray, rank: int) -> None:
    model = ReducedRankRegression(rank).fit(x, y)
    np.testing.assert_allclose(model.coef_, direct(x, y, rank), rtol=1e-9)
    np.testing.assert_allclose(model.decoder_ @ model.encoder_, model.coef_, rtol=1e-11)
    assert (model.encoder_.shape, model.decoder_.shape) == ((rank, 6), (4, rank))
    assert np.linalg.matrix_rank(model.coef_) == model.rank_ == rank
    assert np.square(y - model.predict(x)).sum() == pytest.approx(model.losses_[rank], rel=1e-11)
    assert model.unique_


def test_losses_of_all_widths(x: np.ndarray, y: np.ndarray) -> None:
    model = ReducedRankRegression(1).fit(x, y)
    assert model.losses_[0] == pytest.approx(np.square(y - y.mean(axis=0)).sum(), rel=1e-12)
    for width in (1, 2, 3, 4):
        cut = ReducedRankRegression(width).fit(x, y)
        assert model.losses_[width] == pytest.approx(np.square(y - cut.predict(x)).sum(), rel=1e-11)
    ordinary = LinearRegression().fit(x, y)
    assert model.losses_[4] == pytest.approx(np.square(y - ordinary.predict(x)).sum(), rel=1e-12)
    np.testing.assert_allclose(ReducedRankRegression(9).fit(x, y).coef_, ordinary.coef_, rtol=1e-10)


@pytest.mark.parametrize("rank", [1, 2])
def test_waist_is_where_alternating_least_squares_ends(x: np.ndarray, y: np.ndarray, rank: int) -> None:
    inputs, targets = x - x.mean(axis=0), y - y.mean(axis=0)
    first = np.random.default_rng(2).normal(size=(6, rank))
    for _ in range(400):
        second = np.linalg.lstsq(inputs @ first, targets, rcond=None)[0]
        first = np.linalg.lstsq(inputs, targets @ np.linalg.pinv(second), rcond=None)[0]
    second = np.linalg.lstsq(inputs @ first, targets, rcond=None)[0]
    model = ReducedRankRegression(rank).fit(x, y)
    np.testing.assert_allclose(model.coef_, (first @ second).T, rtol=1e-8)
    assert np.square(targets - inputs @ first @ second).sum() == pytest.approx(model.losses_[rank], rel=1e-12)


def test_waist_with_weights(x: np.ndarray, y: np.ndarray) -> None:
    times = np.random.default_rng(3).integers(0, 4, 200)
    weighted = ReducedRankRegression(2).fit(x, y, times)
    repeated = ReducedRankRegression(2).fit(np.repeat(x, times, axis=0), np.repeat(y, times, axis=0))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-9)


def test_waist_without_an_intercept(x: np.ndarray, y: np.ndarray) -> None:
    model = ReducedRankRegression(2, fit_intercept=False).fit(x, y)
    b = np.linalg.lstsq(x, y, rcond=None)[0]
    axes = np.linalg.svd(x @ b, full_matrices=False)[2][:2]
    np.testing.assert_allclose(model.coef_, axes.T @ axes @ b.T, rtol=1e-9)
    np.testing.assert_array_equal(model.intercept_, np.zeros(4))


def test_an_autoencoder_finds_the_principal_components(x: np.ndarray) -> None:
    model = ReducedRankRegression(3).fit(x, x)
    other = PCA(3).fit(x)
    np.testing.assert_allclose(model.predict(x), other.inverse_transform(other.transform(x)), rtol=1e-9)
    np.testing.assert_allclose(model.coef_, other.components_.T @ other.components_, atol=1e-10)


def test_equal_singular_values_leave_a_choice() -> None:
    x = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    assert not ReducedRankRegression(1).fit(x, x).unique_
    assert ReducedRankRegression(2).fit(x, x).unique_


def test_waist_names_columns_that_follow_from_others(x: np.ndarray, y: np.ndarray) -> None:
    with pytest.warns(CollinearWarning, match="x6 = 2 x0"):
        model = ReducedRankRegression(2).fit(np.column_stack([x, 2 * x[:, 0]]), y)
    np.testing.assert_allclose(model.coef_[:, :6], direct(x, y, 2), rtol=1e-9)


@pytest.mark.parametrize("rank", [0, 1.5, -1])
def test_ranks_that_cannot_be(x: np.ndarray, y: np.ndarray, rank) -> None:
    with pytest.raises(UsageError, match="whole number from 1"):
        ReducedRankRegression(rank).fit(x, y)


# Weight decay


def objective(flat: np.ndarray, shapes: list[tuple[int, int]], x: np.ndarray, y: np.ndarray, decay: float):
    """Loss with decay of centred rows, and its gradient, by backpropagation."""
    layers, start = [], 0
    for shape in shapes:
        layers.append(flat[start : start + shape[0] * shape[1]].reshape(shape))
        start += shape[0] * shape[1]
    values = [x]
    for w in layers:
        values.append(values[-1] @ w.T)
    residual = values[-1][:, 0] - y
    back, gradients = (2 / len(y) * residual)[:, None], []
    for w, value in zip(reversed(layers), reversed(values[:-1]), strict=True):
        gradients.append((back.T @ value + 2 * decay * w).ravel())
        back = back @ w
    return np.mean(residual**2) + decay * flat @ flat, np.concatenate(gradients[::-1])


def trained(x: np.ndarray, y: np.ndarray, depth: int, decay: float) -> tuple[float, np.ndarray]:
    """The best of many minimisations over layers two units wide."""
    widths = [x.shape[1], *[2] * (depth - 1), 1]
    shapes = [(after, before) for before, after in pairwise(widths)]
    inputs, target = x - x.mean(axis=0), y - y.mean()
    rng = np.random.default_rng(0)
    best = (np.inf, np.zeros(0))
    for _ in range(12):
        start = rng.normal(size=sum(a * b for a, b in shapes))
        done = minimize(
            objective,
            start,
            (shapes, inputs, target, decay),
            "L-BFGS-B",
            True,
            options={"maxiter": 5000, "ftol": 1e-16, "gtol": 1e-10},
        )
        best = min(best, (float(done.fun), done.x), key=lambda pair: pair[0])
    layers, at = np.eye(x.shape[1]), 0
    for a, b in shapes:
        layers = best[1][at : at + a * b].reshape(a, b) @ layers
        at += a * b
    return best[0], layers[0]


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize("decay", [1e-3, 0.1, 0.6])
def test_weight_decay_is_what_training_ends_at(x: np.ndarray, y: np.ndarray, depth: int, decay: float) -> None:
    columns, target = x[:, :3], y[:, 0] / 5
    model = DeepLinearRidge(depth, decay).fit(columns, target)
    loss, coef = trained(columns, target, depth, decay)
    assert model.objective_ == pytest.approx(loss, rel=1e-8)
    np.testing.assert_allclose(model.coef_, coef, atol=1e-5)
    residual = target - model.predict(columns)
    decayed = sum(np.square(w).sum() for w in model.weights_)
    assert np.mean(residual**2) + decay * decayed == pytest.approx(model.objective_, rel=1e-12)


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_weight_decay_is_a_ridge(x: np.ndarray, y: np.ndarray, depth: int) -> None:
    model = DeepLinearRidge(depth, 0.01).fit(x, y[:, 0])
    same = Ridge(model.alpha_).fit(x, y[:, 0])
    np.testing.assert_allclose(model.coef_, same.coef_, rtol=1e-10)
    product = np.linalg.multi_dot([*model.weights_[::-1]])[0]
    np.testing.assert_allclose(product, model.coef_, rtol=1e-12)
    size = np.linalg.norm(model.coef_)
    assert model.alpha_ / 200 == pytest.approx(0.01 * size ** (2 / depth - 2), rel=1e-9)


def test_one_layer_is_ridge(x: np.ndarray, y: np.ndarray) -> None:
    model = DeepLinearRidge(1, 0.5, fit_intercept=False).fit(x, y[:, 0])
    np.testing.assert_allclose(model.coef_, Ridge(100.0, fit_intercept=False).fit(x, y[:, 0]).coef_, rtol=1e-12)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_strong_decay_leaves_nothing(x: np.ndarray, y: np.ndarray, depth: int) -> None:
    model = DeepLinearRidge(depth, 1e4).fit(x, y[:, 0])
    np.testing.assert_array_equal(model.coef_, np.zeros(6))
    assert model.intercept_ == pytest.approx(y[:, 0].mean())
    assert model.alpha_ == np.inf
    assert model.objective_ == pytest.approx(y[:, 0].var())


def test_two_layers_shrink_to_zero_and_three_jump() -> None:
    x = np.array([[-1.0], [1.0]])
    y = np.array([-1.0, 1.0])
    decays = np.linspace(0.01, 1.2, 120)
    two = [DeepLinearRidge(2, decay).fit(x, y).coef_[0] for decay in decays]
    np.testing.assert_allclose(two, np.maximum(1 - decays, 0), atol=1e-10)
    three = [DeepLinearRidge(3, decay).fit(x, y).coef_[0] for decay in decays]
    t = np.linspace(0, 1, 200_001)
    for decay, coef in zip(decays, three, strict=True):
        assert (1 - coef) ** 2 + 3 * decay * coef ** (2 / 3) <= np.min((1 - t) ** 2 + 3 * decay * t ** (2 / 3)) + 1e-12
    steps = -np.diff(three)
    assert steps.max() > 10 * np.median(steps[steps > 0])


@pytest.mark.parametrize("options", [{"depth": 0}, {"depth": 1.5}, {"weight_decay": 0.0}, {"weight_decay": np.nan}])
def test_networks_that_cannot_be(x: np.ndarray, y: np.ndarray, options: dict) -> None:
    with pytest.raises(UsageError):
        DeepLinearRidge(**options).fit(x, y[:, 0])
