"""A network that was trained elsewhere: scored as it is, with what must be said about it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest

from unbend.compare import compare
from unbend.document import number, render_html
from unbend.errors import DataError, ModelError, UsageError

verb = import_module("unbend.compare.compare")
"""The module; the package's attribute of that name is the function."""

BIG: dict[str, object] = {"hidden_layer_sizes": (100, 100), "max_iter": 500, "alpha": 0}
"""Enough to learn noise by heart."""


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(400, 3))
    return x, x[:, 0] - np.abs(x[:, 1]) + 0.3 * rng.normal(size=400)


@dataclass
class FakePair:
    """As much of a pair as the ladder uses."""

    answer: np.ndarray
    how: str = "by position"
    notes: tuple[str, ...] = ("A fake.",)
    failing: str = ""

    network = SimpleNamespace(name="fake.onnx", parameters=7)

    def predict(self, rows):
        return self.answer[rows.index]


@pytest.fixture
def faked(monkeypatch):
    def use(answer: np.ndarray) -> None:
        monkeypatch.setattr(verb, "read", lambda model, example: model)
        monkeypatch.setattr(verb, "head", lambda network: SimpleNamespace(kind="number"))
        monkeypatch.setattr(verb, "pair", lambda network, table, scale, learning: FakePair(answer))

    return use


def test_a_network_is_scored_as_it_is(rows, frame, faked):
    x, y = rows
    answer = x[:, 0] * 0.9
    faked(answer)
    found = compare(frame(x, y=y), "y", object())
    assert found.score("network").loss == pytest.approx(np.mean((y - answer) ** 2))
    assert found.score("network").parameters == 7
    assert found.model == "fake.onnx"
    assert "A fake." in found.notes


def test_scikit_learns_network_reaches_its_own_score(rows, frame, trained):
    x, y = rows
    network = trained(x, y)
    found = compare(frame(x, y=y), "y", network)
    assert found.score("network").loss == pytest.approx(np.mean((y - network.predict(x)) ** 2), rel=1e-4)
    assert found.score("network").parameters == sum(w.size for w in (*network.coefs_, *network.intercepts_))


def test_without_a_hold_out_its_score_may_flatter_it(rows, frame, trained):
    x, y = rows
    found = compare(frame(x, y=y), "y", trained(x, y))
    assert found.may_flatter
    assert any("--holdout FILE" in note and "--holdout-column NAME" in note for note in found.notes)
    assert {step.grade for step in found.steps if step.upper == "network"} == {"measured on these rows"}
    assert found.step("linear", "quadratic").grade == "measured on held-out rows"
    assert "may have been trained on" in found.answer.sentence
    assert found.answer.grade == "measured on these rows"


def test_a_memory_of_the_rows_is_not_taken_for_a_need(rows, frame, trained):
    x, _ = rows
    noise = np.random.default_rng(0).normal(size=400)
    network = trained(x, noise, **BIG)
    found = compare(frame(x, y=noise), "y", network)
    assert found.enough == "network"
    assert "needs more than a regression." not in found.answer.sentence + found.headline
    assert found.headline == (
        "Whether y needs more than a regression cannot be said on rows that the network may have been trained on: say "
        "which were held out, with --holdout FILE or --holdout-column NAME."
    )
    assert found.answer.sentence.startswith(found.headline.partition(":")[0])
    assert "say which rows it has not seen, with --holdout FILE" in found.answer.sentence
    picture = found.document()[4]
    assert picture.title == "The ladder on 400 rows; the network may have been trained on them"
    html = render_html([picture])
    assert "R² on held-out rows" not in html
    assert "held out from all rungs but the network" in html
    held = np.arange(400) % 2 == 0
    fresh = trained(x[~held], noise[~held], **BIG)
    honest = compare(frame(x, y=noise, held=held), "y", fresh, holdout_column="held")
    assert honest.enough == "constant"
    assert not honest.may_flatter


