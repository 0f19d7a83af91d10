"""Sums that go on without their rows: merged, added to, taken from, saved; the digits are those of one fit of all."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import unbend
from unbend.cli import main
from unbend.errors import DataError, UsageError
from unbend.exact import Double
from unbend.regression import FitState, fit
from unbend.regression.from_sums import cholesky, from_sums
from unbend.regression.moments import Block
from unbend.regression.slices import ROWS, squares
from unbend.regression.sums import Sums

SETS = ["Norris", "Pontius", "Longley", "Wampler1", "Wampler3", "Wampler4", "Wampler5"]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """A time stamp, a category, a missing value, and columns of different units."""
    rng = np.random.default_rng(0)
    n = 3000
    rows = pd.DataFrame(
        {"time": 1.6e9 + 1e5 * rng.random(n), "rate": 1e-3 * rng.random(n), "age": rng.normal(40, 9, n)}
    )
    rows["region"] = rng.choice(["north", "south", "west"], n)
    rows["y"] = 2e-5 * (rows.time - 1.6e9) + 900 * rows.rate + 0.1 * rows.age + (rows.region == "west")
    rows["y"] += rng.normal(size=n)
    rows.loc[[5, 1700, 2999], "age"] = np.nan
    return rows


def far(a: unbend.FitState | object, b: object) -> float:
    """Largest relative difference of estimates, standard errors and sums of squares of two fits."""
    numbers = [
        [*(v for row in one.coefficients for v in (row.estimate, row.se)), one.rss, one.tss, one.r2] for one in (a, b)
    ]
    ours, theirs = map(np.array, numbers)
    return float(np.max(np.abs(ours / theirs - 1)))


@pytest.mark.parametrize("name", SETS)
def test_digits_of_merged_halves_are_those_of_the_exact_solution(nist, name: str) -> None:
    problem = nist.certified(name)
    exact = nist.exact(problem.x, problem.y)
    half = len(problem.x) // 2
    first = Sums.of(Block(problem.x[:half], problem.y[:half, None]))
    second = Sums.of(Block(problem.x[half:], problem.y[half:, None]))
    solution = from_sums(first + second, [f"x{j}" for j in range(problem.x.shape[1])])
    assert nist.digits([solution.intercept, *solution.coef], exact.estimates) >= 15
    assert nist.digits(solution.standard_errors, exact.errors) >= 14
    assert nist.digits(solution.rss**0.5, exact.sigma * solution.df_resid**0.5) >= 15 or exact.sigma < 1e-9


def test_products_are_right_to_26_digits() -> None:
    rng = np.random.default_rng(1)
    z = rng.normal(size=(ROWS + 7, 3)) * [1e-8, 1.0, 1e9] + rng.normal(size=3)
    exact = Double.of(z)[:, :, None] * Double.of(z)[:, None, :]
    got, error = squares(Double.of(z))
    wrong = np.abs((got - exact.sum(axis=0)).hi)
    size = np.diag(got.hi)
    assert (wrong <= 1e-26 * np.sqrt(np.outer(size, size))).all()
    assert (np.diag(wrong) <= error).all()


def test_a_factor_of_many_columns() -> None:
    x = np.random.default_rng(2).normal(size=(200, 130))
    matrix, _ = squares(Double.of(x))
    factor = cholesky(matrix)
    again, _ = squares(factor)
    assert np.abs((again - matrix).hi).max() < 1e-24


@pytest.mark.parametrize("cuts", [[1000], [1, 2, 700], list(range(100, 3000, 100))])
def test_pieces_give_the_fit_of_all_rows(frame: pd.DataFrame, cuts: list[int]) -> None:
    pieces = [frame.iloc[a:b] for a, b in zip([0, *cuts], [*cuts, len(frame)], strict=True)]
    state = FitState.of(frame, "y")
    state = state - state
    for piece in pieces:
        state = state.more(piece)
    whole = fit(frame, "y")
    assert far(state.fit(), whole) < 1e-13
    assert state.fit().notes[0] == whole.notes[0]
    assert (state.sums.n, state.n_read) == (2997, 3000)


def test_one_fit_of_all_rows_of_degree_2(frame: pd.DataFrame) -> None:
    state = FitState.of(frame[:2000], "y", degree=2, exclude=["time"]).more(frame[2000:])
    assert far(state.fit(), fit(frame, "y", degree=2, exclude=["time"])) < 1e-12


def test_merging_fits_of_different_shifts(frame: pd.DataFrame) -> None:
    rows = frame.sort_values("time")
    early, late = FitState.of(rows[:1500], "y"), FitState.of(rows[1500:], "y")
    assert not np.array_equal(early.sums.shift, late.sums.shift)
    assert far((early + late).fit(), fit(frame, "y")) < 1e-13


def test_rows_taken_away(frame: pd.DataFrame) -> None:
    state = FitState.of(frame, "y").without(frame[100:])
    assert far(state.fit(), fit(frame[:100], "y")) < 1e-12
    assert state.missing == {"age": 1}


def test_an_outlier_that_leaves_again_leaves_nothing_behind(frame: pd.DataFrame) -> None:
    wild = frame[:3].assign(age=1e12, y=-1e12)
    state = FitState.of(frame, "y").more(wild).without(wild)
    assert far(state.fit(), fit(frame, "y")) < 1e-9


def test_rows_that_are_not_there_cannot_be_taken_away(frame: pd.DataFrame) -> None:
    state = FitState.of(frame[:50], "y")
    with pytest.raises(DataError, match="cannot be taken away"):
        state.without(frame[50:200])


def test_ridge_from_sums(frame: pd.DataFrame) -> None:
    ours, whole = FitState.of(frame, "y").fit(ridge="gcv"), fit(frame, "y", ridge="gcv")
    assert ours.ridge == pytest.approx(whole.ridge, rel=1e-5)
    assert np.allclose(ours.coef, whole.coef, rtol=1e-6, atol=0)


def test_saved_and_loaded(frame: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "first.fit"
    state = FitState.of(frame[:2000], "y", degree=2)
    state.save(path)
    state.save(path)
    loaded = FitState.load(path)
    assert str(loaded.fit()) == str(state.fit())
    assert far(loaded.more(frame[2000:]).fit(), state.more(frame[2000:]).fit()) == 0
    assert path.stat().st_size < 40_000
    assert b"pickle" not in path.read_bytes()


def test_a_state_pickles(frame: pd.DataFrame) -> None:
    state = FitState.of(frame, "y")
    assert far(pickle.loads(pickle.dumps(state)).fit(), state.fit()) == 0


@pytest.mark.parametrize("content", [b"", b"PK\3\4 no archive", b"x,y\n1,2\n"])
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "other.fit"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"other\.fit is not a saved fit") as caught:
        FitState.load(path)
    assert "other.fit" not in caught.value.try_


def test_arrays_that_are_no_fit_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", unbend_fit=np.frombuffer(b'{"version": 2}', np.uint8))
    with pytest.raises(DataError, match="not a saved fit"):
        FitState.load(tmp_path / "x.npz")
    np.savez(tmp_path / "x.npz", unbend_fit=np.frombuffer(b'{"version": 1}', np.uint8))
    with pytest.raises(DataError, match="another version"):
        FitState.load(tmp_path / "x.npz")


def test_a_saved_fit_is_not_written_over_a_file_of_somebody_else(frame: pd.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(UsageError, match="unbend did not make it"):
        fit(frame, "y", save=tmp_path / "notes")
    fit(frame, "y", save=tmp_path / "notes", force=True)
    assert FitState.load(tmp_path / "notes").target == "y"


def test_a_file_that_comes_again_is_named(frame: pd.DataFrame, tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        frame.to_csv(tmp_path / name, index=False)
    kept = tmp_path / "both.fit"
    fit(tmp_path / "a.csv", "y", save=kept)
    assert not any("already" in note for note in fit(tmp_path / "b.csv", "y", update=kept, save=kept).notes)
    again = "b.csv is in this fit already: its rows are counted again, unless it is another file."
    assert fit(tmp_path / "b.csv", "y", update=kept, save=kept).notes.count(again) == 1
    assert fit(tmp_path / "b.csv", "y", update=kept).notes.count(again) == 1
    assert not any("already" in note for note in FitState.of(frame, "y").more(frame).notes)


def test_fits_of_different_columns_are_not_merged(frame: pd.DataFrame) -> None:
    state = FitState.of(frame, "y")
    with pytest.raises(UsageError, match="different columns") as caught:
        state + FitState.of(frame.drop(columns="age"), "y")
    assert "one has the columns time, rate, age" in caught.value.where
    with pytest.raises(UsageError, match="different columns") as caught:
        state + FitState.of(frame[frame.region != "west"], "y")
    assert caught.value.where == "region has the levels north, south, west, the other north, south"
    with pytest.raises(UsageError, match="different columns"):
        state + FitState.of(frame, "age")


def test_more_rows_need_the_same_columns_and_levels(frame: pd.DataFrame) -> None:
    state = FitState.of(frame, "y")
    with pytest.raises(DataError, match="lacks 1 of the columns"):
        state.more(frame.drop(columns="age"))
    with pytest.raises(DataError, match="region has a level that the fitted rows did not have: east"):
        state.more(frame.assign(region="east"))


@pytest.mark.parametrize("options", [{"covariance": "HC3"}, {"cluster": "region"}, {"classes": True}])
def test_what_needs_rows_cannot_be_kept(frame: pd.DataFrame, options: dict, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        fit(frame, "y", save=tmp_path / "a.fit", **options)


@pytest.fixture(scope="module")
def weighted(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows with weights, of which some are 0."""
    weights = np.random.default_rng(4).gamma(2.0, 3.0, len(frame))
    return frame.assign(w=np.where(np.arange(len(frame)) % 100 == 7, 0.0, weights))


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weights", ["w", None])
def test_saved_with_weights_and_through_the_origin(
    weighted: pd.DataFrame, weights: str | None, intercept: bool, degree: int, tmp_path: Path
) -> None:
    rows = weighted if weights else weighted.drop(columns="w")
    options = {"weights": weights, "intercept": intercept, "degree": degree}
    path = tmp_path / "a.fit"
    fit(rows[:1000], "y", save=path, **options)
    found, whole = fit(rows[1000:], "y", update=path), fit(rows, "y", **options)
    assert (found.n, found.names, found.weights) == (whole.n, whole.names, pytest.approx(whole.weights))
    np.testing.assert_allclose(found.coef, whole.coef, rtol=1e-9)
    np.testing.assert_allclose(found.se, whole.se, rtol=1e-9)
    for name in ("rss", "tss", "r2", "f", "log_likelihood", "aic", "bic", "sigma", "df_resid"):
        assert getattr(found, name) == pytest.approx(getattr(whole, name), rel=1e-9)
    assert [note for note in whole.notes if "weight" in note] == [note for note in found.notes if "weight" in note]
    assert found.coefficients[0].estimate == pytest.approx(whole.coefficients[0].estimate, rel=1e-9)


