"""The demo's cases: real, complete, and each with the answer that it is there to show."""

from __future__ import annotations

import numpy as np
import pytest

from unbend.demo.cases import CASES, POINTS, find
from unbend.demo.training import train
from unbend.errors import UnbendError, UsageError


def r2(y: np.ndarray, predicted: np.ndarray) -> float:
    return 1 - np.sum((y - predicted) ** 2) / np.sum((y - y.mean()) ** 2)


def ladder(name: str) -> tuple[float, float, float]:
    """Held-out R² of the linear regression, the quadratic and the network, by scikit-learn alone."""
    from sklearn.linear_model import LinearRegression, RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    trained = train(CASES[name])
    y = trained.columns[CASES[name].target]
    x = np.column_stack([values for column, values in trained.columns.items() if column != CASES[name].target])
    out = trained.held_out
    quadratic = make_pipeline(
        StandardScaler(), PolynomialFeatures(2, include_bias=False), StandardScaler(), RidgeCV(np.logspace(-4, 4, 17))
    )
    fitted = [model.fit(x[~out], y[~out]) for model in (LinearRegression(), quadratic)]
    linear, squared, network = (r2(y[out], model.predict(x[out])) for model in [*fitted, trained.network])
    return linear, squared, network


def test_in_the_first_case_a_regression_is_enough():
    linear, squared, network = ladder("diabetes")
    assert linear > 0.4
    assert max(squared, network) - linear < 0.05


def test_in_the_second_case_a_quadratic_is_enough():
    linear, squared, network = ladder("nuclei")
    assert squared > 0.99
    assert squared >= network - 0.002
    assert 1 - linear > 5 * (1 - squared)


def test_in_the_third_case_the_bends_are_needed():
    linear, squared, network = ladder("terrain")
    assert linear < squared < 0.5
    assert network > 0.75


@pytest.mark.parametrize("name", list(CASES))
def test_columns_are_complete_and_the_target_is_last(name):
    columns = CASES[name].columns()
    assert list(columns)[-1] == CASES[name].target
    values = np.column_stack(list(columns.values()))
    assert np.all(np.isfinite(values))
    assert len(values) in (442, 569, POINTS)


def test_same_seed_same_network():
    once, again = (train(CASES["diabetes"], seed=3) for _ in range(2))
    np.testing.assert_array_equal(once.held_out, again.held_out)
    for left, right in zip(once.network[-1].coefs_, again.network[-1].coefs_, strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_third_is_held_out():
    assert train(CASES["diabetes"]).held_out.sum() == 147


def test_terrain_lies_where_it_should():
    columns = CASES["terrain"].columns()
    assert 29 < np.ptp(columns["east_km"]) < 31
    assert 31 < np.ptp(columns["north_km"]) < 33
    assert columns["height_m"].min() >= 236
    assert columns["height_m"].max() <= 1076


def test_the_first_case_is_the_default():
    assert find(None) is CASES["diabetes"]


def test_an_unknown_case_names_the_known_ones():
    with pytest.raises(UsageError) as error:
        find("iris")
    assert all(name in str(error.value) for name in CASES)


def test_terrain_without_matplotlibs_sample_data(monkeypatch, tmp_path):
    import matplotlib

    monkeypatch.setattr(matplotlib, "get_data_path", lambda: str(tmp_path))
    with pytest.raises(UnbendError, match="sample data"):
        CASES["terrain"].columns()
