"""Estimators that go on with more rows: always what one fit of the rows that count gives."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from sklearn.linear_model import Ridge
from sklearn.utils.estimator_checks import estimator_checks_generator

import unbend
from unbend.errors import DataError, UsageError
from unbend.regression.estimators.rolling_regression import RollingRegression
from unbend.regression.summary import table_of

RNG = np.random.default_rng(0)
N = 600
X = RNG.normal(size=(N, 4)) * [1, 1e-3, 1e4, 1] + [0, 5, 1.6e9, 0]
Y = np.column_stack([X @ [1, 200, 1e-4, 0], X @ [0, 3, 0, 1]]) + RNG.normal(size=(N, 2))
W = RNG.uniform(0.1, 5, N)
W[::50] = 0
MODELS = [
    unbend.LinearRegression(),
    unbend.LinearRegression(fit_intercept=False),
    unbend.Ridge(3.0),
    unbend.Ridge("gcv", standardise=True),
    unbend.Ridge(2.0, fit_intercept=False),
]


def copy_of(model):
    return type(model)(**model.get_params())


def same(a, b, digits: float = 1e-13) -> bool:
    """Whether coefficients and predictions of two models agree to so many digits."""
    coef = np.allclose(a.coef_, b.coef_, rtol=digits, atol=0)
    return coef and np.allclose(a.predict(X), b.predict(X), rtol=digits, atol=digits)


@pytest.mark.parametrize("weights", [None, W], ids=["plain", "weighted"])
@pytest.mark.parametrize("target", [Y[:, 0], Y], ids=["one", "two"])
@pytest.mark.parametrize("model", MODELS, ids=str)
def test_partial_fit_gives_the_fit_of_all_rows(model, target: np.ndarray, weights: np.ndarray | None) -> None:
    whole, pieces = copy_of(model).fit(X, target, weights), copy_of(model)
    for rows in np.split(np.arange(N), [100, 101, 350]):
        if weights is None or weights[rows].any():
            pieces.partial_fit(X[rows], target[rows], None if weights is None else weights[rows])
    if isinstance(model, unbend.LinearRegression):
        assert same(whole, pieces)
    else:
        assert np.allclose(whole.alpha_, pieces.alpha_, rtol=1e-4)
        assert np.allclose(whole.predict(X), pieces.predict(X), rtol=1e-7, atol=0)


def test_inference_of_pieces() -> None:
    whole = unbend.LinearRegression().fit(X, Y[:, 0], W).inference()
    pieces = unbend.LinearRegression()
    for rows in np.split(np.arange(N), 5):
        pieces.partial_fit(X[rows], Y[rows, 0], W[rows])
    found = pieces.inference()
    assert np.allclose(found.se, whole.se, rtol=1e-13, atol=0)
    assert found.r2 == pytest.approx(whole.r2, rel=1e-14)
    assert found.df_resid == whole.df_resid


@pytest.mark.parametrize("weights", [None, W, np.where(np.arange(N) < 300, 1e4, 2e4)], ids=["plain", "W", "large"])
@pytest.mark.parametrize("how", ["fit", "pieces", "window"])
def test_likelihood_of_weighted_rows(weights: np.ndarray | None, how: str) -> None:
    x, y, model = X[:, :2], Y[:, 0], unbend.LinearRegression()
    expected = sm.WLS(y[W > 0], sm.add_constant(x[W > 0]), weights=1 if weights is None else weights[W > 0]).fit()
    rows = [np.flatnonzero(W > 0)] if how == "fit" else np.split(np.flatnonzero(W > 0), [100, 101, 350])
    if how == "window":
        model, rows = RollingRegression(len(expected.resid)), [rows[2], *rows]
    for some in rows:
        step = model.fit if how == "fit" else model.partial_fit
        step(x[some], y[some], None if weights is None else weights[some])
    found = model.inference()
    assert found.log_likelihood == pytest.approx(expected.llf, rel=1e-12)
    assert found.sigma**2 == pytest.approx(
        expected.mse_resid / (1 if weights is None else weights[W > 0].mean()), rel=1e-9
    )


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("how", ["fit", "pieces", "few rows"])
def test_inference_of_a_weighted_ridge(size: float, how: str) -> None:
    rows = np.flatnonzero(W > 0)[: 3 if how == "few rows" else None]
    x, y, w = (X / X.std(axis=0))[rows], Y[rows, 0], W[rows] * size
    model = unbend.Ridge(2.0 * size)
    for some in np.array_split(np.arange(len(rows)), 4) if how == "pieces" else [slice(None)]:
        (model.partial_fit if how == "pieces" else model.fit)(x[some], y[some], w[some])
    found, share = model.inference(), w / w.mean()
    assert np.allclose(model.coef_, Ridge(2.0 * size).fit(x, y, w).coef_, rtol=1e-6, atol=0)
    rss, n = share @ np.square(y - model.predict(x)), len(rows)
    assert found.sigma == pytest.approx(np.sqrt(rss / (n - model.effective_df_)), rel=1e-6)
    expected = np.log(share).sum() / 2 - n / 2 * (np.log(2 * np.pi * rss / n) + 1)
    assert found.log_likelihood == pytest.approx(expected, rel=1e-6)
    spread = np.sqrt(share @ np.square(x - share @ x / n) / n)
    effects = [row[2] for row in table_of(found).rows[1:]]
    assert np.allclose(effects, model.coef_ * spread, rtol=1e-6, atol=0)


def test_the_first_rows_may_be_few() -> None:
    model = unbend.LinearRegression(collinear="drop")
    for i in range(30):
        model.partial_fit(X[[i]], Y[[i], 0])
    assert same(model, unbend.LinearRegression().fit(X[:30], Y[:30, 0]), 1e-9)


def test_other_columns_or_targets_are_refused() -> None:
    model = unbend.LinearRegression().partial_fit(X[:50], Y[:50, 0])
    with pytest.raises(ValueError, match="features"):
        model.partial_fit(X[50:, :3], Y[50:, 0])
    with pytest.raises(ValueError, match="y has 2 targets"):
        model.partial_fit(X[50:], Y[50:])
    with pytest.raises(ValueError, match="y has 1 targets along a second axis"):
        model.partial_fit(X[50:], Y[50:, :1])
    named = unbend.LinearRegression().partial_fit(pd.DataFrame(X[:50], columns=list("abcd")), Y[:50, 0])
    with pytest.raises(ValueError, match="feature names"):
        named.partial_fit(pd.DataFrame(X[50:], columns=list("abdc")), Y[50:, 0])
    assert same(model.partial_fit(X[50:], Y[50:, 0]), unbend.LinearRegression().fit(X, Y[:, 0]))


def test_after_a_failure_the_model_is_as_before() -> None:
    model = unbend.LinearRegression(collinear="error").partial_fit(X[:50], Y[:50, 0])
    before = model.coef_
    with pytest.raises(DataError, match="too large to be squared"):
        model.partial_fit(np.full((1, 4), 1e200), [1.0])
    assert model.sums_.n == 50
    assert np.array_equal(model.coef_, before)


def test_numbers_that_are_not_finite_are_refused() -> None:
    model = unbend.LinearRegression().partial_fit(X[:50], Y[:50, 0])
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.partial_fit(np.full((1, 4), np.nan), [1.0])
    with pytest.raises(ValueError, match="Input y contains"):
        model.partial_fit(X[:1], [np.inf])


def test_single_precision() -> None:
    model = unbend.LinearRegression().partial_fit(X[:50].astype(np.float32), Y[:50, 0])
    assert same(model, unbend.LinearRegression().fit(X[:50].astype(np.float32).astype(float), Y[:50, 0]))


@pytest.mark.parametrize("weights", [None, W], ids=["plain", "weighted"])
@pytest.mark.parametrize("model", MODELS, ids=str)
def test_partial_fit_goes_on_from_fit(model, weights: np.ndarray | None) -> None:
    first, second = slice(0, 400), slice(400, 600)
    there = (lambda rows: None) if weights is None else (lambda rows: weights[rows])
    whole = copy_of(model).fit(X, Y, weights)
    model = copy_of(model).partial_fit(X[:9], Y[:9]).fit(X[first], Y[first], there(first))
    assert not hasattr(model, "sums_")
    model.partial_fit(X[second], Y[second], there(second))
    assert np.allclose(model.predict(X), whole.predict(X), rtol=1e-7, atol=0)
    if isinstance(model, unbend.LinearRegression):
        digits = 1e-13 if model.fit_intercept else 1e-8  # without one, means of 1e9 are a condition number of 1e4
        assert same(model, whole, digits)
        assert np.allclose(model.inference()[1].se, whole.inference()[1].se, rtol=10 * digits, atol=0)


def test_fewer_rows_than_columns_are_not_gone_on_from() -> None:
    model = unbend.LinearRegression(collinear="least norm").fit(X[:3], Y[:3, 0])
    with pytest.raises(UsageError, match="fewer rows than columns"):
        model.partial_fit(X, Y[:, 0])


def test_leave_one_out_needs_rows() -> None:
    assert not hasattr(unbend.Ridge("loo"), "partial_fit")


@pytest.mark.parametrize("step", [1, 7, 150])
@pytest.mark.parametrize("weights", [None, W], ids=["plain", "weighted"])
def test_a_window_is_the_fit_of_its_rows(step: int, weights: np.ndarray | None) -> None:
    model = RollingRegression(window=101, collinear="drop")
    for start in range(0, 420, step):
        rows = slice(start, start + step)
        if weights is None or weights[rows].any():
            model.partial_fit(X[rows], Y[rows], None if weights is None else weights[rows])
    stop = start + step
    kept = np.flatnonzero(W[:stop] > 0)[-101:] if weights is not None else np.arange(stop)[-101:]
    whole = unbend.LinearRegression().fit(X[kept], Y[kept], None if weights is None else weights[kept])
    assert same(model, whole)
    assert model.sums_.n == 101


def test_a_huge_row_that_has_left_costs_no_digits() -> None:
    x, y = X.copy(), Y[:, 0].copy()
    x[150], y[150] = 1e14, -1e15
    model = RollingRegression(window=100, collinear="drop")
    for i in range(0, 300, 10):
        model.partial_fit(x[i : i + 10], y[i : i + 10])
    assert same(model, unbend.LinearRegression().fit(x[200:300], y[200:300]))


def test_a_stream_that_drifts_away() -> None:
    x = np.cumsum(RNG.normal(size=(3000, 2)), axis=0) * 1e5
    y = x @ [1.0, 2.0] + RNG.normal(size=3000)
    model = RollingRegression(window=50, collinear="drop")
    for i in range(0, 3000, 50):
        model.partial_fit(x[i : i + 50] + i * 1e6, y[i : i + 50])
    whole = unbend.LinearRegression().fit(x[2950:] + 2950e6, y[2950:])
    assert np.allclose(model.coef_, whole.coef_, rtol=1e-13, atol=0)


def test_the_rows_of_the_caller_are_copied() -> None:
    x, y = X[:60].copy(), Y[:60, 0].copy()
    model = RollingRegression(window=50).partial_fit(x, y)
    x[:], y[:] = 0, 0
    model.partial_fit(X[60:80], Y[60:80, 0])
    assert same(model, unbend.LinearRegression().fit(X[30:80], Y[30:80, 0]))


@pytest.mark.parametrize("window", [1, 2.5, "ten"])
def test_a_window_is_a_number_of_rows(window) -> None:
    with pytest.raises(UsageError, match="the window must be"):
        RollingRegression(window).partial_fit(X, Y)


@pytest.mark.filterwarnings("ignore::unbend.regression.estimators.linear_regression.CollinearWarning")
@pytest.mark.parametrize(
    "check",
    [
        pytest.param(check, id=check.func.__name__)
        for _, check in estimator_checks_generator(RollingRegression(window=10_000))
        if check.func.__name__ != "check_array_api_input"
    ],
)
def test_scikit_learn_contract_of_a_window(check) -> None:
    check(RollingRegression(window=10_000))
