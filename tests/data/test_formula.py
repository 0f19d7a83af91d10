"""Formulas over rows in blocks: formulaic's columns and names, statsmodels' coefficients, and what is refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

pytest.importorskip("formulaic")

import statsmodels.formula.api as smf
from formulaic import Formula

import unbend
from unbend.data import open_source, open_table
from unbend.data.formula import FormulaSource, parsed
from unbend.errors import DataError, UsageError

N = 3000


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "a": rng.normal(size=N),
            "b": rng.normal(100, 3, N),
            "region": rng.choice(["north", "south", "west"], N),
            "x": rng.normal(1e5, 1e3, N),
            "k": rng.integers(0, 4, N),
            "flag": rng.random(N) < 0.3,
            "net inc": rng.normal(size=N),
        }
    )
    frame.loc[[2998, 2999], "region"] = "east"
    frame["y"] = np.exp(
        1 + 0.1 * frame.a - (frame.region == "west") + 0.05 * frame["net inc"] + 0.1 * rng.normal(size=N)
    )
    return frame


def table(data, formula: str):
    found = parsed(formula)
    return open_table(FormulaSource(open_source(data), found), found.target)


FORMULAS = [
    "y ~ a*b + C(region) + poly(x, 3) + scale(b) + center(a):b + np.log(b**2) + C(k):a + flag",
    "np.log(y) ~ a + region*x + poly(`net inc`, 2)",
    "y ~ scale(x, center=False, ddof=0) + scale(a, scale=False) + scale(b, center=90.0) + I(a**2) + exp(a)",
    "y ~ region - 1",
]


@pytest.mark.parametrize("blocks", [1, 7])
@pytest.mark.parametrize("formula", FORMULAS)
def test_columns_are_formulaics(frame: pd.DataFrame, formula: str, blocks: int) -> None:
    size = -(-N // blocks)
    found = table([frame[start : start + size] for start in range(0, N, size)], formula)
    expected = Formula(formula).get_model_matrix(frame)
    columns = expected.rhs.drop(columns="Intercept", errors="ignore")
    assert list(found.names) == list(columns.columns)
    rows = found.load()
    np.testing.assert_allclose(rows.x, columns, rtol=1e-10, atol=1e-10 * np.abs(columns).max(axis=0).max())
    np.testing.assert_allclose(rows.y, expected.lhs.iloc[:, 0], rtol=1e-15)


@pytest.mark.parametrize("formula", ["y ~ a*b + C(region)", "np.log(y) ~ region*a + I(b**2)", "y ~ region + a - 1"])
def test_coefficients_are_those_of_statsmodels(frame: pd.DataFrame, formula: str) -> None:
    expected = smf.ols(formula, frame).fit()
    found = unbend.fit(frame, formula=formula)
    rows = {row.name: row for row in found.coefficients}
    for name, value in expected.params.items():
        row = rows["intercept" if name == "Intercept" else str(name)]
        assert row.estimate == pytest.approx(value, rel=1e-8, abs=1e-10)
        assert row.se == pytest.approx(expected.bse[name], rel=1e-8)


def test_new_rows_get_the_same_columns(frame: pd.DataFrame) -> None:
    formula = "y ~ a*b + C(region) + poly(x, 3) + center(a):flag + np.log(b**2) + C(k)"
    found = unbend.fit(frame, formula=formula)
    new = pa.RecordBatch.from_pandas(frame.drop(columns="y").tail(20).reset_index(drop=True))
    expected = Formula(formula).get_model_matrix(frame).rhs.drop(columns="Intercept").tail(20)
    np.testing.assert_allclose(found.coding.encode(new), expected, rtol=1e-8, atol=1e-10)
    other = pa.RecordBatch.from_pandas(frame.drop(columns="y").head(3).assign(region="moon"))
    with pytest.raises(DataError, match="region has a level that the fitted rows did not have: moon"):
        found.coding.encode(other)


def test_few_rows_are_kept_of_many_blocks(frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of the first block, and the first one of each level."""
    kept = []
    together = pd.concat

    def counted(frames: list[pd.DataFrame], **options) -> pd.DataFrame:
        kept.append((len(frames), sum(map(len, frames))))
        return together(frames, **options)

    blocks = [pa.RecordBatch.from_pandas(frame[at : at + 10]) for at in range(0, N, 10)]
    with monkeypatch.context() as patch:
        patch.setattr(pd, "concat", counted)
        assert table(lambda: iter(blocks), "y ~ a + region").n == N
    assert kept == [(2, 2 + 4)]


