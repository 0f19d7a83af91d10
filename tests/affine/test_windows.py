"""Products and sums of convolutions against the two maps themselves, border included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from unbend.affine import Chain, Convolution, Diagonal, Identity, LinearMap, Sum, add, compose

PADS = st.tuples(st.integers(0, 2), st.integers(0, 2))


@st.composite
def convolutions(draw: st.DrawFn, source: tuple[int, ...], outputs: int) -> Convolution:
    groups = draw(st.sampled_from([1, 2, 4]))
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    pads = draw(st.one_of(st.just(((0, 0), (0, 0))), st.tuples(PADS, PADS)))
    strides = draw(st.tuples(st.integers(1, 3), st.integers(1, 2)))
    dilations = draw(st.tuples(st.integers(1, 2), st.integers(1, 3)))
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    weights = rng.standard_normal((outputs, source[1] // groups, *kernel))
    return Convolution(weights, source, strides, pads, dilations, groups)


def assert_same(found: LinearMap, expected: np.ndarray, x: np.ndarray) -> None:
    image = found.apply(x)
    assert image.shape == expected.shape
    np.testing.assert_allclose(image, expected, rtol=0, atol=1e-10)


@settings(max_examples=300)
@given(st.data())
def test_a_product_of_convolutions_is_what_they_do_one_after_the_other(data: st.DataObject) -> None:
    size = data.draw(st.tuples(st.integers(6, 9), st.integers(6, 9)))
    first = data.draw(convolutions((1, 4, *size), 8))
    assume(min(first.out_shape) >= 1)
    second = data.draw(convolutions(first.out_shape, 4))
    assume(min(second.out_shape) >= 1)
    x = np.random.default_rng(0).standard_normal((2, *first.in_shape))
    assert_same(compose(second, first), second.apply(first.apply(x)), x)


@settings(max_examples=300)
@given(st.data())
def test_a_sum_of_convolutions_is_the_sum_of_their_images(data: st.DataObject) -> None:
    source = (1, 4, *data.draw(st.tuples(st.integers(6, 9), st.integers(6, 9))))
    first = data.draw(convolutions(source, 4))
    scale = Diagonal(np.arange(1.0, 5.0).reshape(1, 1, 4, 1, 1), source)
    second = data.draw(st.one_of(convolutions(source, 4), st.just(Identity(source)), st.just(scale)))
    assume(min(first.out_shape) >= 1 and first.out_shape == second.out_shape)
    x = np.random.default_rng(0).standard_normal((2, *source))
    assert_same(add(first, second), first.apply(x) + second.apply(x), x)


def convolution(kernel: tuple[int, int], pad: int, source: tuple[int, ...], groups: int = 1) -> Convolution:
    weights = np.random.default_rng(1).standard_normal((source[1], source[1] // groups, *kernel))
    return Convolution(weights, source, (1, 1), ((pad, pad), (pad, pad)), (1, 1), groups)


SOURCE = (1, 4, 8, 8)


@pytest.mark.parametrize(
    ("first", "second", "one"),
    [
        (convolution((1, 1), 0, SOURCE), convolution((3, 3), 1, SOURCE), True),
        (convolution((3, 3), 1, SOURCE), convolution((1, 1), 0, SOURCE), True),
        (convolution((3, 3), 1, SOURCE), convolution((3, 3), 0, SOURCE), True),
        (convolution((3, 3), 1, SOURCE), convolution((3, 3), 1, SOURCE), False),
        (convolution((1, 1), 1, SOURCE), convolution((3, 3), 0, (1, 4, 10, 10)), True),
        (convolution((1, 1), 1, SOURCE), convolution((3, 3), 1, (1, 4, 10, 10)), False),
    ],
)
def test_two_convolutions_are_one_unless_a_border_stands_between(
    first: Convolution, second: Convolution, one: bool
) -> None:
    assert isinstance(compose(second, first), Convolution if one else Chain)


def test_the_branches_of_a_repvgg_block_are_one_convolution() -> None:
    block = add(add(convolution((3, 3), 1, SOURCE), convolution((1, 1), 0, SOURCE)), Identity(SOURCE))
    assert isinstance(block, Convolution)
    assert block.kernel.shape == (4, 4, 3, 3)


def test_groups_are_kept_where_both_have_them() -> None:
    product = compose(convolution((1, 1), 0, SOURCE, 4), convolution((3, 3), 1, SOURCE, 2))
    assert isinstance(product, Convolution)
    assert product.groups == 2


def test_kernels_of_other_strides_are_not_added() -> None:
    source = (1, 4, 1, 1)
    wide = Convolution(np.ones((4, 4, 1, 1)), source, (2, 2), ((0, 0), (0, 0)), (1, 1))
    assert isinstance(add(wide, convolution((1, 1), 0, source)), Sum)


@pytest.mark.parametrize(
    ("pads", "strides", "dilations"),
    [
        (((1, 1), (1, 1)), (1, 1), (1, 1)),
        (((0, 2), (3, 0)), (2, 1), (1, 2)),
        (((-3, 1), (1, -2)), (1, 2), (2, 1)),
    ],
)
def test_channels_that_are_filtered_alone_are_filtered_by_their_own_taps(pads, strides, dilations):
    rng = np.random.default_rng(0)
    kernel, x = rng.normal(size=(5, 1, 3, 4)), rng.normal(size=(2, 1, 5, 70, 61))
    x[1, 0, 2, 40, 30] = np.inf
    alone = Convolution(kernel, (1, 5, 70, 61), strides, pads, dilations, 5)
    whole = np.zeros((5, 5, 3, 4))
    whole[range(5), range(5)] = kernel[:, 0]
    together = Convolution(whole, (1, 5, 70, 61), strides, pads, dilations)
    assert alone._alone
    assert not together._alone
    found = alone.apply(x)
    np.testing.assert_allclose(found[0], together.apply(x[:1])[0], rtol=0, atol=1e-12)
    assert np.isfinite(found[1, 0, [0, 1, 3, 4]]).all()
    assert 0 < np.isinf(found[1, 0, 2]).sum() <= 12
    assert not np.isnan(found).any()