def test_saved_weights_are_those_of_statsmodels(weighted: pd.DataFrame) -> None:
    rows = weighted[["time", "rate", "age", "y", "w"]].dropna()
    state = FitState.of(rows[:1500], "y", weights="w").more(rows[1500:])
    x = sm.add_constant((rows[["time", "rate", "age"]] - rows[["time", "rate", "age"]].mean()).to_numpy())
    kept = (rows.w > 0).to_numpy()
    expected = sm.WLS(rows.y.to_numpy()[kept], x[kept], weights=rows.w.to_numpy()[kept]).fit()
    found = state.fit()
    np.testing.assert_allclose(found.coef, expected.params[1:], rtol=1e-9)
    np.testing.assert_allclose(found.se, expected.bse[1:], rtol=1e-9)
    assert found.log_likelihood == pytest.approx(expected.llf, rel=1e-11)
    halves = state - FitState.of(rows[:1500], "y", weights="w")
    assert far(halves.fit(), fit(rows[1500:], "y", weights="w")) < 1e-9
    assert halves.unweighted == (rows.w[1500:] == 0).sum()
    ridge = state.fit(ridge="auto"), fit(rows, "y", weights="w", ridge="auto")
    np.testing.assert_allclose(ridge[0].coef, ridge[1].coef, rtol=1e-6)


