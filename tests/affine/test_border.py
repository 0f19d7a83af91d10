"""Offsets that a border makes: every way to write them is the same map, held to its dense matrix and offset."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unbend.affine import Affine, Border, Convolution, OnOnes
from unbend.affine.border import adds_ones, is_only_ones, only_ones, with_ones

EXACT = 1e-12


@st.composite
def bordered(draw: st.DrawFn) -> tuple[Affine, Affine]:
    """A pointwise map with a bias and a padded convolution that reads it."""
    size = draw(st.tuples(st.integers(5, 9), st.integers(5, 8)))
    taps = draw(st.tuples(st.sampled_from([1, 3, 4]), st.sampled_from([2, 3])))
    pads = draw(st.tuples(*(st.tuples(st.integers(0, 2), st.integers(0, 2)) for _ in range(2))))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    strides = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    first = Convolution(rng.normal(size=(4, 3, 1, 1)), (1, 3, *size), (1, 1), ((0, 0),) * 2, (1, 1))
    second = Convolution(rng.normal(size=(5, 4, *taps)), (1, 4, *size), strides, pads, (1, 1))
    bias = rng.normal(size=(1, 5, 1, 1)) * draw(st.booleans())
    return Affine(first, rng.normal(size=(1, 4, 1, 1))), Affine(second, bias)


def assert_same(found: Affine, expected: Affine) -> None:
    for one, other in zip(found.dense(), expected.dense(), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=EXACT * max(1.0, float(np.abs(other).max(initial=0))))


@settings(max_examples=60)
@given(bordered())
def test_a_channel_of_ones_and_a_convolution_of_ones_are_the_same_map(pair: tuple[Affine, Affine]) -> None:
    one, expected = pair[0].then(pair[1]), Affine(*(pair[1].linear.dense() @ pair[0].linear.dense(), 0))  # type: ignore[arg-type]
    assert isinstance(one.linear, Convolution)
    np.testing.assert_allclose(one.linear.dense(), expected.linear, rtol=0, atol=1e-10)
    found = OnOnes.of(one.linear, one.offset)
    if found is None:
        assert max(one.linear.strides) > 1
        return
    shape = one.linear.in_shape
    assert_same(with_ones(shape).then(Affine(found.widened, found.bias)), one)
    beside = only_ones(shape).then(Affine(found.on_ones, np.zeros((1, 1, 1, 1))))
    assert_same(Affine(one.linear, found.bias).plus(beside), one)


@settings(max_examples=60)
@given(bordered())
def test_a_table_holds_the_rows_and_columns_that_differ(pair: tuple[Affine, Affine]) -> None:
    one = pair[0].then(pair[1])
    whole = np.broadcast_to(one.offset, one.linear.out_shape)
    border = Border.of(whole)
    if border is None:
        assert unlike_the_middle(whole) == whole.shape[2:]
        return
    rounded, exact = unlike_the_middle(np.round(whole, 9)), unlike_the_middle(whole)
    assert all(a <= b <= c for a, b, c in zip(rounded, border.table.shape[2:], exact, strict=True))
    assert border.table.size < whole.size
    np.testing.assert_allclose(border.flat[:, border.index][None], whole, rtol=0, atol=EXACT * np.abs(whole).max())


def unlike_the_middle(whole: np.ndarray) -> tuple[int, ...]:
    """One, and one for each row, or column, that is not as the one in the middle."""
    lines = (np.moveaxis(whole, axis, 0).reshape(whole.shape[axis], -1) for axis in (2, 3))
    return tuple(1 + int((each != each[len(each) // 2]).any(axis=1).sum()) for each in lines)


def test_a_table_of_a_pad_of_one_has_three_rows_and_three_columns():
    kernel = Convolution(np.ones((2, 1, 3, 3)), (1, 1, 6, 7), (1, 1), ((1, 1),) * 2, (1, 1))
    border = Border.of(kernel.apply(np.ones((1, 1, 1, 6, 7)))[0])
    assert border is not None
    assert border.table.shape == (1, 2, 3, 3)


def test_a_map_of_random_numbers_has_no_table_and_is_no_convolution_of_ones():
    rng = np.random.default_rng(0)
    convolution = Convolution(rng.normal(size=(2, 3, 3, 3)), (1, 3, 6, 6), (1, 1), ((1, 1),) * 2, (1, 1))
    offset = rng.normal(size=(1, 2, 6, 6))
    assert Border.of(offset) is None
    assert OnOnes.of(convolution, offset) is None


@pytest.mark.parametrize("where", [np.s_[..., 0], np.s_[..., :4], np.s_[..., 0, :]])
def test_a_mask_beside_small_numbers_does_not_make_them_one(where: tuple[object, ...]):
    offset = np.random.default_rng(0).normal(size=(1, 2, 6, 6)) * 1e-5
    offset[where] = -1e9
    border = Border.of(offset)
    found = offset if border is None else border.flat[:, border.index][None]
    np.testing.assert_allclose(found, offset, rtol=1e-12)


def test_a_channel_of_large_numbers_does_not_hide_a_small_one():
    rng = np.random.default_rng(0)
    convolution = Convolution(rng.normal(size=(2, 3, 3, 3)), (1, 3, 6, 6), (1, 1), ((1, 1),) * 2, (1, 1))
    offset = np.concatenate([np.full((1, 1, 6, 6), 1e9), rng.normal(size=(1, 1, 6, 6)) * 1e-5], axis=1)
    assert OnOnes.of(convolution, offset) is None


@pytest.mark.parametrize("shape", [(1, 3, 5), (1, 3, 4, 5), (1, 1, 2, 3, 4)])
def test_images_of_ones_are_known_as_such(shape):
    assert adds_ones(with_ones(shape))
    assert is_only_ones(only_ones(shape))
    assert not adds_ones(only_ones(shape))
    assert not adds_ones(Affine.identity(shape))
    x = np.random.default_rng(0).normal(size=(2, *shape))
    np.testing.assert_array_equal(with_ones(shape).apply(x), np.concatenate([x, np.ones_like(x[:, :, :1])], axis=2))
    assert (only_ones(shape).apply(x) == 1).all()
