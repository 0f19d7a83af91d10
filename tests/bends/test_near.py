"""The regression at a row: against NumPy, finite differences and, in test_near_torch.py, torch's own derivatives."""

from __future__ import annotations

import json
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx_graphs import Graph, run
from sklearn.preprocessing import StandardScaler

from unbend.bends import LocalRegression, near, tangent
from unbend.bends import walk as walk_module
from unbend.data import open_table
from unbend.errors import DataError, ModelError, SelfCheckError, UsageError
from unbend.network import evaluate, read
from unbend.pairing import pair

X = np.random.default_rng(7).normal(size=(40, 5))

PIECEWISE = {
    "Relu": ((), {}),
    "LeakyRelu": ((), {"alpha": 0.3}),
    "PRelu": ((np.array([-0.7]),), {}),
    "Abs": ((), {}),
    "Clip": ((np.array(-0.4), np.array(0.6)), {}),
    "Max": ((np.array(0.2),), {}),
    "Min": ((np.array([0.2]),), {}),
    "HardSigmoid": ((), {}),
    "ThresholdedRelu": ((), {"alpha": 0.25}),
    "Shrink": ((), {"lambd": 0.5, "bias": 0.25}),
}
IN_FLOAT32 = {"HardSigmoid", "ThresholdedRelu", "Shrink"}
"""onnxruntime has no float64 version; the evaluation in float64 is unbend's own, checked against ONNX's reference."""


def network_of(model):
    return read(model)


def f(network, x: np.ndarray) -> np.ndarray:
    """The network in float64 at rows x, (n, outputs)."""
    return evaluate(network, x)[network.output.name].reshape(len(x), -1)


def differences(network, x: np.ndarray, step: float = 1e-6) -> np.ndarray:
    """∂f/∂x by central differences, (outputs, inputs)."""
    moves = step * np.eye(x.size)
    return ((f(network, x + moves) - f(network, x - moves)) / (2 * step)).T


@pytest.mark.parametrize("op", PIECEWISE)
@pytest.mark.parametrize("outputs", [1, 3])
def test_w_and_b_of_piecewise_linear_networks(op, outputs, layers, mlp):
    constants, attributes = PIECEWISE[op]
    dtype = np.float32 if op in IN_FLOAT32 else np.float64
    network = read(mlp(layers(5, 12, 9, outputs, seed=3), op, *constants, dtype=dtype, **attributes))
    for x in X[:8]:
        found = tangent(network, x, network.output.name)
        if min(found.high.min(), -found.low.max()) > 1e-5:  # pyright: ignore[reportOptionalMemberAccess]
            np.testing.assert_allclose(found.weight, differences(network, x), atol=1e-7)
        np.testing.assert_allclose(found.weight @ x + found.offset, f(network, x[None])[0], atol=1e-12)
        assert found.exact
        assert found.walls == (2 if op in ("Clip", "HardSigmoid", "Shrink") else 1) * 21


@pytest.mark.parametrize("op", PIECEWISE)
def test_it_is_the_network_within_the_range_and_not_outside(op, layers, mlp):
    """One hidden layer, every unit read by the output: any unit that switches changes the network."""
    constants, attributes = PIECEWISE[op]
    network = read(mlp(layers(5, 12, 1, seed=4), op, *constants, dtype=np.float32, **attributes))
    seen = 0
    for x in X[:15]:
        found = tangent(network, x, network.output.name)
        assert found.low is not None
        assert found.high is not None
        for j in range(5):
            for end in (found.low[j], found.high[j]):
                if np.isfinite(end) and abs(end) > 1e-6:
                    inside, outside = differs(network, found, x, j, end)
                    assert inside < 1e-12
                    assert outside > 1e-9
                    seen += 1
    assert seen > 100


def differs(network, found, x: np.ndarray, j: int, end: float) -> tuple[float, float]:
    """How far the network is from the regression just inside and a little outside the range of column j."""
    moved = np.repeat(x[None], 4, axis=0)
    moved[:, j] += np.array([0.5, 1 - 1e-9, 1 + 1e-3, 1 + 1e-2]) * end
    gaps = np.abs(f(network, moved) - moved @ found.weight.T - found.offset)[:, 0]
    return float(gaps[:2].max()), float(gaps[2:].max())