def test_weights_stay_what_they_were(weighted: pd.DataFrame, tmp_path: Path) -> None:
    state = FitState.of(weighted, "y", weights="w")
    plain = FitState.of(weighted.drop(columns="w"), "y")
    with pytest.raises(DataError, match="no column 'w'"):
        state.more(weighted.drop(columns="w"))
    with pytest.raises(UsageError, match="different columns") as caught:
        state + plain
    assert caught.value.where == "one is weighted by w, the other one has no weights"
    with pytest.raises(UsageError, match="the saved fit is weighted by w"):
        fit(weighted, "y", update=state, weights="age")
    with pytest.raises(UsageError, match="the saved fit has no weights"):
        fit(weighted, "y", update=plain, weights="w")
    with pytest.raises(UsageError, match="the saved fit has an intercept"):
        fit(weighted, "y", update=plain, intercept=False)
    with pytest.raises(DataError, match="every row of pandas DataFrame has weight 0"):
        FitState.of(weighted.assign(w=0.0), "y", weights="w")


def test_what_more_rows_cannot_change(frame: pd.DataFrame) -> None:
    state = FitState.of(frame, "y")
    for target, options in (("age", {}), ("y", {"degree": 2}), ("y", {"exclude": ["age"]})):
        with pytest.raises(UsageError, match="the saved fit"):
            fit(frame, target, update=state, **options)


def test_on_the_command_line(frame: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    frame[:1000].to_parquet(tmp_path / "a.parquet")
    frame[1000:].to_parquet(tmp_path / "b.parquet")
    saved = str(tmp_path / "a.fit")
    assert main(["fit", str(tmp_path / "a.parquet"), "--target", "y", "--save", saved]) == 0
    capsys.readouterr()
    line = ["fit", str(tmp_path / "b.parquet"), "--target", "y", "--update", saved, "--save", saved, "--json"]
    assert main(line) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["n"] == 2997
    assert found["source"] == "a.parquet and b.parquet"
    whole = fit(frame, "y").coefficients
    assert [row["estimate"] for row in found["coefficients"]] == pytest.approx(
        [row.estimate for row in whole], rel=1e-13
    )


def test_squares_of_a_time_stamp_keep_their_digits() -> None:
    """The square of 1.6e9 has no room for the digits of the square of what varies."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"time": 1.6e9 + 1e5 * rng.random(2000), "rate": 1e-3 * rng.random(2000)})
    frame["y"] = 2e-5 * (frame.time - 1.6e9) + 900 * frame.rate + rng.normal(size=2000)
    saved = FitState.of(frame[:900], "y", degree=2).more(frame[900:]).fit()
    assert far(saved, fit(frame, "y", degree=2)) < 1e-13
