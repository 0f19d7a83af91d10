"""y = W x + b: composing and adding, offsets that come to depend on the position, costs."""

import numpy as np
import pytest
from affine_forms import ALL, EXACT, a
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from unbend.affine import Affine, Convolution, Cost, Dense, Identity, shrink

PAIRS = [(second, first) for second in ALL for first in ALL if second.in_shape == first.out_shape]


@pytest.mark.parametrize("number", range(0, len(PAIRS), 7))
def test_then_is_one_after_the_other(number):
    second, first = (Affine(linear, a(*linear.out_shape)) for linear in PAIRS[number])
    x = a(3, *first.linear.in_shape)
    expected = second.apply(first.apply(x))
    found = first.then(second)
    np.testing.assert_allclose(found.apply(x), expected, rtol=0, atol=EXACT * max(1.0, float(np.abs(expected).max())))
    weight, offset = found.dense()
    flat = x.reshape(3, -1) @ weight.T + offset
    np.testing.assert_allclose(flat, expected.reshape(3, -1), rtol=0, atol=1e-11)


def test_plus_is_the_sum_of_both():
    one, other = Affine(Dense(a(3, 4), (1,)), a(1, 3)), Affine(Dense(a(3, 4), (1,)), np.zeros((1, 1)))
    x = a(2, 1, 4)
    np.testing.assert_allclose(one.plus(other).apply(x), one.apply(x) + other.apply(x), rtol=0, atol=EXACT)


def test_a_bias_before_zero_padding_becomes_an_offset_that_depends_on_the_position():
    shape = (1, 2, 4, 4)
    pointwise = Affine(Convolution(a(2, 2, 1, 1), shape, (1, 1), ((0, 0),) * 2, (1, 1)), a(1, 2, 1, 1))
    padded = Affine(Convolution(a(3, 2, 3, 3), shape, (1, 1), ((1, 1),) * 2, (1, 1)), a(1, 3, 1, 1))
    both = pointwise.then(padded)
    x = a(2, *shape)
    np.testing.assert_allclose(both.apply(x), padded.apply(pointwise.apply(x)), rtol=0, atol=EXACT)
    assert both.offset.shape == (1, 3, 4, 4)
    inner = both.offset[:, :, 1:3, 1:3]
    np.testing.assert_allclose(inner, np.broadcast_to(inner[:, :, :1, :1], inner.shape), rtol=0, atol=EXACT)
    assert not np.allclose(both.offset[0, :, 0, 0], inner[0, :, 0, 0])


@pytest.mark.parametrize("size", [4, 5, 11, 30])
def test_a_bias_before_an_unpadded_convolution_stays_one_number_a_channel(size):
    shape = (1, 8, size, size)
    first = Affine(Identity(shape), a(1, 8, 1, 1))
    second = Affine(Convolution(a(5, 8, 3, 3), shape, (1, 1), ((0, 0),) * 2, (1, 1)), np.zeros((1, 1, 1, 1)))
    assert first.then(second).offset.shape == (1, 5, 1, 1)


def test_a_bias_before_padding_has_one_number_for_each_class_of_positions():
    shape = (1, 8, 9, 9)
    first = Affine(Identity(shape), a(1, 8, 1, 1))
    second = Affine(Convolution(a(6, 4, 3, 3), shape, (2, 1), ((1, 0), (1, 1)), (1, 2), 2), np.zeros((1, 1, 1, 1)))
    offset = first.then(second).offset
    assert len(np.unique(offset[0, 0])) == 2 * 3
    np.testing.assert_allclose(offset[0], second.apply(np.broadcast_to(first.offset, (1, *shape)))[0, 0], atol=EXACT)


@pytest.mark.parametrize("linear", ALL, ids=lambda linear: type(linear).__name__)
def test_the_image_of_a_tensor_given_small_is_that_of_the_whole(linear):
    for axes in (range(0), range(len(linear.in_shape)), range(2, len(linear.in_shape))):
        small = a(*(1 if axis in axes else size for axis, size in enumerate(linear.in_shape)))
        expected = linear.apply(np.broadcast_to(small, linear.in_shape)[None])[0]
        found = np.broadcast_to(linear.image(small), linear.out_shape)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11)


def test_the_identity_of_affine_maps():
    x = a(2, 1, 4)
    one = Affine(Dense(a(3, 4), (1,)), a(1, 3))
    np.testing.assert_array_equal(Affine.identity((1, 4)).then(one).apply(x), one.apply(x))
    assert Affine.identity((1, 4)).cost == Cost(0, 0)


def test_cost_counts_multiplications_and_numbers():
    assert Affine(Dense(a(3, 4), (2,)), a(1, 3)).cost == Cost(24, 15)
    assert Affine(Dense(a(3, 4), (2,)), np.zeros((1, 3))).cost == Cost(24, 12)
    image = Convolution(a(4, 1, 3, 3), (1, 2, 6, 6), (2, 2), ((1, 1), (1, 1)), (1, 1), 2)
    assert image.cost == Cost(4 * 9 * 9, 36)
    assert Cost(1, 2) <= Cost(1, 2)
    assert not Cost(1, 3) <= Cost(2, 2)
    assert Cost.total([Cost(1, 2), Cost(3, 4)]) == Cost(4, 6)


@given(hnp.arrays(np.float64, hnp.array_shapes(max_dims=4, max_side=3), elements=st.sampled_from([0.0, 1.0])))
def test_shrink_gives_the_smallest_array_that_broadcasts_back(array):
    small = shrink(array)
    np.testing.assert_array_equal(np.broadcast_to(small, array.shape), array)
    for axis, size in enumerate(small.shape):
        assert size == 1 or not np.array_equal(np.broadcast_to(small.take([0], axis), small.shape), small)
