"""How far a trained linear network is from the optimum of its waist."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.neural_network import MLPRegressor

import unbend
from unbend.errors import ModelError
from unbend.regression.estimators import ReducedRankRegression
from unbend.regression.estimators.layers import linear_layers


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(300, 6)) + 4.0
    return x, x @ rng.normal(size=(6, 4)) + rng.normal(size=(300, 4))


def optimum(x: np.ndarray, y: np.ndarray, rank: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Two layers that are the optimum of this waist."""
    best = ReducedRankRegression(rank=rank).fit(x, y)
    return [(best.encoder_, np.zeros(rank)), (best.decoder_, np.asarray(best.intercept_))]


def test_the_optimum_itself_is_at_no_distance(rows):
    x, y = rows
    model = ReducedRankRegression.from_network(optimum(x, y, 2)).fit(x, y)
    assert model.rank == 2
    assert abs(model.network_excess_) < 1e-12
    assert model.network_distance_ < 1e-12


@pytest.mark.parametrize("weights", [None, "some"])
def test_the_loss_is_that_of_the_network(rows, weights):
    x, y = rows
    rng = np.random.default_rng(0)
    layers = [(rng.normal(size=(3, 6)), rng.normal(size=3)), (rng.normal(size=(4, 3)), rng.normal(size=4))]
    given = None if weights is None else rng.uniform(0.5, 2.0, len(x))
    model = ReducedRankRegression.from_network(layers).fit(x, y, given)
    predicted = (x @ layers[0][0].T + layers[0][1]) @ layers[1][0].T + layers[1][1]
    scale = np.ones(len(x)) if given is None else given * len(x) / given.sum()
    assert model.rank == 3
    assert model.network_loss_ == pytest.approx(float((scale @ np.square(y - predicted)).sum()), rel=1e-12)
    assert model.network_excess_ == pytest.approx(model.network_loss_ / model.losses_[3] - 1, rel=1e-12)


def test_a_network_can_be_no_better_than_the_optimum_of_its_waist(rows):
    x, y = rows
    rng = np.random.default_rng(1)
    for _ in range(20):
        layers = [(rng.normal(size=(2, 6)), None), (rng.normal(size=(4, 2)), rng.normal(size=4))]
        assert ReducedRankRegression.from_network(layers).fit(x, y).network_excess_ > 0


def test_a_scikit_learn_network(rows):
    x, y = rows
    network = MLPRegressor(
        hidden_layer_sizes=(3,), activation="identity", solver="lbfgs", max_iter=5000, tol=1e-12, alpha=0.0
    )
    network.fit(x, y)
    model = ReducedRankRegression.from_network(network).fit(x, y)
    assert model.network_loss_ == pytest.approx(float(np.square(y - network.predict(x)).sum()), rel=1e-9)
    assert 0 <= model.network_excess_ < 0.5
    with pytest.raises(ModelError, match="relu"):
        ReducedRankRegression.from_network(network.set_params(activation="relu"))


@pytest.mark.torch
def test_a_torch_network_and_its_explanation_agree(rows):
    torch = pytest.importorskip("torch")
    x, y = rows
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(6, 2), torch.nn.Identity(), torch.nn.Linear(2, 4)).eval()
    one = ReducedRankRegression.from_network(module).fit(x, y)
    example = torch.zeros(1, 6)
    other = ReducedRankRegression.from_network(unbend.explain(module, example)).fit(x, y)
    assert one.rank == other.rank == 2
    assert other.network_loss_ == pytest.approx(one.network_loss_, rel=1e-6)
    with pytest.raises(ModelError, match="one by one"):
        ReducedRankRegression.from_network(torch.nn.Sequential(torch.nn.Linear(6, 2), torch.nn.ReLU()))


def test_it_survives_a_clone(rows):
    x, y = rows
    model = clone(ReducedRankRegression.from_network(optimum(x, y, 1))).fit(x, y)
    assert abs(model.network_excess_) < 1e-12


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ([], "no layer"),
        ([np.eye(3), np.eye(4)], "do not fit"),
        ([(np.eye(3), np.zeros(2))], "bias"),
        ([np.zeros(3)], "must be"),
        ([np.full((2, 2), np.nan)], "not finite"),
        ("net.onnx", "unbend.explain"),
    ],
)
def test_what_is_no_linear_network_is_refused(network, words):
    with pytest.raises(ModelError, match=words):
        linear_layers(network)


def test_rows_of_another_width_are_refused(rows):
    x, y = rows
    with pytest.raises(ModelError, match="takes 3 columns"):
        ReducedRankRegression.from_network([np.zeros((4, 3))]).fit(x, y)
