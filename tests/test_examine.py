"""`examine` end to end: every kind of network and table, text, page and JSON of one answer."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from unbend.cli import main
from unbend.document import number, render_html, render_page, render_text
from unbend.examine import examine
from unbend.network import read
from unbend.report import Answer
from unbend.report.sections import table as sections

GRADES = {"exact", "exact at this row", "proved on the range", "measured on held-out rows", "measured on these rows"}
N = 240
RNG = np.random.default_rng(12)
X = pd.DataFrame(RNG.normal(size=(N, 3)) * [10, 2, 1] + [40, 5, 0], columns=["age", "hours", "score"])
NUMBER = 3 + 0.5 * X.age - 2 * np.abs(X.hours - 5) + RNG.normal(size=N)
BINARY = np.where(X.age + 5 * X.score + RNG.normal(size=N) > 40, "yes", "no")
THREE = np.array(["ant", "bee", "cow"])[(np.argsort(np.argsort(X.age + 4 * X.hours)) * 3) // N]


def fitted(kind: type, x: Any, y: Any, **settings: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make_pipeline(StandardScaler(), kind(**settings)).fit(x, y)


def network(kind: type, y: Any) -> Any:
    return fitted(kind, X, y, hidden_layer_sizes=(12,), max_iter=600, random_state=0, learning_rate_init=0.01)


CASES = {
    "number": lambda: (network(MLPRegressor, NUMBER), NUMBER),
    "binary": lambda: (network(MLPClassifier, BINARY), BINARY),
    "three classes": lambda: (network(MLPClassifier, THREE), THREE),
    "affine": lambda: (fitted(LinearRegression, X, NUMBER), NUMBER),
    "logistic": lambda: (fitted(LogisticRegression, X, BINARY), BINARY),
    "classes in numbers": lambda: (network(MLPClassifier, (BINARY == "yes") + 0), (BINARY == "yes") + 0),
}


class Answers(dict[str, Answer]):
    """The answer for each case, made when it is first asked for."""

    def __missing__(self, name: str) -> Answer:
        model, y = CASES[name]()
        self[name] = examine(model, X.assign(y=y), "y")
        return self[name]


@pytest.fixture(scope="module")
def answers() -> Answers:
    return Answers()


@pytest.fixture(params=list(CASES))
def answer(request, answers) -> Answer:
    return answers[request.param]


def text_of(found: Answer) -> str:
    return " ".join(str(found).split())


# Every answer


def test_every_question_has_an_answer(answer):
    names = [finding.name for finding in answer.findings]
    assert names[0] == "is_regression"
    assert "enough" in names
    assert {finding.grade for finding in answer.findings} <= GRADES
    assert all(finding.sentence.endswith((".", "?", ")")) for finding in answer.findings)


def test_sections_stand_in_their_order(answer):
    text = str(answer)
    titles = [entry.title for entry in sections()]
    places = [text.index(f"\n{title}\n") for title in titles]
    assert places == sorted(places)
    assert titles[0] == "In short"
    assert titles[-1] == "What was done"


def test_json_is_strict(answer):
    parsed = json.loads(json.dumps(answer.to_dict(), allow_nan=False))
    assert parsed["verb"] == "examine"
    assert {finding["grade"] for finding in parsed["findings"]} <= GRADES


def words(html: str) -> str:
    """The text of a page without its markup, styles and pictures."""
    from html import unescape

    html = re.sub(r"<(style|svg|script|head)\b.*?</\1>", " ", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def test_text_and_page_hold_the_same_sentences_and_numbers(answer):
    page = words(render_page(answer.document(), "x"))
    for finding in answer.findings:
        assert " ".join(finding.sentence.split()).replace("\u202f", " ") in page.replace("\u202f", " ")
    numbers = set(re.findall(r"(?<![\w.])[−]?\d+\.\d+(?![\w.])", render_text(answer.document(), width=400)))
    missing = {one for one in numbers if one not in page}
    assert not missing


def test_the_page_asks_nothing_of_any_server(answer):
    page = render_page(answer.document(), "x")
    fetched = re.findall(r"""(?:src|href|url\()\s*=?\s*["']?((?:https?:)?//[^"')\s]+)""", page)
    assert not [one for one in fetched if not one.startswith(("http://www.w3.org", "#"))]
    assert "@import" not in page


def test_grades_are_shown(answer):
    text = text_of(answer).replace("\xa0", " ")
    assert "[exact]" in text
    assert "measured on" in text


# One case each


def test_a_number(answers):
    found = answers["number"]
    assert "no linear regression: it bends at 1 node (Relu)" in found.finding("is_regression").sentence
    assert found.finding("straightness").grade == "measured on held-out rows"
    assert found.bends is not None
    assert (found.bends.units, found.bends.rows) == (12, N)
    assert found.checks is not None
    assert found.regression is None
    assert found.comparison.enough == "network"
    score = found.comparison.score("network")
    assert score.r2 == pytest.approx(
        1 - np.mean((NUMBER - model_of("number").predict(X)) ** 2) / np.var(NUMBER), abs=2e-3
    )


def model_of(name: str) -> Any:
    return CASES[name]()[0]


@pytest.mark.parametrize("name", ["binary", "three classes", "classes in numbers"])
def test_classes(name, answers):
    found = answers[name]
    assert found.checks is None
    assert "is a class" in found.unasked["checks"]
    assert found.straightness is not None
    assert found.straightness.agreement is not None
    assert "predicts the same class on" in found.finding("straightness").sentence
    assert "scores before its S" in found.finding("straightness").sentence
    right = model_of(name).score(X, CASES[name]()[1])
    assert found.comparison.score("network").accuracy == pytest.approx(right, abs=0.01)


def test_an_affine_network_is_its_regression_by_column(answers):
    found = answers["affine"]
    assert found.finding("is_regression").sentence.startswith("The network is a linear regression: it has no bend")
    assert found.regression is not None
    assert found.regression.grade == "exact"
    scaler, last = model_of("affine")
    expected = last.coef_ / scaler.scale_
    assert [c.name for c in found.regression.coefficients] == list(X)
    np.testing.assert_allclose(found.regression.weight[0], expected, rtol=1e-5)
    assert found.regression.intercept[0] == pytest.approx(last.intercept_ - expected @ scaler.mean_, rel=1e-4)
    assert "straightness" not in [finding.name for finding in found.findings]
    for c in found.regression.coefficients:
        assert number(c.weights[0]) in str(found)
    section = str(found).partition("It is this regression")[2].partition("The stretches")[0]
    assert "coefficient" in section
    assert "value" not in section
    assert "contribution" not in section
    assert "One affine map explains" not in text_of(found)


def test_a_logistic_regression_is_called_so(answers):
    found = answers["logistic"]
    assert found.finding("is_regression").sentence.startswith("The network is a logistic regression")
    assert found.until == "Sigmoid"
    assert found.regression is not None
    scaler, last = model_of("logistic")
    np.testing.assert_allclose(found.regression.weight[0], last.coef_[0] / scaler.scale_, rtol=1e-5)
    assert "Before its last Sigmoid it is this regression" in text_of(found)


def test_the_same_bytes_twice(answers):
    again = examine(model_of("number"), X.assign(y=NUMBER), "y")
    assert str(again) == str(answers["number"])
    assert json.dumps(again.to_dict()) == json.dumps(answers["number"].to_dict())
    assert render_page(again.document(), "x") == render_page(answers["number"].document(), "x")


def test_rows_in_an_order():
    found = examine(model_of("number"), X.assign(y=NUMBER, day=np.arange(N)[::-1]), "y", order="day")
    assert found.checks is not None
    verdicts = {check.assumption: check.verdict for check in found.checks.checks}
    assert verdicts["autocorrelation"] != "not asked"
    assert found.comparison.how == "240 rows, each held out once in 5 blocks in the order of day"
    assert any("5 blocks of consecutive rows in the order of day" in note for note in found.notes)
    drift = examine(model_of("number"), X.assign(y=NUMBER, day=np.roll(np.arange(N), 7)), "y", order="day")
    assert drift.comparison.score("network").loss == pytest.approx(found.comparison.score("network").loss)
    assert found.bends is not None
    assert found.bends.bends[0].units == 12


@pytest.mark.parametrize("way", ["column", "file"])
def test_held_out_rows(way, tmp_path: Path):
    held = np.arange(N) % 3 == 0
    rows = X.assign(y=NUMBER)
    model = fitted(MLPRegressor, X[~held], NUMBER[~held], hidden_layer_sizes=(12,), max_iter=600, random_state=0)
    if way == "column":
        found = examine(model, rows.assign(held=held), "y", holdout_column="held")
    else:
        rows[held].to_csv(tmp_path / "held.csv", index=False)
        found = examine(model, rows[~held], "y", holdout=tmp_path / "held.csv")
    assert not found.comparison.may_flatter
    y = NUMBER[held]
    expected = 1 - np.mean((y - model.predict(X[held])) ** 2) / np.mean((y - NUMBER[~held].mean()) ** 2)
    assert found.comparison.score("network").r2 == pytest.approx(expected, abs=0.02)


def test_the_scaler_is_learned_once_and_not_from_held_out_rows():
    held = np.arange(N) % 3 == 0
    x = X + 30 * held[:, None]
    scaler = StandardScaler().fit(x[~held])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MLPRegressor(hidden_layer_sizes=(12,), max_iter=600, random_state=0, learning_rate_init=0.01)
        model.fit(scaler.transform(x[~held]), NUMBER[~held])
    found = examine(model, x.assign(y=NUMBER, held=held), "y", holdout_column="held")
    error = np.mean((NUMBER[held] - model.predict(scaler.transform(x[held]))) ** 2)
    assert found.comparison.score("network").loss == pytest.approx(error, rel=1e-4)
    said = [note for note in found.notes if "standard deviation of the columns are those of" in note]
    assert said == [
        "The mean and the standard deviation of the columns are those of the 160 rows that held does not mark."
    ]
    assert "columns are scaled" in " ".join(found.notes)


def test_strings_and_missing_values():
    rows = X.assign(region=np.array(["north", "south", "west"])[np.arange(N) % 3], y=NUMBER)
    coded = pd.get_dummies(rows.drop(columns="y"), dtype=float)
    model = fitted(MLPRegressor, coded, NUMBER, hidden_layer_sizes=(12,), max_iter=600, random_state=0)
    rows.loc[[3, 5], "hours"] = np.nan
    rows.loc[8, "region"] = None
    found = examine(model, rows, "y")
    assert any("by name" in note for note in found.notes)
    assert any("3 of 240 rows have a missing value" in note for note in found.notes)
    complete = rows.notna().all(axis=1).to_numpy()
    direct = np.mean((NUMBER - model.predict(coded))[complete] ** 2)
    assert found.comparison.score("network").loss == pytest.approx(direct, rel=1e-3)


def test_too_few_rows_for_the_straightness_are_said():
    wide = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 14)), columns=[f"c{j}" for j in range(14)])
    y = wide.sum(axis=1) + np.random.default_rng(1).normal(size=30)
    found = examine(
        fitted(MLPRegressor, wide, y, hidden_layer_sizes=(4,), max_iter=50, random_state=0), wide.assign(y=y), "y"
    )
    assert found.straightness is None
    assert "How straight it is was not measured: an affine map of 14 columns needs at least 30 rows" in text_of(found)


