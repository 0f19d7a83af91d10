"""More columns than rows: ridge from the products of the rows, and coefficients of least norm as they are asked for."""

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge as SklearnRidge

import unbend
from unbend.cli import main
from unbend.errors import DataError, UsageError
from unbend.regression import FitState, Moments, fit, ridge
from unbend.regression.dual import dual_ridge
from unbend.regression.least_norm import least_norm_of_rows
from unbend.regression.moments import Block


def wide(n: int, p: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p)) * np.logspace(-2, 2, p) + rng.normal(size=p) * 10
    return x, x[:, :4] @ rng.normal(size=4) + rng.normal(size=n)


def least_norm(x: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """By NumPy: the slopes of least norm, with a free intercept."""
    counts = np.ones(len(y)) if weights is None else weights
    root = np.sqrt(counts)
    x = (x - np.average(x, axis=0, weights=counts)) * root[:, None]
    return np.linalg.lstsq(x, (y - np.average(y, weights=counts)) * root)[0]


@pytest.mark.parametrize("shape", [(30, 80), (60, 50), (40, 41)])
@pytest.mark.parametrize("strength", [0.7, "gcv", "loo"])
@pytest.mark.parametrize("options", [{}, {"standardise": False}, {"intercept": False}])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_dual_is_the_primal(shape: tuple[int, int], strength: float | str, options: dict, weighted: bool) -> None:
    x, y = wide(*shape)
    weights = np.random.default_rng(1).uniform(0.2, 3, shape[0]) if weighted else None
    rows = Block(x, y[:, None], weights)
    whole = Moments.about_origin(rows) if options.get("intercept") is False else Moments.of_block(rows)
    names = [f"x{j}" for j in range(shape[1])]
    primal = ridge(whole, strength, names, rows=rows, **options)
    dual = dual_ridge(rows, strength, names, **options)
    given = 1e-9 if options.get("standardise", True) else 1e-7
    tolerance = given if isinstance(strength, float) else 1e-4
    assert dual.strength == pytest.approx(primal.strength, rel=tolerance)
    assert np.allclose(dual.predict(x), primal.predict(x), rtol=tolerance, atol=tolerance)
    assert np.allclose(dual.coef, primal.coef, rtol=tolerance, atol=tolerance * np.abs(primal.coef).max())
    assert dual.effective_df == pytest.approx(primal.effective_df, rel=tolerance)
    assert dual.tss == pytest.approx(primal.tss, rel=1e-10)
    assert dual.names == primal.names


def test_leaving_one_out_of_the_dual() -> None:
    x, y = wide(12, 40)
    alpha = unbend.Ridge("loo").fit(x, y).alpha_

    def error(strength: float) -> float:
        left = [unbend.Ridge(strength).fit(np.delete(x, i, 0), np.delete(y, i)).predict(x[[i]])[0] for i in range(12)]
        return float(np.square(y - left).sum())

    assert error(alpha) <= (1 + 1e-5) * min(error(alpha * 0.9), error(alpha * 1.1))


def test_ten_thousand_columns_take_no_square_of_them() -> None:
    x, y = wide(100, 10_000)
    tracemalloc.start()
    model = unbend.Ridge("gcv").fit(x, y)
    slopes = unbend.LinearRegression(collinear="least norm").fit(x, y).coef_
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * x.nbytes < 10_000**2 * 8 / 5
    assert model.coef_.shape == (10_000,)
    assert np.allclose(slopes, least_norm(x, y), rtol=0, atol=1e-10 * np.abs(slopes).max())


def test_a_table_of_many_columns(tmp_path: Path) -> None:
    x, y = wide(50, 2500)
    np.savez(tmp_path / "wide.npz", X=x, y=y)
    found = fit(tmp_path / "wide.npz", "y", ridge="gcv")
    assert np.allclose(found.predict(x), unbend.Ridge("gcv", standardise=True).fit(x, y).predict(x), rtol=1e-9)
    with pytest.raises(DataError, match="50 rows cannot determine 2500 columns") as caught:
        fit(tmp_path / "wide.npz", "y")
    assert "--ridge auto" in caught.value.try_
    assert "--collinear least-norm" in caught.value.try_


@pytest.mark.parametrize("weighted", [False, True])
def test_least_norm_of_fewer_rows_than_columns(weighted: bool) -> None:
    x, y = wide(30, 70)
    weights = np.random.default_rng(1).uniform(0.2, 3, 30) if weighted else None
    model = unbend.LinearRegression(collinear="least norm").fit(x, y, weights)
    truth = least_norm(x, y, weights)
    assert np.allclose(model.coef_, truth, rtol=0, atol=1e-11 * np.abs(truth).max())
    assert model.rank_ == 29
    assert np.allclose(model.predict(x), y, rtol=1e-9)


def test_least_norm_through_the_origin() -> None:
    x, y = wide(20, 70)
    model = unbend.LinearRegression(fit_intercept=False, collinear="least norm").fit(x, np.column_stack([y, -y]))
    truth = np.linalg.lstsq(x, y)[0]
    assert np.allclose(model.coef_, [truth, -truth], rtol=0, atol=1e-11 * np.abs(truth).max())
    assert model.rank_ == 20
    assert list(model.intercept_) == [0, 0]


def test_rows_that_contradict_one_another() -> None:
    x, y = wide(20, 70)
    x, y = np.vstack([x, x]), np.append(y, y + 1)
    solution = least_norm_of_rows(Block(x, y[:, None]), [f"x{j}" for j in range(70)])
    assert np.allclose(solution.coef, least_norm(x, y), rtol=0, atol=1e-10 * np.abs(solution.coef).max())
    assert solution.rss == pytest.approx(20 * 0.5)
    assert solution.df_resid == 20


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
def test_least_norm_of_collinear_columns(intercept: bool, weighted: bool) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3)) * [1, 10, 0.1]
    x = np.column_stack([x[:, 0], x[:, 1], x[:, 0] - 2 * x[:, 1], x[:, 2], 3 * x[:, 2]])
    y = np.column_stack([x @ [1, 2, 3, 4, 5] + rng.normal(size=200), rng.normal(size=200)])
    weights = rng.uniform(0.1, 2, 200) if weighted else None
    model = unbend.LinearRegression(collinear="least norm", fit_intercept=intercept).fit(x, y, weights)
    root = np.ones(200) if weights is None else np.sqrt(weights)
    for j in range(2):
        plain = np.linalg.lstsq(x * root[:, None], y[:, j] * root)[0]
        truth = least_norm(x, y[:, j], weights) if intercept else plain
        assert np.allclose(model.coef_[j], truth, rtol=1e-9, atol=1e-11)
    assert model.rank_ == 3
    dropped = unbend.LinearRegression(collinear="drop", fit_intercept=intercept).fit(x, y, weights)
    assert np.allclose(model.predict(x), dropped.predict(x), rtol=1e-9, atol=1e-9)
    ours, theirs = model.inference()[0], dropped.inference()[0]
    assert (ours.rss, ours.df_resid, ours.f) == pytest.approx((theirs.rss, theirs.df_resid, theirs.f), rel=1e-9)
    assert np.isnan(ours.se).all()
    pieces = unbend.LinearRegression(collinear="least norm", fit_intercept=intercept)
    for rows in (slice(0, 90), slice(90, 200)):
        pieces.partial_fit(x[rows], y[rows], None if weights is None else weights[rows])
    assert np.allclose(pieces.coef_, model.coef_, rtol=1e-9, atol=1e-11)


