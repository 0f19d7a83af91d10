"""One reading of the rows for logistic regression: any blocks, compiled or not, any start give the same."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import sklearn.linear_model

from unbend import LogisticRegression
from unbend.errors import DataError
from unbend.regression import first_guess, likelihood, logistic, newton
from unbend.regression.axes import plain_axes
from unbend.regression.estimators.logistic_rows import numbered
from unbend.regression.likelihood import Reading, read
from unbend.regression.moments import Block, Moments


def rows(n: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4))
    y = (x @ rng.normal(size=(4, classes)) + rng.gumbel(size=(n, classes))).argmax(axis=1)
    return x * [1.0, 5.0, 0.1, 1.0] + [0.0, 1e6, 0.0, 3.0], y


def blocks_of(x: np.ndarray, y: np.ndarray, weights: np.ndarray | None, count: int) -> list[Block]:
    parts = np.array_split(np.arange(len(x)), count)
    return [Block(x[at], y[at, None].astype(float), None if weights is None else weights[at]) for at in parts]


def same(one: Reading, other: Reading, tolerance: float) -> None:
    for name in ("loss", "gradient", "hessian", "counts", "n", "largest", "lightest"):
        left, right = np.asarray(getattr(one, name)), np.asarray(getattr(other, name))
        np.testing.assert_allclose(left, right, rtol=0, atol=tolerance * np.abs(right).max(), err_msg=name)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("plain", [True, False])
def test_any_blocks_compiled_or_not(monkeypatch, classes: int, weighted: bool, plain: bool) -> None:
    x, y = rows(3000, classes)
    weights = np.random.default_rng(1).gamma(2.0, size=len(x)) if weighted else None
    whole = blocks_of(x, y, weights, 1)
    axes = plain_axes(Moments.of_block(whole[0]), list("abcd"), lambda: whole, "error", True)
    if not plain:
        object.__setattr__(axes, "condition", 1e6)
    gamma = np.random.default_rng(2).normal(size=(classes - 1, 5)) * len(x) ** 0.5
    found = read(axes, lambda: whole, gamma)
    same(read(axes, lambda: blocks_of(x, y, weights, 7), gamma), found, 1e-13)
    monkeypatch.setattr(likelihood, "compiled_odds", lambda *sizes: False)
    same(read(axes, lambda: blocks_of(x, y, weights, 3), gamma), found, 1e-10 if plain else 1e-13)
    assert read(axes, lambda: whole, gamma, hessian=False).hessian is None
    assert pickle.loads(pickle.dumps(found)).n == 3000  # a worker sends it


@pytest.mark.parametrize("classes", [2, 3])
def test_the_same_fit_without_the_compiled_pass(monkeypatch, classes: int) -> None:
    x, y = rows(20_000, classes)
    compiled = LogisticRegression(0.0).fit(x, y)
    monkeypatch.setattr(likelihood, "compiled_odds", lambda *sizes: False)
    plain = LogisticRegression(0.0).fit(x, y)
    np.testing.assert_allclose(plain.coef_, compiled.coef_, rtol=1e-11)
    np.testing.assert_allclose(plain.solution_.standard_errors, compiled.solution_.standard_errors, rtol=1e-8)


@pytest.mark.parametrize("order", ["as they come", "sorted by class", "sorted by a column"])
@pytest.mark.parametrize("classes", [2, 3])
def test_the_gradient_vanishes_whatever_rows_it_starts_from(monkeypatch, order: str, classes: int) -> None:
    monkeypatch.setattr(first_guess, "SMALL", 0)
    x, y = rows(20_000, classes)
    at = {"as they come": slice(None), "sorted by class": np.argsort(y), "sorted by a column": np.argsort(x[:, 0])}
    x, y = x[at[order]], y[at[order]]
    model = LogisticRegression(0.0).fit(x, y)
    residuals = model.predict_proba(x) - np.eye(classes)[y]
    centred = (x - x.mean(axis=0)) / x.std(axis=0)
    assert np.abs(residuals.mean(axis=0)).max() < 1e-14
    assert np.abs(centred.T @ residuals).max() / len(x) < 1e-13
    assert model.n_iter_ <= 7


def test_float32_rows_are_read_as_they_are() -> None:
    x, y = rows(3000, 2)
    narrow = x.astype(np.float32)
    model = LogisticRegression(0.0).fit(narrow, y)
    np.testing.assert_array_equal(model.coef_, LogisticRegression(0.0).fit(narrow.astype(float), y).coef_)
    np.testing.assert_allclose(model.predict_proba(narrow), model.predict_proba(narrow.astype(float)), rtol=1e-12)


@pytest.mark.parametrize(
    "y",
    [
        [3, 3, 7, 3],
        [-5, 2, 2, 9],
        [10**12, 0, 5],
        [True, False, True],
        ["no", "yes", "no"],
        ["a", "c", "b", "a"],
        [1.0, 0.0, 1.0],
        [2.0, 0.0, 1.0],
        np.array([200, 100, 150], np.uint8),
        np.array([-128, 127, 5], np.int8),
        np.array(["u", "v"], object),
        [4, 4],
    ],
)
def test_numbers_of_classes(y) -> None:
    classes, numbers = numbered(np.asarray(y))
    expected, at = np.unique(y, return_inverse=True)
    np.testing.assert_array_equal(classes, expected)
    np.testing.assert_array_equal(numbers, at)


@pytest.mark.parametrize("y", [[0.5, 1.5, 0.5], [0.1, 1.0, 2.0, 3.0]])
def test_numbers_that_are_no_classes(y) -> None:
    with pytest.raises(ValueError, match="continuous"):
        numbered(np.asarray(y))


@pytest.fixture
def readings(monkeypatch) -> list[int]:
    """How many rows each reading saw, of samples too."""
    seen: list[int] = []

    def counted(*arguments, **options) -> Reading:
        found = read(*arguments, **options)
        seen.append(found.n)
        return found

    monkeypatch.setattr(newton, "read", counted)
    return seen


def with_a_rare_level(x: np.ndarray, y: np.ndarray) -> None:
    """A level of which the sample has one row, which seems to give its class away."""
    at = [10, *(np.arange(15) * 16_536 + 8000)]  # the sample is of stretches of 1953 rows, 16 536 apart
    x[:, 3], y[at] = 0.0, np.arange(16) % 2
    x[at, 3] = 1.0


@pytest.mark.parametrize("rare", [False, True])
def test_few_readings_of_all_rows(readings: list[int], rare: bool) -> None:
    x, y = rows(250_000, 2)
    if rare:
        with_a_rare_level(x, y)
    LogisticRegression(0.0).fit(x, y)
    assert readings.count(len(x)) <= 4
    assert sum(readings) <= 4.5 * len(x)


def another_last_digit(found: Reading, rng: np.random.Generator) -> Reading:
    """What another processor or another order of the sums would give: all sums moved by about their last digit."""

    def moved(sums: np.ndarray, size: np.ndarray) -> np.ndarray:
        return sums + np.finfo(float).eps * size * rng.normal(size=sums.shape)

    loss, gradient = np.asarray(found.loss), found.gradient
    found = replace(found, loss=float(moved(loss, loss)), gradient=moved(gradient, np.abs(gradient)))
    if found.hessian is None:
        return found
    flat = found.hessian.reshape(gradient.size, -1)
    root = np.sqrt(np.abs(np.diag(flat)))
    flat = moved(flat, np.outer(root, root))
    return replace(found, hessian=((flat + flat.T) / 2).reshape(found.hessian.shape))


@pytest.mark.parametrize("rare", [False, True])
def test_readings_do_not_hang_on_the_last_digits(monkeypatch, rare: bool) -> None:
    """With a level that no row of the first samples has, rounding said whether the Hessian was positive."""
    x, y = rows(250_000, 2)
    if rare:
        with_a_rare_level(x, y)
    taken = set()
    for seed in range(8):
        seen, rng = [], np.random.default_rng(seed)

        def near(*arguments, seen=seen, rng=rng, **options) -> Reading:
            seen.append(read(*arguments, **options))
            return another_last_digit(seen[-1], rng)

        monkeypatch.setattr(newton, "read", near)
        LogisticRegression(0.0).fit(x, y)
        taken.add(tuple(one.n for one in seen))
    assert len(taken) == 1


def test_a_guess_that_is_far_off_does_no_harm(monkeypatch) -> None:
    """From coefficients where every row seems sure of its class Newton's method does not come back."""
    x, y = rows(3000, 2)
    expected = LogisticRegression(0.0).fit(x, y)
    far = newton.Start(np.full((1, 5), -1e7), np.eye(5))
    monkeypatch.setattr(logistic, "first_guess", lambda *_: far)
    np.testing.assert_allclose(LogisticRegression(0.0).fit(x, y).coef_, expected.coef_, rtol=1e-12)


