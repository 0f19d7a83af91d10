"""What chains become: random chains keep their matrix, and the chains that networks have become single maps."""

import numpy as np
import pytest
from affine_forms import ALL, EXACT, a, same
from hypothesis import given
from hypothesis import strategies as st

from unbend.affine import (
    Blocks,
    Chain,
    Convolution,
    Dense,
    Diagonal,
    Identity,
    LinearMap,
    Selection,
    Sum,
    along,
    compose,
    stack,
    total,
)


@st.composite
def chains(draw) -> list[LinearMap]:
    """Up to six maps, each fitting the one before."""
    steps = [draw(st.sampled_from(ALL))]
    for _ in range(draw(st.integers(1, 5))):
        fitting = [one for one in ALL if one.in_shape == steps[-1].out_shape]
        if not fitting:
            break
        steps.append(draw(st.sampled_from(fitting)))
    return steps


def composed(steps: list[LinearMap]) -> LinearMap:
    product: LinearMap = Identity(steps[0].in_shape)
    for step in steps:
        product = compose(step, product)
    return product


@given(chains())
def test_a_chain_keeps_its_matrix_however_it_is_bracketed(steps):
    matrix = steps[0].dense()
    for step in steps[1:]:
        matrix = step.dense() @ matrix
    same(composed(steps), matrix)
    right = steps[-1]
    for step in reversed(steps[:-1]):
        right = compose(right, step)
    same(right, matrix)


@given(chains())
def test_composing_again_changes_nothing(steps):
    product = composed(steps)
    again = composed(list(product.maps)) if isinstance(product, Chain) else product
    assert [type(one) for one in getattr(again, "maps", [again])] == [
        type(one) for one in getattr(product, "maps", [product])
    ]


def names(linear: LinearMap) -> list[str]:
    return [type(one).__name__ for one in (linear.maps if isinstance(linear, Chain) else (linear,))]


CASES = {
    "linear, scale and shift, linear": (
        [Dense(a(4, 6), (1,)), Diagonal.of(a(4), (1, 4)), Dense(a(3, 4), (1,))],
        ["Dense"],
    ),
    "a transpose between two linear maps": (
        [
            Dense(a(6, 5), (1,)),
            Selection.reshape((1, 6), (1, 2, 3)),
            Selection.transposed((1, 2, 3), (0, 2, 1)),
            Selection.reshape((1, 3, 2), (1, 6)),
            Dense(a(4, 6), (1,)),
        ],
        ["Dense"],
    ),
    "a flatten between a convolution with its scale and a linear map": (
        [
            Convolution(a(4, 2, 3, 3), (1, 2, 3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
            Diagonal.of(a(4, 1, 1), (1, 4, 3, 3)),
            Selection.reshape((1, 4, 3, 3), (1, 36)),
            Dense(a(5, 36), (1,)),
        ],
        ["Convolution", "Selection", "Dense"],
    ),
    "a scale before a flatten goes into the linear map after it": (
        [Diagonal.of(a(2, 1, 1), (1, 2, 3, 3)), Selection.reshape((1, 2, 3, 3), (1, 18)), Dense(a(5, 18), (1,))],
        ["Selection", "Dense"],
    ),
    "a scale after a reshape goes into the linear map before it": (
        [Dense(a(6, 4), (1,)), Selection.reshape((1, 6), (1, 2, 3)), Diagonal.of(a(2, 1), (1, 2, 3))],
        ["Dense", "Selection"],
    ),
    "axes of length 1 between linear maps": (
        [Dense(a(6, 5), (1,)), Selection.reshape((1, 6), (1, 1, 6)), Dense(a(4, 6), (1, 1))],
        ["Dense", "Selection"],
    ),
    "a selection of columns before a linear map": (
        [Selection(np.array([[3, 1, 1, -1]]), (1, 5)), Dense(a(2, 4), (1,))],
        ["Dense"],
    ),
    "a linear map that is repeated is kept small": (
        [Dense(a(2, 5), (1,)), Selection.broadcast((1, 2), (30, 2))],
        ["Dense", "Selection"],
    ),
    "products that change from position to position": (
        [Diagonal.of(a(2, 3), (2, 3)), Blocks(a(1, 2, 4, 3), (2,)), Blocks(a(1, 2, 5, 4), (2,))],
        ["Blocks"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_becomes(case):
    steps, expected = CASES[case]
    assert names(composed(steps)) == expected


def test_linear_maps_side_by_side_are_one_matrix():
    both = stack([Dense(a(3, 4), (1,)), Dense(a(2, 4), (1,)), Identity((1, 4))])
    assert isinstance(both, Dense | Sum)
    assert both.out_shape == (1, 9)


def test_maps_with_a_scale_for_each_row_compose_row_by_row():
    generator = np.random.default_rng(5)
    steps = [
        Diagonal(generator.normal(size=(3, 2, 3)), (2, 3)),
        Dense(a(4, 3), (2,)),
        Diagonal(generator.normal(size=(3, 2, 4)), (2, 4)),
        Selection.transposed((2, 4), (1, 0)),
        Blocks(generator.normal(size=(3, 4, 2, 2)), (4,)),
        Selection.reshape((4, 2), (1, 8)),
        Dense(a(5, 8), (1,)),
    ]
    x = generator.normal(size=(3, 2, 3))
    expected = x
    for step in steps:
        expected = step.apply(expected)
    product = composed(list(steps))
    np.testing.assert_allclose(product.apply(x), expected, rtol=0, atol=EXACT * 100)
    y = generator.normal(size=(3, 1, 5))
    left = (product.transpose(y) * x).sum(axis=(1, 2))
    np.testing.assert_allclose(left, (y * expected).sum(axis=(1, 2)), rtol=0, atol=1e-11)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_along_is_a_product_along_an_axis(axis):
    shape, matrix = (2, 3, 4), a(5, (2, 3, 4)[axis])
    x = a(2, *shape)
    expected = np.moveaxis(np.moveaxis(x, axis + 1, -1) @ matrix.T, -1, axis + 1)
    np.testing.assert_allclose(along(matrix, shape, axis).apply(x), expected, rtol=0, atol=EXACT)


@pytest.mark.parametrize("axes", [(), (0,), (1,), (2,), (0, 2), (0, 1, 2)])
def test_total_is_a_weighted_sum_over_axes(axes):
    x = a(2, 2, 3, 4)
    expected = 0.5 * x.sum(axis=tuple(axis + 1 for axis in axes), keepdims=True)
    np.testing.assert_allclose(total((2, 3, 4), axes, 0.5).apply(x), expected, rtol=0, atol=EXACT)


def test_small_blocks_give_the_same(monkeypatch):
    convolution = Convolution(a(4, 1, 3), (2, 2, 5), (2,), ((1, 1),), (1,), 2)
    x, y = a(7, 2, 2, 5), a(7, 2, 4, 3)
    forward, back, matrix = convolution.apply(x), convolution.transpose(y), convolution.dense()
    monkeypatch.setattr("unbend.affine.maps.BLOCK", 1)
    monkeypatch.setattr("unbend.affine.convolution.BLOCK", 1)
    np.testing.assert_allclose(convolution.apply(x), forward, rtol=0, atol=EXACT)
    np.testing.assert_allclose(convolution.transpose(y), back, rtol=0, atol=EXACT)
    np.testing.assert_allclose(convolution.dense(), matrix, rtol=0, atol=EXACT)