def test_independent_columns_are_as_ever() -> None:
    x, y = wide(100, 4)
    plain, asked = unbend.LinearRegression().fit(x, y), unbend.LinearRegression(collinear="least norm").fit(x, y)
    assert np.array_equal(plain.coef_, asked.coef_)
    assert np.array_equal(plain.inference().se, asked.inference().se)


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.normal(size=(40, 3)), columns=["a", "b", "y"])
    return rows.assign(both=rows.a + rows.b)


def test_a_fit_of_least_norm_says_what_it_is(frame: pd.DataFrame) -> None:
    found = fit(frame, "y", collinear="least norm")
    assert found.least_norm
    assert np.allclose(found.coef, least_norm(frame[["a", "b", "both"]].to_numpy(), frame["y"].to_numpy()), rtol=1e-10)
    text = " ".join(str(found).split())
    assert "Coefficients of least norm" in text
    assert "3 columns have 2 directions that these rows determine" in text
    assert "Follows from the others: both = a + b." in text
    assert found.df_resid == 37
    assert found.f == pytest.approx(fit(frame, "y", collinear="drop").f)
    assert "standard errors" not in found.to_latex()
    state = FitState.of(frame[:20], "y").more(frame[20:])
    assert np.allclose(state.fit(collinear="least norm").coef, found.coef, rtol=1e-10)


def test_a_fit_without_a_residual_says_so(frame: pd.DataFrame) -> None:
    found = fit(frame[:3], "y", collinear="least norm")
    assert "3 rows cannot contradict 3 columns" in " ".join(str(found).split())
    assert found.to_dict()["sigma"] is None
    assert found.f is None
    assert np.allclose(found.predict(frame[["a", "b", "both"]][:3].to_numpy()), frame["y"][:3])


def test_least_norm_has_no_covariance_to_choose(frame: pd.DataFrame) -> None:
    with pytest.raises(UsageError, match="no standard errors"):
        fit(frame, "y", collinear="least norm", covariance="HC3")