@pytest.mark.parametrize("column", ["the score", "a level"])
def test_separation_is_suspected_soon(readings: list[int], column: str) -> None:
    x, y = rows(3000, 2)
    x[:, 3] = (np.arange(len(x)) % 3 == 0) if column == "a level" else y + np.sin(np.arange(len(x)))
    y = np.where(x[:, 3] == 1, 1, y) if column == "a level" else x[:, 3] + 0.1 * x[:, 0] > 0.5
    with pytest.raises(DataError, match="told apart without error"):
        LogisticRegression(0.0).fit(x, y)
    assert len(readings) <= 20


def test_strong_columns_are_not_suspected(monkeypatch) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30_000, 3))
    y = x @ [8.0, -8.0, 8.0] + rng.logistic(size=len(x)) > 0
    monkeypatch.setattr(logistic, "refuse_separation", None)
    model = LogisticRegression(0.0).fit(x, y)
    residual = model.predict_proba(x)[:, 1] - y
    assert np.abs(x.T @ residual).max() / len(x) < 1e-14


@pytest.mark.parametrize("alpha", [0.0, 50.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_weights_and_a_penalty_from_a_sample(monkeypatch, alpha: float, weighted: bool) -> None:
    monkeypatch.setattr(first_guess, "SMALL", 0)
    x, y = rows(20_000, 2)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    weights = np.random.default_rng(5).gamma(0.5, size=len(x)) if weighted else None
    model = LogisticRegression(alpha).fit(x, y, weights)
    expected = sklearn.linear_model.LogisticRegression(
        C=np.inf if alpha == 0 else 1 / alpha, solver="newton-cholesky", tol=1e-12
    ).fit(x, y, weights)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-8)
    np.testing.assert_allclose(model.intercept_, expected.intercept_, rtol=1e-8)
    assert model.n_iter_ <= 6


def test_a_weak_penalty_on_separated_classes() -> None:
    """The way is long and each Hessian serves for one step at most beside its own."""
    x = np.linspace(-2.0, 2.0, 29)[:, None]
    y = (x[:, 0] > -0.3).astype(int)
    for alpha in (1e-2, 1e-5, 1e-8):
        model = LogisticRegression(alpha).fit(x, y)
        residual = model.predict_proba(x)[:, 1] - y
        pull = alpha * model.coef_[0, 0]
        assert abs(residual.sum()) < 1e-9 * pull
        assert abs(residual @ x[:, 0] + pull) < 1e-9 * pull
        assert model.n_iter_ < 40


@pytest.mark.parametrize("alpha", [1.0, 1e-2, 1e-4])
def test_a_penalty_that_is_next_to_nothing(alpha: float) -> None:
    """Columns in small units: a Hessian that served for more than one step beside its own would go on for ever."""
    x = 1e6 * np.linspace(-2.0, 2.0, 29)[:, None]
    y = (x[:, 0] > -3e5).astype(int)
    model = LogisticRegression(alpha).fit(x, y)
    residual = np.where(y == 1, -1.0, 1.0) * model.predict_proba(x)[np.arange(29), 1 - y]
    pull = alpha * model.coef_[0, 0]
    assert abs(residual @ x[:, 0] + pull) < 1e-8 * pull
    assert model.n_iter_ < 50