# Networks that cannot be run


def custom(op_type: str, domain: str, weight: np.ndarray) -> onnx.ModelProto:
    """x → Gemm → an op of another domain → y."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], "linear"),
        helper.make_node(op_type, ["h"], ["y"], "strange", domain=domain),
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 1])],
        [numpy_helper.from_array(weight.astype(np.float32), "w")],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(domain, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def test_a_network_that_cannot_be_run_still_gets_the_rest():
    found = examine(custom("Wavelet", "my.company", np.ones((3, 1))), X.assign(y=NUMBER), "y")
    text = text_of(found)
    assert (
        "cannot be said: unbend does not know what my.company.Wavelet computes"
        in found.finding("is_regression").sentence
    )
    assert found.bends is None
    assert "onnxruntime cannot run" in found.unasked["bends"]
    assert "unbend does not know my.company.Wavelet (strange), and takes it for a bend" in text
    assert found.checks is not None
    assert found.comparison.score("linear").r2 > 0
    assert found.finding("enough").sentence.endswith("fitted for the comparison: graph cannot be run.")
    assert "The network on this ladder is a small one" in text
    json.dumps(found.to_dict(), allow_nan=False)


def test_an_unknown_op_that_runs_is_a_bend_by_name():
    found = examine(custom("SampleOp", "com.microsoft", np.ones((3, 1))), X.assign(y=NUMBER), "y")
    assert found.bends is not None
    assert found.bends.bends[0].op_type == "SampleOp"
    assert "unbend does not know com.microsoft.SampleOp (strange)" in text_of(found)


# Names that drive a terminal, a page or a picture

HOSTILE = ["<script>alert(1)</script>", "[red]x", "$x^2$", "two\nlines", "emoji 🎉 \x1b[31m"]


@pytest.fixture(scope="module")
def hostile() -> Answer:
    rng = np.random.default_rng(0)
    x = pd.DataFrame(rng.normal(size=(N, 5)), columns=HOSTILE)
    rows = x.assign(
        **{"</td><b>y": x.to_numpy() @ np.arange(1.0, 6.0) + np.abs(x.to_numpy()[:, 0]) + rng.normal(size=N)}
    )
    rows["k\"'<i>"] = np.array(["<img src=x onerror=alert(2)>", "[bold]", "\\frac{1}{2}"])[np.arange(N) % 3]
    coded = pd.get_dummies(rows.drop(columns="</td><b>y"), dtype=float)
    model = fitted(MLPRegressor, coded, rows["</td><b>y"], hidden_layer_sizes=(6,), max_iter=200, random_state=0)
    return examine(model, rows, "</td><b>y")


def test_hostile_names_in_the_page(hostile):
    for page in (render_page(hostile.document(), "<script>"), render_html(hostile.document())):
        for markup in ("<script>alert", "<img src=x", "</td><b>y", "<i>"):
            assert markup not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_hostile_names_in_the_terminal(hostile):
    text = str(hostile)
    assert "[red]x" in text
    assert "$x^2$" in text
    assert "<script>" in text
    assert "\x1b[31m" not in text
    json.dumps(hostile.to_dict(), allow_nan=False)


# The command line


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    onnx.save(onnx_ir.to_proto(read(model_of("number")).model), tmp_path / "model.onnx")
    X.assign(y=NUMBER).to_csv(tmp_path / "rows.csv", index=False)
    return tmp_path


def test_the_command_prints_the_answer_and_writes_the_page(files, capsys):
    assert main(["examine", "model.onnx", "rows.csv", "--target", "y"]) == 0
    out, err = capsys.readouterr()
    assert "page: unbend-model.html" in err
    found = examine("model.onnx", "rows.csv", "y")
    assert out.split() == str(found).split() or "In short" in out
    assert (files / "unbend-model.html").read_text().startswith("<!doctype html>")
    assert sorted(path.name for path in files.iterdir()) == ["model.onnx", "rows.csv", "unbend-model.html"]


def test_the_command_that_it_prints_repeats_it(files, capsys):
    import shlex

    line = ["examine", "model.onnx", "rows.csv", "--target", "y", "--folds", "4", "--seed", "3", "--scale", "none",
            "--exclude", "score", "--level", "0.9"]  # fmt: skip
    model = fitted(MLPRegressor, X[["age", "hours"]], NUMBER, hidden_layer_sizes=(5,), max_iter=100, random_state=0)
    onnx.save(onnx_ir.to_proto(read(model).model), files / "model.onnx")
    assert main([*line, "--json"]) == 0
    first = capsys.readouterr().out
    command = json.loads(first)["command"]
    assert main([*shlex.split(command)[1:], "--json"]) == 0
    assert capsys.readouterr().out == first


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".npz"])
def test_other_files(suffix, files, capsys):
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows, path = X.assign(y=NUMBER), files / f"rows{suffix}"
    if suffix == ".parquet":
        rows.to_parquet(path)
    elif suffix == ".arrow":
        table = pa.Table.from_pandas(rows)
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
    else:
        np.savez(path, **{name: rows[name].to_numpy() for name in rows})
    assert pq is not None
    assert main(["examine", "model.onnx", str(path), "--target", "y", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["comparison"]["target"] == "y" or found["target"] == "y"
    assert found["straightness"]["rows"] == N