@pytest.mark.parametrize("options", [{"ridge": 1.0}, {"collinear": "least norm"}])
def test_what_few_rows_must_have(frame: pd.DataFrame, options: dict) -> None:
    with pytest.raises(DataError, match="the target y is the same in every row"):
        fit(frame[:3].assign(y=1.5), "y", **options)
    with pytest.raises(DataError, match="b are too large to be squared"):
        fit(frame[:3].assign(b=frame.b * 1e200), "y", **options)


def test_on_the_command_line(frame: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    frame.to_csv(tmp_path / "rows.csv", index=False)
    assert main(["fit", str(tmp_path / "rows.csv"), "--target", "y", "--collinear", "least-norm", "--json"]) == 0
    assert "least norm" in json.loads(capsys.readouterr().out)["method"]


@pytest.mark.parametrize("options", [{"ridge": 0.7}, {"collinear": "least norm"}])
def test_rows_of_weight_0_do_not_count(options: dict) -> None:
    rng = np.random.default_rng(5)
    rows = pd.DataFrame(rng.normal(size=(40, 13)), columns=[*"abcdefghijkl", "y"]).assign(w=rng.uniform(1, 2, 40))
    some = rows.assign(w=np.where(np.arange(40) < 8, rows.w, 0.0))
    found, without = (fit(part, "y", weights="w", **options) for part in (some, rows[:8]))
    np.testing.assert_allclose(found.coef, without.coef, rtol=1e-10)
    assert (found.n, without.n) == (8, 8)


def test_few_rows_through_the_origin() -> None:
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=(8, 12)), rng.normal(size=8)
    rows = pd.DataFrame(x, columns=[*"abcdefghijkl"]).assign(y=y)
    found = fit(rows, "y", intercept=False, collinear="least norm")
    np.testing.assert_allclose(found.coef, np.linalg.lstsq(x, y, rcond=None)[0], rtol=1e-10)
    spread = np.sqrt(np.square(x).mean(axis=0))
    other = SklearnRidge(0.7, fit_intercept=False).fit(x / spread, y)
    np.testing.assert_allclose(
        fit(rows, "y", intercept=False, ridge=0.7).coef, np.ravel(other.coef_) / spread, rtol=1e-10
    )


def test_rows_that_just_determine_the_coefficients(frame: pd.DataFrame) -> None:
    text = " ".join(str(fit(frame[["a", "b", "y"]][:3], "y", collinear="least norm")).split())
    assert "3 rows determine the coefficients and leave no residual" in text
    assert "Infinitely many" not in text


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
def test_columns_that_outnumber_the_rows_are_left_out(intercept: bool, weighted: bool) -> None:
    rng = np.random.default_rng(7)
    x, y = rng.normal(size=(30, 600)) + 1e4, rng.normal(size=(30, 2))
    x[:, 3] = x[:, 1] - 2 * x[:, 0]
    weights = rng.uniform(0.5, 2, 30) if weighted else None
    model = unbend.LinearRegression(fit_intercept=intercept, collinear="drop").fit(x, y, weights)
    kept = [j for j in range(30 + (not intercept)) if j != 3]
    root = np.ones(30) if weights is None else np.sqrt(weights)
    design = np.column_stack([np.ones(30), x[:, kept] - 1e4]) if intercept else x[:, kept]
    expected = np.linalg.lstsq(design * root[:, None], y * root[:, None])[0]
    assert np.allclose(model.coef_[:, kept], expected[intercept:].T, rtol=1e-6)
    assert np.count_nonzero(model.coef_[0]) == len(kept) == model.rank_
    assert model.dropped_[0] == "x3 = −2 x0 + x1"
    assert len(model.dropped_) == 600 - len(kept)
    with pytest.raises(DataError, match=f"{600 - len(kept)} of the columns follow"):
        unbend.LinearRegression(fit_intercept=intercept, collinear="error").fit(x, y, weights)
    with pytest.raises(UsageError, match="fewer rows than columns"):
        model.partial_fit(x, y)


def test_leaving_out_takes_no_square_of_the_columns() -> None:
    x, y = wide(60, 4000)
    tracemalloc.start()
    unbend.LinearRegression(collinear="drop").fit(x, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.4 * 8 * 4000**2


def test_what_many_columns_must_have() -> None:
    rng = np.random.default_rng(8)
    x, y = rng.normal(size=(10, 600)), rng.normal(size=10)
    with pytest.raises(ValueError, match="column x5, row 3"):
        unbend.LinearRegression().fit(np.where((np.arange(600) == 5) & (np.arange(10) == 3)[:, None], np.inf, x), y)
    with pytest.raises(DataError, match="x0 are too large to be squared"):
        unbend.LinearRegression().fit(x * 1e160, y)
    constant = unbend.LinearRegression(collinear="drop").fit(np.ones((10, 600)), y)
    assert constant.rank_ == 0
    assert constant.intercept_ == pytest.approx(y.mean())
    narrow = unbend.LinearRegression(collinear="drop").fit(x.astype(np.float32), y)
    assert np.allclose(narrow.predict(x.astype(np.float32)), y)