@given(seed=st.integers(0, 2**32 - 1), column=st.integers(0, 3), share=st.floats(-1, 1))
@settings(max_examples=150)
def test_deep_networks_are_the_regression_anywhere_in_the_range(seed, column, share):
    network, x = random_network(seed)
    found = tangent(network, x, network.output.name)
    assert found.low is not None
    assert found.high is not None
    limit = found.high[column] if share > 0 else -found.low[column]
    moved = x.copy()
    moved[column] += share * min(limit, 1e3) * (1 - 1e-9)
    gap = np.abs(f(network, moved[None])[0] - found.weight @ moved - found.offset).max()
    assert gap <= 1e-10 * (1 + np.abs(found.weight).max() * np.abs(moved).max())


def random_network(seed: int):
    rng = np.random.default_rng(seed)
    graph = Graph("N", 4, dtype=np.float64)
    end, width = "x", 4
    for _ in range(rng.integers(1, 4)):
        wider = int(rng.integers(2, 7))
        end = graph("Gemm", end, rng.normal(size=(width, wider)), rng.normal(size=wider))
        op = rng.choice(["Relu", "LeakyRelu", "Abs", "Clip"])
        end, width = graph(op, end, *((np.array(-1.0), np.array(1.0)) if op == "Clip" else ())), wider
    return read(graph.model(graph("Gemm", end, rng.normal(size=(width, 2))))), rng.normal(size=4)


def test_a_unit_on_its_wall_may_not_move():
    graph = Graph("N", 2, dtype=np.float64)
    network = read(graph.model(graph("Relu", graph("Gemm", "x", np.array([[1.0], [-1.0]])))))
    found = tangent(network, np.array([2.0, 2.0]), network.output.name)
    np.testing.assert_array_equal(found.low, [0, 0])
    np.testing.assert_array_equal(found.high, [0, 0])


def test_two_values_meet(layers):
    """Max of two layers, broadcast: a wall where they are equal."""
    rng = np.random.default_rng(0)
    graph = Graph("N", 3, dtype=np.float64)
    left, right = graph("Gemm", "x", rng.normal(size=(3, 4))), graph("Gemm", "x", rng.normal(size=(3, 1)))
    network = read(graph.model(graph("ReduceSum", graph("Max", left, right), np.array([1], dtype=np.int64))))
    for x in X[:10, :3]:
        found = tangent(network, x, network.output.name)
        np.testing.assert_allclose(found.weight, differences(network, x), atol=1e-8)
        assert found.walls == 4
        for j in range(3):
            for end in (found.low[j], found.high[j]):  # pyright: ignore[reportOptionalSubscript]
                if np.isfinite(end):
                    inside, outside = differs(network, found, x, j, end)
                    assert inside < 1e-12 < outside


SMOOTH = ["Sigmoid", "Tanh", "Softplus", "Elu", "Gelu", "Erf", "Exp"]


@pytest.mark.parametrize("op", SMOOTH)
def test_smooth_networks_are_exact_at_the_row_only(op, layers, frame):
    of = layers(5, 8, 2)
    graph = Graph("N", 5, opset=20)
    model = graph.model(of(graph, lambda g, end: g(op, end)))
    network = read(model)
    found = near(model, frame(X), row=6)
    np.testing.assert_allclose(found.weight, differences(network, X[6]), atol=1e-7)
    assert (found.grade, found.exact) == ("exact at this row", False)
    assert {c.low for c in found.coefficients} == {None}
    assert "tangent to the network" in str(found)
    assert "exact at this row" in str(found).replace("\xa0", " ")
    assert "holds from" not in str(found)
    assert len(found.bends) == 1


def test_layers_that_mix_in_the_middle(layers):
    rng = np.random.default_rng(0)
    graph = Graph("N", 5, opset=18)
    hidden = graph("LayerNormalization", graph("Gemm", "x", rng.normal(size=(5, 6))), np.ones(6), np.zeros(6))
    hidden = graph("Softmax", hidden, axis=-1)
    network = read(graph.model(graph("Gemm", hidden, rng.normal(size=(6, 2)))))
    for x in X[:5]:
        found = tangent(network, x, network.output.name)
        np.testing.assert_allclose(found.weight, differences(network, x), atol=1e-7)
        assert len(found.smooth) == 2


def images():
    """Convolution, Relu, MaxPool, and a Gemm to three scores."""
    rng = np.random.default_rng(0)
    graph = Graph("N", 1, 8, 8)
    relu = graph("Relu", graph("Conv", "x", rng.normal(size=(4, 1, 3, 3)), rng.normal(size=4), pads=[1, 1, 1, 1]))
    pool = graph("MaxPool", relu, kernel_shape=[2, 2], strides=[2, 2])
    return graph.model(graph("Gemm", graph("Flatten", pool), rng.normal(size=(64, 3)))), rng.normal(size=(9, 64))


