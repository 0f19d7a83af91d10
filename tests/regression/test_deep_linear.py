"""Deep linear networks: their closed forms against numerical minimisation over the layers."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import brentq, minimize
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
    residual = values[-1] - y.reshape(len(y), -1)
    back, gradients = 2 / len(y) * residual, []
    for w, value in zip(reversed(layers), reversed(values[:-1]), strict=True):
        gradients.append((back.T @ value + 2 * decay * w).ravel())
        back = back @ w
    return np.square(residual).sum() / len(y) + decay * flat @ flat, np.concatenate(gradients[::-1])


def trained(x: np.ndarray, y: np.ndarray, depth: int, decay: float) -> tuple[float, np.ndarray]:
    """The best of many minimisations over layers two units wide, or as wide as there are targets."""
    targets = 1 if y.ndim == 1 else y.shape[1]
    widths = [x.shape[1], *[max(2, targets)] * (depth - 1), targets]
    shapes = [(after, before) for before, after in pairwise(widths)]
    inputs, target = x - x.mean(axis=0), y - y.mean(axis=0)
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
    return best[0], layers if y.ndim == 2 else layers[0]


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


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize("decay", [1e-3, 0.1, 0.6])
def test_several_targets_are_what_training_ends_at(x: np.ndarray, y: np.ndarray, depth: int, decay: float) -> None:
    columns, targets = x[:, :4] * [1, 0.3, 2, 1], y[:, :3] / 5
    model = DeepLinearRidge(depth, decay).fit(columns, targets)
    loss, coef = trained(columns, targets, depth, decay)
    assert model.objective_ == pytest.approx(loss, rel=1e-8)
    np.testing.assert_allclose(model.coef_, coef, atol=1e-4)
    assert np.isnan(model.gap_) if depth > 2 else model.gap_ <= 1e-12
    residual = targets - model.predict(columns)
    decayed = sum(np.square(w).sum() for w in model.weights_)
    assert np.square(residual).sum() / len(x) + decay * decayed == pytest.approx(model.objective_, rel=1e-12)
    product = model.weights_[0] if depth == 1 else np.linalg.multi_dot([*model.weights_[::-1]])
    np.testing.assert_allclose(product, model.coef_, atol=1e-12)


def test_one_layer_of_several_targets_is_ridge(x: np.ndarray, y: np.ndarray) -> None:
    np.testing.assert_allclose(DeepLinearRidge(1, 0.5).fit(x, y).coef_, Ridge(100.0).fit(x, y).coef_, rtol=1e-10)


@pytest.mark.parametrize("depth", [2, 3])
def test_uncorrelated_columns_shrink_each_singular_value(depth: int) -> None:
    rng = np.random.default_rng(2)
    x = np.linalg.qr(rng.normal(size=(60, 5)) - 0.0)[0] * np.sqrt(60)
    y = x @ rng.normal(size=(5, 4)) + rng.normal(size=(60, 4))
    model = DeepLinearRidge(depth, 0.4, fit_intercept=False).fit(x, y)
    left, values, right = np.linalg.svd(x.T @ y / 60, full_matrices=False)
    shrunken = np.maximum(values - 0.4, 0.0) if depth == 2 else [best_of_one(value, 0.4) for value in values]
    np.testing.assert_allclose(model.coef_, ((left * shrunken) @ right).T, atol=1e-13)
    kept = np.asarray(shrunken) > 0
    assert model.rank_ == kept.sum()
    expected = 60 * 0.4 * np.asarray(shrunken)[kept] ** (2 / depth - 2)
    np.testing.assert_allclose(model.alpha_[: model.rank_], expected, rtol=1e-12)


def best_of_one(value: float, decay: float) -> float:
    """The t that minimises (value − t)² + 3 decay t^(2/3), as a root of its derivative, which has all digits."""
    steepest = (decay / 3) ** 0.75
    if 2 * steepest**2 - 2 * value * steepest + 2 * decay * steepest ** (2 / 3) >= 0:
        return 0.0
    t = brentq(lambda t: t - value + decay * t ** (-1 / 3), steepest, value, xtol=1e-15)
    return t if (value - t) ** 2 + 3 * decay * t ** (2 / 3) < value**2 else 0.0


def test_strong_decay_leaves_nothing_of_several_targets(x: np.ndarray, y: np.ndarray) -> None:
    model = DeepLinearRidge(2, 1e4).fit(x, y)
    np.testing.assert_array_equal(model.coef_, np.zeros((y.shape[1], 6)))
    np.testing.assert_allclose(model.intercept_, y.mean(axis=0))
    assert (model.rank_, model.gap_) == (0, pytest.approx(0.0, abs=1e-9))
    assert np.isinf(model.alpha_).all()


@pytest.mark.torch
def test_a_network_trained_by_torch() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(4)
    x = rng.normal(size=(50, 3))
    y = x @ rng.normal(size=(3, 2)) + 0.3 * rng.normal(size=(50, 2))
    torch.manual_seed(0)
    layers = [torch.nn.Linear(3, 2, dtype=torch.float64), torch.nn.Linear(2, 2, bias=False, dtype=torch.float64)]
    bias = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    layers[0].bias = None
    decayed = [layer.weight for layer in layers]
    optimiser = torch.optim.SGD([{"params": decayed, "weight_decay": 0.05}, {"params": [bias]}], lr=0.1, momentum=0.9)
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)
    for _ in range(700):
        optimiser.zero_grad()
        torch.nn.functional.mse_loss(torch.nn.Sequential(*layers)(inputs) + bias, targets).backward()
        optimiser.step()
    model = DeepLinearRidge(2, 0.05 / 2 * 2).fit(x, y)
    product = (layers[1].weight @ layers[0].weight).detach().numpy()
    np.testing.assert_allclose(model.coef_, product, atol=1e-7)
    np.testing.assert_allclose(model.intercept_, bias.detach().numpy(), atol=1e-7)


# What every width costs, to read


def test_report_of_the_widths(x: np.ndarray, y: np.ndarray) -> None:
    model = ReducedRankRegression(2).fit(x, y)
    found = model.report()
    np.testing.assert_array_equal(found.losses, model.losses_)
    total = np.square(y - y.mean(axis=0)).sum()
    residual = np.square(y - model.predict(x)).sum()
    assert found.r2[2] == pytest.approx(1 - residual / total)
    text = " ".join(str(found).split())
    assert "A waist of 2 units explains" in text
    assert "Least loss of every width" in text
    assert found.to_dict()["trained"] is None
    assert "it is no waist" in " ".join(str(ReducedRankRegression(9).fit(x, y).report()).split())


def test_report_of_a_network(x: np.ndarray, y: np.ndarray) -> None:
    layers = [np.ones((1, x.shape[1])), np.ones((y.shape[1], 1))]
    model = ReducedRankRegression.from_network(layers).fit(x, y)
    text = " ".join(str(model.report()).split())
    assert "above the least of its waist of 1" in text
    best = ReducedRankRegression.from_network([model.encoder_, (model.decoder_, model.intercept_)]).fit(x, y)
    assert "which is the least of its waist of 1" in " ".join(str(best.report()).split())


def test_waist_of_more_columns_than_rows() -> None:
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(20, 600)), rng.normal(size=(20, 3))
    with pytest.warns(CollinearWarning):
        model = ReducedRankRegression(1).fit(x, y)
    _, values, axes = np.linalg.svd(y - y.mean(axis=0))
    np.testing.assert_allclose(model.losses_[1], np.square(values[1:]).sum(), rtol=1e-9)
    expected = (y - y.mean(axis=0)) @ np.outer(axes[0], axes[0]) + y.mean(axis=0)
    np.testing.assert_allclose(model.predict(x), expected, atol=1e-9)
