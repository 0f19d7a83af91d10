"""Products of shifted columns in one reading, against exact fractions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unbend.exact import products

pytestmark = pytest.mark.usefixtures("implementation")

LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "strided": lambda a: np.repeat(np.repeat(a, 2, axis=0), 3, axis=1)[::2, ::-3][:, ::-1],
    "backwards": lambda a: np.ascontiguousarray(a[::-1])[::-1],
    "cut": lambda a: np.hstack([a, np.full((len(a), 3), np.nan)])[:, : a.shape[1]],
    "float32": lambda a: a.astype(np.float32),
    "float32 F": lambda a: np.asfortranarray(a.astype(np.float32)),
    "int": lambda a: np.rint(a).astype(np.int64),
    "big-endian": lambda a: a.astype(">f8"),
}


@given(
    st.integers(0, 30),
    st.integers(0, 20),
    st.integers(0, 3),
    st.sampled_from([1e-60, 1.0, 1e8]),
    st.sampled_from(sorted(LAYOUTS)),
    st.booleans(),
    st.integers(0, 10**6),
)
def test_products_are_those_of_exact_arithmetic(
    n: int, p: int, k: int, scale: float, layout: str, weighted: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    scale = 1.0 if layout in ("int", "float32", "float32 F") else scale
    x, y = LAYOUTS[layout](rng.normal(size=(n, p)) * scale), rng.normal(size=(n, k)) * scale
    shift, weights = rng.normal(size=p + k) * scale, rng.gamma(2.0, size=n) if weighted else None
    before = x.copy()
    sums, found = products(x, y, shift, weights)
    np.testing.assert_array_equal(x, before)
    moved = exact(np.hstack([x.astype(float), y])) - exact(shift)
    weighed = moved if weights is None else moved * exact(weights)[:, None]
    assert_close(sums, weighed.sum(axis=0), abs(weighed).sum(axis=0))
    assert_close(found, moved.T @ weighed, abs(moved).T @ abs(weighed))
    np.testing.assert_array_equal(found, found.T)


def exact(values: np.ndarray) -> np.ndarray:
    return np.array([*map(Fraction, values.flat), None], dtype=object)[:-1].reshape(values.shape)


def assert_close(found: np.ndarray, expected: np.ndarray, size: np.ndarray) -> None:
    assert found.shape == expected.shape
    for have, want, most in zip(found.flat, expected.flat, size.flat, strict=True):
        assert abs(Fraction(have) - want) <= 40 * Fraction(1, 2**53) * most


@pytest.mark.parametrize("p", [7, 8, 15, 16, 23, 40, 97, 500])
@pytest.mark.parametrize("layout", ["C", "F", "float32", "cut"])
def test_many_rows_and_columns(p: int, layout: str) -> None:
    rng = np.random.default_rng(p)
    n = 2001 if p < 100 else 900
    x, y, weights = LAYOUTS[layout](rng.normal(size=(n, p))), rng.normal(size=(n, 1)), rng.gamma(2.0, size=n)
    z = np.hstack([x, y])
    for given_, w in ((None, np.ones(n)), (weights, weights)):
        sums, found = products(x, y, np.full(p + 1, 0.5), given_)
        np.testing.assert_allclose(sums, w @ (z - 0.5), atol=1e-11)
        np.testing.assert_allclose(found, (z - 0.5).T @ ((z - 0.5) * w[:, None]), atol=1e-10)


def test_what_is_not_finite_stays_in_its_columns() -> None:
    x = np.ones((500, 11))
    x[77, 3], x[400, 9] = np.inf, np.nan
    with np.errstate(invalid="ignore"):
        sums, found = products(x, x[:, :1], np.zeros(12))
    wrong = np.isin(np.arange(12), [3, 9])
    assert not np.isfinite(sums[wrong]).any()
    assert not np.isfinite(np.diag(found)[wrong]).any()
    assert np.isfinite(sums[~wrong]).all()
    assert np.isfinite(found[np.ix_(~wrong, ~wrong)]).all()


def test_numbers_across_the_words_of_memory() -> None:
    z = np.frombuffer(bytes(4) + np.arange(1.0, 7.0).tobytes(), np.float64, offset=4).reshape(3, 2)
    assert not z.flags.aligned
    sums, moments = products(z, z[:, :1], np.append(z[0], z[0, 0]), z[:, 0])
    same = products(z.copy(), z[:, :1].copy(), np.append(z[0], z[0, 0]), z[:, 0].copy())
    assert np.array_equal(sums, same[0])
    assert np.array_equal(moments, same[1])
