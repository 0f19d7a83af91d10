"""Weights as they are stored, or still to be made."""

import ml_dtypes
import numpy as np
import pytest

from unbend.affine import Convolution, Dense, compose
from unbend.affine.numbers import DEEP, Unmade, numbers


def counted(shape: tuple[int, ...]) -> tuple[Unmade, list[int]]:
    calls: list[int] = []

    def make() -> np.ndarray:
        calls.append(1)
        return np.ones(shape)

    return Unmade(shape, make), calls


def test_a_product_is_priced_before_it_is_made() -> None:
    stored, calls = counted((3, 4))
    product = compose(Dense(np.ones((2, 3)), (1,)), Dense(stored, (1,)))
    assert product.cost.parameters == 8
    assert not calls
    np.testing.assert_array_equal(product.dense(), np.full((2, 4), 3.0))
    product.dense()
    assert calls == [1]


def test_factors_of_a_product_are_not_kept() -> None:
    stored, calls = counted((3, 3))
    for _ in range(2):
        numbers(Unmade((3, 3), np.negative, stored))
    assert calls == [1, 1]


def test_long_products_do_not_nest() -> None:
    whole = Dense(np.eye(2), (1,))
    for _ in range(40 * DEEP):
        whole = compose(Dense(np.eye(2), (1,)), whole)
    assert isinstance(whole, Dense)
    np.testing.assert_array_equal(whole.weight, np.eye(2))


@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16])
def test_the_algebra_is_in_float64_whatever_is_stored(dtype: type) -> None:
    rng = np.random.default_rng(0)
    one, other = (rng.normal(size=(5, 5)).astype(dtype) for _ in range(2))
    exact = other.astype(np.float64) @ one.astype(np.float64)
    product = compose(Dense(other, (1,)), Dense(one, (1,)))
    assert isinstance(product, Dense)
    np.testing.assert_allclose(product.weight, exact, rtol=1e-14)
    kernels = [w.reshape(5, 5, 1, 1) for w in (one, other)]
    first, second = (Convolution(k, (1, 5, 2, 2), (1, 1), ((0, 0), (0, 0)), (1, 1)) for k in kernels)
    both = compose(second, first)
    assert isinstance(both, Convolution)
    np.testing.assert_allclose(both.kernel[..., 0, 0], exact, rtol=1e-14)
