"""What cannot be fitted: one error that says what, where and what to do."""

import numpy as np
import pandas as pd
import pytest

from unbend.data import open_table
from unbend.errors import DataError, UsageError
from unbend.regression import Moments, fit, fit_table, quadratic, ridge


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.normal(size=(20, 3)), columns=["a", "b", "y"])


def refused(*arguments, **options) -> DataError:
    with pytest.raises(DataError) as caught:
        fit(*arguments, **options)
    return caught.value


def test_constant_target(frame: pd.DataFrame) -> None:
    error = refused(frame.assign(y=0.1), "y")
    assert error.what == "the target y is the same in every row: there is nothing to explain"
    assert error.where == "20 complete rows, all 0.1"


def test_constant_class(frame: pd.DataFrame) -> None:
    error = refused(frame.assign(y="yes"), "y")
    assert "the same in every row" in error.what
    assert error.where == "20 complete rows, all yes"


@pytest.mark.parametrize("target", [["no", "yes"] * 10, [True, False] * 10, ["a", "b", "c", "d"] * 5])
def test_class_target(frame: pd.DataFrame, target: list) -> None:
    with pytest.raises(DataError) as caught:
        fit_table(open_table(frame.assign(y=target), "y"))
    assert caught.value.what == "the target y is a class, which linear regression does not explain"
    assert "logistic regression" in caught.value.try_


def test_whole_numbers_asked_as_classes(frame: pd.DataFrame) -> None:
    whole = frame.assign(y=[0, 1] * 10)
    assert fit(whole, "y").p == 2
    assert fit(whole, "y").notes[-1].startswith("y is 0 or 1 and is taken for a number; --classes")
    assert fit(frame.assign(y=[1, 2] * 10), "y").notes == fit(frame, "y").notes
    assert fit(whole, "y", classes=True).classes == ("0", "1")


def test_fewer_rows_than_columns(frame: pd.DataFrame) -> None:
    error = refused(frame.iloc[:3], "y")
    assert error.what == "3 rows cannot determine 2 columns and an intercept and leave a residual"
    assert "--ridge auto" in error.try_
    assert fit(frame.iloc[:4], "y").df_resid == 1
    assert fit(frame.iloc[:3], "y", ridge="gcv").n == 3


def test_words_of_the_command_line_are_words_of_python(frame: pd.DataFrame) -> None:
    assert fit(frame, "y", ridge="auto").ridge == fit(frame, "y", ridge="gcv").ridge
    double = frame.assign(d=2 * frame["a"])
    hyphen, blank = (fit(double, "y", collinear=word) for word in ("least-norm", "least norm"))
    np.testing.assert_array_equal(hyphen.coef, blank.coef)
    with pytest.raises(UsageError, match="a number from 0, not auto"):
        fit(frame.assign(y=["a", "b"] * 10), "y", ridge="auto")
    for one in (fit(frame, "y", ridge=1.0), hyphen):
        assert "of its standard error" not in " ".join(str(one).split())


def test_only_constant_columns(frame: pd.DataFrame) -> None:
    error = refused(frame.assign(a=1, b="x"), "y")
    assert error.what == "every column of pandas DataFrame that could explain y is the same in every row"
    assert error.where == "a, b"


def test_numbers_too_large_to_square(frame: pd.DataFrame) -> None:
    assert "b are too large to be squared" in refused(frame.assign(b=frame["b"] * 1e200), "y").what


def test_numbers_too_small_to_square(frame: pd.DataFrame) -> None:
    assert "b are too small to be squared" in refused(frame.assign(b=frame["b"] * 1e-200), "y").what
    assert "y are too small to be squared" in refused(frame.assign(y=frame["y"] * 1e-150), "y").what


@pytest.mark.parametrize(
    "options",
    [
        {"degree": 0},
        {"level": 1.0},
        {"collinear": "ignore"},
        {"ridge": -1.0},
        {"ridge": np.nan},
        {"ridge": "loo"},
    ],
)
def test_options_that_mean_nothing(frame: pd.DataFrame, options: dict) -> None:
    with pytest.raises(UsageError):
        fit(frame, "y", **options)


def test_too_many_products() -> None:
    with pytest.raises(UsageError, match="100 columns have 5150 squares and products"):
        quadratic([f"x{j}" for j in range(100)])


def test_ridge_names_default_to_numbers() -> None:
    z = np.random.default_rng(0).normal(size=(9, 3))
    assert ridge(Moments.of(z), 1.0).names == ("x0", "x1")


def test_one_collinear_column_is_one(frame: pd.DataFrame) -> None:
    error = refused(frame.assign(again=frame["a"]), "y")
    assert error.what == "the coefficients are not determined: one of the columns follows from the others"
    assert "2 of the columns follow" in refused(frame.assign(again=frame["a"], more=frame["b"] - 1), "y").what


def test_one_row_too_few_through_the_origin(frame: pd.DataFrame) -> None:
    error = refused(frame[:2], "y", intercept=False)
    assert error.what == "2 rows cannot determine 2 columns and leave a residual"
    assert error.where == "a regression on 2 columns needs at least 3 complete rows"


def test_weights_that_are_text(frame: pd.DataFrame) -> None:
    error = refused(frame.assign(w=list("ab") * 10), "y", weights="w")
    assert error.what == "rows cannot be weighted by w: it holds no numbers"


@pytest.mark.parametrize("rows", [20, 3])
def test_weights_that_are_all_0(frame: pd.DataFrame, rows: int) -> None:
    error = refused(frame[:rows].assign(w=0), "y", weights="w", ridge=1.0)
    assert error.what == "every row of pandas DataFrame has weight 0"


def test_numbers_with_too_many_values_for_classes(frame: pd.DataFrame) -> None:
    error = refused(frame, "y", classes=True)
    assert error.what == "the target y has too many different numbers to be a class"
    assert error.try_.startswith("leave --classes out")


@pytest.mark.parametrize("option", ["cluster", "weights", "exclude"])
def test_a_misspelt_column_is_guessed(frame: pd.DataFrame, option: str) -> None:
    error = refused(frame.assign(region=1.0), "y", **{option: "regoin"})
    assert error.try_ == f"did you mean region? --{option} region"


@pytest.mark.parametrize("options", [{"degree": True}, {"ridge": True}, {"covariance": "HAC", "lags": 2.5}])
def test_options_of_another_kind(frame: pd.DataFrame, options: dict) -> None:
    with pytest.raises(UsageError):
        fit(frame, "y", **options)
