"""Leverages by blocks of rows."""

import numpy as np
import pytest
import statsmodels.api as sm

from unbend import LinearRegression
from unbend.exact import compiled
from unbend.regression.leverages import squared_lengths


@pytest.fixture(params=[True, False], ids=["compiled", "numpy"])
def passes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiled pass where there is one, and NumPy."""
    if not request.param:
        monkeypatch.setattr(compiled, "passes", None)


@pytest.mark.usefixtures("passes")
@pytest.mark.parametrize("n", [0, 1, 255, 5000])
@pytest.mark.parametrize("shape", [(4, 4), (4, 2), (1, 1), (3, 0), (37, 37), (130, 129)])
@pytest.mark.parametrize("triangular", [False, True])
def test_lengths_are_those_of_the_product(n: int, shape: tuple[int, int], triangular: bool) -> None:
    rng = np.random.default_rng(n)
    root = np.triu(rng.normal(size=shape)) if triangular else rng.normal(size=shape)
    x, mean = rng.normal(size=(n, shape[0])), rng.normal(size=shape[0])
    before = x.copy()
    for given in (x, np.asfortranarray(x), x.astype(np.float32)):
        found = squared_lengths(given, mean, root)
        np.testing.assert_allclose(found, np.square((given - mean) @ root).sum(axis=1), rtol=1e-11, atol=1e-11)
    np.testing.assert_array_equal(x, before)


def test_leverages_are_those_of_statsmodels() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(700, 5)) * [1, 10, 0.1, 1, 1] + [0, 1e3, 0, 5, 0]
    y = x[:, 0] + rng.normal(size=700)
    found = LinearRegression().fit(x, y).solutions_[0].leverage(x)
    expected = sm.OLS(y, sm.add_constant(x)).fit().get_influence().hat_matrix_diag
    np.testing.assert_allclose(found, expected, rtol=1e-9)
