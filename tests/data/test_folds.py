"""Folds by row number: balanced, random, and the same however the rows are read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unbend.data.folds import fold_of, sampled, splitmix64


def test_splitmix64_gives_the_published_sequence():
    published = [0x599ED017FB08FC85, 0x2C73F08458540FA5, 0x883EBCE5A3F27C77]
    assert splitmix64(np.arange(3), 1234567).tolist() == published


@given(st.integers(2, 50), st.integers(0, 2**63), st.integers(0, 1000))
def test_each_group_of_rows_has_one_row_in_every_fold(folds, seed, group):
    numbers = np.arange(group * folds, (group + 1) * folds)
    assert sorted(fold_of(numbers, folds, seed)) == list(range(folds))


def test_the_fold_of_a_row_depends_on_nothing_but_its_number_and_the_seed():
    whole = fold_of(np.arange(1000), 5, 3)
    shuffled = np.random.default_rng(0).permutation(1000)
    np.testing.assert_array_equal(fold_of(shuffled, 5, 3), whole[shuffled])
    assert (whole != fold_of(np.arange(1000), 5, 4)).mean() > 0.5


def test_rows_that_follow_each_other_are_not_in_folds_that_follow_each_other():
    folds = fold_of(np.arange(50_000), 5, 0)
    pairs = np.zeros((5, 5))
    np.add.at(pairs, (folds[0::5], folds[1::5]), 1)
    off_diagonal = pairs[~np.eye(5, dtype=bool)]
    assert np.diag(pairs).sum() == 0
    assert off_diagonal == pytest.approx(500, abs=110)


def test_a_sample_has_about_its_share_and_ignores_the_folds():
    chosen = sampled(np.arange(100_000), 0.2, 0)
    assert chosen.mean() == pytest.approx(0.2, abs=0.005)
    shares = [chosen[fold_of(np.arange(100_000), 5, 0) == k].mean() for k in range(5)]
    assert shares == pytest.approx([0.2] * 5, abs=0.01)
    assert sampled(np.arange(1000), 1.0, 0).all()
