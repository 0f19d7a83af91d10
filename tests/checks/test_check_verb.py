"""`unbend.check` from a table to the answer: text, page, JSON, and data that are not as one would wish."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import unbend
from unbend.checks import check
from unbend.document import Picture, render_page
from unbend.errors import DataError, UnbendError

FOLDER = Path(__file__).parent.parent / "r-reference"
GOLDEN = Path(__file__).parent / "golden"


def frame(n=200, p=2, seed=0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, p))
    data = {f"x{j}": x[:, j] for j in range(p)}
    return pd.DataFrame(data | {"y": x.sum(1) + rng.standard_normal(n)})


def test_is_a_verb_of_the_package():
    assert unbend.check is check


@pytest.mark.parametrize("name", ["airquality", "longley"])
def test_reads_as_it_should(name):
    target = {"airquality": "Ozone", "longley": "Employed"}[name]
    expected = (GOLDEN / f"check_{name}.txt").read_text(encoding="utf-8")
    assert f"{check(FOLDER / f'{name}.csv', target)}\n" == expected


def test_fits_in_80_columns():
    text = str(check(FOLDER / "mtcars_full.csv", "mpg"))
    assert max(len(line) for line in text.splitlines()) <= 80


def test_clean_data_say_yes():
    found = check(frame(1000), "y")
    assert found.verdict == "fine"
    assert found.sentence == "Yes: these rows show nothing that spoils its intervals. Not asked: autocorrelation."


def test_rows_without_noise_do_not_say_yes():
    data = frame(40)
    data["y"] = data["a"] if "a" in data else data.iloc[:, 0]
    found = check(data, "y")
    assert found.sentence.startswith("It cannot be told: only collinearity could be asked. The columns give the target")


def test_unrelated_columns_are_said_to_be_unrelated():
    rows = np.array([[i, j] for i in range(8) for j in range(8)], dtype=float)
    data = pd.DataFrame(rows, columns=["a", "b"]).assign(y=np.random.default_rng(0).standard_normal(64))
    assert "hardly related: no interval is noticeably wider" in check(data, "y")["collinearity"].consequence


def test_order_is_asked_only_if_it_is_given():
    data = frame().assign(day=np.random.default_rng(1).permutation(200))
    without, with_order = check(data.drop(columns="day"), "y"), check(data, "y", order="day")
    assert without["autocorrelation"].verdict == "not asked"
    assert "--order" in without["autocorrelation"].remedy
    assert with_order["autocorrelation"].verdict == "fine"
    assert with_order.order == "day"


def test_the_order_column_decides_which_rows_are_neighbours():
    rng = np.random.default_rng(2)
    noise = np.cumsum(rng.standard_normal(300)) / 3
    data = pd.DataFrame({"t": np.arange(300), "x": rng.standard_normal(300)})
    data["y"] = data.x + noise
    shuffled = data.sample(frac=1, random_state=3)
    assert check(shuffled, "y", order="t")["autocorrelation"].verdict == "harmful"
    in_order, again = (check(d, "y", order="t")["autocorrelation"] for d in (data, shuffled))
    assert in_order.statistic == pytest.approx(again.statistic, rel=1e-10)


def test_categories_share_one_inflation_factor():
    data = frame(300, p=1).assign(region=np.resize(["north", "south", "west"], 300))
    table = check(data, "y")["collinearity"].table
    assert table is not None
    assert sorted(str(row[0]) for row in table.rows) == ["region", "x0"]


def test_only_categories_have_no_bend_to_ask_about():
    rng = np.random.default_rng(4)
    data = pd.DataFrame({"a": np.resize(["p", "q"], 200), "y": rng.standard_normal(200)})
    assert check(data, "y")["linearity"].verdict == "not asked"


def test_an_exact_combination_is_named_and_left_out():
    data = frame()
    data["total"] = data.x0 + data.x1
    found = check(data, "y")
    assert found["collinearity"].verdict == "harmful"
    assert "total = x0 + x1" in found["collinearity"].consequence
    assert found["even spread"].verdict == "fine"
    assert found.sentence.startswith("For predictions yes")


def test_a_row_that_decides_a_coefficient_alone_is_mentioned():
    data = frame().assign(only=np.arange(200) == 17)
    notes = check(data, "y")["even spread"].notes
    assert notes == ("1 row decides a coefficient alone (leverage 1), so nothing can be said about the noise there.",)


def test_a_perfect_fit_says_so():
    data = frame()
    data["y"] = 3 * data.x0 - data.x1 + 1
    found = check(data, "y")
    assert found["even spread"].verdict == "not asked"
    assert "no noise" in found["even spread"].consequence
    assert "unbend" not in str(found)


def test_a_column_of_large_mean_costs_no_digits():
    data = frame(500)
    far = data.assign(x0=data.x0 + 1e6)
    near_check, far_check = (check(d, "y")["even spread"] for d in (data, far))
    assert far_check.statistic == pytest.approx(near_check.statistic, rel=1e-6)


def odd_frame(rng: np.random.Generator) -> pd.DataFrame:
    """A small table of columns that are hard on arithmetic."""
    n = int(rng.choice([6, 8, 12, 30, 100]))
    kinds = [
        rng.standard_normal(n),
        rng.integers(0, 2, n).astype(float),
        rng.integers(0, 4, n).astype(float),
        rng.choice(["a", "b", "c"], n),
        1e8 + rng.standard_normal(n),
        np.exp(6 * rng.standard_normal(n)),
        1e-12 * rng.standard_normal(n),
        np.eye(n)[0],
        np.arange(n) ** 3.0,
    ]
    targets = [*kinds[:2], np.arange(n) * 1.0, 1e10 + 1e-3 * rng.standard_normal(n), kinds[5], 1e9 * np.eye(n)[-1]]
    chosen = rng.choice(len(kinds), 3)
    columns = {f"c{j}": kinds[kind] for j, kind in enumerate(chosen)}
    return pd.DataFrame(columns | {"t": rng.permutation(n), "y": targets[rng.integers(len(targets))]})


@pytest.mark.parametrize("seed", range(40))
def test_odd_tables_are_answered_without_a_warning(seed):
    """Or refused by an error of unbend's own; numbers that are not finite never reach a reader."""
    try:
        found = check(odd_frame(np.random.default_rng(seed)), "y", order="t")
    except UnbendError:
        return
    json.dumps(found.to_dict(), allow_nan=False)
    assert max(len(line) for line in str(found).splitlines()) <= 80
    for answer in found.checks:
        assert answer.statistic is None or np.isfinite(answer.statistic)
        assert "nan" not in answer.consequence.split() + answer.remedy.split()


