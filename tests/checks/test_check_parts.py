"""The machinery: bins, long-run variance, added columns, the sample of dots."""

import numpy as np
import pytest

from unbend.checks.bins import Bins
from unbend.checks.long_run import long_run_ratio
from unbend.checks.partial import added
from unbend.checks.sample import MOST_DOTS, Sample


def test_tenths_are_the_outer_tenths():
    rng = np.random.default_rng(0)
    values, weight = rng.standard_normal((5000, 2)), rng.standard_normal(5000)
    bins = Bins(values.mean(0), values.std(0), sums=1)
    bins.see(values[:3000], weight[:3000])
    bins.see(values[3000:], weight[3000:])
    counts, (totals,) = bins.tenths()
    assert counts == pytest.approx(np.full((2, 2), 500), abs=25)
    for column in range(2):
        order = np.argsort(values[:, column])
        assert totals[0, column] == pytest.approx(weight[order[: int(counts[0, column])]].sum())
        assert totals[1, column] == pytest.approx(weight[order[-int(counts[1, column]) :]].sum())


def test_equal_values_stay_together():
    values = np.repeat([0.0, 1.0], [30, 70])
    bins = Bins(np.array([0.7]), np.array([0.5]), sums=0)
    bins.see(values)
    assert bins.tenths()[0].tolist() == [[30], [70]]


def test_values_beyond_the_grid_are_counted():
    bins = Bins(np.zeros(1), np.ones(1), sums=0)
    bins.see(np.array([-1e9, 0.0, 1e9]))
    assert bins.counts.sum() == 3


def test_quantiles_are_those_of_the_values():
    values = np.random.default_rng(1).standard_normal(20_000)
    bins = Bins(np.zeros(1), np.ones(1), sums=0, bins=8192)
    bins.see(values)
    for share in (0.025, 0.5, 0.975):
        assert bins.quantile(share)[0] == pytest.approx(np.quantile(values, share), abs=0.005)


@pytest.mark.parametrize("rho", [-0.5, 0.0, 0.3, 0.7])
def test_long_run_ratio_of_an_autoregression(rho):
    """The long-run variance of AR(1) is (1 + rho) / (1 − rho) times its variance."""
    assert long_run_ratio(rho ** np.arange(40), 100_000) == pytest.approx(np.sqrt((1 + rho) / (1 - rho)), rel=1e-3)


def test_long_run_ratio_of_a_moving_average():
    correlations = np.zeros(40)
    correlations[:2] = 1, 0.4
    assert long_run_ratio(correlations, 100_000) == pytest.approx(np.sqrt(1.8), rel=0.03)


def test_added_columns_explain_what_a_fit_with_them_explains():
    rng = np.random.default_rng(2)
    q = np.linalg.qr(np.column_stack([np.ones(50), rng.standard_normal((50, 2))]))[0]
    a = rng.standard_normal((50, 3))
    y = rng.standard_normal(50)
    e = y - q @ (q.T @ y)
    rest = np.linalg.lstsq(np.column_stack([q, a]), y, rcond=None)[1][0]
    found = added(a.T @ a, q.T @ a, a.T @ e)
    assert found.rank == 3
    assert found.explained == pytest.approx(e @ e - rest)


def test_columns_that_say_nothing_new_are_not_counted():
    q = np.linalg.qr(np.column_stack([np.ones(20), np.arange(20.0)]))[0]
    a = np.column_stack([np.arange(20.0) * 3 - 1, np.zeros(20), np.arange(20.0) ** 2])
    e = np.random.default_rng(3).standard_normal(20)
    e -= q @ (q.T @ e)
    assert added(a.T @ a, q.T @ a, a.T @ e).rank == 1


@pytest.mark.parametrize("number", [1, 7])
def test_the_sample_keeps_the_same_rows_however_they_come(checking, number):
    x, y = checking.clean(5000, np.random.default_rng(4))
    fit = checking.fitted(x, y)
    sample = Sample(fit)
    for rows in checking.blocks(fit, x, y, number):
        sample.see(rows)
    assert len(sample.positions) == MOST_DOTS
    assert sample.drawn == "2\u202f000 of 5\u202f000 rows, drawn at random."
    np.testing.assert_allclose(sample.fitted + sample.residual, y[sample.positions])


def test_a_small_table_is_shown_whole(checking):
    x, y = checking.clean(50, np.random.default_rng(5))
    fit = checking.fitted(x, y)
    sample = Sample(fit)
    (rows,) = checking.blocks(fit, x, y, 1)
    sample.see(rows)
    assert sample.drawn == "All 50 rows."
    np.testing.assert_allclose(sample.residual, rows.residual)
