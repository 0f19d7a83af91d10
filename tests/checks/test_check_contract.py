"""What every entry of the check table must do."""

import dataclasses
import importlib
import inspect
import pkgutil

import numpy as np
import pytest

import unbend.checks
from unbend.checks import entries

MACHINERY = {
    "answer",
    "bins",
    "fitted",
    "intervals",
    "long_run",
    "partial",
    "pictures",
    "sample",
    "table",
    "verb",
    "verdict",
}
"""The files of the package that are not checks; every other file has to register one."""

ASSUMPTIONS = [entry.assumption for entry in entries()]
NOISE = [entry.assumption for entry in entries() if entry.needs != "moments"]


def test_every_file_registers_a_check():
    files = {module.name for module in pkgutil.iter_modules(unbend.checks.__path__)}
    registered = {entry.kind.__module__.rpartition(".")[2] for entry in entries()}
    assert files - MACHINERY == registered


def test_machinery_registers_nothing():
    for name in MACHINERY:
        importlib.import_module(f"unbend.checks.{name}")
    assert not {f"unbend.checks.{name}" for name in MACHINERY} & {entry.kind.__module__ for entry in entries()}


@pytest.mark.parametrize("entry", entries(), ids=ASSUMPTIONS)
def test_says_what_it_was_checked_against_and_where_it_is_from(entry):
    text = inspect.getdoc(entry.kind)
    assert "Checked against:" in text
    assert "Source:" in text


def test_every_check_has_bad_data(checking):
    assert set(checking.bad) == set(ASSUMPTIONS)


@pytest.mark.parametrize("assumption", ASSUMPTIONS)
@pytest.mark.parametrize("n", [60, 3000])
def test_one_block_or_seven_give_the_same_answer(checking, assumption, n):
    data = checking.bad[assumption](n, np.random.default_rng(5))
    one, seven = (checking.asked(*data, number=k)[assumption] for k in (1, 7))
    assert one.verdict == seven.verdict
    assert numbers(one) == pytest.approx(numbers(seven), rel=1e-10, nan_ok=True)


def numbers(check) -> list[float]:
    """Every number in an answer."""
    values = [check.statistic, check.p, check.chance, check.effect.value]
    cells = [cell for row in check.table.rows for cell in row if not isinstance(cell, str)]
    return [np.nan if value is None else value for value in [*values, *cells]]


@pytest.mark.parametrize("assumption", ASSUMPTIONS)
def test_blocks_of_one_row_change_nothing(checking, assumption):
    data = checking.clean(40, np.random.default_rng(6))
    one, many = (checking.asked(*data, number=k)[assumption] for k in (1, 40))
    assert numbers(one) == pytest.approx(numbers(many), rel=1e-10, nan_ok=True)


@pytest.mark.parametrize("assumption", ASSUMPTIONS)
def test_finds_its_own_bad_data(checking, assumption):
    found = [
        checking.asked(*checking.bad[assumption](500, np.random.default_rng(seed)))[assumption] for seed in range(10)
    ]
    assert all(check.verdict in ("harmful", "noticeable") for check in found)
    assert all(check.remedy != "None needed." for check in found)


@pytest.fixture(scope="module", params=[(50, 400), (500, 200), (5000, 40)], ids=["n=50", "n=500", "n=5000"])
def clean_answers(request, checking):
    """The answers on many clean tables."""
    n, tables = request.param
    rng = np.random.default_rng(20261123)
    return [checking.asked(*checking.clean(n, rng)) for _ in range(tables)]


@pytest.mark.parametrize("assumption", NOISE)
def test_about_one_false_alarm_in_twenty_at_five_percent(clean_answers, assumption):
    """Within four standard errors of 5 %; Jarque–Bera and Breusch–Pagan are known to reject a little too rarely."""
    p = np.array([answers[assumption].p for answers in clean_answers])
    reach = 4 * np.sqrt(0.05 * 0.95 / len(p))
    assert max(0.05 - reach, 0) <= np.mean(p < 0.05) <= 0.05 + reach


@pytest.mark.parametrize("assumption", ASSUMPTIONS)
def test_clean_data_are_fine(clean_answers, assumption):
    verdicts = [answers[assumption].verdict for answers in clean_answers]
    assert np.mean([verdict == "fine" for verdict in verdicts]) >= 0.9
    assert np.mean([verdict in ("noticeable", "harmful") for verdict in verdicts]) <= 0.05


def test_clean_data_seldom_raise_any_alarm(clean_answers):
    alarms = [any(c.verdict in ("noticeable", "harmful") for c in answers.values()) for answers in clean_answers]
    assert np.mean(alarms) <= 0.1


@pytest.mark.parametrize("assumption", ASSUMPTIONS)
def test_answers_with_every_field_filled(checking, assumption):
    check = checking.asked(*checking.bad[assumption](300, np.random.default_rng(1)))[assumption]
    for field in dataclasses.fields(check):
        value = getattr(check, field.name)
        assert value is not None or field.name in ("p", "chance"), field.name
    assert check.consequence.endswith(".")
    assert check.remedy.endswith(".")
    assert check.effect.grade == "measured on these rows"


@pytest.mark.parametrize("assumption", ASSUMPTIONS)
def test_one_column_is_enough(checking, assumption):
    x, y = checking.clean(80, np.random.default_rng(2), p=1)
    assert checking.asked(x, y)[assumption].verdict in ("fine", "unsure")


@pytest.mark.parametrize("n", [5, 6, 8])
@pytest.mark.parametrize("assumption", ASSUMPTIONS)
def test_hardly_more_rows_than_columns_is_never_fine(checking, assumption, n):
    check = checking.asked(*checking.clean(n, np.random.default_rng(4)))[assumption]
    assert check.verdict in ("unsure", "not asked") or assumption == "collinearity"


@pytest.mark.parametrize("assumption", NOISE)
def test_a_perfect_fit_has_no_noise_to_ask_about(checking, assumption):
    x = np.arange(40.0).reshape(20, 2) ** 2
    check = checking.asked(x, x @ [2.0, 3.0] + 1)[assumption]
    assert check.verdict == "not asked"
