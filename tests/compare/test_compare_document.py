"""What people read: words, tables and picture say the same as the numbers."""

from __future__ import annotations

import numpy as np
import pytest

from unbend.compare import Comparison, compare
from unbend.compare.steps import verdict
from unbend.compare.words import points
from unbend.document import Picture, Table, number, render_html
from unbend.findings import Interval
from unbend.result import Result


@pytest.fixture(scope="module")
def found() -> Comparison:
    import pyarrow as pa

    rng = np.random.default_rng(1)
    x = rng.normal(size=(300, 3))
    y = x @ [1.0, 0.5, 0] + rng.normal(size=300)
    return compare(pa.table({f"x{j}": x[:, j] for j in range(3)} | {"price": y}), "price")


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.001, 0.02, "better"),
        (0.02, 0.03, "better"),
        (-0.03, -0.001, "worse"),
        (-0.009, 0.01, "practically the same"),
        (0.001, 0.009, "practically the same"),
        (-0.001, 0.011, "cannot tell"),
        (-0.02, 0.02, "cannot tell"),
    ],
)
def test_the_interval_decides_the_word(low, high, word):
    assert verdict(Interval(low, high), 0.01) == word


def test_the_sentence_carries_its_numbers(found):
    sentence = found.answer.sentence
    assert sentence.startswith("Linear regression is enough")
    assert "on 300 rows, each held out once in 5 folds" in sentence
    for step in (found.step("constant", "linear"), found.step("linear", "quadratic"), found.step("linear", "network")):
        ends = f"{points(step.interval.low, 0.01)} to {points(step.interval.high, 0.01)}"
        assert f"{points(step.gain, 0.01)}" in sentence
        assert ends in sentence
    assert found.answer.value == found.step("constant", "linear").gain


def test_the_text_fits_a_terminal_and_holds_every_rung_and_step(found):
    text = str(found)
    assert max(map(len, text.splitlines())) <= 80
    for name in ("constant", "linear", "quadratic", "network", "linear → network", "quadratic → network"):
        assert name in text
    assert "constant → network" not in text
    for step in found.shown_steps:
        if step.rows_needed:
            assert number(step.rows_needed).replace("\u202f", " ") in text


def test_every_step_is_there_for_machines(found):
    assert isinstance(found, Result)
    plain = found.to_dict()
    assert plain["verb"] == "compare"
    assert [score["name"] for score in plain["scores"]] == ["constant", "linear", "quadratic", "network"]
    assert len(plain["steps"]) == 6
    assert plain["scores"][0]["r2"] == 0
    assert plain["steps"][0]["interval"]["level"] == 0.95
    assert not any("second" in key for key in plain)


def test_r2_is_the_gain_over_the_constant(found):
    for score in found.scores[1:]:
        step = found.step("constant", score.name)
        assert score.r2 == pytest.approx(step.gain)
        assert score.interval == step.by_rows


def test_the_networks_step_is_as_wide_as_its_training_is_noisy(found):
    for step in found.steps:
        rows, folds = step.by_rows, step.by_folds
        assert folds is not None
        if step.upper == "network":
            assert step.interval.high - step.interval.low == max(rows.high - rows.low, folds.high - folds.low)
        else:
            assert (step.interval, step.basis) == (rows, "rows")


def test_the_picture_draws_every_rung(found):
    picture = next(block for block in found.document() if isinstance(block, Picture))
    assert isinstance(picture.numbers, Table)
    assert [row[0] for row in picture.numbers.rows] == [score.name for score in found.scores]
    html = render_html([picture])
    assert "<svg" in html
    assert "R² on held-out rows" in html


def test_names_from_the_user_are_escaped(frame):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 1))
    page = compare(frame(x, **{"<script>": x[:, 0] + rng.normal(size=100)}), "<script>")._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_what_r2_is_measured_against_is_said_once(found):
    assert sum("r2_score" in note for note in found.notes) == 1


def test_the_default_networks_limits_are_told(found):
    assert any("small default one" in note for note in found.notes)
    assert found.model is None
    assert not found.may_flatter
