"""Intervals of differences on held-out rows, against direct formulas and by simulation."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from unbend.compare.climb import climb, fit
from unbend.compare.compare import _expansion, split_rows
from unbend.compare.gather import gather
from unbend.compare.intervals import across_folds, contributions, overlap_noise, row_wise, rows_needed, wider
from unbend.compare.ladder import rungs
from unbend.compare.report import report
from unbend.data import open_table
from unbend.findings import Interval


@pytest.fixture
def values() -> np.ndarray:
    return np.random.default_rng(0).normal(0.1, 1, size=60)


def test_row_wise_is_the_interval_of_a_mean(values):
    found = row_wise(values, 0.9)
    low, high = stats.t.interval(0.9, 59, values.mean(), stats.sem(values))
    assert (found.low, found.high, found.level) == (pytest.approx(low), pytest.approx(high), 0.9)


def test_overlap_adds_to_the_variance(values):
    plain, doubled = row_wise(values, 0.95), row_wise(values, 0.95, overlap=1.0)
    assert doubled.high - doubled.low == pytest.approx(np.sqrt(2) * (plain.high - plain.low))


def test_across_folds_is_nadeau_and_bengios(values):
    fold = np.repeat(np.arange(5), 12)
    means = values.reshape(5, 12).mean(axis=1)
    half = stats.t.ppf(0.975, 4) * np.sqrt((1 / 5 + 12 / 48) * means.var(ddof=1))
    found = across_folds(values, fold, 0.95)
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(means.mean() - half), pytest.approx(means.mean() + half))


def test_one_fold_has_no_interval_across_folds(values):
    assert across_folds(values, np.zeros(60, dtype=int), 0.95) is None
    assert wider(Interval(0, 1), None) == Interval(0, 1)
    assert wider(Interval(0, 1), Interval(-1, 1)) == Interval(-1, 1)


def test_contributions_have_the_ratios_mean_and_its_bootstrap_error():
    rng = np.random.default_rng(1)
    null = rng.chisquare(1, size=2000)
    difference = 0.3 * null + rng.normal(size=2000)
    found = contributions(difference, null)
    assert found.mean() == pytest.approx(difference.sum() / null.sum())
    draws = rng.integers(2000, size=(2000, 2000))
    bootstrap = (difference[draws].sum(1) / null[draws].sum(1)).std()
    assert found.std() / np.sqrt(2000) == pytest.approx(bootstrap, rel=0.06)


def test_contributions_of_a_plain_mean_are_the_differences(values):
    np.testing.assert_allclose(contributions(values, np.ones(60)), values)


def test_noise_is_told_from_truth_by_the_gain():
    assert overlap_noise(-0.2, 0.2) == 1
    assert overlap_noise(0.2, 0.2) == 0
    assert overlap_noise(0.0, 0.0) == 0
    assert overlap_noise(-9.0, 0.2) == 1


def test_rows_needed_grow_with_the_square_of_the_width():
    few = rows_needed(100, 0.0, Interval(-0.02, 0.02), 0.01)
    assert few == pytest.approx(100 * (1.43 * 2) ** 2, rel=0.05)
    assert rows_needed(100, 0.0, Interval(-0.2, 0.2), 0.01) == pytest.approx(100 * few, rel=0.1)
    assert rows_needed(100, 0.3, Interval(-0.1, 0.7), 0.01) == pytest.approx(100 * (1.43 * 4 / 3) ** 2, rel=0.05)


def gain_and_truth(rng: np.random.Generator, n: int, p: int) -> tuple[Interval, float, str]:
    """Linear truth: the interval of what the quadratic gains, what its fits really gain, and the verdict."""
    x = rng.normal(size=(n, p))
    y = x.sum(axis=1) + 1.5 * rng.normal(size=n)
    table = open_table(pa.table({f"x{j}": x[:, j] for j in range(p)} | {"y": y}), "y")
    split = split_rows(table, None, None, 5, 0)
    ladder = [entry for entry in rungs("number") if entry.name != "network"]
    gathered = gather(split, _expansion(split, "number"), in_memory=False)
    comparison = report(gathered, climb(gathered, ladder, None), None, 0.95)
    fresh = rng.normal(size=(5000, p))
    risk = {
        name: np.mean([np.mean((model.predict(fresh) - fresh.sum(axis=1)) ** 2) for model in models]) + 1.5**2
        for name, models in fit(gathered, ladder)[0].items()
    }
    truth = (risk["linear"] - risk["quadratic"]) / risk["constant"]
    return comparison.step("linear", "quadratic").interval, float(truth), comparison.enough


@pytest.mark.parametrize(("n", "p", "tables"), [(100, 3, 150), (400, 5, 80)])
def test_the_interval_of_a_useless_quadratic_covers_what_it_really_gains(n, p, tables):
    rng = np.random.default_rng(7)
    found = [gain_and_truth(rng, n, p) for _ in range(tables)]
    covered = np.mean([interval.low <= truth <= interval.high for interval, truth, _ in found])
    assert 0.87 <= covered <= 0.99
    assert np.mean([enough == "linear" for _, _, enough in found]) >= 0.97
