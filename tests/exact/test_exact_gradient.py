"""One reading in two parts, against exact fractions."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unbend.exact import Double, Gradient, compiled, gradient

pytestmark = pytest.mark.usefixtures("implementation")


@dataclass(frozen=True)
class Case:
    x: np.ndarray
    y: np.ndarray
    intercept: Double
    coef: Double
    weights: np.ndarray | None = None
    x_low: np.ndarray | None = None
    y_low: np.ndarray | None = None

    def found(self, **more: np.ndarray) -> Gradient:
        lows = {"x_low": self.x_low, "y_low": self.y_low}
        return gradient(self.x, self.y, self.intercept, self.coef, self.weights, **lows, **more)


def exact(values: np.ndarray, low: np.ndarray | None = None) -> np.ndarray:
    whole = np.array([*map(Fraction, values.astype(float).flat), None], dtype=object)[:-1].reshape(values.shape)
    return whole if low is None else whole + exact(low)


def sums(case: Case) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The exact sums, and the sums of the sizes of what is added up."""
    x, y, coef = exact(case.x, case.x_low), exact(case.y, case.y_low), case.coef.fractions()
    w = exact(np.ones(len(x)) if case.weights is None else case.weights)[:, None]
    zero = np.full((len(x), len(case.intercept)), Fraction(0))
    r = y - case.intercept.fractions() - (x @ coef if x.size else zero)
    size = abs(y) + abs(case.intercept.fractions()) + (abs(x) @ abs(coef) if x.size else zero)
    ones = [(w * r).sum(axis=0), x.T @ (w * r), (w * r * r).sum(axis=0)]
    sizes = [(w * size).sum(axis=0), abs(x).T @ (w * size), (w * size * size).sum(axis=0)]
    return ones, sizes


def random_case(draw: st.DrawFn, rng: np.random.Generator) -> Case:
    n, p, k = draw(st.integers(0, 40)), draw(st.integers(0, 20)), draw(st.integers(0, 3))
    scale = 10.0 ** draw(st.sampled_from([-100, -8, 0, 8, 100]))
    x = rng.normal(size=(n, p)) * scale * 10.0 ** rng.integers(-3, 3, p)
    coef = Double.of(rng.normal(size=(p, k)), rng.normal(size=(p, k)) * 1e-17)
    y, intercept = rng.normal(size=(n, k)) * scale, Double.of(rng.normal(size=k) * scale)
    weights = rng.gamma(2.0, size=n) if draw(st.booleans()) else None
    lows = {}
    if draw(st.booleans()):
        lows = {"x_low": x * rng.uniform(-1e-16, 1e-16, x.shape), "y_low": y * rng.uniform(-1e-16, 1e-16, y.shape)}
    case = Case(x, y, intercept, coef, weights, **lows)
    return laid_out(case, draw(st.sampled_from(["C", "F", "strided", "float32"])))


def laid_out(case: Case, how: str) -> Case:
    parts = {name: getattr(case, name) for name in ("x", "y", "x_low", "y_low")}
    change = {
        "C": np.ascontiguousarray,
        "F": np.asfortranarray,
        "strided": lambda a: np.repeat(np.repeat(a, 2, axis=0), 3, axis=1)[::2, ::-3],
        "float32": lambda a: np.clip(a, -1e30, 1e30).astype(np.float32),
    }[how]
    if how == "float32":
        parts |= {"x_low": None, "y_low": None}
    moved = {name: None if part is None else change(part) for name, part in parts.items()}
    return Case(intercept=case.intercept, coef=case.coef, weights=case.weights, **moved)


cases = st.composite(lambda draw: random_case(draw, np.random.default_rng(draw(st.integers(0, 10**6)))))()


@given(cases)
def test_sums_are_those_of_exact_arithmetic(case: Case) -> None:
    ones, sizes = sums(case)
    found = case.found()
    for have, want, size in zip((found.total, found.cross, found.squares), ones, sizes, strict=True):
        assert have.shape == want.shape
        for a, b, most in zip(have.fractions().flat, want.flat, size.flat, strict=True):
            assert abs(a - b) <= most * Fraction(1, 2**98)


@given(cases)
def test_residuals_are_rounded_once(case: Case) -> None:
    residuals = np.full(case.y.shape, np.nan)
    case.found(residuals=residuals)
    x, coef = exact(case.x, case.x_low), case.coef.fractions()
    want = exact(case.y, case.y_low) - case.intercept.fractions() - (x @ coef if x.size else 0)
    for a, b, y in zip(residuals.flat, want.flat, case.y.flat, strict=True):
        assert abs(Fraction(a) - b) <= abs(b) * Fraction(1, 2**52) + Fraction(1, 2**96) * Fraction(float(abs(y)))


def test_blocks_add_up() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(9000, 7)) + 1e8, rng.normal(size=(9000, 2))
    coef, intercept = Double.of(rng.normal(size=(7, 2))), Double.of(rng.normal(size=2))
    whole = gradient(x, y, intercept, coef)
    parts = [gradient(x[a:b], y[a:b], intercept, coef) for a, b in ((0, 5000), (5000, 5001), (5001, 9000))]
    merged = parts[0] + parts[1] + parts[2]
    for name in ("total", "cross", "squares"):
        np.testing.assert_array_equal(getattr(merged, name).hi, getattr(whole, name).hi)


def test_without_a_target_it_is_zero() -> None:
    rng = np.random.default_rng(1)
    x, coef = rng.normal(size=(50, 3)), Double.of(rng.normal(size=(3, 4)))
    one = gradient(x, None, Double.zeros(4), coef)
    other = gradient(x, np.zeros((50, 4)), Double.zeros(4), coef)
    np.testing.assert_array_equal(one.cross.hi, other.cross.hi)


def test_numbers_that_are_not_finite_give_nan_where_they_take_part() -> None:
    x, y = np.ones((20, 2)), np.ones((20, 2))
    y[3, 1] = np.inf
    found = gradient(x, y, Double.zeros(2), Double.zeros((2, 2)))
    assert np.isfinite(found.cross.hi[:, 0]).all()
    assert np.isnan(found.cross.hi[:, 1]).all()
    assert np.isnan([found.total.hi[1], found.squares.lo[1]]).all()
    x[5, 0] = np.nan
    found = gradient(x, np.ones((20, 1)), Double.zeros(1), Double.zeros((2, 1)))
    assert np.isnan(found.cross.hi).all()


@pytest.mark.parametrize("p", [1, 3, 9, 33, 130, 2100])
def test_many_rows_or_many_columns_give_the_digits_of_numpy(p: int) -> None:
    rng = np.random.default_rng(p)
    n = 3000 if p < 100 else 70
    x, y, coef = rng.normal(size=(n, p)) + 1e6, rng.normal(size=(n, 1)), Double.of(rng.normal(size=(p, 1)))
    found = gradient(x, y, Double.of([0.5]), coef)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "passes", None)
        expected = gradient(x, y, Double.of([0.5]), coef)
    for name in ("total", "cross", "squares"):
        np.testing.assert_array_equal(getattr(found, name).hi, getattr(expected, name).hi)