def test_a_pool_in_the_middle(frame):
    model, x = images()
    network = read(model)
    found = near(model, frame(x), row=2)
    np.testing.assert_allclose(found.weight, image_differences(network, x[2]), atol=1e-6)
    assert (found.grade, found.exact, len(found.bends)) == ("exact at this row", True, 1)
    assert "How far that holds is not known, because of MaxPool" in " ".join(str(found).split())


def image_differences(network, x: np.ndarray) -> np.ndarray:
    moves = 1e-6 * np.eye(x.size)
    ends = [evaluate(network, (x + sign * moves).reshape(-1, 1, 8, 8))[network.output.name] for sign in (1, -1)]
    return ((ends[0] - ends[1]) / 2e-6).reshape(x.size, -1).T


@pytest.mark.parametrize("limit", ["MAX_INPUTS", "MAX_NUMBERS"])
def test_backward_and_forward_agree(limit, layers, mlp):
    model, x = images()
    for network, row in ((read(model), x[0]), (read(mlp(layers(5, 9, 9, 4), "Relu")), X[0])):
        forward = tangent(network, row, network.output.name)
        with mock.patch.object(walk_module, limit, 1):
            backward = tangent(network, row, network.output.name)
        np.testing.assert_allclose(backward.weight, forward.weight, atol=1e-12)
        np.testing.assert_allclose(backward.offset, forward.offset, atol=1e-12)
        assert (backward.low, backward.exact) == (None, True)
        assert len(backward.unbounded) == 2


def test_more_inputs_than_a_walk_forward_takes(frame):
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(4100, 3)) / 64
    graph = Graph("N", 4100)
    model = graph.model(graph("Gemm", graph("Relu", graph("Gemm", "x", weight)), rng.normal(size=(3, 1))))
    x = rng.normal(size=(2, 4100))
    found = near(model, frame(x), row=1)
    assert found.grade == "exact at this row"
    np.testing.assert_allclose(found.prediction, run(model, x.astype(np.float32))[0][1], rtol=1e-4)
    assert len(found.coefficients) == 4100


def test_a_branch_that_is_not_read_does_not_count():
    graph = Graph("N", 3)
    end = graph("Gemm", "x", np.eye(3, 1))
    other = graph("SampleOp", graph("Sigmoid", "x"), domain="com.microsoft")
    network = read(graph.model(end, other, check=False))
    found = tangent(network, X[0, :3], network.output.name)
    assert (found.exact, found.walls) == (True, 0)


def test_an_op_without_a_tangent_is_named(frame):
    graph = Graph("N", 3)
    model = graph.model(graph("SampleOp", graph("Gemm", "x", np.eye(3, 1)), domain="com.microsoft"), check=False)
    with pytest.raises(ModelError, match=r"does not know the op com.microsoft.SampleOp") as caught:
        near(model, frame(X[:, :3]))
    assert "at node SampleOp" in caught.value.where


def check_in_table_units(found: LocalRegression, expected: np.ndarray, predict, x: np.ndarray) -> None:
    """W in the table's units, the prediction, and the range: inside it the regression predicts what `predict` does."""
    np.testing.assert_allclose(found.weight[0], expected, rtol=1e-4)
    assert found.prediction[0] == pytest.approx(predict(x[None])[0], rel=1e-4)
    for j, c in enumerate(found.coefficients):
        assert c.value == x[j]
        for end in (c.low, c.high):
            if end is not None and np.isfinite(end):
                moved = x.copy()
                moved[j] += 0.999 * (end - x[j])
                linear = found.weight[0] @ moved + found.intercept[0]
                assert linear == pytest.approx(predict(moved[None])[0], rel=1e-4, abs=1e-2)


def test_a_scaler_outside_and_a_standardised_target(layers, mlp):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(300, 3)) * [10, 0.1, 1000] + [50, 2, -4000]
    scaler = StandardScaler().fit(x)
    model = mlp(layers(3, 8, 1, seed=1), "Relu")
    raw = run(model, scaler.transform(x))[0][:, 0]
    y = 500 + 40 * (raw - raw.mean()) / raw.std()
    inner = read(model)
    data = pd.DataFrame(x, columns=["a", "b", "c"]).assign(y=y)
    standardised = mlp_standardised(layers, raw)
    matched = pair(read(standardised), open_table(data, "y"))
    assert matched.scaling is not None
    assert matched.rescale is not None
    found = near(standardised, data, row=5, target="y")
    expected = 40 / raw.std() * differences(inner, scaler.transform(x[[5]])[0])[0] / scaler.scale_

    def predict(rows: np.ndarray) -> np.ndarray:
        return 500 + 40 * (f(inner, scaler.transform(rows))[:, 0] - raw.mean()) / raw.std()

    check_in_table_units(found, expected, predict, x[5])
    assert found.outputs == ("y",)


