"""Moments: blocks in any order, any shift, rows taken out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unbend.regression import Moments, ordinary

numbers = st.floats(-1e3, 1e3, allow_nan=False).map(lambda value: round(value, 3))
tables = arrays(np.float64, st.tuples(st.integers(3, 30), st.integers(1, 4)), elements=numbers)


def of_blocks(z: np.ndarray, cuts: list[int], order: np.random.Generator) -> Moments:
    blocks = np.split(z, sorted(cut % len(z) for cut in cuts))
    order.shuffle(blocks)
    shift = Moments.of(z[:1]).shift
    total = Moments.of(blocks[0], shift)
    for block in blocks[1:]:
        total = total + Moments.of(block, shift)
    return total


@given(tables, st.lists(st.integers(0, 29), max_size=4), st.integers(0, 99))
def test_blocks_merge_in_any_order(z: np.ndarray, cuts: list[int], seed: int) -> None:
    merged, whole = of_blocks(z, cuts, np.random.default_rng(seed)), Moments.of(z, Moments.of(z[:1]).shift)
    assert merged.n == whole.n
    size = np.abs(whole.products).max() + 1
    np.testing.assert_allclose(merged.products, whole.products, rtol=0, atol=1e-13 * size)
    np.testing.assert_allclose(merged.sums, whole.sums, rtol=0, atol=1e-13 * size)


@given(tables)
def test_moments_are_what_numpy_computes(z: np.ndarray) -> None:
    moments = Moments.of(z)
    np.testing.assert_allclose(moments.mean, z.mean(axis=0), rtol=0, atol=1e-11)
    expected = (z - z.mean(axis=0)).T @ (z - z.mean(axis=0))
    np.testing.assert_allclose(moments.centred, expected, rtol=0, atol=1e-11 * (1 + np.abs(expected).max()))


@given(tables, tables)
def test_different_shifts_merge(a: np.ndarray, b: np.ndarray) -> None:
    b = np.resize(b, (len(b), a.shape[1]))
    merged, whole = Moments.of(a) + Moments.of(b), Moments.of(np.vstack([a, b]))
    np.testing.assert_allclose(merged.centred, whole.centred, rtol=0, atol=1e-9 * (1 + np.abs(whole.centred).max()))


@given(tables, st.integers(1, 29))
def test_taking_rows_out_leaves_the_other_rows(z: np.ndarray, cut: int) -> None:
    cut = cut % len(z)
    whole = Moments.of(z)
    rest = whole - Moments.of(z[:cut], whole.shift)
    expected = Moments.of(z[cut:], whole.shift)
    assert rest.n == expected.n
    size = np.abs(whole.products).max() + 1
    np.testing.assert_allclose(rest.centred, expected.centred, rtol=0, atol=1e-12 * size)


def test_a_block_without_rows_changes_nothing() -> None:
    z = np.random.default_rng(0).normal(size=(9, 3)) + 1e8
    empty = Moments.of(np.empty((0, 3)))
    for merged in (empty + Moments.of(z), Moments.of(z) + empty):
        np.testing.assert_array_equal(merged.centred, Moments.of(z).centred)


def test_weights_count_rows_several_times() -> None:
    rng = np.random.default_rng(1)
    z, times = rng.normal(size=(20, 3)), rng.integers(0, 4, 20)
    weighted, repeated = Moments.of(z, weights=times.astype(float)), Moments.of(np.repeat(z, times, axis=0))
    np.testing.assert_allclose(weighted.mean, repeated.mean, rtol=1e-13)
    np.testing.assert_allclose(weighted.centred, repeated.centred, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mean", [0.0, 1e8, -1e12])
def test_a_large_mean_costs_no_digits(mean: float) -> None:
    rng = np.random.default_rng(2)
    x = np.round(rng.normal(size=(4000, 3)) * 1024) / 1024
    y = x @ [1.0, -2.0, 3.0] + rng.normal(size=4000)
    blocks = np.array_split(np.column_stack([x, y]), 7)
    moved = np.array_split(np.column_stack([x + mean, y]), 7)

    def solve(parts: list[np.ndarray]) -> np.ndarray:
        total = Moments.of(parts[0])
        for part in parts[1:]:
            total = total + Moments.of(part, total.shift)
        return ordinary(total, ["a", "b", "c"]).coef

    np.testing.assert_allclose(solve(moved), solve(blocks), rtol=1e-13)


@pytest.mark.parametrize("weight", [0.1, 1 / 3, 1e-9, 3.7, 1e20])
@pytest.mark.parametrize("n", [7, 1000, 100_000])
def test_equal_weights_have_equal_shares(n: int, weight: float) -> None:
    z = np.zeros((n, 2))
    weights = np.full(n, weight)
    assert Moments.of(z, weights=weights).shares == 0.0
    weights[0] *= 1.01
    expected = np.log(weights / weights.mean()).sum()
    assert Moments.of(z, weights=weights).shares == pytest.approx(expected, rel=1e-3)