def test_rows_with_a_missing_value_do_not_count(frame: pd.DataFrame) -> None:
    holes = frame.copy()
    holes.loc[[3, 4], "a"] = np.nan
    holes.loc[5, "region"] = None
    formula = "y ~ center(a) + region + poly(x, 2)"
    found = table(holes, formula)
    assert (found.n, found.n_read) == (N - 3, N)
    assert found.missing == {"a": 2, "region": 1}
    expected = Formula(formula).get_model_matrix(holes.dropna()).rhs.drop(columns="Intercept")
    np.testing.assert_allclose(found.load().x, expected, rtol=1e-9, atol=1e-11)


def test_a_class_and_clusters_as_they_are(frame: pd.DataFrame) -> None:
    assert table(frame, "region ~ a + b").classes == ("east", "north", "south", "west")
    by_formula = unbend.fit(frame, formula="y ~ a + b", cluster="k")
    plain = unbend.fit(frame[["a", "b", "k", "y"]], "y", cluster="k")
    np.testing.assert_allclose(by_formula.se, plain.se, rtol=1e-12)
    assert unbend.fit(frame, "y", formula="a + b").names == ("a", "b")


def test_types_of_a_csv_that_change_late(tmp_path: Path) -> None:
    with (tmp_path / "t.csv").open("w") as file:
        file.write("a,y\n" + "".join(f"{i % 100},{i % 7}\n" for i in range(150_000)) + "7.5,1\n")
    assert unbend.fit(tmp_path / "t.csv", formula="y ~ a + I(a**2)").n == 150_001


REFUSED = {
    "y ~ bs(x, 3)": "bs in bs(x, 3) may look at other rows",
    "y ~ I(x - np.mean(x))": "np.mean in I(x - np.mean(x)) may look at other rows",
    "y ~ I(x / x.max())": "x.max in I(x / x.max()) may look at other rows",
    "y ~ np.log(scale(x))": "scale must stand by itself",
    "y ~ a | b": "one target and one right side",
    "y + a ~ b": "one target and one right side",
    "y ~ a +": "cannot read the formula",
    "a + b": "names no target",
    "~ a": "before the tilde: 'y ~ a'",
    "y ~ sqrt(a)": "did you mean np.sqrt?",
    "y ~ np.squareroot(a)": "no function np.squareroot in a formula: np.squareroot(a)",
    "y ~ fo(a)": "no function fo in a formula: fo(a)",
    "y ~ Q('a')": "between backticks",
    "y ~ .": "a point does not stand for all others",
    "y ~ a - .": "a point does not stand for all others",
}


@pytest.mark.parametrize("formula", REFUSED)
def test_what_is_refused(frame: pd.DataFrame, formula: str) -> None:
    with pytest.raises(UsageError) as caught:
        unbend.fit(frame, formula=formula)
    assert REFUSED[formula] in str(caught.value)


def test_a_point_in_a_number_is_no_other_column(frame: pd.DataFrame) -> None:
    assert unbend.fit(frame, formula="y ~ I(a + .5) + I(b * 2.)").p == 2


def test_options_that_do_not_go_with_a_formula(frame: pd.DataFrame) -> None:
    with pytest.raises(UsageError, match="formula and degree"):
        unbend.fit(frame, formula="y ~ a", degree=2)
    with pytest.raises(UsageError, match="formula and save") as caught:
        unbend.fit(frame, formula="y ~ a", save="a.fit")
    assert "--target NAME instead of the formula" in caught.value.try_
    with pytest.raises(UsageError, match="explains y, not b"):
        unbend.fit(frame, "b", formula="y ~ a")
    with pytest.raises(UsageError, match="no target is named"):
        unbend.fit(frame)


def test_data_that_a_formula_cannot_use(frame: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="no column 'ab' in pandas DataFrame"):
        unbend.fit(frame, formula="y ~ ab")
    with pytest.raises(DataError, match="no column 'regoin'") as caught:
        unbend.fit(frame, formula="y ~ C(regoin)")
    assert caught.value.try_ == "did you mean region?"
    with pytest.raises(DataError, match=r"log\(a\) is not a number in row 0"):
        unbend.fit(frame.assign(a=-1.0 - np.arange(N)), formula="y ~ log(a)")
    with pytest.raises(DataError, match=r"log\(a\) is infinite in row 7"):
        unbend.fit(frame.assign(a=np.where(np.arange(N) == 7, 0.0, 2.0 + np.arange(N))), formula="y ~ log(a)")
    with pytest.raises(DataError, match="needs more than 3 different values"):
        unbend.fit(frame.assign(a=frame.k % 2), formula="y ~ poly(a, 3)")
    with pytest.raises(DataError, match="more than 200 levels"):
        unbend.fit(frame, formula="y ~ C(x)")