def mlp_standardised(layers, raw: np.ndarray):
    """The network of the test above, with its output standardised."""
    of = layers(3, 8, 1, seed=1)
    graph = Graph("N", 3, dtype=np.float64)
    end = of(graph, lambda g, value: g("Relu", value))
    return graph.model(graph("Div", graph("Sub", end, np.array([raw.mean()])), np.array([raw.std()])))


def test_before_the_softmax_by_class(layers, frame):
    of = layers(5, 8, 3)
    graph = Graph("N", 5)
    model = graph.model(graph("Softmax", of(graph, lambda g, end: g("Relu", end)), axis=-1))
    data = frame(X).assign(kind=np.array(["ant", "bee", "cow"])[np.arange(40) % 3])
    found = near(model, data, row=3, target="kind")
    assert found.outputs == ("ant", "bee", "cow")
    assert "the scores before its Softmax" in " ".join(str(found).split())
    np.testing.assert_allclose(found.prediction, of.before(X[[3]], lambda z: np.maximum(z, 0))[-1][0], atol=1e-5)


def test_log_odds_are_for_the_second_class(layers, frame):
    of = layers(5, 8, 1)
    graph = Graph("N", 5)
    model = graph.model(graph("Sigmoid", of(graph, lambda g, end: g("Relu", end))))
    found = near(model, frame(X).assign(kind=np.where(X[:, 0] > 0, "yes", "no")), row=3, target="kind")
    assert found.outputs == ("yes",)
    assert "the log-odds before its Sigmoid" in " ".join(str(found).split())


@pytest.mark.parametrize(("act", "grade"), [("Identity", "exact"), ("Relu", "proved on the range")])
def test_grades(act, grade, layers, mlp, frame):
    found = near(mlp(layers(5, 8, 1), act), frame(X))
    assert found.grade == grade
    assert f"[{grade}]" in " ".join(str(found).split())
    assert ("holds from" in str(found)) == (act == "Relu")


def test_rows_count_from_zero_as_in_the_file(layers, mlp, frame):
    data = frame(X)
    data.loc[2, "c1"] = np.nan
    found = near(mlp(layers(5, 8, 1), "Relu"), data, row=4)
    assert (found.row, found.coefficients[0].value) == (4, X[4, 0])
    with pytest.raises(DataError) as caught:
        near(mlp(layers(5, 8, 1), "Relu"), data, row=2)
    assert caught.value.what == "row 2 of pandas DataFrame has a missing value"
    assert caught.value.where == "in c1"


def test_a_row_without_its_target(layers, mlp, frame):
    """The target is no input: a new row has none, and its coefficients are those of any row with the same inputs."""
    data = frame(X).assign(y=X @ np.arange(5))
    model = mlp(layers(5, 8, 1), "Relu")
    with_target = near(model, data, row=2, target="y")
    data.loc[2, "y"] = np.nan
    found = near(model, data, row=2, target="y")
    assert (found.row, found.coefficients, found.prediction) == (2, with_target.coefficients, with_target.prediction)
    data.loc[2, ["c1", "y"]] = np.nan
    with pytest.raises(DataError) as caught:
        near(model, data, row=2, target="y")
    assert caught.value.where == "in c1"


@pytest.mark.parametrize("row", [1.5, "2", None])
def test_a_row_is_a_whole_number(row, layers, mlp, frame):
    with pytest.raises(UsageError, match="a row is a whole number"):
        near(mlp(layers(5, 8, 1), "Relu"), frame(X), row=row)


@pytest.mark.parametrize("row", [-1, 40, 10**9])
def test_no_such_row(row, layers, mlp, frame):
    with pytest.raises(DataError) as caught:
        near(mlp(layers(5, 8, 1), "Relu"), frame(X), row=row)
    assert caught.value.what == f"no row {row} in pandas DataFrame"
    assert "40 rows, from row 0 to row 39" in caught.value.where


def test_the_self_check_catches_a_wrong_tangent(layers, mlp, frame):
    from unbend.bends.near import self_check

    network = read(mlp(layers(5, 8, 1), "Relu"))
    found = tangent(network, X[0], network.output.name)
    wrong = type(found)(**{**vars(found), "value": found.value + 0.1})
    with pytest.raises(SelfCheckError, match="is not the network"):
        self_check(network, wrong, X[0], network.output.name)


def test_json_is_strict(layers, mlp, frame):
    found = near(mlp(layers(5, 8, 1), "Relu"), frame(X))
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["grade"] == "proved on the range"