def test_a_network_far_worse_than_a_constant_gets_a_reason(rows, frame, faked):
    x, y = rows
    faked(40 * x[:, 2])
    found = compare(frame(x, y=y), "y", object())
    assert found.enough == "quadratic"
    assert any("far worse than a constant" in note and "check their order" in note for note in found.notes)
    r2 = number(found.score("network").r2, 3)
    warning = f"The network is far worse than a constant on these rows (R² {r2}): see the notes."
    assert found.headline.endswith(warning)
    assert warning in found.answer.sentence
    assert "Drawn at the edge" in found.document()[4].look_for


def test_of_two_warnings_that_say_the_same_one_is_printed(rows, frame, trained):
    x, y = rows
    found = compare(frame(x, y=y), "y", trained(x, np.exp(3 * x[:, 2])))
    assert sum("worse than a constant" in note for note in found.notes) == 1
    assert "do not speak for columns or a target that were scaled" in " ".join(found.notes)


def test_a_logit_for_a_target_of_0_and_1_is_told_of_classes(rows, frame, trained):
    x, _ = rows
    y = (x[:, 0] > 0).astype(int)
    found = compare(frame(x, y=y), "y", trained(x, 20 * x[:, 0]))
    assert found.headline.endswith("if it answers with log-odds, add --classes.")
    assert sum("worse than a constant" in note for note in found.notes) == 1
    assert all("write it as text" not in note for note in found.notes)
    assert any("likely it is log-odds. Add --classes" in note for note in found.notes)
    as_classes = compare(frame(x, y=y), "y", trained(x, 20 * x[:, 0]), classes=True)
    assert as_classes.score("network").accuracy > 0.9
    assert "far worse" not in as_classes.headline


def test_a_network_on_whole_numbers_makes_them_classes(frame, trained):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(300, 2))
    y = (x[:, 0] + 0.3 * rng.normal(size=300) > 0).astype(int) + (x[:, 1] > 1)
    network = trained(x, y, classes=True)
    found = compare(frame(x, y=y), "y", network)
    direct = network.predict_proba(x)[np.arange(300), y]
    assert found.unit == "nats"
    assert found.score("network").loss == pytest.approx(-np.log(direct).mean(), rel=1e-4)
    assert found.score("network").accuracy == pytest.approx(network.score(x, y), abs=0.01)


def test_a_network_of_classes_does_not_fit_a_number(rows, frame, trained):
    x, y = rows
    with pytest.raises(DataError, match="y is one number"):
        compare(frame(x, y=y), "y", trained(x, (y > 0).astype(int), classes=True))


def test_a_network_that_predicts_no_number_is_refused(rows, frame, trained):
    x, y = rows
    network = trained(x, y)
    network.coefs_[1][:] = 1e33
    with pytest.raises(ModelError, match="as its answer"):
        compare(frame(1e8 * x, y=y), "y", network, scale="none")


def test_what_is_not_finite_is_named_by_row(rows, frame, faked):
    x, y = rows
    answer = y.copy()
    answer[17] = np.inf
    faked(answer)
    with pytest.raises(ModelError, match="network rung predicts inf") as error:
        compare(frame(x, y=y), "y", object())
    assert "row 17" in str(error.value)


def test_a_scaler_outside_the_network_is_found_or_named(rows, frame, trained):
    x, y = rows
    network = trained(x, y)
    moved = frame(x * [100, 5, 30] + [1000, 50, -20], y=y)
    asked = compare(moved, "y", network, scale="standard")
    assert asked.score("network").r2 == pytest.approx(compare(moved, "y", network).score("network").r2, abs=1e-6)
    assert asked.score("network").r2 > 0.7
    with pytest.raises(UsageError, match="no scaling"):
        compare(moved, "y", network, scale="log")  # pyright: ignore[reportArgumentType]


@pytest.mark.torch
def test_a_torch_module_with_an_example(rows, frame):
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    x, y = rows
    module = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
    found = compare(frame(x, y=y), "y", module, example=torch.zeros(1, 3), scale="none")
    direct = module(torch.tensor(x, dtype=torch.float32)).detach().numpy()[:, 0]
    assert found.score("network").loss == pytest.approx(np.mean((y - direct) ** 2), rel=1e-4)
