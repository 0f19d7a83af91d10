"""What a fit says of single rows, against statsmodels; and in files."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

from unbend.cli import main
from unbend.errors import DataError, UsageError
from unbend.regression import fit


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"size": rng.normal(90, 20, 80), "region": rng.choice(["north", "east", "west"], 80)})
    return data.assign(price=2 * data["size"] + 40 * (data["region"] == "north") + rng.normal(0, 9, 80))


@pytest.mark.parametrize("degree", [1, 2])
def test_statsmodels(rows: pd.DataFrame, degree: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unbend.regression.new_rows.block_rows", lambda columns: 7)
    data = rows if degree == 1 else rows[["size", "price"]]
    formula = "price ~ size + C(region)" if degree == 1 else "price ~ size + I(size ** 2)"
    found = fit(data, "price", degree=degree, level=0.9).augment(data)
    other = smf.ols(formula, data).fit()
    said, influence = other.get_prediction(data).summary_frame(alpha=0.1), other.get_influence()
    for name, expected in {
        "prediction": said["mean"],
        "mean_low": said["mean_ci_lower"],
        "mean_high": said["mean_ci_upper"],
        "low": said["obs_ci_lower"],
        "high": said["obs_ci_upper"],
        "residual": other.resid,
        "leverage": influence.hat_matrix_diag,
        "standardised": influence.resid_studentized_internal,
        "studentised": influence.resid_studentized_external,
        "cook": influence.cooks_distance[0],
    }.items():
        np.testing.assert_allclose(found[name].to_numpy(), np.asarray(expected), rtol=1e-9, atol=1e-10, err_msg=name)
    np.testing.assert_array_equal(found["row"].to_numpy(), np.arange(80))


def test_gaps_new_rows_and_weights(rows: pd.DataFrame) -> None:
    result = fit(rows, "price")
    found = result.augment(rows.assign(size=rows["size"].where(rows.index != 3)).drop(columns="price"))
    assert found.column_names == ["row", "prediction", "mean_low", "mean_high", "low", "high", "leverage"]
    assert found["prediction"].null_count == found["leverage"].null_count == 1
    weighted = fit(rows.assign(w=np.arange(1, 81)), "price", weights="w")
    assert weighted.augment(rows).column_names == [
        "row",
        "prediction",
        "mean_low",
        "mean_high",
        "low",
        "high",
        "residual",
    ]
    assert fit(rows, "price", ridge=1.0).augment(rows).column_names == ["row", "prediction", "residual"]
    with pytest.raises(DataError, match="south"):
        result.augment(rows.assign(region="south"))
    with pytest.raises(UsageError, match="between 0 and 1"):
        result.augment(rows, level=2)


def test_the_weights_of_rows(rows: pd.DataFrame, tmp_path: Path) -> None:
    data = rows.assign(w=np.random.default_rng(1).uniform(0.1, 9, 80))
    result = fit(data, "price", weights="w")
    other = smf.wls("price ~ size + C(region)", data, weights=data["w"]).fit()
    said = other.get_prediction(data, weights=data["w"]).summary_frame(alpha=0.05)
    found = result.augment(data)
    for name, expected in {
        "mean_low": said["mean_ci_lower"],
        "low": said["obs_ci_lower"],
        "high": said["obs_ci_upper"],
    }.items():
        np.testing.assert_allclose(found[name].to_numpy(), np.asarray(expected), rtol=1e-9, err_msg=name)
    np.testing.assert_allclose(result.predict_interval(data).high, said["obs_ci_upper"], rtol=1e-9)
    whitened = sm.OLS(other.model.wendog, other.model.wexog).fit().get_influence()
    for name, expected in {
        "leverage": whitened.hat_matrix_diag,
        "standardised": whitened.resid_studentized_internal,
        "studentised": whitened.resid_studentized_external,
        "cook": whitened.cooks_distance[0],
    }.items():
        np.testing.assert_allclose(found[name].to_numpy(), expected, rtol=1e-8, err_msg=name)
    mean = other.get_prediction(rows, weights=np.full(80, data["w"].mean())).summary_frame(alpha=0.05)
    np.testing.assert_allclose(result.augment(rows)["low"].to_numpy(), mean["obs_ci_lower"], rtol=1e-9)
    gaps = result.predict_interval(data.assign(w=[np.nan, 0.0, *data["w"][2:]]))
    assert np.isnan(gaps.low[0])
    assert np.isneginf(gaps.low[1])
    notes = fit(data, "price", weights="w", rows=tmp_path / "a.csv", predict=rows).notes
    assert "rows of the mean weight" in notes[-1]
    assert fit(data, "price", weights="w", rows=tmp_path / "b.csv").notes == result.notes


@pytest.mark.parametrize("kind", ["csv", "parquet", "arrow"])
def test_on_the_command_line(rows: pd.DataFrame, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    data, new, out = (str(tmp_path / name) for name in ("rows.csv", "new.csv", f"out.{kind}"))
    rows.to_csv(data, index=False)
    rows[["region", "size"]][:9].to_csv(new, index=False)
    line = ["fit", data, "--target", "price", "--json"]
    assert main([*line, "--rows", out, "--predict", new]) == 0
    assert json.loads(capsys.readouterr().out)["n"] == 80
    read = {
        "csv": pd.read_csv,
        "parquet": pd.read_parquet,
        "arrow": lambda path: pa.feather.read_table(path).to_pandas(),
    }
    expected = fit(data, "price").augment(new).to_pandas()
    pd.testing.assert_frame_equal(read[kind](out), expected, rtol=1e-14)
    assert main([*line, "--rows", out]) == 0
    assert len(read[kind](out)) == 80
    foreign = tmp_path / f"foreign.{kind}"
    own = {"csv": "to_csv", "parquet": "to_parquet", "arrow": "to_feather"}[kind]
    getattr(rows, own)(foreign)
    assert main([*line, "--rows", str(foreign)]) == 2
    assert "unbend did not make it" in capsys.readouterr().err
    assert main([*line, "--rows", str(foreign), "--force"]) == 0
    assert len(read[kind](foreign).columns) == 11


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--rows", "out.txt"], "ends in .csv, .parquet, .arrow"),
        (["--rows", "rows.csv", "--force"], "rows.csv is an input"),
        (["--save", "rows.csv", "--force"], "rows.csv is an input"),
        (["--rows", "new.csv", "--predict", "new.csv", "--force"], "new.csv is an input"),
        (["--predict", "new.csv"], "nowhere to go"),
        (["--save", "both.csv", "--rows", "./both.csv"], "cannot both be"),
    ],
)
def test_files_that_cannot_be_written(
    rows: pd.DataFrame,
    options: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    rows.to_csv("rows.csv", index=False)
    rows.to_csv("new.csv", index=False)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert main(["fit", "rows.csv", "--target", "price", *options]) == 2
    assert said in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("option", ["--rows", "--save"])
def test_a_page_is_no_other_output(
    rows: pd.DataFrame, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    rows.to_csv("rows.csv", index=False)
    assert main(["fit", "rows.csv", "--target", "price", "--html", "z.csv", option, "./z.csv"]) == 2
    assert f"z.csv is the page, so {option} cannot be written there" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


@pytest.mark.parametrize("data", ["parts", "parts/*.csv", "~/parts"])
@pytest.mark.parametrize("option", ["rows", "save"])
def test_a_file_of_a_folder_is_an_input(
    rows: pd.DataFrame, data: str, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    part = tmp_path / "parts" / "a.csv"
    part.parent.mkdir()
    rows.to_csv(part, index=False)
    before = part.read_bytes()
    with pytest.raises(UsageError, match="is an input"):
        fit(data, "price", force=True, **{option: part})
    assert part.read_bytes() == before


def test_an_unknown_level_writes_nothing(rows: pd.DataFrame, tmp_path: Path) -> None:
    new = rows.assign(region=rows["region"].where(rows.index != 70, "south"))
    with pytest.raises(DataError, match="south") as caught:
        fit(rows, "price", rows=tmp_path / "out.csv", predict=new)
    assert "row 70" in caught.value.where
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("degree", [1, 2])
def test_classes_of_new_rows(rows: pd.DataFrame, degree: int, tmp_path: Path) -> None:
    tier = pd.cut(rows["price"] + 90 * np.random.default_rng(5).normal(size=80), 3, labels=["a low", "b", "c"])
    data = rows.assign(tier=tier.astype(str)).drop(columns="price")
    new = data[["region", "size"]].assign(size=data["size"].where(data.index != 3))
    result = fit(data, "tier", degree=degree, rows=tmp_path / "out.csv", predict=new)
    found = pd.read_csv(tmp_path / "out.csv")
    assert list(found.columns) == ["row", "prediction", *(f"probability of {name}" for name in ("a low", "b", "c"))]
    assert found.iloc[3, 1:].isna().all()
    np.testing.assert_allclose(found.iloc[:, 2:], result.predict_proba(new), rtol=1e-14)
    np.testing.assert_array_equal(found["prediction"].drop(3), np.delete(result.predict_class(new), 3))
    pd.testing.assert_frame_equal(result.augment(new).to_pandas(), found, rtol=1e-14, check_dtype=False)
    if degree == 1:
        x = pd.get_dummies(data[["size", "region"]], drop_first=True, dtype=float)
        witness = sm.MNLogit(tier.cat.codes, sm.add_constant(x)).fit(disp=0)
        np.testing.assert_allclose(result.predict(data), witness.predict(), rtol=1e-5)
    with pytest.raises(DataError, match="lacks 1 of the columns"):
        result.predict(new[["size"]])


def test_rows_that_were_not_fitted_have_no_distance(rows: pd.DataFrame, tmp_path: Path) -> None:
    """Their residual is an error of a prediction, whose spread is above that of the noise, not below."""
    out = tmp_path / "out.parquet"
    fit(rows[:50], "price", rows=out, predict=rows[50:])
    names = ["row", "prediction", "mean_low", "mean_high", "low", "high", "leverage", "residual"]
    assert pd.read_parquet(out).columns.to_list() == names
    fit(rows[:50], "price", rows=out)
    assert pd.read_parquet(out).columns.to_list() == [*names, "standardised", "studentised", "cook"]