def test_missing_rows_are_left_out_and_said():
    data = frame()
    data.loc[3, "x0"] = np.nan
    found = check(data, "y")
    assert found.n == 199
    assert any("missing" in note for note in found.notes)


def test_excluded_columns_are_not_looked_at():
    assert check(frame(), "y", exclude=["x1"]).fit.names == ("x0",)


def test_level_moves_the_intervals_and_the_words():
    found = check(frame(), "y", level=0.9)
    assert "90 %" in str(found)
    assert found["normal errors"].table.rows[0][1] == pytest.approx(5)


def test_unknown_assumption_lists_those_there_are():
    with pytest.raises(KeyError, match="even spread"):
        check(frame(), "y")["homoscedasticity"]


def test_a_class_is_refused():
    data = frame().assign(y=np.resize(["yes", "no"], 200))
    with pytest.raises(DataError, match="class"):
        check(data, "y")


def test_too_few_rows_are_refused():
    with pytest.raises(DataError, match="rows"):
        check(frame(3), "y")


def test_json_holds_the_answer():
    found = json.loads(json.dumps(check(frame(), "y").to_dict(), allow_nan=False))
    assert found["verb"] == "check"
    assert {c["assumption"] for c in found["checks"]} >= {"even spread", "linearity"}
    assert "sample" not in found
    assert found["sentence"].startswith("Yes")


def test_pictures_say_what_they_show(checking):
    data = frame(3000).assign(t=np.arange(3000))
    found = check(data, "y", order="t")
    shown = [block for block in found.document() if isinstance(block, Picture)]
    assert [picture.title for picture in shown] == [
        "Residuals against predictions",
        "Residuals against the normal distribution",
        "Residuals in order",
    ]
    assert all("drawn at random" in picture.look_for and picture.numbers for picture in shown)


def test_page_shows_names_as_they_are():
    data = frame().rename(columns={"x0": "<script>alert(1)</script>", "y": "cost_$_in_$"})
    page = render_page(check(data, "cost_$_in_$").document(), "check")
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;" in page
